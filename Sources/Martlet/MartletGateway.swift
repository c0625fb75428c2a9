// A gateway inside one's own program: handlers are registered, then it runs. Any thread.
import EventLoop
import FoundationEssentials
import Gateway

/// A WebSocket gateway with handlers of your own (docs/HANDLERS.md).
///
/// Register what it shall answer, then `run()` it to the end of the process, or `start()` and `stop()` it. Handlers run
/// as tasks off the threads that serve clients: a slow or failing one holds up nobody but the client that asked. They
/// are cancelled when that client goes.
public final class MartletGateway: Sendable {
  private struct State {
    var extensions = Extensions()
    var server: GatewayServer?
    var isStarted = false
  }

  private let settings: GatewaySettings
  private let logger: Logger
  private let state = Lock(State())

  /// A gateway that is not running yet.
  ///
  /// - Parameter executor: where handlers and hooks run; nil for the threads that all of Swift's tasks share.
  public init(_ settings: GatewaySettings, executor: (any TaskExecutor)? = nil) {
    self.settings = settings
    state.withLock { $0.extensions.executor = executor }
    logger = Logger(format: settings.configuration.logFormat, level: settings.configuration.logLevel)
  }

  // MARK: Requests of the handlers dialect

  /// Answers requests of a type, raw. The handler replies by `request.reply`; what it throws becomes an error message,
  /// with a text of its own if it is a `Rejection`.
  public func onRequest(_ type: String, _ handler: @escaping @Sendable (Request) async throws -> Void) {
    register { $0.requests[type] = { call in try await Coding.rejecting { try await handler(Request(call)) } } }
  }

  /// Answers requests of a type, decoded. A message that cannot be decoded is answered with an error.
  public func onRequest<Query: Decodable & Sendable>(
    _ type: String, as query: Query.Type, _ handler: @escaping @Sendable (Request, Query) async throws -> Void
  ) {
    onRequest(type) { request in try await handler(request, try request.decode(query)) }
  }

  /// Answers requests of a type with what the handler returns, encoded as JSON.
  public func onRequest<Query: Decodable & Sendable, Answer: Encodable & Sendable>(
    _ type: String, as query: Query.Type, _ handler: @escaping @Sendable (Request, Query) async throws -> Answer
  ) {
    onRequest(type) { request in try request.reply(try await handler(request, try request.decode(query))) }
  }

  // MARK: Events of the events dialect

  /// Answers an event, raw.
  public func onEvent(_ name: String, _ handler: @escaping @Sendable (Event) async throws -> Void) {
    register { $0.events[name] = { call in try await Coding.rejecting { try await handler(Event(call)) } } }
  }

  /// Answers an event whose data is decoded.
  public func onEvent<Payload: Decodable & Sendable>(
    _ name: String, as payload: Payload.Type, _ handler: @escaping @Sendable (Event, Payload) async throws -> Void
  ) {
    onEvent(name) { event in try await handler(event, try event.decode(payload)) }
  }

  /// Answers an event with what the handler returns: as the acknowledgement where a Socket.IO client wants one, else as
  /// the event `<name>_response`.
  public func onEvent<Payload: Decodable & Sendable, Answer: Encodable & Sendable>(
    _ name: String, as payload: Payload.Type, _ handler: @escaping @Sendable (Event, Payload) async throws -> Answer
  ) {
    onEvent(name) { event in
      let answer = try await handler(event, try event.decode(payload))
      if event.wantsAcknowledgement { try event.acknowledge(answer) } else { try event.reply(answer) }
    }
  }

  // MARK: Walkers

  /// Registers a walker of the walkers dialect.
  ///
  /// - Parameters:
  ///   - fields: members of the context that are checked before the walker runs.
  ///   - requiresAuthentication: whether a socket without a user is refused.
  ///   - methods: whether it is run over sockets, by `POST /walker/<name>`, or both.
  public func walker(
    _ name: String, fields: [WalkerField] = [], requiresAuthentication: Bool = true,
    methods: Set<WalkerMethod> = [.websocket], _ handler: @escaping @Sendable (WalkerRun) async throws -> Void
  ) {
    let walker = Walker(
      name, fields: fields.map(\.field), requiresAuthentication: requiresAuthentication,
      methods: Set(methods.map { $0 == .post ? .post : .websocket })
    ) { call in try await Coding.rejecting { try await handler(WalkerRun(call)) } }
    register { $0.walkers[name] = walker }
  }

