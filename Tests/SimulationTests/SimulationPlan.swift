// What one simulated run looks like: everything that is drawn from the seed before it starts.
import Auth

@testable import Gateway

struct SimulationPlan {
  static let secret = "the secret of the simulation, long enough"
  static let welcome = "Welcome to Nexus WebSocket"

  let reactorCount: Int
  let clientCount: Int
  /// Megabytes in one turn, so that it flushes half-way through its events.
  let isHeavy: Bool
  /// Bursts that overrun the rings between reactors.
  let isBursty: Bool
  /// The gateway is stopped in the end, instead of left by its clients.
  let endsByStop: Bool
  let subscriptionsMax: Int
  let topics: [SimulatedTopic]
  let hasTelemetry: Bool
  /// Fewer connections are allowed than clients.
  let isCrowded: Bool
  let world: WorldProfile
  let configuration: Configuration
  let connectionsMax: Int
  /// Where the channels dialect is.
  let path: String
  /// Tokens by user; the last one does not verify.
  let users: [String]
  let tokens: [String]

  /// Milliseconds of latency from which on a time-out is the client's own fault.
  var latenessMilliseconds: Int {
    let limits = configuration.limits
    let shortest = min(
      configuration.heartbeatIntervalMilliseconds, limits.handshakeTimeoutMilliseconds,
      limits.closeTimeoutMilliseconds, limits.outboundAgeMillisecondsMax)
    return shortest / 3
  }

  /// The same for a Socket.IO client, whose requests wait for each other.
  var engineLatenessMilliseconds: Int {
    let events = configuration.events
    return min(latenessMilliseconds * 3, events.pingTimeoutMilliseconds, events.upgradeTimeoutMilliseconds) / 8
  }

  /// Pings that may wait unanswered before the gateway calls them a flood.
  var pingsBacklogMax: Int { configuration.limits.pingsBacklogMax }

  /// With `hasEngineClients`, a run for Socket.IO clients: no lack of anything, and more patience.
  init(random: inout SimulationRandom, hasEngineClients: Bool) {
    isHeavy = !hasEngineClients && random.perMille(80)
    isBursty = !isHeavy && random.perMille(100)
    reactorCount = isHeavy ? 1 : isBursty ? random.within(2...3) : random.within(hasEngineClients ? 2...4 : 1...4)
    clientCount = isHeavy || isBursty ? random.within(6...9) : random.within(3...14)
    endsByStop = random.perMille(250)
    isCrowded = !hasEngineClients && random.perMille(100)
    connectionsMax = isCrowded ? clientCount / 2 + 1 : 1000
    hasTelemetry = random.perMille(300)
    topics = Self.makeTopics(count: random.within(2...6))
    subscriptionsMax = random.perMille(200) ? random.within(1...3) : 1000
    var profile = WorldProfile()
    if isHeavy || isBursty {
      profile.isWide = true
    } else if random.perMille(500) {
      profile.upCapacityMax = 2_048
      profile.downCapacityMax = 4_096
    }
    profile.delayMax = UInt64(random.pick([100_000, 2_000_000, 20_000_000]))
    world = profile
    var configuration = Configuration()
    configuration.channels.jwtSecret = Secret(Self.secret)
    configuration.channels.telemetryIntervalMilliseconds = hasTelemetry ? random.within(50...2_000) : 0
    configuration.heartbeatIntervalMilliseconds = random.within(1_000...10_000)
    configuration.limits.subscriptionsPerConnectionMax = subscriptionsMax
    configuration.limits.outboundBytesMax = isHeavy ? 4_194_304 : 2_048 << random.below(6)
    configuration.limits.outboundAgeMillisecondsMax = random.within(300...5_000)
    configuration.limits.handshakeTimeoutMilliseconds = random.within(500...5_000)
    configuration.limits.closeTimeoutMilliseconds = random.within(300...3_000)
    if hasEngineClients {
      configuration.limits.outboundBytesMax = 65_536
      configuration.limits.outboundAgeMillisecondsMax = random.within(6_000...10_000)
      configuration.limits.handshakeTimeoutMilliseconds = random.within(6_000...10_000)
      configuration.limits.closeTimeoutMilliseconds = random.within(6_000...10_000)
      configuration.heartbeatIntervalMilliseconds = random.within(6_000...10_000)
      configuration.events.pingIntervalMilliseconds = random.within(1_000...10_000)
      configuration.events.pingTimeoutMilliseconds = random.within(6_000...10_000)
      configuration.events.upgradeTimeoutMilliseconds = random.within(6_000...10_000)
    }
    self.configuration = configuration
    path = hasEngineClients ? "/channels" : "/"
    users = (0..<3).map { "user-\($0)" }
    tokens = Self.tokens
  }

  private static func makeTopics(count: Int) -> [SimulatedTopic] {
    let all = [
      [#""telemetry""#], [#""a""#, #""\u0061""#], [#""a:b""#], [#""news \"quoted\"""#],
      [#""grüße""#, #""gr\u00fc\u00dfe""#],
      [#""😀/1""#, #""\ud83d\ude00/1""#],
    ]
    return all.prefix(count).enumerated().map { SimulatedTopic(index: $0, spellings: $1) }
  }

  /// Signed once for the process: the same claims give the same tokens.
  private static let tokens: [String] = {
    guard let key = JWTKey(secret: secret), let other = JWTKey(secret: "quite another secret, just as long as it")
    else {
      return []
    }
    let good = (0..<3).map { JWTSigner.sign(claims: [("userId", .string("user-\($0)"))], key: key) }
    return good + [JWTSigner.sign(claims: [("userId", .string("user-0"))], key: other)]
  }()
}
