// The connect workload: opens connections at a rate, or as fast as they come, and keeps them; times each upgrade. One thread.
import EventLoop

/// What to run.
public struct ConnectPlan: Sendable {
  public var target: Target
  public var access = Access()
  public var connections = 1000
  /// Connections a second; nil keeps `ClientPool.openingMax` under way.
  public var rate: Double?
  public var process: Int?

  public init(target: Target) { self.target = target }
}

/// What came of it. `round.events` are upgrades.
public struct ConnectResult: Sendable {
  public var round = Round()
  /// Refusals by HTTP status; 0 is a connection that broke, or could not be started, before an answer.
  public var refusals: [Int: Int] = [:]
  /// Connections that had no answer in time.
  public var unanswered = 0
  /// Connections that stood and were closed by the server.
  public var closedConnections = 0
  public var interrupted = false

  public var isGood: Bool { refusals.isEmpty && unanswered == 0 && closedConnections == 0 }
}

enum ConnectRate {
  /// With a rate, at most this many are under way: what a listener's backlog takes.
  static let underWayMax = 4096
  /// After the last start, answers are waited for this long: 10 s, in nanoseconds.
  static let patienceNanoseconds: UInt64 = 10_000_000_000

  static func run(_ plan: ConnectPlan) throws(BenchError) -> ConnectResult {
    var pool = try ClientPool(count: plan.connections, access: plan.access)
    var result = ConnectResult()
    var histogram = Histogram()
    var progress = Progress()
    let meter = try Meter(process: plan.process)
    let interval = plan.rate.map { UInt64(1e9 / $0) }
    let underWayMax = interval == nil ? ClientPool.openingMax : ConnectRate.underWayMax
    var started = 0
    var ended = 0
    var due = System.monotonicNanoseconds()
    var lastStart = due
    while ended < plan.connections && !progress.interrupted {
      var now = System.monotonicNanoseconds()
      while started < plan.connections && started - ended < underWayMax && (interval == nil || now >= due) {
        do { try pool.start(started, plan.target) } catch {
          result.refusals[0, default: 0] += 1
          ended += 1
        }
        started += 1
        due += interval ?? 0
        now = System.monotonicNanoseconds()
        lastStart = now
      }
      if started == plan.connections && now - lastStart > patienceNanoseconds { break }
      progress.show("connected", ended, plan.connections)
      let limit = now + ClientPool.glanceNanoseconds
      let isPaced = interval != nil && started < plan.connections && started - ended < underWayMax
      for event in 0..<pool.wait(until: isPaced ? min(due, limit) : limit) {
        switch pool.step(event) {
        case .opened(let index):
          histogram.record(System.monotonicNanoseconds() - pool.clients[index].started)
          ended += 1
        case .refused(_, let status):
          result.refusals[status, default: 0] += 1
          ended += 1
        case .readable(let index): pool.discardFrames(index)
        case .nothing: break
        }
      }
    }
    result.round = meter.end(events: histogram.count, sent: UInt64(started), histogram)
    result.unanswered = started - ended
    result.closedConnections = pool.closedCount
    result.interrupted = progress.interrupted
    progress.end()
    return result
  }
}
