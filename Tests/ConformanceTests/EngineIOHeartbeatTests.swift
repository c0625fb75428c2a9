// PROTOCOLS 3.5, the heartbeat of Engine.IO, at the lowest settings there are: a ping every 300 ms, a pong within 200.

import Foundation
import TestSupport
import Testing

@Suite("Conformance: Engine.IO, heartbeat")
struct EngineIOHeartbeatTests {
  private static let fast = [
    ("events.pingIntervalMilliseconds", "300"), ("events.pingTimeoutMilliseconds", "200"),
  ]

  /// Less than interval and timeout together. On a busy machine the tests themselves are late; a round in which a client
  /// took longer says nothing.
  private static let promptMilliseconds = 450
  /// Rounds until one was prompt.
  private static let roundsMax = 20

  /// Runs rounds until one was prompt. A round is told when its session was last well, and returns whether it was prompt;
  /// it must not expect anything before it knows that.
  private func untilPrompt(_ round: () throws -> Bool) throws {
    for _ in 0..<Self.roundsMax where try round() { return }
    Issue.record("in \(Self.roundsMax) rounds no client of the tests answered in time")
  }

  private func isPrompt(since moment: ContinuousClock.Instant) -> Bool {
    moment.duration(to: .now) < .milliseconds(Self.promptMilliseconds)
  }

  @Test("the handshake says how often pings come, as the gateway was told")
  func announced() throws {
    try withGateway(settings: Self.fast) { gateway throws in
      let texts = [
        try gateway.connect("/socket.io/?EIO=4&transport=websocket").nextText(),
        try HTTPExchange.get("/socket.io/?EIO=4&transport=polling", port: gateway.port).text,
      ]
      for text in texts {
        let open = JSON(String(text.dropFirst()))
        #expect(open?["pingInterval"] == .number(300) && open?["pingTimeout"] == .number(200), "\(text)")
      }
    }
  }

  @Test(
    "a session that polls is pinged again and again while it answers, and ends when it does not",
    arguments: Polling.allCases)
  func polling(polling: Polling) throws {
    try withPolling(polling, settings: Self.fast) { gateway throws in
      try untilPrompt {
        var well = ContinuousClock.now
        let session = try PollingSession(gateway, polling)
        for _ in 0..<3 {
          let ping = try session.request("GET")
          let now = ContinuousClock.now
          let status = try session.postAnything(["3"])
          guard isPrompt(since: well) else { return false }
          #expect(ping.text == "2" && status == 200)
          well = now
        }
        let ping = try session.request("GET")
        let poll = try session.begin("GET")
        guard isPrompt(since: well) else { return false }
        #expect(ping.text == "2")
        #expect(try HTTPExchange.readAnswer(on: poll).text == "1")
        try session.expectOver()
        return true
      }
    }
  }

  @Test("a session that stops polling ends")
  func silence() throws {
    try withGateway(settings: Self.fast) { gateway throws in
      let session = try PollingSession(gateway, .kept)
      #expect(try eventually { try gateway.metrics().closes("no_pong") == 1 })
      try session.expectOver()
    }
  }

  @Test("a WebSocket is pinged too")
  func webSocket() throws {
    try withGateway(settings: Self.fast) { gateway throws in
      try untilPrompt {
        var well = ContinuousClock.now
        let client = try gateway.connect("/socket.io/?EIO=4&transport=websocket")
        _ = try client.nextText()
        return try beat(client, &well)
      }
    }
  }

  @Test("after an upgrade the heartbeat goes on over the WebSocket", arguments: Polling.allCases)
  func upgraded(polling: Polling) throws {
    try withPolling(polling, settings: Self.fast) { gateway throws in
      try untilPrompt {
        var well = ContinuousClock.now
        let session = try PollingSession(gateway, polling)
        let client = try session.upgrade()
        try client.send("2probe")
        let answer = client.next()
        try client.send("5")
        guard isPrompt(since: well) else { return false }
        #expect(answer == .text("3probe"))
        guard try beat(client, &well) else { return false }
        try session.expectOver()
        return true
      }
    }
  }

  @Test("a ping that comes while a WebSocket probes is answered over either", arguments: Polling.allCases)
  func probing(polling: Polling) throws {
    try withPolling(polling, settings: Self.fast) { gateway throws in
      try untilPrompt {
        var well = ContinuousClock.now
        let session = try PollingSession(gateway, polling)
        let ping = try session.request("GET")
        let client = try session.upgrade()
        try client.send("2probe")
        let answer = client.next()
        let now = ContinuousClock.now
        let status = try session.postAnything(["3"])
        guard isPrompt(since: well) else { return false }
        #expect(ping.text == "2" && answer == .text("3probe") && status == 200)
        well = now
        // The next ping waits for the WebSocket to take over.
        ThisProcess.pause(milliseconds: 320)
        try client.send("5")
        guard isPrompt(since: well) else { return false }
        return try beat(client, &well)
      }
    }
  }

  @Test("whatever a client sends is a sign of life; one that is silent ends", arguments: SocketIOTransport.allCases)
  func events(transport: SocketIOTransport) throws {
    // A gateway for each round: sessions of an earlier one end, too.
    try untilPrompt {
      var isPrompt = true
      try withPolling(transport.polling, settings: Self.fast) { gateway throws in
        let client = try SocketIOTestClient(gateway, transport)
        client.answersPings = false
        var well = ContinuousClock.now
        // Three times as long as a ping and the patience with its answer.
        for number in 0..<75 {
          try? client.send("40/nowhere\(number),")
          if well.duration(to: .now) >= .milliseconds(150) { isPrompt = false }
          well = .now
          ThisProcess.pause(milliseconds: 20)
        }
        var answers = 0
        while case .text = try client.next() { answers += 1 }
        // All were taken before it ended.
        if isPrompt { #expect(answers == 75) }
      }
      return isPrompt
    }
  }

  /// Answers three pings, the fourth with a pong of WebSocket's own, whose bytes are a sign of life too, and the fifth
  /// not at all; false where that took too long.
  private func beat(_ client: WebSocketClient, _ well: inout ContinuousClock.Instant) throws -> Bool {
    for count in 0..<5 {
      let ping = client.next()
      let now = ContinuousClock.now
      if count < 3 { try? client.send("3") }
      if count == 3 { try? client.send(ClientFrame(ClientFrame.pong, [])) }
      guard isPrompt(since: well) else { return false }
      #expect(ping == .text("2"))
      if count < 4 { well = now }
    }
    let end = client.next()
    #expect(end == .end || end == .reset, "\(end)")
    return true
  }
}
