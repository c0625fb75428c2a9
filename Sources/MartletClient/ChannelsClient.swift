// The client of the channels protocol. Any thread.
import FoundationEssentials

/// Subscribes to channels and publishes to them (docs/protocols/channels.md), over a connection that is made again
/// whenever it breaks.
///
/// ```swift
/// let client = try ChannelsClient(url: "ws://127.0.0.1:8080/channels", token: token)
/// try await client.connect()
/// try await client.subscribe("news") { message in print(message.text) }
/// try await client.publish("news", json: #"{"hello":"world"}"#)
/// await client.close()
/// ```
///
/// Keep the client: when it is released, its connection is closed and its streams end.
public final class ChannelsClient: Sendable {
  private let core: ClientCore<ChannelsDialect>

  /// A client with one token for all connections.
  ///
  /// - Parameters:
  ///   - url: `ws://HOST[:PORT]/PATH`, or `ws+unix:///SOCKET_PATH:/PATH`. `wss://` is refused with `tlsUnsupported`.
  ///   - token: a token of the gateway's channels dialect; it is added to the URL's query. Nil where the URL holds it.
  public convenience init(url: String, token: String?, options: ClientOptions = ClientOptions()) throws(ClientError) {
    try self.init(url: url, options: options) { token }
  }

  /// A client that asks for a token before each connection, the first one included.
  ///
  /// An error that `tokenProvider` throws counts as a failed attempt, which is repeated later;
  /// `ClientError.tokenRefused` with a client error such as 401 ends the client. Nothing limits its time.
  public init(
    url: String, options: ClientOptions = ClientOptions(),
    tokenProvider: @escaping @Sendable () async throws -> String?
  ) throws(ClientError) {
    let url = try ClientURL(url, scheme: "ws")
    core = try ClientCore(dialect: ChannelsDialect(), url: url, options: options) { _ in
      Credential(token: try await tokenProvider())
    }
  }

  deinit { core.beginClose() }

  // MARK: Connection

  /// What the client is doing now.
  public var state: ConnectionState { core.current }
  /// The states from now on, the present one first; it ends with `closed`. Each call gives a stream of its own.
  public var states: AsyncStream<ConnectionState> { core.states() }
  /// Error messages of the gateway from now on, such as `Too many subscriptions`. Those that answer a `subscribe` are
  /// thrown there as well.
  public var serverErrors: AsyncStream<String> { core.serverErrors() }
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

  /// Subscribes; `handler` is called with each message, one after the other.
  ///
  /// Returns when the gateway has acknowledged: it then delivers every later publish. Before `connect()` or `start()`
  /// it returns at once, and the subscription is made with the first connection. It is made again with every further
  /// one. Messages published while there was no connection are not received.
  ///
  /// - Parameter filters: a JSON object; only messages whose data has equal members are delivered (PROTOCOLS 2.3).
  /// - Throws: `invalidName`, `invalidJSON`, `refused`, `timedOut`, `tooManySubscriptions`, `closed`,
  ///   `CancellationError`. After an error there is no subscription.
  @discardableResult
  public func subscribe(
    _ channel: String, filters: String? = nil, handler: @escaping @Sendable (ChannelsMessage) async -> Void
  ) async throws -> Subscription {
    let filters = try Self.check(channel, filters)
    return try await core.subscribe(channel, filters: filters, named: channel, handler)
  }

  /// Subscribes like `subscribe`, and gives the messages as a stream for one reader. Releasing or cancelling it
  /// unsubscribes; it ends when the client closes. Read it as fast as messages come: see
  /// `ClientOptions.inboxMessagesMax`.
  public func messages(_ channel: String, filters: String? = nil) async throws -> AsyncStream<ChannelsMessage> {
    let filters = try Self.check(channel, filters)
    return try await core.messages(channel, filters: filters)
  }

  /// Ends all subscriptions to a channel.
  public func unsubscribe(_ channel: String) { core.unsubscribe(topic: channel) }

  /// Publishes JSON as it is; nil publishes a message without data.
  ///
  /// Returns when the message is queued: at once, or when there is room. Without a connection it waits in the queue and
  /// is sent, in order, after the subscriptions have been made again. What the system has taken when a connection
  /// breaks may be lost, or have arrived: the gateway acknowledges no publish.
  ///
  /// - Throws: `invalidName`, `invalidJSON`, `messageTooBig`, `queueFull`, `closed`, `CancellationError`.
  public func publish(_ channel: String, json: String?) async throws {
    try ChannelsDialect.check(channel: channel)
    let payload = json.map { [UInt8]($0.utf8) }
    if let payload { try ChannelsDialect.check(json: payload) }
    try await core.publish(ChannelsDialect.publish(channel, payload: payload))
  }

  /// Publishes a value as JSON; like `publish(_:json:)`, and throws what `JSONEncoder` throws.
  public func publish<Value: Encodable>(_ channel: String, _ value: Value) async throws {
    try await publish(channel, json: String(decoding: try JSONEncoder().encode(value), as: UTF8.self))
  }

  private static func check(_ channel: String, _ filters: String?) throws(ClientError) -> [UInt8]? {
    try ChannelsDialect.check(channel: channel)
    guard let filters else { return nil }
    let bytes = [UInt8](filters.utf8)
    guard bytes.count <= ChannelsDialect.filtersBytesMax else { throw .messageTooBig(bytes: bytes.count) }
    try ChannelsDialect.check(json: bytes, isObject: true)
    return bytes
  }
}
