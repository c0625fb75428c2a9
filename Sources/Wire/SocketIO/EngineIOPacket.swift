// One packet of Engine.IO protocol 4, both ways: pure functions over the caller's buffers.

import Buffers

/// A packet of Engine.IO protocol 4 (PROTOCOLS 3.5). On a WebSocket a text frame is one packet and a binary frame is
/// the body of a message; in a polling payload binary messages are `b` and base64.
public struct EngineIOPacket: Sendable, Equatable {
  /// The types, in the order of their digits.
  public enum Kind: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    case open, close, ping, pong, message, upgrade, noop
  }

  public var kind: Kind
  /// What follows the type, as offsets into the bytes that were read.
  public var body: Range<Int>
  /// The body is base64 of a binary message, not checked yet.
  public var isBase64: Bool

  public init(kind: Kind, body: Range<Int>, isBase64: Bool = false) {
    self.kind = kind
    self.body = body
    self.isBase64 = isBase64
  }

  /// Reads the packet that is the whole of `range`; nil when it is empty or of no known type, which ends a session.
  public static func decode(_ bytes: Span<UInt8>, _ range: Range<Int>) -> EngineIOPacket? {
    guard range.lowerBound >= 0 && range.upperBound <= bytes.count, let start = range.first else { return nil }
    let body = start + 1..<range.upperBound
    if bytes[start] == UInt8(ascii: "b") { return EngineIOPacket(kind: .message, body: body, isBase64: true) }
    guard let kind = Kind(rawValue: bytes[start] &- UInt8(ascii: "0")) else { return nil }
    return EngineIOPacket(kind: kind, body: body)
  }

  /// Appends the digit of a packet's type; the body comes next.
  public static func begin(_ kind: Kind, to out: inout ByteBuffer) {
    out.append(UInt8(ascii: "0") + kind.rawValue)
  }
}

extension EngineIOPacket {
  /// A binary message in its text form, type and all.
  public static func base64(_ binary: [UInt8]) -> [UInt8] {
    var text = ByteBuffer(capacity: 1 + (binary.count + 2) / 3 * 4)
    text.append(UInt8(ascii: "b"))
    Base64Text.encode(binary.span, to: &text)
    return text.bytes.array
  }
}

/// The numbers that the handshake tells a client, with their values of PROTOCOLS 3.5.
public struct EngineIOSettings: Sendable, Equatable {
  /// Milliseconds between two pings of the server.
  public var pingIntervalMilliseconds = 25_000
  /// Milliseconds in which a ping must be answered.
  public var pingTimeoutMilliseconds = 20_000
  /// Bytes of the largest payload and packet that a client may send.
  public var payloadBytesMax = 1_000_000

  public init() {}

  /// Appends the open packet. `sid` is a session's id, which needs no quoting; `isUpgradable` says whether the client
  /// is polling and may go over to a WebSocket.
  public func appendOpen(sid: Span<UInt8>, isUpgradable: Bool, to out: inout ByteBuffer) {
    EngineIOPacket.begin(.open, to: &out)
    out.append("{\"sid\":\"")
    out.append(sid)
    out.append(isUpgradable ? "\",\"upgrades\":[\"websocket\"]" : "\",\"upgrades\":[]")
    out.append(",\"pingInterval\":")
    out.append(decimal: pingIntervalMilliseconds)
    out.append(",\"pingTimeout\":")
    out.append(decimal: pingTimeoutMilliseconds)
    out.append(",\"maxPayload\":")
    out.append(decimal: payloadBytesMax)
    out.append("}")
  }
}

/// Why a request of the Engine.IO layer is refused; the raw value is the code that clients are told (PROTOCOLS 3.5).
public enum EngineIORefusal: UInt8, Sendable, CaseIterable {
  case unknownTransport = 0
  case unknownSession = 1
  case badHandshakeMethod = 2
  case badRequest = 3
  case forbidden = 4
  case unsupportedVersion = 5

  /// The sentence that goes with the code; the whole body for a refused upgrade.
  public var message: StaticString {
    switch self {
    case .unknownTransport: "Transport unknown"
    case .unknownSession: "Session ID unknown"
    case .badHandshakeMethod: "Bad handshake method"
    case .badRequest: "Bad request"
    case .forbidden: "Forbidden"
    case .unsupportedVersion: "Unsupported protocol version"
    }
  }

  /// Appends the JSON body of a refused polling request.
  public func append(to out: inout ByteBuffer) {
    out.append("{\"code\":")
    out.append(decimal: Int(rawValue))
    out.append(",\"message\":\"")
    out.append(message)
    out.append("\"}")
  }
}
