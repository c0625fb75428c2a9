// The sessions of the events dialect, in memory. One for the gateway, any thread.
import Auth
import EventLoop

/// A session of the events dialect (PROTOCOLS 3.1).
public struct EventSession: Sendable, Equatable {
  /// Who it is; nil for an anonymous session.
  public let userId: String?
  /// When it ends, in milliseconds since 1970.
  public let expiresAtMilliseconds: Int64

  /// Whether somebody has logged in.
  public var isLoggedIn: Bool { userId != nil }
}

/// Sessions by their tokens: 32 random bytes in base64url.
///
/// At most `countMax`. An anonymous session costs a client nothing, so when the store is full the oldest of them gives
/// way: whoever is connected stays connected, and the client whose session has gone gets another one for the asking.
/// Refusing new ones instead would let anyone lock everybody out for as long as a session lives. A session of a user
/// never gives way.
public final class SessionStore: Sendable {
  private struct State {
    var sessions: [TokenKey: EventSession] = [:]
    /// The tokens of anonymous sessions; some may have been revoked.
    var anonymous = TokenQueue()
    /// Those of users likewise.
    var named = TokenQueue()
  }

  private let countMax: Int
  private let ttlMilliseconds: Int64
  private let state = Lock(State())

  /// A store of at most `countMax` sessions that live for `ttlSeconds`.
  public init(countMax: Int, ttlSeconds: Int) {
    self.countMax = countMax
    ttlMilliseconds = Int64(ttlSeconds) * 1_000
  }

  /// Makes a session, anonymous or a user's. Nil when the store is full of users' sessions.
  public func create(userId: String? = nil, nowMilliseconds: Int64) -> (token: String, session: EventSession)? {
    let key = TokenKey.random()
    let session = EventSession(userId: userId, expiresAtMilliseconds: nowMilliseconds + ttlMilliseconds)
    let isKept = state.withLock { state in
      Self.expire(&state, nowMilliseconds, most: 8)
      if state.sessions.count >= countMax && !Self.evict(&state) { return false }
      state.sessions[key] = session
      if userId == nil { state.anonymous.append(key) } else { state.named.append(key) }
      return true
    }
    return isKept ? (key.text, session) : nil
  }

  /// The session of a token; nil where it is unknown, revoked or expired. Short enough for a reactor's thread.
  public func lookup(token: Span<UInt8>, nowMilliseconds: Int64) -> EventSession? {
    guard let key = TokenKey(token), let session = state.withLock({ $0.sessions[key] }),
      session.expiresAtMilliseconds > nowMilliseconds
    else { return nil }
    return session
  }

  /// Ends a session; false where there was none. Connections that were opened with it go on.
  @discardableResult
  public func revoke(token: Span<UInt8>) -> Bool {
    guard let key = TokenKey(token) else { return false }
    return state.withLock { state in
      guard state.sessions.removeValue(forKey: key) != nil else { return false }
      // Revoked tokens stay in the queues; they are dropped when they are most of it.
      let queued = state.anonymous.count + state.named.count
      if queued > 2 * state.sessions.count + 1_024 {
        let sessions = state.sessions
        state.anonymous.filter { sessions[$0] != nil }
        state.named.filter { sessions[$0] != nil }
      }
      return true
    }
  }

  /// Gives the memory of expired sessions back. Making sessions does that too, a few at a time.
  public func sweep(nowMilliseconds: Int64) {
    state.withLock { Self.expire(&$0, nowMilliseconds, most: .max) }
  }

  /// Sessions kept, expired ones that have not been swept included.
  public var count: Int { state.withLock { $0.sessions.count } }

  /// Removes expired sessions from the old ends of the queues, at most so many from each.
  private static func expire(_ state: inout State, _ now: Int64, most: Int) {
    expire(&state.anonymous, &state.sessions, now, most)
    expire(&state.named, &state.sessions, now, most)
  }

  private static func expire(
    _ queue: inout TokenQueue, _ sessions: inout [TokenKey: EventSession], _ now: Int64, _ most: Int
  ) {
    var left = most
    while left > 0, let key = queue.first {
      if let session = sessions[key] {
        if session.expiresAtMilliseconds > now { return }
        sessions[key] = nil
      }
      queue.removeFirst()
      left -= 1
    }
  }

  /// Removes the oldest anonymous session; false where there is none.
  private static func evict(_ state: inout State) -> Bool {
    while let key = state.anonymous.first {
      state.anonymous.removeFirst()
      if state.sessions.removeValue(forKey: key) != nil { return true }
    }
    return false
  }
}
