// IPv4 and IPv6 addresses in their textual forms, read strictly; pure functions, usable from any thread.

/// Textual internet addresses (RFC 4291 2.2, dotted IPv4), read as `inet_pton` reads them: no leading zeros in dotted
/// parts, no zone, no brackets, nothing before or after.
///
/// An address is 16 bytes as two words, each the big-endian integer of eight bytes; an IPv4 address is
/// `::ffff:a.b.c.d`.
public enum AddressText {
  /// Longest address in bytes of text: six full groups and a dotted tail. Longer texts are refused unread.
  public static let textBytesMax = 45

  /// The address that all of `bytes` spells, or nil. Allocates nothing.
  public static func parse(_ bytes: Span<UInt8>) -> (high: UInt64, low: UInt64)? {
    parse(bytes, bytes.indices)
  }

  /// The address of one entry of `X-Forwarded-For`: an address, one with a port (`192.0.2.1:80`), or one in brackets
  /// with or without a port (`[2001:db8::1]:80`). The port must be one but is not returned. Nil for anything else, such
  /// as `unknown`. Blanks around the entry are the caller's to remove.
  public static func parseForwarded(_ bytes: Span<UInt8>) -> (high: UInt64, low: UInt64)? {
    guard !bytes.isEmpty, bytes.count <= textBytesMax + portTextBytesMax + 2 else { return nil }
    if bytes[0] == 0x5B {
      guard let end = firstIndex(of: 0x5D, in: bytes), isPortTail(bytes, from: end + 1),
        firstIndex(of: HTTPBytes.colon, in: bytes) ?? end < end
      else { return nil }
      return parse(bytes, 1..<end)
    }
    guard let colon = firstIndex(of: HTTPBytes.colon, in: bytes), firstIndex(of: 0x2E, in: bytes) ?? colon < colon
    else { return parse(bytes) }
    // A dot before the first colon: IPv4 with a port, as no IPv6 address begins so.
    return isPortTail(bytes, from: colon) ? parse(bytes, 0..<colon) : nil
  }

  /// A colon and five digits.
  private static let portTextBytesMax = 6

  private static func parse(_ bytes: Span<UInt8>, _ range: Range<Int>) -> (high: UInt64, low: UInt64)? {
    if range.count > textBytesMax { return nil }
    var four = IPv4Scanner()
    var index = range.lowerBound
    while index < range.upperBound, four.feed(bytes[index]) { index += 1 }
    if index == range.upperBound, let value = four.finish() { return (0, 0xFFFF_0000_0000 | UInt64(value)) }
    var six = IPv6Scanner()
    for index in range where !six.feed(bytes[index]) { return nil }
    return six.finish()
  }

  /// Whether nothing follows `start`, or a colon and a port.
  private static func isPortTail(_ bytes: Span<UInt8>, from start: Int) -> Bool {
    if start == bytes.count { return true }
    var port = PortScanner()
    guard bytes[start] == HTTPBytes.colon else { return false }
    for index in start + 1..<bytes.count where !port.feed(bytes[index]) { return false }
    return port.finish() != nil
  }

  private static func firstIndex(of byte: UInt8, in bytes: Span<UInt8>) -> Int? {
    for index in bytes.indices where bytes[index] == byte { return index }
    return nil
  }
}

/// Reads a decimal port byte by byte: 0...65535 without leading zeros.
struct PortScanner: BitwiseCopyable {
  private var value: UInt32 = 0
  private var digits = 0

  /// Takes the next byte; false when no port goes on like that, after which the scanner is not used any more.
  mutating func feed(_ byte: UInt8) -> Bool {
    guard HTTPBytes.isDigit(byte), digits == 0 || value > 0 else { return false }
    value = value * 10 + UInt32(byte - 0x30)
    digits += 1
    return value <= 65_535
  }

  /// The port, or nil when it has no digit.
  func finish() -> UInt16? { digits > 0 ? UInt16(exactly: value) : nil }
}

