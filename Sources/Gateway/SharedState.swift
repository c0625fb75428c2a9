// What all reactors of a gateway share: settings that never change, and a few atomics. Any thread.
import Auth
import Buffers
import Compression
import Dialects
import EventLoop
import Synchronization
import Topics
import Wire

/// One listening socket as the reactors see it.
struct ListenerState: Sendable {
  /// The paths it serves; empty for the admin listener.
  let mounts: MountTable
  let isAdmin: Bool
  /// Whether all reactors wait on the same socket (a Unix-domain one).
  let isShared: Bool
  /// What is served on it: their HTTP endpoints are served too (PROTOCOLS 6.3).
  let dialects: [Dialect]
  /// Whether the events dialect owns every path, and so answers unknown ones (PROTOCOLS 3.2).
  let eventsOwnEverything: Bool
  /// Whether each connection begins with a PROXY protocol header.
  let readsProxyHeader: Bool

  init(mounts: MountTable, isAdmin: Bool, isShared: Bool, readsProxyHeader: Bool = false) {
    self.mounts = mounts
    self.isAdmin = isAdmin
    self.isShared = isShared
    dialects = Dialect.allCases.filter { dialect in
      mounts.mounts.contains { $0.target.dialects.contains(dialect) }
    }
    eventsOwnEverything = mounts.mounts.contains { $0.rule == .any && $0.target == .dialect(.events) }
    self.readsProxyHeader = readsProxyHeader
  }
}

/// Bounds of the design as values, so that a test can have them small and reach them.
struct SharedBounds: Sendable {
  /// Bytes of outgoing chunks that slow subscribers may keep alive.
  var waitingBytesMax = Limits.waitingBytesMax
  /// Bytes of posts that may be on their way from one reactor to another.
  var postBytesMax = Limits.postBytesMax
  /// Bytes of posts on their way from which on who sends more is not read from.
  var postBytesBehind: Int { min(Limits.postBytesBehind, postBytesMax / 4) }

  init() {}
}

/// The read-only settings and shared atomics of one gateway.
final class SharedState: Sendable {
  let configuration: Configuration
  let limits: Limits
  let logger: Logger
  let listeners: [ListenerState]
  let reactorCount: Int
  /// Which reactors want which topics; not looked at with a single reactor.
  let interest: Interest
  let doorbells: [Doorbell]
  /// The published counters of each reactor.
  let metrics: [AtomicWords]
  /// What other threads ask of each reactor.
  let commands: [CommandQueue]
  /// What the application added, and the gateway's own answer to `ai:chat`.
  let extensions: Extensions
  /// Where the calls of the application's handlers go through.
  let handlerRuns: HandlerRuns
  /// Whether the application answers requests of the handlers dialect.
  let hasRequestHandlers: Bool
  /// Whether the application answers events, `ai:chat` aside.
  let hasEventHandlers: Bool
  /// How the events dialect introduces itself.
  let eventsProduct: EventsProduct
  /// Plain HTTP.
  let endpoints: Endpoints
  let channelsVerifier: JWTVerifier?
  let handlersVerifier: JWTVerifier?
  let sessionsVerifier: JWTVerifier?
  let walkersVerifier: JWTVerifier?
  let walkersAuthenticator: WalkersAuthenticator
  /// What the public user of the walkers dialect may do; looked at for every notification.
  let walkersAnonymous: WalkersAnonymous
  let staticTokens: StaticTokens
  let origins: OriginPolicy
  /// Peers whose `X-Forwarded-For` is believed.
  let trustedProxies: AddressRanges
  /// Connections and accept rates by client address.
  let addresses: AddressTable
  /// Clocks and sizes of Engine.IO.
  let engineSettings: EngineSettings
  /// Nil where compression is off.
  let deflatePolicy: DeflatePolicy?
  /// Shortest message that is compressed.
  let deflateThresholdBytes: Int
  /// Connections the gateway may hold; past it requests are answered 503.
  let connectionsMax: Int
  /// What is bounded for all reactors alike.
  let bounds: SharedBounds

