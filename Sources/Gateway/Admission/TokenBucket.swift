// A token bucket in twelve bytes: how much of a rate a peer has used up. Owned by a connection or a table entry.

/// What a peer has taken of an allowance of `rate` a second that may be saved up to `burst`.
///
/// It counts in thousandths, of which exactly `rate` come back in each millisecond, so nothing is ever rounded. It
/// keeps what is missing rather than what is left: a bucket of zeros is a full one, whatever the burst. A thread at a
/// time.
struct TokenBucket: Sendable, BitwiseCopyable {
  /// Thousandths of a token missing from a full bucket, as of `atMilliseconds`.
  private var missing: UInt64 = 0
  private var atMilliseconds: UInt32 = 0

  /// A full bucket.
  init() {}

  /// How far a clock may seem to go back between two calls: reactors take theirs once a turn.
  static let skewMillisecondsMax: UInt32 = 60_000

  /// Takes `amount`, or takes nothing and returns false when that is not there. An amount over `burst` never is.
  ///
  /// `rate` 0 stands for no limit: always true. The clock is monotonic and may wrap; a pause that it wraps in (49 days)
  /// counts less a whole number of turns, which a client can only lose by, and a step back of up to a minute counts as
  /// none.
  mutating func take(_ amount: UInt32, rate: UInt32, burst: UInt32, nowMilliseconds: UInt32) -> Bool {
    if rate == 0 { return true }
    refill(rate: rate, nowMilliseconds: nowMilliseconds)
    // No sum or product here overflows: `missing`, the amount and the burst are each under 2^32 thousands.
    let after = missing + UInt64(amount) * 1_000
    if after > UInt64(burst) * 1_000 { return false }
    missing = after
    return true
  }

  /// Thousandths that a full bucket would have more, at this time.
  func missing(rate: UInt32, nowMilliseconds: UInt32) -> UInt64 {
    var copy = self
    copy.refill(rate: rate, nowMilliseconds: nowMilliseconds)
    return copy.missing
  }

  private mutating func refill(rate: UInt32, nowMilliseconds: UInt32) {
    if missing > 0 {
      let elapsed = nowMilliseconds &- atMilliseconds
      if elapsed > 0 &- Self.skewMillisecondsMax { return }
      let earned = UInt64(elapsed) * UInt64(rate)
      missing = earned < missing ? missing - earned : 0
    }
    atMilliseconds = nowMilliseconds
  }
}
