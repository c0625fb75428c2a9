// Clients that others wrote, in Python and in Node, talking to each other across reactors.

import Foundation
import TestSupport
import Testing

extension EndToEndLoad {
  @Suite("Clients of other languages")
  struct ForeignClients {
    private static let messages = 10_000

    private func script(_ name: String) -> String {
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Clients/\(name)").path
    }

    @Test("Python and Node on different reactors get every message of each other once, in order, byte for byte")
    func acrossReactors() throws {
      let python = try ClientScript(ClientRuntime.python(), path: script("client.py"))
      let node = try ClientScript(ClientRuntime.node(), path: script("client.js"))
      try withGateway(reactors: 2) { gateway throws in
        func url(_ user: String) -> String {
          "ws://127.0.0.1:\(gateway.port)/channels?token=" + Tokens.channels(user: user)
        }
        #expect(try python.ask("connect " + url("python")) == "connected")
        var isSpread = false
        for _ in 0..<60 where !isSpread {
          #expect(try node.ask("connect " + url("node")) == "connected")
          // The connection before it, if there was one, has to be gone from the count.
          try expectMetrics(gateway) { $0.sum("websockets") == 2 }
          isSpread = try Metrics(of: gateway).value("websockets", reactor: 0) == 1
        }
        #expect(isSpread, "60 connections, and all on one reactor")

        #expect(try python.ask("subscribe to-python") == "subscribed")
        #expect(try node.ask("subscribe to-node") == "subscribed")
        for (publisher, subscriber, channel) in [(python, node, "to-node"), (node, python, "to-python")] {
          try subscriber.send("collect")
          let published = try publisher.ask("publish \(channel) \(Self.messages)").split(separator: " ")
          let collected = try subscriber.answer().split(separator: " ")
          #expect(published.first == "published")
          #expect(collected.first == "collected")
          #expect(published.dropFirst() == collected.dropFirst(), "\(channel)")
        }
        try expectMetrics(gateway) {
          // The end of each direction is one message more.
          $0.sum("publishes_total") == 2 * (Self.messages + 1) && $0.sum("deliveries_total") == 2 * (Self.messages + 1)
            && $0.sum("reactor_posts_received_total") == 2 * (Self.messages + 1)
        }
      }
    }
  }
}
