// Starts and joins the threads that reactors run on. Any thread.
import CLinux
import Glibc

/// A joinable POSIX thread.
@safe
public struct ReactorThread: ~Copyable, Sendable {
  private let handle: pthread_t

  private final class Start {
    let name: String
    let core: Int?
    let body: @Sendable () -> Void
    init(name: String, core: Int?, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.core = core
      self.body = body
    }
  }

  /// Runs `body` on a thread of its own, named for the system's tools (15 bytes at most), on core `core` alone if
  /// given.
  public init(name: String, core: Int? = nil, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let start = Start(name: name, core: core, body: body)
    var thread = pthread_t()
    // SAFETY: the box is retained here and released by the thread's first lines.
    let argument = unsafe Unmanaged.passRetained(start).toOpaque()
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        // SAFETY: a terminated string for the call; the kernel keeps 15 bytes of it.
        unsafe clinux_name_thread(start.name)
        if let core = start.core { _ = clinux_pin_thread(UInt32(core)) }
        start.body()
        return nil
      }, argument)
    guard status == 0 else {
      unsafe Unmanaged<Start>.fromOpaque(argument).release()
      throw SystemError(call: "pthread_create", number: status)
    }
    handle = thread
  }

  /// Lets the thread go on alone; what it holds is freed when it ends.
  public consuming func detach() { _ = pthread_detach(handle) }

  /// Waits for the thread to end.
  public consuming func join() { _ = pthread_join(handle, nil) }
}
