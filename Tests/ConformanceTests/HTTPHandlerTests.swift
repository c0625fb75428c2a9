// Handlers behind HTTP over real sockets: answers in each dialect, back ends that fail in every way, and that nobody
// else notices.

import Foundation
import TestSupport
import Testing

/// Settings of a gateway whose application lives at `server`.
private func settings(_ server: BackendServer, _ more: [(String, String)] = []) -> [(String, String)] {
  [("backends.secret", Tokens.secret), ("backends.timeoutMilliseconds", "20000")] + more
}

/// The path of the back end that answers with `body`.
private func reply(_ server: BackendServer, _ type: String, _ body: String) -> String {
  let hex = body.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  return server.url("/reply/\(type)/\(hex)")
}

/// What the back end has counted.
private func stats(_ server: BackendServer) throws -> [String: Any] {
  let answer = try HTTPExchange.get("/stats", port: server.port)
  return try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any] ?? [:]
}

extension ConformanceGateway {
  /// A greeted native client of the events dialect.
  fileprivate func events() throws -> WebSocketClient {
    let answer = try HTTPExchange.perform(
      "POST /api/auth/acquire-session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
      on: Socket(port: port))
    let start = try #require(answer.text.range(of: "\"token\":\"")).upperBound
    let client = try connect("/events?token=\(answer.text[start...].prefix { $0 != "\"" })")
    #expect(try client.nextText().contains("\"connected\""))
    return client
  }

  /// A greeted client of the channels dialect.
  fileprivate func channels(_ user: String) throws -> WebSocketClient {
    let client = try connect("/channels?token=" + Tokens.channels(user: user))
    #expect(try client.nextText().contains("connected"))
    return client
  }
}

