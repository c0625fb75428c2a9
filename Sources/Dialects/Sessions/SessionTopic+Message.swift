// The topic that a message of the sessions dialect is about, checked and put together. Pure functions, any thread.
import Buffers
import Wire

extension SessionTopic {
  /// Whether a topic may be used: 1 to `bytesMax` bytes without control characters.
  public static func isValidTopic(_ name: Span<UInt8>, bytesMax: Int) -> Bool {
    ChannelsSession.isValidChannel(name, bytesMax: bytesMax)
  }

  /// Whether the name of a session or of a client may be used: as a topic, but it may be empty.
  public static func isValidName(_ name: Span<UInt8>, bytesMax: Int) -> Bool {
    name.count == 0 || ChannelsSession.isValidChannel(name, bytesMax: bytesMax)
  }

  /// Appends the table's name for the topic that a command of `message` is about; `current` is the connection's own
  /// session. False, and nothing is appended, when topic or session may not be used.
  public static func append(
    in message: Span<UInt8>, topic: Range<Int>, session: Range<Int>?, current: Span<UInt8>, bytesMax: Int,
    to out: inout ByteBuffer
  ) -> Bool {
    let topic = message.extracting(topic)
    // An optional span cannot be carried by `??`; hence the two calls.
    guard let session else { return append(checked: current, topic, bytesMax, &out) }
    return append(checked: message.extracting(session), topic, bytesMax, &out)
  }

  /// Appends the table's name for the topic that a publish of `message` goes to; otherwise as above.
  public static func append(
    in message: Span<UInt8>, _ publication: SessionsPublication, current: Span<UInt8>, bytesMax: Int,
    to out: inout ByteBuffer
  ) -> Bool {
    guard let topic = publication.topic else {
      var missing = ByteBuffer(capacity: 8)
      missing.append("<none>")
      return append(message, publication.session, current, missing.bytes, bytesMax, &out)
    }
    if JSONString.isPlain(message, topic) {
      return append(message, publication.session, current, contents(message, topic), bytesMax, &out)
    }
    // A string with escapes, which real clients hardly send, has to be decoded first.
    if isLonger(topic, than: bytesMax) { return false }
    var text = ByteBuffer(capacity: topic.end - topic.start)
    JSONString.decode(message, topic, into: &text)
    return append(message, publication.session, current, text.bytes, bytesMax, &out)
  }

  /// The same once the topic's text is known.
  private static func append(
    _ message: Span<UInt8>, _ session: JSONValue?, _ current: Span<UInt8>, _ topic: Span<UInt8>, _ bytesMax: Int,
    _ out: inout ByteBuffer
  ) -> Bool {
    guard let session else { return append(checked: current, topic, bytesMax, &out) }
    if JSONString.isPlain(message, session) {
      return append(checked: contents(message, session), topic, bytesMax, &out)
    }
    if isLonger(session, than: bytesMax) { return false }
    var text = ByteBuffer(capacity: session.end - session.start)
    JSONString.decode(message, session, into: &text)
    return append(checked: text.bytes, topic, bytesMax, &out)
  }

  private static func append(
    checked session: Span<UInt8>, _ topic: Span<UInt8>, _ bytesMax: Int, _ out: inout ByteBuffer
  ) -> Bool {
    guard isValidTopic(topic, bytesMax: bytesMax), isValidName(session, bytesMax: bytesMax) else { return false }
    append(session: session, topic: topic, to: &out)
    return true
  }

  /// What stands between the quotes of a string.
  @_lifetime(copy message)
  private static func contents(_ message: Span<UInt8>, _ string: JSONValue) -> Span<UInt8> {
    message.extracting(string.start + 1..<string.end - 1)
  }

  /// Whether a JSON string cannot be a name of `bytesMax` bytes: an escape is six bytes for one at most.
  private static func isLonger(_ string: JSONValue, than bytesMax: Int) -> Bool {
    string.end - string.start > bytesMax * 6 + 2
  }
}
