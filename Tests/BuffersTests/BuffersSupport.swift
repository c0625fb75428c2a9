// What the tests of Buffers share: a seeded generator, and spans as arrays.
import Buffers
import Foundation

/// SplitMix64. The seed comes from MARTLET_SEED, or is drawn; it is printed, so that a failure can be run again.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64
  let seed: UInt64

  init(_ test: String) {
    let given = ProcessInfo.processInfo.environment["MARTLET_SEED"].flatMap { UInt64($0) }
    seed = given ?? UInt64.random(in: 0...999_999_999)
    state = seed
    print("\(test): MARTLET_SEED=\(seed)")
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// A number from 0 up to, not including, `limit`.
  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

  /// True once in `chances` times.
  mutating func once(in chances: Int) -> Bool { below(chances) == 0 }

  mutating func bytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for _ in 0..<count { bytes.append(UInt8(truncatingIfNeeded: next())) }
    return bytes
  }
}

func array<Element>(_ span: Span<Element>) -> [Element] {
  var elements: [Element] = []
  elements.reserveCapacity(span.count)
  for index in 0..<span.count { elements.append(span[index]) }
  return elements
}

func array(_ buffer: borrowing ByteBuffer) -> [UInt8] { array(buffer.bytes) }

func text(_ buffer: borrowing ByteBuffer) -> String { String(decoding: array(buffer), as: UTF8.self) }
