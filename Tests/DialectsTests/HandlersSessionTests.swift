// The handlers dialect without a connection: every row of PROTOCOLS 1.3.
import Buffers
import Testing
import Wire

@testable import Dialects

@Suite("Handlers: messages")
struct HandlersSessionTests {
  static let unknown = "Unknown message type"
  static let invalid = #"{"type":"error","message":"Invalid JSON format"}"#
  static let pong = #"{"type":"pong","message":"Pong"}"#
  static let user = #"{"type":"user_message","message":"User message received"}"#
  static let system = #"{"type":"system_message","message":"System message received"}"#

  /// What a gateway without registered handlers answers.
  static func answer(_ message: String) -> String {
    let bytes = Array(message.utf8)
    return Channels.written { out in
      switch HandlersSession.receive(bytes.span) {
      case .request(let type): HandlersEncoder.append(HandlersSession.builtInReply(bytes.span, type: type), to: &out)
      case .reply(let reply): HandlersEncoder.append(reply, to: &out)
      }
    }
  }

  @Test(
    "the three built-in types are answered, whatever else a message holds",
    arguments: [
      (#"{"type":"user_message"}"#, user), (#"{"type":"user_message","message":"hello"}"#, user),
      (#"{"type":"system_message","message":"x"}"#, system), (#"{"type":"ping"}"#, pong),
      (#"{"type":"ping","message":null,"id":7}"#, pong), (#"{"message":{"type":"x"},"type":"ping"}"#, pong),
      (" \r\n{ \"type\" :\t\"ping\" } ", pong), (#"{"type":"pin\u0067"}"#, pong), (#"{"\u0074ype":"ping"}"#, pong),
      (
        #"{"type":"\u0073\u0079\u0073\u0074\u0065\u006d\u005f\u006d\u0065\u0073\u0073\u0061\u0067\u0065"}"#, system
      ),
    ])
  func builtIn(message: String, expected: String) {
    #expect(Self.answer(message) == expected)
  }

  @Test(
    "any other type, a missing one, one that is no string, and JSON that is no object are unknown, in plain text",
    arguments: [
      #"{"type":"other"}"#, #"{"type":""}"#, #"{"type":"Ping"}"#, #"{"type":"ping "}"#, #"{"type":"pong"}"#,
      #"{"type":"error"}"#, #"{"type":"user_messages"}"#, #"{"type":"__proto__"}"#, #"{"type":"\u0000"}"#,
      #"{"type":null}"#, #"{"type":7}"#, #"{"type":true}"#, #"{"type":["ping"]}"#, #"{"type":{"type":"ping"}}"#,
      #"{}"#, #"{"message":"x"}"#, #"{"Type":"ping"}"#, #"{"action":"ping"}"#, #"[]"#, #"["ping"]"#,
      #"[{"type":"ping"}]"#, #"7"#, #"-1.5e3"#, #""ping""#, #""""#, #"true"#, #"false"#,
      "{\"type\":\"" + String(repeating: #"\u0070"#, count: 200) + "\"}",
      "{\"type\":\"" + String(repeating: "p", count: 100_000) + "\"}",
    ])
  func unknownTypes(message: String) {
    #expect(Self.answer(message) == Self.unknown)
  }

  @Test(
    "what is not JSON, or null, is an invalid format",
    arguments: [
      "", " ", "null", " null ", "ping", "hello", "{", "{\"type\":\"ping\"", "{\"type\":\"ping\"}}", "{type:\"ping\"}",
      "{'type':'ping'}", "{\"type\":\"ping\",}", "undefined", "NaN", "[1,]", "\u{FEFF}{\"type\":\"ping\"}",
      "{\"type\":\"\\ud800\"}", "{\"a\":1e999}", "{\"type\":\"ping\",\"type\":\"ping\"}",
      String(repeating: "[", count: 100_000),
    ])
  func invalidJSON(message: String) {
    #expect(Self.answer(message) == Self.invalid)
  }

  @Test("a type is handed over as it stands in the message, so that a registered handler can go first")
  func slices() throws {
    for (message, type) in [
      (#"{"type":"ping"}"#, #""ping""#), (#"{"x":[1],"type":"chat/\u0061"}"#, #""chat/\u0061""#),
      (#"{"type":""}"#, #""""#),
    ] {
      let bytes = Array(message.utf8)
      guard case .request(let value) = HandlersSession.receive(bytes.span) else {
        Issue.record("no request: \(message)")
        continue
      }
      #expect(String(decoding: bytes[value.range], as: UTF8.self) == type)
    }
  }

  @Test("bytes that are no text do no harm")
  func anyBytes() {
    for bytes: [UInt8] in [[0xFF], [0x7B, 0x22, 0xC3, 0x22], Array(repeating: 0x80, count: 40), [0x22, 0xFF, 0x22]] {
      let action = HandlersSession.receive(bytes.span)
      #expect(action == .reply(.invalidJSON) || action == .reply(.unknownType))
    }
  }

  @Test(
    "what becomes of a registered handler has its texts",
    arguments: [
      (HandlersReply.handlerFailed, "Handler failed"), (.handlerTimedOut, "Handler timed out"),
      (.tooManyRequests, "Too many requests"),
    ])
  func handlerErrors(reply: HandlersReply, text: String) {
    let answer = Channels.written { HandlersEncoder.append(reply, to: &$0) }
    #expect(answer == "{\"type\":\"error\",\"message\":\"\(text)\"}")
  }
}
