// A gateway under attack, the bystander beside it, and what both were before. Owned by the stage; one thread at a time.

import Foundation
import MallocCounter
import TestSupport
import Testing

/// The gateway of one setup, from its first row to its last.
final class Victim {
  let setup: Setup
  let gateway: GatewayProcess
  let bystander: Bystander
  /// Open connections when nobody attacks: the bystander's and that of the request for the metrics.
  let connectionsAtRest: Int
  /// Milliseconds that each row took.
  private var durations: [(row: String, milliseconds: Int)] = []
  /// Resident bytes after warm-up.
  private let residentBytes: Int

  /// A bystander may have to wait this long, in milliseconds, before a row fails: the machine is shared and the build may
  /// be a debug one. What it really waits is printed.
  private static let gapMillisecondsMax = 5_000
  /// What the resident size may grow by: a tenth, and what the allocator keeps of a burst.
  private static let residentGrowthMax = 8 << 20

  init(_ setup: Setup) throws {
    self.setup = setup
    let gateway = try GatewayProcess(setup.arguments, reactors: setup.reactors, descriptors: setup.descriptors)
    self.gateway = gateway
    bystander = try Bystander(port: gateway.port, preamble: setup.preamble)
    if setup == .standard || setup == .storm { try Self.warmUp(gateway) }
    // The quiet half of the bystander's comparison.
    ThisProcess.pause(milliseconds: 300)
    let settled = eventually { (try? Metrics(of: gateway).sum("connections")) == 2 }
    guard settled else { throw GatewayFailure(description: "the gateway does not come to rest") }
    connectionsAtRest = 2
    residentBytes = Self.residentBytes(of: gateway)
  }

  /// What a gateway has done once in its life anyway: some connections, a large message, a broadcast.
  private static func warmUp(_ gateway: GatewayProcess) throws {
    let clients = try (0..<50).map { try WebSocketClient(gateway, user: "warm-\($0)") }
    for client in clients { try client.subscribe("warm") }
    try clients[0].publish("warm", "\"" + String(repeating: "w", count: 100_000) + "\"")
    for client in clients { _ = try client.nextText() }
  }

  // MARK: One row

  /// Carries out a row and checks everything that must hold afterwards.
  func run(_ row: HostileRow) throws {
    let start = ContinuousClock.now
    let before = try Metrics(of: gateway)
    let logStart = gateway.log.utf8.count
    bystander.beginRow()
    switch row.attack {
    case .request(let bytes, let answer): try request(bytes(), answer)
    case .frames(let bytes, let code, let isCompressed): try sendFrames(bytes(), code, isCompressed)
    case .message(let text, let error): try sendMessage(text(), error)
    case .scenario(let body): try body(self)
    }
    try checkTrace(row.trace, isExact: row.attack.isSingle, since: before, logStart: logStart)
    try checkOthers()
    durations.append((row.testDescription, Int(start.duration(to: .now) / .milliseconds(1))))
  }

  /// The gateway runs, the bystander noticed nothing, and all connections of the attack are gone.
  private func checkOthers() throws {
    #expect(gateway.isRunning, "the gateway is gone; it said:\n\(gateway.log.suffix(4_000))")
    let gap = bystander.endRow()
    let failure = bystander.record.failure
    #expect(failure == nil, "the bystander lost its connection")
    #expect(gap <= Self.gapMillisecondsMax, "the bystander waited \(gap) ms")
    var open = 0
    let isAtRest = eventually {
      open = (try? Metrics(of: gateway).sum("connections")) ?? -1
      return open == connectionsAtRest
    }
    #expect(isAtRest, "\(open) connections are open instead of \(connectionsAtRest)")
  }

