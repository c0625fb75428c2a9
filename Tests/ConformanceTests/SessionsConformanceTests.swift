// The sessions dialect over real sockets: every row of PROTOCOLS 4.2 and 4.3, with one reactor and with two.

import Gateway
import Synchronization
import TestSupport
import Testing

/// Tokens of the sessions dialect.
private enum Token {
  static func make(_ payload: String) -> String { Tokens.make(payload: payload) }

  /// A good one; `sid` where a session is given.
  static func good(_ user: String = "alice", session: String? = nil) -> String {
    let sid = session.map { #","sid":"\#($0)""# } ?? ""
    return make(#"{"sub":"\#(user)"\#(sid),"iat":\#(Tokens.now),"exp":\#(Tokens.now + 3_600)}"#)
  }

  /// What does not verify, by what is wrong with it.
  static var bad: [(why: String, token: String)] {
    let good = #"{"sub":"alice","exp":\#(Tokens.now + 600)}"#
    return [
      ("not a token", "x"), ("expired", make(#"{"sub":"alice","exp":\#(Tokens.now - 120)}"#)),
      ("not valid yet", make(#"{"sub":"alice","exp":\#(Tokens.now + 900),"nbf":\#(Tokens.now + 600)}"#)),
      ("without expiry", make(#"{"sub":"alice"}"#)), ("without subject", make(#"{"exp":\#(Tokens.now + 600)}"#)),
      ("with an empty subject", make(#"{"sub":"","exp":\#(Tokens.now + 600)}"#)),
      ("another secret", Tokens.make(payload: good, secret: "9" + Tokens.secret.dropFirst())),
      ("no algorithm", Tokens.make(header: #"{"alg":"none"}"#, payload: good)),
      ("altered", String(make(good).dropLast(2)) + "AA"),
      ("a session that is no string", make(#"{"sub":"alice","sid":7,"exp":\#(Tokens.now + 600)}"#)),
      ("an empty session", make(#"{"sub":"alice","sid":"","exp":\#(Tokens.now + 600)}"#)),
      (
        "a session over the limit",
        make(#"{"sub":"alice","sid":"\#(String(repeating: "s", count: 256))","exp":\#(Tokens.now + 600)}"#)
      ),
    ]
  }
}

extension ConformanceGateway {
  /// A client of the sessions dialect; anonymous without a token.
  fileprivate func sessionsClient(_ token: String? = nil, path: String = "/sessions") throws -> WebSocketClient {
    try connect(path + (token.map { "?token=" + $0 } ?? ""))
  }
}

extension WebSocketClient {
  /// Sends commands and waits until they have been carried out: nothing in this dialect is acknowledged.
  fileprivate func command(_ commands: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
    for command in commands { try send(command) }
    try expectSilence(self, sourceLocation: sourceLocation)
  }

  /// Publishes a payload.
  fileprivate func publish(_ topic: String, session: String? = nil, payload: String) throws {
    let member = session.map { #","session_id":"\#($0)""# } ?? ""
    try send(#"publish-json:{"topic":"\#(topic)","payload":"\#(payload)"\#(member)}"#)
  }
}

/// A message to subscribers with the members that are given, and defaults for the others.
private func message(
  publisher: String = "<unknown>", topic: String = "T", payload: String = "", timestamp: String = "",
  session: String = "default"
) -> String {
  #"{"publisher_name":"\#(publisher)","topic":"\#(topic)","payload":"\#(payload)","timestamp":"\#(timestamp)","#
    + #""session_id":"\#(session)"}"#
}

@Suite("Sessions: handshake")
struct SessionsHandshakeTests {
  @Test(
    "without a token a client is let in anonymously, into the session default",
    arguments: [
      "/sessions", "/sessions/ws", "/ws", "/sessions?token=", "/sessions?session=x",
    ], reactorCounts)
  func anonymous(path: String, reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let (client, other) = try gateway.pair { _ throws in try gateway.sessionsClient(path: path) }
      try client.command("subscribe:T|default")
      try other.publish("T", payload: "x")
      try expectJSON(client, message(payload: "x"))
    }
  }

  @Test("anonymous access can be refused, and is so outside development", arguments: reactorCounts)
  func noAnonymous(reactors: Int) throws {
    for settings in [[("sessions.allowsAnonymous", "false")], [("development", "false")]] {
      try withGateway(reactors: reactors, settings: settings) { gateway throws in
        #expect(try gateway.upgrade("/sessions").status == 401)
        #expect(try gateway.upgrade("/sessions?token=").status == 401)
        try expectSilence(try gateway.sessionsClient(Token.good()))
      }
    }
  }

  @Test("a token's session is that of its client, else default", arguments: [nil, "s-1"], reactorCounts)
  func session(session: String?, reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let (subscriber, client) = try gateway.pair { number throws in
        try gateway.sessionsClient(number == 0 ? nil : Token.good(session: session))
      }
      try subscriber.command("subscribe:T|\(session ?? "default")")
      try client.publish("T", payload: "x")
      try expectJSON(subscriber, message(payload: "x", session: session ?? "default"))
    }
  }

  @Test("a token that has just expired is still good: clocks differ", arguments: reactorCounts)
  func leeway(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let token = Token.make(#"{"sub":"alice","exp":\#(Tokens.now - 20)}"#)
      try expectSilence(try gateway.sessionsClient(token))
    }
  }

  @Test("a token that does not verify is refused with 401 and never taken for none", arguments: reactorCounts)
  func refused(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      for (why, token) in Token.bad {
        let answer = try gateway.upgrade("/sessions?token=" + token)
        #expect(answer.status == 401, "\(why)")
        #expect(answer.headers["connection"]?.lowercased() == "close", "\(why)")
        #expect(answer.headers["content-length"] == "\(answer.body.count)", "\(why)")
      }
    }
  }

  @Test("nothing is said first, and nothing is acknowledged", arguments: reactorCounts)
  func silence(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      for token in [nil, Token.good()] {
        let client = try gateway.sessionsClient(token)
        try client.command("register-name:a", "register-session:b", "subscribe:T|S", "unsubscribe:T|S")
        try client.command(#"publish-json:{"topic":"T"}"#)
      }
    }
  }
}

@Suite("Sessions: commands")
struct SessionsCommandTests {
  /// What a subscriber sends, what another client publishes, and what the subscriber must get of it: nil for nothing.
  struct Row: Sendable, CustomTestStringConvertible {
    let commands: [String]
    let publish: String
    let expected: String?

    init(_ commands: String..., publish: String, expected: String?) {
      self.commands = commands
      self.publish = publish
      self.expected = expected
    }

    var testDescription: String { (commands + [publish]).joined(separator: " ") }
  }

  static let rows: [Row] = [
    // subscribe:T|S and subscribe:T
    Row("subscribe:T|S", publish: #"{"topic":"T","session_id":"S"}"#, expected: message(session: "S")),
    Row("subscribe:T", publish: #"{"topic":"T"}"#, expected: message()),
    Row("subscribe:T", publish: #"{"topic":"T","session_id":"default"}"#, expected: message()),
    Row("subscribe: T|S \t", publish: #"{"topic":"T","session_id":"S"}"#, expected: message(session: "S")),
    Row("subscribe:T|S|U|V", publish: #"{"topic":"T","session_id":"S"}"#, expected: message(session: "S")),
    Row("subscribe:T|S|U", publish: #"{"topic":"T","session_id":"S|U"}"#, expected: nil),
    Row("subscribe:T|", publish: #"{"topic":"T","session_id":""}"#, expected: message(session: "")),
    Row("subscribe:T|", publish: #"{"topic":"T"}"#, expected: nil),
    Row(
      "subscribe:a:b|c:d", publish: #"{"topic":"a:b","session_id":"c:d"}"#,
      expected: message(topic: "a:b", session: "c:d")),
    Row(
      "subscribe:ü 漢|😀", publish: #"{"topic":"\u00fc 漢","session_id":"\ud83d\ude00"}"#,
      expected: message(topic: "ü 漢", session: "😀")),
    Row("subscribe:", publish: #"{"topic":""}"#, expected: nil),
    Row("Subscribe:T|S", publish: #"{"topic":"T","session_id":"S"}"#, expected: nil),
    Row(" subscribe:T|S", publish: #"{"topic":"T","session_id":"S"}"#, expected: nil),
    // register-session
    Row(
      "register-session:R", "subscribe:T", publish: #"{"topic":"T","session_id":"R"}"#, expected: message(session: "R")),
    Row("register-session: R ", "subscribe:T", publish: #"{"topic":"T"}"#, expected: nil),
    Row("subscribe:T", "register-session:R", publish: #"{"topic":"T"}"#, expected: message()),
    Row("subscribe:T", "register-session:R", publish: #"{"topic":"T","session_id":"R"}"#, expected: nil),
    Row(
      "register-session:R", "subscribe:T|S", publish: #"{"topic":"T","session_id":"S"}"#,
      expected: message(session: "S")),
    // register-name is not the publisher's name
    Row("register-name:Me", "subscribe:T", publish: #"{"topic":"T"}"#, expected: message()),
    // unsubscribe
    Row("subscribe:T|S", "unsubscribe:T|S", publish: #"{"topic":"T","session_id":"S"}"#, expected: nil),
    Row("subscribe:T", "unsubscribe:T", publish: #"{"topic":"T"}"#, expected: nil),
    Row("subscribe:T", "unsubscribe:T|default", publish: #"{"topic":"T"}"#, expected: nil),
    Row("subscribe:T|S", "unsubscribe: T|S|U ", publish: #"{"topic":"T","session_id":"S"}"#, expected: nil),
    Row("subscribe:T|S", "unsubscribe:T", publish: #"{"topic":"T","session_id":"S"}"#, expected: message(session: "S")),
    Row(
      "subscribe:T|S", "unsubscribe:T|U", publish: #"{"topic":"T","session_id":"S"}"#, expected: message(session: "S")),
    Row(
      "subscribe:T|S", "unsubscribe:T2|S", publish: #"{"topic":"T","session_id":"S"}"#, expected: message(session: "S")),
    Row(
      "subscribe:T|S", "subscribe:T|S", "unsubscribe:T|S", publish: #"{"topic":"T","session_id":"S"}"#, expected: nil),
    // duplicates
    Row(
      "subscribe:T|S", "subscribe:T|S", "subscribe: T|S|x", publish: #"{"topic":"T","session_id":"S"}"#,
      expected: message(session: "S")),
    Row("subscribe:T", "subscribe:T|default", publish: #"{"topic":"T"}"#, expected: message()),
    // isolation
    Row("subscribe:T|S", publish: #"{"topic":"T","session_id":"S2"}"#, expected: nil),
    Row("subscribe:T|S", publish: #"{"topic":"T"}"#, expected: nil),
    Row("subscribe:ab|c", publish: #"{"topic":"b","session_id":"ca"}"#, expected: nil),
    Row("subscribe:b|1:a", publish: #"{"topic":"a:b","session_id":"1"}"#, expected: nil),
    // publish: all members, defaults, wrong types, extra members
    Row(
      "subscribe:T|S",
      publish: #"{"publisher_name":"P","topic":"T","payload":"x \"y\"","timestamp":"now","session_id":"S"}"#,
      expected: message(publisher: "P", payload: #"x \"y\""#, timestamp: "now", session: "S")),
    Row("subscribe:<none>", publish: "{}", expected: message(topic: "<none>")),
    Row("subscribe:<none>", publish: #"{"topic":7}"#, expected: message(topic: "<none>")),
    Row(
      "subscribe:T", publish: #"{"topic":"T","payload":{"a":1},"publisher_name":null,"timestamp":5,"session_id":[]}"#,
      expected: message()),
    Row("subscribe:T", publish: #" {"topic":"T","more":1,"payload":"p"} "#, expected: message(payload: "p")),
    Row("subscribe:T", publish: #"{"t\u006fpic":"\u0054"}"#, expected: message()),
    // malformed
    Row("subscribe:T", publish: #"{"topic":"T""#, expected: nil), Row("subscribe:T", publish: "T", expected: nil),
    Row("subscribe:<none>", publish: "null", expected: nil), Row("subscribe:<none>", publish: "[]", expected: nil),
    Row("subscribe:<none>", publish: "", expected: nil),
    Row("subscribe:T", publish: #"{"topic":"T","topic":"T"}"#, expected: nil),
  ]

  @Test("each command does what the table says, and no more", arguments: rows, reactorCounts)
  func table(row: Row, reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let (subscriber, publisher) = try gateway.pair { _ throws in try gateway.sessionsClient() }
      for command in row.commands { try subscriber.send(command) }
      try subscriber.command("subscribe:barrier|b")
      try publisher.send("publish-json:" + row.publish)
      // By the same way to the same subscriber, so it arrives after whatever came of the row.
      try publisher.publish("barrier", session: "b", payload: "end")
      if let expected = row.expected { try expectJSON(subscriber, expected) }
      try expectJSON(subscriber, message(topic: "barrier", payload: "end", session: "b"))
      try expectSilence(publisher)
    }
  }

  @Test(
    "anything else is ignored without an answer, and the connection stays",
    arguments: [
      "", "hello", "PING", "ping ", " ping", "pong", "subscribe", ":", "subscribe T", "register-name", "publish:{}",
      "publish-json", #"{"action":"subscribe","channel":"T"}"#, "null", "echo me",
    ], reactorCounts)
  func ignored(text: String, reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.sessionsClient()
      try client.command(text)
    }
  }

  @Test("ping is answered with pong, each time", arguments: reactorCounts)
  func ping(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      for client in try gateway.spread(2, { _ throws in try gateway.sessionsClient() }) {
        for _ in 0..<3 { try client.send("ping") }
        for _ in 0..<3 { try expectText(client, "pong") }
      }
    }
  }

  @Test("binary frames are ignored, whatever they hold", arguments: reactorCounts)
  func binary(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.sessionsClient()
      for text in ["ping", "subscribe:T", #"publish-json:{"topic":"T"}"#] {
        try client.send(ClientFrame(ClientFrame.binary, [UInt8](text.utf8)))
      }
      try client.send(ClientFrame(ClientFrame.binary, [0xFF, 0xFE]))
      try client.command(#"publish-json:{"topic":"T"}"#)
    }
  }

  @Test("a publisher that has subscribed gets its own message, at once and in order", arguments: reactorCounts)
  func publisherIncluded(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.spread(2) { _ throws in try gateway.sessionsClient() }
      try clients[1].command("subscribe:T|S")
      // Not acknowledged, but received before the publish on the same connection.
      try clients[0].send("subscribe:T|S")
      for number in 0..<50 { try clients[0].publish("T", session: "S", payload: "\(number)") }
      for client in clients {
        for number in 0..<50 { try expectJSON(client, message(payload: "\(number)", session: "S")) }
        try expectSilence(client)
      }
    }
  }

  @Test("what a publisher sends comes through byte for byte", arguments: reactorCounts)
  func verbatim(reactors: Int) throws {
    let strings = [
      #""""#, #""\u0041\/\ud83d\ude00""#, "\"😀\u{2028}\"", #""{\"a\":1}""#,
      "\"" + String(repeating: "long ", count: 40_000) + "\"",
    ]
    try withGateway(reactors: reactors) { gateway throws in
      let (subscriber, publisher) = try gateway.pair { _ throws in try gateway.sessionsClient() }
      try subscriber.command("subscribe:T")
      for text in strings {
        try publisher.send(
          #"publish-json:{"timestamp":\#(text),"payload": \#(text) ,"topic":"T","publisher_name":\#(text)}"#)
        try expectText(
          subscriber,
          #"{"publisher_name":\#(text),"topic":"T","payload":\#(text),"timestamp":\#(text),"session_id":"default"}"#)
      }
    }
  }
}

@Suite("Sessions: who and where")
struct SessionsIdentityTests {
  @Test(
    "register-session is ignored where the token fixes the session, and works where it does not",
    arguments: reactorCounts)
  func registerSession(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let (subscriber, _) = try gateway.pair { _ throws in try gateway.sessionsClient() }
      try subscriber.command("subscribe:T|fixed", "subscribe:T|other")
      for (token, session) in [(Token.good(session: "fixed"), "fixed"), (Token.good(), "other")] {
        let client = try gateway.sessionsClient(token)
        try client.send("register-session:other")
        try client.publish("T", payload: "x")
        try expectJSON(subscriber, message(payload: "x", session: session))
      }
    }
  }

  @Test("a client may subscribe and publish in any session, whatever its token says", arguments: reactorCounts)
  func anySession(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let (subscriber, publisher) = try gateway.pair { number throws in
        try gateway.sessionsClient(Token.good("user-\(number)", session: "own-\(number)"))
      }
      try subscriber.command("subscribe:T|session-alice")
      try publisher.publish("T", session: "session-alice", payload: "x")
      try expectJSON(subscriber, message(payload: "x", session: "session-alice"))
    }
  }

  @Test("names over the limit and names with control characters are ignored", arguments: reactorCounts)
  func names(reactors: Int) throws {
    try withGateway(reactors: reactors, settings: [("limits.channelNameBytesMax", "8")]) { gateway throws in
      let client = try gateway.sessionsClient()
      try client.command(
        "subscribe:123456789|S", "subscribe:T|123456789", "subscribe:a\u{1}b|S", "register-session:123456789",
        "register-session:a\nb", "register-name:" + String(repeating: "n", count: 100_000), "subscribe:T",
        "subscribe:12345678|12345678")
      for (topic, session) in [("123456789", "S"), ("T", "123456789"), (#"a\u0001b"#, "S"), ("T", #"a\nb"#)] {
        try client.publish(topic, session: session, payload: "x")
      }
      try client.publish("12345678", session: "12345678", payload: "x")
      try expectJSON(client, message(topic: "12345678", payload: "x", session: "12345678"))
      try client.publish("T", payload: "x")
      try expectJSON(client, message(payload: "x"))
      try expectSilence(client)
    }
  }

  @Test("subscriptions have a limit; past it they are ignored", arguments: reactorCounts)
  func subscriptionLimit(reactors: Int) throws {
    try withGateway(reactors: reactors, settings: [("limits.subscriptionsPerConnectionMax", "2")]) { gateway throws in
      let client = try gateway.sessionsClient()
      try client.command("subscribe:a", "subscribe:b", "subscribe:c", "subscribe:a")
      for topic in ["c", "a", "b"] { try client.publish(topic, payload: "x") }
      try expectJSON(client, message(topic: "a", payload: "x"))
      try expectJSON(client, message(topic: "b", payload: "x"))
      try client.command("unsubscribe:a", "subscribe:c")
      try client.publish("c", payload: "y")
      try expectJSON(client, message(topic: "c", payload: "y"))
    }
  }

  @Test("a connection that goes takes its subscriptions along", arguments: reactorCounts)
  func disconnect(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.spread(2) { _ throws in try gateway.sessionsClient() }
      for client in clients { try client.command("subscribe:T|S", "subscribe:U|S") }
      #expect(try eventually { try gateway.metrics().sum("subscriptions") == 4 })
      clients[1].socket.close()
      #expect(try eventually { try gateway.metrics().sum("subscriptions") == 2 })
      try clients[0].publish("T", session: "S", payload: "x")
      try expectJSON(clients[0], message(payload: "x", session: "S"))
    }
  }

  @Test("topics of sessions and channels of the channels dialect never meet", arguments: reactorCounts)
  func otherDialects(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.sessionsClient()
      try client.command("subscribe:T", "subscribe:T|")
      let other = try gateway.connect("/channels?token=" + Tokens.channels(user: "alice"))
      _ = try other.nextText()
      for channel in ["T", "7:defaultT", "0:T"] {
        try other.subscribe(channel)
        try other.publish(channel, "1")
        #expect(rawData(of: try other.nextText()) == "1")
      }
      try client.publish("T", payload: "x")
      try expectJSON(client, message(payload: "x"))
      try expectSilence(client)
      #expect(try other.drain() == [])
    }
  }

  @Test("an application publishes to the subscribers of a topic in its session", arguments: reactorCounts)
  func outlet(reactors: Int) throws {
    var extensions = Extensions()
    extensions.requests["publish"] = { call in
      for session in ["other", "S"] {
        call.outlet.publish(
          topic: "T", session: session, payload: "a \"b\"", publisher: "application", timestamp: "now")
      }
    }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      let clients = try gateway.spread(2) { _ throws in try gateway.sessionsClient() }
      for client in clients { try client.command("subscribe:T|S") }
      let token = Tokens.make(payload: #"{"username":"alice"}"#)
      let caller = try gateway.connect("/handlers", headers: ["Sec-WebSocket-Protocol: \(token)"])
      try caller.send(#"{"type":"publish"}"#)
      for client in clients {
        try expectJSON(client, message(publisher: "application", payload: #"a \"b\""#, timestamp: "now", session: "S"))
      }
    }
  }
}
