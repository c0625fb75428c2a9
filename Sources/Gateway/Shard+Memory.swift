// The bound on what waits for the slow: this reactor's share of it, and ending those who keep too much. The reactor's
// thread.
import Buffers
import EventLoop

extension Shard where Kernel: ~Copyable {
  /// Whether something has changed that `reviewWaiting` should look at. At the end of every flush.
  @inline(__always)
  func mustReviewWaiting() -> Bool {
    outbox.waitingBytes != waitingReported || shared.waiting.callCount != waitingCallsSeen
      || shared.waiting.byteCount > shared.bounds.waitingBytesMax
  }

  /// Reports what waits here, ends connections that need a condemned chunk, and condemns more when all reactors
  /// together keep too much.
  @inline(never)
  mutating func reviewWaiting() {
    let total = reportWaiting()
    let calls = shared.waiting.callCount
    if calls != waitingCallsSeen {
      waitingCallsSeen = calls
      dropCondemned()
    }
    if total > shared.bounds.waitingBytesMax { relieve(total) }
  }

  /// Reports this reactor's share; returns the sum of all.
  private mutating func reportWaiting() -> Int {
    let own = outbox.waitingBytes
    let change = own - waitingReported
    waitingReported = own
    return shared.waiting.report(number, change: change, oldest: outbox.oldestWaitingMilliseconds)
  }

  /// All reactors together keep too much: condemns what has waited longest here, unless another reactor's has waited
  /// longer; that one is asked then.
  private mutating func relieve(_ total: Int) {
    let elsewhere = shared.waiting.oldestElsewhere(than: number)
    guard let oldest = outbox.oldestWaitingMilliseconds, oldest <= elsewhere ?? .max else {
      callOthers()
      return
    }
    // A little more than necessary, so that not every turn has to look through all connections.
    let excess = total - shared.bounds.waitingBytesMax + shared.bounds.waitingBytesMax / 16
    let condemned = outbox.condemn(bytes: excess, upTo: elsewhere ?? .max)
    dropCondemned()
    if condemned.isShared || condemned.bytes < excess { callOthers() }
  }

  /// Asks the other reactors to look, at most once a millisecond: they may need some turns.
  private mutating func callOthers() {
    if others == 0 || now == waitingCalledAt { return }
    waitingCalledAt = now
    // Its own call needs no second look; another's in between does.
    let call = shared.waiting.call()
    if call == waitingCallsSeen &+ 1 { waitingCallsSeen = call }
    var rest = others
    while rest != 0 {
      if network.wake(rest.trailingZeroBitCount) { counters.add(.wakeUps) }
      rest &= rest - 1
    }
  }

  /// Ends the connections that need a condemned chunk, of this reactor or of another.
  private mutating func dropCondemned() {
    if !outbox.hasCondemned { return }
    var slot: UInt32 = 0
    while Int(slot) < connections.indexEnd {
      if connections.isLive(slot) && connections[slot].outbound.isBlocked
        && outbox.usesCondemned(connections[slot].outbound)
      {
        drop(slot, .slow)
      }
      slot += 1
    }
  }

  /// The reactor ends: what waited here no longer counts.
  mutating func endWaiting() { _ = shared.waiting.report(number, change: -waitingReported, oldest: nil) }
}
