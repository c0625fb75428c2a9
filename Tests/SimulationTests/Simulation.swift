// One simulated run from one seed: several reactors, their clients and the network between them, a step at a time.
import Auth
import Buffers
import EventLoop
import Glibc

@testable import Buffers
@testable import Gateway

/// What a run came to.
struct SimulationReport: CustomStringConvertible {
  let seed: UInt64
  let engineClients: Int
  /// Steps asked for, which the replay needs too.
  let stepsAsked: Int
  let steps: Int
  let failure: String?
  let hash: UInt64
  let sessions: Int
  let deliveries: Int
  let required: Int
  /// Of Socket.IO clients: sessions, upgrades, answered echoes and received broadcasts.
  let engine: (visits: Int, upgrades: Int, echoes: Int, broadcasts: Int)
  /// Steps after which some reactor had posts that a full ring did not take.
  let overflows: Int
  /// Counters of all reactors together.
  let counters: [Counter: Int]
  let closes: [CloseReason: Int]

  var description: String {
    let end = failure.map { "FAILED at step \(steps): \($0)" } ?? "ok"
    let socketIO =
      engineClients == 0
      ? ""
      : " SOCKETIO=\(engineClients) (\(engine.visits) visits, \(engine.upgrades) upgrades, \(engine.echoes) echoes)"
    return "simulation seed \(seed), \(steps) steps, \(sessions) sessions, \(deliveries) deliveries, "
      + "\(required) checked as required: \(end)\n  replay: make sim SEED=\(seed) STEPS=\(stepsAsked)\(socketIO)"
  }
}

final class Simulation {
  private let seed: UInt64
  private let stepsAsked: Int
  private let plan: SimulationPlan
  private let world: SimulatedWorld
  private let oracle: Oracle
  private let shared: SharedState
  private var reactors: [SimulatedReactor] = []
  private var clients: [SimulatedClient] = []
  private var engineClients: [EngineClient] = []
  /// Broadcasts to all Socket.IO clients.
  private var news = 0
  private var steps = 0
  private var isInterleaving = false
  /// The turn since which slow readers keep too much.
  private var excessSince = 0
  private var pins = 0
  /// When the lack of descriptors ends; 0 while there is none.
  private var exhaustedUntil: UInt64 = 0

  /// Steps after which a run that should come to rest has failed to.
  private static let restStepsMax = 400_000
  /// Turns of a reactor in which slow readers may keep more than they should.
  private static let excessTurnsMax = 12
  /// How often a run has a reader that keeps another reactor's memory.
  private static let pinsMax = 2
  /// One for the process, because each has a thread; what it writes goes nowhere.
  private static let logger = Logger(format: .text, level: .error, fileDescriptor: unsafe open("/dev/null", O_WRONLY))

  init(seed: UInt64, steps: Int, engineClients count: Int = 0) throws {
    self.seed = seed
    stepsAsked = steps
    var random = SimulationRandom(seed: seed)
    let plan = SimulationPlan(random: &random, hasEngineClients: count > 0)
    self.plan = plan
    world = try SimulatedWorld(reactorCount: plan.reactorCount, profile: plan.world, random: random)
    oracle = Oracle(world: world)
    var mounts = [MountConfiguration(.any, .dialect(.channels))]
    if count > 0, let path = PathRule(plan.path), let events = PathRule("/events") {
      mounts = [MountConfiguration(path, .dialect(.channels)), MountConfiguration(events, .dialect(.events))]
    }
    let table = try MountTable.build(mounts)
    var bounds = SharedBounds()
    bounds.waitingBytesMax = plan.waitingBytesMax
    bounds.postBytesMax = plan.postBytesMax
    shared = try SharedState(
      configuration: plan.configuration, logger: Self.logger,
      listeners: [
        ListenerState(mounts: table, isAdmin: false, isShared: false, readsProxyHeader: plan.proxies[0]),
        ListenerState(mounts: table, isAdmin: false, isShared: true, readsProxyHeader: plan.proxies[1]),
      ],
      doorbells: world.doorbells, connectionsMax: plan.connectionsMax, bounds: bounds)
    var links = ReactorLinks(count: plan.reactorCount, ringCapacity: plan.ringCapacity)
    for number in 0..<plan.reactorCount {
      let fds = [number, plan.reactorCount].map { world.open(.listener(queue: $0)) ?? -1 }
      let own = links.take(number)
      world.mail.append(SimulatedMail(own, count: plan.reactorCount))
      reactors.append(
        SimulatedReactor(
          number: number, world: world, plan: plan, shared: shared, links: own, listenerFds: fds))
    }
    for number in 0..<plan.clientCount {
      clients.append(SimulatedClient(number: number, world: world, oracle: oracle, plan: plan))
    }
    for number in 0..<count {
      let session = shared.eventSessions.create(nowMilliseconds: 1_795_000_000_000)
      engineClients.append(EngineClient(number: number, world: world, plan: plan, token: session?.token ?? ""))
    }
    world.interleave = { [unowned self] busy, preferred in interleave(busy, preferred) }
    world.company = { [unowned self] reactor in company(reactor) }
  }

