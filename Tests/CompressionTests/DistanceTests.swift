// Distances up to the window and one beyond it: the outcome is that of the bytes, however they are cut.
import Buffers
import TestSeeds
import Testing

@testable import Compression

@Suite("Distances")
struct DistanceTests {
  /// A stored block of `bytes`, a fixed one with a match of three bytes at `distance`, and the empty block without its
  /// tail; `isFinal` ends the stream behind the match.
  private static func payload(_ bytes: [UInt8], distance: Int, isFinal: Bool = false) -> [UInt8] {
    let (low, high) = (UInt8(bytes.count & 0xFF), UInt8(bytes.count >> 8))
    var bits: [Int] = [isFinal ? 1 : 0, 1, 0] + [0, 0, 0, 0, 0, 0, 1]
    // RFC 1951 3.2.5: two symbols for each number of extra bits, from the third such pair on.
    let offset = distance - 1
    let extraBits = max(offset.bitWidth - offset.leadingZeroBitCount - 2, 0)
    let symbol = extraBits * 2 + (offset >> extraBits)
    bits += (0..<5).map { symbol >> (4 - $0) & 1 } + (0..<extraBits).map { offset >> $0 & 1 }
    bits += [Int](repeating: 0, count: 7)
    if isFinal { bits += [Int](repeating: 0, count: (8 - bits.count % 8) % 8) }
    bits += [0, 0, 0]
    let rest = stride(from: 0, to: bits.count, by: 8).map { start in
      bits[start..<min(start + 8, bits.count)].reversed().reduce(UInt8(0)) { $0 << 1 | UInt8($1) }
    }
    return [0, low, high, ~low, ~high] + bytes + rest
  }

  @Test("a distance of the whole window is read, one byte more is corrupt, however cut", arguments: UInt8(9)...15)
  func window(bits: UInt8) {
    var random = SeededRandom("distances of window \(bits)")
    let window = 1 << Int(bits)
    let bytes = (0...window).map { _ in UInt8.random(in: 0...255, using: &random) }
    for keepsContext in [false, true] {
      var inflater = Inflater(windowBits: bits, contextTakeover: keepsContext)
      for isFinal in [false, true] {
        for distance in bits < 15 ? [1, window - 1, window, window + 1] : [1, window - 1, window] {
          let payload = Self.payload(bytes, distance: distance, isFinal: isFinal)
          let expected: InflateOutcome = distance <= window ? .ok : .corrupt
          var message = bytes
          for _ in 0..<3 { message.append(message[message.count - min(distance, message.count)]) }
          let cut = random.below(payload.count)
          for parts in [[payload[...]], [payload[..<cut], payload[cut...]], payload.indices.map { payload[$0...$0] }] {
            let back = inflater.parts(parts)
            #expect(back.outcome == expected, "distance \(distance), \(parts.count) parts, seed \(random.seed)")
            if expected == .ok { #expect(back.bytes == message, "distance \(distance), seed \(random.seed)") }
          }
        }
      }
    }
  }

  @Test("whichever comes first counts, the limit or the distance beyond the window")
  func limit() {
    let payload = Self.payload([UInt8](repeating: 7, count: 1000), distance: 600)
    for (limit, expected) in [(999, InflateOutcome.tooBig), (1000, .corrupt), (1 << 20, .corrupt)] {
      var inflater = Inflater(windowBits: 9)
      #expect(inflater.message(payload, limit: limit).outcome == expected)
      #expect(inflater.parts(payload.indices.map { payload[$0...$0] }, limit: limit).outcome == expected)
    }
  }
}
