// The head parser against its corpus: whole, split anywhere, one byte at a time, and mutated.

import Buffers
import TestSeeds
import Testing
import Wire

@Suite("HTTP request heads")
struct HTTPHeadTests {
  @Test("a valid head is accepted", arguments: HTTPHeadCorpus.good)
  func good(_ row: HTTPHeadRow) {
    #expect(HTTPTest.outcome(row.bytes).hasPrefix("complete"))
  }

  @Test("an invalid head is refused with its status", arguments: HTTPHeadCorpus.bad)
  func bad(_ row: HTTPHeadRow) throws {
    #expect(try HTTPTest.outcome(row.bytes) == "\(#require(row.status))")
  }

  @Test("a head has the same outcome however it is split", arguments: HTTPHeadCorpus.good + HTTPHeadCorpus.bad)
  func splits(_ row: HTTPHeadRow) {
    #expect(HTTPTest.splitDisagreement(row.bytes) == nil)
  }

  @Test("every proper prefix of a valid head is incomplete", arguments: HTTPHeadCorpus.good)
  func prefixes(_ row: HTTPHeadRow) throws {
    var parser = HTTPHeadParser()
    guard case .complete(let head) = parser.parse(row.bytes.span, limits: HTTPLimits()) else {
      Issue.record("not complete")
      return
    }
    let decided = (0..<head.length).filter { HTTPTest.outcome(row.bytes, end: $0) != "incomplete" }
    #expect(decided == [])
  }

  @Test("the parts of a handshake are where they should be")
  func parts() throws {
    let text = HTTPHeadCorpus.handshake
    let head = try #require(HTTPTest.head(text))
    func part(_ range: Range<Int>?) -> String? { HTTPTest.slice(text, range) }
    #expect(head.method == .get)
    #expect(part(head.methodRange) == "GET")
    #expect(part(head.target) == "/ws?token=a")
    #expect(part(head.path) == "/ws")
    #expect(part(head.query) == "token=a")
    #expect(head.minorVersion == 1)
    #expect(head.length == text.utf8.count)
    #expect(part(head.host) == "a:80")
    #expect(part(head.upgrade) == "websocket")
    #expect(part(head.secWebSocketKey) == "dGhlIHNhbXBsZSBub25jZQ==")
    #expect(part(head.secWebSocketVersion) == "13")
    #expect(part(head.secWebSocketProtocol) == "a, b")
    #expect(head.repeatsSecWebSocketProtocol)
    #expect(part(head.secWebSocketExtensions) == "permessage-deflate")
    #expect(!head.repeatsSecWebSocketExtensions)
    #expect(head.connectionHasUpgrade && head.connectionHasKeepAlive && head.hasUpgradeWebSocket && head.keepsAlive)
    #expect(head.origin == nil && head.contentLength == nil && !head.isChunked && !head.hasBody)
  }

  @Test("the remaining fields are found, and of several X-Forwarded-For lines the last")
  func otherFields() throws {
    let text =
      "OPTIONS /a? HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\nAuthorization: Bearer t\r\nCookie: token=c\r\n"
      + "Content-Type: application/json\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2, 3.3.3.3\r\n"
      + "X-Forwarded-Proto: https\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-a\r\n"
      + "Content-Length: 12\r\nExpect: 100-continue\r\nConnection: foo\r\nConnection: , Close\r\n\r\n"
    let head = try #require(HTTPTest.head(text))
    func part(_ range: Range<Int>?) -> String? { HTTPTest.slice(text, range) }
    #expect(head.method == .options)
    #expect(part(head.query) == "")
    #expect(part(head.origin) == "http://o")
    #expect(part(head.authorization) == "Bearer t")
    #expect(part(head.cookie) == "token=c")
    #expect(part(head.contentType) == "application/json")
    #expect(part(head.xForwardedFor) == "2.2.2.2, 3.3.3.3")
    #expect(part(head.xForwardedProto) == "https")
    #expect(part(head.accessControlRequestMethod) == "POST")
    #expect(part(head.accessControlRequestHeaders) == "x-a")
    #expect(head.contentLength == 12)
    #expect(head.expectContinue && head.hasBody && head.connectionHasClose && !head.keepsAlive)
  }

