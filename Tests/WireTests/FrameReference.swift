// A slow decoder of WebSocket frames, written from RFC 6455 alone: what the real one is compared with.

import Buffers
import Wire

/// What a run of frames comes to.
enum FrameEvent: Equatable, CustomStringConvertible {
  case message(opcode: UInt8, [UInt8], isCompressed: Bool)
  case control(opcode: UInt8, [UInt8])
  case violation(FrameViolation)

  var description: String {
    switch self {
    case .message(let opcode, let bytes, let isCompressed):
      "message \(opcode) \(bytes.count) bytes \(bytes.prefix(12))\(isCompressed ? " compressed" : "")"
    case .control(let opcode, let bytes): "control \(opcode) \(bytes.count) bytes \(bytes.prefix(12))"
    case .violation(let violation): "\(violation)"
    }
  }
}

/// Decodes a stream of client frames that is there as a whole. Nothing is shared with the decoder under test: headers
/// are read bit by bit, payloads unmasked byte by byte, text judged by the standard library.
struct ReferenceDecoder {
  let limits: FrameLimits
  var allowsCompression = false
  var isClient = true

  private struct Message {
    var opcode: UInt8
    var isCompressed: Bool
    var bytes: [UInt8] = []
    var announced = 0
    var frames = 0
  }

  /// The events of `stream`, up to the first violation.
  func events(_ stream: [UInt8]) -> [FrameEvent] {
    var events: [FrameEvent] = []
    var rest = stream[...]
    var message: Message?
    while let first = rest.first {
      if let violation = judge(first) { return events + [.violation(violation)] }
      guard rest.count >= 2 else { return events }
      let second = rest[rest.startIndex + 1]
      if (second >= 0x80) != isClient { return events + [.violation(.masking)] }
      let isControl = first % 16 >= 8
      if isControl && second % 128 > 125 { return events + [.violation(.controlTooLong)] }
      rest = rest.dropFirst(2)

      var count = UInt64(second % 128)
      let wide = count == 126 ? 2 : count == 127 ? 8 : 0
      guard rest.count >= wide else { return events }
      if wide > 0 {
        count = rest.prefix(wide).reduce(0) { $0 << 8 | UInt64($1) }
        rest = rest.dropFirst(wide)
        if count < (wide == 2 ? 126 : 65_536) || count >= 1 << 32 { return events + [.violation(.length)] }
      }
      guard rest.count >= (isClient ? 4 : 0) else { return events }
      let key = isClient ? Array(rest.prefix(4)) : [0, 0, 0, 0]
      rest = rest.dropFirst(isClient ? 4 : 0)

      if !isControl, let violation = begin(first, Int(count), &message) { return events + [.violation(violation)] }
      let payload = rest.prefix(Int(count)).enumerated().map { $1 ^ key[$0 % 4] }
      let isWhole = rest.count >= Int(count)
      rest = rest.dropFirst(Int(count))
      if isControl {
        guard isWhole else { return events }
        events.append(.control(opcode: first % 16, payload))
        continue
      }
      message!.bytes += payload
      let isLast = isWhole && first >= 0x80
      if message!.opcode == 1 && !message!.isCompressed && !isText(message!.bytes, isComplete: isLast) {
        return events + [.violation(.encoding)]
      }
      if isLast {
        events.append(
          .message(opcode: message!.opcode, message!.bytes, isCompressed: message!.isCompressed))
        message = nil
      }
    }
    return events
  }

  /// What is wrong with a first byte by itself.
  private func judge(_ first: UInt8) -> FrameViolation? {
    let opcode = first % 16
    let bits = first / 16 % 8
    let mayCompress = allowsCompression && (opcode == 1 || opcode == 2)
    if bits != 0 && !(bits == 4 && mayCompress) { return .reservedBits }
    if ![0, 1, 2, 8, 9, 10].contains(opcode) { return .reservedOpcode }
    if opcode >= 8 && first < 0x80 { return .controlFragmented }
    return nil
  }

  /// Adds the header of a data frame to the message under way.
  private func begin(_ first: UInt8, _ count: Int, _ message: inout Message?) -> FrameViolation? {
    if (first % 16 == 0) != (message != nil) { return .sequence }
    if message == nil { message = Message(opcode: first % 16, isCompressed: first & 0x40 != 0) }
    message!.announced += count
    message!.frames += 1
    if message!.announced > limits.messageBytesMax { return .messageTooBig }
    if message!.frames > limits.fragmentsMax { return .tooManyFragments }
    return nil
  }

