// The events dialect, receiving side of its native form: a message in, an action out. No I/O, no state; any thread.
import Buffers
import Wire

/// What a client message of the events dialect asks for (PROTOCOLS 3.4). Values are slices of the message.
public enum EventsAction: Sendable, Equatable {
  /// An event; `name` is a string, `data` as sent, nil when it was left out. Whether the name means anything is for the
  /// application's handlers and `EventsSession.builtIn` to say.
  case event(name: JSONValue, data: JSONValue?)
  /// Answer with an error; the connection goes on.
  case refuse(EventsRefusal)
}

/// Why a message is answered with an error.
public enum EventsRefusal: Sendable, Equatable {
  /// Not JSON, or JSON `null`.
  case notProcessed
  /// An event that nobody handles; the slice of its name, or nil when there is none.
  case unknownEvent(JSONValue?)
  /// The connection, or the gateway, has as many handlers running as are allowed.
  case tooManyRequests
}

/// The events that the gateway answers by itself (PROTOCOLS 3.4, 3.6), in both sub-protocols.
public enum EventsBuiltIn: Sendable {
  case ping, status, echo, info, message
  /// `ai:chat`, answered with a stream.
  case chat
}

/// Reads the native messages of the events dialect.
public enum EventsSession {
  static let keys = JSONKeySet("event", "data")

  /// Reads one message, text or binary alike. `bytes` must be valid UTF-8.
  public static func receive(_ bytes: Span<UInt8>) -> EventsAction {
    let message: JSONTopLevel
    do { message = try JSONScanner.scan(bytes, keys: keys) } catch { return .refuse(.notProcessed) }
    if message.kind == .null { return .refuse(.notProcessed) }
    // What is no object has no members, as in JavaScript.
    guard message.kind == .object, let name = message[0] else { return .refuse(.unknownEvent(nil)) }
    guard name.kind == .string else { return .refuse(.unknownEvent(name)) }
    return .event(name: name, data: message[1])
  }

  /// The built-in event that the string `name` of `bytes` names. One written with escapes is decoded first, which real
  /// clients never need.
  public static func builtIn(_ bytes: Span<UInt8>, _ name: JSONValue) -> EventsBuiltIn? {
    if JSONString.isPlain(bytes, name) { return builtIn(bytes.extracting((name.start + 1)..<(name.end - 1))) }
    // Six bytes for a character at most.
    guard name.end - name.start <= 6 * longestName + 2 else { return nil }
    var decoded = ByteBuffer(capacity: 6 * longestName)
    JSONString.decode(bytes, name, into: &decoded)
    return builtIn(decoded.bytes)
  }

  private static let longestName = 7

  /// The built-in event with the plain name `text`.
  public static func builtIn(_ text: Span<UInt8>) -> EventsBuiltIn? {
    switch text.count {
    case 4: return text.equals("ping") ? .ping : text.equals("echo") ? .echo : text.equals("info") ? .info : nil
    case 6: return text.equals("status") ? .status : nil
    case 7: return text.equals("message") ? .message : text.equals("ai:chat") ? .chat : nil
    default: return nil
    }
  }
}
