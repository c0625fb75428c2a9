// The client's side of RFC 6455 framing, as much as a load generator needs: counts frames in place, builds masked ones. One thread.
import Buffers

/// A frame, or what is known of it.
struct ServerFrame: Equatable {
  enum Kind: UInt8 {
    case data
    case close
    case ping
    case pong
    /// The rest of a long frame has now arrived, the start of which was reported with `isWhole` false.
    case rest
    /// Not a frame that a server may send.
    case broken
  }
  var kind: Kind
  /// The payload, or the start of it, in the bytes given.
  var payload: Range<Int>
  /// Bytes of the whole payload.
  var length: Int
  /// Whether all of the payload is there.
  var isWhole: Bool
  /// RSV1: the payload is compressed (RFC 7692).
  var isCompressed = false
}

/// Walks the frames of a stream that arrives in pieces; the caller keeps `skip` per connection and the tail behind `offset`.
enum FrameReader {
  /// Of a frame that has not fully arrived, this much is waited for and the rest skipped as it comes. The mark of a message
  /// must lie within it; control frames always fit.
  static let windowMax = 512
  /// A compressed frame is only of use as a whole; a longer one is passed over.
  static let compressedMax = ClientPool.keptMax - 16
  /// A longer payload is taken as nonsense.
  static let payloadMax: UInt64 = 1 << 32

  /// The next frame from `offset`, which moves behind it; nil when more bytes are needed. RFC 6455 5.2.
  @inline(__always)
  static func next(_ bytes: Span<UInt8>, offset: inout Int, skip: inout Int) -> ServerFrame? {
    if skip > 0 {
      let step = min(skip, bytes.count - offset)
      skip -= step
      offset += step
      if skip > 0 { return nil }
      return ServerFrame(kind: .rest, payload: offset..<offset, length: 0, isWhole: true)
    }
    let have = bytes.count - offset
    if have < 2 { return nil }
    let first = bytes[offset]
    let second = bytes[offset + 1]
    var header = 2
    var length = Int(second)
    if second >= 126 {
      header = second == 126 ? 4 : 10
      if second > 127 { return broken(offset) }
      if have < header { return nil }
      var wide: UInt64 = 0
      for index in 2..<header { wide = wide << 8 | UInt64(bytes[offset + index]) }
      if wide > payloadMax { return broken(offset) }
      length = Int(truncatingIfNeeded: wide)
    }
    let there = min(length, have - header)
    let isCompressed = first & 0x40 != 0
    if there < length && there < (isCompressed && length <= compressedMax ? length : windowMax) { return nil }
    let kind: ServerFrame.Kind
    switch first & 0x0F {
    case 0, 1, 2: kind = .data
    case 8: kind = .close
    case 9: kind = .ping
    case 10: kind = .pong
    default: return broken(offset)
    }
    if kind != .data && length > 125 { return broken(offset) }
    let start = offset + header
    offset = start + there
    skip = length - there
    return ServerFrame(
      kind: kind, payload: start..<offset, length: length, isWhole: skip == 0, isCompressed: isCompressed)
  }

  private static func broken(_ offset: Int) -> ServerFrame {
    ServerFrame(kind: .broken, payload: offset..<offset, length: 0, isWhole: true)
  }
}

/// Builds masked client frames.
enum FrameWriter {
  /// One fixed key for all frames: it need not be secret here, and it must not be zero, or a server could skip the work.
  static let mask: UInt32 = 0xA55A_3CC3

  /// The key's byte for a payload offset.
  @inline(__always)
  static func maskByte(_ offset: Int) -> UInt8 { UInt8(truncatingIfNeeded: mask >> UInt32((offset & 3) * 8)) }

  /// Appends a whole frame; returns where its payload starts.
  @discardableResult
  static func append(opcode: UInt8, _ payload: Span<UInt8>, to buffer: inout ByteBuffer) -> Int {
    let length = payload.count
    buffer.append(0x80 | opcode)
    if length < 126 {
      buffer.append(0x80 | UInt8(length))
    } else if length < 65536 {
      buffer.append(0x80 | 126)
      buffer.append(UInt8(length >> 8))
      buffer.append(UInt8(length & 255))
    } else {
      buffer.append(0x80 | 127)
      for shift in stride(from: 56, through: 0, by: -8) { buffer.append(UInt8(truncatingIfNeeded: length >> shift)) }
    }
    for shift in stride(from: UInt32(0), through: 24, by: 8) {
      buffer.append(UInt8(truncatingIfNeeded: mask >> shift))
    }
    let start = buffer.count
    buffer.append(payload)
    var bytes = buffer.mutableBytes
    bytes.unmask(start..<start + length, mask: mask, phase: 0)
    return start
  }
}