  /// Whether the bytes are UTF-8, or, when not complete, can still become it.
  private func isText(_ bytes: [UInt8], isComplete: Bool) -> Bool {
    if String(validating: bytes, as: UTF8.self) != nil { return true }
    if isComplete { return false }
    let tails: [[UInt8]] = [
      [0x80], [0xBF], [0x80, 0x80], [0xBF, 0xBF], [0x80, 0x80, 0x80], [0xBF, 0xBF, 0xBF], [0x8F, 0xBF, 0xBF],
      [0x9F, 0xBF], [0xA0, 0x80], [0x90, 0x80, 0x80], [0x8F, 0xBF],
    ]
    return tails.contains { String(validating: bytes.suffix(8).drop(while: isContinuation) + $0, as: UTF8.self) != nil }
      && String(validating: bytes.dropLast(incompleteTail(bytes)), as: UTF8.self) != nil
  }

  private func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

  /// Bytes from the last lead byte on.
  private func incompleteTail(_ bytes: [UInt8]) -> Int {
    guard let lead = bytes.lastIndex(where: { !isContinuation($0) }) else { return 0 }
    return bytes.count - lead
  }
}

/// Drives the decoder under test as a connection does: bytes arrive in pieces, an incomplete tail is kept, parts are
/// collected.
struct FrameFeeder {
  let limits: FrameLimits
  var allowsCompression = false
  var sender = FrameSender.client

  /// The events of `stream` when it arrives cut at `cuts`, up to the first violation.
  func events(_ stream: [UInt8], cuts: [Int] = []) -> [FrameEvent] {
    var events: [FrameEvent] = []
    var decoder = FrameDecoder()
    var tail: [UInt8] = []
    var message: [UInt8] = []
    var start = 0
    for end in cuts + [stream.count] {
      // A new buffer for every read, holding the tail kept from the one before.
      var buffer = ByteBuffer()
      buffer.append(tail.span)
      buffer.append(stream[start..<end].span)
      start = end
      var offset = 0
      var isWaiting = false
      while !isWaiting {
        switch decoder.next(
          in: &buffer, at: &offset, sender: sender, allowsCompression: allowsCompression, limits: limits)
        {
        case .needsMore(let from):
          tail = Self.bytes(buffer, from..<buffer.count)
          // The decoder promises a bounded tail: nothing larger than a control frame with its header.
          if tail.count > 131 || from != offset { return events + [.violation(.length)] }
          isWaiting = true
        case .message(let opcode, let range, let isCompressed):
          if decoder.isMidMessage || !message.isEmpty { return events + [.violation(.sequence)] }
          events.append(
            .message(opcode: opcode.rawValue, Self.bytes(buffer, range), isCompressed: isCompressed))
        case .part(let opcode, let range, let isLast, let isCompressed):
          message += Self.bytes(buffer, range)
          if isLast {
            events.append(.message(opcode: opcode.rawValue, message, isCompressed: isCompressed))
            message = []
          }
          if decoder.isMidMessage == isLast { return events + [.violation(.sequence)] }
        case .control(let opcode, let range):
          events.append(.control(opcode: opcode.rawValue, Self.bytes(buffer, range)))
        case .violation(let violation): return events + [.violation(violation)]
        }
      }
    }
    return events
  }

  static func bytes(_ buffer: borrowing ByteBuffer, _ range: Range<Int>) -> [UInt8] {
    let bytes = buffer.bytes
    return range.map { bytes[$0] }
  }
}

/// Builds frames byte by byte, legal or not.
enum FrameBytes {
  /// A frame with its first byte as given and its length in the shortest form, or in `lengthBytes` bytes.
  static func frame(
    _ first: UInt8, _ payload: [UInt8] = [], mask: [UInt8]? = [0x11, 0x22, 0x33, 0x44], lengthBytes: Int? = nil,
    announcing: UInt64? = nil
  ) -> [UInt8] {
    let count = announcing ?? UInt64(payload.count)
    let wide = lengthBytes ?? (count < 126 ? 0 : count < 65_536 ? 2 : 8)
    let short = wide == 0 ? UInt8(truncatingIfNeeded: count) : wide == 2 ? 126 : 127
    var bytes = [first, (mask == nil ? 0 : 0x80) | short]
    for index in (0..<wide).reversed() { bytes.append(UInt8(truncatingIfNeeded: count >> UInt64(index * 8))) }
    guard let mask else { return bytes + payload }
    return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
  }

  static func text(_ text: String) -> [UInt8] { frame(0x81, Array(text.utf8)) }
}
