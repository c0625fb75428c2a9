// Drives the whole table of hostile inputs against real gateways while a bystander is watched. Swift Testing's threads.

import Synchronization
import TestSupport
import Testing

@Suite("Hostile inputs", .serialized)
struct HostileTests {
  @Test("the table has a row for every line", arguments: Array(1...38))
  func complete(line: Int) {
    #expect(HostileRow.all.contains { $0.line == line })
  }

  @Test("hostile input", arguments: HostileRow.chosen)
  func row(_ row: HostileRow) throws {
    try Stage.shared.run(row)
  }
}

extension HostileRow: CustomTestStringConvertible {
  var testDescription: String { "HOSTILE \(line): \(name)" }
}

/// Holds the gateway of the setup whose turn it is.
final class Stage: Sendable {
  static let shared = Stage()

  private struct State {
    var victim: Victim?
    /// Rows of the setup that are still to come.
    var rowsLeft = 0
  }

  private let state = Mutex(State())

  /// Runs a row; with the first one of a setup its gateway starts, and with the last one it ends.
  func run(_ row: HostileRow) throws {
    try state.withLock { state in
      if state.victim?.setup != row.setup {
        state.victim?.finish()
        state.victim = nil
        ThisProcess.raiseFileLimit()
        state.victim = try row.setup.runGateway { try Victim(row.setup) }
        state.rowsLeft = HostileRow.chosen.count { $0.setup == row.setup }
      }
      state.rowsLeft -= 1
      defer {
        if state.rowsLeft == 0 { state.victim = nil }
      }
      try state.victim?.run(row)
      guard state.rowsLeft == 0, let victim = state.victim else { return }
      try Bounds.check(victim, HostileRow.chosen.filter { $0.setup == row.setup })
      victim.finish()
    }
  }
}
