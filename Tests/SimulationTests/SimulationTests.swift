// Runs the simulation over a few seeds, or over those that the environment asks for. docs/TESTING.md, "Simulation".
import Buffers
import Foundation
import Testing

@testable import Gateway

@Suite("A gateway in a simulated network")
struct SimulationTests {
  /// Seeds of an ordinary run: a quarter of a minute, and enough for every kind of run to occur.
  private static let seedsByDefault = 50

  /// Likewise for Socket.IO clients, each with several connections.
  private static let socketIOSeedsByDefault = 40

  /// The environment's number of that name.
  private static func setting(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }

  @Test("from any seed, everyone gets what they subscribed to, once and in order, and nothing is left behind")
  func seeds() throws {
    let first = Self.setting("MARTLET_SIM_SEED") ?? 1
    let count = Self.setting("MARTLET_SIM_SEEDS") ?? (Self.setting("MARTLET_SIM_SEED") == nil ? Self.seedsByDefault : 1)
    let steps = Self.setting("MARTLET_SIM_STEPS") ?? 2_000
    let isVerbose = Self.setting("MARTLET_SIM_VERBOSE") != nil
    var total = SimulationTotals()
    for seed in first..<(first + count) {
      let report = try Simulation(seed: UInt64(seed), steps: steps).run()
      if isVerbose { print(report) }
      total.add(report)
      #expect(report.failure == nil, "\(report)")
    }
    if isVerbose { print(total) }
    #expect(count < Self.seedsByDefault || total.isBusy, "\(total)")
  }

  @Test("from any seed, Socket.IO clients that poll, upgrade and change reactors lose nothing, double nothing")
  func socketIO() throws {
    let first = Self.setting("MARTLET_SIM_SEED") ?? 1
    let count =
      Self.setting("MARTLET_SIM_SEEDS") ?? (Self.setting("MARTLET_SIM_SEED") == nil ? Self.socketIOSeedsByDefault : 1)
    let steps = Self.setting("MARTLET_SIM_STEPS") ?? 3_000
    let clients = Self.setting("MARTLET_SIM_SOCKETIO") ?? 4
    let isVerbose = Self.setting("MARTLET_SIM_VERBOSE") != nil
    var total = SimulationTotals()
    for seed in first..<(first + count) {
      let report = try Simulation(seed: UInt64(seed), steps: steps, engineClients: clients).run()
      if isVerbose { print(report) }
      total.add(report)
      #expect(report.failure == nil, "\(report)")
    }
    if isVerbose { print(total) }
    #expect(count < Self.socketIOSeedsByDefault || total.isBusyWithEngines, "\(total)")
  }

  @Test("the same seed gives the same run")
  func determinism() throws {
    let seed = UInt64(Self.setting("MARTLET_SIM_SEED") ?? 7)
    let one = try Simulation(seed: seed, steps: 1_500).run()
    let two = try Simulation(seed: seed, steps: 1_500).run()
    #expect(one.hash == two.hash)
    #expect(one.steps == two.steps && one.deliveries == two.deliveries)
    let other = try Simulation(seed: seed + 1, steps: 1_500).run()
    #expect(one.hash != other.hash)
    let three = try Simulation(seed: seed, steps: 1_500, engineClients: 4).run()
    let four = try Simulation(seed: seed, steps: 1_500, engineClients: 4).run()
    #expect(three.hash == four.hash && three.steps == four.steps && three.engine == four.engine)
  }

