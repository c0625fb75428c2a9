// The handler calls that belong to one connection: started by its reactor, run as tasks off it, cancelled when it goes.
import EventLoop

/// The calls of one connection that have not ended. Exists only while there are any.
final class Conversation: Sendable {
  private struct State {
    var tasks: [UInt64: Task<Void, Never>] = [:]
    /// The latest call that others wait behind.
    var last: Task<Void, Never>?
    var orderedCount = 0
    /// Calls, and ordered ones among them, whose end the reactor has not seen yet. Until then what they sent may still
    /// lie in its queue, and nothing of the gateway's own may go out before that.
    var unseenCount = 0
    var unseenOrderedCount = 0
    var serial: UInt64 = 0
    var isCancelled = false
    var waiters: [RoomWaiter] = []
  }

  private let id: ConnectionID
  private let shared: SharedState
  private let state = Lock(State())

  init(id: ConnectionID, shared: SharedState) {
    self.id = id
    self.shared = shared
  }

  /// Starts a call; one that is `ordered` begins after the ordered one before it has ended, and none before the
  /// connection's `connected` hook has been told (PROTOCOLS 9). False when the connection
  /// or the gateway has as many calls as are allowed.
  func start(ordered: Bool, bytes: Int, _ body: @escaping @Sendable () async -> Void) -> Bool {
    state.withLock { state in
      if state.isCancelled || state.tasks.count >= shared.limits.callsPerConnectionMax { return false }
      guard shared.enterCall(bytes: bytes) else { return false }
      state.serial += 1
      let serial = state.serial
      let previous = ordered ? state.last : nil
      let task = Task(executorPreference: shared.extensions.executor) { [self] in
        await previous?.value
        await shared.extensions.awaitConnected?(id)
        if !Task.isCancelled { await body() }
        ended(serial, ordered, bytes)
      }
      // Its end needs the lock as well, so it is entered here before it can leave.
      state.tasks[serial] = task
      state.unseenCount += 1
      if ordered {
        state.last = task
        state.orderedCount += 1
        state.unseenOrderedCount += 1
      }
      return true
    }
  }

  /// Whether there are ordered calls whose end the reactor has not seen.
  var hasOrdered: Bool { state.withLock { $0.unseenOrderedCount > 0 } }

  /// The reactor has seen the end of a call.
  func noteEnd(isOrdered: Bool) {
    state.withLock { state in
      state.unseenCount -= 1
      if isOrdered { state.unseenOrderedCount -= 1 }
    }
  }

  /// Whether there is nothing left.
  var isIdle: Bool { state.withLock { $0.unseenCount == 0 && $0.waiters.isEmpty } }

  /// The connection has gone.
  func cancel() {
    let (tasks, waiters) = state.withLock { state in
      state.isCancelled = true
      let waiters = state.waiters
      state.waiters = []
      return (state.tasks, waiters)
    }
    for waiter in waiters { waiter.fail() }
    for task in tasks.values { task.cancel() }
  }

  /// Keeps a waiter until the connection has room.
  func park(_ waiter: RoomWaiter) {
    let isParked = state.withLock { state in
      if !state.isCancelled { state.waiters.append(waiter) }
      return !state.isCancelled
    }
    if !isParked { waiter.fail() }
  }

  /// The connection has room.
  func resumeWaiters() {
    let waiters = state.withLock { state in
      let waiters = state.waiters
      state.waiters = []
      return waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  private func ended(_ serial: UInt64, _ ordered: Bool, _ bytes: Int) {
    state.withLock { state in
      state.tasks[serial] = nil
      if ordered {
        state.orderedCount -= 1
        if state.orderedCount == 0 { state.last = nil }
      }
    }
    shared.leaveCall(bytes: bytes)
    shared.commands[id.reactor].push(.callEnded(id, isOrdered: ordered))
  }
}
