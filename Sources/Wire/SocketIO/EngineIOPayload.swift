// Engine.IO packets joined into the body of a polling request or response. The owner's thread.

import Buffers

/// The body of a polling request, packet by packet (PROTOCOLS 3.5). How many there are is bounded by the body's limit.
public struct EngineIOPayloadReader: BitwiseCopyable {
  /// What comes next.
  public enum Item: Sendable, Equatable {
    case packet(EngineIOPacket)
    /// Nothing is left.
    case end
    /// A packet that is empty or of no known type; a body without a byte is one empty packet. Nothing behind it counts.
    case malformed
  }

  /// What stands between two packets, U+001E.
  static let separator: UInt8 = 0x1E

  /// Where the next packet begins; beyond the end when there is none.
  private var position = 0

  /// A reader at the first packet.
  public init() {}

  /// The next packet of `bytes`, which must be the same in every call and valid UTF-8.
  public mutating func next(_ bytes: Span<UInt8>) -> Item {
    if position > bytes.count { return .end }
    var end = position
    while end < bytes.count && bytes[end] != Self.separator { end += 1 }
    guard let packet = EngineIOPacket.decode(bytes, position..<end) else {
      position = bytes.count + 1
      return .malformed
    }
    position = end + 1
    return .packet(packet)
  }
}

/// Joins packets into the body of a polling response.
public struct EngineIOPayloadWriter: BitwiseCopyable {
  /// Packets in one response; the widespread Python client drops a session whose payload has more (PROTOCOLS 3.5).
  public static let packetsMax = 16

  /// Packets written.
  public private(set) var count = 0

  /// A writer of an empty body.
  public init() {}

  /// Whether the rest must wait for the next response.
  public var isFull: Bool { count >= Self.packetsMax }

  /// Appends a packet: its type and its body, which must not hold U+001E (JSON never does, it escapes control
  /// characters). False, and nothing is written, when the body is full.
  public mutating func append(_ kind: EngineIOPacket.Kind, _ body: Span<UInt8>, to out: inout ByteBuffer) -> Bool {
    guard begin(&out) else { return false }
    EngineIOPacket.begin(kind, to: &out)
    out.append(body)
    return true
  }

  /// Appends a packet that is written already, type and all. False, and nothing is written, when the body is full.
  public mutating func append(packet: Span<UInt8>, to out: inout ByteBuffer) -> Bool {
    guard begin(&out) else { return false }
    out.append(packet)
    return true
  }

  /// Appends a binary message as base64. False, and nothing is written, when the body is full.
  public mutating func append(binary: Span<UInt8>, to out: inout ByteBuffer) -> Bool {
    guard begin(&out) else { return false }
    out.append(UInt8(ascii: "b"))
    Base64Text.encode(binary, to: &out)
    return true
  }

  private mutating func begin(_ out: inout ByteBuffer) -> Bool {
    if isFull { return false }
    if count > 0 { out.append(EngineIOPayloadReader.separator) }
    count += 1
    return true
  }
}
