// The frame decoder against the reference, over random and broken streams cut anywhere, and each violation by itself.

import Buffers
import TestSeeds
import Testing
import Wire

@Suite("Frame decoding")
struct FrameDecoderTests {
  static let limits = FrameLimits(messageBytesMax: 1_048_576, fragmentsMax: 64)

  /// A stream of frames: mostly legal, sometimes with a byte or a rule broken.
  static func stream(_ random: inout SeededRandom, _ limits: FrameLimits, allowsCompression: Bool) -> [UInt8] {
    var stream: [UInt8] = []
    for _ in 0..<1 + random.below(4) { stream += message(&random, limits, allowsCompression) }
    switch random.below(9) {
    case 4, 5, 6: stream += small.randomElement(using: &random)!.stream + FrameBytes.text("behind")
    case 0: stream[random.below(stream.count)] ^= 1 << UInt8(random.below(8))
    case 1: stream.remove(at: random.below(stream.count))
    case 2: stream.insert(UInt8.random(in: 0...255, using: &random), at: random.below(stream.count + 1))
    case 3: stream.removeLast(random.below(min(stream.count, 20)))
    default: break
    }
    return stream
  }

  /// Hostile streams that are short.
  static let small = hostile.filter { $0.stream.count < 1_000 }

  /// One message in fragments, with control frames between them.
  static func message(
    _ random: inout SeededRandom, _ limits: FrameLimits, _ allowsCompression: Bool
  ) -> [UInt8] {
    let isText = random.below(2) == 0
    let payload = isText ? text(&random) : bytes(payloadCount(&random), &random)
    let isCompressed = allowsCompression && random.below(3) == 0
    var cuts = (0..<[0, 0, 0, 1, 2, 5, limits.fragmentsMax].randomElement(using: &random)!).map { _ in
      random.below(payload.count + 1)
    }
    cuts.sort()
    var stream: [UInt8] = []
    var start = 0
    for (index, end) in (cuts + [payload.count]).enumerated() {
      var first: UInt8 = index == cuts.count ? 0x80 : 0
      if index == 0 { first |= (isText ? 1 : 2) | (isCompressed ? 0x40 : 0) }
      stream += FrameBytes.frame(first, Array(payload[start..<end]), mask: mask(&random))
      start = end
      if random.below(4) == 0 {
        let opcode: UInt8 = [0x88, 0x89, 0x8A].randomElement(using: &random)!
        stream += FrameBytes.frame(opcode, bytes(random.below(126), &random), mask: mask(&random))
      }
    }
    return stream
  }

  static func payloadCount(_ random: inout SeededRandom) -> Int {
    switch random.below(12) {
    case 0: [0, 125, 126, 127].randomElement(using: &random)!
    case 1 where random.below(8) == 0: [65_534, 65_535, 65_536, 65_537].randomElement(using: &random)!
    case 2: random.below(1_000)
    default: random.below(60)
    }
  }

  static func text(_ random: inout SeededRandom) -> [UInt8] {
    let scalars = Array("aé漢😀\u{D7FF}\u{E000}\u{10FFFF}".utf8)
    var text: [UInt8] = []
    for _ in 0..<random.below(8) { text += "aé漢😀\u{D7FF}\u{E000}\u{10FFFF}".utf8 }
    if random.below(8) == 0 { text.append(scalars.randomElement(using: &random)!) }
    return text
  }

  static func mask(_ random: inout SeededRandom) -> [UInt8] {
    random.below(8) == 0 ? [0, 0, 0, 0] : bytes(4, &random)
  }

