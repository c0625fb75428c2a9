// The frame decoder, fed in pieces as a connection feeds it, against the reference over the whole stream.

import Buffers
import TestSeeds
import Wire

enum FramesFuzz {
  /// Byte 0: bit 0 frames come from the server, bit 1 compression is agreed, bits 2-3 limits; bytes 1-2 seed the splits;
  /// the rest is the stream.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    guard bytes.count > 3 else { return }
    let options = bytes[0]
    let stream = bytes.extracting(3..<bytes.count).array
    let isFromClient = options & 1 == 0
    let messageBytesMax = [1 << 20, 200, 16, 1 << 40][Int(options >> 2 & 3)]
    let limits = FrameLimits(messageBytesMax: messageBytesMax, fragmentsMax: options & 4 == 0 ? 1000 : 3)
    let expected = ReferenceFrames.read(
      stream, isFromClient: isFromClient, allowsCompression: options & 2 != 0, limits: limits)
    for (kind, event) in expected.events.enumerated() where event.opcode == 8 { try checkClose(event.payload, kind) }

    var random = SeededRandom(seed: UInt64(bytes[1]) << 8 | UInt64(bytes[2]))
    for most in [stream.count, 1, 1 + random.below(12)] {
      var driver = FrameDriver(
        sender: isFromClient ? .client : .server, allowsCompression: options & 2 != 0, limits: limits)
      var position = 0
      while position < stream.count && driver.log.violation == nil {
        let count = min(1 + random.below(max(most, 1)), stream.count - position)
        let piece = most == stream.count ? stream.count : count
        try driver.receive(stream.span.extracting(position..<position + piece))
        position += piece
      }
      driver.finish()
      try require(driver.log == expected, "pieces of up to \(most):\n\(driver.log)\nexpected:\n\(expected)")
    }
  }

  private static func checkClose(_ body: [UInt8], _ number: Int) throws(FuzzFailure) {
    var expected: UInt16?
    var violation: FrameViolation?
    if body.count == 1 { violation = .closeCode }
    if body.count >= 2 {
      let code = Int(body[0]) * 256 + Int(body[1])
      let isAllowed = code >= 1000 && code < 5000 && !(1004...1006).contains(code) && !(1015...2999).contains(code)
      expected = UInt16(code)
      if !isAllowed {
        violation = .closeCode
      } else if !ReferenceUTF8.judge(body, 2..<body.count).isWhole {
        violation = .encoding
      }
    }
    do {
      let code = try CloseBody.decode(body.span)
      try require(violation == nil && code == expected, "close \(number): \(String(describing: code))")
    } catch let error as FrameViolation {
      try require(error == violation, "close \(number): \(error)")
    } catch {
      throw FuzzFailure(description: "\(error)")
    }
  }
}

/// A connection's receiving half: keeps the unused tail of each piece in front of the next.
private struct FrameDriver: ~Copyable {
  let sender: FrameSender
  let allowsCompression: Bool
  let limits: FrameLimits
  var log = FrameLog()
  private var decoder = FrameDecoder()
  private var tail: [UInt8] = []
  private var message: [UInt8] = []

  init(sender: FrameSender, allowsCompression: Bool, limits: FrameLimits) {
    self.sender = sender
    self.allowsCompression = allowsCompression
    self.limits = limits
  }

  mutating func receive(_ piece: Span<UInt8>) throws(FuzzFailure) {
    var buffer = ByteBuffer(capacity: tail.count + piece.count)
    buffer.append(tail.span)
    buffer.append(piece)
    var offset = 0
    // Every step but the last covers a byte at least, or ends a message.
    var stepsLeft = buffer.count + 2
    while true {
      stepsLeft -= 1
      try require(stepsLeft >= 0, "no progress at \(offset)")
      let before = offset
      switch decoder.next(
        in: &buffer, at: &offset, sender: sender, allowsCompression: allowsCompression, limits: limits)
      {
      case .needsMore(let from):
        try require(from >= before && from <= buffer.count, "tail from \(from)")
        tail = buffer.bytes.extracting(from..<buffer.count).array
        try require(tail.count <= FrameHeader.headerCountMax + FrameHeader.controlPayloadMax, "tail \(tail.count)")
        return
      case .message(let opcode, let range, let isCompressed):
        try require(range.upperBound == offset && message.isEmpty, "message \(range) at \(offset)")
        append(opcode, isCompressed, buffer.bytes.extracting(range).array)
      case .part(let opcode, let range, let isLast, let isCompressed):
        try require(range.upperBound == offset, "part \(range) at \(offset)")
        message += buffer.bytes.extracting(range).array
        try require(message.count <= limits.messageBytesMax, "\(message.count) bytes collected")
        try require(isLast != decoder.isMidMessage, "isLast \(isLast)")
        if isLast {
          append(opcode, isCompressed, message)
          message = []
        }
      case .control(let opcode, let range):
        try require(range.upperBound == offset, "control \(range) at \(offset)")
        append(opcode, false, buffer.bytes.extracting(range).array)
      case .violation(let violation):
        log.violation = violation
        return
      }
    }
  }

  private mutating func append(_ opcode: Opcode, _ isCompressed: Bool, _ payload: [UInt8]) {
    log.events.append(FrameLog.Event(opcode: opcode.rawValue, isCompressed: isCompressed, payload: payload))
  }

  /// The end of the stream.
  mutating func finish() {
    if log.violation == nil && decoder.isMidMessage { log.open = message }
  }
}
