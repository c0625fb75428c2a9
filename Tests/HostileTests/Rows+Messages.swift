// Hostile messages of the channels dialect: lines 26, 27 and 29 of HOSTILE. Constants.

import TestSupport
import Testing

extension Rows {
  private static let invalid = "Invalid JSON format"

  private static func repeating(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

  private static func publish(_ payload: String) -> String {
    #"{"action":"publish","channel":"c","payload":\#(payload)}"#
  }

  private static func broken(_ name: String, _ text: @escaping @Sendable @autoclosure () -> String) -> HostileRow {
    .message(26, name, text(), invalid)
  }

  private static let openings = repeating("[", 100_000)
  private static let members = repeating(#"{"a":"#, 100_000)

  /// Line 26: JSON.
  static let json: [HostileRow] = [
    broken("100 000 nested [", openings),
    broken("100 000 nested [ with their ends", publish(openings + repeating("]", 100_000))),
    broken("100 000 nested {", publish(members)),
    broken("65 levels", publish(repeating("[", 65) + repeating("]", 65))),
    .message(26, "a key of a megabyte", #"{"\#(repeating("k", 1_000_000))":1}"#, "Unknown action: undefined"),
    broken("a duplicate key", #"{"action":"ping","action":"ping"}"#),
    broken("a duplicate key in escapes", #"{"channel":"a","action":"unsubscribe","ch\u0061nnel":"b"}"#),
    broken("1e999", publish("1e999")),
    broken("-1e999 deep inside", publish(#"[{"a":-1e999}]"#)),
    broken("a million digits of exponent", publish("1e" + repeating("9", 1_000_000))),
    broken("a lone high surrogate", publish(#""\ud800""#)),
    broken("a lone low surrogate", publish(#""\udc00x""#)),
    broken("a surrogate in a name", #"{"action":"subscribe","channel":"\ud800"}"#),
    broken("NUL", publish("\"a\0b\"")),
    broken("NUL behind the end", #"{"action":"ping"}"# + "\0"),
    broken("a byte order mark", "\u{FEFF}" + #"{"action":"ping"}"#),
    broken("trailing garbage", #"{"action":"ping"}x"#),
    broken("two documents", #"{"action":"ping"}{"action":"ping"}"#),
    broken("nothing", ""),
    broken("white space", " \t\r\n"),
    broken("half a document", #"{"action":"pi"#),
    broken("a trailing comma", #"{"action":"ping",}"#),
    broken("a leading zero", publish("01")),
    broken("NaN", publish("NaN")),
    broken("single quotes", "{'action':'ping'}"),
    broken("a comment", #"{"action":"ping"/**/}"#),
    broken("a line feed in a string", publish("\"a\nb\"")),
    broken("an escape that is none", publish(#""\x41""#)),
    .scenario(26, "a binary message that is not UTF-8", .standard, .refused("message_invalid_json")) { victim throws in
      let client = try victim.client()
      try client.send(ClientFrame(ClientFrame.binary, [0x7B, 0xC0, 0xAF, 0x7D]))
      #expect(try JSON(client.nextText())?["message"]?.text == invalid)
    },
  ]

  /// Lines 27 and 29: channels and types.
  static let channels: [HostileRow] = subscriptions + types

  private static func named(_ name: String, _ channel: String) -> [HostileRow] {
    ["subscribe", "unsubscribe", "publish"].map { action in
      .message(27, "\(action) \(name)", #"{"action":"\#(action)","channel":"\#(channel)"}"#, "Invalid channel")
    }
  }

  private static let subscriptions: [HostileRow] = names + amounts

  private static let names: [HostileRow] =
    named("an empty name", "") + named("a name of 256 bytes", repeating("n", 256))
    + named("a name of 128 two-byte characters", repeating("é", 128))
    + named("control characters", #"a\u0000\u001f\u007f"#)
    + named("a name of 100 000 bytes", repeating("n", 100_000))

  private static let amounts: [HostileRow] = [
    .scenario(27, "a million channels", .standard, .refused("message_too_many_subscriptions", times: 50)) {
      victim throws in
      let client = try victim.client()
      for number in 0..<1_050 {
        try client.send(#"{"action":"subscribe","channel":"million-\#(number)"}"#)
        let answer = try client.nextText()
        let isRight =
          number < 1_000 ? answer.contains(#""type":"subscribed""#) : answer.contains("Too many subscriptions")
        guard isRight else { throw GatewayFailure(description: "channel \(number): \(answer)") }
      }
    },
    .scenario(
      27, "endless subscribing and unsubscribing", .standard, .survived("it costs what any message costs")
    ) { victim throws in
      let client = try victim.client()
      for batch in 0..<100 {
        var frames: [UInt8] = []
        for number in 0..<50 {
          for action in ["subscribe", "unsubscribe"] {
            let text = #"{"action":"\#(action)","channel":"churn-\#(batch)-\#(number)"}"#
            frames += ClientFrame(ClientFrame.text, [UInt8](text.utf8)).bytes
          }
        }
        try client.socket.send(frames)
        for _ in 0..<100 { _ = try client.nextText() }
      }
      #expect(try Metrics(of: victim.gateway).sum("subscriptions") == 1)
      #expect(try Metrics(of: victim.gateway).sum("topics") == 1)
    },
    .scenario(
      27, "a thousand filters on one channel", .standard, .refused("message_too_many_subscriptions")
    ) { victim throws in
      let client = try victim.client()
      var refused = 0
      for number in 0..<1_100 {
        try client.send(#"{"action":"subscribe","channel":"filters","filters":{"f":\#(number)}}"#)
        if try client.nextText().contains("Too many subscriptions") { refused += 1 }
      }
      #expect(refused >= 100)
    },
    .message(
      27, "a filter of 5 000 bytes",
      #"{"action":"subscribe","channel":"c","filters":{"f":"\#(repeating("x", 5_000))"}}"#, "Invalid filters"),
  ]

  /// PROTOCOLS 2.2 gives the errors.
  private static let types: [HostileRow] = wrong.map { .message(29, $0.0, $0.1, $0.2) } + long

  private static let wrong: [(String, String, String)] = [
    ("null", "null", invalid), ("an array", "[]", "Unknown action: undefined"),
    ("an array of messages", #"[{"action":"ping"}]"#, "Unknown action: undefined"),
    ("a string", #""ping""#, "Unknown action: undefined"), ("a number", "7", "Unknown action: undefined"),
    ("true", "true", "Unknown action: undefined"), ("an empty object", "{}", "Unknown action: undefined"),
    ("an unknown action", #"{"action":"destroy"}"#, "Unknown action: destroy"),
    ("an action in another case", #"{"action":"PING"}"#, "Unknown action: PING"),
    ("an empty action", #"{"action":""}"#, "Unknown action: "),
    ("a number for an action", #"{"action":5}"#, "Unknown action: 5"),
    ("null for an action", #"{"action":null}"#, "Unknown action: null"),
    ("true for an action", #"{"action":true}"#, "Unknown action: true"),
    ("an object for an action", #"{"action":{}}"#, "Unknown action: [object Object]"),
    ("subscribe without a channel", #"{"action":"subscribe"}"#, "Missing channel"),
    ("unsubscribe without a channel", #"{"action":"unsubscribe"}"#, "Missing channel"),
    ("publish without a channel", #"{"action":"publish","payload":1}"#, "Missing channel"),
    ("a number for a channel", #"{"action":"subscribe","channel":1}"#, "Missing channel"),
    ("null for a channel", #"{"action":"publish","channel":null}"#, "Missing channel"),
    ("an array for a channel", #"{"action":"unsubscribe","channel":["a"]}"#, "Missing channel"),
    ("an array for filters", #"{"action":"subscribe","channel":"c","filters":[]}"#, "Invalid filters"),
    ("a string for filters", #"{"action":"subscribe","channel":"c","filters":"x"}"#, "Invalid filters"),
  ]

  private static let long: [HostileRow] = [
    .message(
      29, "an action of a megabyte", #"{"action":"\#(repeating("x", 1_000_000))"}"#,
      "Unknown action: " + repeating("x", 256)),
    .message(
      29, "an action full of quotes and line feeds", #"{"action":"\"\n\\\u2028"}"#, "Unknown action: \"\n\\\u{2028}"),
    .scenario(29, "unknown members", .standard, .survived("they are ignored (PROTOCOLS 2.2)")) { victim throws in
      let client = try victim.client()
      try client.send(#"{"__proto__":{"action":"publish"},"action":"ping","constructor":[]}"#)
      #expect(try client.nextText().hasPrefix(#"{"type":"pong""#))
    },
  ]
}
