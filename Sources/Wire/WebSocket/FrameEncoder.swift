// Messages in, frames out: the sending half of a WebSocket connection. RFC 6455 section 5.2.
import Buffers

/// Writes frames.
public enum FrameEncoder {
  /// The longest header of an unmasked frame.
  public static var headerCountMax: Int { 10 }

  /// Appends an unmasked, unfragmented frame to a reactor's outgoing log and returns where it lies. `isCompressed` sets
  /// RSV1, by which permessage-deflate marks a compressed payload.
  public static func append(
    _ opcode: Opcode, _ payload: Span<UInt8>, isCompressed: Bool = false, to outbox: inout Outbox
  ) -> Segment {
    let count = payload.count
    outbox.reserve(count + headerCountMax)
    let start = outbox.position
    outbox.append(byte: 0x80 | (isCompressed ? 0x40 : 0) | opcode.rawValue)
    if count < 126 {
      outbox.append(byte: UInt8(truncatingIfNeeded: count))
    } else if count < 65_536 {
      outbox.append(byte: 126)
      outbox.append(byte: UInt8(truncatingIfNeeded: count >> 8))
      outbox.append(byte: UInt8(truncatingIfNeeded: count))
    } else {
      outbox.append(byte: 127)
      var shift = 56
      while shift >= 0 {
        outbox.append(byte: UInt8(truncatingIfNeeded: count >> shift))
        shift -= 8
      }
    }
    let body = outbox.append(payload)
    return Segment(chunk: start.chunk, start: start.start, end: body.end)
  }

  /// Appends a frame whose payload is a buffer; like `append(_:_:to:)`.
  public static func append(_ opcode: Opcode, _ payload: borrowing ByteBuffer, to outbox: inout Outbox) -> Segment {
    append(opcode, payload.bytes, to: &outbox)
  }

  /// Appends a frame whose payload is a buffer of compressed bytes.
  public static func append(
    _ opcode: Opcode, compressed payload: borrowing ByteBuffer, to outbox: inout Outbox
  ) -> Segment {
    append(opcode, payload.bytes, isCompressed: true, to: &outbox)
  }

  /// Appends a frame to a buffer, masked when `mask` is given (as a client must; the key's low byte goes first on the
  /// wire).
  public static func append(
    _ opcode: Opcode, isFinal: Bool = true, isCompressed: Bool = false, mask: UInt32?, _ payload: Span<UInt8>,
    to buffer: inout ByteBuffer
  ) {
    let count = payload.count
    let maskBit: UInt8 = mask == nil ? 0 : 0x80
    buffer.append((isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode.rawValue)
    if count < 126 {
      buffer.append(maskBit | UInt8(truncatingIfNeeded: count))
    } else if count < 65_536 {
      buffer.append(maskBit | 126)
      buffer.append(UInt8(truncatingIfNeeded: count >> 8))
      buffer.append(UInt8(truncatingIfNeeded: count))
    } else {
      buffer.append(maskBit | 127)
      for shift in stride(from: 56, through: 0, by: -8) { buffer.append(UInt8(truncatingIfNeeded: count >> shift)) }
    }
    if let mask {
      for shift in stride(from: 0, through: 24, by: 8) {
        buffer.append(UInt8(truncatingIfNeeded: mask >> UInt32(shift)))
      }
    }
    let start = buffer.count
    buffer.append(payload)
    if let mask {
      var bytes = buffer.mutableBytes
      bytes.unmask(start..<(start + count), mask: mask, phase: 0)
    }
  }
}

/// The body of a close frame. RFC 6455 section 5.5.1.
public enum CloseBody {
  /// Reads a received body: nil for an empty one, else the code. A reason must be UTF-8.
  public static func decode(_ body: Span<UInt8>) throws(FrameViolation) -> UInt16? {
    if body.count == 0 { return nil }
    if body.count == 1 { throw .closeCode }
    let code = UInt16(body[0]) << 8 | UInt16(body[1])
    guard isSendable(code) else { throw .closeCode }
    if !UTF8Validator.isValid(body, 2..<body.count) { throw .encoding }
    return code
  }

  /// Whether a code may appear in a frame. RFC 6455 section 7.4.2 and the IANA registry: 1000-1003, 1007-1014,
  /// 3000-4999.
  public static func isSendable(_ code: UInt16) -> Bool {
    switch code {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }

  /// Appends a body of code and reason; a reason that a control frame cannot hold is left out.
  public static func append(_ code: UInt16, _ reason: StaticString, to buffer: inout ByteBuffer) {
    buffer.append(UInt8(truncatingIfNeeded: code >> 8))
    buffer.append(UInt8(truncatingIfNeeded: code))
    if reason.utf8CodeUnitCount <= FrameHeader.controlPayloadMax - 2 { buffer.append(reason) }
  }
}
