// What clients take for an answer, and HTTP answers that arrive in pieces.
import Buffers
import Testing

@testable import BenchKit

@Suite struct DialogueTests {
  @Test("a line is answered by a message with all its texts and without the refused one")
  func answers() {
    let line = Dialogue.Line(awaits: [#""type":"x""#, "{channel}"], refuses: "public")
    let messages: [(String, Bool)] = [
      (#"{"type":"x","channel":"bench-000003"}"#, true), (#"{"type":"x","channel":"bench-000004"}"#, false),
      (#"{"type":"y","channel":"bench-000003"}"#, false),
      (#"{"type":"x","channel":"bench-000003","public":1}"#, false), ("", false),
    ]
    for (text, expected) in messages {
      #expect(line.isAnswered(by: Array(text.utf8).span, channel: "bench-000003") == expected, "\(text)")
    }
  }

  @Test("every dialect with a welcome waits for it before it says anything", arguments: ClientDialect.allCases)
  func welcomes(_ dialect: ClientDialect) {
    let lines = dialect.dialogue(joins: true).lines
    let speaksFirst: Set<ClientDialect> = [.raw, .polling, .handlers, .sessions]
    #expect((lines.first?.awaits.isEmpty ?? true) == speaksFirst.contains(dialect))
    #expect(dialect.dialogue(joins: true).endsWithAnswer == (dialect != .raw && dialect != .polling))
  }

  @Test("a token stands where its dialect has it")
  func tokenPlaces() throws {
    let target = try Target("ws://127.0.0.1:1/x")
    let places: [(TokenPlace, String)] = [
      (.query, "GET /x?token=T HTTP/1.1\r\n"), (.subprotocol, "\r\nSec-WebSocket-Protocol: T\r\n"),
      (.bearer, "\r\nAuthorization: Bearer T\r\n"),
    ]
    for (place, text) in places {
      var access = Access()
      access.tokens = ["T"]
      access.place = place
      #expect(String(decoding: access.request(0, target), as: UTF8.self).contains(text))
    }
    var access = Access()
    access.tokens = ["T"]
    access.place = .message
    #expect(access.request(0, target) == target.request(token: nil, headers: []))
  }

  @Test("an offered sub-protocol must be echoed")
  func subprotocol() throws {
    let head = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: \(Target.accept)\r\n"
    let plain = Array((head + "\r\n").utf8)
    let echoed = Array((head + "Sec-WebSocket-Protocol: a.b.c\r\n\r\n").utf8)
    #expect(UpgradeAnswer(plain.span)?.isUpgrade == true)
    #expect(UpgradeAnswer(plain.span, subprotocol: "a.b.c")?.isUpgrade == false)
    #expect(UpgradeAnswer(echoed.span, subprotocol: "a.b.c")?.isUpgrade == true)
  }

  @Test("an HTTP answer is whole when its body is, and what follows stays")
  func replies() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"data\":{\"token\":\"abc\"}}\nHTTP"
    let bytes = Array(text.utf8)
    let whole = bytes.count - 5
    for count in 0..<whole { #expect(HTTPReply(Array(bytes[..<count])) == nil) }
    let reply = HTTPReply(bytes)
    #expect(reply?.status == 200)
    #expect(reply?.length == whole)
    #expect(reply?.text(of: "token") == "abc")
    #expect(reply?.text(of: "other") == nil)
  }
}
