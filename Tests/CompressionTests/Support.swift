// What the compression tests share: bytes from hexadecimal, whole-message helpers, and a seeded random source.
import Buffers
import Foundation

@testable import Compression

/// SplitMix64, seeded from MARTLET_SEED or at random; the seed is printed so that a failure can be repeated.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64
  let seed: UInt64

  init(_ purpose: String) {
    let given = ProcessInfo.processInfo.environment["MARTLET_SEED"].flatMap { UInt64($0) }
    seed = given ?? UInt64.random(in: 0...999_999_999)
    state = seed
    print("\(purpose): MARTLET_SEED=\(seed)")
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }

  /// A message of `count` bytes: noise, one byte repeated, words, or a mixture of runs and copies.
  mutating func message(_ count: Int) -> [UInt8] {
    let words = ["{\"id\":", "\"price\":", "update", "room-", " ", "the ", "2026-11-21T", ",", "}", "42"]
    var bytes: [UInt8] = []
    let kind = below(4)
    while bytes.count < count {
      switch kind {
      case 0: bytes.append(UInt8.random(in: 0...255, using: &self))
      case 1: bytes.append(0x61)
      case 2: bytes += words[below(words.count)].utf8
      default:
        if bytes.count > 8 && below(3) > 0 {
          let start = below(bytes.count)
          bytes += bytes[start..<min(bytes.count, start + 3 + below(300))]
        } else {
          for _ in 0...below(9) { bytes.append(UInt8.random(in: 0...255, using: &self)) }
        }
      }
    }
    return Array(bytes.prefix(count))
  }
}

extension ByteBuffer {
  /// A copy of the bytes in use.
  var array: [UInt8] {
    // SAFETY: the bytes are copied before the call ends.
    unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
  }
}

extension Deflater {
  /// The compressed payload of one message.
  mutating func payload(_ message: [UInt8]) -> [UInt8] {
    var out = ByteBuffer()
    deflate(message.span, into: &out)
    return out.array
  }
}

extension Inflater {
  /// One message in one part.
  mutating func message(_ payload: [UInt8], limit: Int = 1 << 24) -> (outcome: InflateOutcome, bytes: [UInt8]) {
    parts([payload[...]], limit: limit)
  }

  /// One message in parts; stops at the first that is not ok.
  mutating func parts(
    _ parts: [ArraySlice<UInt8>], limit: Int = 1 << 24
  ) -> (outcome: InflateOutcome, bytes: [UInt8]) {
    var out = ByteBuffer()
    var outcome = InflateOutcome.ok
    for (index, part) in parts.enumerated() where outcome == .ok {
      outcome = inflate(Array(part).span, isLast: index == parts.count - 1, into: &out, limit: limit)
    }
    return (outcome, out.array)
  }
}

/// Bytes from pairs of hexadecimal digits; blanks do not count.
func hex(_ text: String) -> [UInt8] {
  let digits = text.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
}