  static func bytes(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<count { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
    return bytes
  }

  @Test("random streams, legal and broken, come to what the reference says, however they are cut")
  func differential() {
    var random = SeededRandom("frames")
    var seen: [FrameViolation: Int] = [:]
    // Behind the random rounds, each short hostile stream once: rules that chance breaks seldom are broken in every run.
    for round in 0..<(400 + Self.small.count) {
      let limits = FrameLimits(
        messageBytesMax: [40, 600, 1_048_576].randomElement(using: &random)!,
        fragmentsMax: [1, 3, 20].randomElement(using: &random)!)
      let allowsCompression = random.below(3) == 0
      let stream =
        round < 400
        ? Self.stream(&random, limits, allowsCompression: allowsCompression)
        : Self.small[round - 400].stream + FrameBytes.text("behind")
      let expected = ReferenceDecoder(limits: limits, allowsCompression: allowsCompression).events(stream)
      if case .violation(let violation)? = expected.last { seen[violation, default: 0] += 1 }
      let feeder = FrameFeeder(limits: limits, allowsCompression: allowsCompression)
      let whole = feeder.events(stream)
      #expect(whole == expected, "round \(round) seed \(random.seed)")
      for pieces in [1, 3, 30] {
        let cuts = (0..<pieces).map { _ in random.below(stream.count + 1) }.sorted()
        let cut = feeder.events(stream, cuts: cuts)
        #expect(cut == expected, "round \(round) cuts \(cuts) seed \(random.seed)")
      }
      if stream.count < 200 {
        let single = feeder.events(stream, cuts: Array(0..<stream.count))
        #expect(single == expected, "round \(round) byte by byte, seed \(random.seed)")
      }
    }
    // The streams are worth something only if they break every rule now and then. A bad close code is not the decoder's
    // affair.
    let missed = Set(FrameViolation.allCases).subtracting(seen.keys).subtracting([.closeCode])
    #expect(missed == [], "seed \(random.seed)")
  }

  @Test("a short stream cut at every pair of places comes to the same")
  func everyCut() {
    let stream =
      FrameBytes.frame(0x01, Array("ab".utf8)) + FrameBytes.frame(0x89, [1, 2, 3]) + FrameBytes.frame(0x00, [])
      + FrameBytes.frame(0x80, Array("é".utf8)) + FrameBytes.frame(0x82, []) + FrameBytes.frame(0x88, [3, 0xE8])
    let expected: [FrameEvent] = [
      .control(opcode: 9, [1, 2, 3]), .message(opcode: 1, Array("abé".utf8), isCompressed: false),
      .message(opcode: 2, [], isCompressed: false), .control(opcode: 8, [3, 0xE8]),
    ]
    let feeder = FrameFeeder(limits: Self.limits)
    for first in 0...stream.count {
      for second in first...stream.count {
        let events = feeder.events(stream, cuts: [first, second])
        #expect(events == expected, "cuts \(first) \(second)")
      }
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let stream: [UInt8]
    let violation: FrameViolation
    let closeCode: UInt16
    var testDescription: String { name }

    init(_ name: String, _ stream: [UInt8], _ violation: FrameViolation, _ closeCode: UInt16) {
      self.name = name
      self.stream = stream
      self.violation = violation
      self.closeCode = closeCode
    }
  }

  /// HOSTILE 15 to 19 and 21.
  static let hostile: [Row] =
    [
      Row("an unmasked frame", FrameBytes.frame(0x81, [0x61], mask: nil), .masking, 1002),
      Row("an unmasked ping", FrameBytes.frame(0x89, [], mask: nil), .masking, 1002),
      Row("RSV1 without an extension", FrameBytes.frame(0xC1, [0x61]), .reservedBits, 1002),
      Row("RSV2", FrameBytes.frame(0xA1, [0x61]), .reservedBits, 1002),
      Row("RSV3", FrameBytes.frame(0x91, [0x61]), .reservedBits, 1002),
      Row("RSV1 on a ping", FrameBytes.frame(0xC9), .reservedBits, 1002),
      Row(
        "RSV1 on a continuation", FrameBytes.frame(0x01, [0x61]) + FrameBytes.frame(0xC0, [0x62]), .reservedBits, 1002),
      Row("a ping of 126 bytes", FrameBytes.frame(0x89, [UInt8](repeating: 0, count: 126)), .controlTooLong, 1002),
      Row("a ping with a 64-bit length", FrameBytes.frame(0x89, announcing: 1 << 20), .controlTooLong, 1002),
      Row("a fragmented ping", FrameBytes.frame(0x09), .controlFragmented, 1002),
      Row("a fragmented close", FrameBytes.frame(0x08, [3, 0xE8]), .controlFragmented, 1002),
      Row("a length with the top bit set", FrameBytes.frame(0x82, announcing: 1 << 63), .length, 1002),
      Row("a length of 2^64-1", FrameBytes.frame(0x82, announcing: .max), .length, 1002),
      Row("a length of 2^63-1", FrameBytes.frame(0x82, announcing: 1 << 63 - 1), .length, 1002),
      Row("a length of 2^32", FrameBytes.frame(0x82, announcing: 1 << 32), .length, 1002),
      Row("a length of 2^32-1", FrameBytes.frame(0x82, announcing: 1 << 32 - 1), .messageTooBig, 1009),
      Row("125 in 16 bits", FrameBytes.frame(0x82, [UInt8](repeating: 0, count: 125), lengthBytes: 2), .length, 1002),
      Row("0 in 64 bits", FrameBytes.frame(0x82, lengthBytes: 8), .length, 1002),
      Row("65 535 in 64 bits", FrameBytes.frame(0x82, lengthBytes: 8, announcing: 65_535), .length, 1002),
      Row("5 MiB where 1 MiB is allowed", FrameBytes.frame(0x82, announcing: 5 << 20), .messageTooBig, 1009),
      Row("one byte over the limit", FrameBytes.frame(0x81, announcing: 1_048_577), .messageTooBig, 1009),
      Row(
        "one byte over the limit in the second fragment",
        FrameBytes.frame(0x02, [UInt8](repeating: 0, count: 1_048_576)) + FrameBytes.frame(0x00, announcing: 1),
        .messageTooBig, 1009),
      Row(
        "a flood of empty fragments",
        FrameBytes.frame(0x02) + [[UInt8]](repeating: FrameBytes.frame(0x00), count: 64).flatMap { $0 },
        .tooManyFragments, 1008),
      Row(
        "a flood of one-byte fragments",
        FrameBytes.frame(0x01, [0x61]) + [[UInt8]](repeating: FrameBytes.frame(0x00, [0x61]), count: 64).flatMap { $0 },
        .tooManyFragments, 1008),
      Row("a continuation without a start", FrameBytes.frame(0x80, [0x61]), .sequence, 1002),
      Row("a continuation after a whole message", FrameBytes.text("a") + FrameBytes.frame(0x00), .sequence, 1002),
      Row("text inside a fragmented text", FrameBytes.frame(0x01) + FrameBytes.text("a"), .sequence, 1002),
      Row("binary inside a fragmented text", FrameBytes.frame(0x01) + FrameBytes.frame(0x02), .sequence, 1002),
      Row("an overlong form", FrameBytes.frame(0x81, [0xC0, 0x80]), .encoding, 1007),
      Row("a surrogate", FrameBytes.frame(0x81, [0xED, 0xA0, 0x80]), .encoding, 1007),
      Row("a value above U+10FFFF", FrameBytes.frame(0x81, [0xF4, 0x90, 0x80, 0x80]), .encoding, 1007),
      Row("a character that ends too soon", FrameBytes.frame(0x81, [0xE2, 0x82]), .encoding, 1007),
      Row(
        "a character broken between fragments", FrameBytes.frame(0x01, [0xE2, 0x82]) + FrameBytes.frame(0x80, [0x41]),
        .encoding, 1007),
      Row(
        "a character unfinished at the end of the fragments",
        FrameBytes.frame(0x01, [0xE2]) + FrameBytes.frame(0x00, [0x82]) + FrameBytes.frame(0x80), .encoding, 1007),
    ]
    + [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map { opcode in
      Row("opcode \(opcode)", FrameBytes.frame(0x80 | UInt8(opcode)), .reservedOpcode, 1002)
    }

  @Test("every violation closes with its code, wherever the stream is cut", arguments: hostile)
  func violations(row: Row) {
    let feeder = FrameFeeder(limits: Self.limits)
    let events = feeder.events(row.stream)
    #expect(events.last == .violation(row.violation))
    #expect(row.violation.closeCode == row.closeCode)
    #expect(ReferenceDecoder(limits: Self.limits).events(row.stream) == events)
    // Cut in every header there is; a long payload is not worth it.
    for cut in row.stream.count < 1_000 ? Array(0...row.stream.count) : [1, 13, 100, row.stream.count - 3] {
      let split = feeder.events(row.stream, cuts: [cut])
      #expect(split == events, "cut at \(cut)")
    }
  }

  @Test("a faulty message behind good ones does not spoil them")
  func goodBeforeBad() {
    let stream = FrameBytes.text("one") + FrameBytes.frame(0x89, [7]) + FrameBytes.frame(0x83)
    let events = FrameFeeder(limits: Self.limits).events(stream)
    #expect(
      events == [
        .message(opcode: 1, Array("one".utf8), isCompressed: false), .control(opcode: 9, [7]),
        .violation(.reservedOpcode),
      ])
  }

  @Test("bad text fails while its frame is far from complete")
  func failFast() {
    // A frame that announces 1 MB, of which only a few bytes have come.
    let header = FrameBytes.frame(0x81, announcing: 1_000_000)
    let mask: [UInt8] = [0x11, 0x22, 0x33, 0x44]
    let payload: [UInt8] = [0x61, 0xE2, 0x82, 0xAC, 0xC0]
    let masked = payload.enumerated().map { $1 ^ mask[$0 % 4] }
    let feeder = FrameFeeder(limits: Self.limits)
    for count in 0..<5 {
      let events = feeder.events(header + masked[..<count])
      #expect(events == [], "\(count) bytes")
    }
    for cut in 0...header.count + 5 {
      let events = feeder.events(header + masked, cuts: [cut])
      #expect(events == [.violation(.encoding)], "cut at \(cut)")
    }
  }

  @Test("what the header shows is refused before any payload, and no sooner than it shows")
  func headerOnly() {
    let feeder = FrameFeeder(limits: Self.limits)
    let rows: [(UInt64, FrameViolation, Int)] = [
      // The length alone is enough for 1002; the limit is looked at once the header is whole.
      (1 << 63 - 1, .length, 10), (1 << 32, .length, 10), (.max, .length, 10), (5 << 20, .messageTooBig, 14),
    ]
    for (count, violation, bytes) in rows {
      let header = FrameBytes.frame(0x82, announcing: count)
      let early = feeder.events(Array(header[..<(bytes - 1)]))
      let now = feeder.events(Array(header[..<bytes]))
      #expect(early == [] && now == [.violation(violation)], "\(count)")
    }
    let first = feeder.events([0x83])
    let second = feeder.events([0x81, 0x01])
    #expect(first == [.violation(.reservedOpcode)] && second == [.violation(.masking)])
  }

  @Test("a message of exactly the limit, and of exactly the fragments, passes")
  func exactLimits() {
    let payload = [UInt8](repeating: 0x61, count: 1_048_576)
    let whole = FrameFeeder(limits: Self.limits).events(FrameBytes.frame(0x81, payload), cuts: [700_000])
    #expect(whole == [.message(opcode: 1, payload, isCompressed: false)])
    var stream = FrameBytes.frame(0x02, [1])
    for _ in 0..<62 { stream += FrameBytes.frame(0x00, [1]) }
    stream += FrameBytes.frame(0x80, [1])
    let fragments = FrameFeeder(limits: Self.limits).events(stream)
    #expect(fragments == [.message(opcode: 2, [UInt8](repeating: 1, count: 64), isCompressed: false)])
  }

  @Test("where compression was agreed, RSV1 marks a message and its text is not judged before it is inflated")
  func compression() {
    let stream = FrameBytes.frame(0x41, [0xFF, 0xFE]) + FrameBytes.frame(0x80, [0xFD]) + FrameBytes.text("a")
    let events = FrameFeeder(limits: Self.limits, allowsCompression: true).events(stream, cuts: [3])
    #expect(
      events == [
        .message(opcode: 1, [0xFF, 0xFE, 0xFD], isCompressed: true), .message(opcode: 1, [0x61], isCompressed: false),
      ])
    for first: UInt8 in [0xC0, 0xC8, 0xC9, 0xCA, 0xE1, 0xF1, 0xD2] {
      let refused = FrameFeeder(limits: Self.limits, allowsCompression: true).events(FrameBytes.frame(first))
      #expect(refused == [.violation(.reservedBits)])
    }
  }

  @Test("a client takes unmasked frames and refuses masked ones")
  func clientSide() {
    let feeder = FrameFeeder(limits: Self.limits, sender: .server)
    let stream = FrameBytes.frame(0x81, [0x61], mask: nil) + FrameBytes.frame(0x8A, [], mask: nil)
    for cut in 0...stream.count {
      let events = feeder.events(stream, cuts: [cut])
      #expect(events == [.message(opcode: 1, [0x61], isCompressed: false), .control(opcode: 10, [])])
    }
    let masked = feeder.events(FrameBytes.text("a"))
    #expect(masked == [.violation(.masking)])
  }

  @Test("every first byte with every kind of second byte is judged as the reference judges it")
  func everyHeader() {
    for allowsCompression in [false, true] {
      let reference = ReferenceDecoder(limits: Self.limits, allowsCompression: allowsCompression)
      let feeder = FrameFeeder(limits: Self.limits, allowsCompression: allowsCompression)
      var wrong: [[UInt8]] = []
      for first in 0...UInt8.max {
        for second: UInt8 in [0, 1, 2, 20, 125, 126, 127, 128, 129, 148, 149, 253, 254, 255] {
          let stream = [first, second] + [UInt8](repeating: 0, count: 20)
          if feeder.events(stream) != reference.events(stream) { wrong.append([first, second]) }
        }
      }
      #expect(wrong == [])
    }
  }
}
