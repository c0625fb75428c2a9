// PROTOCOLS 3.5: events that an application answers over Socket.IO: acknowledgements both ways, attachments, rooms.

import EventLoop
import Gateway
import TestSupport
import Testing

@Suite("Conformance: the application's events, over Socket.IO")
struct SocketIOHandlerTests {
  @Test("a handler answers with events and acknowledges where that is wanted", arguments: SocketIOTransport.allCases)
  func acknowledgement(transport: SocketIOTransport) throws {
    var extensions = Extensions()
    extensions.events["order"] = { call in
      call.reply(call.context)
      call.acknowledge(Array(#"{"wanted":\#(call.wantsAcknowledgement)}"#.utf8))
      call.reply(event: "done", Array("true".utf8))
    }
    try withSocketIO(transport, extensions: extensions) { gateway, client throws in
      let token = try gateway.acquireSession()
      for prefix in ["", "/socket.io/,"] {
        try client.join(token, prefix: prefix)
        try client.send("42" + prefix + #"["order",{"a": [1.0]},"second"]"#)
        #expect(try client.nextText() == "42" + prefix + #"["order",{"a": [1.0]}]"#)
        try client.nextEvent("done", prefix: "42" + prefix)
        for id in ["0", "7", "9007199254740991"] {
          try client.send("42" + prefix + id + #"["order"]"#)
          #expect(try client.nextText() == "42" + prefix + #"["order",null]"#)
          #expect(try client.nextText() == "43" + prefix + id + #"[{"wanted":true}]"#)
          try client.nextEvent("done", prefix: "42" + prefix)
        }
        try client.expectOnlyPong(prefix: prefix)
      }
    }
  }

  @Test("a handler asks its client and gets the acknowledgement", arguments: SocketIOTransport.allCases)
  func request(transport: SocketIOTransport) throws {
    var extensions = Extensions()
    extensions.events["start"] = { call in
      let first = try await call.request(event: "name?", Array("{}".utf8))
      let second = try await call.request(event: "age?", Array("1".utf8))
      call.reply(event: "known", Array("[".utf8) + first + Array(",".utf8) + second + Array("]".utf8))
    }
    try withSocketIO(transport, extensions: extensions) { gateway, client throws in
      try client.join(gateway.acquireSession(), prefix: "/ws,")
      try client.send(#"42/ws,["start"]"#)
      let first = try client.nextText()
      let firstID = try #require(first.wholeMatch(of: /42\/ws,(\d+)\["name\?",\{\}\]/)).1
      // Ids that nobody asked with.
      try client.send(#"43/ws,777["x"]"#)
      try client.send(#"43/ws,\#(firstID)["Ada","L."]"#)
      try client.send(#"43/ws,\#(firstID)["again"]"#)
      let second = try client.nextText()
      let secondID = try #require(second.wholeMatch(of: /42\/ws,(\d+)\["age\?",1\]/)).1
      #expect(firstID != secondID)
      try client.send(#"43/ws,\#(secondID)[]"#)
      #expect(try client.nextEvent("known", prefix: "42/ws,") == JSON(#"[["Ada","L."],[]]"#))
    }
  }

  @Test("a request that is not acknowledged fails, in time or with the client", arguments: SocketIOTransport.allCases)
  func unanswered(transport: SocketIOTransport) throws {
    let failures = Lock<[HandlerError]>([])
    var extensions = Extensions()
    extensions.events["start"] = { call in
      let isShort = call.context == Array("\"short\"".utf8)
      do {
        _ = try await call.request(event: "q", Array("1".utf8), timeout: isShort ? .milliseconds(50) : .seconds(600))
      } catch let error as HandlerError {
        failures.withLock { $0.append(error) }
      }
      call.reply(event: "failed", Array("true".utf8))
    }
    try withSocketIO(transport, extensions: extensions) { gateway, client throws in
      failures.withLock { $0 = [] }
      try client.join(gateway.acquireSession())
      try client.send(#"42["start","short"]"#)
      #expect(try client.nextText().hasSuffix(#"["q",1]"#))
      try client.nextEvent("failed")
      #expect(failures.withLock { $0 } == [.timedOut])
      try client.send(#"42["start","long"]"#)
      #expect(try client.nextText().hasSuffix(#"["q",1]"#))
      try client.send("1")
      #expect(eventually { failures.withLock { $0.count } == 2 })
      #expect(failures.withLock { $0.last } == .disconnected)
    }
  }

  @Test("requests that were never acknowledged do not use up those to come", arguments: SocketIOTransport.allCases)
  func forgotten(transport: SocketIOTransport) throws {
    var extensions = Extensions()
    extensions.events["start"] = { call in
      for _ in 0..<5 { _ = try? await call.request(event: "q", Array("1".utf8), timeout: .milliseconds(20)) }
      call.reply(event: "answer", try await call.request(event: "last", Array("1".utf8)))
    }
    let settings = [("limits.callsPerConnectionMax", "3")]
    try withSocketIO(transport, settings: settings, extensions: extensions) { gateway, client throws in
      try client.join(gateway.acquireSession())
      try client.send(#"42["start"]"#)
      for _ in 0..<5 { #expect(try client.nextText().hasSuffix(#"["q",1]"#)) }
      let last = try client.nextText()
      let id = try #require(last.wholeMatch(of: /42(\d+)\["last",1\]/)).1
      try client.send(#"43\#(id)["late"]"#)
      #expect(try client.nextEvent("answer") == JSON(#"["late"]"#))
    }
  }

  @Test(
    "a namespace that is left fails its requests, and its handlers join no more rooms",
    arguments: SocketIOTransport.allCases)
  func left(transport: SocketIOTransport) throws {
    let isOver = Lock(false)
    var extensions = Extensions()
    extensions.events["start"] = { call in
      _ = try? await call.request(event: "q", Array("1".utf8), timeout: .seconds(600))
      call.join(room: "tea")
      call.outlet.emit(event: "told", data: Array("1".utf8), room: "tea")
      call.outlet.emit(event: "told", data: Array("2".utf8), room: "")
      isOver.withLock { $0 = true }
    }
    try withSocketIO(transport, extensions: extensions) { gateway, client throws in
      isOver.withLock { $0 = false }
      let token = try gateway.acquireSession()
      try client.join(token)
      try client.join(token, prefix: "/ws,")
      try client.send(#"42["start"]"#)
      let question = try client.nextText()
      let id = try #require(question.wholeMatch(of: /42(\d+)\["q",1\]/)).1
      // Another namespace cannot answer for this one.
      try client.send(#"43/ws,\#(id)["x"]"#)
      try client.expectOnlyPong(prefix: "/ws,")
      #expect(!isOver.withLock { $0 })
      try client.send("41")
      #expect(try client.nextEvent("told", prefix: "42/ws,") == .number(2))
      try client.expectOnlyPong(prefix: "/ws,")
    }
  }

  @Test("a handler that fails is an error event", arguments: SocketIOTransport.allCases)
  func failure(transport: SocketIOTransport) throws {
    var extensions = Extensions()
    extensions.events["order"] = { _ in throw HandlerError.rejected("Sold \"out\"") }
    try withSocketIO(transport, extensions: extensions) { gateway, client throws in
      try client.join(gateway.acquireSession())
      try client.send(#"425["order"]"#)
      #expect(try client.nextEvent("error") == JSON(#"{"error":"Sold \"out\""}"#))
      try client.expectOnlyPong()
    }
  }

  @Test("a handler gets the attachments", arguments: SocketIOTransport.allCases)
  func attachments(transport: SocketIOTransport) throws {
    var extensions = Extensions()
    extensions.events["file"] = { call in
      let sizes = call.attachments.map { "\($0.count),\($0.reduce(0) { $0 + Int($1) })" }.joined(separator: ",")
      call.acknowledge(Array("[\(sizes)]".utf8))
    }
    try withSocketIO(transport, extensions: extensions) { gateway, client throws in
      try client.join(gateway.acquireSession())
      try client.send(
        #"452-3["file",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
        attachments: [[1, 2, 3], [UInt8](repeating: 255, count: 100_000)])
      #expect(try client.nextText() == "433[[3,6,100000,25500000]]")
    }
  }

  @Test("rooms reach every kind of client, on every reactor, each in its own form", arguments: reactorCounts)
  func rooms(reactors: Int) throws {
    var extensions = Extensions()
    extensions.events["join"] = { call in
      call.join(room: "tea")
      call.reply(event: "joined", Array("true".utf8))
    }
    extensions.events["leave"] = { call in
      call.leave(room: "tea")
      call.reply(event: "left", Array("true".utf8))
    }
    extensions.events["tell"] = { call in call.outlet.emit(event: "told", data: call.context, room: "tea") }
    extensions.events["tell all"] = { call in call.outlet.emit(event: "told", data: call.context) }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      let clients = try SocketIOTransport.allCases.flatMap { transport in
        try (0..<3).map { _ in try SocketIOTestClient(gateway, transport) }
      }
      let natives = try (0..<3).map { _ in try gateway.connectEvents() }
      let token = try gateway.acquireSession()
      var ids: [String] = []
      for (number, client) in clients.enumerated() {
        let prefix = number % 2 == 0 ? "" : "/ws,"
        ids.append(try client.join(token, prefix: prefix))
        try client.send("42" + prefix + #"["join"]"#)
        try client.nextEvent("joined", prefix: "42" + prefix)
      }
      for native in natives {
        try native.send(#"{"event":"join"}"#)
        try expectEvent(native, "joined", "true")
      }
      // A room is known on every reactor as soon as its first member is in.
      try clients[0].send(#"42["tell",{"a":1}]"#)
      for (number, client) in clients.enumerated() {
        #expect(try client.nextText() == "42" + (number % 2 == 0 ? "" : "/ws,") + #"["told",{"a":1}]"#)
      }
      for native in natives { try expectEvent(native, "told", #"{"a":1}"#) }
      for (number, client) in clients.enumerated() where number % 3 == 0 {
        let prefix = number % 2 == 0 ? "" : "/ws,"
        try client.send("42" + prefix + #"["leave"]"#)
        try client.nextEvent("left", prefix: "42" + prefix)
      }
      try natives[0].send(#"{"event":"tell","data":2}"#)
      try natives[0].send(#"{"event":"tell all","data":3}"#)
      for (number, client) in clients.enumerated() {
        let prefix = number % 2 == 0 ? "" : "/ws,"
        if number % 3 != 0 { #expect(try client.nextEvent("told", prefix: "42" + prefix) == .number(2)) }
        #expect(try client.nextEvent("told", prefix: "42" + prefix) == .number(3))
      }
    }
  }

  @Test(
    "a socket's own id, its session and its user are rooms; a namespace that was left gets nothing",
    arguments: SocketIOTransport.allCases)
  func ownRooms(transport: SocketIOTransport) throws {
    var extensions = Extensions()
    extensions.events["to"] = { call in
      let room = JSON(String(decoding: call.context, as: UTF8.self))?.text ?? ""
      call.outlet.emit(event: "hit", data: call.context, room: room)
    }
    try withSocketIO(transport, extensions: extensions) { gateway, client throws in
      let token = try #require(gateway.eventsSession(user: "u7"))
      let id = try client.join(token)
      let other = try SocketIOTestClient(gateway, .webSocket)
      try other.join(gateway.acquireSession())
      for room in [id, "session:" + token, "user:u7"] {
        try other.send(#"42["to","\#(room)"]"#)
        #expect(try client.nextEvent("hit") == .string(room))
      }
      try client.join(token, prefix: "/ws,")
      try client.send("41")
      // Its rooms are gone once this is answered.
      try client.expectOnlyPong(prefix: "/ws,")
      try other.send(#"42["to","user:u7"]"#)
      #expect(try client.nextEvent("hit", prefix: "42/ws,") == .string("user:u7"))
      try other.expectOnlyPong()
    }
  }
}
