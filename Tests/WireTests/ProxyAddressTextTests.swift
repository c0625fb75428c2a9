// Textual addresses against the C library's reader, on good, changed and random texts.

import Glibc
import TestSeeds
import Testing
import Wire

@Suite("Textual addresses")
struct ProxyAddressTextTests {
  struct Address: Equatable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64
    var description: String { "\(String(high, radix: 16)) \(String(low, radix: 16))" }
  }

  static func parse(_ text: String) -> Address? {
    let bytes = Array(text.utf8)
    return AddressText.parse(bytes.span).map { Address(high: $0.high, low: $0.low) }
  }

  static func parseForwarded(_ text: String) -> Address? {
    let bytes = Array(text.utf8)
    return AddressText.parseForwarded(bytes.span).map { Address(high: $0.high, low: $0.low) }
  }

  /// What the C library makes of the text.
  static func reference(_ text: String) -> Address? {
    if text.utf8.contains(0) { return nil }
    var four = in_addr()
    // SAFETY: `four` is what inet_pton writes for AF_INET.
    if unsafe inet_pton(AF_INET, text, &four) == 1 {
      return Address(high: 0, low: 0xFFFF_0000_0000 | UInt64(UInt32(bigEndian: four.s_addr)))
    }
    var words: (UInt64, UInt64) = (0, 0)
    // SAFETY: `words` is the sixteen bytes that inet_pton writes for AF_INET6.
    if unsafe inet_pton(AF_INET6, text, &words) == 1 {
      return Address(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
    }
    return nil
  }

  static let samples = [
    "0.0.0.0", "255.255.255.255", "192.0.2.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.00", "256.1.1.1", "1.2.3.4 ",
    "::", "::1", "1::", ":", ":::", "1:", ":1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
    "1:2:3:4::5:6:7:8", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "::1%lo", "[::1]", "FFFF:abcd::EF01",
    "::1.2.3.4", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5::1.2.3.4",
    "1:2:3:4:5:6::1.2.3.4", "::1.2.3", "::1.2.3.4.5", "::1.2.3.4:5", "::01.2.3.4", "::f.2.3.4", "::256.2.3.4",
    "0000:0000:0000:0000:0000:0000:255.255.255.255", "1.2.3.4::", "", "1", "1:2", "::00001", "::1.2.3.04",
    "2001:db8::a:0:0:1",
  ]

  @Test("a text is read as the C library reads it", arguments: samples)
  func asTheLibrary(_ text: String) {
    #expect(Self.parse(text) == Self.reference(text))
  }

  @Test("changed and random texts are read as the C library reads them")
  func random() {
    var random = SeededRandom("textual addresses")
    let alphabet = Array("0123456789abcfF::::....g% ").map(String.init)
    var wrong: [String] = []
    var good = 0
    for round in 0..<200_000 {
      var text: String
      switch round % 4 {
      case 0:
        text = (0..<Int.random(in: 0...12, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
          .joined()
      case 1:
        let groups = (0..<Int.random(in: 1...9, using: &random)).map { _ in
          Bool.random(using: &random) && Bool.random(using: &random)
            ? ""
            : String(
              UInt16.random(in: 0...65_535, using: &random) >> UInt16.random(in: 0...15, using: &random), radix: 16)
        }
        text = groups.joined(separator: ":")
        if round % 3 == 0 { text += ":" + (Bool.random(using: &random) ? "" : "1.20.255.0") }
      default:
        var letters = Self.samples.randomElement(using: &random)!.map(String.init)
        for _ in 0..<Int.random(in: 1...2, using: &random) {
          let place = Int.random(in: 0...letters.count, using: &random)
          let letter = alphabet.randomElement(using: &random)!
          switch Int.random(in: 0...2, using: &random) {
          case 0: letters.insert(letter, at: place)
          case 1 where place < letters.count: letters[place] = letter
          default: if place < letters.count { letters.remove(at: place) }
          }
        }
        text = letters.joined()
      }
      let expected = Self.reference(text)
      if expected != nil { good += 1 }
      if Self.parse(text) != expected { wrong.append(text) }
    }
    #expect(wrong.isEmpty)
    #expect(good > 1_000)
  }

  static let one = Address(high: 0, low: 0xFFFF_0102_0304)
  static let six = Address(high: 0x2001_0DB8_0000_0000, low: 1)

  @Test("an entry of X-Forwarded-For may have a port and brackets, and nothing else")
  func forwarded() {
    let table: [(String, Address?)] = [
      ("1.2.3.4", Self.one), ("1.2.3.4:80", Self.one), ("1.2.3.4:65535", Self.one), ("2001:db8::1", Self.six),
      ("[2001:db8::1]", Self.six), ("[2001:db8::1]:443", Self.six), ("::ffff:1.2.3.4", Self.one),
      ("[::ffff:1.2.3.4]:1", Self.one), ("1.2.3.4:", nil), ("1.2.3.4:65536", nil), ("1.2.3.4:080", nil),
      ("1.2.3.4:80:80", nil), ("[1.2.3.4]", nil), ("[1.2.3.4]:80", nil), ("[2001:db8::1", nil), ("2001:db8::1]", nil),
      ("[2001:db8::1]x", nil), ("[2001:db8::1]:", nil), ("[]", nil), ("[", nil), ("]", nil), ("", nil), (":", nil),
      ("unknown", nil), ("_hidden", nil), ("\"1.2.3.4\"", nil), (" 1.2.3.4", nil), ("fe80::1%eth0", nil),
      ("unix:", nil), ("[[2001:db8::1]]", nil), ("1.2.3.4:-1", nil), (".:1", nil), ("[:", nil), ("[1.2.3.4]:1:1", nil),
      (String(repeating: "1", count: 100), nil),
    ]
    for (text, expected) in table { #expect(Self.parseForwarded(text) == expected, "\(text)") }
  }

  @Test("random entries of X-Forwarded-For never trap")
  func forwardedRandom() {
    var random = SeededRandom("X-Forwarded-For entries")
    let alphabet = Array("0129af:.[]:.".utf8)
    var accepted = 0
    for _ in 0..<200_000 {
      let bytes = (0..<Int.random(in: 0...14, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
      if AddressText.parseForwarded(bytes.span) != nil { accepted += 1 }
    }
    #expect(accepted > 0)
  }
}
