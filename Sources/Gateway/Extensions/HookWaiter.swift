// A call that waits for the hook `connected` of its connection. Parked by the call's task, told by the hook's, by a
// timer or by whoever cancels the call.
import EventLoop

/// Waits until it is told, which happens once; a second time means nothing.
final class HookWaiter: Sendable {
  private struct State {
    var isTold = false
    var continuation: CheckedContinuation<Void, Never>?
  }

  private let state = Lock(State())

  /// The wait is over.
  func tell() {
    let continuation = state.withLock { state in
      state.isTold = true
      defer { state.continuation = nil }
      return state.continuation
    }
    continuation?.resume()
  }

  /// Returns when it has been told, when the task is cancelled, or after so many milliseconds. Once.
  func wait(milliseconds: Int) async {
    let timer = Task {
      try await Task.sleep(for: .milliseconds(milliseconds))
      tell()
    }
    defer { timer.cancel() }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isTold = state.withLock { state in
          if !state.isTold { state.continuation = continuation }
          return state.isTold
        }
        if isTold { continuation.resume() }
      }
    } onCancel: {
      tell()
    }
  }
}
