// The handlers dialect, receiving side: a message in, an action out. No I/O, no state; any thread.
import Buffers
import Wire

/// What a client message of the handlers dialect asks for (PROTOCOLS 1.3). Values are slices of the message.
public enum HandlersAction: Sendable, Equatable {
  /// A request of the type `type`, a string. A handler registered for it goes first; without one the answer is
  /// `HandlersSession.builtInReply`.
  case request(type: JSONValue)
  /// Answer so; no handler is asked.
  case reply(HandlersReply)
}

/// The answers that the gateway gives itself.
public enum HandlersReply: Sendable, Equatable {
  case userMessage, systemMessage, pong
  /// A type that nobody handles, no type at all, or JSON that is no object.
  case unknownType
  /// Not JSON, or JSON `null`.
  case invalidJSON
  /// A registered handler ended with an error, or not in time.
  case handlerFailed, handlerTimedOut
  /// As many handlers of this connection, or of the gateway, are at work as are allowed.
  case tooManyRequests
}

/// Reads the messages of the handlers dialect.
public enum HandlersSession {
  static let keys = JSONKeySet("type")

  /// Bytes of the longest raw string that can spell a built-in type: `system_message` with every character escaped,
  /// and its quotes.
  static var builtInBytesMax: Int { 14 * 6 + 2 }

  /// Reads one message, text or binary alike. `bytes` must be valid UTF-8. A second `type` makes a message invalid.
  public static func receive(_ bytes: Span<UInt8>) -> HandlersAction {
    let message: JSONTopLevel
    do { message = try JSONScanner.scan(bytes, keys: keys) } catch { return .reply(.invalidJSON) }
    if message.kind == .null { return .reply(.invalidJSON) }
    guard message.kind == .object, let type = message[0], type.kind == .string else { return .reply(.unknownType) }
    return .request(type: type)
  }

  /// What a request of `type` is answered with where no handler is registered for it (PROTOCOLS 1.3).
  public static func builtInReply(_ bytes: Span<UInt8>, type: JSONValue) -> HandlersReply {
    if JSONString.isPlain(bytes, type) { return reply(bytes.extracting((type.start + 1)..<(type.end - 1))) }
    if type.end - type.start > builtInBytesMax { return .unknownType }
    var decoded = ByteBuffer(capacity: builtInBytesMax)
    JSONString.decode(bytes, type, into: &decoded)
    return reply(decoded.bytes)
  }

  private static func reply(_ type: Span<UInt8>) -> HandlersReply {
    switch type.count {
    case 4: return type.equals("ping") ? .pong : .unknownType
    case 12: return type.equals("user_message") ? .userMessage : .unknownType
    case 14: return type.equals("system_message") ? .systemMessage : .unknownType
    default: return .unknownType
    }
  }
}
