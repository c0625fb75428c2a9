// Bombs, corrupt, truncated and mutated payloads: refused in time, never a trap, and nothing of them in the next message.
import Buffers
import TestSeeds
import Testing

@testable import Compression

@Suite("Hostile payloads")
struct HostileInflateTests {
  /// A payload that inflates to `count` zeros, about a thousand times its size.
  static func bomb(_ count: Int) -> [UInt8] {
    var deflater = Deflater(windowBits: 15, level: 9, memoryLevel: 9)
    return deflater.payload([UInt8](repeating: 0, count: count))
  }

  @Test("a bomb is refused at the limit, whole or in parts, and the buffer stays small")
  func bombs() {
    let payload = Self.bomb(16 << 20)
    #expect(payload.count * 900 < 16 << 20)
    var inflater = Inflater()
    for limit in [0, 1, 1000, 65_536] {
      for partBytes in [payload.count, 4096, 64, 1] {
        var out = ByteBuffer()
        var outcome = InflateOutcome.ok
        var offset = 0
        while outcome == .ok && offset < payload.count {
          let end = min(payload.count, offset + partBytes)
          outcome = inflater.inflate(
            payload.span.extracting(offset..<end), isLast: end == payload.count, into: &out, limit: limit)
          offset = end
        }
        #expect(outcome == .tooBig)
        #expect(out.count <= limit)
        #expect(out.capacity <= 2 * (limit + CompressionLimits.chunkBytes))
        // Two hundred bytes of it are more than enough to know.
        #expect(offset <= max(partBytes, 200))
        #expect(inflater.isMidMessage == false)
      }
    }
    #expect(inflater.message(hex("f2 48 cd c9 c9 07 00")).outcome == .ok)
  }

  @Test("a large buffer that is used again is not filled beyond the limit")
  func reusedBuffer() {
    var inflater = Inflater()
    var out = ByteBuffer(capacity: 1 << 20)
    out.append("head")
    #expect(inflater.inflate(Self.bomb(1 << 20).span, isLast: true, into: &out, limit: 5000) == .tooBig)
    #expect(out.count <= 5004 && out.capacity == 1 << 20)
    #expect(out.bytes.extracting(first: 4).string == "head")
  }

  @Test("a message of exactly the limit is accepted, one byte more is not; earlier parts count even when taken away")
  func exactLimit() {
    var random = SeededRandom("limits")
    var deflater = Deflater(windowBits: 12)
    var inflater = Inflater()
    for size in [1, 2, 255, 4095, 4096, 4097, 65_536, 70_001] {
      let message = random.message(size)
      let payload = deflater.payload(message)
      #expect(inflater.message(payload, limit: size) == (.ok, message), "seed \(random.seed)")
      let short = inflater.message(payload, limit: size - 1)
      #expect(short.outcome == .tooBig && short.bytes.count <= size - 1)
      #expect(inflater.message(payload, limit: -1).outcome == .tooBig)
      #expect(inflater.message(payload, limit: Int.max) == (.ok, message))
      var total = 0
      var outcome = InflateOutcome.ok
      for index in payload.indices where outcome == .ok {
        var out = ByteBuffer()
        let isLast = index == payload.count - 1
        outcome = inflater.inflate(payload.span.extracting(index...index), isLast: isLast, into: &out, limit: size - 1)
        total += out.count
      }
      #expect(outcome == .tooBig && total <= size - 1)
    }
  }

  @Test("a message that was cut anywhere is corrupt")
  func truncated() {
    var random = SeededRandom("truncations")
    var inflater = Inflater()
    for round in 0..<60 {
      // Fewer symbols than a block holds: in several blocks a cut between two of them would be a whole message.
      var deflater = Deflater(windowBits: 15, level: round % 2 == 0 ? 1 : 6, memoryLevel: 9)
      let payload = deflater.payload(random.message(1 + random.below(800)))
      // A stored block may begin with the byte 00, which alone is the empty message.
      for count in (payload[0] == 0 ? 2 : 1)..<payload.count {
        #expect(inflater.message(Array(payload[..<count])).outcome == .corrupt, "seed \(random.seed)")
      }
    }
  }