  // MARK: The life of connections

  /// Told of each client that has connected and is authenticated. For one connection the three kinds of events are told
  /// in order, one at a time.
  public func onConnected(_ hook: @escaping @Sendable (ConnectionEvent) async throws -> Void) { add(hook, .connected) }

  /// Told of each client that has gone.
  public func onDisconnected(_ hook: @escaping @Sendable (ConnectionEvent) async throws -> Void) {
    add(hook, .disconnected)
  }

  /// Told of each subscription.
  public func onSubscribed(_ hook: @escaping @Sendable (ConnectionEvent) async throws -> Void) {
    add(hook, .subscribed)
  }

  private func add(
    _ hook: @escaping @Sendable (ConnectionEvent) async throws -> Void, _ kind: LifecycleEvent.Kind
  ) {
    register { $0.hooks[kind].append { event, outlet in try await hook(ConnectionEvent(event, outlet)) } }
  }

  private func register(_ change: (inout Extensions) -> Void) {
    state.withLock { state in
      precondition(!state.isStarted, "handlers are registered before the gateway is started")
      change(&state.extensions)
    }
  }

  // MARK: Running

  /// Everyone who is connected, from any thread; nil while the gateway is not running.
  public var clients: Clients? { state.withLock { $0.server }.map { Clients($0.outlet) } }

  /// Broadcasts to the subscribers of a channel of the channels dialect. Does nothing while the gateway is not running.
  public func publish(channel: String, data: some Encodable) throws {
    try clients?.publish(channel: channel, data: data)
  }

  /// Where it listens, `ws://127.0.0.1:8080` and the like, with the ports that the system chose; empty while it is not
  /// running.
  public var addresses: [String] { state.withLock { $0.server?.addresses ?? [] } }

  /// Opens the listeners and starts serving. When this returns, clients can connect. Once.
  public func start() throws { _ = try open() }

  private func open() throws -> GatewayServer {
    let extensions = state.withLock { state in
      precondition(!state.isStarted, "a gateway is started once")
      state.isStarted = true
      return state.extensions
    }
    System.ignoreBrokenPipes()
    let server = try GatewayServer(settings.configuration, logger: logger, extensions: extensions)
    server.announce()
    state.withLock { $0.server = server }
    return server
  }

  /// Ends it gracefully: no new connections, close code 1001 to every client, what is queued is sent.
  public func stop() async {
    let server = state.withLock { state -> GatewayServer? in
      defer { state.server = nil }
      return state.server
    }
    guard let server else { return }
    server.stop()
    // On a thread of its own: waiting would take one from the handlers that are to finish.
    await Waiting.run("martlet-stop") { server.join() }
    logger.flush()
  }

  /// Serves until SIGTERM, SIGINT or SIGHUP, then stops gracefully; a second of them ends the process at once. When the
  /// gateway cannot start, one line says why and the process ends with status 1.
  public func run() async {
    if !settings.notice.isEmpty { print(settings.notice, terminator: "") }
    let signals: TerminationSignals
    let server: GatewayServer
    do {
      signals = try TerminationSignals()
      server = try open()
    } catch {
      logger.log(.error, "start-failed", [("error", .text("\(error)"))])
      logger.flush()
      System.end(status: 1)
    }
    let signal = await Waiting.run("martlet-signal") { signals.wait { server.reportIgnored(signal: $0) } }
    server.stop(signal: signal ?? 0)
    let impatience = try? ReactorThread(name: "martlet-signal") {
      server.endAtOnce(signal: signals.wait { server.reportIgnored(signal: $0) })
    }
    impatience?.detach()
    await stop()
    server.reportStopped()
  }
}

/// Blocking work off the threads that tasks share.
enum Waiting {
  /// What `work` returns, on a thread of its own; nil when there is no thread to be had and it ran here.
  @discardableResult
  static func run<Value: Sendable>(_ name: String, _ work: @escaping @Sendable () -> Value) async -> Value? {
    let thread = Lock<ReactorThread?>(nil)
    let value: Value? = await withCheckedContinuation { continuation in
      do {
        try thread.withLock { $0 = try ReactorThread(name: name) { continuation.resume(returning: work()) } }
      } catch {
        continuation.resume(returning: work())
      }
    }
    if let started = thread.withLock({ $0.take() }) { started.join() }
    return value
  }
}
