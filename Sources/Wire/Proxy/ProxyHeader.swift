// The PROXY protocol header, versions 1 and 2, that a proxy sends before the client's bytes; pure functions, any
// thread.
import Buffers

/// A client's address as a proxy reports it: an IPv6 address (IPv4 as `::ffff:a.b.c.d`) and a port.
public struct ProxyAddress: Sendable, Equatable, BitwiseCopyable {
  /// The first eight bytes of the address, read as a big-endian integer.
  public var high: UInt64
  /// The last eight bytes likewise.
  public var low: UInt64
  /// The client's port in host order.
  public var port: UInt16

  /// The address and port given.
  @inlinable
  public init(high: UInt64, low: UInt64, port: UInt16) {
    self.high = high
    self.low = low
    self.port = port
  }
}

/// The header of the PROXY protocol (HAProxy's proxy-protocol.txt, versions 1 and 2).
///
/// Whoever may send one chooses the address that the gateway believes, so only a listener that proxies alone can reach
/// reads it.
public enum ProxyHeader {
  /// What the bytes received so far come to.
  public enum Outcome: Sendable, Equatable, BitwiseCopyable {
    /// The beginning of a header; call again with more bytes, from the start.
    case incomplete
    /// A header of `length` bytes, after which the client's own begin. The address is nil where the header names none
    /// that can be used (UNKNOWN, LOCAL, Unix-domain, datagrams, the unspecified address): the peer of the socket
    /// stands.
    case complete(length: Int, ProxyAddress?)
    /// Not a header, known from the first byte that cannot be in one. The connection is to be reset.
    case malformed
  }

  /// Longest version 1 line in bytes with its CRLF, as the specification computes it.
  public static let textBytesMax = 107
  /// Longest part of a version 2 header in bytes after its first 16. Addresses and their extensions stay within the 536
  /// bytes that every host can receive in one segment.
  public static let binaryBodyBytesMax = 536
  /// Longest header in bytes of either version: a receive buffer of this size always decides.
  public static let bytesMax = binaryHeadBytes + binaryBodyBytesMax

  private static let binaryHeadBytes = 16
  private static let signature: StaticString = "\r\n\r\n\0\r\nQUIT\n"

  /// Reads the header at the start of `bytes`. Allocates nothing.
  public static func parse(_ bytes: Span<UInt8>) -> Outcome {
    if bytes.isEmpty { return .incomplete }
    return bytes[0] == 0x50 ? parseText(bytes) : parseBinary(bytes)
  }

  // MARK: Version 2

  private static func parseBinary(_ bytes: Span<UInt8>) -> Outcome {
    var position = 0
    switch ProxyLine.literal(signature, bytes, &position) {
    case .wrong: return .malformed
    case .short: return .incomplete
    case .good: break
    }
    guard bytes.count > 12 else { return .incomplete }
    // The version in the high half, then LOCAL or PROXY.
    guard bytes[12] == 0x20 || bytes[12] == 0x21 else { return .malformed }
    guard bytes.count > 14 else { return .incomplete }
    if Int(bytes[14]) << 8 > binaryBodyBytesMax { return .malformed }
    guard bytes.count > 15 else { return .incomplete }
    let bodyBytes = Int(bytes[14]) << 8 | Int(bytes[15])
    let isLocal = bytes[12] == 0x20
    // The family and the transport; only streams over the internet families say who the client is.
    let addressBytes: Int
    switch bytes[13] {
    case 0x11 where !isLocal: addressBytes = 12
    case 0x21 where !isLocal: addressBytes = 36
    default: addressBytes = 0
    }
    guard bodyBytes <= binaryBodyBytesMax, bodyBytes >= addressBytes else { return .malformed }
    let length = binaryHeadBytes + bodyBytes
    guard bytes.count >= length else { return .incomplete }
    switch addressBytes {
    case 12:
      let source = integer(bytes, at: 16, byteCount: 4)
      return complete(length, 0, 0xFFFF_0000_0000 | source, port: integer(bytes, at: 24, byteCount: 2))
    case 36:
      let high = integer(bytes, at: 16, byteCount: 8)
      let low = integer(bytes, at: 24, byteCount: 8)
      return complete(length, high, low, port: integer(bytes, at: 48, byteCount: 2))
    default:
      return .complete(length: length, nil)
    }
  }

  /// The unspecified address is no client's, and elsewhere it stands for a Unix-domain peer.
  private static func complete(_ length: Int, _ high: UInt64, _ low: UInt64, port: UInt64) -> Outcome {
    if high == 0 && low == 0 { return .complete(length: length, nil) }
    return .complete(length: length, ProxyAddress(high: high, low: low, port: UInt16(truncatingIfNeeded: port)))
  }

