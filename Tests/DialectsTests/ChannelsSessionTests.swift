// What the channels dialect takes from clients: every row of PROTOCOLS 2.2.
import Foundation
import Testing

@testable import Dialects

@Suite("Channels: receiving")
struct ChannelsSessionTests {
  @Test(
    "each message asks for its action",
    arguments: [
      (#"{"action":"subscribe","channel":"c"}"#, #"subscribe "c" -"#),
      (#"{"action":"subscribe","channel":"c","filters":{"a":1}}"#, #"subscribe "c" {"a":1}"#),
      (#"{"action":"subscribe","channel":"c","filters":{}}"#, #"subscribe "c" {}"#),
      (#"{"action":"subscribe","channel":"c","filters":null}"#, #"subscribe "c" null"#),
      (#"{"action":"subscribe","channel":"c","filters":[1]}"#, #"subscribe "c" [1]"#),
      (#"{"action":"subscribe","channel":"c","payload":3}"#, #"subscribe "c" -"#),
      (#"{"action":"unsubscribe","channel":"c"}"#, #"unsubscribe "c""#),
      (#"{"action":"unsubscribe","channel":"c","filters":{"a":1}}"#, #"unsubscribe "c""#),
      (#"{"action":"publish","channel":"c","payload":{"x":[1,2]}}"#, #"publish "c" {"x":[1,2]}"#),
      (#"{"action":"publish","channel":"c"}"#, #"publish "c" -"#),
      (#"{"action":"publish","channel":"c","payload":null}"#, #"publish "c" null"#),
      (#"{"action":"publish","channel":"c","payload":false}"#, #"publish "c" false"#),
      (#"{"action":"publish","channel":"c","payload":"text"}"#, #"publish "c" "text""#),
      (#"{"action":"publish","channel":"c","payload":-1.5e3}"#, #"publish "c" -1.5e3"#),
      (#"{"action":"publish","channel":""}"#, #"publish "" -"#),
      (#"{"action":"ping"}"#, "ping"),
      (#"{"action":"ping","channel":7,"payload":{}}"#, "ping"),
      (#" { "action" : "ping" } "#, "ping"),
      ("\t{\r\n\"action\"\t:\n\"subscribe\" , \"channel\" :\r \"c\" }\n", #"subscribe "c" -"#),
      (#"{"id":1,"action":"ping","action2":"x"}"#, "ping"),
    ])
  func actions(message: String, expected: String) {
    #expect(Channels.action(message) == expected)
  }

  @Test(
    "escaped names, actions and channels are the same as plain ones",
    arguments: [
      (#"{"\u0061ction":"ping"}"#, "ping"),
      (#"{"action":"\u0070ing"}"#, "ping"),
      (#"{"\u0061\u0063\u0074\u0069\u006F\u006e":"\u0070\u0069\u006E\u0067"}"#, "ping"),
      (#"{"action":"subscr\u0069be","ch\u0061nnel":"a\u002fb"}"#, #"subscribe "a\u002fb" -"#),
      (
        #"{"action":"\u0075\u006e\u0073\u0075\u0062\u0073\u0063\u0072\u0069\u0062\u0065","channel":"c"}"#,
        #"unsubscribe "c""#
      ),
      (#"{"action":"publish","channel":"\"\\\/\b","p\u0061yload":"\u0000"}"#, #"publish "\"\\\/\b" "\u0000""#),
      (#"{"action":"publish","channel":"c","payl\/oad":1}"#, #"publish "c" -"#),
    ])
  func escapes(message: String, expected: String) {
    #expect(Channels.action(message) == expected)
  }

  @Test("the order of members does not matter, nor what stands between them")
  func memberOrder() {
    let members = [
      #""action":"subscribe""#, #""channel":"c""#, #""filters":{"k":"}"}"#, #""x":{"action":"ping","channel":[]}"#,
    ]
    for order in permutations(members) {
      let message = "{" + order.joined(separator: ",") + "}"
      #expect(Channels.action(message) == #"subscribe "c" {"k":"}"}"#, "\(message)")
    }
    for order in permutations([
      #""action":"publish""#, #""channel":"c""#, #""payload":[{"action":1}]"#, #""from":"me""#,
    ]) {
      let message = "{" + order.joined(separator: " , ") + "}"
      #expect(Channels.action(message) == #"publish "c" [{"action":1}]"#, "\(message)")
    }
  }

  func permutations(_ items: [String]) -> [[String]] {
    if items.count <= 1 { return [items] }
    return items.indices.flatMap { index in
      var rest = items
      let item = rest.remove(at: index)
      return permutations(rest).map { [item] + $0 }
    }
  }

  @Test(
    "what is not JSON, or null, is an invalid format",
    arguments: [
      "", " ", "null", " null ", "nul", "{", "{}x", "}", "[", "[1,]", "{\"action\":}", "{\"action\" \"ping\"}",
      "{'action':'ping'}",
      "{\"action\":\"ping\",}", "{action:\"ping\"}", "\u{FEFF}{\"action\":\"ping\"}", "{\"action\":\"ping\"}{}",
      "hello",
      "{\"a\":01}", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\u{1}\"}", "undefined", "NaN", "{\"a\":+1}",
      "ping",
      "{\"action\":\"ping\",\"action\":\"ping\"}", "{\"action\":\"ping\",\"\\u0061ction\":\"ping\"}",
    ])
  func invalidJSON(message: String) {
    #expect(Channels.action(message) == "invalidJSON")
    #expect(Channels.answer(message) == #"{"type":"error","message":"Invalid JSON format"}"#)
  }

  @Test("nesting far beyond the limit is refused, and what is within it passes")
  func nesting() {
    let deep = String(repeating: "[", count: 100_000)
    #expect(Channels.action(#"{"action":"publish","channel":"c","payload":"# + deep) == "invalidJSON")
    let within = String(repeating: "[", count: 63) + String(repeating: "]", count: 63)
    #expect(
      Channels.action(#"{"action":"publish","channel":"c","payload":"# + within + "}") == "publish \"c\" " + within)
  }

  @Test(
    "any other action is unknown, and named in the error",
    arguments: [
      (#"{}"#, "undefined"), (#"{"Action":"ping"}"#, "undefined"), (#"[]"#, "undefined"),
      (#"[{"action":"ping"}]"#, "undefined"),
      (#"7"#, "undefined"), (#""ping""#, "undefined"), (#"true"#, "undefined"), (#"false"#, "undefined"),
      (#"{"action":"dance"}"#, "dance"), (#"{"action":""}"#, ""), (#"{"action":"Ping"}"#, "Ping"),
      (#"{"action":"ping "}"#, "ping "), (#"{"action":"pingx","channel":"c"}"#, "pingx"),
      (#"{"action":"subscribed"}"#, "subscribed"), (#"{"action":null}"#, "null"), (#"{"action":42}"#, "42"),
      (#"{"action":-1.5}"#, "-1.5"), (#"{"action":true}"#, "true"), (#"{"action":{}}"#, "[object Object]"),
      (#"{"action":{"a":1}}"#, "[object Object]"), (#"{"action":"a\"b\\c\n\u00e9\u0001"}"#, "a\"b\\c\né\u{1}"),
      (#"{"action":"\ud83d\ude00"}"#, "😀"), (#"{"action":"__proto__"}"#, "__proto__"),
      (#"{"action":"toString"}"#, "toString"),
    ])
  func unknownActions(message: String, name: String) {
    #expect(Channels.action(message).hasPrefix("unknown "))
    #expect(Channels.errorText(Channels.answer(message)) == "Unknown action: " + name)
  }

  @Test("a long unknown action is cut at a character, and the error stays valid")
  func longActions() throws {
    for text in ["a", "é", "漢", "😀", "\\u00e9", "\\\""] {
      for shift in 0..<4 {
        let name = String(repeating: "x", count: shift) + String(repeating: text, count: 1_024 / text.utf8.count)
        let answer = Channels.answer("{\"action\":\"\(name)\"}")
        let found = try #require(Channels.errorText(answer))
        let decoded = try #require(Channels.parsed("{\"a\":\"\(name)\"}")?["a"] as? String)
        let kept = found.dropFirst("Unknown action: ".count)
        #expect(decoded.hasPrefix(kept) && !kept.unicodeScalars.contains("\u{FFFD}"), "\(text)")
        let bytes = kept.utf8.count
        #expect(bytes <= ChannelsEncoder.actionBytesMax && bytes > ChannelsEncoder.actionBytesMax - 4, "\(text)")
      }
    }
    let exact = String(repeating: "y", count: ChannelsEncoder.actionBytesMax)
    #expect(Channels.errorText(Channels.answer("{\"action\":\"\(exact)\"}")) == "Unknown action: " + exact)
    #expect(Channels.errorText(Channels.answer("{\"action\":\"\(exact)z\"}")) == "Unknown action: " + exact)
  }

  @Test(
    "subscribe, unsubscribe and publish need a string for a channel",
    arguments: ["subscribe", "unsubscribe", "publish"],
    [
      "", #","channel":null"#, #","channel":7"#, #","channel":{}"#, #","channel":["c"]"#, #","channel":true"#,
      #","Channel":"c""#,
    ])
  func missingChannel(action: String, rest: String) {
    let message = "{\"action\":\"\(action)\"\(rest),\"payload\":1,\"filters\":{}}"
    #expect(Channels.action(message) == "missingChannel")
    #expect(Channels.answer(message) == #"{"type":"error","message":"Missing channel"}"#)
  }

  @Test("an unknown action is told before a missing channel")
  func precedence() {
    #expect(Channels.answer(#"{"action":"x","channel":7}"#) == #"{"type":"error","message":"Unknown action: x"}"#)
  }

  @Test(
    "channel names are 1 to the limit in bytes, without control characters",
    arguments: [
      ("a", true), ("", false), (" ", true), ("a:b/c.d", true), ("漢字", true), ("a\u{0}", false), ("a\nb", false),
      ("\u{1F}", false), ("\u{7F}", false), ("\u{80}", true), (String(repeating: "x", count: 255), true),
      (String(repeating: "x", count: 256), false), (String(repeating: "é", count: 127), true),
      (String(repeating: "é", count: 128), false),
    ])
  func channelNames(name: String, isValid: Bool) {
    let verdict = ChannelsSession.isValidChannel(Array(name.utf8).span, bytesMax: 255)
    #expect(verdict == isValid)
  }
}