  /// What waits for the slow.
  let waiting: WaitingMemory
  /// What reactors have taken of each other's posts.
  let mail: MailCounts

  /// Connections of all reactors. Relaxed: only a count.
  private let connectionCount = Atomic<Int>(0)
  /// Set once, when the gateway is told to stop. Release and acquire, though the doorbell orders it already.
  private let stopping = Atomic<Bool>(false)
  /// Bytes that connections of all reactors have sent and that are kept. Relaxed: only a sum.
  private let heldByteCount = Atomic<Int>(0)
  /// Bytes of the messages that calls were started with. Relaxed: only a sum.
  private let callByteCount = Atomic<Int>(0)
  /// Calls of handlers that have not ended. Relaxed: only a count.
  private let callCount = Atomic<Int>(0)
  /// Reactors that have not left their loops. Release and acquire: what they had published comes first.
  private let servingCount: Atomic<Int>
  /// Connections that reactors have cut off at their end. Relaxed: read once they have been joined.
  private let leftCount = Atomic<Int>(0)
  /// Whether there were many of them at a time. Relaxed: it says when to look for memory to give back.
  private let hadManyCalls = Atomic<Bool>(false)
  /// Reactors that are accepting connections.
  private let reactorsReady = Atomic<Int>(0)

  init(
    configuration: Configuration, logger: Logger, listeners: [ListenerState], doorbells: [Doorbell],
    connectionsMax: Int, extensions: Extensions = Extensions(), bounds: SharedBounds = SharedBounds()
  ) throws {
    self.configuration = configuration
    self.logger = logger
    self.listeners = listeners
    self.doorbells = doorbells
    self.connectionsMax = connectionsMax
    self.bounds = bounds
    limits = configuration.limits
    servingCount = Atomic(doorbells.count)
    reactorCount = doorbells.count
    mail = MailCounts(reactorCount: doorbells.count)
    waiting = WaitingMemory(reactorCount: doorbells.count)
    interest = Interest()
    commands = doorbells.map { CommandQueue(doorbell: $0) }
    self.extensions = extensions.servingChat.addingBuiltInWalkers()
    handlerRuns = HandlerRuns(log: SharedLog(logger))
    hasRequestHandlers = !extensions.requests.isEmpty
    hasEventHandlers = self.extensions.events.count > 1
    eventsProduct = EventsProduct(configuration.events)
    metrics = doorbells.map { _ in AtomicWords(count: Counters.wordCount) }
    func verifier(_ secret: Secret?, _ policy: JWTPolicy) -> JWTVerifier? {
      secret.flatMap { JWTKey(secret: $0.text) }.map { JWTVerifier(key: $0, policy: policy) }
    }
    channelsVerifier = verifier(configuration.channels.jwtSecret, .channels)
    handlersVerifier = verifier(configuration.handlers.jwtSecret, .handlers)
    sessionsVerifier = verifier(configuration.sessions.jwtSecret, .sessions)
    walkersVerifier = verifier(configuration.walkers.tokenSecret, .walkers)
    staticTokens = try StaticTokens(configuration.channels.staticTokens.map { (token: $0.key, userId: $0.value) })
    trustedProxies = try AddressRanges(configuration.trustedProxies)
    addresses = AddressTable(
      connectionsMax: limits.connectionsPerAddressMax, acceptsPerSecondMax: limits.acceptsPerAddressPerSecondMax,
      exemptsLocal: configuration.exemptsLocalAddresses)
    let compression = configuration.compression
    deflatePolicy =
      compression.enabled
      ? DeflatePolicy(
        allowsContextTakeover: compression.contextTakeover, windowBitsMax: UInt8(clamping: compression.windowBits),
        level: UInt8(clamping: compression.level)) : nil
    engineSettings = EngineSettings(configuration.events)
    deflateThresholdBytes = compression.thresholdBytes
    origins = try OriginPolicy(
      allowed: configuration.corsOrigins, allowsLocalhost: configuration.development)
    var endpoints = Endpoints(configuration, origins: origins) { reason in
      logger.log(.warning, "user-file-unusable", [("error", .text(reason))])
    }
    walkersAnonymous = configuration.walkers.anonymous
    walkersAuthenticator = WalkersAuthenticator(verifier: walkersVerifier, accounts: endpoints.accounts)
    let walkers = WalkerEndpoint(
      walkers: self.extensions.walkers, authenticator: walkersAuthenticator,
      anonymous: configuration.walkers.anonymous, outlet: Outlet(commands, home: 0), runs: handlerRuns)
    endpoints.runWalker = { request, name in walkers.answer(request, name: name) }
    self.endpoints = endpoints
  }

