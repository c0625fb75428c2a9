// The time of day for cold paths that have no reactor's clock. Any thread.
import Buffers
import EventLoop
import Wire

/// The wall clock as text.
enum WallClock {
  /// Now, as the protocols write it (PROTOCOLS, `now_iso`).
  static func iso() -> String { iso(System.wallMilliseconds()) }

  /// Milliseconds since 1970 likewise.
  static func iso(_ milliseconds: Int64) -> String {
    var clock = TimestampClock()
    clock.set(milliseconds)
    return clock.iso.string
  }
}
