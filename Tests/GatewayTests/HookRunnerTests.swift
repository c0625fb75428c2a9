// Hooks: order for each connection, bounded waiting, failures that stop nothing.
import Buffers
import EventLoop
import TestSupport
import Testing

@testable import Gateway

@Suite("Hooks", OwnThreads())
struct HookRunnerTests {
  private struct Failure: Error {}

  private func event(_ kind: LifecycleEvent.Kind, _ connection: Int, topic: String? = nil) -> LifecycleEvent {
    LifecycleEvent(
      kind: kind, dialect: .channels, connection: ConnectionID(reactor: connection, token: SlabToken(rawValue: 1)),
      user: nil, topic: topic)
  }

  private func runner(
    _ hooks: Hooks, _ counters: BackendCounters, patienceMilliseconds: Int = 3_600_000
  ) throws -> HookRunner {
    let runner = HookRunner(
      hooks, counters: counters, log: SharedLog(Logger(format: .text, level: .error)), executor: TestThreads.shared,
      patienceMilliseconds: patienceMilliseconds)
    runner.open(Outlet([CommandQueue(doorbell: try Doorbell())], home: 0))
    return runner
  }

  private func idle(_ runner: HookRunner) async throws {
    for _ in 0..<4_000 where !runner.isIdle { try await Task.sleep(for: .milliseconds(5)) }
    #expect(runner.isIdle)
  }

  @Test("each connection's events are told in order, whatever other connections do")
  func order() async throws {
    let told = Lock<[Int: [String]]>([:])
    var hooks = Hooks()
    for kind in LifecycleEvent.Kind.allCases {
      hooks[kind].append { event, _ in
        await Task.yield()
        told.withLock { $0[event.connection.reactor, default: []].append(event.topic ?? event.kind.rawValue) }
      }
    }
    let counters = BackendCounters()
    let runner = try runner(hooks, counters)
    for step in 0..<52 {
      for connection in 0..<40 {
        switch step {
        case 0: runner.record(event(.connected, connection))
        case 51: runner.record(event(.disconnected, connection))
        default: runner.record(event(.subscribed, connection, topic: "\(step)"))
        }
      }
    }
    try await idle(runner)
    let expected = ["connected"] + (1...50).map(String.init) + ["disconnected"]
    for connection in 0..<40 { #expect(told.withLock { $0[connection] } == expected) }
    #expect(counters.value(.done) == 40 * 52)
  }

  @Test("hooks of one event are called in the order added, and only those of its kind")
  func several() async throws {
    let told = Lock<[String]>([])
    var hooks = Hooks()
    hooks[.connected].append { _, _ in told.withLock { $0.append("first") } }
    hooks[.connected].append { _, _ in told.withLock { $0.append("second") } }
    let runner = try runner(hooks, BackendCounters())
    #expect(runner.wants(.connected) && !runner.wants(.disconnected))
    runner.record(event(.disconnected, 1))
    runner.record(event(.connected, 1))
    try await idle(runner)
    #expect(told.withLock { $0 } == ["first", "second"])
  }

  @Test("a call waits for its own connection's hook, however that ends, and for nothing else")
  func calls() async throws {
    let told = Lock<[String]>([])
    let isOpen = Lock(false)
    var hooks = Hooks()
    hooks[.connected].append { event, _ in
      if event.connection.reactor != 1 { throw Failure() }
      while !isOpen.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(2)) }
      told.withLock { $0.append("hook") }
    }
    let runner = try runner(hooks, BackendCounters())
    // Nobody was announced.
    await runner.awaitConnected(event(.connected, 1).connection)
    runner.record(event(.connected, 1))
    runner.record(event(.connected, 2))
    await runner.awaitConnected(event(.connected, 2).connection)
    let calls = (0..<3).map { _ in
      Task {
        await runner.awaitConnected(event(.connected, 1).connection)
        told.withLock { $0.append("call") }
      }
    }
    let cancelled = Task { await runner.awaitConnected(event(.connected, 1).connection) }
    cancelled.cancel()
    await cancelled.value
    #expect(told.withLock { $0 } == [])
    isOpen.withLock { $0 = true }
    for call in calls { await call.value }
    #expect(told.withLock { $0 } == ["hook", "call", "call", "call"])
    await runner.awaitConnected(event(.connected, 1).connection)
    try await idle(runner)
  }

  @Test("a call does not wait for ever for a hook that never ends")
  func patience() async throws {
    let isOver = Lock(false)
    var hooks = Hooks()
    hooks[.connected].append { _, _ in
      while !isOver.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(2)) }
    }
    let runner = try runner(hooks, BackendCounters(), patienceMilliseconds: 20)
    runner.record(event(.connected, 1))
    #expect(runner.park(HookWaiter(), event(.connected, 1).connection))
    await runner.awaitConnected(event(.connected, 1).connection)
    #expect(!runner.isIdle)
    // Those behind it do not wait as long again.
    #expect(!runner.park(HookWaiter(), event(.connected, 1).connection))
    isOver.withLock { $0 = true }
    try await idle(runner)
  }

  @Test("a hook that fails is counted, and the next event is told")
  func failure() async throws {
    let told = Lock(0)
    var hooks = Hooks()
    hooks[.subscribed].append { event, _ in
      if event.topic == "bad" { throw Failure() }
      told.withLock { $0 += 1 }
    }
    let counters = BackendCounters()
    let runner = try runner(hooks, counters)
    for topic in ["a", "bad", "b"] { runner.record(event(.subscribed, 1, topic: topic)) }
    try await idle(runner)
    #expect(told.withLock { $0 } == 2)
    #expect(counters.value(.failed) == 1)
  }

  @Test("hooks that hang hold so many events and no more; the newest are dropped and counted")
  func bounded() async throws {
    let gate = Lock(false)
    var hooks = Hooks()
    hooks[.connected].append { _, _ in
      while !gate.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
    }
    let counters = BackendCounters()
    let runner = try runner(hooks, counters)
    for connection in 0..<Limits.hooksQueuedMax + 10 { runner.record(event(.connected, connection)) }
    #expect(counters.value(.dropped) == 10)
    gate.withLock { $0 = true }
    try await idle(runner)
    #expect(counters.value(.done) == Limits.hooksQueuedMax)
  }
}
