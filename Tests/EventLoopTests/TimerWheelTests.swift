// The timer wheel against a plain dictionary of deadlines.
import TestSeeds
import Testing

@testable import EventLoop

@Suite("TimerWheel")
struct TimerWheelTests {
  /// A wheel with the deadlines that it should know.
  struct Modelled: ~Copyable {
    var wheel: TimerWheel
    /// Deadlines by slot, none earlier than the time at which they were set.
    var deadlines: [UInt32: UInt64] = [:]
    var now: UInt64

    init(now: UInt64) {
      wheel = TimerWheel(nowMilliseconds: now)
      self.now = now
    }

    mutating func schedule(_ slot: UInt32, at time: UInt64) {
      wheel.schedule(slot, at: time)
      deadlines[slot] = max(time, now)
    }

    mutating func cancel(_ slot: UInt32) {
      wheel.cancel(slot)
      deadlines[slot] = nil
    }

    mutating func popAll() -> [UInt32] {
      var slots: [UInt32] = []
      while let slot = wheel.popExpired() { slots.append(slot) }
      return slots
    }
  }

  static func randomDelay(_ random: inout SeededRandom) -> UInt64 {
    switch random.below(10) {
    case 0: 0
    case 1...4: UInt64(random.below(200))
    case 5...7: UInt64(random.below(40_000))
    case 8: UInt64(random.below(3)) * 32_768
    default: UInt64(random.below(10_000_000))
    }
  }

  @Test(
    "timers never fire early, at most one tick late, and once, whatever is armed, moved and cancelled",
    arguments: [0, 1, 31, 32, 33, 5_000_000, UInt64(UInt32.max) * 40])
  func model(start: UInt64) {
    var random = SeededRandom("TimerWheel from \(start)")
    var timers = Modelled(now: start)
    for step in 0..<4_000 {
      for _ in 0..<random.below(4) {
        let slot = UInt32(random.below(60))
        let time = timers.now + Self.randomDelay(&random)
        if random.below(4) == 0 {
          timers.cancel(slot)
        } else {
          timers.schedule(slot, at: random.below(8) == 0 ? timers.now - min(timers.now, 500) : time)
        }
      }
      let count = timers.wheel.count
      #expect(count == timers.deadlines.count, "step \(step) seed \(random.seed)")
      // Mostly small steps, at times further than a round of the wheel.
      timers.now += random.below(30) == 0 ? Self.randomDelay(&random) : UInt64(random.below(100))
      timers.wheel.advance(to: timers.now)
      Self.expire(&timers, &random, step)
      Self.checkDelay(timers, random.seed)
    }
  }

  /// Takes out what is due, after touching some of it.
  static func expire(_ timers: inout Modelled, _ random: inout SeededRandom, _ step: Int) {
    let now = timers.now
    let tick = TimerWheel.tickMilliseconds
    for slot in timers.deadlines.keys.sorted() where random.below(10) == 0 {
      if random.below(2) == 0 {
        timers.cancel(slot)
      } else {
        timers.schedule(slot, at: now + UInt64(random.below(1_000)))
      }
    }
    let touchedOrLater = timers.deadlines
    let popped = timers.popAll()
    #expect(Set(popped).count == popped.count, "step \(step) seed \(random.seed)")
    for slot in popped {
      let deadline = timers.deadlines.removeValue(forKey: slot)
      #expect(deadline != nil && deadline! <= now, "slot \(slot) step \(step) seed \(random.seed)")
    }
    let late = timers.deadlines.filter { $0.value + tick <= now }
    #expect(late.isEmpty, "step \(step) of \(touchedOrLater.count) seed \(random.seed)")
  }

  /// A reactor that sleeps as long as it may is never later than the tick of the next timer, and never spins.
  static func checkDelay(_ timers: borrowing Modelled, _ seed: UInt64) {
    for limit: UInt64 in [1, 100, 1_000, 32_768, 100_000] {
      let delay = timers.wheel.delay(from: timers.now, atMost: limit)
      #expect(delay <= limit && delay > 0, "seed \(seed)")
      if let next = timers.deadlines.values.min() {
        #expect(timers.now + delay <= next + TimerWheel.tickMilliseconds, "seed \(seed)")
      }
    }
  }

  @Test("a timer that is armed anew or cancelled between falling due and being taken out is skipped")
  func skipped() {
    var timers = Modelled(now: 1_000)
    for slot in 0..<UInt32(4) { timers.schedule(slot, at: 1_100) }
    timers.wheel.advance(to: 1_200)
    timers.wheel.schedule(1, at: 9_000)
    timers.wheel.cancel(2)
    timers.wheel.schedule(3, at: 9_000)
    timers.wheel.cancel(3)
    var popped = timers.popAll()
    var count = timers.wheel.count
    #expect(popped == [0] && count == 1)
    timers.wheel.advance(to: 9_100)
    popped = timers.popAll()
    count = timers.wheel.count
    #expect(popped == [1] && count == 0)
  }

  @Test("one that fell due, was armed anew and fell due again is given out once")
  func twiceDue() {
    var timers = Modelled(now: 1_000)
    timers.wheel.schedule(7, at: 1_100)
    timers.wheel.advance(to: 1_200)
    timers.wheel.schedule(7, at: 1_300)
    timers.wheel.advance(to: 1_400)
    let popped = timers.popAll()
    #expect(popped == [7])
  }

  @Test("cancelling what was never armed does nothing")
  func cancelNothing() {
    var wheel = TimerWheel(nowMilliseconds: 0)
    wheel.cancel(1_000)
    wheel.schedule(2, at: 10)
    wheel.cancel(1)
    wheel.cancel(2)
    wheel.cancel(2)
    wheel.advance(to: 1_000)
    let (popped, count, delay) = (wheel.popExpired(), wheel.count, wheel.delay(from: 1_000, atMost: 77))
    #expect(popped == nil && count == 0 && delay == 77)
  }

  @Test("a clock that stands still or goes back fires nothing")
  func backwards() {
    var timers = Modelled(now: 100_000)
    timers.wheel.schedule(1, at: 100_500)
    timers.wheel.advance(to: 100_000)
    timers.wheel.advance(to: 5)
    var popped = timers.popAll()
    #expect(popped == [])
    timers.wheel.advance(to: 100_540)
    popped = timers.popAll()
    #expect(popped == [1])
  }
}
