// How a chat's failure is told, whoever answers the chat: by its name where it has one. Pure functions, any thread.
import Buffers
import Dialects
import Wire

/// The event `ai:response:error` (PROTOCOLS 3.6).
enum ChatFailure {
  /// The event's name.
  static let event = "ai:response:error"
  /// The event that begins an answer and names it.
  static let startEvent = "ai:response:start"
  /// Bytes of an answer's name that is kept, as JSON; the gateway's own have 27.
  static let messageIdBytesMax = 256

  private static let keys = JSONKeySet("messageId")

  /// The event's data. `messageId` is a JSON string; nil for an answer that has no name yet.
  static func body(_ text: String, messageId: [UInt8]?) -> [UInt8] {
    var body = ByteBuffer(capacity: 64)
    if let messageId {
      EventsEncoder.appendChatError(messageId: messageId.span, text.utf8.span, to: &body)
    } else {
      EventsEncoder.appendError(text.utf8.span, to: &body)
    }
    return body.bytes.array
  }

  /// The name, as JSON, that the data of `ai:response:start` gives to its answer; nil where it gives none.
  static func messageId(_ data: [UInt8]) -> [UInt8]? {
    guard UTF8Validator.isValid(data.span), let members = try? JSONScanner.scan(data.span, keys: keys),
      let id = members[0], id.kind == .string, id.end - id.start <= messageIdBytesMax
    else { return nil }
    return Array(data[id.range])
  }
}
