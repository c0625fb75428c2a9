// PROTOCOLS 3.5, the Socket.IO layer: namespaces, tokens, events and mistakes, over each way that packets travel.

import Foundation
import Gateway
import TestSupport
import Testing

@Suite("Conformance: Socket.IO")
struct SocketIOConformanceTests {
  private static let required = #"44{"message":"Authentication token required"}"#
  private static let invalid = #"44{"message":"Invalid or expired session token"}"#

  // MARK: Connecting

  @Test(
    "a good token is let in: connect with an id of its own, then the welcome", arguments: SocketIOTransport.allCases)
  func connect(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      try client.send(#"40{"token":"\#(gateway.acquireSession())","other":1}"#)
      let connect = try client.nextText()
      let id = JSON(String(connect.dropFirst(2)))?["sid"]?.text ?? ""
      #expect(connect == #"40{"sid":"\#(id)"}"#)
      #expect(id.utf8.count == 20 && id != client.sid)
      let welcome = try client.nextEvent("connected")
      #expect(
        welcome == JSON(#"{"message":"Connected to YektaYar server","socketId":"\#(id)","isLoggedIn":false}"#),
        "\(welcome)")
      try client.expectOnlyPong()
    }
  }

  @Test(
    "the token may stand in the query of the handshake; one in the packet wins", arguments: SocketIOTransport.allCases)
  func queryToken(transport: SocketIOTransport) throws {
    try withPolling(transport.polling) { gateway throws in
      let token = try gateway.acquireSession()
      for payload in ["", "{}", #"{"token":""}"#, #"{"token":null}"#, #"{"token":false}"#, #"{"x":"token"}"#] {
        let client = try SocketIOTestClient(gateway, transport, query: "&token=" + token)
        try client.send("40" + payload)
        #expect(try client.nextText().hasPrefix(#"40{"sid":""#), "\(payload)")
        try client.nextEvent("connected")
      }
      for payload in [#"{"token":"wrong"}"#, #"{"token":1}"#, #"{"token":["\#(token)"]}"#, #"{"token":true}"#] {
        let client = try SocketIOTestClient(gateway, transport, query: "&token=" + token)
        try client.send("40" + payload)
        #expect(try client.nextText() == Self.invalid, "\(payload)")
      }
    }
  }

