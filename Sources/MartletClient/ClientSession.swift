// Everything that one client knows and decides, without I/O and without a clock: calls, bytes and times in, actions and
// bytes out. Guarded by its client's lock.
import Buffers
import Wire

/// Names one call that waits: a `connect`, a `subscribe`, a `publish` without room, a `close`.
typealias Ticket = UInt64

/// What the owner of a session has to do after calling it.
enum ClientAction: Sendable {
  /// Get a token for this attempt; `isRefused` says that the one before was not taken.
  case authenticate(attempt: UInt64, isRefused: Bool)
  /// Tell whoever listens.
  case state(ConnectionState)
  /// Tell whoever listens that the gateway sent an error message.
  case serverError(String)
  /// Let a waiting call go on, or fail.
  case resume(Ticket, ClientError?)
}

/// The state machine of one client, over all its connections.
struct ClientSession<Dialect: ClientDialect>: ~Copyable {
  enum Phase { case idle, authenticating, connecting, handshaking, open, closing, waiting, closed }

  /// What follows the end of a connection.
  enum Verdict {
    case stop(ClosedReason)
    case retry(CloseAdvice, failure: String, atLeastMilliseconds: UInt64 = 0)
  }

  struct SubscriptionState {
    let topic: String
    let filters: [UInt8]?
    let inbox: Inbox<Dialect.Message>
    /// The `subscribe` that waits for the first acknowledgement.
    var ticket: Ticket?
  }

  /// An answer that must come, in order.
  struct Expectation {
    let answer: Answer
    var subscription: UInt64?
    var ticket: Ticket?
    var deadline: UInt64
  }

  /// Once our close frame, or the echo of the gateway's, is on its way, the gateway gets this long to end the TCP
  /// connection, which is its part (RFC 6455 section 7.1.1).
  static var lingerMilliseconds: UInt64 { 1_000 }

  let dialect: Dialect
  let url: ClientURL
  let options: ClientOptions

  var phase = Phase.idle
  /// When the phase ends by itself, on the monotonic clock in milliseconds.
  var phaseDeadline: UInt64?
  /// Counts connections that were begun; results of older ones are stale.
  var attempt: UInt64 = 0
  /// Attempts that have failed in a row.
  var failures = 0
  var openedAt: UInt64 = 0
  /// Why it has ended for good.
  var closedReason: ClosedReason?
  /// The last failure, for whoever asks.
  var lastFailure: String?
  var token: String?
  var isTokenFresh = true
  var handshake = Handshake()

  var transport: FrameTransport
  var queue = SendQueue()
  /// Encoded messages of which the socket has not taken every byte, with the position behind each.
  var inFlight: [(end: UInt64, entry: QueuedText)] = []
  var expectations: [Expectation] = []
  var verdict: Verdict?
  /// The gateway's close frame has come, or it broke the protocol: nothing more is read.
  var isDeaf = false
  var isCloseRequested = false
  /// An inbox is full: nothing is read until it has room.
  var isPaused = false
  /// Whether that holds: a client that is being closed reads on, for the gateway's close frame.
  var isHeld: Bool { isPaused && !isCloseRequested }
  var lastHeard: UInt64 = 0
  var pingSentAt: UInt64?

  var subscriptions: [UInt64: SubscriptionState] = [:]
  var byTopic: [String: [UInt64]] = [:]
  var connectTickets: [Ticket] = []
  var roomTickets: [Ticket] = []
  var closeTickets: [Ticket] = []

  /// What is to be done, in order. The owner takes it after every call.
  var actions: [ClientAction] = []
  /// The socket is to be closed, before another is opened.
  var wantsClose = false
  /// A socket to `url` is to be opened.
  var wantsOpen = false

  init(dialect: Dialect, url: ClientURL, options: ClientOptions) {
    self.dialect = dialect
    self.url = url
    self.options = options
    transport = Self.makeTransport(options)
  }

  static func makeTransport(_ options: ClientOptions) -> FrameTransport {
    FrameTransport(
      limits: FrameLimits(
        messageBytesMax: options.incomingBytesMax, fragmentsMax: options.incomingFragmentsMax))
  }

  /// When `tick` has to be called next; nil when nothing is timed.
  var nextDeadline: UInt64? {
    var next = phaseDeadline
    func consider(_ time: UInt64) { next = min(next ?? time, time) }
    if phase == .open && !isHeld {
      consider(pingSentAt.map { $0 + options.pingTimeoutMilliseconds } ?? lastHeard + options.pingIntervalMilliseconds)
    }
    if let waiting = expectations.first(where: { $0.ticket != nil }) { consider(waiting.deadline) }
    return next
  }

  /// Does what has fallen due.
  mutating func tick(_ now: UInt64) {
    if let deadline = phaseDeadline, now >= deadline {
      phaseDeadline = nil
      switch phase {
      case .waiting: beginAttempt()
      case .connecting, .handshaking: end(.retry(.backOff, failure: "no connection in time"), now)
      // The time of `close()` is over, with messages still in the queue.
      case .open: end(.stop(.requested), now)
      case .closing: end(verdict ?? .stop(.requested), now)
      case .idle, .authenticating, .closed: break
      }
    }
    heartbeat(now)
    for expectation in expectations where now >= expectation.deadline {
      if let ticket = expectation.ticket { giveUp(ticket, .timedOut) }
    }
  }

