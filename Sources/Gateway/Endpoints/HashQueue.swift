// Runs the hashing of passwords on threads of its own, a few at a time. One for the gateway, any thread.
import EventLoop
import Synchronization

/// A bounded queue of slow work. Its threads exist only while there is some: hashing on the threads that Swift's tasks
/// share would keep every handler of the application waiting.
final class HashQueue: Sendable {
  /// Hashes at a time: each takes 16 MiB and a whole core for some 25 ms, and the reactors want cores too.
  static let runningMax = 2
  /// Hashes that may wait: the last of them waits a second or two.
  static let waitingMax = 64

  private struct Job {
    let run: @Sendable () -> Void
    let refuse: @Sendable () -> Void
  }

  private struct State {
    var running = 0
    var waiting: [Job] = []
  }

  private enum Admission { case start, wait, refuse }

  /// Set when nobody waits for a job any more. Relaxed: a job that does not see it works in vain.
  private final class Abandonment: Sendable {
    let isOver = Atomic<Bool>(false)
  }

  private let state = Lock(State())

  /// The outcome of `work`, which runs on one of the queue's threads; nil, at once, when too much waits already or the
  /// system has no thread; nil too when the task was cancelled before the work's turn came, which is then left out.
  func run<Outcome: Sendable>(_ work: @escaping @Sendable () -> Outcome) async -> Outcome? {
    let abandonment = Abandonment()
    return await withTaskCancellationHandler {
      await enqueue(work, abandonment)
    } onCancel: {
      abandonment.isOver.store(true, ordering: .relaxed)
    }
  }

  private func enqueue<Outcome: Sendable>(
    _ work: @escaping @Sendable () -> Outcome, _ abandonment: Abandonment
  ) async -> Outcome? {
    await withCheckedContinuation { continuation in
      let job = Job(
        run: { continuation.resume(returning: abandonment.isOver.load(ordering: .relaxed) ? nil : work()) },
        refuse: { continuation.resume(returning: nil) })
      let admission: Admission = state.withLock { state in
        if state.running < Self.runningMax {
          state.running += 1
          return .start
        }
        if state.waiting.count >= Self.waitingMax { return .refuse }
        state.waiting.append(job)
        return .wait
      }
      switch admission {
      case .wait: break
      case .refuse: job.refuse()
      case .start: if !LogSystem.startThread({ self.work(off: job) }) { giveUp(job) }
      }
    }
  }

  /// Does a job and then whatever waits. On a thread of the queue.
  private func work(off first: Job) {
    var next: Job? = first
    while let job = next {
      job.run()
      next = state.withLock { state in
        if !state.waiting.isEmpty { return state.waiting.removeFirst() }
        state.running -= 1
        return nil
      }
    }
  }

  /// There is no thread: refuses the job, and what waits if nobody else will come for it.
  private func giveUp(_ job: Job) {
    let stranded = state.withLock { state in
      state.running -= 1
      if state.running > 0 { return [Job]() }
      defer { state.waiting = [] }
      return state.waiting
    }
    job.refuse()
    for other in stranded { other.refuse() }
  }
}
