// Subscribers that read too slowly or not at all, and that nobody else notices them (HOSTILE 23).

import Foundation
import TestSupport
import Testing

extension EndToEndLoad {
  @Suite("Slow subscribers")
  struct SlowSubscribers {
    private static let limits = [
      "--set", "limits.outboundBytesMax=16384", "--set", "limits.closeTimeoutMilliseconds=2000",
    ]

    /// Publishes until the gateway has found a subscriber too slow. Returns how many messages that took.
    private func publishUntilDropped(
      _ gateway: GatewayProcess, _ publisher: WebSocketClient, _ healthy: WebSocketClient
    ) throws -> Int {
      let text = String(repeating: "z", count: 4_000)
      // Gauges are a tenth of a second old at most.
      try expectMetrics(gateway) { $0.sum("subscriptions") == 2 }
      for number in 0..<20_000 {
        try publisher.publish("flood", #"{"n":\#(number),"text":"\#(text)"}"#)
        let message = try healthy.nextText()
        guard rawData(of: message)?.hasPrefix("{\"n\":\(number),") == true else {
          throw GatewayFailure(description: "expected message \(number), got \(message.prefix(120))")
        }
        if number % 50 != 49 { continue }
        // Closed, it has left its channel: by the message that was too many, or by the clock a moment later.
        let metrics = try Metrics(of: gateway)
        if metrics.sum("deliveries_dropped_total") > 0 || metrics.sum("subscriptions") == 1 { return number + 1 }
      }
      throw GatewayFailure(description: "20 000 messages, and nobody was too slow")
    }

    @Test("one that stops reading is closed with 3008, the others see nothing of it", arguments: [1, 2])
    func closed(reactors: Int) throws {
      try withGateway(Self.limits, reactors: reactors) { gateway throws in
        let (publisher, healthy) = try clientPair(gateway, reactors: reactors)
        let slow = try WebSocketClient(gateway, user: "slow", receiveBufferBytes: 4_096)
        try healthy.subscribe("flood")
        try slow.subscribe("flood")
        let count = try publishUntilDropped(gateway, publisher, healthy)
        let all = slow.readToEnd()
        let endings = all.filter { if case .text = $0 { false } else { true } }
        #expect(endings == [.close(3008, "slow"), .end] || endings == [.reset], "\(endings)")
        // What it got is the beginning, without a gap.
        for (number, incoming) in all.enumerated() {
          guard case .text(let text) = incoming else { break }
          #expect(rawData(of: text)?.hasPrefix("{\"n\":\(number),") == true)
        }
        #expect(all.count - endings.count < count)
        try expectSilence(publisher)
        try expectSilence(healthy)
        slow.socket.close()
        try expectMetrics(gateway) { $0.sum("websockets") == 2 && $0.sum("subscriptions") == 1 }
      }
    }

    @Test("one that never reads again is reset after the close time-out")
    func neverReads() throws {
      try withGateway(Self.limits) { gateway throws in
        let (publisher, healthy) = try clientPair(gateway, reactors: 1)
        let slow = try WebSocketClient(gateway, user: "slow", receiveBufferBytes: 4_096)
        try healthy.subscribe("flood")
        try slow.subscribe("flood")
        _ = try publishUntilDropped(gateway, publisher, healthy)
        try expectMetrics(gateway) {
          $0.closes("slow") == 1 && $0.sum("close_timeouts_total") == 1 && $0.sum("websockets") == 2
        }
        try expectSilence(healthy)
      }
    }

    @Test("with the policy drop it stays and its newest messages are dropped and counted", arguments: [1, 2])
    func dropped(reactors: Int) throws {
      try withGateway(Self.limits + ["--set", "slowConsumerPolicy=drop"], reactors: reactors) { gateway throws in
        let (publisher, healthy) = try clientPair(gateway, reactors: reactors)
        let slow = try WebSocketClient(gateway, user: "slow", receiveBufferBytes: 4_096)
        try healthy.subscribe("flood")
        try slow.subscribe("flood")
        let count = try publishUntilDropped(gateway, publisher, healthy)
        // It reads again and gets what was kept, from the beginning on; then everything new.
        var received = 0
        let isComplete = try eventually {
          while case .text = slow.next(patienceMilliseconds: 200) { received += 1 }
          return try Metrics(of: gateway).sum("deliveries_dropped_total") + received == count
        }
        #expect(isComplete, "\(received) of \(count) received")
        try publisher.publish("flood", #""afterwards""#)
        #expect(rawData(of: try slow.nextText()) == #""afterwards""#)
        #expect(rawData(of: try healthy.nextText()) == #""afterwards""#)
      }
    }
  }
}
