// The events dialect over native WebSockets: every row of PROTOCOLS 3.3 and 3.4, over real sockets.

import Gateway
import TestSupport
import Testing

@Suite("Conformance: events, natively")
struct EventsConformanceTests {
  // MARK: The handshake (PROTOCOLS 3.3)

  @Test("the first message says who the client is", arguments: reactorCounts)
  func welcome(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let token = try gateway.acquireSession()
      var ids: Set<String> = []
      for (target, headers) in [
        ("/events?token=\(token)", []), ("/events/ws?token=\(token)", []),
        ("/events", ["Authorization: Bearer \(token)"]), ("/events", ["authorization: bearer \(token)"]),
        ("/events", ["Authorization: \(token)"]),
        ("/events?token=\(token)", ["Authorization: Bearer wrong"]),
        ("/events?token=", ["Authorization: Bearer \(token)"]),
        ("/events?a=1&%74oken=\(token.map { "%" + String($0.asciiValue ?? 0, radix: 16) }.joined())", []),
      ] as [(String, [String])] {
        let client = try gateway.connect(target, headers: headers)
        let event = try ReceivedEvent(client)
        #expect(event.name == "connected", "\(target)")
        #expect(event.members == ["message", "socketId", "isLoggedIn", "protocol"])
        #expect(event.data["message"] == .string("Connected to YektaYar server via native-websocket"))
        #expect(event.data["isLoggedIn"] == .boolean(false))
        #expect(event.data["protocol"] == .string("native-websocket"))
        let id = try #require(event.data["socketId"]?.text)
        #expect(id.wholeMatch(of: /ws-\d{13}-[0-9a-z]{9}/) != nil, "\(id)")
        #expect(ids.insert(id).inserted)
      }
    }
  }

  @Test("a client without a token, or with an unknown one, is refused before the upgrade", arguments: reactorCounts)
  func refusals(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let token = try gateway.acquireSession()
      let missing = "Authentication token required"
      let unknown = "Invalid or expired session token"
      for (target, headers, body) in [
        ("/events", [], missing), ("/events?token=", [], missing), ("/events?tokens=\(token)", [], missing),
        ("/events", ["Authorization: "], missing), ("/events", ["Authorization: Bearer"], missing),
        ("/events", ["Cookie: token=\(token)"], missing), ("/events?token=x", [], unknown),
        ("/events?token=\(token.dropLast())", [], unknown), ("/events?token=\(token)x", [], unknown),
        ("/events?token=wrong&token=\(token)", [], unknown),
        ("/events?token=wrong", ["Authorization: Bearer \(token)"], unknown),
        ("/events", ["Authorization: Basic \(token)"], unknown),
        ("/events", ["Authorization: Bearer \(Tokens.channels(user: "a"))"], unknown),
      ] as [(String, [String], String)] {
        let answer = try gateway.upgrade(target, headers: headers)
        #expect(answer.status == 401, "\(target) \(headers)")
        #expect(answer.text == body, "\(target) \(headers)")
        #expect(answer.headers["content-type"]?.hasPrefix("text/plain") == true)
        #expect(answer.headers["connection"] == "close")
      }
    }
  }

  @Test("a session that is logged out admits nobody new, and ends no connection")
  func logout() throws {
    try withGateway(reactors: 1) { gateway throws in
      let token = try gateway.acquireSession()
      let client = try gateway.connect("/events?token=\(token)")
      #expect(try ReceivedEvent(client).name == "connected")
      let answer = try gateway.post("/api/auth/logout", headers: ["Authorization: Bearer \(token)"])
      #expect(answer.status == 200)
      #expect(try gateway.upgrade("/events?token=\(token)").status == 401)
      try expectOnlyPong(client)
    }
  }

  // MARK: Messages (PROTOCOLS 3.4)

  @Test("ping is answered with the time", arguments: reactorCounts)
  func ping(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.connectEvents()
      for message in [#"{"event":"ping"}"#, #"{"event":"ping","data":{}}"#, #"{"data":7,"event":"\u0070ing"}"#] {
        try client.send(message)
        let event = try ReceivedEvent(client)
        #expect(event.name == "pong" && event.members == ["timestamp"] && isTimestamp(event.data["timestamp"]))
      }
    }
  }

  @Test("status tells about the server and the connection", arguments: reactorCounts)
  func status(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let token = try gateway.acquireSession()
      let client = try gateway.connect("/events?token=\(token)")
      let socketId = try #require(try ReceivedEvent(client).data["socketId"]?.text)
      try client.send(#"{"event":"status"}"#)
      let event = try ReceivedEvent(client)
      let time = try #require(event.data["server"]?["timestamp"]?.text)
      #expect(event.name == "status_response" && isTimestamp(.string(time)))
      #expect(
        event.data
          == JSON(
            #"{"server":{"name":"YektaYar API Server","version":"0.1.0","status":"running","timestamp":"\#(time)"},"#
              + #""connection":{"socketId":"\#(socketId)","sessionToken":"\#(token)","userId":null,"isLoggedIn":false,"#
              + #""protocol":"native-websocket"}}"#), "\(event.text)")
    }
  }

  @Test("echo gives the data back as it was sent, byte for byte", arguments: reactorCounts)
  func echo(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.connectEvents()
      for data in [
        #""Hello World""#, #"{"message": "x" }"#, "null", "[1,2.50,1e2,\"\\u0041\"]", "false", "12345678901234567890",
        "\"\(String(repeating: "漢", count: 40_000))\"", #"{"event":"ping","a":{"a":{}}}"#,
      ] {
        try client.send(#"{"event":"echo","data":"# + data + "}")
        let event = try ReceivedEvent(client)
        #expect(event.name == "echo_response" && event.members == ["received", "timestamp", "socketId"])
        #expect(event.text.contains(#"{"received":"# + data + #","timestamp":"#))
        #expect(isTimestamp(event.data["timestamp"]))
      }
      try client.send(#"{"event":"echo"}"#)
      let event = try ReceivedEvent(client)
      #expect(event.name == "echo_response" && event.members == ["timestamp", "socketId"])
    }
  }

  @Test("info tells about the server, the transport and the session", arguments: reactorCounts)
  func info(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let token = try gateway.acquireSession()
      let client = try gateway.connect("/events?token=\(token)")
      #expect(try ReceivedEvent(client).name == "connected")
      try client.send(#"{"event":"info","data":{}}"#)
      let event = try ReceivedEvent(client)
      #expect(event.name == "info_response")
      #expect(event.members == ["server", "websocket", "session", "timestamp"] && isTimestamp(event.data["timestamp"]))
      let server = try #require(event.data["server"])
      #expect(server["name"] == .string("YektaYar API") && server["version"] == .string("0.1.0"))
      #expect(server["description"]?.text?.isEmpty == false)
      #expect(
        server["features"]
          == JSON(
            #"{"rest":true,"websocket":true,"authentication":true,"realtime":true,"protocol":"native-websocket"}"#))
      #expect(event.data["websocket"] == JSON(#"{"connected":true,"protocol":"native-websocket"}"#))
      #expect(
        event.data["session"]
          == JSON(#"{"authenticated":false,"userId":"anonymous","sessionToken":"***\#(token.suffix(4))"}"#))
    }
  }

  @Test("message is confirmed with its data", arguments: reactorCounts)
  func message(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"message","data":{"content":"Hello" }}"#)
      let event = try ReceivedEvent(client)
      #expect(event.name == "message_received" && event.members == ["success", "message", "data", "timestamp"])
      #expect(event.data["success"] == .boolean(true))
      #expect(event.data["message"] == .string("Message received successfully"))
      #expect(event.text.contains(#""data":{"content":"Hello" },"timestamp":"#))
      try client.send(#"{"event":"message"}"#)
      #expect(try ReceivedEvent(client).members == ["success", "message", "timestamp"])
    }
  }

  @Test("an event that nobody handles is an error that names it", arguments: reactorCounts)
  func unknown(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.connectEvents()
      for (message, name) in [
        (#"{"event":"dance"}"#, "dance"), (#"{"event":"Ping"}"#, "Ping"), (#"{"event":""}"#, ""),
        (#"{}"#, "undefined"), (#"{"data":{}}"#, "undefined"), ("[]", "undefined"), ("7", "undefined"),
        (#""ping""#, "undefined"), ("true", "undefined"), (#"{"event":null}"#, "null"), (#"{"event":1.0}"#, "1"),
        (#"{"event":{"a":1}}"#, "[object Object]"), (#"{"event":["a",["b",null]]}"#, "a,b,"),
        (#"{"event":"a\"b\u0000é"}"#, "a\"b\u{0}é"), (#"{"event":"connected"}"#, "connected"),
      ] {
        try client.send(message)
        try expectError(client, "Unknown event type: " + name)
      }
    }
  }

  @Test("what is no JSON object at all cannot be processed", arguments: reactorCounts)
  func notProcessed(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.connectEvents()
      for message in [
        "ping", "", "null", "{", "{'event':'ping'}", #"{"event":"ping"}x"#, "hello world",
        #"{"event":"echo","data":"# + String(repeating: "[", count: 100_000), #"{"event":"echo","data":1e999}"#,
      ] {
        try client.send(message)
        try expectError(client, "Failed to process message")
      }
      try expectOnlyPong(client)
    }
  }

  @Test("binary messages are taken like text, and answered with text", arguments: reactorCounts)
  func binary(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(ClientFrame(ClientFrame.binary, Array(#"{"event":"echo","data":"é"}"#.utf8)))
      let event = try ReceivedEvent(client)
      #expect(event.data["received"] == .string("é"))
      try client.send(ClientFrame(ClientFrame.binary, Array(#"{"event":"echo","data":""#.utf8) + [0xFF, 0x22, 0x7D]))
      try expectError(client, "Failed to process message")
      try client.send(ClientFrame(ClientFrame.binary, []))
      try expectError(client, "Failed to process message")
      try expectOnlyPong(client)
    }
  }

  @Test("answers go to the sender only, in the order of the questions", arguments: reactorCounts)
  func senderOnly(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let (one, other) = try gateway.pair { _ throws in try gateway.connectEvents() }
      for number in 0..<200 { try one.send(#"{"event":"echo","data":\#(number)}"#) }
      try one.send(#"{"event":"message","data":{"content":"to everyone"}}"#)
      for number in 0..<200 {
        #expect(try ReceivedEvent(one).data["received"] == .number(Double(number)))
      }
      #expect(try ReceivedEvent(one).name == "message_received")
      try expectOnlyPong(other)
      try expectOnlyPong(one)
    }
  }

  @Test("who is logged in is told so, everywhere", arguments: reactorCounts)
  func loggedIn(reactors: Int) throws {
    var extensions = Extensions()
    extensions.events["who"] = { call in call.reply(Array("\"\(call.user ?? "nobody")\"".utf8)) }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      let token = try #require(gateway.eventsSession(user: "usr_ü1"))
      let client = try gateway.connect("/events?token=\(token)")
      #expect(try ReceivedEvent(client).data["isLoggedIn"] == .boolean(true))
      try client.send(#"{"event":"status"}"#)
      let connection = try ReceivedEvent(client).data["connection"]
      #expect(connection?["userId"] == .string("usr_ü1") && connection?["isLoggedIn"] == .boolean(true))
      try client.send(#"{"event":"info"}"#)
      let session = try ReceivedEvent(client).data["session"]
      #expect(
        session
          == JSON(#"{"authenticated":true,"userId":"usr_ü1","sessionToken":"***\#(token.suffix(4))"}"#))
      try client.send(#"{"event":"who"}"#)
      try expectEvent(client, "who", #""usr_ü1""#)
    }
  }

  @Test("where events owns every path, any of them is a native one", arguments: ["/", "/ws", "/websocket", "/a/b"])
  func anyPath(path: String) throws {
    let listeners = #"[{"host":"127.0.0.1","port":0,"mounts":[{"path":"*","dialect":"events"}]}]"#
    try withGateway(reactors: 1, settings: [("listeners", listeners)]) { gateway throws in
      #expect(try gateway.upgrade(path).status == 401)
      let client = try gateway.connect("\(path)?token=\(gateway.acquireSession())")
      #expect(try ReceivedEvent(client).name == "connected")
      try expectOnlyPong(client)
    }
  }

  @Test("the product's texts are the operator's")
  func texts() throws {
    let settings = [
      ("events.serverName", "A \"server\""), ("events.productName", "An API"), ("events.version", "9"),
      ("events.welcomeMessage", "Hello"),
    ]
    try withGateway(reactors: 1, settings: settings) { gateway throws in
      let client = try gateway.connect("/events?token=" + gateway.acquireSession())
      #expect(try ReceivedEvent(client).data["message"] == .string("Hello via native-websocket"))
      try client.send(#"{"event":"status"}"#)
      let status = try ReceivedEvent(client)
      #expect(status.data["server"]?["name"] == .string("A \"server\""))
      #expect(status.data["server"]?["version"] == .string("9"))
      try client.send(#"{"event":"info"}"#)
      #expect(try ReceivedEvent(client).data["server"]?["name"] == .string("An API"))
    }
  }
}
