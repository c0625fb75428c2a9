// A lock around a value, for what is shared off the data path: the log's queue, addresses, start-up. Any thread.
import CLinux
import Glibc

/// A value that only the holder of a POSIX mutex can touch.
///
/// `Synchronization.Mutex` would do the same with a futex of its own, but the thread sanitizer cannot see into that and
/// reports every use as a race; a pthread mutex it knows, so a report means something (docs/decisions/0010-locks.md).
@safe
public final class Lock<Value: ~Copyable>: @unchecked Sendable {
  // SAFETY: `value` is only reached through `withLock`, while the mutex is held.
  private var value: Value
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  /// A lock, open, around `value`.
  public init(_ value: consuming sending Value) {
    self.value = value
    // SAFETY: the mutex is allocated and initialised once, before anyone has the lock.
    unsafe mutex = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
  }

  deinit {
    // SAFETY: nobody has the lock any more.
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  /// Runs `body` with the value, alone. Not reentrant.
  public func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // SAFETY: initialised in `init`.
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return try body(&value)
  }
}
