// The idle workload: opens and subscribes connections, reads the server's memory per connection, and holds them. One thread.
import EventLoop

/// What to run.
public struct IdlePlan: Sendable {
  public var target: Target
  public var access = Access()
  public var connections = 1000
  public var subscription = Subscription()
  public var hold = 0.0
  public var process: Int

  public init(target: Target, process: Int) {
    self.target = target
    self.process = process
  }
}

/// Bytes per connection, right after opening and at the end of the hold.
public struct IdleResult: Sendable {
  public struct Growth: Sendable {
    public var anonymous = 0.0
    public var proportional = 0.0
    public var resident = 0.0
  }
  public var opened = Growth()
  public var held = Growth()
  public var connections = 0
  public var closedConnections = 0
  /// CPU time of the server during the hold, as a share of one core.
  public var serverShare = 0.0
  public var heldSeconds = 0.0
  public var interrupted = false

  public var isGood: Bool { closedConnections == 0 }
}

enum Idle {
  /// The server gets this long to fall quiet before its memory is read: 1 s.
  static let settleSeconds = 1.0

  static func run(_ plan: IdlePlan) throws(BenchError) -> IdleResult {
    guard let before = Memory(process: plan.process) else {
      throw .usage("--pid \(plan.process): there is no such process")
    }
    var progress = Progress()
    var pool = try ClientPool(count: plan.connections, access: plan.access)
    try pool.openAll(0..<plan.connections, plan.target, &progress)
    try pool.subscribeAll(plan.connections, plan.subscription, &progress)
    wait(&pool, settleSeconds, &progress)

    var result = IdleResult()
    result.connections = plan.connections
    result.opened = growth(plan, before)
    let meter = try Meter(process: plan.process)
    wait(&pool, plan.hold, &progress)
    result.held = growth(plan, before)
    let round = meter.end(events: 0, sent: 0, Histogram())
    result.heldSeconds = round.seconds
    result.serverShare = Double(round.serverNanoseconds ?? 0) / 1e9 / max(round.seconds, 1e-9)
    result.closedConnections = pool.closedCount
    result.interrupted = progress.interrupted
    progress.end()
    return result
  }

  private static func growth(_ plan: IdlePlan, _ before: Memory) -> IdleResult.Growth {
    guard let now = Memory(process: plan.process) else { return IdleResult.Growth() }
    let count = Double(max(1, plan.connections))
    return IdleResult.Growth(
      anonymous: Double(now.anonymous - before.anonymous) / count,
      proportional: Double(now.proportional - before.proportional) / count,
      resident: Double(now.resident - before.resident) / count)
  }

  /// Reads and answers pings for a time.
  private static func wait(_ pool: inout ClientPool, _ seconds: Double, _ progress: inout Progress) {
    let end = System.monotonicNanoseconds() + UInt64(seconds * 1e9)
    while !progress.interrupted {
      let now = System.monotonicNanoseconds()
      if now >= end { return }
      if progress.turn(now) { progress.line("holding \(pool.openCount) connections") }
      for event in 0..<pool.wait(until: min(end, now + ClientPool.glanceNanoseconds)) {
        if case .readable(let index) = pool.step(event) {
          pool.discardFrames(index)
        }
      }
    }
  }
}
