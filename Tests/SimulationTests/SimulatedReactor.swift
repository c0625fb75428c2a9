// One simulated reactor: a real shard on the simulated network, run a step at a time. One thread for all of them.
import Buffers
import EventLoop

@testable import Buffers
@testable import Gateway
@testable import Topics

final class SimulatedReactor {
  enum State {
    /// Will decide next how long to sleep.
    case awake
    /// In epoll_wait until something happens, at the latest at this time.
    case asleep(until: UInt64)
  }

  let number: Int
  let world: SimulatedWorld
  private let plan: SimulationPlan
  private(set) var state = State.awake
  private(set) var turns = 0
  /// Checks that found posts in the overflow lists.
  private(set) var overflows = 0
  /// Whether one of its steps is under way, so that another must not start.
  private var isBusy = false
  private var timeoutMilliseconds = 0
  private var shard: Shard<SimulatedNetwork>
  private var buffer = ByteBuffer(capacity: Limits.receiveBytes + Limits.tailBytesMax)
  private var gather = GatherList()

  init(
    number: Int, world: SimulatedWorld, plan: SimulationPlan, shared: SharedState, links: consuming ShardLinks,
    listenerFds: [Int32]
  ) {
    self.number = number
    self.world = world
    self.plan = plan
    var fds = GrowableArray<Int32>()
    for fd in listenerFds { fds.append(fd) }
    shard = Shard(
      number: number, shared: shared, network: SimulatedNetwork(world: world, reactor: number), links: links,
      listenerFds: fds)
    _ = shard.registerListeners()
  }

  /// Whether a step of it is possible now.
  var canStep: Bool {
    if isBusy { return false }
    switch state {
    case .awake: return true
    case .asleep(let until): return world.now >= until || world.isReady(number)
    }
  }

  /// When it wakes by itself; nil when it can go on at once.
  var wakesAt: UInt64? {
    if case .asleep(let until) = state, !canStep { return until }
    return nil
  }

  /// Half a turn: the decision to sleep, or the waking and what follows.
  func step() {
    isBusy = true
    switch state {
    case .awake:
      timeoutMilliseconds = shard.sleepTime()
      // epoll_wait with a time-out of 0 returns at once.
      state = .asleep(until: world.now + UInt64(timeoutMilliseconds) * 1_000_000)
    case .asleep:
      turns += 1
      priceMail(plan)
      let before = baseline
      let count = shard.network.wait(timeoutMilliseconds: timeoutMilliseconds)
      shard.work(count, &buffer, &gather)
      world.settleMail(number)
      judgeTurn(before, plan)
      state = .awake
    }
    isBusy = false
  }

  /// A reactor that sleeps although there is mail for it, with nobody to wake it, has lost a wake-up.
  func check() {
    if shard.overflowCount > 0 { overflows += 1 }
    guard case .asleep(let until) = state, until > world.now, !world.isRung(number) else { return }
    // While another reactor is behind they wait, and the sleep is short.
    if shard.hasCommands && (shard.behind == 0 || timeoutMilliseconds > 1) {
      world.fail("reactor \(number) sleeps for \(timeoutMilliseconds) ms with commands to carry out: lost wake-up")
    }
    for index in 0..<shard.consumers.count where index != number && !shard.consumers[index].isEmpty() {
      world.fail("reactor \(number) sleeps for \(timeoutMilliseconds) ms with mail from reactor \(index): lost wake-up")
    }
  }

  /// Whether it sleeps with nothing to do but its timers.
  var isIdle: Bool {
    guard case .asleep = state else { return false }
    return !world.isReady(number) && shard.ready.isEmpty && shard.parked.isEmpty && shard.overflowCount == 0
      && shard.behind == 0 && !hasMail
  }

  private var hasMail: Bool {
    for index in 0..<shard.consumers.count where index != number && !shard.consumers[index].isEmpty() { return true }
    return shard.hasCommands
  }

  /// What decides how long it sleeps, for the message of a failure.
  var sleep: String {
    "time-out \(timeoutMilliseconds) ms, \(shard.ready.count) ready, mail: \(hasMail), "
      + "overflow \(shard.overflowCount), timers \(shard.timers.count), "
      + "drain until \(shard.drainDeadline), unmute at \(shard.unmuteMilliseconds)"
  }

  // MARK: What it holds

  /// Bytes of its own full chunks that somebody still needs: slow connections here or elsewhere, posts on their way.
  var heldBytes: Int {
    var bytes = 0
    for index in 0..<shard.outbox.retired.count {
      bytes += shard.outbox.entries[Int(shard.outbox.retired[index])].chunk?.capacity ?? 0
    }
    return bytes
  }

  /// Bytes of posts to another reactor that a full ring did not take.
  func overflowBytes(to target: Int) -> Int {
    var bytes = 0
    for index in 0..<shard.overflow[target].count {
      bytes += Int(shard.overflow[target][index].frameEnd - shard.overflow[target][index].frameStart)
    }
    return bytes
  }

  /// How many connections a post on a topic goes to, and how many filters look at it.
  func audience(_ name: [UInt8], _ hash: UInt32) -> (members: Int, filters: Int) {
    guard let topic = shard.topics.find(name.span, space: 1, hash: hash) else { return (0, 0) }
    return (shard.topics.topics[Int(topic)].plain.count, shard.topics.topics[Int(topic)].filtered.count)
  }

  /// Descriptors of connections that are being closed as slow.
  func forEachSlow(_ body: (Int32) -> Void) {
    for slot in 0..<UInt32(shard.connections.indexEnd) where shard.connections.isLive(slot) {
      let connection = shard.connections[slot]
      let isEnding = connection.phase == .closing || connection.phase == .lingering
      if isEnding && connection.reason == .slow { body(connection.fd) }
    }
  }

  /// Every WebSocket.
  func forEachOpen(_ body: (Connection) -> Void) {
    for slot in 0..<UInt32(shard.connections.indexEnd) where shard.connections.isLive(slot) {
      if shard.connections[slot].phase == .open { body(shard.connections[slot]) }
    }
  }

  // MARK: What is left

  /// Ends it as it is.
  func abandon() { shard.abandon() }

  var connectionCount: Int { shard.connections.count }
  func counter(_ counter: Counter) -> Int { Int(clamping: shard.counters[counter]) }
  func closes(_ reason: CloseReason) -> Int { Int(clamping: shard.counters.closes[Int(reason.rawValue)]) }

  /// What should be nothing when every client has left, by name.
  var leftovers: [(name: String, count: Int)] {
    [
      ("connections", shard.connections.count), ("webSockets", shard.webSocketCount),
      ("subscriptions", shard.topics.subscriptionCount), ("topics", shard.topics.topicCount),
      ("filter texts", shard.topics.filterTexts.count), ("timers", shard.timers.count),
      ("waiting bytes", shard.outbox.waitingBytes), ("users", shard.users.count), ("inbounds", shard.inbounds.count),
      ("posts in overflow", shard.overflowCount), ("ready", shard.ready.count), ("engines", shard.engines.count),
      ("dirty", shard.dirty.count),
    ]
  }
}
