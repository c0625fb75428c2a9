// What the tests of the client share. Any task.

import EventLoop
import Foundation
import TestSupport
import Testing

@testable import MartletClient

/// Tests with sockets. One after the other, because each has servers and threads of its own.
@Suite("Swift client", .serialized)
enum Live {}

/// A list that tests on one task look at while others add to it.
final class Collected<Element: Sendable>: Sendable {
  private let list = Lock<[Element]>([])

  func add(_ element: Element) { list.withLock { $0.append(element) } }
  var all: [Element] { list.withLock { $0 } }
  var count: Int { list.withLock { $0.count } }
}

/// Whether a condition becomes true, without holding a thread meanwhile.
func becomes(_ condition: () async throws -> Bool) async rethrows -> Bool {
  let deadline = Deadline(milliseconds: Socket.patienceMilliseconds)
  while true {
    if try await condition() { return true }
    if deadline.isOver { return false }
    try? await Task.sleep(for: .milliseconds(5))
  }
}

/// Options with which failures are repeated soon, so that tests do not wait.
func quickOptions() -> ClientOptions {
  var options = ClientOptions()
  options.backoffInitialMilliseconds = 10
  options.backoffMaxMilliseconds = 100
  options.restartSpreadMilliseconds = 5
  options.closeTimeoutMilliseconds = 2_000
  return options
}

/// The states of a client, collected from now on.
func collectStates(_ states: AsyncStream<ConnectionState>) -> Collected<ConnectionState> {
  let collected = Collected<ConnectionState>()
  Task {
    for await state in states { collected.add(state) }
  }
  return collected
}

extension ConnectionState {
  var closedReason: ClosedReason? {
    if case .closed(let reason) = self { return reason }
    return nil
  }

  var isWaiting: Bool {
    if case .waiting = self { return true }
    return false
  }
}

/// A gateway for the time of a test.
func withGateway(
  _ arguments: [String] = [], reactors: Int = 1, standardAddress: Bool = true,
  sourceLocation: SourceLocation = #_sourceLocation, _ body: (GatewayProcess) async throws -> Void
) async throws {
  let gateway = try GatewayProcess(arguments, reactors: reactors, standardAddress: standardAddress)
  do {
    try await body(gateway)
  } catch {
    Issue.record(error, "the gateway said:\n\(gateway.log)", sourceLocation: sourceLocation)
  }
  let end = gateway.stop()
  #expect(end.status == 0, "\(end.log)", sourceLocation: sourceLocation)
}

extension GatewayProcess {
  var channelsURL: String { "ws://127.0.0.1:\(port)/channels" }
}