/// Reads a dotted IPv4 address byte by byte, so that the first wrong byte is known at once.
struct IPv4Scanner: BitwiseCopyable {
  private var value: UInt32 = 0
  private var part: UInt32 = 0
  private var digits = 0
  private var dots = 0

  /// Takes the next byte; false when no address goes on like that, after which the scanner is not used any more.
  mutating func feed(_ byte: UInt8) -> Bool {
    if HTTPBytes.isDigit(byte) {
      if digits > 0 && part == 0 { return false }
      part = part * 10 + UInt32(byte - 0x30)
      digits += 1
      return part <= 255
    }
    guard byte == 0x2E, digits > 0, dots < 3 else { return false }
    value = value << 8 | part
    part = 0
    digits = 0
    dots += 1
    return true
  }

  /// The address, first part in the high byte, or nil when it is not whole.
  func finish() -> UInt32? { dots == 3 && digits > 0 ? value << 8 | part : nil }
}

/// Reads an IPv6 address byte by byte, so that the first wrong byte is known at once.
struct IPv6Scanner: BitwiseCopyable {
  private enum State: UInt8, BitwiseCopyable { case start, firstColon, digits, colon, gap, dotted }
  private var state = State.start
  /// The finished groups, the last in the low bits.
  private var value: UInt128 = 0
  private var groups = 0
  /// Groups before the `::`, or -1 without one.
  private var gap = -1
  private var group: UInt128 = 0
  private var digits = 0
  /// The current group read as the beginning of a dotted tail, as long as it may be one.
  private var tail = IPv4Scanner()
  private var mayBeTail = true

  /// Groups that can still follow: a `::` stands for one at least.
  private var groupsLeft: Int { (gap >= 0 ? 7 : 8) - groups }

  /// Takes the next byte; false when no address goes on like that, after which the scanner is not used any more.
  mutating func feed(_ byte: UInt8) -> Bool {
    if state == .dotted { return tail.feed(byte) }
    if byte == HTTPBytes.colon { return feedColon() }
    if byte == 0x2E {
      // Without a gap the tail must be the last two groups; with one it must leave a group to stand for.
      guard state == .digits, mayBeTail, gap >= 0 ? groupsLeft >= 2 : groupsLeft == 2 else { return false }
      state = .dotted
      return tail.feed(byte)
    }
    guard let digit = HTTPBytes.hexadecimal(byte), state != .firstColon else { return false }
    if state != .digits {
      guard groupsLeft > 0 else { return false }
      state = .digits
    }
    guard digits < 4 else { return false }
    group = group << 4 | UInt128(digit)
    digits += 1
    mayBeTail = mayBeTail && tail.feed(byte)
    return true
  }

  private mutating func feedColon() -> Bool {
    switch state {
    case .start:
      state = .firstColon
    case .firstColon, .colon:
      guard gap < 0 else { return false }
      gap = groups
      state = .gap
    case .digits:
      endGroup()
      // A single colon needs a group after it, and a second one a group that it stands for.
      guard groupsLeft > 0 else { return false }
      state = .colon
    case .gap, .dotted:
      return false
    }
    return true
  }

  private mutating func endGroup() {
    value = value << 16 | group
    groups += 1
    group = 0
    digits = 0
    tail = IPv4Scanner()
    mayBeTail = true
  }

  /// The address, or nil when it is not whole.
  func finish() -> (high: UInt64, low: UInt64)? {
    var copy = self
    switch state {
    case .start, .firstColon, .colon: return nil
    case .gap: break
    case .digits: copy.endGroup()
    case .dotted:
      guard let dotted = tail.finish() else { return nil }
      copy.value = copy.value << 32 | UInt128(dotted)
      copy.groups += 2
    }
    if copy.gap < 0 {
      guard copy.groups == 8 else { return nil }
    } else {
      let after = 16 * (copy.groups - copy.gap)
      let head = copy.value >> after
      let rest = copy.value & (1 << after - 1)
      copy.value = head << (16 * (8 - copy.gap)) | rest
    }
    return (UInt64(truncatingIfNeeded: copy.value >> 64), UInt64(truncatingIfNeeded: copy.value))
  }
}
