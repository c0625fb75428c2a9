// The idle workload: opens connections as real clients, reads the server's memory per connection, holds them. One thread.
import EventLoop

/// What to run.
public struct IdlePlan: Sendable {
  public var target: Target
  public var access = Access()
  public var connections = 1000
  public var dialogue = Dialogue()
  /// Sessions to ask the server for, used in turn; 0 for none. What they take counts.
  public var sessions = 0
  /// Whether they are Socket.IO sessions over HTTP, each with a poll that waits.
  public var polls = false
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

/// Connections that are opened and then do nothing but what their protocol asks of them.
protocol IdleCrowd: ~Copyable {
  var openCount: Int { get }
  var closedCount: Int { get }
  /// Opens all of them.
  mutating func open(_ plan: IdlePlan, _ progress: inout Progress) throws(BenchError)
  /// Answers heartbeats until `deadline` (monotonic nanoseconds).
  mutating func idle(until deadline: UInt64) throws(BenchError)
}

extension ClientPool: IdleCrowd {
  mutating func open(_ plan: IdlePlan, _ progress: inout Progress) throws(BenchError) {
    if plan.sessions > 0 { access.tokens = try HTTPClient.acquireSessions(plan.sessions, plan.target, &progress) }
    try openAll(0..<plan.connections, plan.target, plan.dialogue, &progress)
  }

  mutating func idle(until deadline: UInt64) throws(BenchError) {
    for event in 0..<wait(until: deadline) {
      if case .readable(let index) = step(event) { discardFrames(index) }
    }
  }
}

enum Idle {
  /// The server gets this long to fall quiet before its memory is read: 1 s.
  static let settleSeconds = 1.0

  static func run(_ plan: IdlePlan) throws(BenchError) -> IdleResult {
    if plan.polls {
      var crowd = try PollingCrowd(count: plan.connections, access: plan.access)
      return try run(plan, &crowd)
    }
    var crowd = try ClientPool(count: plan.connections, access: plan.access)
    return try run(plan, &crowd)
  }

  private static func run<Crowd: IdleCrowd & ~Copyable>(
    _ plan: IdlePlan, _ crowd: inout Crowd
  ) throws(BenchError) -> IdleResult {
    guard let before = Memory(process: plan.process) else {
      throw .usage("--pid \(plan.process): there is no such process")
    }
    var progress = Progress()
    try crowd.open(plan, &progress)
    try wait(&crowd, settleSeconds, &progress)

    var result = IdleResult()
    result.connections = plan.connections
    result.opened = growth(plan, before)
    let meter = try Meter(process: plan.process)
    try wait(&crowd, plan.hold, &progress)
    result.held = growth(plan, before)
    let round = meter.end(events: 0, sent: 0, Histogram())
    result.heldSeconds = round.seconds
    result.serverShare = Double(round.serverNanoseconds ?? 0) / 1e9 / max(round.seconds, 1e-9)
    result.closedConnections = crowd.closedCount
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

  /// Reads and answers heartbeats for a time.
  private static func wait<Crowd: IdleCrowd & ~Copyable>(
    _ crowd: inout Crowd, _ seconds: Double, _ progress: inout Progress
  ) throws(BenchError) {
    let end = System.monotonicNanoseconds() + UInt64(seconds * 1e9)
    while !progress.interrupted {
      let now = System.monotonicNanoseconds()
      if now >= end { return }
      if progress.turn(now) { progress.line("holding \(crowd.openCount) connections") }
      try crowd.idle(until: min(end, now + ClientPool.glanceNanoseconds))
    }
  }
}
