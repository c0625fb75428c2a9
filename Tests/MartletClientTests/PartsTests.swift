// The small parts of the client: URLs, response heads, close codes, dialects.

import Buffers
import Foundation
import Testing

@testable import MartletClient

@Suite("Parts of the Swift client")
struct PartsTests {
  @Test("URLs are taken apart")
  func urls() throws {
    let cases: [(String, ClientURL.Place, String, String)] = [
      ("ws://h", .tcp(host: "h", port: 80), "/", "h"),
      ("WS://h:81/a/b?c=d#e", .tcp(host: "h", port: 81), "/a/b?c=d", "h:81"),
      ("ws://127.0.0.1:8080?x", .tcp(host: "127.0.0.1", port: 8080), "/?x", "127.0.0.1:8080"),
      ("ws://[::1]:9/p", .tcp(host: "::1", port: 9), "/p", "[::1]:9"),
      ("ws://[::1]/p:1", .tcp(host: "::1", port: 80), "/p:1", "[::1]"),
      ("ws+unix:///run/m.sock:/channels", .unix(path: "/run/m.sock"), "/channels", "localhost"),
      ("ws+unix:///run/m.sock", .unix(path: "/run/m.sock"), "/", "localhost"),
    ]
    for (text, place, target, authority) in cases {
      let url = try ClientURL(text, scheme: "ws")
      #expect(url.place == place && url.target == target && url.authority == authority, "\(text)")
    }
  }

  @Test(
    "URLs that cannot be used are refused",
    arguments: [
      "", "ws://", "ws:///p", "h:80", "http://h", "ws://h:0", "ws://h:65536", "ws://h:x", "ws://u@h", "ws://[::1",
      "ws://h/ü",
      "ws://h/a b", "ws://h/\r\nX: y", "ws+unix://relative", "ws://[::1]x",
      "ws://h/" + String(repeating: "x", count: 5_000),
    ])
  func badURLs(text: String) {
    #expect(throws: ClientError.self) { try ClientURL(text, scheme: "ws") }
  }

  @Test("wss is refused with an error that says where to terminate TLS")
  func tls() {
    for (text, scheme) in [("wss://h/p", "ws"), ("https://h/p", "http")] {
      #expect(throws: ClientError.tlsUnsupported) { try ClientURL(text, scheme: scheme) }
    }
    #expect(throws: ClientError.tlsUnsupported) { _ = try ChannelsClient(url: "wss://h/p", token: "t") }
    #expect(ClientError.tlsUnsupported.description.contains("terminate TLS in front"))
  }

  @Test("a token is added to whatever query there is")
  func token() throws {
    let cases = [
      ("ws://h", "/?token=a%20%C3%A9-_.~"), ("ws://h/p?", "/p?token=a%20%C3%A9-_.~"),
      ("ws://h/?x=1", "/?x=1&token=a%20%C3%A9-_.~"),
    ]
    for (text, expected) in cases {
      #expect(try ClientURL(text, scheme: "ws").target(adding: "token", "a é-_.~") == expected)
    }
  }

  @Test("response heads are read at every split, and interim ones passed over")
  func heads() throws {
    let text =
      "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\nB:\t two \r\nA: 3\r\nList: x, UpGrade ,y\r\n\r\nrest"
    let bytes = [UInt8](text.utf8)
    for count in 0..<(bytes.count - 4) {
      #expect(try ResponseHead.parse(Array(bytes[..<count]).span) == nil)
    }
    let (head, count) = try #require(try ResponseHead.parse(bytes.span))
    #expect(head.status == 200 && count == bytes.count - 4)
    #expect(head.value("b") == "two" && head.value("a") == nil && head.has("a") && !head.has("c"))
    #expect(head.lists("list", "upgrade") && !head.lists("list", "z"))
  }

  @Test(
    "heads that are no HTTP/1 are refused",
    arguments: [
      "x\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2x0 \r\n\r\n", "HTTP/1.1 999 X\r\n\r\n",
      "HTTP/1.1 200 OK\r\nx\r\n\r\n",
    ])
  func badHeads(text: String) {
    #expect(throws: ResponseHead.Failure.malformed) { try ResponseHead.parse([UInt8](text.utf8).span) }
  }

  @Test("close codes mean what docs/CLOSE_CODES.md says")
  func closeCodes() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
      "../../docs/CLOSE_CODES.md")
    let rows = try String(contentsOf: path, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| `") }
    #expect(rows.count > 10)
    for row in rows {
      let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      guard let code = UInt16(cells[1]) else { continue }
      // The reason tells the two kinds of 1008 apart; the gateway's text for this one is `rate limit`.
      let reason = cells[0] == "`rate_limited`" ? "rate limit" : cells[0]
      let expected: CloseAdvice =
        switch cells[4] {
        case "stop": .stop
        case "reconnect at once": .atOnce
        default: .backOff
        }
      #expect(CloseAdvice(code: code, reason: reason) == expected, "\(row)")
    }
  }

  @Test("channel names and JSON that the gateway would refuse are refused before they are sent")
  func checks() {
    for name in ["", "a\u{0}", "a\n", String(repeating: "ü", count: 128)] {
      #expect(throws: ClientError.self) { try ChannelsDialect.check(channel: name) }
    }
    for json in [
      "", "{", "nul", "1e999", "\"\\ud800\"", "1 2",
      String(repeating: "[", count: 64) + String(repeating: "]", count: 64),
    ] {
      #expect(throws: ClientError.invalidJSON) { try ChannelsDialect.check(json: [UInt8](json.utf8)) }
    }
    #expect(throws: ClientError.invalidJSON) { try ChannelsDialect.check(json: [UInt8]("1],[2".utf8)) }
    #expect(throws: ClientError.invalidJSON) { try ChannelsDialect.check(json: [UInt8]("[]".utf8), isObject: true) }
    #expect(throws: Never.self) {
      try ChannelsDialect.check(channel: "a:b c|é")
      try ChannelsDialect.check(json: [UInt8](#" {"a":[1,null]} "#.utf8), isObject: true)
    }
  }

  @Test("masking keys do not repeat")
  func maskSource() {
    var source = MaskSource()
    var seen: Set<UInt32> = []
    for _ in 0..<1_000 { seen.insert(source.next()) }
    #expect(seen.count > 990)
  }
}
