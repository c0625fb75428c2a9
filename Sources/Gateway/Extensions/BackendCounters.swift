// Counts what became of the application's HTTP calls, of questions to an AI service and of hooks. Any thread; read by
// the metrics page.
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
  private let ai = [Count](zeros: Outcome.allCases.count)
  private let asking = Count()

  func count(_ outcome: Outcome) { calls[outcome.rawValue].add() }
  func count(_ outcome: HookOutcome) { hooks[outcome.rawValue].add() }
  func countAI(_ outcome: Outcome) { ai[outcome.rawValue].add() }
  /// A question to the AI service begins (1) or ends (-1).
  func countAsking(_ change: Int) { asking.add(change) }
  func value(_ outcome: Outcome) -> Int { calls[outcome.rawValue].value }
  func value(_ outcome: HookOutcome) -> Int { hooks[outcome.rawValue].value }
  func valueAI(_ outcome: Outcome) -> Int { ai[outcome.rawValue].value }
  /// Questions to the AI service under way, those that wait for a place included.
  var askingCount: Int { asking.value }

  fileprivate final class Count: Sendable {
    private let number = Atomic<Int>(0)
    func add(_ change: Int = 1) { number.wrappingAdd(change, ordering: .relaxed) }
    var value: Int { number.load(ordering: .relaxed) }
  }
}

extension [BackendCounters.Count] {
  /// So many counts of zero.
  fileprivate init(zeros count: Int) { self = (0..<count).map { _ in BackendCounters.Count() } }
}
