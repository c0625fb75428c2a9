// Which processor a test's thread runs on, and with it the processes that it starts. taskset of util-linux does it.

import Foundation

/// One of two sides of the machine, so that what is measured on one is not slowed down by what another does.
public enum Processor: Sendable {
  /// The first processor that this process may use.
  case first
  /// All the others.
  case others

  /// Runs `body` with this thread on the processor. Processes and threads that it starts stay there. On a machine with
  /// one processor, or without taskset, it is run where it is.
  public func run<Value>(_ body: () throws -> Value) throws -> Value {
    guard let thread = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self"),
      let id = thread.split(separator: "/").last.map(String.init), let allowed = Self.allowed(id),
      let first = allowed.first, allowed.count > 1
    else { return try body() }
    let all = Self.list(allowed)
    let own = self == .first ? "\(first)" : Self.list(Array(allowed.dropFirst()))
    guard Self.taskset(["-cp", own, id]) != nil else { return try body() }
    defer { _ = Self.taskset(["-cp", all, id]) }
    return try body()
  }

  private static func list(_ processors: [Int]) -> String { processors.map { "\($0)" }.joined(separator: ",") }

  /// The processors on which a thread may run.
  private static func allowed(_ thread: String) -> [Int]? {
    // "pid 42's current affinity list: 0,2-3"
    taskset(["-cp", thread])?.split(separator: ":").last?.split(separator: ",").flatMap { part -> [Int] in
      let ends = part.split(separator: "-").compactMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
      guard let low = ends.first, let high = ends.last else { return [] }
      return Array(low...max(low, high))
    }
  }

  /// What it says; nil when it fails.
  private static func taskset(_ arguments: [String]) -> String? {
    guard let end = try? Shell.run(["taskset"] + arguments), end.status == 0 else { return nil }
    return end.output
  }
}