@Suite("Conformance: handlers behind HTTP")
struct HTTPHandlerTests {
  @Test("an event is answered by its endpoint, under its own name or another, in order", arguments: reactorCounts)
  func events(reactors: Int) throws {
    let server = try BackendServer()
    let urls =
      #"{"plain":"\#(reply(server, "json", "{\"a\": 1}"))","# + #""none":"\#(server.url("/status/204"))","#
      + #""named":"\#(reply(server, "ndjson", "{\"event\":\"x\",\"data\":1}\n \t\n\r\n{\"event\":\"y\",\"data\":2}\n \r"))"}"#
    try withGateway(reactors: reactors, settings: settings(server, [("events.handlers", urls)])) { gateway throws in
      let client = try gateway.events()
      for _ in 0..<5 {
        for event in ["plain", "none", "named"] { try client.send(#"{"event":"\#(event)","data":[1]}"#) }
      }
      for _ in 0..<5 {
        try expectText(client, #"{"event":"plain_response","data":{"a": 1}}"#)
        try expectText(client, #"{"event":"x","data":1}"#)
        try expectText(client, #"{"event":"y","data":2}"#)
      }
    }
  }

  @Test("the lines of a long answer arrive while the back end is still writing")
  func streaming() throws {
    let server = try BackendServer()
    let urls = #"{"gate":"\#(server.url("/gate"))"}"#
    try withGateway(reactors: 1, settings: settings(server, [("events.handlers", urls)])) { gateway throws in
      let client = try gateway.events()
      try client.send(#"{"event":"gate"}"#)
      try expectText(client, #"{"event":"gate_response","data":{"line":0}}"#)
      // Only now does the back end write the rest.
      #expect(try HTTPExchange.get("/open", port: server.port).status == 200)
      try expectText(client, #"{"event":"gate_response","data":{"line":1}}"#)
    }
  }

  @Test("a walker's endpoint reports and notifies", arguments: reactorCounts)
  func walkers(reactors: Int) throws {
    let server = try BackendServer()
    let lines = [
      #"{"notify":{"channels":["lobby"],"data":{"to": "lobby"}}}"#, #"{"reports":[1,{"x": 2}]}"#, "\"three\"",
    ]
    let url = reply(server, "ndjson", lines.joined(separator: "\n"))
    let walkers = #"{"greet":{"url":"\#(url)","fields":{"name":"string"},"requiresAuthentication":false}}"#
    try withGateway(reactors: reactors, settings: settings(server, [("walkers.walkers", walkers)])) { gateway throws in
      let (lobby, client) = try gateway.pair { number throws in
        let client = try gateway.connect(number == 0 ? "/walkers?channel_id=lobby" : "/walkers")
        #expect(try client.nextText().contains("client_id"))
        return client
      }
      try client.send(#"{"type":"walker","walker":"greet","response":true,"context":{"name":"Ann"}}"#)
      try expectJSON(client, #"{"status":200,"reports":[1,{"x":2},"three"]}"#)
      try expectJSON(lobby, #"{"to":"lobby"}"#)
      try client.send(#"{"type":"walker","walker":"greet","response":true,"context":{}}"#)
      #expect(try client.nextText().contains("Field required"))
    }
    #expect(try stats(server)["requests"] as? Int == 1)
  }

  @Test("hooks are posted in order for a connection", arguments: reactorCounts)
  func hooks(reactors: Int) throws {
    let server = try BackendServer()
    let hooks = ["connected", "subscribed", "disconnected"].map { ("hooks." + $0, server.url("/status/204")) }
    try withGateway(reactors: reactors, settings: settings(server, hooks)) { gateway throws in
      let client = try gateway.channels("ann")
      for channel in ["a", "b"] {
        try client.send(#"{"action":"subscribe","channel":"\#(channel)"}"#)
        #expect(try client.nextText().contains("subscribed"))
      }
      client.socket.close()
      #expect(try eventually { try stats(server)["requests"] as? Int == 4 })
      let bodies = try #require(try stats(server)["bodies"] as? [String])
      let seen = bodies.compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
      #expect(seen.map { $0["name"] as? String } == ["connected", "subscribed", "subscribed", "disconnected"])
      #expect(seen.map { $0["topic"] as? String } == [nil, "a", "b", nil])
      #expect(Set(seen.map { $0["user"] as? String }) == ["ann"])
      #expect(Set(seen.map { $0["dialect"] as? String }) == ["channels"])
      #expect(Set(seen.map { $0["connection"] as? String }).count == 1)
    }
  }

  @Test("back ends that hang, fail or are deaf cost their callers an error in time, and others nothing")
  func failures() throws {
    let server = try BackendServer()
    let deaf = try BackendServer(.deaf)
    let urls =
      #"{"slow":"\#(server.url("/slow"))","fail":"\#(server.url("/status/500"))","deaf":"\#(deaf.url("/x"))"}"#
    let fast = [
      ("events.handlers", urls), ("backends.secret", Tokens.secret), ("backends.timeoutMilliseconds", "1500"),
      ("backends.connectTimeoutMilliseconds", "500"), ("backends.retriesMax", "1"),
      ("channels.telemetryIntervalMilliseconds", "0"),
    ]
    try withGateway(reactors: 2, settings: fast) { gateway throws in
      let crowd = try Crowd(gateway, count: 1_000)
      let before = try crowd.rounds(10)
      let callers = try (0..<30).map { _ throws in try gateway.events() }
      let kinds = ["slow", "fail", "deaf"]
      for (number, caller) in callers.enumerated() { try caller.send(#"{"event":"\#(kinds[number % 3])"}"#) }
      let during = try crowd.rounds(20)
      for (number, caller) in callers.enumerated() {
        let text = try caller.nextText()
        // The slow one would have answered after 30 s.
        let reason = number % 3 == 0 ? "timed out" : "failed"
        #expect(text.contains(#""event":"error""#) && text.contains(reason), "\(kinds[number % 3]): \(text)")
      }
      // Their connections are as good as before.
      for caller in callers {
        try caller.send(#"{"event":"ping"}"#)
        #expect(try caller.nextText().contains("\"pong\""))
      }
      print("1000 connections, round trip p99: \(before) before, \(during) while 30 calls fail")
    }
  }
}

/// Many clients of the channels dialect that each talk to themselves.
private struct Crowd {
  let clients: [WebSocketClient]

  init(_ gateway: ConformanceGateway, count: Int) throws {
    clients = try (0..<count).map { number throws in
      let client = try gateway.channels("user-\(number)")
      try client.send(#"{"action":"subscribe","channel":"own-\#(number)"}"#)
      #expect(try client.nextText().contains("subscribed"))
      return client
    }
  }

  /// Every client publishes to itself and receives it, `count` times, two messages each time that must come in order.
  /// The 99th percentile of the round trips.
  func rounds(_ count: Int) throws -> Duration {
    var trips: [Duration] = []
    for round in 0..<count {
      var sent: [ContinuousClock.Instant] = []
      for (number, client) in clients.enumerated() {
        sent.append(.now)
        for part in 0..<2 {
          try client.send(#"{"action":"publish","channel":"own-\#(number)","payload":"\#(round).\#(part)"}"#)
        }
      }
      for (number, client) in clients.enumerated() {
        for part in 0..<2 {
          let text = try client.nextText()
          #expect(
            text.contains("\"channel\":\"own-\(number)\"") && text.contains("\"data\":\"\(round).\(part)\""), "\(text)")
        }
        trips.append(.now - sent[number])
      }
    }
    trips.sort()
    return trips[trips.count * 99 / 100]
  }
}
