// Where all chance in a simulation comes from, and what it came to: seeded numbers and a hash of what happened.
import TestSeeds

/// What a simulation draws. Its seed is mapped to the one below, so that recorded runs stay what they are.
struct SimulationRandom {
  private var numbers: SeededRandom

  init(seed: UInt64) { numbers = SeededRandom(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x632B_E59B_D9B4_E019) }

  mutating func next() -> UInt64 { numbers.next() }

  /// A number in `0..<bound`; draws nothing when that can only be 0.
  mutating func below(_ bound: Int) -> Int { bound <= 1 ? 0 : numbers.below(bound) }

  /// A number in the range.
  mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

  /// True `count` times in a thousand.
  mutating func perMille(_ count: Int) -> Bool { below(1000) < count }

  /// Small numbers often, large ones seldom: as many bits as chance says, up to `limit`.
  mutating func skewed(_ limit: Int) -> Int {
    let bits = below(Int.bitWidth - limit.leadingZeroBitCount + 1)
    return min(limit, below(1 << bits))
  }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}

/// FNV-1a over everything that a simulated run does, in order: two runs that differ anywhere differ here.
struct EventHash {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func mix(_ number: Int) {
    var rest = UInt64(bitPattern: Int64(number))
    for _ in 0..<4 {
      value = (value ^ (rest & 0xFFFF)) &* 0x0000_0100_0000_01B3
      rest >>= 16
    }
  }
}
