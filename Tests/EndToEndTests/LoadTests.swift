// A gateway under load: stopping with clients, limits of connections and descriptors, thousands of resets.

import Foundation
import TestSupport
import Testing

extension EndToEndLoad {
  @Suite("Stopping")
  struct Stopping {
    @Test("SIGTERM tells 200 publishing clients 1001, and the process ends with 0", arguments: [1, 2])
    func drain(reactors: Int) throws {
      let gateway = try GatewayProcess(reactors: reactors)
      let clients = try (0..<200).map { try WebSocketClient(gateway, user: "user-\($0)") }
      for client in clients { try client.send(#"{"action":"subscribe","channel":"all"}"#) }
      let admin = try Socket(port: gateway.adminPort)
      #expect(try HTTPExchange.perform("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", on: admin).status == 200)
      for client in clients { for number in 0..<3 { try client.publish("all", "\(number)") } }
      gateway.terminate()
      // Published on until the other side says that it is over.
      for client in clients { try? client.publish("all", "9") }
      #expect(eventually { gateway.log.contains(" stopping ") })
      // The clients have not closed yet, so the gateway is still there.
      let status = try? HTTPExchange.get("/readyz", port: gateway.adminPort).status
      // The listeners are no longer looked at but still open: this waits until the process ends.
      #expect(status == 503)
      #expect(throws: (any Error).self) { _ = try WebSocketClient(gateway) }
      for client in clients {
        let endings = client.readToEnd().filter { if case .text = $0 { false } else { true } }
        #expect(endings.first == .close(1001, "server stopping"), "\(endings)")
        client.socket.close()
      }
      expectCleanEnd(gateway.waitForEnd())
    }

    @Test("a gateway without clients ends at once, also by SIGINT")
    func idle() throws {
      let gateway = try GatewayProcess(reactors: 2)
      ThisProcess.signal(gateway.id, 2)
      expectCleanEnd(gateway.waitForEnd())
    }

    @Test("clients that never close do not keep it from ending")
    func stubborn() throws {
      let gateway = try GatewayProcess(["--set", "limits.drainTimeoutMilliseconds=500"], reactors: 2)
      let clients = try (0..<10).map { _ in try WebSocketClient(gateway) }
      let silent = try Socket(port: gateway.port)
      expectCleanEnd(gateway.stop())
      for client in clients { #expect(client.next() == .close(1001, "server stopping")) }
      silent.close()
    }
  }

  @Suite("Waiting")
  struct Waiting {
    private static let telemetry = ["--set", "channels.telemetryIntervalMilliseconds=100"]

    @Test("a gateway with idle clients and telemetry sleeps", arguments: [1, 2])
    func idle(reactors: Int) throws {
      try withGateway(Self.telemetry, reactors: reactors) { gateway throws in
        let client = try WebSocketClient(gateway)
        #expect(ticksInASecond(gateway) < 10)
        try expectSilence(client)
      }
    }

    @Test("a stopping gateway that waits for its clients sleeps", arguments: [1, 2])
    func stopping(reactors: Int) throws {
      let gateway = try GatewayProcess(Self.telemetry, reactors: reactors)
      // A reactor without clients would be done.
      let clients = try clientPair(gateway, reactors: reactors)
      gateway.terminate()
      for client in [clients.0, clients.1] { #expect(client.next() == .close(1001, "server stopping")) }
      #expect(ticksInASecond(gateway) < 10)
      for client in [clients.0, clients.1] { client.socket.close() }
      expectCleanEnd(gateway.waitForEnd())
    }

    /// Clock ticks of 10 ms. One loop that spins takes 100, or its share of a busy machine; one that sleeps one or two.
    private func ticksInASecond(_ gateway: GatewayProcess) -> Int {
      // What is left over from before.
      ThisProcess.pause(milliseconds: 200)
      let before = gateway.processorTicks
      ThisProcess.pause(milliseconds: 1_000)
      return gateway.processorTicks - before
    }
  }

  @Suite("Limits of the process")
  struct ProcessLimits {
    @Test("over the connection limit requests get 503 with Retry-After, and the others go on", arguments: [1, 2])
    func connectionLimit(reactors: Int) throws {
      try withGateway(["--max-connections", "50"], reactors: reactors) { gateway throws in
        var clients = try (0..<50).map { _ in try WebSocketClient(gateway) }
        let request = WebSocketClient.request("/channels?token=" + Tokens.channels(user: "late"))
        for _ in 0..<5 {
          let answer = try HTTPExchange.perform(request, on: Socket(port: gateway.port))
          #expect(answer.status == 503)
          #expect((Int(answer.headers["retry-after"] ?? "") ?? 0) > 0)
        }
        #expect(try HTTPExchange.get("/livez", port: gateway.adminPort).status == 200, "the limit is not for the admin")
        for client in clients { try client.subscribe("all") }
        try clients[0].publish("all", "1")
        for client in clients { #expect(rawData(of: try client.nextText()) == "1") }
        clients.removeLast().socket.close()
        var late: WebSocketClient?
        let isIn = eventually {
          late = try? WebSocketClient(gateway, user: "late")
          return late != nil
        }
        #expect(isIn)
        try late?.subscribe("all")
        try clients[0].publish("all", "2")
        if let late { #expect(rawData(of: try late.nextText()) == "2") }
        try expectMetrics(gateway) { $0.sum("connections_refused_total") >= 5 }
      }
    }

    @Test("out of descriptors it does not spin, and those who are in are served", arguments: [1, 2])
    func descriptors(reactors: Int) throws {
      let arguments = ["--max-connections", "100000", "--set", "limits.handshakeTimeoutMilliseconds=600000"]
      try withGateway(arguments, reactors: reactors, descriptors: 256) { gateway throws in
        let clients = try clientsOnEveryReactor(gateway, reactors: reactors, atLeast: 10)
        for client in clients { try client.subscribe("all") }
        var silent: [Socket] = []
        for _ in 0..<400 { if let socket = try? Socket(port: gateway.port) { silent.append(socket) } }
        let before = gateway.processorTicks
        for round in 0..<20 {
          try clients[round % clients.count].publish("all", "\(round)")
          for client in clients { #expect(rawData(of: try client.nextText()) == "\(round)") }
          ThisProcess.pause(milliseconds: 100)
        }
        let spent = gateway.processorTicks - before
        print("Out of descriptors, \(reactors) reactors: \(spent * 10) ms of processor time in 2 s")
        // A loop that spins would have spent 200 ticks for each reactor, or its share of a busy machine.
        #expect(spent < 40)
        for socket in silent { socket.close() }
        let isIn = eventually { (try? WebSocketClient(gateway, user: "late")) != nil }
        #expect(isIn)
      }
    }
  }

  @Suite("Storms")
  struct Storms {
    private static let clientCount = 5_000

    @Test("5 000 clients reset at once leave nothing behind, and others notice nothing")
    func resets() throws {
      let allowed = ThisProcess.raiseFileLimit()
      try withGateway(reactors: 2) { gateway throws in
        let publisher = try WebSocketClient(gateway, user: "publisher")
        let bystander = try WebSocketClient(gateway, user: "bystander")
        try bystander.subscribe("news")
        // Half of what is allowed stays free for the other tests.
        let count = min(Self.clientCount, allowed / 2)
        var clients: [WebSocketClient] = []
        for number in 0..<count {
          let client = try WebSocketClient(gateway, user: "user-\(number % 100)")
          try client.send(#"{"action":"subscribe","channel":"room-\#(number % 500)"}"#)
          clients.append(client)
        }
        try expectMetrics(gateway) { $0.sum("websockets") == count + 2 && $0.sum("subscriptions") == count + 1 }
        var sent = 0
        for (number, client) in clients.enumerated() {
          client.socket.reset()
          if number % 50 != 0 { continue }
          try publisher.publish("news", "\(sent)")
          try publisher.publish("room-\(number % 500)", "\(sent)")
          sent += 1
        }
        for number in 0..<sent { #expect(rawData(of: try bystander.nextText()) == "\(number)") }
        try expectMetrics(gateway) {
          $0.sum("websockets") == 2 && $0.sum("subscriptions") == 1 && $0.sum("topics") == 1
        }
        let metrics = try Metrics(of: gateway)
        for reactor in 0..<2 {
          let lag = metrics.samples["event_loop_lag_max_seconds{reactor=\"\(reactor)\"}"] ?? 0
          print("\(count) resets: longest turn of reactor \(reactor): \(lag * 1_000) ms")
        }
        try expectSilence(bystander)
      }
    }
  }
}
