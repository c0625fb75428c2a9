// The PROXY header: tables of both versions, every truncation and every single changed byte.

import TestSeeds
import Testing
import Wire

@Suite("The PROXY protocol header")
struct ProxyHeaderTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let text: String
    let expected: ProxyHeader.Outcome
    init(_ text: String, _ expected: ProxyHeader.Outcome) {
      self.text = text
      self.expected = expected
    }
    var testDescription: String { text.debugDescription }
  }

  static func parse(_ bytes: [UInt8]) -> ProxyHeader.Outcome { ProxyHeader.parse(bytes.span) }

  static func four(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64, _ port: UInt16) -> ProxyAddress {
    ProxyAddress(high: 0, low: 0xFFFF_0000_0000 | a << 24 | b << 16 | c << 8 | d, port: port)
  }

  /// A version 2 header with this body.
  static func binary(_ command: UInt8, _ family: UInt8, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
    let length = length ?? body.count
    return Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [command, family, UInt8(length >> 8), UInt8(length & 255)] + body
  }

  static let fourBody: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0x01, 0xBB]
  static let sixBody: [UInt8] =
    [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] + [UInt8](repeating: 0xFE, count: 16)
    + [0xFF, 0xFE, 0, 80]
  static let six = ProxyAddress(high: 0x2001_0DB8_0000_0000, low: 1, port: 65_534)

  @Test(
    "a version 1 line is read strictly",
    arguments: [
      Case(
        "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n", .complete(length: 45, four(192, 0, 2, 1, 12_345))),
      Case("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\nGET", .complete(length: 44, four(0, 0, 0, 0, 0))),
      Case(
        "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        .complete(length: 56, four(255, 255, 255, 255, 65_535))),
      Case("PROXY TCP6 2001:db8::1 ::1 65534 80\r\n", .complete(length: 37, six)),
      Case("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 80\r\n", .complete(length: 38, four(192, 0, 2, 1, 1))),
      Case("PROXY TCP6 :: ::1 1 80\r\n", .complete(length: 24, nil)),
      Case("PROXY UNKNOWN\r\n", .complete(length: 15, nil)),
      Case("PROXY UNKNOWN what the proxy likes\r\nGET", .complete(length: 36, nil)),
      Case(
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        .complete(length: 107, nil)),
      Case("PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\n", .malformed),
      Case("PROXY TCP4 192.0.2.1 198.51.100.2 012345 443\r\n", .malformed),
      Case("PROXY TCP4 192.0.2.1 198.51.100.2 00 443\r\n", .malformed),
      Case("PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n", .malformed),
      Case("PROXY TCP4 192.0.2.1 198.51.100.2 99999999999999999999 443\r\n", .malformed),
      Case("PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n", .malformed),
      Case("PROXY TCP4 192.0.2.1 198.51.100.2  443\r\n", .malformed),
      Case("PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n", .malformed),
      Case("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n", .malformed),
      Case("PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n", .malformed),
      Case("PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n", .malformed),
      Case("PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n", .malformed),
      Case("PROXY TCP4 192.0.02.1 198.51.100.2 1 2\r\n", .malformed),
      Case("PROXY TCP4 ::1 ::1 1 2\r\n", .malformed),
      Case("PROXY TCP6 192.0.2.1 192.0.2.1 1 2\r\n", .malformed),
      Case("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", .malformed),
      Case("PROXY TCP6 [::1] ::1 1 2\r\n", .malformed),
      Case("PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n", .malformed),
      Case("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n", .malformed),
      Case("proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n", .malformed),
      Case("PROXY UNKNOWNS\r\n", .malformed),
      Case("PROXY UNKNOWN a\rb\r\n", .malformed),
      Case("GET / HTTP/1.1\r\n\r\n", .malformed),
      Case("", .incomplete),
    ])
  func text(_ entry: Case) {
    #expect(Self.parse(Array(entry.text.utf8)) == entry.expected)
  }

  @Test(
    "a line is refused with its first wrong byte, not before it and not later",
    arguments: [
      "G", "PROXY_", "PROXY X", "PROXY TCP4 x", "PROXY TCP4 256", "PROXY TCP4 01", "PROXY TCP4 1..", "PROXY TCP4 1.2 ",
      "PROXY TCP4 1.2.3.4.", "PROXY TCP6 1: ", "PROXY TCP6 12345", "PROXY TCP6 1::2::", "PROXY TCP6 :1",
      "PROXY TCP6 1:2:3:4:5:6:7:8:", "PROXY TCP6 1:2:3:4:5:6:7::8", "PROXY TCP6 ::256.",
      "PROXY TCP6 1:2:3:4:5:1.",
      "PROXY TCP4 1.2.3.4 1.2.3.4 65536", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\r",
      "PROXY UNKNOWN\n", "\r\n\r\n\0\r\nQUIX", "\n", "\r\n\r\n\r",
    ])
  func failsFast(_ text: String) {
    let bytes = Array(text.utf8)
    #expect(Self.parse(bytes) == .malformed)
    #expect(Self.parse(bytes.dropLast()) == .incomplete)
  }

  @Test("a line of 107 bytes without an end is refused, one of 106 may still end")
  func endless() {
    let endless = Array(("PROXY UNKNOWN " + String(repeating: "x", count: 200)).utf8)
    #expect(Self.parse(Array(endless.prefix(106))) == .incomplete)
    #expect(Self.parse(Array(endless.prefix(107))) == .malformed)
    #expect(Self.parse(endless) == .malformed)
    // The longest addresses that IPv6 text has do not fit into a line.
    let dotted = "0000:0000:0000:0000:0000:0000:255.255.255.255"
    #expect(Self.parse(Array("PROXY TCP6 \(dotted) \(dotted) 65535 65535\r\n".utf8)) == .malformed)
  }

  struct BinaryCase: Sendable {
    let name: String
    let bytes: [UInt8]
    let expected: ProxyHeader.Outcome
    init(_ name: String, _ bytes: [UInt8], _ expected: ProxyHeader.Outcome) {
      self.name = name
      self.bytes = bytes
      self.expected = expected
    }
  }

  static let extensions: [UInt8] = [0x04, 0, 3, 1, 2, 3]
  static let binaryCases: [BinaryCase] = [
    BinaryCase("TCP over IPv4", binary(0x21, 0x11, fourBody), .complete(length: 28, four(192, 0, 2, 1, 12_345))),
    BinaryCase(
      "extensions", binary(0x21, 0x11, fourBody + extensions), .complete(length: 34, four(192, 0, 2, 1, 12_345))),
    BinaryCase("TCP over IPv6", binary(0x21, 0x21, sixBody), .complete(length: 52, six)),
    BinaryCase("more bytes behind", binary(0x21, 0x21, sixBody) + [1, 2, 3], .complete(length: 52, six)),
    BinaryCase(
      "the unspecified address", binary(0x21, 0x21, [UInt8](repeating: 0, count: 36)), .complete(length: 52, nil)),
    BinaryCase("LOCAL", binary(0x20, 0x00, []), .complete(length: 16, nil)),
    BinaryCase("LOCAL with an address", binary(0x20, 0x11, fourBody), .complete(length: 28, nil)),
    BinaryCase("LOCAL with too short an address", binary(0x20, 0x11, [1]), .complete(length: 17, nil)),
    BinaryCase("datagrams over IPv4", binary(0x21, 0x12, fourBody), .complete(length: 28, nil)),
    BinaryCase("datagrams over IPv6", binary(0x21, 0x22, sixBody), .complete(length: 52, nil)),
    BinaryCase(
      "Unix-domain", binary(0x21, 0x31, [UInt8](repeating: 0x2F, count: 216)), .complete(length: 232, nil)),
    BinaryCase("an unknown family", binary(0x21, 0xF7, [1, 2, 3]), .complete(length: 19, nil)),
    BinaryCase("no family", binary(0x21, 0x00, []), .complete(length: 16, nil)),
    BinaryCase("version 1 in binary", binary(0x11, 0x11, fourBody), .malformed),
    BinaryCase("version 3", binary(0x31, 0x11, fourBody), .malformed),
    BinaryCase("an unknown command", binary(0x22, 0x11, fourBody), .malformed),
    BinaryCase("too short for IPv4", binary(0x21, 0x11, Array(fourBody.dropLast())), .malformed),
    BinaryCase("too short for IPv6", binary(0x21, 0x21, Array(sixBody.dropLast())), .malformed),
    BinaryCase(
      "the longest", binary(0x21, 0x11, fourBody + [UInt8](repeating: 0, count: 524)),
      .complete(length: 552, four(192, 0, 2, 1, 12_345))),
    BinaryCase("one too long", binary(0x21, 0x11, fourBody, length: 537), .malformed),
    BinaryCase("much too long", binary(0x21, 0x11, [], length: 65_535), .malformed),
  ]

  @Test("a version 2 header is read by its family, command and length", arguments: binaryCases.indices)
  func binaryHeader(_ index: Int) {
    let entry = Self.binaryCases[index]
    #expect(Self.parse(entry.bytes) == entry.expected, "\(entry.name)")
  }

  /// Whole headers of both versions.
  static let whole: [[UInt8]] =
    [
      "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n", "PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 65534 80\r\n",
      "PROXY UNKNOWN\r\n", "PROXY UNKNOWN x y\r\n",
    ].map { Array($0.utf8) }
    + [
      binary(0x21, 0x11, fourBody), binary(0x21, 0x21, sixBody + extensions), binary(0x20, 0x00, []),
      binary(0x21, 0x31, [UInt8](repeating: 1, count: 216)),
    ]

  @Test("every truncation of a header is incomplete, and whatever follows it changes nothing")
  func truncations() {
    for header in Self.whole {
      for length in header.indices { #expect(Self.parse(Array(header.prefix(length))) == .incomplete) }
      let outcome = Self.parse(header)
      guard case .complete(header.count, _) = outcome else {
        Issue.record("\(outcome)")
        continue
      }
      for byte in UInt8.min...UInt8.max { #expect(Self.parse(header + [byte, byte]) == outcome) }
    }
  }

  @Test("with any one byte changed, an outcome once reached never changes as more bytes come")
  func mutations() {
    var checked = 0
    var wrong: [String] = []
    for header in Self.whole {
      for position in header.indices {
        for byte in UInt8.min...UInt8.max where byte != header[position] {
          var bytes = header
          bytes[position] = byte
          bytes += [0x0D, 0x0A]
          let outcome = Self.parse(bytes)
          if case .complete(let length, _) = outcome, !(16...bytes.count).contains(length) && length != 15 {
            wrong.append("length \(length) of \(bytes)")
          }
          // A sample of the cuts: each is a run over the whole prefix.
          for cut in [position, position + 1, position + 2, header.count - 1] where cut <= bytes.count {
            let early = Self.parse(Array(bytes.prefix(cut)))
            if early != .incomplete && early != outcome { wrong.append("\(early) then \(outcome): \(bytes)") }
          }
          checked += 1
        }
      }
    }
    #expect(wrong.isEmpty)
    #expect(checked > 100_000)
  }

  @Test("random bytes behind the beginnings of headers come to an outcome within 552 bytes, never a trap")
  func random() {
    var random = SeededRandom("PROXY headers")
    var undecided = 0
    for _ in 0..<20_000 {
      let header = Self.whole.randomElement(using: &random)!
      var bytes = Array(header.prefix(Int.random(in: 0...header.count, using: &random)))
      let alphabet: [UInt8] = Array("0123456789abcdef:. \r\n".utf8)
      while bytes.count < ProxyHeader.bytesMax {
        bytes.append(
          Bool.random(using: &random)
            ? alphabet.randomElement(using: &random)! : UInt8.random(in: 0...255, using: &random))
      }
      if Self.parse(bytes) == .incomplete { undecided += 1 }
    }
    #expect(undecided == 0)
  }
}
