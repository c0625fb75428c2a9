// A line for whoever watches the terminal, and a look at Ctrl-C, a few times a second. One thread.
import EventLoop

/// Shows how far a run is and learns whether it is to stop.
struct Progress {
  /// Between two looks: 20 ms, in nanoseconds.
  private static let lookNanoseconds: UInt64 = 20_000_000
  /// Between two lines: 250 ms.
  private static let showNanoseconds: UInt64 = 250_000_000

  private(set) var interrupted = false
  private var nextLook: UInt64 = 0
  private var nextShow: UInt64 = 0
  private var shown = false

  /// Takes note of the time; to be called in every turn of a loop. True at most every 250 ms, when a line may be shown.
  mutating func turn(_ now: UInt64) -> Bool {
    if now < nextLook { return false }
    nextLook = now + Progress.lookNanoseconds
    if Kernel.interrupted() { interrupted = true }
    if !Kernel.watched || now < nextShow { return false }
    nextShow = now + Progress.showNanoseconds
    return true
  }

  /// Looks, and shows `what` with a count out of a total.
  mutating func show(_ what: StaticString, _ count: Int, _ total: Int) {
    if turn(System.monotonicNanoseconds()) { line("\(what) \(count) of \(total)") }
  }

  /// Shows a line in place of the last one.
  mutating func line(_ text: String) {
    Kernel.write("\r\u{1B}[K" + text, to: 2)
    shown = true
  }

  /// Clears the line.
  mutating func end() {
    if shown { Kernel.write("\r\u{1B}[K", to: 2) }
    shown = false
  }
}