  @Test(
    "a payload that breaks the rules of RFC 7692 7.2.1 or RFC 1951 is corrupt",
    arguments: [
      // The tail was not taken off, or half of it.
      "f2 48 cd c9 c9 07 00 00 00 ff ff", "f2 48 cd c9 c9 07 00 00 00", "00 00 00 ff ff",
      "f2 48 cd c9 c9 07 00 00 00 ff",
      // Something else than the empty block at the end.
      "f2 48 cd c9 c9 07", "f2 48 cd c9 c9", "f2 48 cd c9 c9 07 00 01 02", "f2 48 cd c9 c9 07 00 00",
      // A stored block that would take the tail for its last four bytes, or for less than it wants.
      "00 09 00 f6 ff 48 65 6c 6c 6f", "00 0a 00 f5 ff 48 65 6c 6c 6f", "00 04 00 fb ff",
      "00 05 00 fa ff 48 65 6c 6c 6f",
      // Lengths that do not match, a block type that does not exist, a distance before the start.
      "00 05 00 fa fe 48 65 6c 6c 6f 00", "06", "07", "fe 48", "ff ff ff ff", "f2 00 11 00 00",
      // Behind a final block: more than the empty one.
      "f3 48 cd c9 c9 07 00 07", "f3 48 cd c9 c9 07 00 00 00 ff ff", "f3 48 cd c9 c9 07 00 48 65 6c 6c 6f",
      // A zlib and a gzip header.
      "78 9c f3 48 cd c9 c9 07 00 05 8c 01 f5", "1f 8b 08 00 00 00 00 00 00 03 f3 48 cd c9 c9 07 00",
      // Tables with too many codes.
      "04 c0 ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff", "fc ff ff ff",
    ])
  func malformed(text: String) {
    let payload = hex(text)
    for keepsContext in [false, true] {
      var inflater = Inflater(contextTakeover: keepsContext)
      #expect(inflater.message(payload).outcome == .corrupt)
      #expect(inflater.parts(payload.indices.map { payload[$0...$0] }).outcome == .corrupt)
      #expect(inflater.message(hex("f2 48 cd c9 c9 07 00")) == (.ok, Array("Hello".utf8)))
    }
  }

  @Test("final blocks are read wherever they stand, but not without end")
  func finalBlocks() {
    let hello = hex("f3 48 cd c9 c9 07 00")
    var inflater = Inflater()
    for count in [1, 2, 3, CompressionLimits.finalBlocksMax] {
      let payload = (0..<count).flatMap { _ in hello }
      // With the byte 00 behind the last one, as in RFC 7692 7.2.3.4, and without it.
      for tail: [UInt8] in [[0x00], []] {
        let back = inflater.message(payload + tail)
        #expect(back.outcome == .ok && back.bytes.count == 5 * count)
      }
      let mixed = inflater.message(payload + hex("f2 48 cd c9 c9 07 00"))
      #expect(mixed.outcome == .ok && mixed.bytes.count == 5 * count + 5)
    }
    // 03 00 is a final block without a byte in it.
    let empty = (0...CompressionLimits.finalBlocksMax).flatMap { _ in hex("03 00") }
    #expect(inflater.message(Array(empty.dropLast(2))) == (.ok, []))
    #expect(inflater.message(empty).outcome == .corrupt)
    #expect(inflater.message(Array(empty.dropLast(2))) == (.ok, []))
  }

  @Test("changed payloads have some outcome within the limit, and the next message is read as if nothing had been")
  func mutated() {
    var random = SeededRandom("mutations")
    var deflater = Deflater(windowBits: 11)
    var inflater = Inflater()
    var keeping = Inflater(contextTakeover: true)
    var outcomes: [InflateOutcome: Int] = [:]
    let good = random.message(500)
    let goodPayload = deflater.payload(good)
    for _ in 0..<8000 {
      let size = random.below(1500)
      var payload = deflater.payload(random.message(size))
      for _ in 0...random.below(4) {
        let index = random.below(payload.count)
        switch random.below(4) {
        case 0: payload[index] ^= 1 << UInt8(random.below(8))
        case 1: payload[index] = UInt8.random(in: 0...255, using: &random)
        case 2: payload.insert(UInt8.random(in: 0...255, using: &random), at: index)
        default: payload = Array(payload[..<max(index, 1)])
        }
      }
      let cut = random.below(payload.count + 1)
      let limit = random.below(3000)
      let back = inflater.parts([payload[..<cut], payload[cut...]], limit: limit)
      outcomes[back.outcome, default: 0] += 1
      #expect(back.bytes.count <= limit)
      #expect(inflater.message(goodPayload) == (.ok, good), "seed \(random.seed)")
      #expect(keeping.message(payload, limit: limit).bytes.count <= limit)
    }
    #expect(outcomes.count == 3, "seed \(random.seed)")
  }

  @Test("noise has some outcome within the limit")
  func noise() {
    var random = SeededRandom("noise")
    var inflater = Inflater()
    var accepted = 0
    for _ in 0..<20_000 {
      let payload = (0..<random.below(60)).map { _ in UInt8.random(in: 0...255, using: &random) }
      let back = inflater.message(payload, limit: 100)
      #expect(back.bytes.count <= 100)
      if back.outcome == .ok && !payload.isEmpty { accepted += 1 }
    }
    #expect(accepted < 2000, "seed \(random.seed)")
  }

  @Test("nothing of one connection's message can be reached from the next message")
  func isolation() {
    var inflater = Inflater()
    let secret = Array("a secret of another connection".utf8)
    var deflater = Deflater(windowBits: 15, contextTakeover: true)
    let first = deflater.payload(secret)
    // The same text again is nothing but a reference to the first.
    let second = deflater.payload(secret)
    #expect(inflater.message(first) == (.ok, secret))
    #expect(inflater.message(second).outcome == .corrupt)
    // The same where the connection goes away in the middle of its message.
    var out = ByteBuffer()
    #expect(inflater.inflate(first.span, isLast: false, into: &out, limit: 100) == .ok)
    inflater.reset()
    #expect(inflater.message(second).outcome == .corrupt)
    #expect(inflater.message(first, limit: secret.count) == (.ok, secret))
  }
}
