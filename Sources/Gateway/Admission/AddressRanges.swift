// A list of address ranges, such as the proxies that are trusted. Built at start-up, then constant; any thread.
import Wire

/// What is wrong with an entry of a list of address ranges.
struct AddressRangeError: Error, Equatable, CustomStringConvertible {
  /// The entry as written.
  let entry: String
  /// What was expected.
  let reason: String

  /// Names the entry.
  var description: String { "\(LogLine.quoted(entry)) \(reason)" }
}

/// Internet addresses by range, and whether Unix-domain peers are meant too.
struct AddressRanges: Sendable {
  /// Most entries: the look-up is a linear scan, made for each request that a proxy forwards.
  static let entriesMax = 256

  private struct Entry: BitwiseCopyable {
    let high: UInt64
    let low: UInt64
    let highMask: UInt64
    let lowMask: UInt64
    /// Whether the range lies in the IPv4 addresses.
    let isIPv4: Bool
  }
  private let entries: [Entry]
  private let hasUnix: Bool

  /// No address at all.
  init() {
    entries = []
    hasUnix = false
  }

  /// Reads `10.0.0.0/8`, `2001:db8::/32`, single addresses such as `::1`, and `unix` for Unix-domain peers.
  init(_ texts: [String]) throws(AddressRangeError) {
    if texts.count > Self.entriesMax {
      throw AddressRangeError(entry: texts[Self.entriesMax], reason: "is one over \(Self.entriesMax) entries")
    }
    var entries: [Entry] = []
    for text in texts where text != "unix" { entries.append(try Self.entry(text)) }
    self.entries = entries
    hasUnix = texts.contains("unix")
  }

  /// Whether it holds nothing.
  var isEmpty: Bool { entries.isEmpty && !hasUnix }

  /// Whether the address, laid out as `PeerAddress`, lies in a range. Zero is a Unix-domain peer and in no range of
  /// addresses. A range of IPv6 addresses, even `::/0`, holds no IPv4 address. Allocates nothing.
  func contains(high: UInt64, low: UInt64) -> Bool {
    if high == 0 && low == 0 { return hasUnix }
    let isIPv4 = Self.isIPv4(high, low)
    let entries = entries.span
    for index in entries.indices {
      let entry = entries[index]
      if entry.isIPv4 == isIPv4 && high & entry.highMask == entry.high && low & entry.lowMask == entry.low {
        return true
      }
    }
    return false
  }

  private static func isIPv4(_ high: UInt64, _ low: UInt64) -> Bool { high == 0 && low >> 32 == 0xFFFF }

  private static func entry(_ text: String) throws(AddressRangeError) -> Entry {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let bytes = Array((parts.first ?? "").utf8)
    guard let address = AddressText.parse(bytes.span) else {
      throw AddressRangeError(
        entry: text, reason: "is neither an address, nor a range such as 10.0.0.0/8 or 2001:db8::/32, nor unix")
    }
    let isDotted = !bytes.contains(0x3A)
    let bitsMax = isDotted ? 32 : 128
    var bits = bitsMax
    if parts.count == 2 {
      let digits = parts[1].utf8
      guard (1...3).contains(digits.count), digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
        digits.count == 1 || digits.first != 0x30, let read = Int(parts[1]), read <= bitsMax
      else {
        throw AddressRangeError(entry: text, reason: "needs a prefix length of 0...\(bitsMax) after its slash")
      }
      bits = read
    }
    if isDotted { bits += 96 }
    let highMask = bits >= 64 ? UInt64.max : ~(UInt64.max >> UInt64(bits))
    let lowMask = bits <= 64 ? 0 : ~(bits == 128 ? 0 : UInt64.max >> UInt64(bits - 64))
    if address.high & ~highMask != 0 || address.low & ~lowMask != 0 {
      throw AddressRangeError(entry: text, reason: "has address bits set past its prefix length")
    }
    if address.high == 0 && address.low == 0 && bits == 128 {
      throw AddressRangeError(entry: text, reason: "is the unspecified address, which no peer has")
    }
    return Entry(
      high: address.high, low: address.low, highMask: highMask, lowMask: lowMask,
      isIPv4: bits >= 96 && isIPv4(address.high, address.low))
  }
}
