// The channels protocol from the client's side: PROTOCOLS 2. Values; any thread.
import Buffers
import FoundationEssentials
import Wire

/// A message of a channel.
public struct ChannelsMessage: Sendable, Equatable {
  public let channel: String
  /// The publisher's user id; nil for what the gateway itself broadcasts.
  public let from: String?
  /// The payload as JSON, byte for byte as it was published; nil when there was none.
  public let data: [UInt8]?
  /// When the gateway took it: ISO-8601, UTC, milliseconds.
  public let timestamp: String
  /// Whether the gateway itself sent it (PROTOCOLS 2.4).
  public let isBroadcast: Bool

  /// The payload as text; empty when there was none.
  public var text: String { String(decoding: data ?? [], as: UTF8.self) }

  /// The payload as a value. Throws what `JSONDecoder` throws.
  public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
    try JSONDecoder().decode(type, from: Data(data ?? []))
  }
}

/// PROTOCOLS 2.2.
struct ChannelsDialect: ClientDialect {
  /// Bytes of the longest channel name that the gateway takes (docs/protocols/channels.md).
  static let channelBytesMax = 255
  /// Bytes of the longest filters that it takes.
  static let filtersBytesMax = 4_096
  private static let keys = JSONKeySet("type", "channel", "from", "data", "timestamp", "message")

  let greeting: [[UInt8]] = []
  let ping = [UInt8](#"{"action":"ping"}"#.utf8)
  let subscribeAnswer = Answer.subscribed
  let unsubscribeAnswer: Answer? = .unsubscribed

  func subscribe(_ topic: String, filters: [UInt8]?) -> [[UInt8]] {
    [Self.action("subscribe", topic, member: "filters", filters)]
  }

  func unsubscribe(_ topic: String) -> [UInt8] { Self.action("unsubscribe", topic, member: "", nil) }

  static func publish(_ channel: String, payload: [UInt8]?) -> [UInt8] {
    action("publish", channel, member: "payload", payload)
  }

  private static func action(_ name: StaticString, _ channel: String, member: StaticString, _ value: [UInt8]?)
    -> [UInt8]
  {
    var out = ByteBuffer(capacity: 64 + channel.utf8.count + (value?.count ?? 0))
    out.append(#"{"action":""#)
    out.append(name)
    out.append(#"","channel":"#)
    JSONString.appendQuoted(channel, to: &out)
    if let value {
      out.append(",\"")
      out.append(member)
      out.append("\":")
      out.append(value.span)
    }
    out.append(0x7D)
    return out.array
  }

  /// What the gateway would refuse of a name, before it is sent: an error answer could not be told apart from others.
  static func check(channel: String) throws(ClientError) {
    guard !channel.isEmpty else { throw .invalidName("empty") }
    guard channel.utf8.count <= channelBytesMax else { throw .invalidName("over \(channelBytesMax) bytes") }
    guard channel.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { throw .invalidName("control characters") }
  }

  /// Whether the text is JSON that the gateway takes inside a message; `isObject` asks for an object or null.
  static func check(json: [UInt8], isObject: Bool = false) throws(ClientError) {
    // Inside an array it is as deep as in the message that will carry it.
    let wrapped = [UInt8(ascii: "[")] + json + [UInt8(ascii: "]")]
    guard UTF8Validator.isValid(json.span), (try? JSONScanner.validate(wrapped.span)) != nil,
      let value = try? JSONScanner.validate(json.span)
    else { throw .invalidJSON }
    if isObject && value.kind != .object && value.kind != .null { throw .invalidJSON }
  }

  func read(_ text: Span<UInt8>) -> IncomingText<ChannelsMessage> {
    guard let message = try? JSONScanner.scan(text, keys: Self.keys), let type = text.jsonText(message[0]) else {
      return .other
    }
    switch type {
    case "message", "broadcast":
      guard let channel = text.jsonText(message[1]) else { return .other }
      let data = message[3].map { text.extracting($0.range).array }
      return .message(
        topic: channel,
        ChannelsMessage(
          channel: channel, from: text.jsonText(message[2]), data: data, timestamp: text.jsonText(message[4]) ?? "",
          isBroadcast: type == "broadcast"))
    case "subscribed": return .answer(.subscribed)
    case "unsubscribed": return .answer(.unsubscribed)
    case "pong": return .answer(.pong)
    case "error": return .failure(text.jsonText(message[5]) ?? "")
    default: return .other
    }
  }

  func admits(_ filters: [UInt8], _ message: ChannelsMessage) -> Bool {
    guard let shape = try? JSONScanner.validate(filters.span) else { return false }
    if case .everything = JSONFilter.shape(filters.span, shape) { return true }
    guard let data = message.data else { return false }
    var index = JSONMemberIndex()
    _ = index.build(data.span)
    return JSONFilter.matches(filter: filters.span, data: data.span, index: &index)
  }
}

extension Span where Element == UInt8 {
  /// The text of a scanned string value; nil for anything else.
  func jsonText(_ value: JSONValue?) -> String? {
    guard let value, value.kind == .string else { return nil }
    var text = ByteBuffer()
    JSONString.decode(self, value, into: &text)
    return text.bytes.string
  }

  /// A copy of the bytes.
  var array: [UInt8] {
    var copy: [UInt8] = []
    copy.reserveCapacity(count)
    for index in indices { copy.append(self[index]) }
    return copy
  }
}

extension ByteBuffer {
  /// A copy of the bytes in use.
  var array: [UInt8] { bytes.array }
}
