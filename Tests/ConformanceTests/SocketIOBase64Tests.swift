// PROTOCOLS 9: a client with `b64=1` sends and is sent attachments as base64, on every transport. And an event that
// breaks a rule of JSON costs nothing but itself.

import EventLoop
import Foundation
import Gateway
import TestSupport
import Testing

@Suite("Conformance: base64 and refused events of Socket.IO")
struct SocketIOBase64Tests {
  private static let place = #"{"_placeholder":true,"num":0}"#
  private static let bytes: [UInt8] = [0, 1, 2, 250, 255]
  private static let text = "b" + Data(bytes).base64EncodedString()

  /// A client on a WebSocket from the start.
  private func direct(_ gateway: ConformanceGateway, query: String = "&b64=1") throws -> WebSocketClient {
    let client = try gateway.connect("/socket.io/?EIO=4&transport=websocket" + query)
    _ = try client.nextText()
    try join(client, gateway)
    return client
  }

  private func join(_ client: WebSocketClient, _ gateway: ConformanceGateway) throws {
    try client.send(#"40{"token":"\#(gateway.acquireSession())"}"#)
    #expect(try client.nextText().hasPrefix("40{"))
    #expect(try client.nextText().hasPrefix(#"42["connected""#))
  }

  /// A client whose WebSocket has taken over from polling. `later`: only the WebSocket asks for base64.
  private func upgraded(_ gateway: ConformanceGateway, later: Bool) throws -> WebSocketClient {
    let session = try PollingSession(gateway, .kept, query: later ? "" : "&b64=1")
    try session.post(#"40{"token":"\#(gateway.acquireSession())"}"#)
    var packets: [String] = []
    while packets.count < 2 { packets += try session.poll() }
    try session.post(#"451-["echo",\#(Self.place)]"#, Self.text)
    packets = []
    while packets.count < 2 { packets += try session.poll() }
    #expect(packets[0].hasPrefix(#"451-["echo_response""#) && packets[1] == Self.text)
    let client = try WebSocketClient(
      on: session.connection(), target: session.target("websocket", query: "&b64=1"), headers: [])
    try client.send("2probe")
    try expectText(client, "3probe")
    try client.send("5")
    return client
  }

  @Test("a WebSocket of a client with b64=1 carries attachments as base64 both ways, after an upgrade too")
  func echo() throws {
    try withGateway { gateway throws in
      for client in try [direct(gateway), upgraded(gateway, later: false), upgraded(gateway, later: true)] {
        try client.send(#"451-["echo",\#(Self.place)]"#)
        try client.send(Self.text)
        #expect(try client.nextText().hasPrefix(#"451-["echo_response""#))
        #expect(client.next() == .text(Self.text))
        // It may send bytes as they are all the same.
        try client.send(#"451-["echo",\#(Self.place)]"#)
        try client.send(ClientFrame(ClientFrame.binary, Self.bytes))
        #expect(try client.nextText().hasPrefix(#"451-["echo_response""#))
        #expect(client.next() == .text(Self.text))
      }
      // Who does not ask for it may send it, and is answered in bytes, as by the reference server.
      let other = try direct(gateway, query: "")
      try other.send(#"451-["echo",\#(Self.place)]"#)
      try other.send(Self.text)
      #expect(try other.nextText().hasPrefix(#"451-["echo_response""#))
      #expect(other.next() == .binary(Self.bytes))
    }
  }

  @Test("what is broadcast with attachments reaches each client in its own form, and its sender not")
  func broadcast() throws {
    var extensions = Extensions()
    extensions.events["tell"] = { call in
      try call.emitToOthers(event: "news", data: Array(Self.place.utf8), attachments: [Self.bytes])
      call.reply(event: "told", Array("1".utf8))
    }
    extensions.events["enter"] = { call in
      call.join(room: "room")
      call.reply(event: "entered", Array("1".utf8))
    }
    extensions.events["room"] = { call in
      try call.emitToOthers(
        event: "news", data: Array(Self.place.utf8), attachments: [Self.bytes], room: "room")
    }
    try withGateway(extensions: extensions) { gateway throws in
      let binary = try direct(gateway, query: "")
      let base64 = try [direct(gateway), upgraded(gateway, later: false), upgraded(gateway, later: true)]
      let polling = try SocketIOTestClient(gateway, .polling, query: "&b64=1")
      try polling.join(gateway.acquireSession())
      let sender = try direct(gateway)
      func expectNews() throws {
        #expect(binary.next() == .text(#"451-["news",\#(Self.place)]"#))
        #expect(binary.next() == .binary(Self.bytes))
        for client in base64 {
          #expect(client.next() == .text(#"451-["news",\#(Self.place)]"#))
          #expect(client.next() == .text(Self.text))
        }
        #expect(try polling.next() == .text(#"451-["news",\#(Self.place)]"#))
        #expect(try polling.next() == .binary(Self.bytes))
      }
      try sender.send(#"42["tell"]"#)
      try expectNews()
      #expect(sender.next() == .text(#"42["told",1]"#))
      for client in base64 + [binary] {
        try client.send(#"42["enter"]"#)
        #expect(client.next() == .text(#"42["entered",1]"#))
      }
      try polling.send(#"42["enter"]"#)
      try polling.nextEvent("entered")
      try sender.send(#"42["room"]"#)
      try expectNews()
    }
  }

  // MARK: Events that a rule refuses

  @Test(
    "an event with half a surrogate pair, too many brackets or too large a number is answered and costs nothing else",
    arguments: SocketIOTransport.allCases)
  func refused(transport: SocketIOTransport) throws {
    try withSocketIO(transport) { gateway, client throws in
      let deep = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
      for prefix in ["", "/ws,"] {
        try client.join(gateway.acquireSession(), prefix: prefix)
        for data in [#""\ud83d""#, #"{"a":"\udc00"}"#, "1e999", deep] {
          for packet in ["42\(prefix)[\"echo\",\(data)]", "42\(prefix)7[\"unknown\",\(data)]"] {
            try client.send(packet)
            let error = try client.nextEvent("error", prefix: "42" + prefix)
            #expect(error == JSON(#"{"error":"Failed to process message"}"#), "\(packet)")
          }
          try client.send("451-\(prefix)[\"echo\",\(data)]", attachments: [[1]])
          try client.nextEvent("error", prefix: "42" + prefix)
        }
        try client.expectOnlyPong(prefix: prefix)
      }
      // Half an emoji in a token fits no session.
      try client.send("41")
      try client.send(#"40{"token":"\ud83d"}"#)
      #expect(try client.nextText() == #"44{"message":"Invalid or expired session token"}"#)
      try client.expectOnlyPong(prefix: "/ws,")
    }
  }

  @Test("an acknowledgement that a rule refuses fails the request that it answers, and nothing else")
  func refusedAcknowledgement() throws {
    var extensions = Extensions()
    extensions.events["ask"] = { call in
      do {
        _ = try await call.ask(event: "name?", Array("1".utf8))
        call.reply(event: "answered", Array("1".utf8))
      } catch {
        call.reply(event: "failed", Array("1".utf8))
      }
    }
    try withSocketIO(.webSocket, extensions: extensions) { gateway, client throws in
      try client.join(gateway.acquireSession())
      try client.send(#"42["ask"]"#)
      let question = try client.nextText()
      let id = question.dropFirst(2).prefix { $0.isNumber }
      try client.send(#"43\#(id)["\ud83d"]"#)
      try client.nextEvent("failed")
      try client.expectOnlyPong()
    }
  }
}
