// Threads for asynchronous tests and for the handlers they wait for. Swift's own are as many as the machine has cores,
// and tests that block sockets take all of them for minutes.

import Foundation

/// Runs tasks on threads that nothing else uses.
public final class TestThreads: TaskExecutor {
  public static let shared = TestThreads()
  /// So that those that start a process, and block meanwhile, do not hold the others up.
  private static let threadCount = 32

  private final class Queue: @unchecked Sendable {
    // SAFETY: `jobs` is only touched with the lock held.
    var jobs: [UnownedJob] = []
    let lock = NSLock()
  }
  private let queue = Queue()
  private let count = DispatchSemaphore(value: 0)

  private init() {
    for _ in 0..<Self.threadCount { Thread.detachNewThread { [self] in run() } }
  }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.lock.withLock { queue.jobs.append(job) }
    count.signal()
  }

  private func run() {
    while true {
      count.wait()
      let job = queue.lock.withLock { queue.jobs.removeFirst() }
      // SAFETY: each job was enqueued once and is taken out once.
      unsafe job.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
