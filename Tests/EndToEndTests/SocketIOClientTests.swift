// The widespread Python client of Socket.IO, blocking and asyncio, over each transport.

import Foundation
import TestSupport
import Testing

extension EndToEndLoad {
  @Suite("Socket.IO clients in Python", .serialized)
  struct SocketIOClients {
    private func script() throws -> ClientScript {
      let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Clients/socketio_client.py").path
      return try ClientScript(ClientRuntime.python(), path: path)
    }

    private func session(_ gateway: GatewayProcess) throws -> String {
      let request = "POST /api/auth/acquire-session HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
      let answer = try HTTPExchange.perform(request, on: Socket(port: gateway.port))
      return try #require(JSON(answer.text)?["data"]?["token"]?.text)
    }

    @Test(
      "connect, every event, a megabyte there and back, disconnect, and all again",
      arguments: ["sync", "async"], ["websocket", "polling", "upgrade"])
    func client(kind: String, way: String) throws {
      let python = try script()
      // The blocking client keeps connections open that it does not use any more.
      try withGateway(["--set", "limits.keepAliveMilliseconds=5000"], reactors: 2) { gateway throws in
        let token = try session(gateway)
        for round in 0..<3 {
          // The namespace that the documented address stands for, too.
          let path = round == 1 ? "/socket.io" : ""
          let answer = try python.ask("connect \(kind) \(way) http://127.0.0.1:\(gateway.port)\(path) \(token)")
          #expect(answer == "connected " + (way == "polling" ? "polling" : "websocket"))
          #expect(try python.ask("events") == "events ok")
          #expect(try python.ask("binary 1000") == "binary ok")
          // Base64 takes a third more.
          #expect(try python.ask("binary \(way == "polling" ? 700_000 : 999_900)") == "binary ok")
          #expect(try python.ask("disconnect") == "disconnected")
        }
        try expectMetrics(gateway) { $0.sum("connections") == 0 }
      }
    }

    @Test("a thousand messages in order, from the moment of the upgrade on", arguments: ["sync", "async"])
    func order(kind: String) throws {
      let python = try script()
      try withGateway(reactors: 2) { gateway throws in
        let token = try session(gateway)
        for _ in 0..<3 {
          #expect(try python.ask("race \(kind) http://127.0.0.1:\(gateway.port) \(token) 1000") == "race ok")
        }
      }
    }
  }
}
