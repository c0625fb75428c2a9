// The handlers dialect over real sockets: every row of PROTOCOLS 1.2 and 1.3, with one reactor and with two.

import Gateway
import Synchronization
import TestSupport
import Testing

/// Tokens of the handlers dialect, good and bad.
private enum Token {
  static func make(_ payload: String) -> String { Tokens.make(payload: payload) }

  static var good: String { make(#"{"username":"alice","iat":\#(Tokens.now),"exp":\#(Tokens.now + 3_600)}"#) }

  /// What does not verify, by what is wrong with it.
  static var bad: [(why: String, token: String)] {
    let name = #"{"username":"alice"}"#
    return [
      ("not a token", "chat"), ("empty parts", ".."), ("two parts", "eyJhbGciOiJIUzI1NiJ9.e30"),
      ("expired", make(#"{"username":"alice","exp":\#(Tokens.now - 1)}"#)),
      ("not valid yet", make(#"{"username":"alice","nbf":\#(Tokens.now + 600)}"#)),
      ("another secret", Tokens.make(payload: name, secret: "9" + Tokens.secret.dropFirst())),
      ("no algorithm", Tokens.make(header: #"{"alg":"none"}"#, payload: name)),
      ("no signature", make(name).split(separator: ".").dropLast().joined(separator: ".") + "."),
      ("another algorithm", Tokens.make(header: #"{"alg":"HS512"}"#, payload: name)),
      ("nobody's", make("{}")), ("of no name", make(#"{"username":""}"#)), ("of a number", make(#"{"username":7}"#)),
      ("altered", String(make(name).dropLast(2)) + "AA"),
    ]
  }

  static func header(_ offer: String) -> String { "Sec-WebSocket-Protocol: \(offer)" }
}

extension ConformanceGateway {
  /// A client of the handlers dialect.
  fileprivate func handlersClient(user: String = "alice", path: String = "/handlers") throws -> WebSocketClient {
    let token = Token.make(#"{"username":"\#(user)"}"#)
    let client = try connect(path, headers: [Token.header(token)])
    #expect(client.subprotocol == token)
    return client
  }
}

private let ping = #"{"type":"ping"}"#
private let pong = #"{"type":"pong","message":"Pong"}"#

/// The connection is open and serves; nothing came before the answer.
private func expectServed(
  _ client: WebSocketClient, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  try expectSilence(client, question: ping, answer: pong, comment, sourceLocation: sourceLocation)
}

@Suite("Handlers: handshake")
struct HandlersHandshakeTests {
  @Test(
    "a token as the sub-protocol opens the connection and is echoed; nothing is said first",
    arguments: ["/handlers", "/handlers/ws", "/"], reactorCounts)
  func token(path: String, reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      for client in try gateway.spread(2, { _ throws in try gateway.handlersClient(path: path) }) {
        try expectServed(client)
      }
    }
  }

  @Test("any path is served where the dialect owns all of them", arguments: reactorCounts)
  func anyPath(reactors: Int) throws {
    let listeners = #"[{ host: "127.0.0.1", port: 0, mounts: [{ path: "*", dialect: "handlers" }] }]"#
    try withGateway(reactors: reactors, settings: [("listeners", listeners)]) { gateway throws in
      for path in ["/", "/ws", "/chat/room?x=1"] { try expectServed(try gateway.handlersClient(path: path)) }
    }
  }

  @Test("of several sub-protocols any valid token is accepted, and that one is echoed", arguments: reactorCounts)
  func several(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let good = Token.good
      let expired = Token.make(#"{"username":"bob","exp":1}"#)
      for headers in [
        ["chat, \(good)"], ["\(good),chat"], ["a,b , \(expired),\t\(good) , c"], [",,\(good),,"], ["chat", good],
        [expired, "x, \(good)"],
      ] {
        for path in ["/handlers", "/"] {
          let client = try gateway.connect(path, headers: headers.map(Token.header))
          #expect(client.subprotocol == good, "\(headers)")
          try expectServed(client, "\(headers)")
        }
      }
    }
  }

  @Test(
    "a token in the query or behind Bearer opens a connection of handlers alone, without a sub-protocol",
    arguments: reactorCounts)
  func otherPlaces(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let good = Token.good
      for (target, headers) in [
        ("/handlers?token=\(good)", []), ("/handlers/ws?x=1&token=\(good)", []),
        ("/handlers", ["Authorization: Bearer \(good)"]), ("/handlers", ["Authorization: bearer  \(good)"]),
        ("/handlers?token=\(good)", [Token.header("chat")]), ("/handlers?token=x", ["Authorization: Bearer \(good)"]),
        ("/handlers?token=", ["Authorization: BEARER \(good)"]),
      ] {
        let client = try gateway.connect(target, headers: headers)
        #expect(client.subprotocol == nil, "\(target)")
        try expectServed(client, "\(target)")
      }
    }
  }

  @Test("on the path shared with channels only the sub-protocol counts", arguments: reactorCounts)
  func pair(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let good = Token.good
      // Without a sub-protocol the request is one for channels.
      #expect(try gateway.upgrade("/").status == 401)
      #expect(try gateway.upgrade("/?token=\(good)").status == 403)
      #expect(try gateway.upgrade("/", headers: ["Authorization: Bearer \(good)"]).status == 401)
      let headers = [Token.header("chat"), "Authorization: Bearer \(good)"]
      let client = try gateway.connect("/?token=\(good)", headers: headers)
      #expect(client.subprotocol == "chat")
      try expectClose(client, 1008, "Unauthorized")
    }
  }

  @Test(
    "without a valid token the upgrade succeeds, the first offer is echoed, and 1008 follows before any message",
    arguments: reactorCounts)
  func unauthorized(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      for (why, token) in Token.bad {
        for (target, headers, echoed) in [
          ("/handlers", [Token.header(token)], token), ("/", [Token.header(token)], token),
          ("/handlers", [Token.header("\(token), other")], token),
          ("/handlers?token=\(token)", [], nil), ("/handlers", ["Authorization: Bearer \(token)"], nil),
        ] as [(String, [String], String?)] {
          let client = try gateway.connect(target, headers: headers)
          #expect(client.subprotocol == echoed, "\(why) \(target)")
          try? client.send(ping)
          try expectClose(client, 1008, "Unauthorized")
        }
      }
      for headers in [[], ["Authorization: Basic eDp5"], ["Authorization: Bearer"]] {
        let client = try gateway.connect("/handlers", headers: headers)
        #expect(client.subprotocol == nil)
        try expectClose(client, 1008, "Unauthorized")
      }
    }
  }

  @Test("the user is the claim username, else sub", arguments: reactorCounts)
  func user(reactors: Int) throws {
    var extensions = Extensions()
    extensions.requests["who"] = { call in call.reply([UInt8]((call.user ?? "nobody").utf8)) }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      for (payload, user) in [
        (#"{"username":"alice"}"#, "alice"), (#"{"sub":"bob"}"#, "bob"), (#"{"username":"a\"b","sub":"x"}"#, "a\"b"),
      ] {
        let client = try gateway.connect("/handlers", headers: [Token.header(Token.make(payload))])
        try client.send(#"{"type":"who"}"#)
        try expectText(client, user)
      }
    }
  }
}

@Suite("Handlers: messages")
struct HandlersMessageTests {
  static let unknown = "Unknown message type"
  static let invalid = #"{"type":"error","message":"Invalid JSON format"}"#

  @Test(
    "each message gets its one answer, as text and as a binary frame alike",
    arguments: [
      (#"{"type":"user_message","message":"hi"}"#, #"{"type":"user_message","message":"User message received"}"#),
      (#"{"type":"system_message"}"#, #"{"type":"system_message","message":"System message received"}"#),
      (ping, pong), (#"{"id":[1],"type":"ping"}"#, pong), (#"{"type":"p\u0069ng"}"#, pong),
      (#"{"type":"other"}"#, unknown), (#"{"type":"PING"}"#, unknown), (#"{"type":""}"#, unknown),
      (#"{"message":"hi"}"#, unknown), (#"{}"#, unknown), (#"{"type":7}"#, unknown), (#"{"type":null}"#, unknown),
      (#"{"type":["ping"]}"#, unknown), (#"[]"#, unknown), (#"[{"type":"ping"}]"#, unknown), (#"7"#, unknown),
      (#""ping""#, unknown), (#"true"#, unknown),
      (#"null"#, invalid), (#"ping"#, invalid), (#""#, invalid), (#"{"type":"ping""#, invalid), (#"{type:1}"#, invalid),
    ], reactorCounts)
  func answers(row: (message: String, answer: String), reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.handlersClient()
      for opcode in [ClientFrame.text, ClientFrame.binary] {
        try client.send(ClientFrame(opcode, [UInt8](row.message.utf8)))
        if JSON(row.answer) == nil {
          try expectText(client, row.answer)
        } else {
          try expectJSON(client, row.answer)
        }
      }
      try expectServed(client)
    }
  }

  @Test("a binary frame that is not UTF-8 is no JSON", arguments: reactorCounts)
  func binary(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.handlersClient()
      try client.send(ClientFrame(ClientFrame.binary, [0x22, 0xFF, 0x22]))
      try expectJSON(client, Self.invalid)
      try expectServed(client)
    }
  }

  @Test("an answer goes to who asked, whoever used the type first", arguments: reactorCounts)
  func sender(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let (first, second) = try gateway.pair { try gateway.handlersClient(user: "user-\($0)") }
      try expectServed(first)
      for _ in 0..<5 { try expectServed(second) }
      try expectServed(first)
    }
  }

  @Test("answers come in the order of the messages, one for each", arguments: reactorCounts)
  func order(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.spread(2) { _ throws in try gateway.handlersClient() }
      let rows = [(ping, pong), ("[]", Self.unknown), ("x", Self.invalid), (#"{"type":"x"}"#, Self.unknown)]
      for client in clients {
        for number in 0..<200 { try client.send(rows[number % rows.count].0) }
      }
      for client in clients {
        for number in 0..<200 { try expectText(client, rows[number % rows.count].1) }
      }
    }
  }
}

/// Holds handlers up until it is opened.
private final class Gate: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() { (stream, continuation) = AsyncStream.makeStream() }

  /// One task at a time.
  func wait() async { for await _ in stream {} }

  func open() { continuation.finish() }
}

@Suite("Handlers: an application's own")
struct HandlersExtensionTests {
  @Test("a registered handler comes before a built-in type and gets the whole message", arguments: reactorCounts)
  func registered(reactors: Int) throws {
    var extensions = Extensions()
    for name in ["echo", "ping"] {
      extensions.requests[name] = { call in
        call.reply([UInt8](#"{"name":"\#(call.name)","got":"#.utf8) + call.context + [UInt8]("}".utf8))
      }
    }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      for client in try gateway.spread(2, { _ throws in try gateway.handlersClient() }) {
        try client.send(#"{"type":"e\u0063ho", "n":[1 ,2]}"#)
        try expectText(client, #"{"name":"echo","got":{"type":"e\u0063ho", "n":[1 ,2]}}"#)
        try client.send(ping)
        try expectText(client, #"{"name":"ping","got":{"type":"ping"}}"#)
        try client.send(#"{"type":"user_message"}"#)
        try expectText(client, #"{"type":"user_message","message":"User message received"}"#)
        try client.send(#"{"type":"other"}"#)
        try expectText(client, "Unknown message type")
      }
    }
  }

  @Test("built-in answers wait for the handlers before them; other connections do not", arguments: reactorCounts)
  func order(reactors: Int) throws {
    let gate = Gate()
    var extensions = Extensions()
    extensions.requests["slow"] = { call in
      await gate.wait()
      call.reply([UInt8]("slow 1".utf8))
      call.reply([UInt8]("slow 2".utf8))
    }
    extensions.requests["fast"] = { call in call.reply([UInt8]("fast".utf8)) }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      let (client, other) = try gateway.pair { try gateway.handlersClient(user: "user-\($0)") }
      for message in [#"{"type":"slow"}"#, ping, #"{"type":"fast"}"#, "x", #"{"type":"slow"}"#, "[]"] {
        try client.send(message)
      }
      for _ in 0..<3 { try expectServed(other) }
      gate.open()
      for answer in [
        "slow 1", "slow 2", pong, "fast", HandlersMessageTests.invalid, "slow 1", "slow 2",
        HandlersMessageTests.unknown,
      ] {
        try expectText(client, answer)
      }
      try expectServed(client)
    }
  }

  @Test("answers stay in order when handlers end while messages come in", arguments: reactorCounts)
  func orderUnderLoad(reactors: Int) throws {
    var extensions = Extensions()
    extensions.requests["n"] = { call in
      if call.context.count % 3 == 0 { await Task.yield() }
      call.reply(call.context)
    }
    let settings = [("limits.callsPerConnectionMax", "4096")]
    try withGateway(reactors: reactors, settings: settings, extensions: extensions) { gateway throws in
      let clients = try gateway.spread(2) { _ throws in try gateway.handlersClient() }
      for round in 0..<200 {
        for client in clients {
          for number in 0..<6 {
            try client.send(
              number % 2 == 0 ? #"{"type":"n","x":"\#(String(repeating: "y", count: round % 5))"}"# : ping)
          }
        }
        for client in clients {
          for number in 0..<6 {
            try expectText(
              client, number % 2 == 0 ? #"{"type":"n","x":"\#(String(repeating: "y", count: round % 5))"}"# : pong)
          }
        }
      }
    }
  }

  @Test("a handler that fails is answered for, and the connection goes on", arguments: reactorCounts)
  func failure(reactors: Int) throws {
    struct Failure: Error {}
    var extensions = Extensions()
    extensions.requests["fails"] = { _ in throw Failure() }
    extensions.requests["late"] = { _ in throw HandlerError.timedOut }
    extensions.requests["rejects"] = { _ in throw HandlerError.rejected("no \"x\"") }
    extensions.requests["halfway"] = { call in
      call.reply([UInt8]("first".utf8))
      throw Failure()
    }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      let client = try gateway.handlersClient()
      for (name, answers) in [
        ("fails", [#"{"type":"error","message":"Handler failed"}"#]),
        ("late", [#"{"type":"error","message":"Handler timed out"}"#]),
        ("rejects", [#"{"type":"error","message":"no \"x\""}"#]),
        ("halfway", ["first", #"{"type":"error","message":"Handler failed"}"#]),
      ] {
        try client.send(#"{"type":"\#(name)"}"#)
        for answer in answers { try expectText(client, answer) }
        try expectServed(client)
      }
    }
  }

  @Test("more calls than are allowed are refused, and those under way are answered", arguments: reactorCounts)
  func limit(reactors: Int) throws {
    let gate = Gate()
    var extensions = Extensions()
    extensions.requests["slow"] = { call in
      await gate.wait()
      call.reply([UInt8]("done".utf8))
    }
    let settings = [("limits.callsPerConnectionMax", "2")]
    try withGateway(reactors: reactors, settings: settings, extensions: extensions) { gateway throws in
      let client = try gateway.handlersClient()
      for _ in 0..<3 { try client.send(#"{"type":"slow"}"#) }
      try expectText(client, #"{"type":"error","message":"Too many requests"}"#)
      try client.send(ping)
      try expectText(client, #"{"type":"error","message":"Too many requests"}"#)
      gate.open()
      for _ in 0..<2 { try expectText(client, "done") }
      try expectServed(client)
      #expect(try eventually { try gateway.metrics().refusals("message_too_many_calls") == 2 })
    }
  }

  @Test("a handler is cancelled when its client goes", arguments: reactorCounts)
  func cancellation(reactors: Int) throws {
    final class Ends: Sendable {
      let begun = Atomic(0)
      let cancelled = Atomic(0)
    }
    let ends = Ends()
    var extensions = Extensions()
    extensions.requests["wait"] = { call in
      ends.begun.add(1, ordering: .sequentiallyConsistent)
      do {
        try await Task.sleep(for: .seconds(600))
      } catch {
        ends.cancelled.add(1, ordering: .sequentiallyConsistent)
        // Nobody is there any more; nothing may come of it.
        call.reply(call.context)
      }
    }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      let clients = try gateway.spread(2) { _ throws in try gateway.handlersClient() }
      for client in clients { try client.send(#"{"type":"wait"}"#) }
      #expect(eventually { ends.begun.load(ordering: .sequentiallyConsistent) == 2 })
      for client in clients { client.socket.reset() }
      #expect(eventually { ends.cancelled.load(ordering: .sequentiallyConsistent) == 2 })
      try expectServed(try gateway.handlersClient())
    }
  }
}

extension Metrics {
  /// How often something was refused, on all reactors.
  fileprivate func refusals(_ reason: String) -> Int {
    Int(
      samples.filter { $0.key.hasPrefix("refusals_total{") && $0.key.contains("\"\(reason)\"") }.values.reduce(0, +))
  }
}
