// WebSocket frames as a client writes and reads them, with every bit under control. Values; written apart from the gateway's own code.

/// A frame that the gateway sent.
public struct ServerFrame: Equatable {
  public var isFinal: Bool
  /// RSV1 to RSV3, as the bits 4, 2 and 1.
  public var reserved: UInt8
  public var opcode: UInt8
  public var isMasked: Bool
  public var payload: [UInt8]

  /// Takes the first frame off `bytes`, from `offset` on; nil while it is not whole.
  public static func take(from bytes: [UInt8], at offset: inout Int) -> ServerFrame? {
    var cursor = offset
    guard bytes.count - cursor >= 2 else { return nil }
    let (first, second) = (bytes[cursor], bytes[cursor + 1])
    cursor += 2
    var length = Int(second & 0x7F)
    let extra = length == 126 ? 2 : length == 127 ? 8 : 0
    guard bytes.count - cursor >= extra else { return nil }
    if extra > 0 { length = bytes[cursor..<cursor + extra].reduce(0) { $0 << 8 | Int($1) } }
    cursor += extra
    // No server frame is masked; one that is still has to be seen as such.
    let isMasked = second & 0x80 != 0
    if isMasked { cursor += 4 }
    guard bytes.count - cursor >= length else { return nil }
    offset = cursor + length
    return ServerFrame(
      isFinal: first & 0x80 != 0, reserved: first >> 4 & 7, opcode: first & 0x0F, isMasked: isMasked,
      payload: Array(bytes[cursor..<cursor + length]))
  }
}

/// A frame for the gateway.
public struct ClientFrame {
  public static let continuation: UInt8 = 0
  public static let text: UInt8 = 1
  public static let binary: UInt8 = 2
  public static let close: UInt8 = 8
  public static let ping: UInt8 = 9
  public static let pong: UInt8 = 10

  public var opcode: UInt8
  public var payload: [UInt8]
  public var isFinal = true
  /// RSV1 to RSV3, as the bits 4, 2 and 1.
  public var reserved: UInt8 = 0
  /// Nil leaves the frame unmasked, which is an error.
  public var mask: [UInt8]? = [0x37, 0xFA, 0x21, 0x3D]

  public init(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) {
    self.opcode = opcode
    self.payload = payload
    self.isFinal = isFinal
  }

  /// The frame's bytes, with the shortest form of the length.
  public var bytes: [UInt8] {
    var out: [UInt8] = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
    let maskBit: UInt8 = mask == nil ? 0 : 0x80
    switch payload.count {
    case ..<126:
      out.append(maskBit | UInt8(payload.count))
    case ..<65_536:
      out += [maskBit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default:
      out.append(maskBit | 127)
      for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(payload.count >> shift & 0xFF)) }
    }
    guard let mask else { return out + payload }
    out += mask
    out.reserveCapacity(out.count + payload.count)
    for (index, byte) in payload.enumerated() { out.append(byte ^ mask[index & 3]) }
    return out
  }
}
