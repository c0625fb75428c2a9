// What the events dialect takes from native clients: the rows of PROTOCOLS 3.4, and the data of an ai:chat (3.6).
import Buffers
import Foundation
import Testing
import Wire

@testable import Dialects

@Suite("Events: receiving")
struct EventsSessionTests {
  @Test(
    "each message names its event",
    arguments: [
      (#"{"event":"ping"}"#, #"ping "ping" -"#), (#"{"event":"ping","data":{}}"#, #"ping "ping" {}"#),
      (#"{"event":"status"}"#, #"status "status" -"#), (#"{"event":"status","data":{}}"#, #"status "status" {}"#),
      (#"{"event":"echo","data":"Hello World"}"#, #"echo "echo" "Hello World""#),
      (#"{"event":"echo","data":{"message":"x"}}"#, #"echo "echo" {"message":"x"}"#),
      (#"{"event":"echo"}"#, #"echo "echo" -"#), (#"{"event":"echo","data":null}"#, #"echo "echo" null"#),
      (#"{"event":"echo","data":[1, 2]}"#, #"echo "echo" [1, 2]"#),
      (#"{"event":"info","data":{}}"#, #"info "info" {}"#),
      (#"{"event":"message","data":{"content":"hi"}}"#, #"message "message" {"content":"hi"}"#),
      (#"{"event":"ai:chat","data":{"message":"hi"}}"#, #"chat "ai:chat" {"message":"hi"}"#),
      (#" { "data" : 1 , "more" : {"event":2} , "event" : "ping" } "#, #"ping "ping" 1"#),
      (#"{"\u0065vent":"\u0070ing","d\u0061ta":0}"#, #"ping "\u0070ing" 0"#),
      (
        #"{"event":"\u0061\u0069\u003a\u0063\u0068\u0061\u0074"}"#,
        #"chat "\u0061\u0069\u003a\u0063\u0068\u0061\u0074" -"#
      ),
      (#"{"event":"ai\u003achat"}"#, #"chat "ai\u003achat" -"#),
      (#"{"event":"order"}"#, #"other "order" -"#), (#"{"event":"Ping"}"#, #"other "Ping" -"#),
      (#"{"event":"ping "}"#, #"other "ping " -"#), (#"{"event":""}"#, #"other "" -"#),
      (#"{"event":"pong"}"#, #"other "pong" -"#), (#"{"event":"aiXchat"}"#, #"other "aiXchat" -"#),
      (#"{"event":"\u0070ing\u0000"}"#, #"other "\u0070ing\u0000" -"#),
    ])
  func events(message: String, expected: String) {
    #expect(Events.action(message) == expected)
  }

  @Test(
    "an event that nobody handles is named in the error, as JavaScript prints it",
    arguments: [
      (#"{"event":"dance"}"#, "dance"), (#"{"event":""}"#, ""), (#"{"event":"toString"}"#, "toString"),
      (#"{"event":"a\"b\\c\n\u00e9"}"#, "a\"b\\c\né"), (#"{"event":"\ud83d\ude00"}"#, "😀"),
      (#"{}"#, "undefined"), (#"{"Event":"ping"}"#, "undefined"), (#"{"data":1}"#, "undefined"),
      (#"7"#, "undefined"), (#""ping""#, "undefined"), (#"true"#, "undefined"), (#"[]"#, "undefined"),
      (#"[{"event":"ping"}]"#, "undefined"), (#"{"event":null}"#, "null"), (#"{"event":true}"#, "true"),
      (#"{"event":false}"#, "false"), (#"{"event":{}}"#, "[object Object]"),
      (#"{"event":{"a":[1]}}"#, "[object Object]"),
      (#"{"event":[]}"#, ""), (#"{"event":["ping"]}"#, "ping"), (#"{"event":[1, 2.50 ,3]}"#, "1,2.5,3"),
      (#"{"event":[null,true,false,null]}"#, ",true,false,"),
      (#"{"event":[[1,[2,"a,b"]],[],{"x":[1]}]}"#, "1,2,a,b,,[object Object]"),
      (#"{"event":[ [ ] , [ ] ]}"#, ","), (#"{"event":["\u0041\"",""]}"#, "A\","),
      (#"{"event":[null]}"#, ""), (#"{"event":"a\u0000b"}"#, "a\u{0}b"),
    ])
  func unknown(message: String, name: String) {
    #expect(Events.refusal(message) == "Unknown event type: " + name)
  }

  @Test(
    "a number for an event is printed as JavaScript prints it",
    arguments: [
      ("0", "0"), ("-0", "0"), ("-0.0", "0"), ("42", "42"), ("-1.5", "-1.5"), ("1.0", "1"), ("1.50", "1.5"),
      ("1e3", "1000"), ("1E+2", "100"), ("123456789012345680000", "123456789012345680000"),
      ("1e20", "100000000000000000000"),
      ("1e21", "1e+21"), ("1.25e21", "1.25e+21"), ("-1e300", "-1e+300"), ("0.1", "0.1"), ("0.000001", "0.000001"),
      ("0.0000012", "0.0000012"), ("1e-7", "1e-7"), ("1.5e-10", "1.5e-10"), ("5e-324", "5e-324"), ("1e-400", "0"),
      ("9007199254740993", "9007199254740992"), ("1.7976931348623157e308", "1.7976931348623157e+308"),
      ("0.30000000000000004", "0.30000000000000004"), ("100000", "100000"), ("1234.5678", "1234.5678"),
      ("10000000000000000", "10000000000000000"), ("1.2e16", "12000000000000000"),
    ])
  func numbers(number: String, text: String) {
    #expect(Events.refusal("{\"event\":\(number)}") == "Unknown event type: " + text)
    #expect(Events.refusal("{\"event\":[[\(number)],\(number)]}") == "Unknown event type: \(text),\(text)")
  }

  @Test("a long name is cut at a character, and the error stays valid")
  func longNames() throws {
    let limit = EventsEncoder.nameBytesMax
    for text in ["a", "é", "漢", "😀", "\\u00e9"] {
      for shift in 0..<4 {
        let name = String(repeating: "x", count: shift) + String(repeating: text, count: 1_024)
        let found = try #require(Events.refusal("{\"event\":\"\(name)\"}")?.dropFirst("Unknown event type: ".count))
        #expect(found.utf8.count <= limit && found.utf8.count > limit - 4, "\(text)")
        #expect(!found.unicodeScalars.contains("\u{FFFD}"), "\(text)")
      }
    }
    let elements = String(repeating: "1,", count: 100_000) + "1"
    let nested = String(repeating: "[", count: 60) + elements + String(repeating: "]", count: 60)
    #expect(Events.refusal("{\"event\":\(nested)}")?.utf8.count == "Unknown event type: ".utf8.count + limit)
    let digits = String(repeating: "0", count: 5_000)
    #expect(Events.refusal("{\"event\":0.\(digits)1}") == "Unknown event type: 0." + digits.prefix(limit - 2))
  }

  @Test(
    "what is not JSON, or null, cannot be processed",
    arguments: [
      "", " ", "ping", "status", "echo hello", "null", " null ", "{", "{}x", "{'event':'ping'}",
      "{\"event\":\"ping\",}",
      "\u{FEFF}{\"event\":\"ping\"}", "{\"event\":\"ping\"}{}", "{\"event\":\"\\ud800\"}",
      "{\"event\":\"ping\",\"data\":1e999}",
      "{\"event\":\"ping\",\"event\":\"ping\"}", "{\"event\":\"ping\",\"data\":\"\u{1}\"}", "undefined", "NaN",
      "{\"event\":\"echo\",\"data\":" + String(repeating: "[", count: 100_000),
    ])
  func notProcessed(message: String) {
    #expect(Events.action(message) == "notProcessed")
    #expect(Events.refusal(message) == "Failed to process message")
  }

  @Test(
    "a chat needs an object with a message that is a string with something in it",
    arguments: [
      (#"{"message":"hi"}"#, #""hi" - -"#), (#"{"message":" "}"#, #"" " - -"#),
      (#"{"message":"\u0000"}"#, #""\u0000" - -"#),
      (#"{"message":"hi","conversationHistory":[],"locale":"fa"}"#, #""hi" [] "fa""#),
      (
        #"{"conversationHistory":[{"role":"user","content":"x"}],"message":"hi"}"#,
        #""hi" [{"role":"user","content":"x"}] -"#
      ),
      (#"{"message":"hi","conversationHistory":{},"locale":7}"#, #""hi" - -"#),
      (#"{"message":"hi","conversationHistory":null,"locale":null}"#, #""hi" - -"#),
      (#"{"message":""}"#, nil), (#"{"message":7}"#, nil), (#"{"message":null}"#, nil), (#"{"message":["hi"]}"#, nil),
      (#"{"message":{"a":1}}"#, nil), (#"{}"#, nil), (#"{"Message":"hi"}"#, nil), (#"null"#, nil), (#"[]"#, nil),
      (#""hi""#, nil), (#"7"#, nil), (#"true"#, nil), (#"["message"]"#, nil), (#""#, nil),
      (#"{"message":"a","message":"b"}"#, nil),
    ] as [(String, String?)])
  func chat(data: String, expected: String?) {
    let bytes = Events.bytes(data)
    func text(_ value: JSONValue?) -> String {
      value.map { String(decoding: bytes[$0.range], as: UTF8.self) } ?? "-"
    }
    let found = EventsChat(bytes.span).map { "\(text($0.message)) \(text($0.history)) \(text($0.locale))" }
    #expect(found == expected)
  }
}
