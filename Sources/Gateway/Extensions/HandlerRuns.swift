// Runs the application's handlers, counts what became of each call, and logs failures. Any thread; read by the metrics
// page.
import EventLoop
import Synchronization

/// Where every call of a handler goes through, whatever its dialect and wherever the handler lives.
final class HandlerRuns: Sendable {
  /// What became of a call.
  enum Outcome: Int, CaseIterable {
    case done, rejected, failed, timedOut, cancelled

    /// The label of the metric.
    var label: StaticString {
      switch self {
      case .done: "done"
      case .rejected: "rejected"
      case .failed: "failed"
      case .timedOut: "timed_out"
      case .cancelled: "cancelled"
      }
    }

    init(_ error: any Error) {
      switch error as? HandlerError {
      case .rejected: self = .rejected
      case .timedOut: self = .timedOut
      case .disconnected: self = .cancelled
      case nil: self = error is CancellationError ? .cancelled : .failed
      }
    }
  }

  /// The dialects that have handlers.
  static let dialects: [Dialect] = [.handlers, .events, .walkers]

  private let counts: [Count]
  private let log: SharedLog

  init(log: SharedLog) {
    self.log = log
    counts = (0..<Self.dialects.count * Outcome.allCases.count).map { _ in Count() }
  }

  /// Runs a handler to its end. What it throws is counted, logged and thrown on.
  func run(_ handler: Handler, _ call: Call) async throws {
    do {
      try await handler(call)
    } catch {
      note(error, call)
      throw error
    }
    // One that has told its client of a failure itself does not throw it.
    if let failure = call.toldFailure { note(failure, call) } else { count(.done, call.dialect) }
  }

  /// Calls of a dialect that ended so.
  func value(_ outcome: Outcome, _ dialect: Dialect) -> Int {
    Self.index(outcome, dialect).map { counts[$0].number.load(ordering: .relaxed) } ?? 0
  }

  private func note(_ error: any Error, _ call: Call) {
    // A handler that is cancelled may throw whatever it likes.
    let outcome = Task.isCancelled ? .cancelled : Outcome(error)
    count(outcome, call.dialect)
    guard outcome == .failed || outcome == .timedOut, !call.isFailureLogged else { return }
    log.write(
      "handler-failed", outcome.label,
      [("dialect", .text(call.dialect.name)), ("name", .text(call.name)), ("error", .text(ErrorText.of(error)))])
  }

  private func count(_ outcome: Outcome, _ dialect: Dialect) {
    // Relaxed: only a count.
    if let index = Self.index(outcome, dialect) { counts[index].number.wrappingAdd(1, ordering: .relaxed) }
  }

  private static func index(_ outcome: Outcome, _ dialect: Dialect) -> Int? {
    dialects.firstIndex(of: dialect).map { $0 * Outcome.allCases.count + outcome.rawValue }
  }

  private final class Count: Sendable {
    let number = Atomic<Int>(0)
  }
}
