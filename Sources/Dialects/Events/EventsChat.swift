// What an `ai:chat` event asks for. No I/O, no state; any thread.
import Buffers
import Wire

/// The members of an `ai:chat` request (PROTOCOLS 3.6), as slices of its data.
public struct EventsChat: Sendable, Equatable {
  /// What the user says: a string that is not empty.
  public var message: JSONValue
  /// What was said before: an array as sent, not looked into; nil when there is none.
  public var history: JSONValue?
  /// The language that the answer should be in: a string; nil when there is none.
  public var locale: JSONValue?

  static let keys = JSONKeySet("message", "locale")

  /// Reads the `data` of an `ai:chat` event, one whole JSON value; nil when it is no object with a message, which is
  /// answered with `Message is required`. History and locale of another type count as absent.
  public init?(_ data: Span<UInt8>) {
    guard let members = try? JSONScanner.scan(data, keys: Self.keys), members.kind == .object,
      let message = members[0], message.kind == .string, message.end - message.start > 2
    else { return nil }
    self.message = message
    if let locale = members[1], locale.kind == .string { self.locale = locale }
    // A name too long for a key set.
    if let history = JSONMember.value("conversationHistory", of: members.value, in: data), history.kind == .array {
      self.history = history
    }
  }
}