  @Test("the lines of a list are joined in their order, whatever stands between them and however they are spelled")
  func joinedLines() throws {
    let text =
      "GET / HTTP/1.1\r\nX-Forwarded-For: 1.1.1.1\r\nCookie: a=1\r\nHost: h\r\nx-forwarded-for:\r\n"
      + "COOKIE:  b=2; c=3 \r\nX-FORWARDED-FOR: 2.2.2.2, 3.3.3.3\r\nExpect: 100-continue\r\n"
      + "Expect: , 100-Continue\r\n\r\n"
    let head = try #require(HTTPTest.head(text))
    let bytes = Array(text.utf8)
    #expect(head.repeatsXForwardedFor && head.repeatsCookie && !head.repeatsAccessControlRequestHeaders)
    #expect(head.expectContinue)
    func joined(_ name: StaticString, _ separator: StaticString) -> String {
      HTTPTest.written { head.appendLines(named: name, separator: separator, in: bytes.span, to: &$0) }
    }
    #expect(joined("x-forwarded-for", ",") == "1.1.1.1,,2.2.2.2, 3.3.3.3")
    #expect(joined("cookie", "; ") == "a=1; b=2; c=3")
    #expect(joined("host", ", ") == "h")
    #expect(joined("x-nobody", ", ") == "")
  }

  @Test("a connection is not kept where a client that waits for 100 may leave its body out")
  func unreadBody() throws {
    let expecting = try #require(
      HTTPTest.head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"))
    #expect(expecting.keepsAlive && !expecting.keepsAliveUnread)
    let empty = try #require(HTTPTest.head("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"))
    #expect(empty.keepsAliveUnread)
    let plain = try #require(HTTPTest.head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"))
    #expect(plain.keepsAliveUnread)
  }

  @Test("the authority of an absolute target replaces Host")
  func absoluteTarget() throws {
    let text = "GET http://b:8080?x HTTP/1.1\r\nHost: a\r\n\r\n"
    let head = try #require(HTTPTest.head(text))
    #expect(HTTPTest.slice(text, head.host) == "b:8080")
    #expect(head.path.isEmpty)
    #expect(HTTPTest.slice(text, head.query) == "x")
  }

  @Test(
    "a connection is kept alive as RFC 9112 9.3 says",
    arguments: [
      ("1.1", "", true), ("1.1", "Connection: close\r\n", false), ("1.1", "Connection: keep-alive, close\r\n", false),
      ("1.0", "", false), ("1.0", "Connection: Keep-Alive\r\n", true), ("1.0", "Connection: close\r\n", false),
    ])
  func keepAlive(version: String, line: String, keepsAlive: Bool) throws {
    let head = try #require(HTTPTest.head("GET / HTTP/\(version)\r\nHost: a\r\n\(line)\r\n"))
    #expect(head.keepsAlive == keepsAlive)
  }

