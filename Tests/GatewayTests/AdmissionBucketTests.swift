// The token bucket against a model with whole numbers of any size.
import TestSeeds
import Testing

@testable import Gateway

@Suite("The token bucket")
struct AdmissionBucketTests {
  @Test("a bucket takes at most sixteen bytes, and one of zeros is full whatever the burst")
  func size() {
    #expect(MemoryLayout<TokenBucket>.size <= 16)
    for burst in [1, 7, UInt32.max] {
      var bucket = TokenBucket()
      let isTaken = bucket.take(burst, rate: 1, burst: burst, nowMilliseconds: 123_456)
      #expect(isTaken)
      let isTakenAgain = bucket.take(1, rate: 1, burst: burst, nowMilliseconds: 123_456)
      #expect(!isTakenAgain)
    }
  }

  @Test("tokens come back at the rate, to the millisecond")
  func refill() {
    var bucket = TokenBucket()
    func take(_ amount: UInt32, at time: UInt32) -> Bool {
      bucket.take(amount, rate: 3, burst: 3, nowMilliseconds: time)
    }
    let taken = [
      take(3, at: 0), take(1, at: 333), take(1, at: 334), take(1, at: 666), take(1, at: 667), take(1, at: 999),
      take(1, at: 1_000), take(3, at: 1_999), take(4, at: 100_000), take(3, at: 100_000),
    ]
    #expect(taken == [true, false, true, false, true, false, true, false, false, true])
  }

  @Test("rate 0 is no limit, amount 0 always goes, and more than the burst never does")
  func edges() {
    var bucket = TokenBucket()
    let free = bucket.take(.max, rate: 0, burst: 1, nowMilliseconds: 0)
    let over = bucket.take(11, rate: .max, burst: 10, nowMilliseconds: 0)
    let all = bucket.take(10, rate: 1, burst: 10, nowMilliseconds: 0)
    let none = bucket.take(0, rate: 1, burst: 10, nowMilliseconds: 0)
    // With a smaller burst than was taken it waits rather than traps.
    let shrunk = bucket.take(0, rate: 1, burst: 1, nowMilliseconds: 0)
    #expect(free && !over && all && none && !shrunk)
  }

  @Test("the clock may wrap, and may seem to go back a little")
  func clock() {
    var bucket = TokenBucket()
    func take(_ amount: UInt32, at time: UInt32) -> Bool {
      bucket.take(amount, rate: 10, burst: 10, nowMilliseconds: time)
    }
    #expect(
      [take(10, at: .max - 99), take(1, at: .max - 1), take(1, at: 0), take(1, at: 0)] == [true, false, true, false])
    #expect([take(1, at: .max), take(1, at: 99), take(1, at: 100)] == [false, false, true])
    // Long after, which is no step back.
    #expect(
      [take(10, at: 0 &- TokenBucket.skewMillisecondsMax), take(1, at: 0 &- TokenBucket.skewMillisecondsMax)] == [
        true, false,
      ])
  }

  /// The same rule with one token as 1 000 in wide integers and a clock that never wraps.
  struct Model {
    var level: Int128
    var at: Int128 = 0
    mutating func take(_ amount: Int128, rate: Int128, burst: Int128, now: Int128) -> Bool {
      level = min(burst * 1_000, level + (now - at) * rate)
      at = now
      if amount * 1_000 > level { return false }
      level -= amount * 1_000
      return true
    }
  }

  @Test("over years of random traffic every answer is exact, and no window gets more than its burst and rate")
  func exact() {
    var random = SeededRandom("token bucket")
    var wrong = 0
    for _ in 0..<200 {
      let rate = 1 + Int(UInt32.random(in: 0..<UInt32.max, using: &random) >> UInt32.random(in: 0...31, using: &random))
      let burst =
        1 + Int(UInt32.random(in: 0..<UInt32.max, using: &random) >> UInt32.random(in: 0...31, using: &random))
      let start = UInt32.random(in: 0...UInt32.max, using: &random)
      var bucket = TokenBucket()
      var model = Model(level: Int128(burst) * 1_000)
      var now = 0
      var taken = 0
      for _ in 0..<500 {
        let pauseBits = Int.random(in: 0...31, using: &random)
        now += Int(UInt32.random(in: 0...UInt32.max, using: &random) >> UInt32(pauseBits)) % 4_000_000_000
        let largest = min(Int(UInt32.max), burst + 1)
        let amount = Bool.random(using: &random) ? 1 : Int.random(in: 0...largest, using: &random)
        let expected = model.take(
          Int128(amount), rate: Int128(rate), burst: Int128(burst), now: Int128(now))
        let got = bucket.take(
          UInt32(amount), rate: UInt32(rate), burst: UInt32(burst),
          nowMilliseconds: start &+ UInt32(truncatingIfNeeded: now))
        if got { taken += amount }
        let most = Int128(burst) * 1_000 + Int128(now) * Int128(rate)
        if got != expected || Int128(taken) * 1_000 > most { wrong += 1 }
      }
    }
    #expect(wrong == 0)
  }

  @Test("a client that takes whatever it gets, each millisecond, gets exactly the rate")
  func greedy() {
    for rate: UInt32 in [1, 3, 7, 999, 1_000, 1_001, 12_345] {
      var bucket = TokenBucket()
      var taken: UInt32 = 0
      let seconds: UInt32 = 100
      for now in 0...seconds * 1_000 {
        while bucket.take(1, rate: rate, burst: 50, nowMilliseconds: now &- 50_000) { taken += 1 }
      }
      #expect(taken == 50 + rate * seconds, "rate \(rate)")
    }
  }
}