  /// The sessions of the events dialect.
  var eventSessions: SessionStore { endpoints.sessions }

  /// Counts a new connection; false when that is one more than the limit.
  func enterConnection() -> Bool {
    connectionCount.wrappingAdd(1, ordering: .relaxed).newValue <= connectionsMax
  }

  /// A connection has gone.
  func leaveConnection() { connectionCount.wrappingSubtract(1, ordering: .relaxed) }

  /// Bytes that may be kept: room for one of the longest messages in any case, which takes up to twice its size while
  /// it is put together.
  var heldBytesMax: Int { max(limits.receivedBytesMax, 2 * limits.messageBytesMax) }

  /// Bytes received and kept at this moment.
  var heldBytes: Int { heldByteCount.load(ordering: .relaxed) }

  /// A reactor keeps so many more; returns the sum.
  func changeHeld(_ change: Int) -> Int { heldByteCount.wrappingAdd(change, ordering: .relaxed).newValue }

  /// Counts a call of a handler, started with so many bytes; false when that is one more than the limit, or too much.
  func enterCall(bytes: Int) -> Bool {
    let sum = callByteCount.wrappingAdd(bytes, ordering: .relaxed).newValue
    let count = callCount.wrappingAdd(1, ordering: .relaxed).newValue
    if count >= Limits.callsManyMin { hadManyCalls.store(true, ordering: .relaxed) }
    if count <= limits.callsMax && sum <= limits.callBytesMax { return true }
    leaveCall(bytes: bytes)
    return false
  }

  /// Whether there were many calls at a time and all have ended, which is told once.
  func takeEndOfManyCalls() -> Bool {
    guard hadManyCalls.load(ordering: .relaxed), callCount.load(ordering: .relaxed) == 0 else { return false }
    return hadManyCalls.exchange(false, ordering: .relaxed)
  }

  /// A call has ended.
  func leaveCall(bytes: Int) {
    callByteCount.wrappingSubtract(bytes, ordering: .relaxed)
    callCount.wrappingSubtract(1, ordering: .relaxed)
  }

  /// The way to clients for code that runs off the reactors. What concerns no single connection is carried out by the
  /// reactor `home`.
  func outlet(home: Int = 0) -> Outlet { Outlet(commands, home: home) }

  /// Connections at this moment.
  var connections: Int { connectionCount.load(ordering: .relaxed) }

  /// Whether the gateway has been told to stop.
  var isStopping: Bool { stopping.load(ordering: .acquiring) }

  /// A reactor has left its loop, or will not begin one. The first, which serves the admin listener, waits for that.
  func leaveServing() {
    servingCount.wrappingSubtract(1, ordering: .acquiringAndReleasing)
    doorbells[0].ring()
  }

  /// Whether one reactor is left at most.
  var isLastServing: Bool { servingCount.load(ordering: .acquiring) <= 1 }

  /// A reactor that ends has cut off so many connections.
  func leave(_ count: Int) { leftCount.wrappingAdd(count, ordering: .relaxed) }

  /// Connections that had not gone when the reactors ended.
  var connectionsLeft: Int { leftCount.load(ordering: .relaxed) }

  /// Tells every reactor to stop.
  func stop() {
    stopping.store(true, ordering: .releasing)
    for doorbell in doorbells { doorbell.ring() }
  }

  /// One more reactor accepts connections.
  func enterReady() { reactorsReady.wrappingAdd(1, ordering: .acquiringAndReleasing) }

  /// Whether every reactor accepts connections and none has been told to stop.
  var isReady: Bool { reactorsReady.load(ordering: .acquiring) == reactorCount && !isStopping }
}
