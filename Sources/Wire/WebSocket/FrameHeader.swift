// The header of a WebSocket frame: RFC 6455 section 5.2. Values only; any thread.
import Buffers

/// What a frame carries. RFC 6455 section 11.8.
public enum Opcode: UInt8, Sendable, BitwiseCopyable {
  case continuation = 0x0
  case text = 0x1
  case binary = 0x2
  case close = 0x8
  case ping = 0x9
  case pong = 0xA

  /// Close, ping and pong: at most 125 bytes, never fragmented.
  @inlinable public var isControl: Bool { rawValue & 8 != 0 }
}

/// The sender's side of a connection, which decides whether frames are masked. RFC 6455 section 5.1.
public enum FrameSender: Sendable {
  case client, server
}

/// Why a frame or message is refused.
public enum FrameViolation: UInt8, Error, Sendable, CaseIterable {
  /// A reserved bit without an extension that uses it.
  case reservedBits
  /// Opcode 3-7 or 11-15.
  case reservedOpcode
  /// A client frame without a mask, or a server frame with one.
  case masking
  /// A length not in its shortest form, with the top bit set, or of 4 GiB and more, which nobody sends in earnest.
  case length
  /// A control frame over 125 bytes.
  case controlTooLong
  /// A control frame without FIN.
  case controlFragmented
  /// A continuation without a message, or a new message inside another.
  case sequence
  /// A close body of one byte, or a close code that may not be sent.
  case closeCode
  /// Text, or a close reason, that is not UTF-8.
  case encoding
  /// A message longer than the limit.
  case messageTooBig
  /// A message in more fragments than the limit.
  case tooManyFragments

  /// The close code that answers it. RFC 6455 section 7.4.1.
  public var closeCode: UInt16 {
    switch self {
    case .encoding: 1007
    case .tooManyFragments: 1008
    case .messageTooBig: 1009
    default: 1002
    }
  }

  /// The close reason, which is also the label of its metric.
  public var text: StaticString {
    switch self {
    case .reservedBits: "reserved bits"
    case .reservedOpcode: "reserved opcode"
    case .masking: "masking"
    case .length: "frame length"
    case .controlTooLong: "control frame too long"
    case .controlFragmented: "control frame fragmented"
    case .sequence: "frame sequence"
    case .closeCode: "close code"
    case .encoding: "invalid UTF-8"
    case .messageTooBig: "message too big"
    case .tooManyFragments: "too many fragments"
    }
  }
}

/// A decoded frame header.
public struct FrameHeader: Sendable, Equatable, BitwiseCopyable {
  public var isFinal: Bool
  public var opcode: Opcode
  /// RSV1, which permessage-deflate uses on the first frame of a compressed message.
  public var isCompressed: Bool
  /// The masking key in wire order from the low byte up; 0 when the frame is not masked.
  public var mask: UInt32
  /// Payload bytes; below 2^32.
  public var payloadCount: Int
  /// Bytes of the header itself, 2 to 14.
  public var headerCount: Int

  /// The longest header there is.
  public static var headerCountMax: Int { 14 }
  /// The longest payload of a control frame.
  public static var controlPayloadMax: Int { 125 }

  /// Reads a header at `offset`. Nil when there are not enough bytes yet; what can be refused is refused from the first
  /// two.
  public static func decode(
    _ bytes: Span<UInt8>, at offset: Int, sender: FrameSender, allowsCompression: Bool
  ) throws(FrameViolation) -> FrameHeader? {
    let available = bytes.count - offset
    if available < 2 {
      if available == 1 { try checkFirst(bytes[offset], allowsCompression: allowsCompression) }
      return nil
    }
    let first = bytes[offset]
    let second = bytes[offset + 1]
    try checkFirst(first, allowsCompression: allowsCompression)
    guard let opcode = Opcode(rawValue: first & 0x0F) else { throw .reservedOpcode }
    let isMasked = second & 0x80 != 0
    if isMasked != (sender == .client) { throw .masking }
    let short = Int(second & 0x7F)
    if opcode.isControl && short > controlPayloadMax { throw .controlTooLong }
    let lengthCount = short < 126 ? 0 : short == 126 ? 2 : 8
    let headerCount = 2 + lengthCount + (isMasked ? 4 : 0)
    if available < 2 + lengthCount { return nil }
    var payloadCount = short
    if lengthCount != 0 {
      var wide: UInt64 = 0
      for index in 0..<lengthCount { wide = wide << 8 | UInt64(bytes[offset + 2 + index]) }
      let shortest: UInt64 = lengthCount == 2 ? 126 : 65_536
      if wide < shortest || wide > UInt64(UInt32.max) { throw .length }
      payloadCount = Int(truncatingIfNeeded: wide)
    }
    if available < headerCount { return nil }
    var mask: UInt32 = 0
    if isMasked {
      let at = offset + headerCount - 4
      mask =
        UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24
    }
    return FrameHeader(
      isFinal: first & 0x80 != 0, opcode: opcode, isCompressed: first & 0x40 != 0, mask: mask,
      payloadCount: payloadCount, headerCount: headerCount)
  }

  /// Refuses what the first byte alone shows to be wrong.
  private static func checkFirst(_ first: UInt8, allowsCompression: Bool) throws(FrameViolation) {
    let reserved = first & 0x70
    let opcode = first & 0x0F
    if reserved & 0x30 != 0 { throw .reservedBits }
    // RSV1 only on the first frame of a data message, and only where compression was agreed.
    if reserved != 0 && !(allowsCompression && (opcode == 1 || opcode == 2)) { throw .reservedBits }
    if opcode > 0xA || (opcode > 2 && opcode < 8) { throw .reservedOpcode }
    if opcode & 8 != 0 && first & 0x80 == 0 { throw .controlFragmented }
  }
}