  private static func integer(_ bytes: Span<UInt8>, at start: Int, byteCount: Int) -> UInt64 {
    var value: UInt64 = 0
    for offset in 0..<byteCount { value = value << 8 | UInt64(bytes[start + offset]) }
    return value
  }

  // MARK: Version 1

  private static func parseText(_ bytes: Span<UInt8>) -> Outcome {
    // What lies past the longest line cannot be part of one.
    let line = bytes.extracting(0..<min(bytes.count, textBytesMax))
    let outcome = parseLine(line)
    return outcome == .incomplete && line.count == textBytesMax ? .malformed : outcome
  }

  private static func parseLine(_ line: Span<UInt8>) -> Outcome {
    var position = 0
    var step = ProxyLine.literal("PROXY ", line, &position)
    if step != .good { return step.outcome }
    guard position < line.count else { return .incomplete }
    if line[position] == 0x55 { return parseUnknown(line, position) }
    step = ProxyLine.literal("TCP", line, &position)
    if step != .good { return step.outcome }
    guard position < line.count else { return .incomplete }
    let isIPv4 = line[position] == 0x34
    guard isIPv4 || line[position] == 0x36 else { return .malformed }
    position += 1
    step = ProxyLine.literal(" ", line, &position)
    if step != .good { return step.outcome }

    var source: (high: UInt64, low: UInt64) = (0, 0)
    var other: (high: UInt64, low: UInt64) = (0, 0)
    var port: UInt16 = 0
    var otherPort: UInt16 = 0
    step = ProxyLine.address(isIPv4: isIPv4, line, &position, &source)
    if step == .good { step = ProxyLine.address(isIPv4: isIPv4, line, &position, &other) }
    if step == .good { step = ProxyLine.port(line, &position, end: HTTPBytes.space, &port) }
    if step == .good { step = ProxyLine.port(line, &position, end: HTTPBytes.carriageReturn, &otherPort) }
    if step == .good { step = ProxyLine.literal("\n", line, &position) }
    if step != .good { return step.outcome }
    return complete(position, source.high, source.low, port: UInt64(port))
  }

  /// `UNKNOWN`, and whatever the proxy says after it up to the end of the line.
  private static func parseUnknown(_ line: Span<UInt8>, _ start: Int) -> Outcome {
    var position = start
    var step = ProxyLine.literal("UNKNOWN", line, &position)
    if step != .good { return step.outcome }
    guard position < line.count else { return .incomplete }
    guard line[position] == HTTPBytes.space || line[position] == HTTPBytes.carriageReturn else { return .malformed }
    while position < line.count, line[position] != HTTPBytes.carriageReturn { position += 1 }
    step = ProxyLine.literal("\r\n", line, &position)
    return step == .good ? .complete(length: position, nil) : step.outcome
  }
}

/// The fields of a version 1 line, each read up to and with the byte that ends it.
private enum ProxyLine {
  enum Step: BitwiseCopyable {
    case good, short, wrong

    /// What the line comes to when it ends with this step.
    var outcome: ProxyHeader.Outcome { self == .wrong ? .malformed : .incomplete }
  }

  static func literal(_ text: StaticString, _ bytes: Span<UInt8>, _ position: inout Int) -> Step {
    for offset in 0..<text.utf8CodeUnitCount {
      guard position < bytes.count else { return .short }
      guard bytes[position] == text.utf8Byte(offset) else { return .wrong }
      position += 1
    }
    return .good
  }

  /// An address and the space after it.
  static func address(
    isIPv4: Bool, _ bytes: Span<UInt8>, _ position: inout Int, _ result: inout (high: UInt64, low: UInt64)
  ) -> Step {
    var four = IPv4Scanner()
    var six = IPv6Scanner()
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      if byte == HTTPBytes.space {
        let found = isIPv4 ? four.finish().map { (0, 0xFFFF_0000_0000 | UInt64($0)) } : six.finish()
        guard let found else { return .wrong }
        result = found
        return .good
      }
      guard isIPv4 ? four.feed(byte) : six.feed(byte) else { return .wrong }
    }
    return .short
  }

  /// A port and the byte `end` after it.
  static func port(_ bytes: Span<UInt8>, _ position: inout Int, end: UInt8, _ result: inout UInt16) -> Step {
    var port = PortScanner()
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      if byte == end {
        guard let found = port.finish() else { return .wrong }
        result = found
        return .good
      }
      guard port.feed(byte) else { return .wrong }
    }
    return .short
  }
}
