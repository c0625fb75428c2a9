// The sessions protocol from the client's side: PROTOCOLS 4. Values; any thread.
import Buffers
import EventLoop
import Wire

/// A message of a topic in a session.
public struct SessionsMessage: Sendable, Equatable {
  public let topic: String
  public let session: String
  /// Free text; where the publisher sent something else than a JSON string, its JSON.
  public let payload: String
  /// The name that the publisher gave; nobody checks it.
  public let publisher: String
  /// The time that the publisher gave; nobody checks it.
  public let timestamp: String
}

/// PROTOCOLS 4.3. A topic of the session is `TOPIC|SESSION`, the argument of `subscribe:`; neither part holds a `|`.
struct SessionsDialect: ClientDialect {
  /// Bytes of the longest name: what the gateway takes for a name of any dialect.
  static let nameBytesMax = 255
  private static let keys = JSONKeySet("publisher_name", "topic", "payload", "timestamp", "session_id")

  /// The name that publishes carry.
  let name: String
  /// The session of the client.
  let session: String
  let greeting: [[UInt8]]
  let ping = [UInt8]("ping".utf8)
  /// The protocol acknowledges nothing, so each subscribe is followed by a ping, whose pong says that it was processed.
  let subscribeAnswer = Answer.pong
  let unsubscribeAnswer: Answer? = nil

  /// `isAnonymous` clients tell the gateway their name and session; those of others are in the token.
  init(name: String, session: String, isAnonymous: Bool) {
    self.name = name
    self.session = session
    greeting = isAnonymous ? [[UInt8]("register-name:\(name)".utf8), [UInt8]("register-session:\(session)".utf8)] : []
  }

  static func topic(_ topic: String, session: String) -> String { topic + "|" + session }

  func subscribe(_ topic: String, filters: [UInt8]?) -> [[UInt8]] { [[UInt8]("subscribe:\(topic)".utf8), ping] }

  func unsubscribe(_ topic: String) -> [UInt8] { [UInt8]("unsubscribe:\(topic)".utf8) }

  func publish(_ topic: String, payload: String, session: String, nowMilliseconds: Int64) -> [UInt8] {
    var clock = TimestampClock()
    clock.set(nowMilliseconds)
    var out = ByteBuffer(capacity: 160 + payload.utf8.count)
    out.append(#"publish-json:{"publisher_name":"#)
    JSONString.appendQuoted(name, to: &out)
    out.append(#","topic":"#)
    JSONString.appendQuoted(topic, to: &out)
    out.append(#","payload":"#)
    JSONString.appendQuoted(payload, to: &out)
    out.append(#","timestamp":""#)
    out.append(clock.iso)
    out.append(#"","session_id":"#)
    JSONString.appendQuoted(session, to: &out)
    out.append(0x7D)
    return out.array
  }

  /// What could not be carried in a command: `|` parts its arguments, and blanks around them are cut off.
  static func check(name: String) throws(ClientError) {
    guard let first = name.utf8.first, let last = name.utf8.last else { throw .invalidName("empty") }
    guard name.utf8.count <= nameBytesMax else { throw .invalidName("over \(nameBytesMax) bytes") }
    guard name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "|") }) else {
      throw .invalidName("control characters or |")
    }
    guard first != 0x20, last != 0x20 else { throw .invalidName("blanks at an end") }
  }

  func read(_ text: Span<UInt8>) -> IncomingText<SessionsMessage> {
    if text.equals("pong") { return .answer(.pong) }
    guard let message = try? JSONScanner.scan(text, keys: Self.keys), let topic = text.jsonText(message[1]),
      let session = text.jsonText(message[4]), let payload = message[2]
    else { return .other }
    return .message(
      topic: Self.topic(topic, session: session),
      SessionsMessage(
        topic: topic, session: session,
        payload: text.jsonText(payload) ?? text.extracting(payload.range).string,
        publisher: text.jsonText(message[0]) ?? "", timestamp: text.jsonText(message[3]) ?? ""))
  }

  func admits(_ filters: [UInt8], _ message: SessionsMessage) -> Bool { true }
}