  private func checkTrace(_ trace: Trace, isExact: Bool, since before: Metrics, logStart: Int) throws {
    let words: [String]
    let difference: () throws -> Int
    let times: Int
    switch trace {
    case .survived: return
    case .refused(let reason, let count):
      (words, times) = (["refused", "reason=\(reason)"], count)
      difference = { try Metrics(of: self.gateway).refusals(reason) - before.refusals(reason) }
    case .closed(let reason, let count):
      (words, times) = (["connection-closed", "reason=\(reason)"], count)
      difference = { try Metrics(of: self.gateway).closes(reason) - before.closes(reason) }
    case .counted(let name, let event):
      (words, times) = ([event], 1)
      difference = { try Metrics(of: self.gateway).sum(name) - before.sum(name) }
    }
    var counted = 0
    let isCounted = try eventually(milliseconds: 5_000) {
      counted = try difference()
      return counted >= times
    }
    #expect(isCounted, "counted \(counted) times instead of \(times): \(words)")
    if isExact { #expect(counted == times, "counted more than once: \(words)") }
    // A line of its own, or the one that counts those held back; either way it names the reason.
    let isLogged = eventually(milliseconds: 5_000) {
      self.logLines(since: logStart).contains { line in
        let fields = line.split(separator: " ")
        return words.allSatisfy { word in fields.contains { $0 == word } }
      }
    }
    #expect(isLogged, "no line of the log has \(words): \(logLines(since: logStart).suffix(5))")
  }

  /// The lines that were written since the log was `start` bytes long.
  func logLines(since start: Int) -> [Substring] {
    String(decoding: Array(gateway.log.utf8.dropFirst(start)), as: UTF8.self).split(separator: "\n")
  }

  // MARK: The end

  /// Stops the gateway after the last row of its setup.
  func finish() throws {
    bystander.stop()
    // The bystander's connection ends with its thread.
    _ = eventually { (try? Metrics(of: gateway).sum("connections")) == 1 }
    let after = Self.residentBytes(of: gateway)
    let lag = try Metrics(of: gateway).longestTurn
    let end = gateway.stop()
    let record = bystander.record
    print(
      "hostile \(setup): \(durations.count) rows, resident \(residentBytes >> 10) KiB before, \(after >> 10) KiB after; "
        + "bystander round trip in µs: quiet p50 \(percentile(50, of: record.quiet)) p99 \(percentile(99, of: record.quiet)), "
        + "attacked p50 \(percentile(50, of: record.attacked)) p99 \(percentile(99, of: record.attacked)) "
        + "max \(record.attacked.max() ?? 0); longest turn \(Int(lag * 1_000)) ms")
    for (row, milliseconds) in durations.sorted(by: { $0.milliseconds > $1.milliseconds }).prefix(4)
    where milliseconds > 1_000 {
      print("  \(milliseconds) ms for \(row)")
    }
    // A sanitizer's allocator keeps what was freed; there the size says nothing.
    if malloc_counter_works() {
      #expect(
        after <= residentBytes + residentBytes / 10 + Self.residentGrowthMax, "\(setup): memory was not given back")
    }
    #expect(end.status == 0, "the gateway said:\n\(end.log.suffix(4_000))")
    #expect(!end.log.contains("eyJ"), "a token stands in the log")
    #expect(!end.log.contains(Rows.marker), "a token stands in the log")
    #expect(!end.log.contains(Tokens.secret), "a secret stands in the log")
  }

  static func residentBytes(of gateway: GatewayProcess) -> Int {
    let text = (try? String(contentsOfFile: "/proc/\(gateway.id)/statm", encoding: .utf8)) ?? ""
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4_096
  }
}

extension Metrics {
  /// How many requests and messages were refused for a reason, on all reactors.
  func refusals(_ reason: String) -> Int {
    let label = "reason=\"\(reason)\""
    return Int(samples.filter { $0.key.hasPrefix("refusals_total{") && $0.key.contains(label) }.values.reduce(0, +))
  }

  /// Seconds of the longest turn of any reactor.
  var longestTurn: Double {
    samples.filter { $0.key.hasPrefix("event_loop_lag_max_seconds{") }.values.max() ?? 0
  }
}
