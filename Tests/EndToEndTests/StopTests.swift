// How a gateway ends: sockets, signals, the admin listener and those who do not want to go.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("Stopping")
  struct Stops {
    /// Clients that stay are waited for as long as the test wants.
    private static let patient = [
      "--set", "limits.closeTimeoutMilliseconds=600000", "--set", "limits.drainTimeoutMilliseconds=3600000",
    ]

    @Test("a gateway that starts while another drains keeps its Unix-domain socket when that one ends")
    func overlappingRestart() throws {
      let directory = try GatewayProcess.temporaryDirectory()
      defer { try? FileManager.default.removeItem(at: directory) }
      let path = directory.appendingPathComponent("gateway.sock").path
      let old = try GatewayProcess(["--unix", path] + Self.patient)
      let client = try WebSocketClient(old)
      old.terminate()
      #expect(client.next() == .close(1001, "server stopping"))
      let new = try GatewayProcess(["--unix", path], standardAddress: false)
      #expect(FileManager.default.fileExists(atPath: path))
      try client.send(ClientFrame(ClientFrame.close, [0x03, 0xE9]))
      client.socket.close()
      expectCleanEnd(old.waitForEnd())
      let request = "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      #expect(try HTTPExchange.perform(request, on: Socket(unixPath: path)).status == 404)
      expectCleanEnd(new.stop())
      #expect(!FileManager.default.fileExists(atPath: path), "its own socket is removed")
    }

    @Test("the admin listener answers until the last client has gone, whichever reactor that is on", arguments: [0, 1])
    func adminToTheEnd(first: Int) throws {
      let gateway = try GatewayProcess(Self.patient, reactors: 2)
      let (one, two) = try clientPair(gateway, reactors: 2)
      gateway.terminate()
      for client in [one, two] { #expect(client.next() == .close(1001, "server stopping")) }
      // With both orders, one of the two runs leaves a client on the other reactor alone.
      let order = first == 0 ? [one, two] : [two, one]
      try order[0].send(ClientFrame(ClientFrame.close, [0x03, 0xE9]))
      order[0].socket.close()
      try expectMetrics(gateway) { $0.sum("connections") == 1 }
      for _ in 0..<20 {
        #expect(try HTTPExchange.get("/livez", port: gateway.adminPort).status == 200)
        let ready = try HTTPExchange.get("/readyz", port: gateway.adminPort)
        #expect(ready.status == 503 && ready.text == "stopping\n")
      }
      order[1].socket.close()
      expectCleanEnd(gateway.waitForEnd())
    }

    @Test("a second signal ends it at once", arguments: [15, 2] as [Int32])
    func secondSignal(number: Int32) throws {
      let gateway = try GatewayProcess(Self.patient)
      let client = try WebSocketClient(gateway)
      gateway.terminate()
      #expect(client.next() == .close(1001, "server stopping"))
      ThisProcess.signal(gateway.id, number)
      let end = gateway.waitForEnd()
      #expect(end.status == 128 + number, "\(end.log)")
      #expect(end.log.contains("stopped-at-once signal=\(number) connectionsLeft=1"), "\(end.log)")
    }

    @Test("SIGUSR1 and SIGUSR2 leave a line and nothing else")
    func ignoredSignals() throws {
      try withGateway { gateway throws in
        for number in [10, 12] as [Int32] {
          ThisProcess.signal(gateway.id, number)
          #expect(eventually { gateway.log.contains("signal-ignored signal=\(number)") })
        }
        #expect(gateway.isRunning)
        #expect(try HTTPExchange.get("/livez", port: gateway.adminPort).status == 200)
      }
    }

    @Test("clients that outstay the drain are cut off, counted in the last line, and see the end")
    func outstayed() throws {
      let gateway = try GatewayProcess(
        ["--set", "limits.closeTimeoutMilliseconds=600000", "--set", "limits.drainTimeoutMilliseconds=200"],
        reactors: 2)
      let clients = try (0..<3).map { try WebSocketClient(gateway, user: "user-\($0)") }
      let end = gateway.stop()
      expectCleanEnd(end)
      #expect(end.log.contains("stopped connectionsLeft=3"), "\(end.log)")
      for client in clients {
        #expect(client.next() == .close(1001, "server stopping"))
        #expect(client.next() == .end)
      }
    }

    @Test("connections of the admin listener are not counted as clients")
    func scrapes() throws {
      try withGateway(["--max-connections", "1"]) { gateway throws in
        let scrapers = try (0..<3).map { _ in try Socket(port: gateway.adminPort) }
        for scraper in scrapers {
          let answer = try HTTPExchange.perform("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", on: scraper)
          let metrics = Metrics(page: answer.text)
          #expect(metrics.sum("connections") == 0)
          #expect(metrics.sum("connections_accepted_total") == 0)
        }
        let client = try WebSocketClient(gateway)
        try expectMetrics(gateway) { $0.sum("connections") == 1 && $0.sum("connections_accepted_total") == 1 }
        client.socket.close()
        try expectMetrics(gateway) { $0.sum("connections") == 0 && $0.closes("http_done") == 0 }
      }
    }
  }
}
