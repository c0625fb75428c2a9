// The signals that an operator sends: those that end a gateway, and those that must not. The main thread, or one of its
// own.
import CLinux
import Glibc

extension System {
  /// What ends a gateway: the first of them gracefully, the second at once.
  private static let terminating = [SIGTERM, SIGINT, SIGHUP]
  /// What other servers take for a request, such as to open their log anew. Left alone they would end the process.
  private static let ignored = [SIGUSR1, SIGUSR2]

  /// Blocks SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 for this thread and those it starts, so that one thread can
  /// wait for them.
  public static func blockTerminationSignals() {
    var set = sigset_t()
    // SAFETY: the set is initialised by sigemptyset before use.
    unsafe sigemptyset(&set)
    for number in terminating + ignored { unsafe sigaddset(&set, number) }
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Waits for one of the blocked termination signals and returns its number; `report` is told of each SIGUSR1 and
  /// SIGUSR2, which have no effect.
  public static func waitForTerminationSignal(ignoring report: (Int32) -> Void = { _ in }) -> Int32 {
    var set = sigset_t()
    // SAFETY: as in `blockTerminationSignals`.
    unsafe sigemptyset(&set)
    for number in terminating + ignored { unsafe sigaddset(&set, number) }
    while true {
      var number: Int32 = 0
      // SAFETY: both are locals that outlive the call.
      if unsafe sigwait(&set, &number) != 0 { continue }
      if terminating.contains(number) { return number }
      report(number)
    }
  }

  /// Ends the process by a signal, so that whoever waits for it sees which.
  public static func end(bySignal number: Int32) -> Never {
    clinux_end_by(number)
    _exit(128 + number)
  }

  /// Ends the process.
  public static func end(status: Int32) -> Never { exit(status) }

  fileprivate static func catchTermination() -> Bool {
    terminating.allSatisfy { clinux_catch($0, 0) == 0 } && ignored.allSatisfy { clinux_catch($0, 1) == 0 }
  }

  fileprivate static func isTerminating(_ number: Int32) -> Bool { terminating.contains(number) }
}

/// The termination signals of a program whose threads were started before anybody thought of blocking them. One in a
/// process.
public final class TerminationSignals: Sendable {
  private let fd: Int32

  /// Catches SIGTERM, SIGINT and SIGHUP from now on, and SIGUSR1 and SIGUSR2 where the program does not catch or ignore
  /// them itself.
  public init() throws(SystemError) {
    var ends: (Int32, Int32) = (-1, -1)
    // SAFETY: a pair of descriptors is laid out as the array of two that pipe(2) fills.
    let status = unsafe withUnsafeMutableBytes(of: &ends) { raw in
      unsafe clinux_pipe(raw.baseAddress!.assumingMemoryBound(to: Int32.self))
    }
    if status != 0 { throw SystemError(call: "pipe", number: clinux_errno()) }
    fd = ends.0
    clinux_write_signals_to(ends.1)
    if !System.catchTermination() { throw SystemError(call: "sigaction", number: clinux_errno()) }
  }

  // Both ends of the pipe stay open: the handler writes to it for as long as the process lives.

  /// Waits for the next termination signal and returns its number; blocks the thread. `report` is told of signals that
  /// have no effect.
  public func wait(ignoring report: (Int32) -> Void = { _ in }) -> Int32 {
    while true {
      var value: UInt8 = 0
      // SAFETY: one byte into a local.
      let count = unsafe read(fd, &value, 1)
      // The other end is never closed, so this is an interruption.
      if count != 1 { continue }
      if System.isTerminating(Int32(value)) { return Int32(value) }
      report(Int32(value))
    }
  }
}
