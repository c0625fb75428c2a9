// Rooms of the events dialect: that what an application sends to everyone, a session, a user, a socket, a room or a
// namespace reaches native and Socket.IO clients alike, on every reactor, and nobody else.

import EventLoop
import Gateway
import TestSupport
import Testing

@Suite("Conformance: rooms of native and Socket.IO clients")
struct EventsRoomsTests {
  /// `to`: an emit to the room in the data. `join`, `leave`: that room, answered. `in`: to a namespace.
  private static var extensions: Extensions {
    @Sendable func text(_ call: Call) -> String { JSON(String(decoding: call.context, as: UTF8.self))?.text ?? "" }
    var extensions = Extensions()
    extensions.events["to"] = { call in call.outlet.emit(event: "hit", data: call.context, room: text(call)) }
    extensions.events["in"] = { call in
      call.outlet.emit(event: "hit", data: call.context, namespace: text(call))
    }
    extensions.events["join"] = { call in
      call.join(room: text(call))
      call.reply(event: "joined", Array("true".utf8))
    }
    extensions.events["leave"] = { call in
      call.leave(room: text(call))
      call.reply(event: "left", Array("true".utf8))
    }
    extensions.events["who"] = { call in
      call.reply(event: "you", Array(#"["\#(call.socketId ?? "")","\#(call.session ?? "")"]"#.utf8))
    }
    return extensions
  }

  /// A native client and the id of its socket.
  private func native(_ gateway: ConformanceGateway, _ token: String, headers: [String] = []) throws -> (
    client: WebSocketClient, id: String
  ) {
    let client = try gateway.connect("/events?token=" + token, headers: headers)
    let welcome = try client.nextText()
    return (client, try #require(JSON(welcome)?["data"]?["socketId"]?.text))
  }

  @Test("an emit reaches native and Socket.IO clients alike, and nobody else", arguments: reactorCounts)
  func alike(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: Self.extensions) { gateway throws in
      // Three sessions of which two are one user's, and several clients of each kind in each.
      let tokens = [
        try #require(gateway.eventsSession(user: "ada")), try #require(gateway.eventsSession(user: "ada")),
        try gateway.acquireSession(),
      ]
      var natives: [(client: WebSocketClient, id: String, session: Int)] = []
      var others: [(client: SocketIOTestClient, id: String, session: Int)] = []
      for round in 0..<3 {
        for session in 0..<3 {
          let (client, id) = try native(gateway, tokens[session])
          natives.append((client, id, session))
          let other = try SocketIOTestClient(gateway, round == 0 ? .polling : .webSocket)
          others.append((other, try other.join(tokens[session]), session))
        }
      }
      let sender = try native(gateway, gateway.acquireSession())
      func check(_ room: String, _ isMember: (Int, String) -> Bool, everyone: Bool = false) throws {
        try sender.client.send(#"{"event":"to","data":"\#(room)"}"#)
        // What comes after shows that nothing else came before.
        try sender.client.send(#"{"event":"to","data":""}"#)
        for (client, id, session) in natives {
          if isMember(session, id) { try expectEvent(client, "hit", "\"\(room)\"") }
          try expectEvent(client, "hit", "\"\"")
        }
        for (client, id, session) in others {
          if isMember(session, id) { #expect(try client.nextEvent("hit") == .string(room)) }
          #expect(try client.nextEvent("hit") == .string(""))
        }
        try expectEvent(sender.client, "hit", "\"\"")
      }
      for session in 0..<3 { try check("session:" + tokens[session], { number, _ in number == session }) }
      try check("user:ada", { number, _ in number < 2 })
      try check("user:bob", { _, _ in false })
      try check("session:nobody", { _, _ in false })
      for index in [0, 4, 8] {
        try check(natives[index].id, { _, id in id == natives[index].id })
        try check(others[index].id, { _, id in id == others[index].id })
      }
      // In the order sent, whatever the rooms.
      for number in 0..<20 {
        let room = ["", "session:" + tokens[0], "user:ada", natives[0].id][number % 4]
        try sender.client.send(#"{"event":"to","data":"\#(room)"}"#)
      }
      for number in 0..<20 {
        let room = ["", "session:" + tokens[0], "user:ada", natives[0].id][number % 4]
        try expectEvent(natives[0].client, "hit", "\"\(room)\"")
      }
    }
  }

  /// `others`: an emit to everyone else in the room in the data, answered. `bytes`: attachments to everyone, to others
  /// in `tea`, and a last event without any.
  private static var others: Extensions {
    var extensions = Self.extensions
    extensions.events["others"] = { call in
      let room = JSON(String(decoding: call.context, as: UTF8.self))?.text ?? ""
      call.emitToOthers(event: "hit", data: call.context, room: room)
      call.reply(event: "sent", Array("1".utf8))
    }
    extensions.events["bytes"] = { call in
      let json = Array(#"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#.utf8)
      let large = [UInt8](repeating: 7, count: 100_000)
      try call.outlet.emit(event: "file", data: json, attachments: [[1, 2, 3], large])
      try call.emitToOthers(event: "file", data: json, attachments: [[], [9]], room: "tea")
      call.outlet.emit(event: "hit", data: Array("\"\"".utf8))
    }
    return extensions
  }

  @Test("an emit to others passes over its sender in every kind of room, and nobody else", arguments: reactorCounts)
  func others(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: Self.others) { gateway throws in
      let token = try #require(gateway.eventsSession(user: "ada"))
      let natives = try (0..<4).map { _ in try native(gateway, token) }
      let sockets = try SocketIOTransport.allCases.map { transport in
        let socket = try SocketIOTestClient(gateway, transport)
        // The sender's own client in another namespace is another socket.
        try socket.join(token)
        try socket.join(token, prefix: "/ws,")
        return socket
      }
      let rooms = ["", "session:" + token, "user:ada", "tea"]
      for (client, _) in natives {
        try client.send(#"{"event":"join","data":"tea"}"#)
        try expectEvent(client, "joined", "true")
      }
      for socket in sockets {
        for prefix in ["", "/ws,"] {
          try socket.send("42" + prefix + #"["join","tea"]"#)
          try socket.nextEvent("joined", prefix: "42" + prefix)
        }
      }
      for room in rooms {
        for sender in 0..<natives.count {
          try natives[sender].client.send(#"{"event":"others","data":"\#(room)"}"#)
          for (number, (client, _)) in natives.enumerated() where number != sender {
            try expectEvent(client, "hit", "\"\(room)\"")
          }
          try expectEvent(natives[sender].client, "sent", "1")
          for socket in sockets {
            #expect(try socket.nextEvent("hit") == .string(room))
            #expect(try socket.nextEvent("hit", prefix: "42/ws,") == .string(room))
          }
        }
        for sender in 0..<sockets.count {
          try sockets[sender].send(#"42/ws,["others","\#(room)"]"#)
          for (client, _) in natives { try expectEvent(client, "hit", "\"\(room)\"") }
          for (number, socket) in sockets.enumerated() {
            #expect(try socket.nextEvent("hit") == .string(room))
            if number != sender { #expect(try socket.nextEvent("hit", prefix: "42/ws,") == .string(room)) }
          }
          try sockets[sender].nextEvent("sent", prefix: "42/ws,")
        }
      }
      // Its own room has nobody else.
      try natives[0].client.send(#"{"event":"others","data":"\#(natives[0].id)"}"#)
      try expectEvent(natives[0].client, "sent", "1")
      try expectOnlyPong(natives[0].client)
    }
  }

  @Test("an emit with attachments reaches every Socket.IO client whole, and no native one", arguments: reactorCounts)
  func attachments(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: Self.others) { gateway throws in
      let token = try gateway.acquireSession()
      let native = try native(gateway, token).client
      let sockets = try [SocketIOTransport.allCases, SocketIOTransport.allCases].joined().map { transport in
        let socket = try SocketIOTestClient(gateway, transport)
        try socket.join(token)
        try socket.send(#"42["join","tea"]"#)
        try socket.nextEvent("joined")
        return socket
      }
      for sender in sockets {
        try sender.send(#"42["bytes"]"#)
        try expectEvent(native, "hit", "\"\"")
        for socket in sockets {
          let text = #"452-["file",[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]]"#
          #expect(try socket.nextText() == text)
          #expect(try socket.next() == .binary([1, 2, 3]))
          #expect(try socket.next() == .binary([UInt8](repeating: 7, count: 100_000)))
          if socket !== sender {
            #expect(try socket.nextText() == text)
            #expect(try socket.next() == .binary([]))
            #expect(try socket.next() == .binary([9]))
          }
          #expect(try socket.nextEvent("hit") == .string(""))
        }
      }
      try expectOnlyPong(native)
    }
  }

  @Test("a client that has gone is in no room any more, and its places serve others", arguments: reactorCounts)
  func gone(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: Self.extensions) { gateway throws in
      let token = try #require(gateway.eventsSession(user: "ada"))
      let stays = try native(gateway, token)
      var parked: [WebSocketClient] = []
      for round in 0..<3 {
        let leaving = try (0..<6).map { _ in try native(gateway, token) }
        let strangers = try (0..<3).map { _ in try native(gateway, gateway.acquireSession()) }
        for (number, (client, _)) in leaving.enumerated() where number % 2 == round % 2 { client.socket.close() }
        #expect(
          try eventually {
            let metrics = try gateway.metrics()
            return metrics.sum("websockets") == 1 + round * 6 + 6
          })
        try stays.client.send(#"{"event":"to","data":"session:\#(token)"}"#)
        try stays.client.send(#"{"event":"to","data":"user:ada"}"#)
        for client in [stays] + leaving.enumerated().filter({ $0.offset % 2 != round % 2 }).map(\.element) {
          try expectEvent(client.client, "hit", "\"session:\(token)\"")
          try expectEvent(client.client, "hit", "\"user:ada\"")
        }
        for (client, _) in strangers { try expectOnlyPong(client) }
        parked += leaving.map(\.client) + strangers.map(\.client)
      }
    }
  }

  @Test("who does not read what goes to its session is closed; the others get everything", arguments: reactorCounts)
  func slow(reactors: Int) throws {
    var extensions = Extensions()
    extensions.events["many"] = { call in
      let session = JSON(String(decoding: call.context, as: UTF8.self))?.text ?? ""
      let data = Array("\"\(String(repeating: "x", count: 100_000))\"".utf8)
      for _ in 0..<20 { call.outlet.emit(event: "hit", data: data, room: "session:" + session) }
      call.outlet.emit(event: "end", data: Array("1".utf8), room: "session:" + session)
    }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      let token = try gateway.acquireSession()
      let deaf = try (0..<3).map { _ in try native(gateway, token) }
      let reader = try native(gateway, token).client
      let sender = try native(gateway, gateway.acquireSession()).client
      // Two megabytes a round, so that a backlog of four is full in the middle of one, whatever the sockets take.
      for _ in 0..<6 {
        try sender.send(#"{"event":"many","data":"\#(token)"}"#)
        for _ in 0..<20 { #expect(try reader.nextText().hasPrefix(#"{"event":"hit","data":"xxx"#)) }
        #expect(try ReceivedEvent(reader).name == "end")
      }
      #expect(try eventually { try gateway.metrics().closes("slow") == 3 })
      withExtendedLifetime(deaf) {}
    }
  }

  @Test("a namespace alone can be reached, and native clients are in none", arguments: SocketIOTransport.allCases)
  func namespaces(transport: SocketIOTransport) throws {
    try withSocketIO(transport, extensions: Self.extensions) { gateway, client throws in
      let token = try gateway.acquireSession()
      let sender = try native(gateway, token).client
      try client.join(token)
      try client.join(token, prefix: "/ws,")
      for name in ["/ws", "/nonsense", "/socket.io", "/"] { try sender.send(#"{"event":"in","data":"\#(name)"}"#) }
      try sender.send(#"{"event":"to","data":""}"#)
      #expect(try client.nextEvent("hit", prefix: "42/ws,") == .string("/ws"))
      #expect(try client.nextEvent("hit") == .string("/"))
      #expect(try client.nextEvent("hit") == .string(""))
      #expect(try client.nextEvent("hit", prefix: "42/ws,") == .string(""))
      try expectEvent(sender, "hit", "\"\"")
    }
  }

  @Test("a native client leaves and joins its own rooms again, each once, and never that of everyone")
  func ownRooms() throws {
    try withGateway(reactors: 1, extensions: Self.extensions) { gateway throws in
      let token = try #require(gateway.eventsSession(user: "ada"))
      let (client, id) = try native(gateway, token)
      let twin = try native(gateway, token).client
      try client.send(#"{"event":"who"}"#)
      try expectEvent(client, "you", #"["\#(id)","\#(token)"]"#)
      for room in ["session:" + token, "user:ada", id] {
        for event in ["leave", "leave", "to", "join", "join", "to", "leave", "to", "join"] {
          try client.send(#"{"event":"\#(event)","data":"\#(room)"}"#)
        }
        for event in ["left", "left", "joined", "joined"] { try expectEvent(client, event, "true") }
        try expectEvent(client, "hit", "\"\(room)\"")
        try expectEvent(client, "left", "true")
        try expectEvent(client, "joined", "true")
        if room != id { for _ in 0..<3 { try expectEvent(twin, "hit", "\"\(room)\"") } }
      }
      try client.send(#"{"event":"leave","data":""}"#)
      try expectEvent(client, "left", "true")
      try client.send(#"{"event":"to","data":""}"#)
      try expectEvent(client, "hit", "\"\"")
      // Of another user's room a client is a member only if a handler says so.
      try client.send(#"{"event":"join","data":"user:bob"}"#)
      try expectEvent(client, "joined", "true")
      try client.send(#"{"event":"to","data":"user:bob"}"#)
      try expectEvent(client, "hit", "\"user:bob\"")
      try expectEvent(twin, "hit", "\"\"")
      try expectOnlyPong(twin)
    }
  }

  @Test("a compressed native client gets what goes to its own rooms")
  func compressed() throws {
    try withGateway(reactors: 2, extensions: Self.extensions) { gateway throws in
      let token = try gateway.acquireSession()
      let offer = ["Sec-WebSocket-Extensions: permessage-deflate"]
      let client = try native(gateway, token, headers: offer).client
      let sender = try native(gateway, gateway.acquireSession()).client
      // Short enough not to be compressed, though the connection may be sent compressed messages.
      try sender.send(#"{"event":"to","data":"session:\#(token)"}"#)
      try expectEvent(client, "hit", "\"session:\(token)\"")
    }
  }

  @Test(
    "the status names the rooms that handlers joined, in order, up to the limit",
    arguments: SocketIOTransport.allCases)
  func status(transport: SocketIOTransport) throws {
    let settings = [("limits.subscriptionsPerConnectionMax", "7"), ("limits.channelNameBytesMax", "20")]
    try withSocketIO(transport, settings: settings, extensions: Self.extensions) { gateway, client throws in
      let token = try #require(gateway.eventsSession(user: "ada"))
      let id = try client.join(token)
      func rooms(_ prefix: String = "") throws -> JSON? {
        try client.send("42" + prefix + #"["status"]"#)
        return try client.nextEvent("status_response", prefix: "42" + prefix)["connection"]?["rooms"]
      }
      let own = [id, "session:" + token, "user:ada"].map { JSON.string($0) }
      #expect(try rooms() == .array(own))
      for room in ["tea", #"a\"b"#, "tea", "twenty-one bytes long"] {
        try client.send(#"42["join","\#(room)"]"#)
        try client.nextEvent("joined")
      }
      #expect(try rooms() == .array(own + [.string("tea"), .string("a\"b")]))
      try client.send(#"42["leave","tea"]"#)
      try client.nextEvent("left")
      for number in 0..<4 {
        try client.send(#"42["join","r\#(number)"]"#)
        try client.nextEvent("joined")
      }
      // The room of everyone counts, and is not named.
      #expect(try rooms() == .array(own + ["a\"b", "r0", "r1"].map { JSON.string($0) }))
      try client.send("41")
      let second = try client.join(token, prefix: "/ws,")
      #expect(try rooms("/ws,") == .array([second, "session:" + token, "user:ada"].map { JSON.string($0) }))
      #expect(
        try eventually {
          let samples = try gateway.metrics().samples
          return ["message_invalid_channel", "message_too_many_subscriptions"].allSatisfy { reason in
            samples.contains { $0.key.contains("refusals_total") && $0.key.contains(reason) && $0.value > 0 }
          }
        })
    }
  }
}
