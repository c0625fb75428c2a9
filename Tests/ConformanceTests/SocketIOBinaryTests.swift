// PROTOCOLS 3.5: acknowledgements and events with attachments, from clients to handlers and from handlers to clients.

import EventLoop
import Gateway
import TestSupport
import Testing

@Suite("Conformance: binary acknowledgements of Socket.IO")
struct SocketIOBinaryTests {
  private static let placeholders = #"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#

  @Test("an acknowledgement with attachments reaches the handler that asked", arguments: SocketIOTransport.allCases)
  func received(transport: SocketIOTransport) throws {
    let answers = Lock<[Acknowledgement]>([])
    var extensions = Extensions()
    extensions.events["start"] = { call in
      let answer = try await call.ask(event: "file?", Array("1".utf8))
      answers.withLock { $0.append(answer) }
      call.reply(event: "got", try await call.request(event: "name?", Array("2".utf8)))
    }
    try withSocketIO(transport, extensions: extensions) { gateway, client throws in
      answers.withLock { $0 = [] }
      try client.join(gateway.acquireSession(), prefix: "/ws,")
      try client.send(#"42/ws,["start"]"#)
      let question = try client.nextText()
      let id = try #require(question.wholeMatch(of: /42\/ws,(\d+)\["file\?",1\]/)).1
      let large = [UInt8](repeating: 7, count: 70_000)
      try client.send("462-/ws,\(id)[\(Self.placeholders)]", attachments: [[1, 2, 3], large])
      // A plain acknowledgement afterwards has none.
      let second = try client.nextText()
      let secondID = try #require(second.wholeMatch(of: /42\/ws,(\d+)\["name\?",2\]/)).1
      try client.send(#"43/ws,\#(secondID)["Ada"]"#)
      #expect(try client.nextEvent("got", prefix: "42/ws,") == JSON(#"["Ada"]"#))
      let seen = answers.withLock { $0 }
      #expect(seen.map { String(decoding: $0.arguments, as: UTF8.self) } == ["[\(Self.placeholders)]"])
      #expect(seen.first?.attachments == [[1, 2, 3], large])
    }
  }

  @Test("a handler acknowledges, answers and asks with attachments", arguments: SocketIOTransport.allCases)
  func sent(transport: SocketIOTransport) throws {
    var extensions = Extensions()
    extensions.events["files"] = { call in
      let json = Array("[\(Self.placeholders)]".utf8)
      try call.acknowledge(json, attachments: call.attachments)
      try call.reply(event: "copy", json, attachments: [[9], []])
      let answer = try await call.ask(event: "keep?", json, attachments: [[4], [5, 6]])
      call.reply(event: "kept", answer.arguments)
    }
    try withSocketIO(transport, extensions: extensions) { gateway, client throws in
      let token = try gateway.acquireSession()
      for prefix in ["", "/socket.io/,"] {
        try client.join(token, prefix: prefix)
        try client.send("452-\(prefix)12[\"files\",\(Self.placeholders)]", attachments: [[0, 255], [1]])
        #expect(try client.nextText() == "462-\(prefix)12[[\(Self.placeholders)]]")
        #expect(try client.next() == .binary([0, 255]))
        #expect(try client.next() == .binary([1]))
        #expect(try client.nextText() == "452-\(prefix)[\"copy\",[\(Self.placeholders)]]")
        #expect(try client.next() == .binary([9]))
        #expect(try client.next() == .binary([]))
        let question = try client.nextText()
        #expect(question.hasPrefix("452-\(prefix)"))
        #expect(question.hasSuffix("[\"keep?\",[\(Self.placeholders)]]"))
        #expect(try client.next() == .binary([4]))
        #expect(try client.next() == .binary([5, 6]))
        let id = question.dropFirst(4 + prefix.count).prefix { $0.isNumber }
        try client.send("43\(prefix)\(id)[true]")
        #expect(try client.nextEvent("kept", prefix: "42" + prefix) == JSON("[true]"))
      }
    }
  }

  @Test("attachments that do not fit their value are not sent", arguments: [SocketIOTransport.webSocket, .polling])
  func misfits(transport: SocketIOTransport) throws {
    let errors = Lock<[AttachmentError]>([])
    var extensions = Extensions()
    extensions.events["try"] = { call in
      let eleven = [[UInt8]](repeating: [1], count: 11)
      for (json, attachments) in [
        (#"{"_placeholder":true,"num":1}"#, [[1]]), ("{\"_placeholder\":tru", [[1]]), ("1", eleven),
      ] as [(String, [[UInt8]])] {
        do {
          try call.acknowledge(Array(json.utf8), attachments: attachments)
        } catch let error as AttachmentError {
          errors.withLock { $0.append(error) }
        }
      }
      // Nobody waits, so nothing is wrong.
      call.acknowledge(Array("0".utf8))
    }
    try withSocketIO(transport, extensions: extensions) { gateway, client throws in
      errors.withLock { $0 = [] }
      try client.join(gateway.acquireSession())
      try client.send(#"425["try"]"#)
      #expect(try client.nextText() == "435[0]")
      #expect(errors.withLock { $0 } == [.placeholder, .placeholder, .tooMany])
      try client.expectOnlyPong()
    }
  }

  @Test("a native client is sent no attachments")
  func native() throws {
    var extensions = Extensions()
    extensions.events["try"] = { call in try call.reply(event: "x", Array("1".utf8), attachments: [[1]]) }
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"try"}"#)
      try expectError(client, "Handler failed")
      try expectOnlyPong(client)
    }
  }
}
