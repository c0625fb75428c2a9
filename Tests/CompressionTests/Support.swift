// What the compression tests share: bytes from hexadecimal, whole-message helpers, and random messages.
import Buffers
import TestSeeds

@testable import Compression

extension SeededRandom {
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
