// A topic of the sessions dialect: topic and session as one name in the topic table. Pure functions.
import Buffers
import Wire

/// Names of the topics of the sessions dialect: `<decimal length of the session>:<session><topic>`. The length keeps
/// two different pairs from ever having the same name, whatever bytes they hold (PROTOCOLS 4.3, isolation).
public enum SessionsTopic {
  /// Whether a topic may be used: 1 to `bytesMax` bytes without control characters.
  public static func isValidTopic(_ name: Span<UInt8>, bytesMax: Int) -> Bool {
    ChannelsSession.isValidChannel(name, bytesMax: bytesMax)
  }

  /// Whether the name of a session or of a client may be used: as a topic, but it may be empty.
  public static func isValidName(_ name: Span<UInt8>, bytesMax: Int) -> Bool {
    name.count == 0 || ChannelsSession.isValidChannel(name, bytesMax: bytesMax)
  }

  /// Appends the name of `topic` in `session`, both plain UTF-8; false, and nothing is appended, when one of them may
  /// not be used.
  public static func append(
    session: Span<UInt8>, topic: Span<UInt8>, bytesMax: Int, to name: inout ByteBuffer
  ) -> Bool {
    guard isValidTopic(topic, bytesMax: bytesMax), append(session, bytesMax, &name) else { return false }
    name.append(topic)
    return true
  }

  /// Appends the name of the topic that a command of `message` is about; `current` is the connection's own session.
  public static func append(
    in message: Span<UInt8>, topic: Range<Int>, session: Range<Int>?, current: Span<UInt8>, bytesMax: Int,
    to name: inout ByteBuffer
  ) -> Bool {
    let topic = message.extracting(topic)
    // An optional span cannot be carried by `??`; hence the two calls.
    guard let session else { return append(session: current, topic: topic, bytesMax: bytesMax, to: &name) }
    return append(session: message.extracting(session), topic: topic, bytesMax: bytesMax, to: &name)
  }

  /// Appends the name of the topic that a publish of `message` goes to; `current` is the connection's own session.
  public static func append(
    in message: Span<UInt8>, _ publication: SessionsPublication, current: Span<UInt8>, bytesMax: Int,
    to name: inout ByteBuffer
  ) -> Bool {
    let before = name.count
    if let session = publication.session {
      guard append(message, session, bytesMax, &name) else { return false }
    } else {
      guard append(current, bytesMax, &name) else { return false }
    }
    let start = name.count
    if let topic = publication.topic {
      if isLonger(topic, than: bytesMax) {
        name.truncate(to: before)
        return false
      }
      JSONString.decode(message, topic, into: &name)
    } else {
      name.append("<none>")
    }
    if isValidTopic(name.bytes.extracting(start..<name.count), bytesMax: bytesMax) { return true }
    name.truncate(to: before)
    return false
  }

  /// Appends the length and the text of a session, where it may be used.
  private static func append(_ session: Span<UInt8>, _ bytesMax: Int, _ name: inout ByteBuffer) -> Bool {
    guard isValidName(session, bytesMax: bytesMax) else { return false }
    name.append(decimal: session.count)
    name.append(UInt8(ascii: ":"))
    name.append(session)
    return true
  }

  /// The same for a JSON string. Only one with escapes, which real clients hardly send, has to be decoded first.
  private static func append(
    _ message: Span<UInt8>, _ session: JSONValue, _ bytesMax: Int, _ name: inout ByteBuffer
  ) -> Bool {
    if JSONString.isPlain(message, session) {
      return append(message.extracting(session.start + 1..<session.end - 1), bytesMax, &name)
    }
    if isLonger(session, than: bytesMax) { return false }
    var text = ByteBuffer(capacity: session.end - session.start)
    JSONString.decode(message, session, into: &text)
    return append(text.bytes, bytesMax, &name)
  }

  /// Whether a JSON string cannot be a name of `bytesMax` bytes: an escape is six bytes for one at most.
  private static func isLonger(_ string: JSONValue, than bytesMax: Int) -> Bool {
    string.end - string.start > bytesMax * 6 + 2
  }
}