  private mutating func heartbeat(_ now: UInt64) {
    guard phase == .open, !isHeld else { return }
    if let sent = pingSentAt {
      if now >= sent + options.pingTimeoutMilliseconds {
        end(.retry(.backOff, failure: "no answer to a ping"), now)
      }
    } else if now >= lastHeard + options.pingIntervalMilliseconds {
      transport.append(.ping, Span())
      pingSentAt = now
    }
  }

  // MARK: Attempts

  /// Begins to connect, if that has not been done.
  mutating func start() {
    if phase == .idle { beginAttempt() }
  }

  mutating func beginAttempt(isTokenRefused: Bool = false) {
    attempt += 1
    phase = .authenticating
    phaseDeadline = nil
    actions.append(.state(.connecting))
    actions.append(.authenticate(attempt: attempt, isRefused: isTokenRefused))
  }

  /// The token of an attempt is there. `isFresh`: it comes straight from its source, so that asking again would bring
  /// no better one.
  mutating func authenticated(attempt: UInt64, token: String?, isFresh: Bool, _ now: UInt64) {
    guard attempt == self.attempt, phase == .authenticating else { return }
    self.token = token
    isTokenFresh = isFresh
    phase = .connecting
    phaseDeadline = now + options.connectTimeoutMilliseconds
    wantsOpen = true
  }

  /// There is no token for an attempt. `isFinal`: nor will there be.
  mutating func authenticationFailed(attempt: UInt64, _ failure: String, isFinal: Bool, _ now: UInt64) {
    guard attempt == self.attempt, phase == .authenticating else { return }
    end(isFinal ? .stop(.credentialsRefused(failure)) : .retry(.backOff, failure: failure), now)
  }

  /// The TCP connection stands.
  mutating func socketOpened() {
    guard phase == .connecting else { return }
    phase = .handshaking
    handshake = Handshake()
    let target = token.map { url.target(adding: "token", $0) } ?? url.target
    let (handshake, authority) = (handshake, url.authority)
    transport.appendRaw { handshake.appendRequest(target: target, authority: authority, to: &$0) }
  }

  /// The TCP connection has ended, or could not be made.
  mutating func socketEnded(_ failure: String, _ now: UInt64) {
    switch phase {
    case .connecting, .handshaking: end(.retry(.backOff, failure: failure), now)
    case .open: end(isCloseRequested ? .stop(.requested) : .retry(.backOff, failure: failure), now)
    case .closing: end(verdict ?? .retry(.backOff, failure: failure), now)
    case .idle, .authenticating, .waiting, .closed: break
    }
  }

  /// The connection is over: keeps what can go over the next one, and decides whether there is a next one.
  mutating func end(_ verdict: Verdict, _ now: UInt64) {
    let wasOpenLong = openedAt != 0 && now >= openedAt + options.backoffResetMilliseconds
    wantsClose = true
    wantsOpen = false
    queue.restart(with: inFlight.map(\.entry))
    inFlight = []
    transport = Self.makeTransport(options)
    for expectation in expectations where expectation.subscription == nil {
      if let ticket = expectation.ticket { actions.append(.resume(ticket, .disconnected)) }
    }
    expectations = []
    resumeRoomTickets()
    self.verdict = nil
    isDeaf = false
    pingSentAt = nil
    openedAt = 0
    phaseDeadline = nil
    switch isCloseRequested ? .stop(.requested) : verdict {
    case .stop(let reason): close(for: reason)
    case .retry(let advice, let failure, let atLeast):
      lastFailure = failure
      if wasOpenLong { failures = 0 }
      failures += 1
      if let most = options.attemptsMax, failures >= most { return close(for: .gaveUp(failure)) }
      let delay = max(atLeast, delay(advice))
      phase = .waiting
      phaseDeadline = now + delay
      actions.append(.state(.waiting(until: .now + .milliseconds(Int64(clamping: delay)))))
    }
  }

  private func delay(_ advice: CloseAdvice) -> UInt64 {
    var most = options.restartSpreadMilliseconds
    if advice != .atOnce {
      most = options.backoffInitialMilliseconds
      for _ in 1..<max(failures, 1) where most < options.backoffMaxMilliseconds { most *= 2 }
      most = min(most, options.backoffMaxMilliseconds)
    }
    return UInt64(Double(most) * options.jitter())
  }

  private mutating func close(for reason: ClosedReason) {
    phase = .closed
    for ticket in connectTickets { actions.append(.resume(ticket, .closed(reason))) }
    for subscription in subscriptions.values {
      if let ticket = subscription.ticket { actions.append(.resume(ticket, .closed(reason))) }
      subscription.inbox.finish()
    }
    subscriptions = [:]
    byTopic = [:]
    actions.append(.state(.closed(reason)))
    for ticket in closeTickets { actions.append(.resume(ticket, nil)) }
    connectTickets = []
    closeTickets = []
    closedReason = reason
  }

  mutating func resumeRoomTickets() {
    for ticket in roomTickets { actions.append(.resume(ticket, nil)) }
    roomTickets = []
  }
}