  func run() -> SimulationReport {
    while steps < stepsAsked && world.failure == nil { chaos() }
    rest()
    probe()
    if world.failure == nil {
      let isDropping = plan.configuration.slowConsumerPolicy == .drop
      oracle.checkNothingMissing(
        postsDropped: total(.postsDropped), deliveriesDropped: isDropping ? total(.deliveriesDropped) : nil)
    }
    for client in engineClients where world.failure == nil { client.checkNothingMissing() }
    plan.endsByStop ? stop() : leave()
    checkLeftovers()
    world.interleave = nil
    return report()
  }

  /// Runs the faulty part and then ends every reactor in the middle of it, as when a drain is out of time. What the
  /// reactors have left by name, and the descriptors that are open.
  func runAbandoned() -> (leftovers: [(name: String, count: Int)], descriptors: Int) {
    while steps < stepsAsked && world.failure == nil { chaos() }
    world.interleave = nil
    for reactor in reactors { reactor.abandon() }
    return (reactors.flatMap(\.leftovers), world.openDescriptors)
  }

  // MARK: Steps

  /// One step of the faulty part.
  private func chaos() {
    if world.random.perMille(2) {
      world.advance(by: UInt64(world.random.skewed(2_000_000_000)))
    } else {
      world.advance(by: UInt64(world.random.below(300_000)))
    }
    if engineClients.isEmpty && world.random.perMille(2) { exhaust() }
    if !engineClients.isEmpty && world.random.perMille(8) { broadcast() }
    if exhaustedUntil > 0 && world.now >= exhaustedUntil { recover() }
    if plan.isHeavy && world.random.perMille(8) { avalanche() }
    if plan.isPinning && pins < Self.pinsMax && world.random.perMille(10) { pin() }
    if world.random.perMille(550) {
      let reactor = world.random.pick(reactors)
      if reactor.canStep { reactor.step() }
    } else {
      if engineClients.isEmpty || world.random.perMille(400) {
        world.random.pick(clients).step(mayAct: true)
      } else {
        world.random.pick(engineClients).step(mayAct: true)
      }
    }
    finishStep()
  }

  private func finishStep() {
    steps += 1
    for reactor in reactors { reactor.check() }
    if steps % 4 == 0 { judgeMemory() }
    if steps % 16 == 0 { world.sweep() }
  }

  private func total(_ counter: Counter) -> Int { reactors.reduce(0) { $0 + $1.counter(counter) } }

  /// What slow readers of all reactors keep is bounded, and so is what is on its way to each.
  private func judgeMemory() {
    let frames = 2 * SimulationPlan.messageBytesMax
    var underWay = 0
    for reactor in reactors {
      let bytes = reactors.reduce(world.mail[reactor.number].waitingBytes) {
        $0 + $1.overflowBytes(to: reactor.number)
      }
      underWay += bytes
      if bytes > (reactors.count - 1) * (plan.postBytesMax + (plan.isBursty ? 65_536 : frames)) {
        world.fail("\(bytes) bytes of posts are on their way to reactor \(reactor.number)")
      }
    }
    let held = reactors.reduce(0) { $0 + $1.heldBytes }
    let turns = reactors.reduce(0) { $0 + $1.turns }
    if held <= plan.waitingBytesMax + underWay + frames { excessSince = turns }
    if turns - excessSince > Self.excessTurnsMax * reactors.count {
      world.fail("\(held) bytes are kept for slow readers, for \(turns - excessSince) turns")
    }
  }

