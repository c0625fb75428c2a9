// libcurl's multi handle behind one stored property. `wake` from any thread, the rest on the courier's.
import CCurl

/// Drives the transfers that were added to it.
@safe
final class CurlMulti: @unchecked Sendable {
  // SAFETY: made once, freed by `deinit`. libcurl allows `curl_multi_wakeup` from any thread; the rest is only called
  // by the courier's thread.
  private let handle: UnsafeMutableRawPointer

  /// Whether libcurl could be set up; once in a process.
  private static let isReady: Bool = ccurl_global_init() == 0

  /// Nil when libcurl cannot be set up. `connectionsMax` is how many connections are kept without a request.
  init?(connectionsMax: Int) {
    // SAFETY: libcurl is ready; nobody else has the new handle.
    guard Self.isReady, let handle = unsafe ccurl_multi_new(connectionsMax) else { return nil }
    unsafe self.handle = unsafe handle
  }

  deinit {
    // SAFETY: the last reference; the loop has removed all transfers.
    unsafe ccurl_multi_free(handle)
  }

  /// Ends the current or the next `wait`.
  func wake() {
    // SAFETY: the handle lives as long as this object.
    unsafe _ = ccurl_multi_wakeup(handle)
  }

  /// Begins a transfer. False when libcurl refuses.
  func add(_ transfer: Transfer) -> Bool {
    // SAFETY: as above; the loop keeps the transfer, and with it the easy handle, until after `remove`.
    unsafe ccurl_multi_add(handle, transfer.easy) == 0
  }

  /// Ends a transfer; its connection is closed unless the answer was complete.
  func remove(_ transfer: Transfer) {
    // SAFETY: as above.
    unsafe _ = ccurl_multi_remove(handle, transfer.easy)
  }

  /// Does what can be done without waiting. Calls back into the transfers.
  func perform() {
    // SAFETY: as above; callbacks come on this thread only, during this call.
    unsafe _ = ccurl_multi_perform(handle)
  }

  /// Waits for a socket, one of libcurl's own deadlines, `wake`, or the time given.
  func wait(milliseconds: UInt64) {
    let limit = Int32(truncatingIfNeeded: min(milliseconds, CourierLimits.sleepMillisecondsMax))
    // SAFETY: as above.
    unsafe _ = ccurl_multi_poll(handle, limit)
  }

  /// The next transfer that has ended, and how.
  func nextEnded() -> (Transfer, Int32)? {
    var result: Int32 = 0
    // SAFETY: the context is the transfer that made the handle (`Transfer.init`), kept by the loop until it is removed.
    guard let context = unsafe ccurl_multi_ended(handle, &result) else { return nil }
    return unsafe (Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue(), result)
  }

  /// Blocks SIGPIPE in the calling thread.
  static func blockBrokenPipes() { ccurl_block_sigpipe() }
}
