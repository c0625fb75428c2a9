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
  /// Readers on one reactor that keep the memory of another, of which there is little.
  let isPinning: Bool
  /// Listeners, one reactor's own and the shared one, behind a proxy that says who the client is.
  let proxies: [Bool]
  /// Slots of the ring between two reactors.
  let ringCapacity: Int
  /// Bytes that slow readers of all reactors may keep, and those of posts on their way to a reactor.
  let waitingBytesMax: Int
  let postBytesMax: Int
  /// Clients that read all the time, want everything and never leave.
  let watcherCount: Int
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
  /// Longest message of a client.
  static let messageBytesMax = 262_144
  /// Most clients in a run; each is a user of its own.
  private static let clientsMax = 16
  /// Who clients are, by number, with their tokens; one token does not verify.
  static func user(_ number: Int) -> String { "user-\(number)" }
  static func token(_ number: Int) -> String { tokens[number] }
  static var wrongToken: String { tokens[clientsMax] }

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
    isHeavy = !hasEngineClients && random.perMille(160)
    isBursty = !isHeavy && random.perMille(120)
    isPinning = !hasEngineClients && !isHeavy && !isBursty && random.perMille(120)
    reactorCount =
      isHeavy
      ? random.pick([1, 2, 2, 3])
      : isBursty ? random.within(2...3) : random.within(hasEngineClients || isPinning ? 2...4 : 1...4)
    let hasRoles = isHeavy || isBursty || isPinning
    clientCount =
      isHeavy
      ? random.within(9...12) : hasRoles ? random.within(7...10) : random.within(hasEngineClients ? 6...14 : 3...14)
    // One on each reactor where there are Socket.IO clients, so that there is one to keep it busy.
    watcherCount = hasEngineClients ? reactorCount : random.within(1...2)
    proxies = [random.perMille(250), random.perMille(250)]
    ringCapacity = isBursty || isHeavy ? Limits.ringCapacity : 16 << random.below(7)
    waitingBytesMax = isPinning ? 1_048_576 : Limits.waitingBytesMax
    postBytesMax = isBursty ? 262_144 : 67_108_864
    endsByStop = random.perMille(250)
    isCrowded = !hasEngineClients && random.perMille(100)
    connectionsMax = isCrowded ? clientCount / 2 + 1 : 1000
    hasTelemetry = random.perMille(300)
    topics = Self.makeTopics(count: random.within(2...6))
    subscriptionsMax = random.perMille(200) ? random.within(1...3) : 1000
    var profile = WorldProfile()
    if isHeavy || isBursty || isPinning {
      profile.isWide = true
      profile.prices.receivedByte = 50
      if isHeavy {
        profile.shortWrites = 250
        profile.prices.call = 200
        profile.prices.sentByte = 2
      }
      if isBursty && random.perMille(800) { profile.prices.filter = 5_000 }
    } else if random.perMille(500) {
      profile.upCapacityMax = 2_048
      profile.downCapacityMax = 4_096
    }
    profile.delayMax = UInt64(random.pick([100_000, 2_000_000, 20_000_000]))
    world = profile
    var configuration = Configuration()
    configuration.compression.enabled = hasEngineClients || random.perMille(850)
    configuration.compression.contextTakeover = random.perMille(400)
    // What an Engine.IO session is told of itself is random: compressed, its length would be.
    configuration.compression.thresholdBytes = hasEngineClients ? 512 : random.pick([16, 64, 256])
    configuration.compression.windowBits = random.within(9...15)
    configuration.compression.level = random.pick([1, 1, 6])
    if !hasEngineClients && random.perMille(150) { configuration.slowConsumerPolicy = .drop }
    configuration.channels.jwtSecret = Secret(Self.secret)
    configuration.channels.telemetryIntervalMilliseconds = hasTelemetry ? random.within(50...2_000) : 0
    configuration.heartbeatIntervalMilliseconds = random.within(1_000...10_000)
    configuration.limits.subscriptionsPerConnectionMax = subscriptionsMax
    configuration.limits.outboundBytesMax = isHeavy ? 131_072 : isPinning ? 65_536 : 2_048 << random.below(6)
    configuration.limits.outboundAgeMillisecondsMax = random.within(isPinning ? 3_000...5_000 : 300...5_000)
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
  }

  private static func makeTopics(count: Int) -> [SimulatedTopic] {
    let all: [(name: String, spellings: [String])] = [
      ("telemetry", spellings: [#""telemetry""#]), ("a", [#""a""#, #""\u0061""#]), ("a:b", [#""a:b""#]),
      ("news \"quoted\"", [#""news \"quoted\"""#]), ("grüße", [#""grüße""#, #""gr\u00fc\u00dfe""#]),
      ("😀/1", [#""😀/1""#, #""\ud83d\ude00/1""#]),
    ]
    return all.prefix(count).enumerated().map {
      SimulatedTopic(index: $0, name: Array($1.name.utf8), spellings: $1.spellings)
    }
  }

  /// Signed once for the process: the same claims give the same tokens.
  private static let tokens: [String] = {
    guard let key = JWTKey(secret: secret), let other = JWTKey(secret: "quite another secret, just as long as it")
    else {
      return []
    }
    let good = (0..<clientsMax).map { JWTSigner.sign(claims: [("userId", .string(user($0)))], key: key) }
    return good + [JWTSigner.sign(claims: [("userId", .string("user-0"))], key: other)]
  }()
}
