// Address ranges and the client behind trusted proxies, by table.
import EventLoop
import Testing
import Wire

@testable import Gateway

@Suite("Address ranges and forwarded clients")
struct AdmissionRangesTests {
  @Test(
    "an address is in the ranges that its prefix says, and nowhere else",
    arguments: [
      ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.0", false), ("10.0.0.0/8", "9.255.255.255", false),
      ("10.0.0.0/8", "a00::", false), ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.0", false),
      ("192.0.2.0/31", "192.0.2.1", true), ("192.0.2.0/31", "192.0.2.2", false), ("0.0.0.0/0", "1.2.3.4", true),
      ("0.0.0.0/0", "::1", false), ("0.0.0.0/0", "unix", false), ("::/0", "2001:db8::1", true),
      ("::/0", "1.2.3.4", false), ("::/0", "unix", false), ("::ffff:0:0/96", "1.2.3.4", true),
      ("::ffff:10.0.0.0/104", "10.1.2.3", true), ("::1", "::1", true), ("::1", "::2", false),
      ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::", false),
      ("2001:db8::/64", "2001:db8::ffff:0:0:1", true), ("2001:db8::/64", "2001:db8:0:1::", false),
      ("2001:db8::/65", "2001:db8::7fff:0:0:1", true), ("2001:db8::/65", "2001:db8::8000:0:0:1", false),
      ("2001:db8::8/127", "2001:db8::9", true), ("2001:db8::8/127", "2001:db8::a", false),
      ("unix", "unix", true), ("unix", "127.0.0.1", false), ("unix", "::1", false),
    ])
  func contains(_ range: String, _ address: String, _ expected: Bool) throws {
    let ranges = try AddressRanges([range])
    let address = peer(address)
    #expect(ranges.contains(high: address.high, low: address.low) == expected)
  }

  @Test("an empty list holds nobody, and a longer one whoever one of its entries holds")
  func lists() throws {
    #expect(AddressRanges().isEmpty)
    #expect(!AddressRanges().contains(high: 0, low: 0))
    let ranges = try AddressRanges(["10.0.0.0/8", "unix", "::1"])
    #expect(!ranges.isEmpty)
    for text in ["10.1.1.1", "unix", "::1"] {
      #expect(ranges.contains(high: peer(text).high, low: peer(text).low), "\(text)")
    }
    #expect(!ranges.contains(high: peer("11.1.1.1").high, low: peer("11.1.1.1").low))
  }

  @Test(
    "an entry that is no range is refused by its name",
    arguments: [
      ("", "neither"), ("10.0.0.0/", "0...32"), ("10.0.0.0/33", "0...32"), ("10.0.0.0/08", "0...32"),
      ("10.0.0.0/-1", "0...32"), ("10.0.0.0/+8", "0...32"), ("10.0.0.0/8/8", "0...32"), ("::/129", "0...128"),
      ("::/999999999999999999999", "0...128"), ("10.0.0.1/8", "past its prefix"), ("2001:db8::1/32", "past its prefix"),
      ("::ffff:10.0.0.0/8", "past its prefix"), ("localhost", "neither"), ("10.0.0/8", "neither"), ("*", "neither"),
      ("/8", "neither"), ("Unix", "neither"), ("unix:", "neither"), ("[::1]", "neither"), (" ::1", "neither"),
      ("::", "unspecified"),
    ])
  func refused(_ entry: String, _ reason: String) {
    do throws(AddressRangeError) {
      _ = try AddressRanges(["::1", entry])
      Issue.record("accepted")
    } catch {
      #expect(error.entry == entry)
      #expect(error.description.hasPrefix("\"\(entry)\" ") && error.description.contains(reason), "\(error)")
    }
  }

  @Test("more ranges than a scan should see are refused")
  func tooMany() {
    let texts = (0...AddressRanges.entriesMax).map { "10.0.\($0 >> 8).\($0 & 255)" }
    #expect(throws: AddressRangeError.self) { try AddressRanges(texts) }
    #expect(throws: Never.self) { try AddressRanges(Array(texts.dropLast())) }
  }

