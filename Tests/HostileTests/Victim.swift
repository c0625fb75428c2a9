// A gateway under attack, the bystander beside it, and what both were before. Owned by the stage; one thread at a time.

import Foundation
import TestSupport
import Testing

/// The gateway of one setup, from its first row to its last.
final class Victim {
  let setup: Setup
  let gateway: GatewayProcess
  let bystander: Bystander
  /// Open connections when nobody attacks: the bystander's and that of the request for the metrics.
  let connectionsAtRest: Int
  /// The resident size before the first row.
  let coldResident: Resident
  /// Milliseconds that each row took.
  private var durations: [(row: String, milliseconds: Int)] = []

  /// A bystander may have to wait this long, in milliseconds, before a row fails at once: as long as any test waits for
  /// something to happen. `Bounds` has the real bound.
  private static let gapMillisecondsMax = Socket.patienceMilliseconds

  init(_ setup: Setup) throws {
    self.setup = setup
    let gateway = try Self.start(setup)
    self.gateway = gateway
    bystander = try Bystander(port: gateway.port, preamble: setup.preamble)
    let settled = eventually { (try? Metrics(of: gateway).sum("connections")) == 1 }
    guard settled else { throw GatewayFailure(description: "the gateway does not come to rest") }
    connectionsAtRest = 1
    coldResident = Resident(of: gateway)
  }

  static func start(_ setup: Setup) throws -> GatewayProcess {
    try GatewayProcess(
      setup.arguments, reactors: setup.reactors, descriptors: setup.descriptors, executable: ReleaseBinary.executable())
  }

  // MARK: One row

  /// Carries out a row and checks everything that must hold afterwards.
  func run(_ row: HostileRow) throws {
    let start = ContinuousClock.now
    let before = try Metrics(of: gateway)
    let logStart = gateway.log.utf8.count
    _ = try bystander.take()
    try carryOut(row)
    try checkTrace(row.trace, isExact: row.attack.isSingle, since: before, logStart: logStart)
    try checkOthers()
    durations.append((row.testDescription, Int(start.duration(to: .now) / .milliseconds(1))))
  }

  /// The attack alone, with its answers.
  func carryOut(_ row: HostileRow) throws {
    switch row.attack {
    case .request(let bytes, let answer): try request(bytes(), answer)
    case .frames(let bytes, let code, let isCompressed): try sendFrames(bytes(), code, isCompressed)
    case .message(let text, let error): try sendMessage(text(), error)
    case .scenario(let body): try body(self)
    }
  }

  /// The gateway runs, the bystander noticed nothing, and all connections of the attack are gone.
  private func checkOthers() throws {
    #expect(gateway.isRunning, "the gateway is gone; it said:\n\(gateway.log.suffix(4_000))")
    let gap = try (bystander.take().max() ?? 0) / 1_000
    #expect(gap <= Self.gapMillisecondsMax, "the bystander waited \(gap) ms")
    try checkAtRest()
  }

  /// Only the bystander is connected.
  func checkAtRest() throws {
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
    let isCounted = try eventually {
      counted = try difference()
      return counted >= times
    }
    #expect(isCounted, "counted \(counted) times instead of \(times): \(words)")
    if isExact { #expect(counted == times, "counted more than once: \(words)") }
    // A line of its own, or the one that counts those held back; either way it names the reason.
    let isLogged = eventually {
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
  func finish() {
    for (row, milliseconds) in durations.sorted(by: { $0.milliseconds > $1.milliseconds }).prefix(4)
    where milliseconds > 1_000 {
      print("  \(milliseconds) ms for \(row)")
    }
    let end = gateway.stop()
    #expect(end.status == 0, "the gateway said:\n\(end.log.suffix(4_000))")
    #expect(!end.log.contains("eyJ"), "a token stands in the log")
    #expect(!end.log.contains(Rows.marker), "a token stands in the log")
    #expect(!end.log.contains(Tokens.secret), "a secret stands in the log")
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