  @Test("header lines are iterated in order, and by name in any case")
  func iterator() throws {
    let text = HTTPHeadCorpus.handshake
    let bytes = Array(text.utf8)
    let head = try #require(HTTPTest.head(text))
    var names: [String] = []
    var lines = HTTPHeaderIterator(head)
    while let line = lines.next(in: bytes.span) { names.append(try #require(HTTPTest.slice(text, line.name))) }
    #expect(names.count == 8)
    #expect(names.first == "Host" && names.last == "Sec-WebSocket-Extensions")

    var elements: [String] = []
    var offers = HTTPHeaderIterator(head)
    while let value = offers.next(named: "sec-websocket-protocol", in: bytes.span) {
      var list = HTTPListIterator(value)
      while let element = list.next(in: bytes.span) { elements.append(try #require(HTTPTest.slice(text, element))) }
    }
    #expect(elements == ["a", "b", "c"])
  }

  @Test("a list skips empty elements, and 8 KiB of commas are an empty list")
  func lists() {
    let text = " a ,, b;c=1,\t"
    let bytes = Array(text.utf8)
    var list = HTTPListIterator(0..<bytes.count)
    #expect(HTTPTest.slice(text, list.next(in: bytes.span)) == "a")
    #expect(HTTPTest.slice(text, list.next(in: bytes.span)) == "b;c=1")
    #expect(list.next(in: bytes.span) == nil)
    let commas = [UInt8](repeating: 0x2C, count: 8192)
    var none = HTTPListIterator(0..<commas.count)
    #expect(none.next(in: commas.span) == nil)
  }

  @Test("limits from the configuration apply, at the byte")
  func configuredLimits() {
    var limits = HTTPLimits()
    limits.targetBytesMax = 10
    #expect(HTTPTest.outcome("GET /23456789a HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits).hasPrefix("complete"))
    #expect(HTTPTest.outcome("GET /23456789ab HTTP/1.1\r\n", limits: limits) == "414")
    // The target itself, 4 bytes of method and space, and 64 of other overhead at most.
    #expect(HTTPTest.outcome("GET /" + String(repeating: "a", count: 68), limits: limits) == "incomplete")
    #expect(HTTPTest.outcome("GET /" + String(repeating: "a", count: 69), limits: limits) == "414")
    limits = HTTPLimits()
    limits.headerCountMax = 1
    #expect(HTTPTest.outcome("GET / HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits).hasPrefix("complete"))
    #expect(HTTPTest.outcome("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n", limits: limits) == "431")
    limits = HTTPLimits()
    limits.headBytesMax = 27
    #expect(HTTPTest.outcome("GET / HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits).hasPrefix("complete"))
    limits.headBytesMax = 26
    #expect(HTTPTest.outcome("GET / HTTP/1.1\r\nHost: a\r\n\r", limits: limits) == "431")
    for extreme in [Int.min, -1, 0, Int.max] {
      limits.headBytesMax = extreme
      limits.targetBytesMax = extreme
      limits.headerCountMax = extreme
      let expected = extreme == Int.max ? "complete" : "414"
      #expect(HTTPTest.outcome("GET / HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits).hasPrefix(expected))
    }
  }

  @Test("one parser serves requests that follow one another")
  func pipelining() {
    let bytes = Array((HTTPHeadCorpus.handshake + HTTPHeadCorpus.handshake + "GET").utf8)
    var parser = HTTPHeadParser()
    var start = 0
    var count = 0
    while case .complete(let head) = parser.parse(bytes.span.extracting(start..<bytes.count), limits: HTTPLimits()) {
      start += head.length
      count += 1
    }
    #expect(count == 2)
    #expect(start == bytes.count - 3)
  }

  @Test("random mutations of heads never trap, and splits never change the outcome")
  func mutations() {
    var random = SeededRandom("HTTP head mutations")
    let rows = (HTTPHeadCorpus.good + HTTPHeadCorpus.bad).filter { $0.bytes.count < 600 }
    let spice: [UInt8] = Array("\r\n\t :,%/?*\0".utf8) + [0x7F, 0x80, 0xFF]
    for round in 0..<5_000 {
      var bytes = rows.randomElement(using: &random)?.bytes ?? []
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.insert(spice.randomElement(using: &random) ?? 0, at: at)
        case 2 where bytes.count > 1: bytes.remove(at: at)
        default: bytes.insert(contentsOf: bytes[at..<min(at + 20, bytes.count)], at: at)
        }
      }
      var limits = HTTPLimits()
      if Bool.random(using: &random) {
        limits.headBytesMax = Int.random(in: 0..<200, using: &random)
        limits.targetBytesMax = Int.random(in: 0..<20, using: &random)
        limits.headerCountMax = Int.random(in: 0..<5, using: &random)
      }
      let whole = HTTPTest.outcome(bytes, limits: limits)
      let cuts = (0..<3).map { _ in Int.random(in: 0...bytes.count, using: &random) }.sorted()
      #expect(
        HTTPTest.outcome(bytes, cuts: cuts, limits: limits) == whole, "round \(round), seed \(random.seed): \(bytes)")
    }
  }
}
