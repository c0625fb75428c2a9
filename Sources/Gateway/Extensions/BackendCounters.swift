// Counts what became of the application's HTTP calls and of hooks. Any thread; read by the metrics page.
import Backends
import Synchronization

/// Numbers of what runs off the reactors. Relaxed: only counts.
final class BackendCounters: Sendable {
  /// What became of a call of an HTTP endpoint.
  enum Outcome: Int, CaseIterable {
    case answered, timedOut, queueFull, unreachable, status, broken, cancelled

    /// The label of the metric.
    var label: StaticString {
      switch self {
      case .answered: "answered"
      case .timedOut: "timed_out"
      case .queueFull: "queue_full"
      case .unreachable: "unreachable"
      case .status: "status"
      case .broken: "broken"
      case .cancelled: "cancelled"
      }
    }

    init(_ error: CourierError) {
      switch error {
      case .timedOut: self = .timedOut
      case .queueFull: self = .queueFull
      case .cannotConnect: self = .unreachable
      case .status: self = .status
      case .cancelled, .stopped: self = .cancelled
      case .tooLarge, .interrupted, .badResponse: self = .broken
      }
    }
  }

  /// What became of a hook.
  enum HookOutcome: Int, CaseIterable {
    case done, failed, dropped

    var label: StaticString {
      switch self {
      case .done: "done"
      case .failed: "failed"
      case .dropped: "dropped"
      }
    }
  }

  private let calls = [Count](zeros: Outcome.allCases.count)
  private let hooks = [Count](zeros: HookOutcome.allCases.count)

  func count(_ outcome: Outcome) { calls[outcome.rawValue].add() }
  func count(_ outcome: HookOutcome) { hooks[outcome.rawValue].add() }
  func value(_ outcome: Outcome) -> Int { calls[outcome.rawValue].value }
  func value(_ outcome: HookOutcome) -> Int { hooks[outcome.rawValue].value }

  fileprivate final class Count: Sendable {
    private let number = Atomic<Int>(0)
    func add() { number.wrappingAdd(1, ordering: .relaxed) }
    var value: Int { number.load(ordering: .relaxed) }
  }
}

extension [BackendCounters.Count] {
  /// So many counts of zero.
  fileprivate init(zeros count: Int) { self = (0..<count).map { _ in BackendCounters.Count() } }
}
