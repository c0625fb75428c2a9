// RFC 6455 section 5 read from a whole stream of bytes, to compare the incremental decoder with. Written for plainness.

import Buffers
import Wire

/// What a stream of frames comes to.
struct FrameLog: Equatable {
  /// Messages and control frames: opcode, whether compressed, payload.
  struct Event: Equatable {
    var opcode: UInt8
    var isCompressed: Bool
    var payload: [UInt8]
  }
  var events: [Event] = []
  var violation: FrameViolation?
  /// The payload so far of a message that the stream leaves open.
  var open: [UInt8]?
}

struct ReferenceFrames {
  let bytes: [UInt8]
  let isFromClient: Bool
  let allowsCompression: Bool
  let limits: FrameLimits
  private var log = FrameLog()
  private var opcode: UInt8 = 0
  private var isCompressed = false
  private var payload: [UInt8] = []
  private var announced: UInt64 = 0
  private var fragments = 0

  init(_ bytes: [UInt8], isFromClient: Bool, allowsCompression: Bool, limits: FrameLimits) {
    self.bytes = bytes
    self.isFromClient = isFromClient
    self.allowsCompression = allowsCompression
    self.limits = limits
  }

  static func read(
    _ bytes: [UInt8], isFromClient: Bool, allowsCompression: Bool, limits: FrameLimits
  ) -> FrameLog {
    var reader = ReferenceFrames(
      bytes, isFromClient: isFromClient, allowsCompression: allowsCompression, limits: limits)
    var position = 0
    while let next = reader.frame(position) { position = next }
    if reader.opcode != 0 && reader.log.violation == nil { reader.log.open = reader.payload }
    return reader.log
  }

  /// Reads one frame and returns where the next begins; nil at the end of the bytes or after a violation.
  private mutating func frame(_ start: Int) -> Int? {
    guard start < bytes.count else { return nil }
    let first = bytes[start]
    let code = first % 16
    let isFinal = first >= 128
    let rsv = first / 16 % 8
    if rsv % 4 != 0 || (rsv == 4 && !(allowsCompression && [1, 2].contains(code))) { return stop(.reservedBits) }
    if ![0, 1, 2, 8, 9, 10].contains(code) { return stop(.reservedOpcode) }
    if code >= 8 && !isFinal { return stop(.controlFragmented) }
    guard start + 1 < bytes.count else { return nil }
    let isMasked = bytes[start + 1] >= 128
    if isMasked != isFromClient { return stop(.masking) }
    var length = UInt64(bytes[start + 1] % 128)
    if code >= 8 && length > 125 { return stop(.controlTooLong) }
    var position = start + 2
    if length >= 126 {
      let width = length == 126 ? 2 : 8
      guard position + width <= bytes.count else { return nil }
      length = bytes[position..<position + width].reduce(0) { $0 * 256 + UInt64($1) }
      position += width
      if length < (width == 2 ? 126 : 65_536) || length >= 1 << 32 { return stop(.length) }
    }
    var key: [UInt8] = [0, 0, 0, 0]
    if isMasked {
      guard position + 4 <= bytes.count else { return nil }
      key = Array(bytes[position..<position + 4])
      position += 4
    }
    let end = min(position + Int(length), bytes.count)
    let isWhole = end - position == Int(length)
    var body: [UInt8] = []
    for index in position..<end { body.append(bytes[index] ^ key[(index - position) % 4]) }
    if code >= 8 {
      guard isWhole else { return nil }
      log.events.append(FrameLog.Event(opcode: code, isCompressed: false, payload: body))
      return end
    }
    return data(code, isFinal: isFinal, isCompressed: rsv == 4, length, body, isWhole) ? end : nil
  }

  private mutating func data(
    _ code: UInt8, isFinal: Bool, isCompressed: Bool, _ length: UInt64, _ body: [UInt8], _ isWhole: Bool
  ) -> Bool {
    if (code == 0) != (opcode != 0) { return stop(.sequence) != nil }
    if code != 0 {
      opcode = code
      self.isCompressed = isCompressed
      payload = []
      announced = 0
      fragments = 0
    }
    announced += length
    if announced > UInt64(limits.messageBytesMax) { return stop(.messageTooBig) != nil }
    fragments += 1
    if fragments > limits.fragmentsMax { return stop(.tooManyFragments) != nil }
    payload += body
    if opcode == 1 && !self.isCompressed {
      let verdict = ReferenceUTF8.judge(payload, 0..<payload.count)
      if !verdict.isPossible || (isWhole && isFinal && !verdict.isWhole) { return stop(.encoding) != nil }
    }
    if isWhole && isFinal {
      log.events.append(FrameLog.Event(opcode: opcode, isCompressed: self.isCompressed, payload: payload))
      opcode = 0
    }
    return isWhole
  }

  private mutating func stop(_ violation: FrameViolation) -> Int? {
    log.violation = violation
    return nil
  }
}
