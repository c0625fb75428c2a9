// The system calls of logging: a thread, a semaphore, the clock, write(2). Used by `Logger` only.

import Glibc

/// A counting semaphore that many threads post and the writer waits on.
@safe
final class WakeSignal: @unchecked Sendable {
  // SAFETY: allocated and initialised once, at a fixed address; sem_post and sem_wait are thread-safe.
  private let semaphore: UnsafeMutablePointer<sem_t>

  init() {
    // SAFETY: one sem_t, freed in `deinit`.
    unsafe semaphore = .allocate(capacity: 1)
    unsafe semaphore.initialize(to: sem_t())
    unsafe sem_init(semaphore, 0, 0)
  }

  deinit {
    // SAFETY: nobody waits any more, because a waiter holds a reference to this object.
    unsafe sem_destroy(semaphore)
    unsafe semaphore.deallocate()
  }

  /// Wakes the waiter, now or the next time it waits. Never blocks.
  func post() {
    // SAFETY: the semaphore lives as long as `self`.
    _ = unsafe sem_post(semaphore)
  }

  /// Waits for a post.
  func wait() {
    // SAFETY: as `post`. An interrupted wait returns early, which the caller's loop allows.
    _ = unsafe sem_wait(semaphore)
  }
}

/// The few calls that need C.
enum LogSystem {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts a detached thread that takes no signals; false when the system refuses one.
  static func startThread(_ run: @escaping @Sendable () -> Void) -> Bool {
    var everything = sigset_t()
    var before = sigset_t()
    var thread = pthread_t()
    // SAFETY: the sets and the thread id are locals that outlive the calls.
    unsafe sigfillset(&everything)
    unsafe pthread_sigmask(SIG_SETMASK, &everything, &before)
    // SAFETY: the body is retained here and released once, by the thread or, where there is none, below.
    let body = unsafe Unmanaged.passRetained(Body(run))
    let status = unsafe pthread_create(
      &thread, nil,
      { raw in
        unsafe Unmanaged<Body>.fromOpaque(raw!).takeRetainedValue().run()
        return nil
      }, body.toOpaque())
    if status != 0 { unsafe body.release() }
    // SAFETY: as above.
    unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
    if status == 0 { pthread_detach(thread) }
    return status == 0
  }

  /// Writes all of `bytes`, waiting for a full pipe. What cannot be written at all is dropped: there is nowhere to say
  /// so.
  static func write(_ bytes: [UInt8], to fd: Int32) {
    var offset = 0
    while offset < bytes.count {
      // SAFETY: the pointer is used during the call only, for the bytes behind `offset`.
      let (written, code) = unsafe bytes.withUnsafeBytes { raw in
        let count = unsafe Glibc.write(fd, raw.baseAddress! + offset, raw.count - offset)
        return (count, errno)
      }
      if written > 0 {
        offset += written
      } else if written < 0 && code == EAGAIN {
        var request = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        // SAFETY: one pollfd on the stack.
        _ = unsafe poll(&request, 1, 1_000)
      } else if !(written < 0 && code == EINTR) {
        return
      }
    }
  }

  /// Milliseconds since 1970.
  static func nowMilliseconds() -> Int64 {
    var time = timespec()
    // SAFETY: a local that outlives the call.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// Sleeps about a millisecond.
  static func pause() { usleep(1_000) }
}

/// What the command line prints, unbuffered and apart from the log. For start-up and short commands.
public enum Console {
  /// Writes to standard output.
  public static func writeOutput(_ text: String) { LogSystem.write(Array(text.utf8), to: 1) }

  /// Writes to standard error.
  public static func writeError(_ text: String) { LogSystem.write(Array(text.utf8), to: 2) }
}