  @Test(
    "the client is the right-most hop that is not trusted",
    arguments: [
      ("203.0.113.9", "10.0.0.1", "203.0.113.9"), ("6.6.6.6, 203.0.113.9", "10.0.0.1", "203.0.113.9"),
      ("203.0.113.9, 10.0.0.2", "10.0.0.1", "203.0.113.9"),
      ("203.0.113.9,10.0.0.2,10.0.0.3", "10.0.0.1", "203.0.113.9"),
      ("6.6.6.6, 203.0.113.9, 10.0.0.2", "10.0.0.1", "203.0.113.9"),
      // From a peer that is not trusted nothing is believed.
      ("203.0.113.9", "198.51.100.1", "198.51.100.1"), ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
      // A hop that is no address hides what is left of it.
      ("203.0.113.9, unknown", "10.0.0.1", "10.0.0.1"), ("203.0.113.9, bad, 10.0.0.2", "10.0.0.1", "10.0.0.2"),
      ("203.0.113.9, ::, 10.0.0.2", "10.0.0.1", "10.0.0.2"), ("203.0.113.9, unix:, 10.0.0.2", "10.0.0.1", "10.0.0.2"),
      ("bad, 203.0.113.9", "10.0.0.1", "203.0.113.9"),
      // All hops trusted: the left-most.
      ("10.0.0.4, 10.0.0.2", "10.0.0.1", "10.0.0.4"), ("", "10.0.0.1", "10.0.0.1"), (" , ,", "10.0.0.1", "10.0.0.1"),
      ("203.0.113.9, , ", "10.0.0.1", "203.0.113.9"), ("\t203.0.113.9 \t", "10.0.0.1", "203.0.113.9"),
      ("203.0.113.9:4711", "10.0.0.1", "203.0.113.9"), ("[2001:db8::5]:4711, ::1", "10.0.0.1", "2001:db8::5"),
      ("2001:db8::5", "unix", "2001:db8::5"), ("::ffff:203.0.113.9", "::1", "203.0.113.9"),
      ("203.0.113.9", "::ffff:10.0.0.1", "203.0.113.9"),
    ])
  func client(_ value: String, _ from: String, _ expected: String) throws {
    let trusted = try AddressRanges(["10.0.0.0/8", "::1", "unix"])
    let bytes = Array(value.utf8)
    #expect(ForwardedFor.client(bytes.span, peer: peer(from), trusted: trusted) == peer(expected))
  }

  @Test(
    "several lines are one list",
    arguments: [
      (["203.0.113.9", "10.0.0.2"], "203.0.113.9"), (["203.0.113.9", "10.0.0.3, 10.0.0.2", "10.0.0.4"], "203.0.113.9"),
      (["6.6.6.6", "203.0.113.9", ""], "203.0.113.9"), (["6.6.6.6, 203.0.113.9", "", "", "10.0.0.2"], "203.0.113.9"),
      (["203.0.113.9", "bad"], "10.0.0.1"), (["203.0.113.9", "bad", "10.0.0.2"], "10.0.0.2"),
      (["10.0.0.4", "10.0.0.2"], "10.0.0.4"), (["", ""], "10.0.0.1"), ([], "10.0.0.1"),
      (["203.0.113.9"], "203.0.113.9"),
    ])
  func lines(_ values: [String], _ expected: String) throws {
    let trusted = try AddressRanges(["10.0.0.0/8"])
    let lines = values.map { "X-Forwarded-For: \($0)\r\n" }.joined(separator: "X-Other: 6.6.6.6\r\n")
    let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n".utf8)
    var parser = HTTPHeadParser()
    guard case .complete(let head) = parser.parse(bytes.span, limits: HTTPLimits()) else {
      Issue.record("not complete")
      return
    }
    #expect(ForwardedFor.client(head, bytes.span, peer: peer("10.0.0.1"), trusted: trusted) == peer(expected))
    #expect(ForwardedFor.client(head, bytes.span, peer: peer("10.0.0.1"), trusted: AddressRanges()) == peer("10.0.0.1"))
  }

  @Test("without trusted ranges the peer is the client, port and all")
  func untrusted() {
    let bytes = Array("203.0.113.9".utf8)
    let from = peer("10.0.0.1", port: 4_711)
    #expect(ForwardedFor.client(bytes.span, peer: from, trusted: AddressRanges()) == from)
    #expect(ForwardedFor.client(bytes.span, peer: peer("unix"), trusted: AddressRanges()) == peer("unix"))
  }

  @Test("a chain of more proxies than anybody has is not walked to its end")
  func longChain() throws {
    let trusted = try AddressRanges(["10.0.0.0/8"])
    func client(_ hops: Int) -> PeerAddress {
      let chain = ["203.0.113.9"] + (0..<hops).map { "10.0.1.\($0)" }
      let bytes = Array(chain.joined(separator: ",").utf8)
      return ForwardedFor.client(bytes.span, peer: peer("10.0.0.1"), trusted: trusted)
    }
    #expect(client(ForwardedFor.hopsMax - 1) == peer("203.0.113.9"))
    #expect(client(ForwardedFor.hopsMax) == peer("10.0.1.0"))
    #expect(client(ForwardedFor.hopsMax + 7) == peer("10.0.1.7"))
  }
}
