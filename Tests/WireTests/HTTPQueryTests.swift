// Query parameters and path comparison.

import Buffers
import TestSeeds
import Testing
import Wire

@Suite("HTTP queries and paths")
struct HTTPQueryTests {
  /// The value of the parameter `token` in `query`, found by both overloads.
  private func token(_ query: String) -> String? {
    let bytes = Array(query.utf8)
    let name = Array("token".utf8)
    var buffer = ByteBuffer()
    buffer.append("kept:")
    var other = ByteBuffer()
    let isFound = HTTPQuery.value(of: "token", in: bytes.span, query: 0..<bytes.count, into: &buffer)
    let isFoundByBytes = HTTPQuery.value(of: name.span, in: bytes.span, query: 0..<bytes.count, into: &other)
    let text = buffer.bytes.string
    if isFound != isFoundByBytes || text != "kept:" + other.bytes.string { return "overloads differ" }
    if !isFound { return text == "kept:" ? nil : "buffer touched" }
    return String(text.dropFirst(5))
  }

  @Test(
    "the first parameter of a name is decoded; an empty one counts as absent (PROTOCOLS G8)",
    arguments: [
      ("token=a", "a"), ("x=1&token=a&y", "a"), ("token=a&token=b", "a"), ("token=a=b", "a=b"), ("&&token=a&&", "a"),
      ("token=a+b%2Bc%26d", "a b+c&d"), ("%74oken=a", "a"), ("%74%6F%6b%65%6e=%C3%A9", "é"), ("token=%zz%4", "%zz%4"),
      ("token=100%", "100%"), ("tokens=b&token=a", "a"), ("toke=b&token=a", "a"),
      ("token=", nil), ("token", nil), ("token=&token=a", nil), ("", nil), ("&", nil), ("=a", nil), ("Token=a", nil),
      ("tokens=a", nil), ("xtoken=a", nil), ("x=token=a", nil), ("to+en=a", nil),
    ] as [(String, String?)])
  func values(query: String, expected: String?) {
    #expect(token(query) == expected)
  }

  @Test("a query of nothing but separators or escapes is searched to its end")
  func long() {
    #expect(token(String(repeating: "&", count: 8192) + "token=a") == "a")
    #expect(token(String(repeating: "%", count: 8192) + "&token=a") == "a")
    #expect(token(String(repeating: "%74oken&", count: 1) + "token=a") == nil)
  }

  @Test("random queries never trap, and both ways to name the parameter agree")
  func random() {
    var random = SeededRandom("HTTP queries")
    let alphabet = Array("token=&%+746Fx".utf8)
    for _ in 0..<5_000 {
      let bytes = (0..<Int.random(in: 0..<24, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
      #expect(token(String(decoding: bytes, as: UTF8.self)) != "overloads differ", "seed \(random.seed): \(bytes)")
    }
  }

  private func matches(_ path: String, _ served: StaticString) -> Bool {
    let bytes = Array(path.utf8)
    let spelled = Array("\(served)".utf8)
    let isMatch = HTTPPath.matches(bytes.span, 0..<bytes.count, served)
    #expect(HTTPPath.matches(bytes.span, 0..<bytes.count, spelled.span) == isMatch)
    return isMatch
  }

  private func hasPrefix(_ path: String, _ prefix: StaticString) -> Bool {
    let bytes = Array(path.utf8)
    let spelled = Array("\(prefix)".utf8)
    let isMatch = HTTPPath.hasPrefix(bytes.span, 0..<bytes.count, prefix)
    #expect(HTTPPath.hasPrefix(bytes.span, 0..<bytes.count, spelled.span) == isMatch)
    return isMatch
  }

  @Test("paths are compared decoded, and nothing is normalised")
  func paths() {
    for path in ["/channels", "/%63hannels", "/%63%68%61%6E%6e%65%6C%73"] { #expect(matches(path, "/channels")) }
    let others = [
      "/Channels", "/channels/", "//channels", "/channel", "/channelss", "/./channels", "/a/../channels", "%2Fchannels",
      "/channels%00", "/channels%", "/", "", "/%2e/channels", String(repeating: "%61", count: 3000),
    ]
    for path in others { #expect(!matches(path, "/channels"), "\(path)") }
    #expect(matches("/", "/"))
    #expect(matches("", "/"))
    #expect(!matches("/a%2Fb", "/a/b"))
    #expect(matches("/a+b", "/a+b"))
    #expect(!matches("/a+b", "/a b"))
  }

  @Test("a prefix is compared decoded, and a path with dot segments has none")
  func prefixes() {
    for path in ["/user/", "/user/1", "/%75ser/1", "/user/.a", "/user/a..", "/user/...", "/user/%2E%2Fa"] {
      #expect(hasPrefix(path, "/user/"), "\(path)")
    }
    let others = [
      "/user", "/users/1", "/user%2F1", "/user/../a", "/user/.", "/user/%2e%2e/a", "/user/.%2E", "/./user/a", "", "/",
    ]
    for path in others { #expect(!hasPrefix(path, "/user/"), "\(path)") }
    #expect(hasPrefix("", "/"))
    #expect(hasPrefix("/a", "/"))
  }

  @Test("a path segment is decoded without turning + into a space")
  func decoding() {
    let bytes = Array("a%20b+c%2F%4".utf8)
    #expect(HTTPTest.written { PercentCoding.append(bytes.span, plusIsSpace: false, to: &$0) } == "a b+c/%4")
  }
}
