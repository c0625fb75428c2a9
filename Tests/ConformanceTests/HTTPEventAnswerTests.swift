// What the answer of an endpoint can ask for beside an event: rooms to join and leave, emits, an acknowledgement.

import Foundation
import Gateway
import TestSupport
import Testing

@Suite("Conformance: rooms, emits and acknowledgements of handlers behind HTTP")
struct HTTPEventAnswerTests {
  private static func path(_ server: BackendServer, _ type: String, _ body: String) -> String {
    let hex = body.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    return server.url("/reply/\(type)/\(hex)")
  }

  /// Handlers by name, and the bodies that they answer with.
  private func withHandlers(
    reactors: Int, _ handlers: [(String, String, String)], _ body: (ConformanceGateway, BackendServer) throws -> Void
  ) throws {
    let server = try BackendServer()
    let urls = handlers.map { #""\#($0.0)":"\#(Self.path(server, $0.1, $0.2))""# }.joined(separator: ",")
    let settings = [("backends.secret", Tokens.secret), ("events.handlers", "{\(urls)}")]
    // In this process, where a session can be made for a user.
    try withGateway(reactors: reactors, settings: settings, extensions: Extensions()) { gateway throws in
      try body(gateway, server)
    }
  }

  @Test("an answer joins rooms, emits to them and still answers, natively and over Socket.IO", arguments: reactorCounts)
  func rooms(reactors: Int) throws {
    let handlers = [
      ("enter", "json", #"{"join":["tea","cake"],"event":"entered","data":1}"#),
      ("go", "json", #"{"leave":["tea"],"event":"gone","data":2}"#),
      ("tell", "json", #"{"emit":{"event":"told","data":{"a": 1},"room":"tea"}}"#),
      (
        "tell many", "ndjson",
        #"{"emit":[{"event":"x","data":1,"rooms":["cake","nobody"]},{"event":"y"},{"event":"z","rooms":[]}]}"# + "\n"
          + #"{"event":"done","data":null}"#
      ), ("tell ws", "json", #"{"emit":{"event":"told","data":"ws","namespace":"/ws"}}"#),
      ("tell ada", "json", #"{"emit":{"event":"told","data":"ada","user":"ada"}}"#),
      ("tell others", "json", #"{"emit":{"event":"told","data":3,"exceptSender":true}}"#),
      ("tell all", "json", #"{"emit":{"event":"told","data":4,"exceptSender":false}}"#),
    ]
    try withHandlers(reactors: reactors, handlers) { gateway, _ throws in
      let session = try #require(gateway.eventsSession(user: "ada"))
      let native = try gateway.connectEvents()
      let client = try SocketIOTestClient(gateway, .webSocket)
      try client.join(session, prefix: "/ws,")
      try native.send(#"{"event":"enter"}"#)
      try expectEvent(native, "entered", "1")
      try client.send(#"42/ws,["enter"]"#)
      #expect(try client.nextEvent("entered", prefix: "42/ws,") == .number(1))
      try native.send(#"{"event":"tell"}"#)
      try expectText(native, #"{"event":"told","data":{"a": 1}}"#)
      #expect(try client.nextText() == #"42/ws,["told",{"a": 1}]"#)
      try native.send(#"{"event":"go"}"#)
      try expectEvent(native, "gone", "2")
      try native.send(#"{"event":"tell"}"#)
      try native.send(#"{"event":"tell many"}"#)
      try client.nextEvent("told", prefix: "42/ws,")
      #expect(try client.nextEvent("x", prefix: "42/ws,") == .number(1))
      #expect(try client.nextEvent("y", prefix: "42/ws,") == .null)
      try expectEvent(native, "x", "1")
      try expectEvent(native, "y", "null")
      try expectEvent(native, "done", "null")
      for event in ["tell ws", "tell ada"] {
        try native.send(#"{"event":"\#(event)"}"#)
        try client.nextEvent("told", prefix: "42/ws,")
      }
      for event in ["tell others", "tell all"] { try native.send(#"{"event":"\#(event)"}"#) }
      try expectEvent(native, "told", "4")
      for data in [3.0, 4] { #expect(try client.nextEvent("told", prefix: "42/ws,") == .number(data)) }
      try client.send(#"42/ws,["tell others"]"#)
      try expectEvent(native, "told", "3")
      try expectOnlyPong(native)
      try client.send(#"42/ws,["tell all"]"#)
      #expect(try client.nextEvent("told", prefix: "42/ws,") == .number(4))
    }
  }

  @Test("an answer acknowledges, and the call says whether that is wanted", arguments: SocketIOTransport.allCases)
  func acknowledgement(transport: SocketIOTransport) throws {
    let handlers = [("order", "json", #"{"acknowledge":{"id": 7}}"#)]
    try withHandlers(reactors: transport == .pollingApart ? 2 : 1, handlers) { gateway, server throws in
      let client = try SocketIOTestClient(gateway, transport)
      try client.join(gateway.acquireSession())
      try client.send(#"42["order",1]"#)
      try client.send(#"425["order",2]"#)
      #expect(try client.nextText() == #"435[{"id": 7}]"#)
      let answer = try HTTPExchange.get("/stats", port: server.port)
      let stats = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
      let bodies = try #require(stats?["bodies"] as? [String])
      #expect(bodies.map { $0.contains(#""acknowledgement":true"#) } == [false, true])
    }
  }

  @Test(
    "an object with other members is data; one that asks for what cannot be is an error",
    arguments: [
      (#"{"join":["a"],"more":1}"#, true), (#"{"emit":"x","id":1}"#, true), (#"{"join":"a"}"#, false),
      (#"{"join":[1]}"#, false), (#"{"emit":{"data":1}}"#, false), (#"{"emit":[1]}"#, false),
      (#"{"emit":{"event":"x","room":1}}"#, false), (#"{"emit":{"event":"x","namespace":[]}}"#, false),
      (#"{"emit":{"event":"x","exceptSender":1}}"#, false),
    ])
  func shapes(body: String, isData: Bool) throws {
    try withHandlers(reactors: 1, [("order", "json", body)]) { gateway, _ throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"order"}"#)
      if isData {
        try expectEvent(client, "order_response", body)
      } else {
        try expectError(client, "Handler failed")
      }
      try expectOnlyPong(client)
    }
  }
}
