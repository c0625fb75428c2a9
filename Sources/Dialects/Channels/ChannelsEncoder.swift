// The channels dialect, sending side: the server's messages as JSON text, with the client's own bytes spliced in. Any
// thread.
import Buffers
import Wire

/// Writes the server messages of the channels dialect (PROTOCOLS 2.1, 2.2, 2.4). What comes from a client is appended
/// as the raw JSON it sent. Every function appends one whole message to `out`, which the caller has emptied.
public enum ChannelsEncoder {
  /// Bytes of an unknown action that are repeated in the error; more are cut off at a character.
  public static var actionBytesMax: Int { 256 }

  /// The first message. `userId` is a JSON string, `text` plain UTF-8.
  public static func appendWelcome(_ text: Span<UInt8>, userId: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"type\":\"connected\",\"message\":")
    JSONString.appendQuoted(text, to: &out)
    out.append(",\"userId\":")
    out.append(userId)
    out.append("}")
  }

  /// The answer to subscribe: channel and filters exactly as they were sent in `message`.
  public static func appendSubscribed(
    in message: Span<UInt8>, channel: JSONValue, filters: JSONValue?, to out: inout ByteBuffer
  ) {
    out.append("{\"type\":\"subscribed\",\"channel\":")
    out.append(message.extracting(channel.range))
    if let filters {
      out.append(",\"filters\":")
      out.append(message.extracting(filters.range))
    }
    out.append("}")
  }

  /// The answer to unsubscribe.
  public static func appendUnsubscribed(in message: Span<UInt8>, channel: JSONValue, to out: inout ByteBuffer) {
    out.append("{\"type\":\"unsubscribed\",\"channel\":")
    out.append(message.extracting(channel.range))
    out.append("}")
  }

  /// A published message: channel and payload as they were sent in `message`, `from` a JSON string. Without a payload
  /// there is no `data`. Returns where `data` lies in `out`.
  public static func appendMessage(
    in message: Span<UInt8>, channel: JSONValue, payload: JSONValue?, from: Span<UInt8>, timestamp: Span<UInt8>,
    to out: inout ByteBuffer
  ) -> Range<Int> {
    out.append("{\"type\":\"message\",\"channel\":")
    out.append(message.extracting(channel.range))
    out.append(",\"from\":")
    out.append(from)
    var data = out.count..<out.count
    if let payload { data = appendData(message.extracting(payload.range), &out) }
    appendTimestamp(timestamp, &out)
    return data
  }

  /// A broadcast of the server's own. Returns where `data` lies in `out`.
  public static func appendBroadcast(
    channel: Span<UInt8>, data: Span<UInt8>, timestamp: Span<UInt8>, to out: inout ByteBuffer
  ) -> Range<Int> {
    out.append("{\"type\":\"broadcast\",\"channel\":")
    out.append(channel)
    let range = appendData(data, &out)
    appendTimestamp(timestamp, &out)
    return range
  }

  /// The answer to ping: milliseconds since 1970, a number.
  public static func appendPong(milliseconds: Int64, to out: inout ByteBuffer) {
    out.append("{\"type\":\"pong\",\"timestamp\":")
    out.append(decimal: Int(milliseconds))
    out.append("}")
  }

  /// An error. `message` is what was received, from which an unknown action is quoted.
  public static func appendError(_ refusal: ChannelsRefusal, in message: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"type\":\"error\",\"message\":")
    switch refusal {
    case .invalidJSON: out.append("\"Invalid JSON format\"")
    case .missingChannel: out.append("\"Missing channel\"")
    case .invalidChannel: out.append("\"Invalid channel\"")
    case .invalidFilters: out.append("\"Invalid filters\"")
    case .tooManySubscriptions: out.append("\"Too many subscriptions\"")
    case .unknownAction(let action): appendUnknown(action, in: message, to: &out)
    }
    out.append("}")
  }

  /// `Unknown action: X`, with X as JavaScript would print the value.
  private static func appendUnknown(_ action: JSONValue?, in message: Span<UInt8>, to out: inout ByteBuffer) {
    var text = ByteBuffer(capacity: 64)
    text.append("Unknown action: ")
    if let action {
      switch action.kind {
      case .string: JSONString.decode(message, action, into: &text)
      case .object: text.append("[object Object]")
      default: text.append(message.extracting(action.range))
      }
    } else {
      text.append("undefined")
    }
    let limit = "Unknown action: ".utf8.count + actionBytesMax
    if text.count > limit {
      // Back to the first byte of a character, so that the answer stays valid UTF-8.
      var end = limit
      while end > 0 && text.bytes[end] & 0xC0 == 0x80 { end -= 1 }
      text.truncate(to: end)
    }
    JSONString.appendQuoted(text.bytes, to: &out)
  }

  private static func appendData(_ data: Span<UInt8>, _ out: inout ByteBuffer) -> Range<Int> {
    out.append(",\"data\":")
    let start = out.count
    out.append(data)
    return start..<out.count
  }

  private static func appendTimestamp(_ timestamp: Span<UInt8>, _ out: inout ByteBuffer) {
    out.append(",\"timestamp\":\"")
    out.append(timestamp)
    out.append("\"}")
  }
}
