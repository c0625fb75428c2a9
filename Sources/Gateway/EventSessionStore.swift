// The sessions of the events dialect that clients may connect with. Any thread.
import Buffers
import EventLoop

/// What a session of the events dialect says about its client (PROTOCOLS 3.1).
struct EventsClient: Sendable {
  /// Who is logged in; nil for nobody.
  var userId: String?
  var isLoggedIn = false
}

/// Sessions by token.
final class EventSessionStore: Sendable {
  private let sessions = Lock([String: EventsClient]())

  func insert(_ token: String, _ client: EventsClient) {
    sessions.withLock { $0[token] = client }
  }

  /// The client that a token stands for; nil when it is unknown or has expired.
  func find(_ token: borrowing ByteBuffer, nowMilliseconds: Int64) -> EventsClient? {
    let text = token.bytes.string
    return sessions.withLock { $0[text] }
  }
}
