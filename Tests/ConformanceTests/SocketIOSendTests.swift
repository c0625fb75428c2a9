// PROTOCOLS 3.4, 3.5: what an application sends to one connection, natively and over Socket.IO, and that nothing goes
// to a socket whose client has left the namespace.

import EventLoop
import Gateway
import TestSupport
import Testing

@Suite("Conformance: messages of the application to one connection")
struct SocketIOSendTests {
  /// Sends itself the data of the event, a string, as it is.
  private static var extensions: Extensions {
    var extensions = Extensions()
    extensions.events["self"] = { call in
      let text = JSON(String(decoding: call.context, as: UTF8.self))?.text ?? ""
      call.notifySelf(Array(text.utf8))
    }
    extensions.events["send"] = { call in
      let text = JSON(String(decoding: call.context, as: UTF8.self))?.text ?? ""
      if let connection = call.connection { call.outlet.send(Array(text.utf8), to: connection) }
    }
    return extensions
  }

  private static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }

  @Test("an event becomes a packet of Socket.IO; anything else is not sent", arguments: SocketIOTransport.allCases)
  func socketIO(transport: SocketIOTransport) throws {
    try withSocketIO(transport, extensions: Self.extensions) { gateway, client throws in
      let token = try gateway.acquireSession()
      try client.join(token, prefix: "/ws,")
      try client.join(token)
      let before = try gateway.metrics().sum("sends_refused_total")
      for (prefix, event, answers) in [
        ("/ws,", "self", "/ws,"), ("", "self", ""), ("", "send", "/ws,"), ("/ws,", "send", "/ws,"),
      ] {
        for (text, packet) in [
          (#"{"event":"news","data":{"a": [1.0]}}"#, #"["news",{"a": [1.0]}]"#),
          (#" {"data":null, "event":"a\u0062\"","more":1}"#, #"["a\u0062\"",null]"#),
          (#"{"event":"bare"}"#, #"["bare"]"#),
        ] {
          try client.send("42\(prefix)[\"\(event)\",\(Self.quoted(text))]")
          #expect(try client.nextText() == "42" + answers + packet)
        }
        for text in ["hello", "[1]", #"{"event":1}"#, #"{"data":1}"#, "", #"{"event":"x","data":}"#] {
          try client.send("42\(prefix)[\"\(event)\",\(Self.quoted(text))]")
        }
        // Calls of a connection run in order, so this one comes last.
        try client.send("42\(prefix)[\"\(event)\",\(Self.quoted(#"{"event":"end"}"#))]")
        #expect(try client.nextText() == "42" + answers + #"["end"]"#)
      }
      #expect(try eventually { try gateway.metrics().sum("sends_refused_total") == before + 24 })
    }
  }

  @Test("a native client gets the text as it is")
  func native() throws {
    try withGateway(reactors: 1, extensions: Self.extensions) { gateway throws in
      let client = try gateway.connectEvents()
      for event in ["self", "send"] {
        for text in [#"{"event":"news","data":1}"#, "hello"] {
          try client.send(#"{"event":"\#(event)","data":\#(Self.quoted(text))}"#)
          try expectText(client, text)
        }
      }
      #expect(try gateway.metrics().sum("sends_refused_total") == 0)
    }
  }

  @Test(
    "nothing is sent to a socket whose client has left, nor to the next of its namespace",
    arguments: SocketIOTransport.allCases)
  func left(transport: SocketIOTransport) throws {
    let gate = Lock(false)
    var extensions = Extensions()
    extensions.events["wait"] = { call in
      while !gate.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(2)) }
      call.reply(Array("1".utf8))
      call.reply(event: "other", Array("2".utf8))
      call.acknowledge(Array("3".utf8))
      try call.reply(event: "binary", Array(#"{"_placeholder":true,"num":0}"#.utf8), attachments: [[1]])
      call.notifySelf(Array(#"{"event":"self"}"#.utf8))
      call.join(room: "tea")
      do {
        _ = try await call.request(event: "q", Array("4".utf8), timeout: .seconds(600))
      } catch {
        call.outlet.emit(event: "over", data: Array("5".utf8), room: "session:" + (call.session ?? ""))
        call.outlet.emit(event: "never", data: Array("6".utf8), room: "tea")
      }
    }
    for rejoins in [false, true] {
      try withSocketIO(transport, extensions: extensions) { gateway, client throws in
        gate.withLock { $0 = false }
        let token = try gateway.acquireSession()
        try client.join(token)
        try client.join(token, prefix: "/ws,")
        try client.send(#"427["wait"]"#)
        try client.send("41")
        // Left once this is answered.
        try client.expectOnlyPong(prefix: "/ws,")
        if rejoins { try client.join(token) }
        gate.withLock { $0 = true }
        if rejoins { #expect(try client.nextEvent("over") == .number(5)) }
        #expect(try client.nextEvent("over", prefix: "42/ws,") == .number(5))
        if rejoins { try client.expectOnlyPong() }
        try client.expectOnlyPong(prefix: "/ws,")
      }
    }
  }
}
