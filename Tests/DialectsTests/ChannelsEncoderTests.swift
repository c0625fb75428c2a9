// What the channels dialect says: PROTOCOLS 2.1, 2.2 and 2.4, byte by byte, with the client's own bytes untouched.
import Buffers
import Foundation
import Testing
import Wire

@testable import Dialects

@Suite("Channels: sending")
struct ChannelsEncoderTests {
  @Test(
    "each message is answered as the protocol says",
    arguments: [
      (#"{"action":"subscribe","channel":"c"}"#, #"{"type":"subscribed","channel":"c"}"#),
      (
        #"{"action":"subscribe","channel":"c","filters":{"a" : 1}}"#,
        #"{"type":"subscribed","channel":"c","filters":{"a" : 1}}"#
      ),
      (#"{"action":"subscribe","channel":"c","filters":null}"#, #"{"type":"subscribed","channel":"c","filters":null}"#),
      (#"{"filters":{},"channel":"c","action":"subscribe"}"#, #"{"type":"subscribed","channel":"c","filters":{}}"#),
      (#"{"action":"unsubscribe","channel":"c"}"#, #"{"type":"unsubscribed","channel":"c"}"#),
      (#"{"action":"unsubscribe","channel":"c","filters":{}}"#, #"{"type":"unsubscribed","channel":"c"}"#),
      (
        #"{"action":"publish","channel":"c","payload":{"n":1}}"#,
        #"{"type":"message","channel":"c","from":"usr_1","data":{"n":1},"timestamp":"2026-11-21T04:15:05.602Z"}"#
      ),
      (
        #"{"action":"publish","channel":"c"}"#,
        #"{"type":"message","channel":"c","from":"usr_1","timestamp":"2026-11-21T04:15:05.602Z"}"#
      ),
      (
        #"{"action":"publish","channel":"c","payload":null}"#,
        #"{"type":"message","channel":"c","from":"usr_1","data":null,"timestamp":"2026-11-21T04:15:05.602Z"}"#
      ),
      (#"{"action":"ping"}"#, #"{"type":"pong","timestamp":1700000000123}"#),
    ])
  func answers(message: String, expected: String) {
    #expect(Channels.answer(message) == expected)
    #expect(Channels.parsed(expected) != nil)
  }

  @Test(
    "payloads come through byte for byte",
    arguments: [
      "0", "-0", "1E+2", "0.1000000000000000000001", "123456789012345678901234567890", "1e-400", "true", "\"\"",
      #""\u0041\/\ud83d\ude00""#, "\"😀\u{2028}\u{7F}\"", "[]", "[ ]", "{ }", "[1 ,\t2,\r\n3]", #"{"a":1,"a":2}"#,
      #"{"action":"ping","channel":"other","payload":{"payload":1}}"#, #"["}","]","\"",",{"]"#, #"{"":{"":[null]}}"#,
      #"{"__proto__":{"x":1}}"#, "\"\\\\\"",
    ])
  func verbatim(payload: String) throws {
    for message in [
      #"{"action":"publish","channel":"c","payload":\#(payload)}"#,
      #"{"payload":  \#(payload)  ,"action":"publish","channel":"c"}"#,
    ] {
      let answer = Channels.answer(message)
      let expected =
        #"{"type":"message","channel":"c","from":"usr_1","data":\#(payload),"timestamp":"2026-11-21T04:15:05.602Z"}"#
      #expect(answer == expected)
    }
    let filters = Channels.answer(#"{"action":"subscribe","channel":"c","filters":\#(payload)}"#)
    #expect(filters == #"{"type":"subscribed","channel":"c","filters":\#(payload)}"#)
  }

  @Test("a channel is echoed with the escapes it was sent with")
  func channelEcho() {
    for channel in [#""a\u002fb""#, #""\"quoted\"""#, "\"漢\"", #""\\""#] {
      #expect(
        Channels.answer(#"{"action":"unsubscribe","channel":\#(channel)}"#)
          == #"{"type":"unsubscribed","channel":\#(channel)}"#)
    }
  }

  @Test("the range of data is where the payload lies, and empty without one")
  func dataRange() {
    let bytes = Array(#"{"action":"publish","channel":"c","payload":[1,{"x":2}]}"#.utf8)
    guard case .publish(let channel, let payload?) = ChannelsSession.receive(bytes.span) else {
      Issue.record("not a publish")
      return
    }
    var out = ByteBuffer()
    out.append("before")
    var range = ChannelsEncoder.appendMessage(
      in: bytes.span, channel: channel, payload: payload, from: Array("\"u\"".utf8).span,
      timestamp: Array("t".utf8).span, to: &out)
    var data = out.bytes.extracting(range).string
    #expect(data == #"[1,{"x":2}]"#)
    range = ChannelsEncoder.appendMessage(
      in: bytes.span, channel: channel, payload: nil, from: Array("\"u\"".utf8).span, timestamp: Array("t".utf8).span,
      to: &out)
    #expect(range.isEmpty)
    range = ChannelsEncoder.appendBroadcast(
      channel: Array("\"telemetry\"".utf8).span, data: Array(#"{"metric":"system_health","value":99.5}"#.utf8).span,
      timestamp: Array(Channels.timestamp.utf8).span, to: &out)
    data = out.bytes.extracting(range).string
    #expect(data == #"{"metric":"system_health","value":99.5}"#)
    let all = out.bytes.string
    #expect(
      all.hasSuffix(
        #"{"type":"broadcast","channel":"telemetry","data":{"metric":"system_health","value":99.5},"#
          + #""timestamp":"2026-11-21T04:15:05.602Z"}"#))
  }

  @Test("the welcome is the configured text, quoted, and the user's id")
  func welcome() throws {
    for text in ["Welcome to Nexus WebSocket", "", "a \"b\" \\ c\n\u{1} 漢 😀"] {
      let welcome = Channels.written { out in
        ChannelsEncoder.appendWelcome(Array(text.utf8).span, userId: Array("\"usr_123\"".utf8).span, to: &out)
      }
      let members = try #require(Channels.parsed(welcome))
      #expect(members.count == 3 && members["type"] as? String == "connected")
      #expect(members["message"] as? String == text && members["userId"] as? String == "usr_123")
    }
    let seed = Channels.written { out in
      ChannelsEncoder.appendWelcome(
        Array("Welcome to Nexus WebSocket".utf8).span, userId: Array("\"usr_123\"".utf8).span, to: &out)
    }
    #expect(seed == #"{"type":"connected","message":"Welcome to Nexus WebSocket","userId":"usr_123"}"#)
  }

  @Test(
    "refusals have their texts",
    arguments: [
      (ChannelsRefusal.invalidJSON, "Invalid JSON format"), (.missingChannel, "Missing channel"),
      (.invalidChannel, "Invalid channel"), (.invalidFilters, "Invalid filters"),
      (.tooManySubscriptions, "Too many subscriptions"), (.unknownAction(nil), "Unknown action: undefined"),
    ])
  func refusals(refusal: ChannelsRefusal, text: String) {
    let message: [UInt8] = []
    let answer = Channels.written { ChannelsEncoder.appendError(refusal, in: message.span, to: &$0) }
    #expect(answer == "{\"type\":\"error\",\"message\":\"\(text)\"}")
  }

  @Test("a pong carries milliseconds as a number", arguments: [0, 1, 1_700_000_000_123, .max])
  func pong(milliseconds: Int64) {
    let answer = Channels.written { ChannelsEncoder.appendPong(milliseconds: milliseconds, to: &$0) }
    #expect(answer == "{\"type\":\"pong\",\"timestamp\":\(milliseconds)}")
  }
}
