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
    /// Calls that wait until a connection's `connected` has been told.
    var waiting: [ConnectionID: [HookWaiter]] = [:]
    /// Connections whose `connected` a call has waited for long enough; the calls behind it do not wait again.
    var givenUp: Set<ConnectionID> = []
  }

  private let hooks: Hooks
  private let counters: BackendCounters
  private let log: SharedLog
  private let executor: (any TaskExecutor)?
  /// Milliseconds that a call waits for the hook of its connection at most.
  private let patienceMilliseconds: Int
  private let state = Lock(State())

  init(
    _ hooks: Hooks, counters: BackendCounters, log: SharedLog, executor: (any TaskExecutor)?,
    patienceMilliseconds: Int = Limits.hookPatienceMilliseconds
  ) {
    self.executor = executor
    self.patienceMilliseconds = patienceMilliseconds
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

  /// Returns when `connected` of this connection has been told, or has failed; at once where it does not wait to be
  /// told, because it was dropped or was never recorded. Nobody waits for longer than the patience: what comes first
  /// for the application is wrong then, and that is better than a client that is not served. The task of a call.
  func awaitConnected(_ connection: ConnectionID) async {
    let waiter = HookWaiter()
    guard park(waiter, connection) else { return }
    await waiter.wait(milliseconds: patienceMilliseconds)
    if !Task.isCancelled { giveUp(connection) }
  }

  /// Keeps a waiter until `connected` has been told; false where it does not wait to be told, or not any more.
  func park(_ waiter: HookWaiter, _ connection: ConnectionID) -> Bool {
    state.withLock { state in
      guard Self.isPending(connection, state), !state.givenUp.contains(connection) else { return false }
      state.waiting[connection, default: []].append(waiter)
      return true
    }
  }

  private func giveUp(_ connection: ConnectionID) {
    state.withLock { if Self.isPending(connection, $0) { $0.givenUp.insert(connection) } }
  }

  /// Whether `connected` has not been told yet. A connection's events are told in order, and this is the first.
  private static func isPending(_ connection: ConnectionID, _ state: State) -> Bool {
    state.pending[connection]?.first?.kind == .connected
  }

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
    let waiters = state.withLock { state in
      state.count -= 1
      state.pending[event.connection]?.removeFirst()
      if state.pending[event.connection]?.isEmpty == false {
        state.ready.append(event.connection)
      } else {
        state.pending[event.connection] = nil
      }
      guard event.kind == .connected else { return [HookWaiter]() }
      state.givenUp.remove(event.connection)
      return state.waiting.removeValue(forKey: event.connection) ?? []
    }
    for waiter in waiters { waiter.tell() }
  }
}
