// Where all chance in a simulation comes from, and what it came to: a seeded generator and a hash of what happened.

/// SplitMix64: small, seeded by one number, and the same on every machine.
struct SimulationRandom {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x632B_E59B_D9B4_E019 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number in `0..<bound`.
  mutating func below(_ bound: Int) -> Int { bound <= 1 ? 0 : Int(next() % UInt64(bound)) }

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
