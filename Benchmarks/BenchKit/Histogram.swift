// Latencies counted in log-linear buckets of fixed memory, for one thread: recording allocates nothing and never fails.

/// Counts of values (nanoseconds) with a relative error under 1/128.
///
/// Values below 256 have a bucket each; above, every power of two is divided into 128 equal buckets.
public struct Histogram: Sendable {
  static let linearBits = 7
  /// Values from here up share the last bucket; 2^42 ns is 73 minutes.
  public static let valueMax: UInt64 = 1 << 42 - 1
  static let bucketCount = (42 - linearBits - 1) << linearBits + 1 << (linearBits + 1)

  private var counts = [UInt64](repeating: 0, count: Histogram.bucketCount)
  /// How many values were recorded.
  public private(set) var count: UInt64 = 0
  /// The largest value, exactly.
  public private(set) var largest: UInt64 = 0

  public init() {}

  static func bucket(of value: UInt64) -> Int {
    let bounded = min(value, valueMax)
    let shift = max(0, 63 - linearBits - (bounded | 1).leadingZeroBitCount)
    return shift << linearBits + Int(truncatingIfNeeded: bounded >> UInt64(shift))
  }

  /// The largest value that falls into a bucket.
  static func top(ofBucket index: Int) -> UInt64 {
    let shift = max(0, index >> linearBits - 1)
    return UInt64(index - shift << linearBits + 1) << UInt64(shift) - 1
  }

  public mutating func record(_ value: UInt64) {
    counts[Histogram.bucket(of: value)] &+= 1
    count &+= 1
    if value > largest { largest = value }
  }

  /// The value that the given share (0…1) of all recorded values does not exceed; at most 1/128 too high, 0 when empty.
  public func percentile(_ share: Double) -> UInt64 {
    let wanted = max(1, min(count, UInt64((share * Double(count)).rounded(.up))))
    var seen: UInt64 = 0
    for index in 0..<counts.count {
      seen += counts[index]
      if seen >= wanted { return min(Histogram.top(ofBucket: index), largest) }
    }
    return largest
  }

  /// Forgets everything; the memory stays.
  public mutating func removeAll() {
    for index in 0..<counts.count { counts[index] = 0 }
    count = 0
    largest = 0
  }
}