  @Test("a refusal says why, and the session may try again", arguments: SocketIOTransport.allCases)
  func refusals(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      let attempts = [
        ("40", Self.required), ("40{}", Self.required), (#"40{"token":""}"#, Self.required),
        (#"40{"token":"nobody"}"#, Self.invalid), (#"40{"token":7}"#, Self.invalid),
        ("40/admin,{}", #"44/admin,{"message":"Invalid namespace"}"#),
        (#"40/admin,{"token":"nobody"}"#, #"44/admin,{"message":"Invalid namespace"}"#),
        ("40/admin", #"44/admin,{"message":"Invalid namespace"}"#),
        ("40/socket.io/x,", #"44/socket.io/x,{"message":"Invalid namespace"}"#),
        ("40/ws/,", #"44/ws/,{"message":"Invalid namespace"}"#),
        ("40/ws,{}", #"44/ws,{"message":"Authentication token required"}"#),
      ]
      for (packet, answer) in attempts {
        try client.send(packet)
        #expect(try client.nextText() == answer, "\(packet)")
      }
      try client.join(gateway.acquireSession())
      try client.expectOnlyPong()
    }
  }

  @Test("the Authorization header is not looked at, and a token of a session that was logged out is invalid")
  func otherTokens() throws {
    try withGateway { gateway throws in
      let token = try gateway.acquireSession()
      let client = try gateway.connect(
        "/socket.io/?EIO=4&transport=websocket", headers: ["Authorization: Bearer " + token])
      _ = try client.nextText()
      try client.send("40")
      try expectText(client, Self.required)
      let answer = try gateway.post("/api/auth/logout", headers: ["Authorization: Bearer " + token])
      #expect(answer.status == 200)
      try client.send(#"40{"token":"\#(token)"}"#)
      try expectText(client, Self.invalid)
    }
  }

  @Test(
    "four namespaces are the one application, each with its prefix, and apart", arguments: SocketIOTransport.allCases)
  func namespaces(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      let token = try gateway.acquireSession()
      let prefixes = ["", "/socket.io/,", "/socket.io,", "/ws,"]
      var ids: Set<String> = []
      for prefix in prefixes { ids.insert(try client.join(token, prefix: prefix)) }
      #expect(ids.count == 4)
      for prefix in prefixes { try client.expectOnlyPong(prefix: prefix) }
      // A namespace of one slash is the default one.
      try client.send(#"42/,["ping"]"#)
      try client.nextEvent("pong")
      try client.send("41/ws,")
      for prefix in prefixes.dropLast() { try client.expectOnlyPong(prefix: prefix) }
      ids.insert(try client.join(token, prefix: "/ws,"))
      #expect(ids.count == 5)
      try client.expectOnlyPong(prefix: "/ws,")
    }
  }

  @Test(
    "leaving a namespace leaves the session open; an event for it then ends it", arguments: SocketIOTransport.allCases)
  func disconnect(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      let token = try gateway.acquireSession()
      let first = try client.join(token)
      try client.send("41")
      #expect(try client.join(token) != first)
      try client.expectOnlyPong()
      try client.send("41")
      try client.send(#"42["ping"]"#)
      try client.expectClosed()
    }
  }

  // MARK: Events

  @Test("the built-in events are answered as documented", arguments: SocketIOTransport.allCases)
  func builtIn(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      let token = try gateway.acquireSession()
      let id = try client.join(token)
      try client.send(#"42["status"]"#)
      let status = try client.nextEvent("status_response")
      #expect(status["server"]?["name"]?.text == "YektaYar API Server")
      #expect(isTimestamp(status["server"]?["timestamp"]))
      #expect(
        status["connection"]
          == JSON(
            #"{"socketId":"\#(id)","sessionToken":"\#(token)","userId":null,"isLoggedIn":false,"#
              + #""rooms":["\#(id)","session:\#(token)"]}"#), "\(status)")
      for data in ["{}", #"{"message":"ü","x":[1,null]}"#, "[1]", "\"text\"", "7.5", "true", "null"] {
        try client.send(#"42["echo",\#(data)]"#)
        let echo = try client.nextEvent("echo_response")
        #expect(echo["received"] == JSON(data) && echo["socketId"]?.text == id && isTimestamp(echo["timestamp"]))
        try client.send(#"42["message",\#(data),"more"]"#)
        let received = try client.nextEvent("message_received")
        #expect(
          received["data"] == JSON(data) && received["success"] == .boolean(true)
            && received["message"]?.text == "Message received successfully" && isTimestamp(received["timestamp"]))
      }
      try client.send(#"42["echo"]"#)
      #expect(try client.nextEvent("echo_response")["received"] == nil)
      try client.send(#"42["info"]"#)
      let info = try client.nextEvent("info_response")
      #expect(info["server"]?["description"]?.text?.contains("Socket.IO") == true, "\(info)")
      #expect(
        info["server"]?["features"] == JSON(#"{"rest":true,"websocket":true,"authentication":true,"realtime":true}"#))
      #expect(info["websocket"]?["transport"]?.text == (transport == .webSocket ? "websocket" : "polling"))
      #expect(info["websocket"]?["protocol"]?.number == 4 && info["websocket"]?["connected"] == .boolean(true))
      #expect((info["websocket"]?["activeConnections"]?.number ?? 0) >= 1)
      #expect(
        info["session"]
          == JSON(#"{"authenticated":false,"userId":"anonymous","sessionToken":"***\#(token.suffix(4))"}"#))
    }
  }

  @Test("a user who is logged in is told so, and is in the room of the user", arguments: SocketIOTransport.allCases)
  func loggedIn(transport: SocketIOTransport) throws {
    // Only an application makes such sessions, so this gateway is in the process of the tests.
    try withSocketIO(transport, extensions: Extensions()) { gateway, client throws in
      let token = try #require(gateway.eventsSession(user: "u \"7\""))
      try client.send(#"40{"token":"\#(token)"}"#)
      _ = try client.nextText()
      #expect(try client.nextEvent("connected")["isLoggedIn"] == .boolean(true))
      try client.send(#"42["status"]"#)
      let connection = try client.nextEvent("status_response")["connection"]
      #expect(connection?["userId"]?.text == "u \"7\"")
      guard case .array(let rooms)? = connection?["rooms"] else {
        Issue.record("no rooms")
        return
      }
      #expect(rooms.count == 3 && rooms.last == .string("user:u \"7\""))
    }
  }

  @Test("ai:chat streams over Socket.IO, beside other events", arguments: SocketIOTransport.allCases)
  func chat(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      try client.join(gateway.acquireSession(), prefix: "/ws,")
      try client.send(#"42/ws,["ai:chat",{"message":"hello there"}]"#)
      let start = try client.nextEvent("ai:response:start", prefix: "42/ws,")
      try client.send(#"42/ws,["ping"]"#)
      var text = ""
      var pongs = 0
      while true {
        let packet = try client.nextText()
        guard packet.hasPrefix("42/ws,"), case .array(let parts)? = JSON(String(packet.dropFirst(6))) else {
          Issue.record("\(packet)")
          return
        }
        if parts[0] == .string("pong") {
          pongs += 1
          continue
        }
        #expect(parts[1]["messageId"] == start["messageId"])
        if parts[0] == .string("ai:response:chunk") { text += parts[1]["chunk"]?.text ?? "" }
        if parts[0] == .string("ai:response:complete") {
          #expect(parts[1]["fullResponse"]?.text == text && !text.isEmpty)
          break
        }
      }
      if pongs == 0 { try client.nextEvent("pong", prefix: "42/ws,") }
      try client.send(#"42/ws,["ai:chat"]"#)
      #expect(
        try client.nextEvent("ai:response:error", prefix: "42/ws,") == JSON(#"{"error":"Message is required"}"#))
    }
  }

  @Test(
    "unknown events and numbered ones are ignored, and a built-in event acknowledges nothing",
    arguments: SocketIOTransport.allCases)
  func ignored(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      try client.join(gateway.acquireSession())
      for packet in [
        #"42["unknown",{}]"#, "42[7,1]", #"4212["ping"]"#, #"420["PING"]"#, "430[]", #"4399["x"]"#, "42", "427", "43",
        "43[]", "431", "450-", #"450-["unknown",{"_placeholder":true,"num":0}]"#, "0", "6", "5", #"51-["ping"]"#,
      ] {
        try client.send(packet)
      }
      try client.nextEvent("pong")
      try client.expectOnlyPong()
    }
  }

  @Test("a thousand events are answered in order", arguments: SocketIOTransport.allCases)
  func order(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      try client.join(gateway.acquireSession())
      for batch in 0..<(transport == .webSocket ? 10 : 2) {
        for number in 0..<100 { try client.send(#"42["echo",\#(batch * 100 + number)]"#) }
        for number in 0..<100 {
          let data = try client.nextEvent("echo_response")
          #expect(data["received"]?.number == Double(batch * 100 + number))
        }
      }
    }
  }

  // MARK: Attachments

  @Test("attachments go back with the data that names them", arguments: SocketIOTransport.allCases)
  func attachments(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      try client.join(gateway.acquireSession(), prefix: "/socket.io/,")
      let all = (0..<10).map { number in [UInt8]((0..<number * 1_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }) }
      for (event, answer, member) in [("echo", "echo_response", "received"), ("message", "message_received", "data")] {
        for count in [1, 2, 10] {
          let places = (0..<count).map { #"{"_placeholder":true,"num":\#($0)}"# }.joined(separator: ",")
          try client.send(
            #"45\#(count)-/socket.io/,["\#(event)",[\#(places)]]"#, attachments: Array(all.prefix(count)))
          let data = try client.nextEvent(answer, prefix: "45\(count)-/socket.io/,")
          #expect(data[member] == JSON("[\(places)]"))
          for attachment in all.prefix(count) { #expect(try client.next() == .binary(attachment)) }
        }
      }
      // Without attachments a binary event is like any other.
      try client.send(#"450-/socket.io/,["echo",1]"#)
      #expect(try client.nextEvent("echo_response", prefix: "42/socket.io/,")["received"] == .number(1))
      // An event that gives nothing back keeps them.
      try client.send(#"451-/socket.io/,["ping",{"_placeholder":true,"num":0}]"#, attachments: [[1]])
      try client.nextEvent("pong", prefix: "42/socket.io/,")
      try client.expectOnlyPong(prefix: "/socket.io/,")
    }
  }

  @Test("attachments may come in posts of their own, and count among the packets of an answer")
  func separateAttachments() throws {
    for polling in Polling.allCases {
      try withPolling(polling) { gateway throws in
        let session = try PollingSession(gateway, polling)
        try session.post(#"40{"token":"\#(gateway.acquireSession())"}"#)
        var packets: [String] = []
        while packets.count < 2 { packets += try session.poll() }
        let places = (0..<10).map { #"{"_placeholder":true,"num":\#($0)}"# }.joined(separator: ",")
        let attachments = (0..<10).map { "b" + Data([UInt8]("data \($0)".utf8)).base64EncodedString() }
        for _ in 0..<2 {
          for packet in [#"4510-["echo",[\#(places)]]"#] + attachments {
            // As clients say it.
            let type = ["Content-Type: text/plain;charset=UTF-8"]
            #expect(try session.request("POST", body: [UInt8](packet.utf8), headers: type).text == "ok")
          }
        }
        // Two events with ten attachments each are 22 packets.
        let answers = [try session.poll(), try session.poll()]
        #expect(answers.map(\.count) == [16, 6])
        let all = answers.joined()
        for (place, packet) in all.enumerated() {
          let isRight =
            place % 11 == 0 ? packet.hasPrefix(#"4510-["echo_response","#) : packet == attachments[place % 11 - 1]
          #expect(isRight, "\(place): \(packet)")
        }
      }
    }
  }

  // MARK: Mistakes

  private static let brokenPackets = [
    "4", "47", "49[]", "4x", "42{}", #"42"ping""#, "42[]", "42[null]", "42[true]", "42[{}]", "42[[]]",
    #"42["ping""#, #"42["ping"]x"#, #"42["connect"]"#, #"42["connect_error"]"#, #"42["disconnect"]"#,
    #"42["disconnecting"]"#, #"42["newListener"]"#, #"42["removeListener"]"#, #"42["\u0063onnect"]"#,
    #"42-1["ping"]"#, #"421.5["ping"]"#, #"4299999999999999999999["ping"]"#, "431{}", "40[]", "40x",
    "41{}", #"44{"message":"x"}"#, #"45["ping"]"#, #"45-["ping"]"#, #"4511-["ping"]"#, #"45x-["ping"]"#,
    #"451-["echo",{"_placeholder":true,"num":1}]"#, #"451-["echo",{"_placeholder":true,"num":-1}]"#,
    #"451-["echo",{"_placeholder":true,"num":"0"}]"#, #"42/ws,["ping"]"#, #"42/unknown,["ping"]"#, "41/ws,",
  ]

  @Test("a packet that breaks the protocol ends the session", arguments: brokenPackets)
  func malformed(packet: String) throws {
    try withGateway { gateway throws in
      for transport in SocketIOTransport.allCases {
        let client = try SocketIOTestClient(gateway, transport)
        try client.join(gateway.acquireSession())
        try client.send(packet)
        try client.expectClosed("\(transport): \(packet)")
      }
    }
  }

  @Test("before a namespace is joined, anything but connect ends the session")
  func beforeConnect() throws {
    try withGateway { gateway throws in
      for transport in SocketIOTransport.allCases {
        for packet in [#"42["ping"]"#, "41", #"430[]"#, #"42/ws,["ping"]"#] {
          let client = try SocketIOTestClient(gateway, transport)
          try client.send(packet)
          try client.expectClosed("\(transport): \(packet)")
        }
      }
    }
  }

  @Test("a second connect to a namespace ends the session", arguments: SocketIOTransport.allCases)
  func twice(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      let token = try gateway.acquireSession()
      try client.join(token)
      try client.send(#"40{"token":"\#(token)"}"#)
      try client.expectClosed()
    }
  }

  @Test("text between a packet and its attachments, or an attachment nobody announced, ends the session")
  func assembly() throws {
    try withGateway { gateway throws in
      for transport in SocketIOTransport.allCases {
        let client = try SocketIOTestClient(gateway, transport)
        try client.join(gateway.acquireSession())
        try client.send(#"451-["echo",{"_placeholder":true,"num":0}]"#)
        try client.send(#"42["ping"]"#)
        try client.expectClosed("\(transport)")
        let other = try SocketIOTestClient(gateway, transport)
        try other.join(gateway.acquireSession())
        try other.send(#"42["unknown"]"#, attachments: [[1, 2, 3]])
        try other.expectClosed("\(transport)")
      }
    }
  }
}
