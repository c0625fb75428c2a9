// Frames in, messages out: the receiving half of a WebSocket connection, without I/O or allocation. Its reactor's
// thread.
import Buffers

/// The limits that a decoder applies.
public struct FrameLimits: Sendable, BitwiseCopyable {
  /// Payload bytes of a whole message, summed over its fragments.
  public var messageBytesMax: Int
  /// Frames of one message.
  public var fragmentsMax: Int

  public init(messageBytesMax: Int, fragmentsMax: Int) {
    self.messageBytesMax = messageBytesMax
    self.fragmentsMax = fragmentsMax
  }
}

/// The state between two reads of one connection's receiving half. Between messages it equals `FrameDecoder()`, so an
/// idle connection need not keep it.
///
/// Payloads are unmasked where they lie. A message that arrived whole in one frame is given as a range of the buffer;
/// anything else comes in parts, as soon as they arrive, for the caller to collect. Text is validated part by part, so
/// that the first bad byte fails the connection even when the message is far from complete. RFC 6455 sections 5 and
/// 8.1.
public struct FrameDecoder: Sendable, BitwiseCopyable {
  /// Payload bytes of the current data frame still to come.
  var remaining = 0
  /// Payload bytes of the current message so far, counting the current frame as announced.
  var messageBytes = 0
  var mask: UInt32 = 0
  /// Payload bytes of the current frame already unmasked; only its low bits matter.
  var phase = 0
  var fragments: UInt32 = 0
  /// The kind of the message under way; `continuation` when there is none.
  var kind = Opcode.continuation
  var isFinalFrame = false
  var isCompressed = false
  var validator = UTF8Validator()

  public init() {}

  /// Whether a message is under way, so that this state and what was collected must be kept.
  @inlinable public var isMidMessage: Bool { isUnderWay }
  @usableFromInline var isUnderWay: Bool { kind != .continuation }

  /// One step of decoding. Ranges are offsets into the buffer given to `next`.
  public enum Step: Sendable {
    /// The bytes from `from` on are an incomplete header or control frame (at most 131 bytes): keep them and come back.
    case needsMore(from: Int)
    /// A whole message in one frame.
    case message(Opcode, Range<Int>, isCompressed: Bool)
    /// The next piece of a message that comes in several; `isLast` ends the message.
    case part(Opcode, Range<Int>, isLast: Bool, isCompressed: Bool)
    /// A whole control frame.
    case control(Opcode, Range<Int>)
    case violation(FrameViolation)
  }

  /// Decodes the next step from the bytes of `buffer` at `offset`, which is moved past what the step covers.
  public mutating func next(
    in buffer: inout ByteBuffer, at offset: inout Int, sender: FrameSender, allowsCompression: Bool,
    limits: FrameLimits
  ) -> Step {
    if remaining > 0 { return continueFrame(in: &buffer, at: &offset) }
    let header: FrameHeader
    do {
      guard
        let decoded = try FrameHeader.decode(
          buffer.bytes, at: offset, sender: sender, allowsCompression: allowsCompression)
      else { return .needsMore(from: offset) }
      header = decoded
    } catch { return .violation(error) }
    let start = offset + header.headerCount
    if header.opcode.isControl {
      let end = start + header.payloadCount
      if end > buffer.count { return .needsMore(from: offset) }
      unmask(&buffer, start..<end, mask: header.mask, phase: 0)
      offset = end
      return .control(header.opcode, start..<end)
    }
    if let violation = accept(header, limits) { return .violation(violation) }
    offset = start
    let end = start + header.payloadCount
    if header.isFinal && header.opcode != .continuation && end <= buffer.count {
      return wholeMessage(header, &buffer, start..<end, &offset)
    }
    return continueFrame(in: &buffer, at: &offset)
  }

  /// Checks a data frame against the message under way and the limits, before a byte of it is stored.
  private mutating func accept(_ header: FrameHeader, _ limits: FrameLimits) -> FrameViolation? {
    if header.opcode == .continuation {
      if kind == .continuation { return .sequence }
    } else {
      if kind != .continuation { return .sequence }
      kind = header.opcode
      isCompressed = header.isCompressed
      messageBytes = 0
      fragments = 0
      validator = UTF8Validator()
    }
    // Both terms are below 2^32 here, so the sum cannot overflow.
    messageBytes += header.payloadCount
    if messageBytes > limits.messageBytesMax { return .messageTooBig }
    fragments += 1
    if Int(fragments) > limits.fragmentsMax { return .tooManyFragments }
    remaining = header.payloadCount
    mask = header.mask
    phase = 0
    isFinalFrame = header.isFinal
    return nil
  }

  private mutating func wholeMessage(
    _ header: FrameHeader, _ buffer: inout ByteBuffer, _ payload: Range<Int>, _ offset: inout Int
  ) -> Step {
    unmask(&buffer, payload, mask: mask, phase: 0)
    offset = payload.upperBound
    remaining = 0
    kind = .continuation
    if header.opcode == .text && !header.isCompressed && !UTF8Validator.isValid(buffer.bytes, payload) {
      return .violation(.encoding)
    }
    return .message(header.opcode, payload, isCompressed: header.isCompressed)
  }

  /// Takes what has arrived of the current frame's payload.
  private mutating func continueFrame(in buffer: inout ByteBuffer, at offset: inout Int) -> Step {
    let count = min(remaining, buffer.count - offset)
    let part = offset..<(offset + count)
    if count == 0 && remaining > 0 { return .needsMore(from: offset) }
    unmask(&buffer, part, mask: mask, phase: phase)
    phase = (phase + count) & 3
    remaining -= count
    offset += count
    let isLast = remaining == 0 && isFinalFrame
    let partKind = kind
    if kind == .text && !isCompressed {
      if !validator.consume(buffer.bytes, part) { return .violation(.encoding) }
      if isLast && !validator.isComplete { return .violation(.encoding) }
    }
    if isLast { kind = .continuation }
    return .part(partKind, part, isLast: isLast, isCompressed: isCompressed)
  }

  private func unmask(_ buffer: inout ByteBuffer, _ range: Range<Int>, mask: UInt32, phase: Int) {
    if mask == 0 || range.isEmpty { return }
    var bytes = buffer.mutableBytes
    bytes.unmask(range, mask: mask, phase: phase)
  }
}
