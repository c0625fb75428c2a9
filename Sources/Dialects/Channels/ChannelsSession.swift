// The channels dialect, receiving side: a message in, an action out. No I/O, no state; any thread.
import Buffers
import Wire

/// What a client message of the channels dialect asks for (PROTOCOLS 2.2). Values are slices of the message.
public enum ChannelsAction: Sendable, Equatable {
  /// Subscribe; `filters` as sent, nil when it was left out.
  case subscribe(channel: JSONValue, filters: JSONValue?)
  case unsubscribe(channel: JSONValue)
  /// Publish; `payload` as sent, nil when it was left out.
  case publish(channel: JSONValue, payload: JSONValue?)
  case ping
  /// Answer with an error; the connection goes on.
  case refuse(ChannelsRefusal)
}

/// Why a message is answered with an error.
public enum ChannelsRefusal: Sendable, Equatable {
  /// Not JSON, or JSON `null`.
  case invalidJSON
  /// An action that is none of the four; the slice, or nil when there is none.
  case unknownAction(JSONValue?)
  /// No `channel`, or one that is not a string.
  case missingChannel
  /// An empty channel name, one over the limit, or one with control characters.
  case invalidChannel
  /// Filters that are neither an object nor null, or over the limit.
  case invalidFilters
  /// The connection has as many subscriptions, or the channel as many filters, as are allowed.
  case tooManySubscriptions
}

/// Reads the messages of the channels dialect.
public enum ChannelsSession {
  static let keys = JSONKeySet("action", "channel", "payload", "filters")

  /// Reads one message, text or binary alike. `bytes` must be valid UTF-8.
  public static func receive(_ bytes: Span<UInt8>) -> ChannelsAction {
    let message: JSONTopLevel
    do { message = try JSONScanner.scan(bytes, keys: keys) } catch { return .refuse(.invalidJSON) }
    if message.kind == .null { return .refuse(.invalidJSON) }
    guard message.kind == .object, let action = message[0] else { return .refuse(.unknownAction(nil)) }
    guard action.kind == .string, let verb = verb(bytes, action) else { return .refuse(.unknownAction(action)) }
    if verb == .ping { return .ping }
    guard let channel = message[1], channel.kind == .string else { return .refuse(.missingChannel) }
    switch verb {
    case .subscribe: return .subscribe(channel: channel, filters: message[3])
    case .unsubscribe: return .unsubscribe(channel: channel)
    case .publish: return .publish(channel: channel, payload: message[2])
    case .ping: return .ping
    }
  }

  enum Verb { case subscribe, unsubscribe, publish, ping }

  /// The verb of an `action` string; one written with escapes is decoded first, which real clients never need.
  static func verb(_ bytes: Span<UInt8>, _ action: JSONValue) -> Verb? {
    if JSONString.isPlain(bytes, action) { return verb(bytes.extracting((action.start + 1)..<(action.end - 1))) }
    if action.end - action.start > 128 { return nil }
    var decoded = ByteBuffer(capacity: 128)
    JSONString.decode(bytes, action, into: &decoded)
    return verb(decoded.bytes)
  }

  private static func verb(_ text: Span<UInt8>) -> Verb? {
    switch text.count {
    case 4: return text.equals("ping") ? .ping : nil
    case 7: return text.equals("publish") ? .publish : nil
    case 9: return text.equals("subscribe") ? .subscribe : nil
    case 11: return text.equals("unsubscribe") ? .unsubscribe : nil
    default: return nil
    }
  }

  /// Whether a decoded channel name may be used: 1 to `bytesMax` bytes without control characters.
  public static func isValidChannel(_ name: Span<UInt8>, bytesMax: Int) -> Bool {
    if name.count == 0 || name.count > bytesMax { return false }
    for index in 0..<name.count where name[index] < 0x20 || name[index] == 0x7F { return false }
    return true
  }
}
