// What the sessions dialect says: PROTOCOLS 4.3, with the publisher's own strings untouched.
import Buffers
import Testing

@testable import Dialects

@Suite("Sessions: sending")
struct SessionsEncoderTests {
  /// What subscribers of a publish get; nil when it is no publish.
  static func published(_ json: String, own: String = "own") -> String? {
    let bytes = Array(("publish-json:" + json).utf8)
    guard case .publish(let publication) = SessionsSession.receive(bytes.span) else { return nil }
    return Channels.written { out in
      SessionsEncoder.appendMessage(in: bytes.span, publication, session: Array(own.utf8).span, to: &out)
    }
  }

  static func message(
    publisher: String = #""<unknown>""#, topic: String = #""<none>""#, payload: String = #""""#,
    timestamp: String = #""""#, session: String = #""own""#
  ) -> String {
    #"{"publisher_name":\#(publisher),"topic":\#(topic),"payload":\#(payload),"#
      + #""timestamp":\#(timestamp),"session_id":\#(session)}"#
  }

  @Test("the seed's example comes out as it went in")
  func seed() throws {
    let json =
      #"{"publisher_name":"Client1","topic":"NetworkConnectedEvent","payload":"Network connected","#
      + #""timestamp":"2024-01-24T10:25:37Z","session_id":"session-user123"}"#
    #expect(Self.published(json) == json)
  }

  @Test(
    "what is missing or no string gets its default, and what is extra is dropped",
    arguments: [
      ("{}", message()),
      (#"{"topic":"t"}"#, message(topic: #""t""#)),
      (#"{"topic":null,"payload":{"a":1},"publisher_name":1,"timestamp":true,"session_id":[]}"#, message()),
      (#"{"payload":"p","x":1,"id":"y"}"#, message(payload: #""p""#)),
      (#"{"publisher_name":"","timestamp":"now"}"#, message(publisher: #""""#, timestamp: #""now""#)),
      (#"{"session_id":"s","topic":"t"}"#, message(topic: #""t""#, session: #""s""#)),
      (#"{"session_id":""}"#, message(session: #""""#)),
    ])
  func defaults(json: String, expected: String) {
    #expect(Self.published(json) == expected)
    #expect(Channels.parsed(expected)?.count == 5)
  }

  @Test(
    "strings come through byte for byte",
    arguments: [
      #""""#, #""\u0041\/\ud83d\ude00""#, "\"😀\u{2028}\u{7F}\"", #""\"\\\b""#, #""{\"a\":1}""#, "\"漢字\"",
    ])
  func verbatim(text: String) {
    let json =
      #"{"session_id":\#(text), "timestamp" : \#(text),"payload":\#(text),"topic":\#(text),"publisher_name":\#(text)}"#
    #expect(
      Self.published(json)
        == Self.message(publisher: text, topic: text, payload: text, timestamp: text, session: text))
  }

  @Test("the connection's own session is quoted")
  func ownSession() {
    #expect(Self.published("{}", own: "a\"b\\é") == Self.message(session: #""a\"b\\é""#))
    #expect(Self.published("{}", own: "") == Self.message(session: #""""#))
  }

  @Test("a message of an application's own has the same members, quoted")
  func own() throws {
    let text = Channels.written { out in
      SessionsEncoder.appendMessage(
        publisher: Array("p\"".utf8).span, topic: Array("t\n".utf8).span, payload: Array("{\"a\":1}".utf8).span,
        timestamp: Array("2026-11-21T04:15:05.602Z".utf8).span, session: Array("é".utf8).span, to: &out)
    }
    let members = try #require(Channels.parsed(text) as? [String: String])
    #expect(
      members == [
        "publisher_name": "p\"", "topic": "t\n", "payload": "{\"a\":1}", "timestamp": "2026-11-21T04:15:05.602Z",
        "session_id": "é",
      ])
  }

  @Test("the answer to ping is the word pong")
  func pong() {
    #expect(Channels.written { SessionsEncoder.appendPong(to: &$0) } == "pong")
  }
}
