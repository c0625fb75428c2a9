// Keeps what a walker sends for a client without a token from reaching others, and remembers that there was something.
// Shared by one run's outlets, any thread.
import Synchronization

/// Stands between a walker that the public user runs and everyone else (PROTOCOLS 9 on 5.2).
final class NotifyBarrier: Sendable {
  /// Relaxed: the run's task sets it and reads it, and a task that it has left behind may set it too late.
  private let isHit = Atomic<Bool>(false)

  /// A notification was kept back.
  func hit() { isHit.store(true, ordering: .relaxed) }

  /// Whether one was.
  var wasHit: Bool { isHit.load(ordering: .relaxed) }
}
