// Tells the application of connections' lives: off the reactors, in order for each connection, never without bound.
// Reactors record, tasks run.
import EventLoop

/// Told of something in the life of a connection. Runs as a task off the reactors, one at a time for each connection
/// and in order. What it throws is counted and logged.
public typealias Hook = @Sendable (LifecycleEvent, Outlet) async throws -> Void

/// The hooks of an application.
public struct Hooks: Sendable {
  private var lists: [LifecycleEvent.Kind: [Hook]] = [:]

  /// No hooks.
  public init() {}

  /// Those told of one kind of event, in the order they are called.
  public subscript(_ kind: LifecycleEvent.Kind) -> [Hook] {
    get { lists[kind] ?? [] }
    set { lists[kind] = newValue.isEmpty ? nil : newValue }
  }

  /// Whether nobody wants to be told of anything.
  public var isEmpty: Bool { lists.isEmpty }
}

/// Runs hooks from a bounded queue with a bounded number of tasks.
final class HookRunner: Sendable {
  private struct State {
    /// What is still to be told of each connection that has a place in `ready` or in a task.
    var pending: [ConnectionID: [LifecycleEvent]] = [:]
    /// Connections whose next event can be told, in order; those before `first` have been taken.
    var ready: [ConnectionID] = []
    var first = 0
    /// Events not told yet.
    var count = 0
    var workers = 0
    var outlet: Outlet?
  }

  private let hooks: Hooks
  private let counters: BackendCounters
  private let log: SharedLog
  private let executor: (any TaskExecutor)?
  private let state = Lock(State())

  init(_ hooks: Hooks, counters: BackendCounters, log: SharedLog, executor: (any TaskExecutor)?) {
    self.executor = executor
    self.hooks = hooks
    self.counters = counters
    self.log = log
  }

  /// Gives hooks their way to clients. Before the first event.
  func open(_ outlet: Outlet) { state.withLock { $0.outlet = outlet } }

  /// Whether somebody wants to be told of this kind.
  func wants(_ kind: LifecycleEvent.Kind) -> Bool { !hooks[kind].isEmpty }

  /// Takes an event; the newest is dropped when too many wait. Never blocks for long: a reactor's thread.
  func record(_ event: LifecycleEvent) {
    if !wants(event.kind) { return }
    let (isTaken, needsWorker) = state.withLock { state -> (Bool, Bool) in
      if state.count >= Limits.hooksQueuedMax { return (false, false) }
      state.count += 1
      if state.pending[event.connection]?.append(event) == nil {
        state.pending[event.connection] = [event]
        state.ready.append(event.connection)
      }
      guard state.workers < Limits.hookWorkersMax else { return (true, false) }
      state.workers += 1
      return (true, true)
    }
    if !isTaken {
      counters.count(.dropped)
      log.write("hook-dropped", "queue_full", [("name", .text(event.kind.rawValue))])
    }
    if needsWorker { Task(executorPreference: executor) { [self] in await work() } }
  }

  /// Whether everything has been told.
  var isIdle: Bool { state.withLock { $0.count == 0 } }

  /// Tells what there is, one event of one connection after another.
  private func work() async {
    while let (event, outlet) = next() {
      do {
        for hook in hooks[event.kind] { try await hook(event, outlet) }
        counters.count(.done)
      } catch {
        counters.count(.failed)
        log.write("hook-failed", "", [("name", .text(event.kind.rawValue)), ("error", .text(ErrorText.of(error)))])
      }
      finished(event)
    }
  }

  /// The next event; nil ends the worker.
  private func next() -> (LifecycleEvent, Outlet)? {
    state.withLock { state in
      guard state.first < state.ready.count, let outlet = state.outlet,
        let event = state.pending[state.ready[state.first]]?.first
      else {
        state.workers -= 1
        return nil
      }
      state.first += 1
      if state.first * 2 > state.ready.count {
        state.ready.removeFirst(state.first)
        state.first = 0
      }
      return (event, outlet)
    }
  }

  /// The connection's next event, where there is one, gets in line.
  private func finished(_ event: LifecycleEvent) {
    state.withLock { state in
      state.count -= 1
      state.pending[event.connection]?.removeFirst()
      if state.pending[event.connection]?.isEmpty == false {
        state.ready.append(event.connection)
      } else {
        state.pending[event.connection] = nil
      }
    }
  }
}
