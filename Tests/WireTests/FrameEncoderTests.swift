// Frames out: what the encoder writes, the decoder must read; and the bodies of close frames.

import Buffers
import TestSeeds
import Testing
import Wire

@Suite("Frame encoding")
struct FrameEncoderTests {
  static let counts = [0, 1, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537, 70_000]
  static let limits = FrameLimits(messageBytesMax: 1 << 20, fragmentsMax: 8)

  static func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) } }

  @Test("a frame in the outgoing log is what RFC 6455 5.2 says, byte by byte", arguments: counts)
  func outbox(count: Int) {
    let payload = Self.pattern(count)
    var outbox = Outbox()
    let segment = FrameEncoder.append(.binary, payload.span, to: &outbox)
    let bytes = outbox.bytes(segment)
    let found = bytes.indices.map { bytes[$0] }
    #expect(found == FrameBytes.frame(0x82, payload, mask: nil))
    #expect(segment.count - count <= FrameEncoder.headerCountMax)
  }

  @Test("frames that follow each other in the log lie end to end")
  func consecutive() {
    var outbox = Outbox()
    var buffer = ByteBuffer()
    buffer.append("text")
    let first = FrameEncoder.append(.text, buffer, to: &outbox)
    let second = FrameEncoder.append(.pong, [1, 2].span, to: &outbox)
    #expect(first.chunk == second.chunk && first.end == second.start)
    let bytes = outbox.bytes(Segment(chunk: first.chunk, start: first.start, end: second.end))
    let found = bytes.indices.map { bytes[$0] }
    #expect(found == FrameBytes.frame(0x81, Array("text".utf8), mask: nil) + FrameBytes.frame(0x8A, [1, 2], mask: nil))
  }

  @Test("a frame that does not fit behind others moves to a chunk of its own as a whole")
  func nearlyFullChunk() {
    for spare in 0...12 {
      var outbox = Outbox()
      let filler = [UInt8](repeating: 0, count: Outbox.chunkBytes - spare)
      _ = outbox.append(filler.span)
      let segment = FrameEncoder.append(.text, [0x61, 0x62].span, to: &outbox)
      let bytes = outbox.bytes(segment)
      let found = bytes.indices.map { bytes[$0] }
      #expect(found == [0x81, 2, 0x61, 0x62], "\(spare) bytes left")
    }
  }

  @Test("what a client writes, masked or not, comes back from the decoder", arguments: counts)
  func roundTrip(count: Int) {
    var random = SeededRandom("frame round trip")
    let payload = Self.pattern(count)
    for mask in [nil, 0, 0x4433_2211, UInt32(truncatingIfNeeded: random.next())] {
      var buffer = ByteBuffer()
      FrameEncoder.append(.binary, mask: mask, payload.span, to: &buffer)
      FrameEncoder.append(.binary, isFinal: false, mask: mask, payload.span, to: &buffer)
      FrameEncoder.append(.continuation, mask: mask, [9].span, to: &buffer)
      FrameEncoder.append(.ping, mask: mask, [1, 2, 3].span, to: &buffer)
      let stream = FrameFeeder.bytes(buffer, 0..<buffer.count)
      let feeder = FrameFeeder(limits: Self.limits, sender: mask == nil ? .server : .client)
      let events = feeder.events(stream, cuts: [random.below(stream.count)])
      #expect(
        events == [
          .message(opcode: 2, payload, isCompressed: false), .message(opcode: 2, payload + [9], isCompressed: false),
          .control(opcode: 9, [1, 2, 3]),
        ], "seed \(random.seed)")
    }
  }

  @Test("the key's low byte goes first on the wire")
  func maskOrder() {
    var buffer = ByteBuffer()
    FrameEncoder.append(.text, mask: 0x4433_2211, [0, 0, 0, 0, 0].span, to: &buffer)
    let bytes = FrameFeeder.bytes(buffer, 0..<buffer.count)
    #expect(bytes == [0x81, 0x85, 0x11, 0x22, 0x33, 0x44, 0x11, 0x22, 0x33, 0x44, 0x11])
  }
}

@Suite("Close bodies")
struct CloseBodyTests {
  static func decode(_ body: [UInt8]) -> Result<UInt16?, FrameViolation> {
    do { return .success(try CloseBody.decode(body.span)) } catch { return .failure(error) }
  }

  /// RFC 6455 7.4 and the IANA registry; 1004, 1005, 1006 and 1015 are never sent.
  static func mayBeSent(_ code: Int) -> Bool {
    if [1004, 1005, 1006, 1015].contains(code) { return false }
    return (1000...1014).contains(code) || (3000...4999).contains(code)
  }

  @Test("every code from 0 to 5000 is taken or refused as the registry says")
  func codes() {
    var wrong: [Int] = []
    for code in 0...5000 {
      let body = [UInt8(code >> 8), UInt8(code & 0xFF)]
      let expected: Result<UInt16?, FrameViolation> =
        Self.mayBeSent(code) ? .success(UInt16(code)) : .failure(.closeCode)
      if Self.decode(body) != expected || Self.decode(body + Array("bye".utf8)) != expected { wrong.append(code) }
      if CloseBody.isSendable(UInt16(code)) != Self.mayBeSent(code) { wrong.append(code) }
    }
    #expect(wrong == [])
    #expect(Self.decode([0xFF, 0xFF]) == .failure(.closeCode))
  }

  @Test("an empty body has no code, one byte is too few")
  func shortBodies() {
    #expect(Self.decode([]) == .success(nil))
    for byte in 0...UInt8.max { #expect(Self.decode([byte]) == .failure(.closeCode)) }
  }

  @Test(
    "a reason must be UTF-8",
    arguments: [
      ([], true), ([0x61], true), (Array("grüße 😀".utf8), true), ([0xFF], false), ([0xC3], false),
      ([0xED, 0xA0, 0x80], false), ([0x61, 0xF0, 0x9F, 0x98], false), ([0xC0, 0xAF], false),
    ] as [([UInt8], Bool)])
  func reasons(reason: [UInt8], isGood: Bool) {
    #expect(Self.decode([0x03, 0xE8] + reason) == (isGood ? .success(1000) : .failure(.encoding)))
    // A bad code is told first.
    #expect(Self.decode([0x03, 0xED] + reason) == .failure(.closeCode))
  }

  @Test("what is written can be read, and always fits a control frame")
  func writing() {
    var buffer = ByteBuffer()
    CloseBody.append(3008, "slow", to: &buffer)
    let bytes = FrameFeeder.bytes(buffer, 0..<buffer.count)
    #expect(bytes == [0x0B, 0xC0] + Array("slow".utf8))
    #expect(Self.decode(bytes) == .success(3008))
    for violation in FrameViolation.allCases {
      var body = ByteBuffer()
      CloseBody.append(violation.closeCode, violation.text, to: &body)
      let written = FrameFeeder.bytes(body, 0..<body.count)
      #expect(Self.decode(written) == .success(violation.closeCode))
      #expect(written.count > 2 && written.count <= FrameHeader.controlPayloadMax)
    }
  }

  @Test("close codes answer violations as RFC 6455 7.4.1 means them")
  func violationCodes() {
    let codes = Dictionary(uniqueKeysWithValues: FrameViolation.allCases.map { ($0, $0.closeCode) })
    #expect(codes[.encoding] == 1007 && codes[.tooManyFragments] == 1008 && codes[.messageTooBig] == 1009)
    #expect(codes.values.filter { $0 == 1002 }.count == FrameViolation.allCases.count - 3)
    #expect(Set(FrameViolation.allCases.map { "\($0.text)" }).count == FrameViolation.allCases.count)
  }
}