  @Test(
    "reactors that end in the middle of everything close all that they have", arguments: 1...12 as ClosedRange<UInt64>)
  func abandoned(seed: UInt64) throws {
    let simulation = try Simulation(seed: seed, steps: 2_000, engineClients: seed % 2 == 0 ? 4 : 0)
    let end = simulation.runAbandoned()
    // What is only looked at in a turn may wait there for one that does not come.
    let ofTurns: Set = ["dirty", "ready", "waiting bytes", "posts in overflow"]
    for (name, count) in end.leftovers where !ofTurns.contains(name) { #expect(count == 0, "\(name)") }
    #expect(end.descriptors == 0)
  }

  @Test("a reactor that may not watch its listeners does not begin to serve, and keeps nothing")
  func listenersRefused() throws {
    let world = try SimulatedWorld(reactorCount: 1, profile: WorldProfile(), random: SimulationRandom(seed: 1))
    let logger = Logger(format: .text, level: .error)
    let shared = try SharedState(
      configuration: Configuration(), logger: logger,
      listeners: [ListenerState(mounts: try MountTable.build([]), isAdmin: false, isShared: false)],
      doorbells: world.doorbells, connectionsMax: 10)
    var fds = GrowableArray<Int32>()
    fds.append(try #require(world.open(.listener(queue: 0))))
    var links = ReactorLinks(count: 1)
    var shard = Shard(
      number: 0, shared: shared, network: SimulatedNetwork(world: world, reactor: 0), links: links.take(0),
      listenerFds: fds)
    world.refusesListeners = true
    #expect(throws: ListenerFailure.self) { try shard.serve() }
    #expect(!shared.isReady)
    #expect(world.openDescriptors == 1, "the listener alone, which is the caller's")
    // Later, when they were muted for lack of descriptors, it is tried again.
    world.refusesListeners = true
    shard.unmuteMilliseconds = 9_000
    shard.now = 10_000
    shard.unmuteListeners()
    #expect(shard.unmuteMilliseconds > 10_000)
    world.refusesListeners = false
    shard.now = 20_000
    shard.unmuteListeners()
    #expect(shard.unmuteMilliseconds == 0)
  }
}

/// What all seeds together have exercised.
struct SimulationTotals: CustomStringConvertible {
  private(set) var steps = 0
  private(set) var sessions = 0
  private(set) var deliveries = 0
  private(set) var required = 0
  private(set) var overflows = 0
  private(set) var engine = (visits: 0, upgrades: 0, echoes: 0, broadcasts: 0)
  private(set) var counters: [Counter: Int] = [:]
  private(set) var closes: [CloseReason: Int] = [:]

  mutating func add(_ report: SimulationReport) {
    steps += report.steps
    sessions += report.sessions
    deliveries += report.deliveries
    required += report.required
    overflows += report.overflows
    engine.visits += report.engine.visits
    engine.upgrades += report.engine.upgrades
    engine.echoes += report.engine.echoes
    engine.broadcasts += report.engine.broadcasts
    counters.merge(report.counters) { $0 + $1 }
    closes.merge(report.closes) { $0 + $1 }
  }

  /// Whether the seeds did what they are for: a simulation in which nothing happens finds nothing.
  var isBusy: Bool {
    deliveries > 1_000 && required > 500 && counters[.wakeUps, default: 0] > 50
      && closes[.slow, default: 0] > 0 && closes[.networkError, default: 0] > 0 && closes[.client, default: 0] > 0
      && closes[.noPong, default: 0] > 0 && closes[.badProxyHeader, default: 0] > 0
      && counters[.deliveriesDropped, default: 0] > 0
  }

  /// The same for Socket.IO clients.
  var isBusyWithEngines: Bool {
    engine.visits > 100 && engine.upgrades > 40 && engine.echoes > 1_000 && engine.broadcasts > 1_000
      && counters[.handovers, default: 0] > 300
  }

  var description: String {
    let counts = Counter.allCases.map { "\($0) \(counters[$0, default: 0])" }.joined(separator: ", ")
    let ends = CloseReason.allCases.map { "\($0.label) \(closes[$0, default: 0])" }.joined(separator: ", ")
    return
      "\(steps) steps, \(sessions) sessions, \(deliveries) deliveries, \(required) required, "
      + "\(engine), \(overflows) overflows; \(counts); \(ends)"
  }
}
