// Handlers that end in every way are counted by dialect and outcome, and their clients are told.

import EventLoop
import Foundation
import Gateway
import Synchronization
import TestSupport
import Testing

private struct Broken: Error {}

@Suite("Conformance: failing handlers are counted")
struct HandlerFailureTests {
  /// Ends as the text says.
  @Sendable private static func end(_ call: Call, _ how: String) async throws {
    switch how {
    case "rejected": throw HandlerError.rejected("no")
    case "failed": throw Broken()
    case "timed_out": throw HandlerError.timedOut
    case "cancelled": try await Task.sleep(for: .seconds(600))
    default: call.reply(Array("1".utf8))
    }
  }

  private static let outcomes = ["done", "rejected", "failed", "failed", "timed_out"]

  private func expectCounts(
    _ gateway: ConformanceGateway, _ dialect: String, _ expected: [String: Int],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    func counts() throws -> [String: Int] {
      let samples = try gateway.metrics().samples
      var counts: [String: Int] = [:]
      for outcome in ["done", "rejected", "failed", "timed_out", "cancelled"] {
        let value = samples["handler_calls_total{dialect=\"\(dialect)\",outcome=\"\(outcome)\"}"]
        counts[outcome] = value.map { Int($0) }
      }
      return counts
    }
    let isCounted = try eventually { try counts() == expected }
    let seen = try counts()
    #expect(isCounted, "\(seen)", sourceLocation: sourceLocation)
  }

  @Test("of events, natively and over Socket.IO")
  func events() throws {
    let begun = Mutex(0)
    var extensions = Extensions()
    extensions.events["end"] = { call in
      begun.withLock { $0 += 1 }
      try await Self.end(call, JSON(String(decoding: call.context, as: UTF8.self))?.text ?? "")
    }
    try withGateway(reactors: 2, extensions: extensions) { gateway throws in
      let native = try gateway.connectEvents()
      let socketIO = try SocketIOTestClient(gateway, .webSocket)
      try socketIO.join(gateway.acquireSession())
      for outcome in Self.outcomes {
        try native.send(#"{"event":"end","data":"\#(outcome)"}"#)
        let event = try ReceivedEvent(native)
        #expect((event.name == "error") == (outcome != "done"))
        try socketIO.send(#"42["end","\#(outcome)"]"#)
        try socketIO.nextEvent(outcome == "done" ? "end" : "error")
      }
      try native.send(#"{"event":"end","data":"cancelled"}"#)
      try socketIO.send(#"42["end","cancelled"]"#)
      // One that is cancelled before it begins is not counted.
      #expect(eventually { begun.withLock { $0 } == 2 * Self.outcomes.count + 2 })
      native.socket.close()
      try socketIO.send("1")
      try expectCounts(
        gateway, "events", ["done": 2, "rejected": 2, "failed": 4, "timed_out": 2, "cancelled": 2])
    }
  }

  @Test("of requests and of walkers, over sockets and plain HTTP")
  func requestsAndWalkers() throws {
    var extensions = Extensions()
    for outcome in Set(Self.outcomes) {
      extensions.requests[outcome] = { call in try await Self.end(call, outcome) }
      extensions.walkers[outcome] = Walker(
        outcome, requiresAuthentication: false, methods: [.websocket, .post]
      ) { call in try await Self.end(call, outcome) }
    }
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let token = Tokens.make(payload: #"{"username":"ann","exp":\#(Tokens.now + 600)}"#)
      let requests = try gateway.connect("/handlers", headers: ["Sec-WebSocket-Protocol: " + token])
      let walkers = try gateway.connect("/walkers")
      _ = try walkers.nextText()
      for outcome in Self.outcomes {
        try requests.send(#"{"type":"\#(outcome)"}"#)
        _ = try requests.nextText()
        try walkers.send(#"{"type":"walker","walker":"\#(outcome)","response":true}"#)
        _ = try walkers.nextText()
        let request =
          "POST /walker/\(outcome) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
          + "Content-Length: 2\r\nConnection: close\r\n\r\n{}"
        let answer = try HTTPExchange.perform(request, on: Socket(port: gateway.port))
        #expect((answer.status == 200) == (outcome == "done"), "\(answer.text)")
      }
      try expectCounts(
        gateway, "handlers", ["done": 1, "rejected": 1, "failed": 2, "timed_out": 1, "cancelled": 0])
      try expectCounts(
        gateway, "walkers", ["done": 2, "rejected": 2, "failed": 4, "timed_out": 2, "cancelled": 0])
    }
  }

  @Test("of AI answers, though the client is told in the stream")
  func chat() throws {
    struct Failing: ChatResponder {
      let name = "failing"
      func respond(to request: ChatRequest, emit: @Sendable (String) async throws -> Void) async throws {
        throw Broken()
      }
    }
    var extensions = Extensions()
    extensions.chatResponder = Failing()
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"ai:chat","data":{"message":"Hi"}}"#)
      let start = try ReceivedEvent(client)
      #expect(start.name == "ai:response:start")
      let id = try #require(start.data["messageId"]?.text)
      try expectEvent(client, "ai:response:error", #"{"error":"AI service failed","messageId":"\#(id)"}"#)
      try expectCounts(
        gateway, "events", ["done": 0, "rejected": 0, "failed": 1, "timed_out": 0, "cancelled": 0])
    }
  }

  @Test("of handlers behind HTTP")
  func backends() throws {
    let server = try BackendServer()
    let urls = #"{"fail":"\#(server.url("/status/500"))","none":"\#(server.url("/status/204"))"}"#
    let settings = [("backends.secret", Tokens.secret), ("events.handlers", urls)]
    try withGateway(reactors: 1, settings: settings) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"none"}"#)
      try client.send(#"{"event":"fail"}"#)
      try expectError(client, "Handler failed")
      try expectCounts(
        gateway, "events", ["done": 1, "rejected": 0, "failed": 1, "timed_out": 0, "cancelled": 0])
    }
  }
}
