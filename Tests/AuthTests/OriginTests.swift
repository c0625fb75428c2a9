// Which origins get in (PROTOCOLS G14, HOSTILE 8), as tables.
import Auth
import Buffers
import Testing

@Suite struct OriginTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var origin: String
    var host: String
    var allowed: [String]
    var expected: Bool
    init(_ origin: String, at host: String = "gateway.example.net", _ allowed: [String], _ expected: Bool) {
      (self.origin, self.host, self.allowed, self.expected) = (origin, host, allowed, expected)
    }
    init(_ origin: String, at host: String = "gateway.example.net", _ expected: Bool) {
      self.init(origin, at: host, [], expected)
    }
    var testDescription: String { "\(origin) at \(host), \(allowed): \(expected)" }
  }

  private func allows(_ row: Row, localhost: Bool = false) throws -> Bool {
    let policy = try OriginPolicy(allowed: row.allowed, allowsLocalhost: localhost)
    let origin = [UInt8](row.origin.utf8)
    let host = [UInt8](row.host.utf8)
    return policy.allows(origin: origin.span, host: host.span)
  }

  static let sameHost: [Row] = [
    .init("https://a.com", at: "a.com", true), .init("http://a.com", at: "a.com", true),
    .init("https://a.com", at: "a.com:443", true), .init("https://a.com:443", at: "a.com", true),
    .init("http://a.com:80", at: "a.com", true), .init("http://a.com", at: "a.com:80", true),
    .init("http://a.com:8080", at: "a.com:8080", true), .init("HTTPS://A.Com", at: "a.cOM", true),
    .init("http://127.0.0.1:8080", at: "127.0.0.1:8080", true), .init("http://[::1]:8080", at: "[::1]:8080", true),
    .init("http://[0:0::1]", at: "[::1]", true), .init("http://[2001:DB8::a]", at: "[2001:db8:0:0::A]:80", true),
    .init("http://my_host", at: "my_host", true),
    .init("ws://a.com", at: "a.com", true), .init("wss://a.com", at: "a.com", true),
    .init("wss://a.com", at: "a.com:443", true), .init("ws://a.com", at: "a.com:80", true),
    .init("WSS://a.com:8443", at: "a.com:8443", true), .init("ws://[::1]:8080", at: "[0::1]:8080", true),
    .init("wss://a.com", at: "a.com:80", false), .init("ws://a.com", at: "a.com:443", false),
    .init("ws://a.com:81", at: "a.com", false), .init("wss://a.com.evil", at: "a.com", false),
    .init("wsx://a.com", at: "a.com", false),
    .init("https://a.com.", at: "a.com", true), .init("https://a.com", at: "a.com.", true),
    .init("https://a.com.:8443", at: "a.com:8443", true), .init("https://a.com:8443", at: "a.com.:8443", true),
    .init("https://a.com:", at: "a.com", true), .init("https://a.com", at: "a.com:", true),
    .init("http://[::1]:", at: "[::1]:", true), .init("http://127.0.0.1.", at: "127.0.0.1", true),
    .init("https://a.com..", at: "a.com", false), .init("https://a.com", at: "a.com..", false),
    .init("https://a.com::", at: "a.com", false), .init("https://a.com:.", at: "a.com", false),
    .init("file://", at: "", false), .init("app://.", at: ".", false), .init("app://a.com", at: "a.com", false),
    .init("https://a.com", at: "a.com:80", false), .init("http://a.com", at: "a.com:443", false),
    .init("https://a.com:8443", at: "a.com", false), .init("https://a.com", at: "a.com:8443", false),
    .init("https://b.com", at: "a.com", false), .init("https://a.com.evil", at: "a.com", false),
    .init("https://evil-a.com", at: "a.com", false), .init("https://x.a.com", at: "a.com", false),
    .init("https://a.com", at: "x.a.com", false), .init("http://[::2]", at: "[::1]", false),
    .init("http://[::1]", at: "localhost", false), .init("chrome-extension://a.com", at: "a.com", false),
    .init("https://a.com", at: "", false),
    .init("https://a.com", at: "a.com,b.com", false), .init("https://a.com", at: "user@a.com", false),
  ]

  static let listed: [Row] = [
    .init("https://app.example.com", ["https://app.example.com"], true),
    .init("https://APP.example.COM:443", ["HTTPS://app.Example.com"], true),
    .init("https://app.example.com", ["https://app.example.com:443"], true),
    .init("http://app.example.com:8080", ["http://app.example.com:8080"], true),
    .init("https://b.com", ["https://a.com", "https://b.com"], true),
    .init("https://b.com", ["https://a.com", "\t https://b.com "], true),
    .init("capacitor://localhost", ["capacitor://localhost"], true),
    .init("http://[::1]:3000", ["http://[0::0:1]:3000"], true),
    .init("http://10.0.0.1", ["http://10.0.0.1"], true),
    .init("http://app.example.com", ["https://app.example.com"], false),
    .init("https://app.example.com:8443", ["https://app.example.com"], false),
    .init("https://app.example.com", ["https://app.example.com:8443"], false),
    .init("https://app.example.com.evil", ["https://app.example.com"], false),
    .init("https://app.example.com.evil.org", ["https://app.example.com"], false),
    .init("https://evilapp.example.com", ["https://app.example.com"], false),
    .init("https://x.app.example.com", ["https://app.example.com"], false),
    .init("https://example.com", ["https://app.example.com"], false),
    .init("capacitor://evil", ["capacitor://localhost"], false),
    .init("capacitor://localhost:1", ["capacitor://localhost"], false),
    .init("https://app.example.com", ["wss://app.example.com"], true),
    .init("wss://app.example.com", ["https://app.example.com"], true),
    .init("ws://app.example.com:80", ["http://app.example.com"], true),
    .init("ws://app.example.com", ["https://app.example.com"], false),
    .init("http://app.example.com", ["wss://app.example.com"], false),
    .init("https://app.example.com.", ["https://app.example.com"], true),
    .init("https://app.example.com", ["https://app.example.com."], true),
    .init("https://app.example.com:", ["https://app.example.com:"], true),
    .init("https://app.example.com", ["https://app.example.com.:"], true),
    .init("file://", ["file://"], true), .init("FILE://", ["File://"], true), .init("file:///x", ["file://"], false),
    .init("file://", ["app://."], false), .init("app://.", ["app://."], true), .init("app://-", ["app://-"], true),
    .init("app://.", ["app://-"], false), .init("null", ["null"], true), .init("file://", ["null"], false),
    .init("null", ["file://"], false), .init("file://", [], false), .init("https://a.com", ["null"], false),
    .init("chrome-extension://abcdefgh", ["chrome-extension://abcdefgh"], true),
    .init("chrome-extension://other", ["chrome-extension://abcdefgh"], false),
    .init("file://", ["*"], true), .init("app://.", ["*"], true), .init("capacitor://localhost", ["*"], true),
    .init("chrome-extension://abcdefgh", ["*"], true), .init("file:///", ["*"], true),
    .init("vscode-webview://0a.b_c", ["*"], true), .init("https://a.com.", ["*"], true),
    .init("null", ["https://app.example.com"], false), .init("null", [], false),
    .init("NULL", ["*"], false), .init("null", ["*"], true),
    .init("https://anything.example", ["*"], true), .init("moz-extension://0a1b-2c", ["*"], true),
  ]

  static let wildcards: [Row] = [
    .init("https://app.example.com", ["https://*.example.com"], true),
    .init("https://a.b.example.com", ["https://*.example.com"], true),
    .init("https://App.Example.com:443", ["https://*.EXAMPLE.com"], true),
    .init("http://app.example.com", ["*.example.com"], true), .init("https://app.example.com", ["*.example.com"], true),
    .init("https://app.example.com:8443", ["*.example.com:8443"], true),
    .init("https://app.example.com:8443", ["https://*.example.com:8443"], true),
    .init("wss://app.example.com", ["https://*.example.com"], true),
    .init("ws://app.example.com", ["*.example.com"], true),
    .init("ws://app.example.com", ["https://*.example.com"], false),
    .init("https://app.example.com.", ["*.example.com"], true),
    .init("https://app.example.com", ["https://*.example.com."], true),
    .init("https://app.example.com:", ["*.example.com:"], true),
    .init("https://example.com.", ["*.example.com"], false), .init("app://.", ["*.example.com"], false),
    .init("https://example.com", ["https://*.example.com"], false),
    .init("https://example.com", ["*.example.com"], false),
    .init("http://app.example.com", ["https://*.example.com"], false),
    .init("https://app.example.com:8443", ["https://*.example.com"], false),
    .init("https://app.example.com:8443", ["*.example.com"], false),
    .init("https://app.example.com", ["*.example.com:8443"], false),
    .init("https://evil-example.com", ["*.example.com"], false),
    .init("https://evilexample.com", ["https://*.example.com"], false),
    .init("https://evil-allowed.com", ["*.allowed.com"], false),
    .init("https://app.example.com.evil", ["*.example.com"], false),
    .init("https://.example.com", ["*.example.com"], false), .init("https://a..example.com", ["*.example.com"], false),
    .init("https://*.example.com", ["*.example.com"], false), .init("ftp://app.example.com", ["*.example.com"], false),
    .init("https://evil.org/.example.com", ["*.example.com"], false),
    .init("https://evil.org?.example.com", ["*.example.com"], false),
    .init("https://evil.org#.example.com", ["*.example.com"], false),
    .init("https://evil.org\\.example.com", ["*.example.com"], false),
    .init("https://evil.org@x.example.com", ["*.example.com"], false),
    .init("https://x.example.com@evil.org", ["*.example.com"], false),
    .init("https://evil.org:80.example.com", ["*.example.com"], false),
    .init("https://evil.org\u{0}.example.com", ["*.example.com"], false),
    .init("https://evil.org .example.com", ["*.example.com"], false),
    .init("https://evil.org%2e.example.com", ["*.example.com"], false),
    .init("https://exämple.example.com", ["*.example.com"], false),
  ]

  @Test("the request's own host is allowed, with the scheme's port where one is missing", arguments: sameHost)
  func ownHost(row: Row) throws {
    #expect(try allows(row) == row.expected)
  }

  @Test("a listed origin is allowed, and only that", arguments: listed)
  func list(row: Row) throws {
    #expect(try allows(row) == row.expected)
  }

  @Test("a wildcard stands for subdomains, never for anything that merely ends the same", arguments: wildcards)
  func wildcard(row: Row) throws {
    #expect(try allows(row) == row.expected)
  }

  @Test(
    "a malformed origin is refused even where every origin is allowed",
    arguments: [
      "", " ", "*", "a.com", "//a.com", "https:", "https:/a.com", "https://", "https:///", "https://a.com/",
      "https://a.com/x", "https://a.com?x", "https://a.com#x", "https://a.com::", "https://a.com:0",
      "https://a.com:080",
      "https://a.com:65536", "https://a.com:99999999999999999999", "https://a.com:-1", "https://a.com:8o",
      "https://:80",
      "https://a.com b.com", "https://a.com https://b.com", "https://a.com, https://b.com", " https://a.com",
      "https://a.com ", "1https://a.com", "https ://a.com", "https://user@a.com", "https://a..com", "https://.a.com",
      "https://a.com..", "https://.", "ws://", "wss://a.com/x", "https://a.c\u{F6}m", "https://[::1", "https://::1",
      "https://[]", "https://[:::]",
      "https://[::1]x", "https://[::1%25eth0]", "https://[1:2:3:4:5:6:7]", "https://[1:2:3:4:5:6:7:8:9]",
      "https://[1::2::3]", "https://[12345::]", "https://[g::]", "https://[:1:2:3:4:5:6:7]", "https://[1:2:3:4:5:6:7:]",
      "https://[1:2:3:4:5:6:7::8:9]", "https://[1.2.3.4]", "https://1.2.3", "https://1.2.3.4.5", "https://1.2.3.256",
      "https://01.2.3.4", "https://a.1", "https://1", "data:text/html", "about:blank", "file:", "file:/",
      "file://a file://b", "app://.,app://-", "app://\u{E9}", "app://*", "app://\u{7F}", "NULL", "null null",
      "https://" + String(repeating: "a", count: 64) + ".com", "https://" + String(repeating: "a.", count: 150) + "com",
    ])
  func malformed(origin: String) throws {
    #expect(try !allows(Row(origin, at: origin, ["*"], false), localhost: true))
  }

  @Test(
    "IPv6 literals compare by value",
    arguments: [
      ("[::]", "[0:0:0:0:0:0:0:0]"), ("[::1]", "[0000:0:0:0:0:0:0:0001]"), ("[1::]", "[1:0:0:0:0:0:0:0]"),
      ("[1::8]", "[1:0:0:0::0:0:8]"), ("[::ffff:1.2.3.4]", "[::FFFF:102:304]"),
      ("[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7:0]"), ("[64:ff9b::192.0.2.33]", "[64:ff9b::c000:221]"),
      ("[fe80::a:b]", "[FE80:0:0:0:0:0:A:B]"),
    ])
  func addresses(left: String, right: String) throws {
    #expect(try allows(Row("http://\(left)", at: right, true)))
    #expect(try allows(Row("http://\(right):81", ["http://\(left):81"], true)))
    #expect(try !allows(Row("http://\(left)", at: "[9::9]", false)))
  }

  @Test(
    "development mode adds every localhost, and nothing that only looks like one",
    arguments: [
      ("http://localhost", true), ("http://localhost:5173", true), ("https://LOCALHOST:8443", true),
      ("http://app.localhost:3000", true), ("http://127.0.0.1:5500", true), ("http://127.9.9.9", true),
      ("http://[::1]:3000", true), ("http://[0:0:0:0:0:0:0:1]", true), ("capacitor://localhost", true),
      ("http://localhost.evil.com", false), ("http://evil-localhost", false), ("http://evillocalhost", false),
      ("http://127.evil.com", false), ("http://127.0.0.1.evil.com", false), ("http://128.0.0.1", false),
      ("http://[::2]", false), ("http://[::ffff:127.0.0.1]", false), ("http://0.0.0.0", false), ("null", false),
    ])
  func localhost(origin: String, expected: Bool) throws {
    #expect(try allows(Row(origin, expected), localhost: true) == expected)
    #expect(try !allows(Row(origin, false), localhost: false))
  }

  @Test(
    "a malformed entry is refused by name",
    arguments: [
      "", " ", "NULL", "example.com", "localhost:3000", "https//example.com", "https:/example.com", "https://",
      "https://example.com/", "https://example.com/path", "https://example.com:0", "https://example.com:x", "**", "*.",
      "*example.com", "https://*", "https://*.", "https://a.*.com", "https://*.*.com", "*.1.2.3.4", "*.[::1]",
      "https://*.[::1]", "https://a.com,https://b.com", "https://[::1", "https://us er.com", "://a.com",
      "https://a.com..", "app://*", "app://a b", "file:", "wss://",
    ])
  func entries(entry: String) {
    #expect(throws: OriginPolicyError(entry: entry)) {
      try OriginPolicy(allowed: ["https://fine.example.com", entry], allowsLocalhost: false)
    }
    #expect("\(OriginPolicyError(entry: entry))".hasPrefix("\"\(entry)\" is not an origin"))
  }
}
