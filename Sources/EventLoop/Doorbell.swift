// Wakes a reactor from another thread, and only when it sleeps or is about to. Any thread rings; the owner arms.
import Buffers
import CLinux
import Glibc
import Synchronization

/// An eventfd with a flag that elides the system call while its owner is awake.
///
/// The race is the classic one of two flags. The owner stores `isSleeping`, fences, then looks at its rings; a producer
/// publishes to a ring, fences, then looks at `isSleeping`. The two sequentially consistent fences make it impossible
/// that both miss the other's store, so a post is either seen before the owner sleeps or rings the bell.
public final class Doorbell: Sendable {
  /// The eventfd, for the owner's epoll.
  public let fd: Int32
  private let isSleeping = Atomic<Bool>(false)

  public init() throws(SystemError) {
    fd = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
    if fd < 0 { throw SystemError(call: "eventfd", number: clinux_errno()) }
  }

  deinit { System.close(fd) }

  /// The owner is about to sleep. Its rings must be looked at once more after this.
  public func arm() {
    // Relaxed is enough: the fence orders it before the owner's loads; partner: the fence in `ringIfSleeping`.
    isSleeping.store(true, ordering: .relaxed)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
  }

  /// The owner is awake again.
  public func disarm() { isSleeping.store(false, ordering: .relaxed) }

  /// After publishing: wakes the owner if it sleeps. True when that took a system call.
  @discardableResult
  public func ringIfSleeping() -> Bool {
    // Partner: the fence in `arm`.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if !isSleeping.load(ordering: .relaxed) { return false }
    // Acquire-release: of several producers exactly one makes the call.
    if !isSleeping.exchange(false, ordering: .acquiringAndReleasing) { return false }
    ring()
    return true
  }

  /// Wakes the owner in any case.
  public func ring() {
    var one: UInt64 = 1
    // SAFETY: an eventfd takes exactly eight bytes. A full counter (EAGAIN) already means "wake up".
    unsafe _ = write(fd, &one, 8)
  }

  /// Empties the eventfd.
  func drain() {
    var value: UInt64 = 0
    // SAFETY: an eventfd gives exactly eight bytes.
    unsafe _ = read(fd, &value, 8)
  }
}
