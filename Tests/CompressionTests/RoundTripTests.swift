// What a deflater writes, an inflater reads: all window sizes, all splits, with and without context takeover.
import Buffers
import TestSeeds
import Testing

@testable import Compression

@Suite("Round trips")
struct RoundTripTests {
  @Test("every window, level and memory level gives messages that come back", arguments: UInt8(9)...15)
  func allParameters(bits: UInt8) {
    var random = SeededRandom("round trips of window \(bits)")
    var shared = Inflater()
    for level: UInt8 in [1, 2, 4, 6, 9] {
      for memoryLevel: UInt8 in [1, 5, 9] {
        var deflater = Deflater(windowBits: bits, level: level, memoryLevel: memoryLevel)
        var exact = Inflater(windowBits: bits)
        for size in [0, 1, 2, 100, random.below(3000), random.below(70_000)] {
          let message = random.message(size)
          let payload = deflater.payload(message)
          let first = shared.message(payload)
          #expect(first.outcome == .ok && first.bytes == message, "seed \(random.seed)")
          let second = exact.message(payload)
          #expect(second.outcome == .ok && second.bytes == message, "seed \(random.seed)")
        }
      }
    }
  }

  @Test("a large message of every kind comes back")
  func large() {
    var random = SeededRandom("large messages")
    var deflater = Deflater(windowBits: 12)
    var inflater = Inflater()
    for _ in 0..<4 {
      let message = random.message(300_000 + random.below(100_000))
      let back = inflater.message(deflater.payload(message))
      #expect(back.outcome == .ok && back.bytes == message, "seed \(random.seed)")
    }
  }

  @Test("where a message is cut into parts makes no difference")
  func splits() {
    var random = SeededRandom("splits")
    var inflater = Inflater()
    var deflater = Deflater(windowBits: 10)
    var wrong = 0
    for _ in 0..<12 {
      let message = random.message(random.below(400))
      let payload = deflater.payload(message)
      for first in 0...payload.count {
        for second in stride(from: first, through: payload.count, by: 1 + random.below(4)) {
          let back = inflater.parts([payload[..<first], payload[first..<second], payload[second...]])
          if back.outcome != .ok || back.bytes != message { wrong += 1 }
        }
      }
      let single = inflater.parts(payload.indices.map { payload[$0...$0] } + [[]])
      #expect(single.outcome == .ok && single.bytes == message)
    }
    #expect(wrong == 0, "seed \(random.seed)")
  }

  @Test("a part gives what it holds at once, so that a text can be refused before its end")
  func streaming() {
    var deflater = Deflater(windowBits: 15, level: 6)
    let message = Array(repeating: Array("streaming ".utf8), count: 100).flatMap { $0 }
    let payload = deflater.payload(message)
    var inflater = Inflater()
    var out = ByteBuffer()
    #expect(
      inflater.inflate(payload.span.extracting(first: payload.count / 2), isLast: false, into: &out, limit: 2000) == .ok
    )
    #expect(out.count > 0)
    #expect(inflater.isMidMessage == true)
    out.removeAll()
    #expect(
      inflater.inflate(payload.span.extracting((payload.count / 2)...), isLast: true, into: &out, limit: 2000) == .ok)
    #expect(inflater.isMidMessage == false)
  }

  @Test("without context takeover messages can be read in any order and by anyone")
  func independent() {
    var random = SeededRandom("independent messages")
    var deflater = Deflater(windowBits: 12)
    let base = random.message(3000)
    // Near-copies of one message: with a kept window each would refer to the one before.
    var messages = (0..<20).map { _ in base }
    for index in messages.indices { messages[index][random.below(3000)] ^= 1 }
    let payloads = messages.map { deflater.payload($0) }
    var shared = Inflater()
    for index in messages.indices.shuffled(using: &random) {
      let back = shared.message(payloads[index])
      #expect(back.outcome == .ok && back.bytes == messages[index], "seed \(random.seed)")
      var fresh = Inflater(windowBits: 12)
      #expect(fresh.message(payloads[index]).bytes == messages[index])
    }
    #expect(deflater.payload(messages[0]) == payloads[0])
  }

  @Test("with context takeover a pair stays in step, and repeats become short", arguments: UInt8(9)...15)
  func takeover(bits: UInt8) {
    var random = SeededRandom("context takeover of window \(bits)")
    var deflater = Deflater(windowBits: bits, level: 6, contextTakeover: true)
    var inflater = Inflater(windowBits: bits, contextTakeover: true)
    // Within reach of the smallest window: zlib looks back 250 bytes of its 512.
    let repeated = random.message(200)
    for round in 0..<60 {
      // Empty messages and the same message over and over are the cases that zlib treats in its own way.
      let message = round % 3 == 0 ? repeated : random.message([0, 1, random.below(50), random.below(5000)][round % 4])
      let payload = deflater.payload(message)
      let cut = random.below(payload.count + 1)
      let back = inflater.parts([payload[..<cut], payload[cut...]])
      #expect(back.outcome == .ok && back.bytes == message, "seed \(random.seed)")
    }
    _ = deflater.payload(repeated)
    #expect(deflater.payload(repeated).count < 32, "seed \(random.seed)")
  }

  @Test("a reset deflater forgets what it sent")
  func deflaterReset() {
    var deflater = Deflater(windowBits: 12, contextTakeover: true)
    let message = Array("one two three four five six seven".utf8)
    let first = deflater.payload(message)
    #expect(deflater.payload(message).count < first.count)
    deflater.reset()
    #expect(deflater.payload(message) == first)
  }

  @Test("an empty message is the single byte that RFC 7692 7.2.3.6 gives it, also after another")
  func empty() {
    for keeps in [false, true] {
      var deflater = Deflater(windowBits: 12, contextTakeover: keeps)
      #expect(deflater.payload([]) == [0x00])
      _ = deflater.payload([1, 2, 3])
      #expect(deflater.payload([]) == [0x00])
      #expect(deflater.payload([]) == [0x00])
    }
  }

  @Test("a set compresses with the window of each connection's parameters")
  func deflaterSet() {
    var random = SeededRandom("deflater set")
    var set = DeflaterSet(policy: DeflatePolicy(windowBitsMax: 15, level: 6))
    #expect(set.stateBytes == 0)
    let noise = (0..<1500).map { _ in UInt8.random(in: 0...255, using: &random) }
    // A repeat at a distance of 1500 bytes: a window of 2^9 or 2^10 cannot see it.
    let message = noise + noise
    for _ in 0..<2 {
      for bits: UInt8 in 9...15 {
        var out = ByteBuffer()
        set.deflate(message.span, for: DeflateParameters(serverMaxWindowBits: bits), into: &out)
        #expect((out.count < 2000) == (bits >= 11), "window \(bits)")
        var inflater = Inflater(windowBits: bits)
        #expect(inflater.message(out.array).bytes == message)
      }
    }
    #expect(set.stateBytes > 0)
  }
}
