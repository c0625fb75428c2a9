// A measured interval, and what the intervals of a run come to. Values only.
import EventLoop

/// What one measured interval gave. `events` are deliveries or round trips.
public struct Round: Sendable {
  public var seconds = 0.0
  public var events: UInt64 = 0
  public var sent: UInt64 = 0
  /// CPU time of the server in nanoseconds; nil without `--pid`.
  public var serverNanoseconds: UInt64?
  /// Its parts by the kernel's 10 ms ticks.
  public var serverUserSeconds = 0.0
  public var serverSystemSeconds = 0.0
  public var generatorNanoseconds: UInt64 = 0
  /// Latencies in nanoseconds: p50, p90, p99, p99.9, the largest.
  public var percentiles: [UInt64] = []

  public static let percentileNames = ["p50", "p90", "p99", "p999", "max"]

  public var eventsPerSecond: Double { seconds > 0 ? Double(events) / seconds : 0 }
  public var serverMicroseconds: Double? { serverNanoseconds.map { Double($0) / 1000 / Double(max(1, events)) } }
  public var generatorMicroseconds: Double { Double(generatorNanoseconds) / 1000 / Double(max(1, events)) }

  /// The middle of some values; of an even number the mean of the two in the middle.
  public static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    if sorted.isEmpty { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

/// Reads clocks and counters at the start and the end of an interval.
struct Meter {
  private let process: Int?
  private let start: UInt64
  private let server: CPUTime?
  private let generator: UInt64

  /// Starts an interval. A `process` that does not exist is an error.
  init(process: Int?) throws(BenchError) {
    self.process = process
    server = process.flatMap { CPUTime(process: $0) }
    if let process, server == nil { throw .usage("--pid \(process): there is no such process") }
    generator = System.threadCPUNanoseconds()
    start = System.monotonicNanoseconds()
  }

  /// Ends it.
  func end(events: UInt64, sent: UInt64, _ histogram: borrowing Histogram) -> Round {
    var round = Round()
    round.seconds = Double(System.monotonicNanoseconds() - start) / 1e9
    round.generatorNanoseconds = System.threadCPUNanoseconds() - generator
    if let server, let now = process.flatMap({ CPUTime(process: $0) }) {
      round.serverNanoseconds = now.nanoseconds(since: server)
      round.serverUserSeconds = Double(now.userTicks - server.userTicks) / 100
      round.serverSystemSeconds = Double(now.systemTicks - server.systemTicks) / 100
    }
    round.events = events
    round.sent = sent
    round.percentiles = [0.5, 0.9, 0.99, 0.999].map { histogram.percentile($0) } + [histogram.largest]
    return round
  }
}
