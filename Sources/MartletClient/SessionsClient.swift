// The client of the sessions protocol. Any thread.
import EventLoop

/// Who a sessions client is.
public enum SessionsCredentials: Sendable {
  /// Nobody in particular: a name, and a session that defaults to `session-NAME`. The gateway must allow it.
  case anonymous(name: String, session: String? = nil)
  /// An account. A token is got from `authURL` (`http://HOST[:PORT]/auth/token`, or `http+unix://…`) with
  /// `POST {"username","password","session_id"}`, kept, and replaced before it expires. The session defaults to
  /// `session-USERNAME`.
  case password(authURL: String, username: String, password: String, session: String? = nil)
}

/// Subscribes to topics of a session and publishes to them (PROTOCOLS 4), over a connection that is made again whenever
/// it breaks.
///
/// ```swift
/// let client = try SessionsClient(
///   url: "ws://127.0.0.1:8081/ws",
///   credentials: .password(authURL: "http://127.0.0.1:8081/auth/token", username: "alice", password: secret))
/// try await client.connect()
/// for await message in try await client.messages("NetworkConnectedEvent") { print(message.payload) }
/// ```
///
/// Keep the client: when it is released, its connection is closed and its streams end.
public final class SessionsClient: Sendable {
  private let core: ClientCore<SessionsDialect>
  private let dialect: SessionsDialect
  private let keeper: TokenKeeper?

  /// - Parameter url: `ws://HOST[:PORT]/PATH`, or `ws+unix:///SOCKET_PATH:/PATH`. `wss://` is refused with
  ///   `tlsUnsupported`.
  public init(url: String, credentials: SessionsCredentials, options: ClientOptions = ClientOptions())
    throws(ClientError)
  {
    let url = try ClientURL(url, scheme: "ws")
    switch credentials {
    case .anonymous(let name, let session):
      dialect = try Self.dialect(name: name, session: session, isAnonymous: true)
      keeper = nil
    case .password(let authURL, let username, let password, let session):
      dialect = try Self.dialect(name: username, session: session, isAnonymous: false)
      keeper = TokenKeeper(
        url: try ClientURL(authURL, scheme: "http"), username: username, password: password, session: dialect.session,
        timeoutMilliseconds: options.connectTimeoutMilliseconds)
    }
    let keeper = keeper
    core = try ClientCore(dialect: dialect, url: url, options: options) { isRefused in
      try await keeper?.credential(isRefused: isRefused) ?? Credential(token: nil)
    }
  }

  private static func dialect(name: String, session: String?, isAnonymous: Bool) throws(ClientError) -> SessionsDialect
  {
    let session = session ?? "session-" + name
    try SessionsDialect.check(name: name)
    try SessionsDialect.check(name: session)
    return SessionsDialect(name: name, session: session, isAnonymous: isAnonymous)
  }

  deinit { core.beginClose() }

  // MARK: Identity

  /// The name that publishes carry.
  public var name: String { dialect.name }
  /// The session of the client.
  public var session: String { dialect.session }
  /// Whether the client connects with an account's token.
  public var isAuthenticated: Bool { keeper != nil }
  /// The kept token; nil before the first one, and for anonymous clients.
  public var token: String? { get async { await keeper?.token } }

  /// Gets a new token if the kept one is about to expire, or there is none; true when it did. Every connection does
  /// this by itself.
  public func refreshTokenIfNeeded() async throws -> Bool { try await keeper?.refreshIfNeeded() ?? false }

  // MARK: Connection

  /// What the client is doing now.
  public var state: ConnectionState { core.current }
  /// The states from now on, the present one first; it ends with `closed`. Each call gives a stream of its own.
  public var states: AsyncStream<ConnectionState> { core.states() }
  /// Why the last connection or attempt ended; nil if none has.
  public var lastFailure: String? { core.lastFailure }
  /// Published messages that have not been handed to the system yet.
  public var unsentCount: Int { core.unsentCount }

  /// Begins to connect and returns at once; `states` tells the rest.
  public func start() { core.start() }

  /// Begins to connect, if that has not been done, and waits for the connection, over as many attempts as it takes.
  /// Throws `closed` when the client ends instead, and `CancellationError`, which leaves the client connecting.
  public func connect() async throws { try await core.connect() }

  /// Sends what is queued, for at most `closeTimeoutMilliseconds`, closes with 1000 and waits for the end. Without a
  /// connection what is queued is lost; `unsentCount` says how much that was.
  public func close() async { await core.close() }

  /// Waits until the gateway has processed everything that was sent before. Throws `disconnected` without a connection
  /// or when it breaks, and `timedOut`.
  public func roundTrip() async throws { try await core.roundTrip() }

  // MARK: Messages

  /// Subscribes to a topic of a session, the client's own by default; `handler` is called with each message, one after
  /// the other.
  ///
  /// Returns when the gateway has processed it (the protocol has no acknowledgement, so a `ping` is sent behind it):
  /// it then delivers every later publish. Before `connect()` or `start()` it returns at once, and the subscription is
  /// made with the first connection. It is made again with every further one.
  ///
  /// - Throws: `invalidName`, `timedOut`, `tooManySubscriptions`, `closed`, `CancellationError`. After an error there
  ///   is no subscription.
  @discardableResult
  public func subscribe(
    _ topic: String, session: String? = nil, handler: @escaping @Sendable (SessionsMessage) async -> Void
  ) async throws -> Subscription {
    let full = try fullTopic(topic, session)
    return try await core.subscribe(full, filters: nil, named: topic, handler)
  }

  /// Subscribes like `subscribe`, and gives the messages as a stream for one reader. Releasing or cancelling it
  /// unsubscribes; it ends when the client closes.
  public func messages(_ topic: String, session: String? = nil) async throws -> AsyncStream<SessionsMessage> {
    try await core.messages(try fullTopic(topic, session), filters: nil)
  }

  /// Ends all subscriptions to a topic of a session, the client's own by default.
  public func unsubscribe(_ topic: String, session: String? = nil) {
    core.unsubscribe(topic: SessionsDialect.topic(topic, session: session ?? dialect.session))
  }

  /// Publishes text to a topic of a session, the client's own by default, with the client's name and the present time.
  ///
  /// Returns when the message is queued: at once, or when there is room. Without a connection it waits in the queue and
  /// is sent, in order, after the subscriptions have been made again. What the system has taken when a connection
  /// breaks may be lost, or have arrived: the gateway acknowledges no publish.
  ///
  /// - Throws: `invalidName`, `messageTooBig`, `queueFull`, `closed`, `CancellationError`.
  public func publish(_ topic: String, _ payload: String, session: String? = nil) async throws {
    _ = try fullTopic(topic, session)
    try await core.publish(
      dialect.publish(
        topic, payload: payload, session: session ?? dialect.session, nowMilliseconds: System.wallMilliseconds()))
  }

  private func fullTopic(_ topic: String, _ session: String?) throws(ClientError) -> String {
    try SessionsDialect.check(name: topic)
    if let session { try SessionsDialect.check(name: session) }
    return SessionsDialect.topic(topic, session: session ?? dialect.session)
  }
}
