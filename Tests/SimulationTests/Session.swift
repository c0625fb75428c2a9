// One connection of one simulated client, from connect to end: what it sent, what it expects, what it got.

/// What a client waits for: the gateway answers requests in their order.
enum Expectation {
  case subscribed(Subscription, channel: String, filters: String?)
  case unsubscribed(topic: Int, channel: String, Int)
  case pong
  case error(String)
}

final class Session: CustomStringConvertible {
  enum Phase {
    /// Waiting for the answer to its HTTP request.
    case handshake
    case open
    /// A close frame was sent, or something that must be answered with one.
    case closing
    /// A close frame has come; only the end may follow.
    case closed
    case ended
  }

  /// What the client did that may end the connection, or spoil it.
  struct Excuses: OptionSet {
    let rawValue: Int
    /// It ended the connection itself, somehow.
    static let left = Excuses(rawValue: 1)
    /// It sent a request that is refused.
    static let badRequest = Excuses(rawValue: 2)
    /// The gateway is stopping.
    static let stopping = Excuses(rawValue: 4)
    /// The run has a connection limit or a lack of descriptors, so that 503 is an answer.
    static let crowded = Excuses(rawValue: 8)
  }

  let id: Int
  let user: String
  let socket: SimulatedSocket
  let connectedAt: UInt64
  var phase = Phase.handshake
  var excuses: Excuses = []
  /// The close code that a violation must be answered with.
  var violationCode: Int?
  /// Whether it asked for compression, and what came of that.
  var offersDeflate = false
  var deflate: ClientDeflate?
  /// Whether the welcome has come.
  var isWelcome = false

  // Outgoing.
  var outgoing: [UInt8] = []
  var composedBytes = 0
  var handedBytes = 0
  /// Publishes composed and not yet handed over, with where they begin in the stream.
  var waiting: [(publish: Publish, start: Int)] = []
  /// When the oldest byte of `outgoing` was composed.
  var outgoingSince: UInt64 = 0
  var lateness: UInt64 = 0

  // Incoming.
  var incoming: [UInt8] = []
  var expectations: [(what: Expectation, publishesBefore: Int)] = []
  var pings: [[UInt8]] = []

  // For the oracle.
  var publishes: [Publish] = []
  /// Publishes composed before it ended the connection; those behind must not be carried out.
  var publishesBeforeEnd: Int?
  var subscriptions: [Subscription] = []
  /// Publishes up to this serial were dealt with by the own reactor.
  private(set) var processedTo = -1
  var lastSerials: [Int: Int] = [:]
  var received: Set<Int> = []

  init(id: Int, user: String, socket: SimulatedSocket, now: UInt64) {
    self.id = id
    self.user = user
    self.socket = socket
    connectedAt = now
  }

  var description: String { "session \(id) (reactor \(socket.reactor))" }

  /// Open, welcome, and nothing done that would end it.
  var isAlive: Bool { phase == .open && isWelcome && excuses.isDisjoint(with: [.left, .stopping]) }

  func compose(_ bytes: [UInt8], now: UInt64) {
    if outgoing.isEmpty { outgoingSince = now }
    outgoing += bytes
    composedBytes += bytes.count
  }

  /// With the policy `drop`: whether it was slow, so that it may miss something.
  var mayMiss: Bool { socket.wasBlocked && !socket.isGreedy }

  /// The last publish that is to be carried out.
  var lastSerial: Int { (publishesBeforeEnd ?? publishes.count) - 1 }

  /// It is known that the own reactor has dealt with every publish up to `serial`.
  func processed(upTo serial: Int, now: Int) {
    while processedTo < serial {
      processedTo += 1
      let reactor = socket.reactor
      if reactor >= 0 { publishes[processedTo].evidence[reactor] = min(publishes[processedTo].evidence[reactor], now) }
    }
  }
}
