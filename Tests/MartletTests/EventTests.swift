// Rooms, emits and acknowledgements of a program's own handlers, with native and Socket.IO clients over real sockets.
import EventLoop
import Foundation
import Martlet
import TestSupport
import Testing

private struct Order: Codable, Sendable, Equatable {
  var item: String
  var count: Int
}

/// A Socket.IO client that has joined a namespace; `prefix` is its name with a comma.
func connectSocketIO(_ port: UInt16, _ token: String, prefix: String = "") throws -> WebSocketClient {
  let client = try connect(port, "/socket.io/?EIO=4&transport=websocket")
  #expect(try client.nextText().hasPrefix("0{"))
  try client.send(#"40\#(prefix){"token":"\#(token)"}"#)
  #expect(try client.nextText().hasPrefix("40\(prefix){"))
  #expect(try client.nextText().contains("\"connected\""))
  return client
}

/// The next message is this one, JSON behind the same beginning.
private func expect(
  _ client: WebSocketClient, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let seen = try client.nextText()
  let head = text.prefix { $0 != "[" && $0 != "{" }
  #expect(seen.hasPrefix(head), "\(seen)", sourceLocation: sourceLocation)
  let isEqual = JSON(String(seen.dropFirst(head.count))) == JSON(String(text.dropFirst(head.count)))
  #expect(isEqual, "\(seen)", sourceLocation: sourceLocation)
}

@Suite("The Martlet library: events", OwnThreads())
struct EventTests {
  @Test("a handler joins rooms, and everyone, a room, a session, a socket and a namespace can be reached")
  func rooms() async throws {
    let holder = Lock<MartletGateway?>(nil)
    try await serving { gateway in
      holder.withLock { $0 = gateway }
      gateway.onEvent("enter", as: String.self) { event, room in
        event.join(room)
        try event.reply(["id": event.socketID, "session": event.session])
        try event.emit("entered", ["user": event.user ?? "somebody"], to: .room(room))
      }
      gateway.onEvent("go", as: String.self) { event, room in
        event.leave(room)
        try event.emit("gone", 1, to: .room(room))
        event.clients.emit("all", json: "2")
      }
    } _: { port in
      let token = try acquireSession(port)
      let native = try connectEvents(port)
      let client = try connectSocketIO(port, token, prefix: "/ws,")
      try client.send(#"42/ws,["enter","tea"]"#)
      let text = try client.nextText()
      let reply = JSON(String(text.dropFirst("42/ws,".count)))
      guard case .array(let parts)? = reply, parts.count == 2, let id = parts[1]["id"]?.text else {
        throw GatewayFailure(description: "no reply but \(text)")
      }
      #expect(parts[0] == .string("enter_response") && parts[1]["session"]?.text == token)
      try expect(client, #"42/ws,["entered",{"user":"somebody"}]"#)
      try native.send(#"{"event":"enter","data":"tea"}"#)
      #expect(try native.nextText().contains("enter_response"))
      try expect(native, #"{"event":"entered","data":{"user":"somebody"}}"#)
      try expect(client, #"42/ws,["entered",{"user":"somebody"}]"#)
      // From outside a handler.
      let clients = try #require(holder.withLock { $0 }?.clients)
      try clients.emit("a", 1, to: .session(token))
      try clients.emit("b", 2, to: .socket(id))
      try clients.emit("c", 3, to: .namespace("/ws"))
      try clients.emit("d", 4, to: .room("tea").within(namespace: "/"))
      try clients.emit("e", 5, to: .user("nobody"))
      try clients.emit("f", 6)
      for packet in [#"["a",1]"#, #"["b",2]"#, #"["c",3]"#, #"["f",6]"#] { try expect(client, "42/ws," + packet) }
      try expect(native, #"{"event":"f","data":6}"#)
      try native.send(#"{"event":"go","data":"tea"}"#)
      try expect(native, #"{"event":"all","data":2}"#)
      try expect(client, #"42/ws,["gone",1]"#)
      try expect(client, #"42/ws,["all",2]"#)
    }
  }

  @Test("a handler reaches all others, and sends bytes to everyone who speaks Socket.IO")
  func others() async throws {
    let bytes = #"{"_placeholder":true,"num":0}"#
    try await serving { gateway in
      gateway.onEvent("say", as: String.self) { event, text in
        event.join("tea")
        try event.emitToOthers("said", text)
        try event.emitToOthers("heard", json: "1", in: .room("tea"))
        try event.emitToOthers("bytes", json: bytes, attachments: [[1, 2]])
        try event.clients.emit("all bytes", json: bytes, attachments: [[3]], to: .room("tea"))
        do {
          try event.clients.emit("wrong", json: bytes, attachments: [], to: .everyone)
          try event.clients.emit("wrong", json: #"{"_placeholder":true,"num":1}"#, attachments: [[1]])
        } catch let error as RequestError {
          try event.reply("\(error)")
        }
      }
    } _: { port in
      let native = try connectEvents(port)
      let client = try connectSocketIO(port, try acquireSession(port))
      try client.send(#"42["say","a"]"#)
      try expect(client, #"451-["all bytes",{"_placeholder":true,"num":0}]"#)
      #expect(client.next() == .binary([3]))
      try expect(client, #"42["wrong",{"_placeholder":true,"num":0}]"#)
      try expect(client, #"42["say_response","the attachments cannot be sent"]"#)
      try expect(native, #"{"event":"said","data":"a"}"#)
      try expect(native, #"{"event":"wrong","data":{"_placeholder":true,"num":0}}"#)
      try native.send(#"{"event":"say","data":"b"}"#)
      for text in [#"42["said","b"]"#, #"42["heard",1]"#, #"451-["bytes",{"_placeholder":true,"num":0}]"#] {
        try expect(client, text)
      }
      #expect(client.next() == .binary([1, 2]))
      try expect(client, #"451-["all bytes",{"_placeholder":true,"num":0}]"#)
      #expect(client.next() == .binary([3]))
      try expect(native, #"{"event":"wrong","data":{"_placeholder":true,"num":0}}"#)
      try expect(native, #"{"event":"say_response","data":"the attachments cannot be sent"}"#)
    }
  }

  @Test("what a handler returns is the acknowledgement where one is wanted, else an event")
  func acknowledgements() async throws {
    try await serving { gateway in
      gateway.onEvent("double", as: Order.self) { _, order in Order(item: order.item, count: order.count * 2) }
      gateway.onEvent("file") { event in
        let json = #"{"_placeholder":true,"num":0}"#
        try event.acknowledge(json: json, attachments: event.attachments.map { $0.reversed() })
        try event.reply(event: "copy", json: json, attachments: event.attachments)
      }
      gateway.onEvent("plain") { event in
        try event.acknowledge(["wanted": event.wantsAcknowledgement])
        event.acknowledge(json: "2")
        try event.reply(event.wantsAcknowledgement)
      }
    } _: { port in
      let native = try connectEvents(port)
      let client = try connectSocketIO(port, try acquireSession(port))
      try native.send(#"{"event":"double","data":{"item":"a","count":2}}"#)
      try expect(native, #"{"event":"double_response","data":{"item":"a","count":4}}"#)
      try client.send(#"42["double",{"item":"a","count":2}]"#)
      try expect(client, #"42["double_response",{"item":"a","count":4}]"#)
      try client.send(#"4217["double",{"item":"a","count":2}]"#)
      try expect(client, #"4317[{"item":"a","count":4}]"#)
      try client.send(#"451-3["file",{"_placeholder":true,"num":0}]"#)
      try client.send(ClientFrame(ClientFrame.binary, [1, 2, 3]))
      try expect(client, #"461-3[{"_placeholder":true,"num":0}]"#)
      #expect(client.next() == .binary([3, 2, 1]))
      try expect(client, #"451-["copy",{"_placeholder":true,"num":0}]"#)
      #expect(client.next() == .binary([1, 2, 3]))
      try client.send(#"420["plain"]"#)
      try expect(client, #"430[{"wanted":true}]"#)
      try expect(client, "430[2]")
      try expect(client, #"42["plain_response",true]"#)
      try native.send(#"{"event":"plain"}"#)
      try expect(native, #"{"event":"plain_response","data":false}"#)
    }
  }

  @Test("a handler asks its client, and gets the answer, attachments included, or an error that says why")
  func requests() async throws {
    try await serving { gateway in
      gateway.onEvent("order") { event in
        let answer = try await event.request("sure?", Order(item: "a", count: 1))
        let file = try await event.request("file?", json: "null")
        let json = String(decoding: file.json, as: UTF8.self)
        try event.reply([try answer.decode(Order.self).item, "\(file.attachments)", json])
      }
      gateway.onEvent("short") { event in
        do {
          _ = try await event.request("q", 1, timeout: .milliseconds(20))
        } catch let error as RequestError {
          try event.reply("\(error)")
        }
      }
      gateway.onEvent("let through") { event in _ = try await event.request("q", 1, timeout: .milliseconds(20)) }
      gateway.onEvent("wrong") { event in
        do {
          try event.acknowledge(json: #"{"_placeholder":true,"num":1}"#, attachments: [[1]])
        } catch let error as RequestError {
          try event.reply("\(error)")
        }
      }
    } _: { port in
      let client = try connectSocketIO(port, try acquireSession(port))
      try client.send(#"42["order"]"#)
      let question = try client.nextText()
      let id = try #require(question.wholeMatch(of: /42(\d+)\["sure\?",.*\]/)).1
      try client.send(#"43\#(id)[{"item":"b","count":3},"more"]"#)
      let second = try client.nextText()
      let secondID = try #require(second.wholeMatch(of: /42(\d+)\["file\?",null\]/)).1
      try client.send(#"461-\#(secondID)[{"_placeholder":true,"num":0}]"#)
      try client.send(ClientFrame(ClientFrame.binary, [7]))
      try expect(client, #"42["order_response",["b","[[7]]","[{\"_placeholder\":true,\"num\":0}]"]]"#)
      try client.send(#"42["short"]"#)
      #expect(try client.nextText().hasSuffix(#"["q",1]"#))
      try expect(client, #"42["short_response","the client did not acknowledge in time"]"#)
      try client.send(#"42["let through"]"#)
      #expect(try client.nextText().hasSuffix(#"["q",1]"#))
      try expect(client, #"42["error",{"error":"Handler timed out"}]"#)
      try client.send(#"421["wrong"]"#)
      try expect(client, #"42["wrong_response","the attachments cannot be sent"]"#)
      let native = try connectEvents(port)
      try native.send(#"{"event":"short"}"#)
      try expect(native, #"{"event":"short_response","data":"the client has gone, or cannot be asked"}"#)
    }
  }
}
