// Deadlines of one reactor's connections: a hashed wheel with one timer a slot and no allocation per timer. One thread.
import Buffers

/// A hashed timer wheel. Each slot of the connection slab has at most one deadline; its links lie in arrays beside the
/// slab, so arming, moving and cancelling are a few stores. Deadlines are rounded up to `tickMilliseconds`.
public struct TimerWheel: ~Copyable {
  /// Resolution. 1 024 buckets of 32 ms make a round of 32.8 s, so a 30 s heartbeat is looked at once, when it is due.
  public static var tickMilliseconds: UInt64 { 32 }
  static var bucketCount: Int { 1024 }

  struct Link: BitwiseCopyable {
    var next: UInt32
    var previous: UInt32
    /// The tick at which the timer is due; 0 when it is not armed.
    var deadline: UInt32
  }

  static var none: UInt32 { .max }
  /// `previous` of a timer that has been taken out as expired and not yet been looked at.
  static var expiredMark: UInt32 { .max - 1 }

  var heads: GrowableArray<UInt32>
  var links = GrowableArray<Link>()
  var expired = GrowableArray<UInt32>()
  /// Buckets up to and including this tick have been emptied of what was due.
  var currentTick: UInt32
  var armedCount = 0
  let epoch: UInt64

  /// An empty wheel; `nowMilliseconds` is any monotonic clock.
  public init(nowMilliseconds: UInt64) {
    heads = GrowableArray(repeating: Self.none, count: Self.bucketCount)
    // Ticks start at 1, so that 0 can mean "not armed".
    epoch = nowMilliseconds &- Self.tickMilliseconds
    currentTick = 1
  }

  /// Timers that are armed.
  public var count: Int { armedCount }

  func tick(at milliseconds: UInt64, roundingUp: Bool) -> UInt32 {
    // Wrapping, because the epoch lies before zero when the clock began at less than one tick.
    let signed = Int64(bitPattern: milliseconds &- epoch)
    let elapsed = UInt64(max(signed, 0))
    let extra = roundingUp ? Self.tickMilliseconds - 1 : 0
    return UInt32(truncatingIfNeeded: (elapsed + extra) / Self.tickMilliseconds)
  }

  /// Arms the timer of `slot`, or moves it, to fall due at `milliseconds`.
  public mutating func schedule(_ slot: UInt32, at milliseconds: UInt64) {
    while links.count <= Int(slot) { links.append(Link(next: Self.none, previous: Self.none, deadline: 0)) }
    let deadline = max(tick(at: milliseconds, roundingUp: true), currentTick &+ 1)
    if links[Int(slot)].deadline == deadline { return }
    cancel(slot)
    let bucket = Int(deadline) % Self.bucketCount
    let head = heads[bucket]
    links[Int(slot)] = Link(next: head, previous: Self.none, deadline: deadline)
    if head != Self.none { links[Int(head)].previous = slot }
    heads[bucket] = slot
    armedCount += 1
  }

  /// Disarms the timer of `slot`; one that is not armed is left alone.
  public mutating func cancel(_ slot: UInt32) {
    guard Int(slot) < links.count else { return }
    let link = links[Int(slot)]
    if link.deadline == 0 {
      links[Int(slot)].previous = Self.none
      return
    }
    if link.previous != Self.none {
      links[Int(link.previous)].next = link.next
    } else {
      heads[Int(link.deadline) % Self.bucketCount] = link.next
    }
    if link.next != Self.none { links[Int(link.next)].previous = link.previous }
    links[Int(slot)] = Link(next: Self.none, previous: Self.none, deadline: 0)
    armedCount -= 1
  }

  /// Moves the wheel to `nowMilliseconds`; what has fallen due is then given out by `popExpired`.
  public mutating func advance(to nowMilliseconds: UInt64) {
    let now = tick(at: nowMilliseconds, roundingUp: false)
    // After a long stall each bucket is looked at once, however many ticks went by.
    let steps = min(now > currentTick ? Int(now - currentTick) : 0, Self.bucketCount)
    for step in 0..<steps {
      let bucket = (Int(currentTick) + 1 + step) % Self.bucketCount
      var slot = heads[bucket]
      while slot != Self.none {
        let next = links[Int(slot)].next
        if links[Int(slot)].deadline <= now {
          cancel(slot)
          links[Int(slot)].previous = Self.expiredMark
          expired.append(slot)
        }
        slot = next
      }
    }
    currentTick = max(now, currentTick)
  }

  /// A slot whose deadline has passed, once; nil when there is none left. One that was cancelled or armed anew since
  /// `advance` is skipped.
  public mutating func popExpired() -> UInt32? {
    while let slot = expired.popLast() {
      if links[Int(slot)].previous == Self.expiredMark && links[Int(slot)].deadline == 0 {
        links[Int(slot)].previous = Self.none
        return slot
      }
    }
    return nil
  }

  /// How long a reactor may sleep before a timer could be due: at most `limit`, and not at all while some that are due
  /// have not been given out.
  public func delay(from nowMilliseconds: UInt64, atMost limit: UInt64) -> UInt64 {
    if !expired.isEmpty { return 0 }
    if armedCount == 0 { return limit }
    let ticks = min(Int(limit / Self.tickMilliseconds) + 1, Self.bucketCount)
    for step in 1...ticks where heads[(Int(currentTick) + step) % Self.bucketCount] != Self.none {
      let due = epoch &+ (UInt64(currentTick) + UInt64(step)) * Self.tickMilliseconds
      return min(due > nowMilliseconds ? due - nowMilliseconds : 0, limit)
    }
    return limit
  }
}
