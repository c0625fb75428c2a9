// Reads the host and port of Origin and Host headers into comparable values. Stateless, any thread.
import Buffers

/// The host part of an authority: a name or IPv4 address as written, or the value of an IPv6 literal.
struct OriginHost {
  /// Bytes of a name: RFC 1035 section 2.3.4 as text.
  static let nameBytesMax = 253

  /// Where the host stands in the text that was read, brackets included.
  var range: Range<Int>
  /// The address of an IPv6 literal, so that its many spellings compare equal.
  var address: IPv6Value?
  /// The last label is a number, so the whole must be a dotted IPv4 address.
  var isIPv4: Bool

  /// Reads `host[:port]` from all of `range`. A dot behind a name, which names the same host, and a colon without a
  /// port are passed over. Nil for user information, empty or overlong labels, characters outside letters, digits, `-`
  /// and `_`, an impossible port, and IPv6 zones.
  static func parse(_ text: Span<UInt8>, _ range: Range<Int>) -> (host: OriginHost, port: UInt16?)? {
    guard !range.isEmpty else { return nil }
    var end = range.lowerBound
    var host: OriginHost
    if text[range.lowerBound] == 0x5B {
      while end < range.upperBound, text[end] != 0x5D { end += 1 }
      guard end < range.upperBound,
        let address = IPv6Value.parse(text, range.lowerBound + 1..<end)
      else { return nil }
      end += 1
      host = OriginHost(range: range.lowerBound..<end, address: address, isIPv4: false)
    } else {
      while end < range.upperBound, text[end] != 0x3A { end += 1 }
      let hasDot = end > range.lowerBound + 1 && text[end - 1] == 0x2E
      let name = range.lowerBound..<(hasDot ? end - 1 : end)
      guard let isNumeric = nameEndsInNumber(text, name) else { return nil }
      if isNumeric, ipv4(text, name) == nil { return nil }
      host = OriginHost(range: name, address: nil, isIPv4: isNumeric)
    }
    if end == range.upperBound { return (host, nil) }
    if end + 1 == range.upperBound, text[end] == 0x3A { return (host, nil) }
    guard text[end] == 0x3A, let port = port(text, end + 1..<range.upperBound) else { return nil }
    return (host, port)
  }

  /// Whether the last label of a well-formed name is all digits; nil when the name is not well-formed.
  private static func nameEndsInNumber(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool? {
    guard range.count <= nameBytesMax else { return nil }
    var label = 0
    var isNumeric = true
    for index in range {
      switch text[index] {
      case 0x2E:
        guard label > 0 else { return nil }
        label = 0
        isNumeric = true
        continue
      case 0x30...0x39: break
      case 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: isNumeric = false
      default: return nil
      }
      label += 1
      guard label <= 63 else { return nil }
    }
    return label > 0 ? isNumeric : nil
  }

  /// The four octets of a dotted decimal address without leading zeros.
  static func ipv4(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt32? {
    var address: UInt32 = 0
    var octets = 0
    var index = range.lowerBound
    while octets < 4 {
      let start = index
      var octet: UInt32 = 0
      while index < range.upperBound, index < start + 3, text[index] >= 0x30, text[index] <= 0x39 {
        octet = octet * 10 + UInt32(text[index] - 0x30)
        index += 1
      }
      guard index > start, octet <= 255, index == start + 1 || text[start] != 0x30 else { return nil }
      address = address << 8 | octet
      octets += 1
      if octets < 4 {
        guard index < range.upperBound, text[index] == 0x2E else { return nil }
        index += 1
      }
    }
    return index == range.upperBound ? address : nil
  }

  private static func port(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt16? {
    guard range.count >= 1, range.count <= 5, text[range.lowerBound] != 0x30 else { return nil }
    var value = 0
    for index in range {
      guard text[index] >= 0x30, text[index] <= 0x39 else { return nil }
      value = value * 10 + Int(text[index] - 0x30)
    }
    return UInt16(exactly: value)
  }
}

/// A 128-bit IPv6 address.
struct IPv6Value: Equatable, Sendable {
  var high: UInt64 = 0
  var low: UInt64 = 0

  static let loopback = IPv6Value(high: 0, low: 1)

  /// Reads the text form of RFC 4291 section 2.2 from `range`, without brackets.
  static func parse(_ text: Span<UInt8>, _ range: Range<Int>) -> IPv6Value? {
    // Groups before and after `::`, each as a number of 16-bit pieces shifted in from the right.
    var before = IPv6Value()
    var after = IPv6Value()
    var groupsBefore = 0
    var groupsAfter = 0
    var hasGap = false
    var index = range.lowerBound

    func add(_ group: UInt64) {
      if hasGap { groupsAfter += 1 } else { groupsBefore += 1 }
      if hasGap { after.shiftIn(group) } else { before.shiftIn(group) }
    }
    while index < range.upperBound {
      if index + 1 < range.upperBound, text[index] == 0x3A, text[index + 1] == 0x3A {
        guard !hasGap else { return nil }
        hasGap = true
        index += 2
        continue
      }
      if index > range.lowerBound, text[index - 1] != 0x3A {
        guard text[index] == 0x3A, index + 1 < range.upperBound else { return nil }
        index += 1
      }
      guard groupsBefore + groupsAfter < 8 else { return nil }
      if let address = OriginHost.ipv4(text, index..<range.upperBound) {
        add(UInt64(address >> 16))
        add(UInt64(address & 0xFFFF))
        index = range.upperBound
        break
      }
      guard let group = group(text, &index, range.upperBound) else { return nil }
      add(group)
    }
    let groups = groupsBefore + groupsAfter
    guard hasGap ? groups < 8 : groups == 8 else { return nil }
    if hasGap {
      for _ in groupsBefore..<8 { before.shiftIn(0) }
    }
    return IPv6Value(high: before.high | after.high, low: before.low | after.low)
  }

  private mutating func shiftIn(_ group: UInt64) {
    high = high << 16 | low >> 48
    low = low << 16 | group
  }

  /// One to four hexadecimal digits.
  private static func group(_ text: Span<UInt8>, _ index: inout Int, _ end: Int) -> UInt64? {
    let start = index
    var value: UInt64 = 0
    while index < end, index < start + 4 {
      let byte = text[index]
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
      case 0x41...0x46, 0x61...0x66: value = value << 4 | UInt64((byte | 0x20) - 0x61 + 10)
      default: return index > start ? value : nil
      }
      index += 1
    }
    return index > start ? value : nil
  }
}