  /// Gives a reactor messages that make it late.
  private func company(_ reactor: Int) {
    for client in clients {
      guard let session = client.session, session.socket.reactor == reactor, session.isAlive,
        session.outgoing.count < 1_024, world.now >= client.stalledUntil
      else { continue }
      client.bomb(session)
      client.step(mayAct: false)
    }
  }

  /// Other reactors run while one is in the middle of its doorbell protocol.
  private func interleave(_ busy: Int, _ preferred: Int?) {
    guard !isInterleaving, world.random.perMille(250) else { return }
    isInterleaving = true
    for _ in 0..<world.random.within(1...4) {
      let number = preferred ?? world.random.below(reactors.count)
      if number != busy && reactors[number].canStep { reactors[number].step() }
    }
    isInterleaving = false
  }

  /// A handler sends an event to all Socket.IO clients. Those who have joined must get it.
  private func broadcast() {
    let padding = String(repeating: "news ", count: world.random.perMille(300) ? world.random.within(100...400) : 1)
    shared.outlet().emit(event: "news", data: Array(#"{"n":\#(news),"p":"\#(padding)"}"#.utf8))
    for client in engineClients { if let visit = client.visit, visit.isAlive { visit.newsExpected.append(news) } }
    news += 1
  }

  /// From now on there are no more descriptors than are open, for a while.
  private func exhaust() {
    world.descriptorsMax = world.openDescriptors + world.random.below(2)
    exhaustedUntil = world.now + UInt64(world.random.skewed(2_000_000_000))
    for client in clients where client.session?.phase == .handshake { client.session?.excuses.insert(.crowded) }
  }

  private func recover() {
    world.descriptorsMax = .max
    exhaustedUntil = 0
  }

  /// Megabytes for the one reactor at once, while some that would get them are breaking: it flushes half-way through
  /// its events, and finds connections broken for which it has collected events already.
  private func avalanche() {
    let alive = clients.filter {
      ($0.session?.isAlive ?? false) && world.now >= $0.stalledUntil && !$0.isWatcher
    }
    if alive.count < 5 { return }
    for client in alive.prefix(2) {
      guard let session = client.session else { continue }
      let isMember = session.subscriptions.contains {
        $0.topic == 0 && $0.kind == nil && $0.confirmedAt != .max && $0.leavingAt == .max
      }
      if !isMember {
        client.subscribe(session, topic: 0)
        return
      }
    }
    // Messages that come in pieces, or so many whole ones.
    let (count, padding) = world.random.pick([(4, 120_000), (50, 9_000)])
    for client in alive.dropFirst(2) {
      guard let session = client.session else { continue }
      for _ in 0..<count { client.publish(session, topic: 0, padding: padding, isPlain: true) }
      for _ in 0..<30 where !session.outgoing.isEmpty { client.step(mayAct: false) }
    }
    for client in alive.prefix(2) { if let session = client.session { client.vanish(session) } }
    world.advance(by: 400_000_000)
    // Everyone but one, so that this one finds the others' bursts in one turn.
    isInterleaving = true
    defer { isInterleaving = false }
    let last = clients[0].session.map { max($0.socket.reactor, 0) } ?? 0
    for reactor in reactors where reactor.number != last {
      for _ in 0..<80 where reactor.canStep {
        world.advance(by: 10_000)
        reactor.step()
      }
    }
    for _ in 0..<4 where reactors[last].canStep {
      world.moods[last] = .steady
      reactors[last].step()
    }
  }

  /// One that does not read is owed a little of each chunk that another reactor fills for those who do.
  private func pin() {
    let alive = clients.filter { ($0.session?.isAlive ?? false) && !$0.isWatcher && world.now >= $0.stalledUntil }
    guard let slow = alive.first(where: { !$0.topicsWanted.contains(0) }), let owed = slow.session else { return }
    let isMember = owed.subscriptions.contains {
      $0.topic == 1 && $0.kind == nil && $0.confirmedAt != .max && $0.leavingAt == .max
    }
    if !isMember {
      slow.subscribe(owed, topic: 1)
      return
    }
    let publisher = alive.first { $0.session.map { $0.socket.reactor != owed.socket.reactor } ?? false }
    guard let publisher, let session = publisher.session else { return }
    pins += 1
    slow.stalledUntil = world.now + 8_000_000_000
    owed.socket.down.capacity = 4_096
    for _ in 0..<80 where session.isAlive && world.failure == nil {
      for _ in 0..<2 { publisher.publish(session, topic: 1, padding: 60) }
      publisher.publish(session, topic: 0, padding: 50_000, isPlain: true)
      for _ in 0..<4 where !session.outgoing.isEmpty { publisher.step(mayAct: false) }
      world.advance(by: 1_000_000)
      for _ in 0..<2 { for reactor in reactors where reactor.canStep { reactor.step() } }
      for client in clients where client.isWatcher { client.step(mayAct: false) }
      finishStep()
    }
  }

  // MARK: The quiet part

  /// Runs without faults until nothing is left to do but to wait for timers, or to `time` if that is later.
  private func rest(until time: UInt64 = 0) {
    if world.hasFaults {
      world.hasFaults = false
      recover()
      for client in clients { client.calmDown() }
    }
    let limit = steps + Self.restStepsMax
    while world.failure == nil {
      world.advance(by: 1_000)
      var hasWorked = false
      for client in clients where client.hasWork {
        client.step(mayAct: false)
        hasWorked = true
      }
      for client in engineClients where client.hasWork {
        client.step(mayAct: false)
        hasWorked = true
      }
      for reactor in reactors where reactor.canStep {
        reactor.step()
        hasWorked = true
      }
      finishStep()
      if steps > limit { world.fail("no rest after \(Self.restStepsMax) steps: \(restlessness)") }
      if hasWorked { continue }
      let next = world.nextArrival
      if next == nil && reactors.allSatisfy(\.isIdle) && world.now >= time { return }
      var wake = next ?? (time > world.now ? time : .max)
      for reactor in reactors { if let at = reactor.wakesAt { wake = min(wake, at) } }
      world.advance(by: wake > world.now && wake != .max ? wake - world.now : 1_000_000)
    }
  }

  /// What keeps the run from coming to rest, for the message of a failure.
  private var restlessness: String {
    let busyClients = clients.filter(\.hasWork).map { "client \($0.number) in \($0.session?.description ?? "none")" }
    let busyReactors = reactors.map {
      "reactor \($0.number) \($0.state) after \($0.turns) turns, can step: \($0.canStep), \($0.sleep)"
    }
    return (busyClients + busyReactors).joined(separator: "; ") + "; at \(world.now)"
  }

  /// Every connection that lives must answer, also after two heartbeats of silence.
  private func probe() {
    let heartbeat = UInt64(plan.configuration.heartbeatIntervalMilliseconds) * 1_000_000
    for wait in [0, heartbeat * 5 / 2] {
      rest(until: world.now + wait)
      let alive = clients.compactMap { client in client.session.map { (client, $0) } }.filter { $0.1.isAlive }
      for (client, session) in alive { client.ping(session) }
      for client in engineClients { if let visit = client.visit { client.echo(visit) } }
      rest()
      for (_, session) in alive where world.failure == nil {
        if !session.isAlive { world.fail("\(session) ended in peace") }
        if plan.configuration.slowConsumerPolicy == .drop && session.mayMiss && wait == 0 {
          oracle.skippedAnswers += session.expectations.count + session.pings.count
          session.expectations = []
          session.pings = []
        }
        if let first = session.expectations.first { world.fail("\(session) still waits for \(first.what)") }
        // One pong may answer many pings, but the latest one is always answered.
        if !session.pings.isEmpty {
          world.fail("\(session) still waits for a protocol pong")
        }
      }
    }
  }

  // MARK: The end

  /// Every client leaves in its own way.
  private func leave() {
    for client in clients {
      guard let session = client.session else { continue }
      switch world.random.below(3) {
      case 0 where session.isAlive: client.close(session)
      case 1: client.vanish(session)
      default:
        session.excuses.insert(.left)
        client.leave(session)
      }
    }
    for client in engineClients { world.random.perMille(500) ? client.leave() : client.vanish() }
    restUntilEmpty()
    // Chunks that another reactor gave back meanwhile are only collected when there is something to send again.
    for reactor in reactors where world.failure == nil { touch(reactor) }
    restUntilEmpty()
  }

  /// A client comes, is welcome and leaves, at one reactor.
  private func touch(_ reactor: SimulatedReactor) {
    let socket = world.connect(to: reactor.number)
    socket.up.capacity = 4_096
    socket.down.capacity = 4_096
    socket.up.send(
      ProxyPrefix.make(for: socket, plan, world)
        + Array("GET \(plan.path) HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n".utf8), now: world.now,
      delay: 0)
    rest()
    let answer = String(decoding: socket.down.read(4_096, now: world.now), as: UTF8.self)
    if !answer.hasPrefix("HTTP/1.1 426 ") { world.fail("reactor \(reactor.number) answers \(answer)") }
    socket.isClientGone = true
    socket.up.end(now: world.now, delay: 0)
  }

  /// The gateway stops: 1001 to everyone, and no connection is left.
  private func stop() {
    for client in clients { client.session?.excuses.insert(.stopping) }
    shared.stop()
    for client in engineClients { client.visit?.isStopping = true }
    let told = clients.compactMap(\.session).filter { $0.phase == .open && $0.isWelcome }
    restUntilEmpty()
    for session in told where session.phase == .open { world.fail("\(session) was not told that the gateway stops") }
  }

  private func restUntilEmpty() {
    // The longest patience of the gateway is with someone who has not finished a request.
    let limit = world.now + 60_000_000_000
    while world.failure == nil {
      rest(until: world.now + 500_000_000)
      if shared.connections == 0 && world.sockets.allSatisfy({ $0.isServerClosed }) { return }
      if world.now > limit { world.fail("\(shared.connections) connections are still there a minute after all left") }
    }
  }

  private func checkLeftovers() {
    for reactor in reactors where world.failure == nil {
      for (name, count) in reactor.leftovers where count != 0 {
        // A stopped gateway has no reason to collect its chunks.
        if plan.endsByStop && name == "waiting bytes" { continue }
        world.fail("reactor \(reactor.number) ends with \(count) \(name)")
      }
    }
    if world.failure != nil { return }
    if shared.connections != 0 { world.fail("the gateway still counts \(shared.connections) connections") }
    // A reserve may be missing when it was lost for lack of descriptors. A stopped gateway has closed its listeners.
    let listeners = plan.endsByStop ? 0 : plan.reactorCount * 2
    if world.openDescriptors < listeners || world.openDescriptors > listeners + plan.reactorCount {
      world.fail("\(world.openDescriptors) descriptors are open: \(listeners) listeners, \(plan.reactorCount) reserves")
    }
  }

  private func report() -> SimulationReport {
    var counters: [Counter: Int] = [:]
    for counter in Counter.allCases { counters[counter] = reactors.reduce(0) { $0 + $1.counter(counter) } }
    var closes: [CloseReason: Int] = [:]
    for reason in CloseReason.allCases { closes[reason] = reactors.reduce(0) { $0 + $1.closes(reason) } }
    return SimulationReport(
      seed: seed, engineClients: engineClients.count, stepsAsked: stepsAsked, steps: steps, failure: world.failure,
      hash: world.hash.value,
      sessions: oracle.sessions.count, deliveries: oracle.deliveries, required: oracle.required,
      engine: (
        visits: engineClients.reduce(0) { $0 + $1.visits }, upgrades: engineClients.reduce(0) { $0 + $1.upgrades },
        echoes: engineClients.reduce(0) { $0 + $1.echoes }, broadcasts: engineClients.reduce(0) { $0 + $1.broadcasts }
      ),
      overflows: reactors.reduce(0) { $0 + $1.overflows }, counters: counters,
      closes: closes)
  }
}
