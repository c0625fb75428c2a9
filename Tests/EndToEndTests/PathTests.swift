// Which paths and listeners answer what, and with which settings a gateway does not start (PROTOCOLS 6.3).

import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("Paths, listeners and starting")
  struct Paths {
    private func status(_ gateway: GatewayProcess, _ target: String, headers: [String] = []) throws -> Int {
      let request = WebSocketClient.request(target, headers: headers)
      return try HTTPExchange.perform(request, on: Socket(port: gateway.port)).status
    }

    @Test("the one-port profile answers on the canonical paths", arguments: [1, 2])
    func onePort(reactors: Int) throws {
      let query = "?token=" + Tokens.channels(user: "a")
      try withGateway(reactors: reactors) { gateway throws in
        for path in ["/channels", "/channels/ws", "/"] {
          #expect(try status(gateway, path + query) == 101, "\(path)")
          #expect(try status(gateway, path) == 401, "\(path)")
        }
        for path in ["/channels", "/channels/ws"] {
          #expect(try HTTPExchange.get(path, port: gateway.port).status == 426, "\(path)")
        }
        for path in ["/channels/", "/channel", "/Channels", "/channels/ws/", "/nothing", "/metrics", "/livez"] {
          #expect(try status(gateway, path + query) == 404, "\(path)")
          #expect(try HTTPExchange.get(path, port: gateway.port).status == 404, "\(path)")
        }
      }
    }

    @Test("each dialect answers at its paths, in its own way, a client that it does not know")
    func dialects() throws {
      let query = "?token=" + Tokens.channels(user: "a")
      let rows = [
        ("/handlers", 101), ("/handlers/ws", 101), ("/sessions", 401), ("/sessions/ws", 401), ("/ws", 401),
        ("/events", 401), ("/events/ws", 401), ("/walkers", 101), ("/walkers/ws", 101), ("/websocket", 101),
      ]
      try withGateway { gateway throws in
        for (path, expected) in rows { #expect(try status(gateway, path + query) == expected, "\(path)") }
        #expect(try status(gateway, "/", headers: ["Sec-WebSocket-Protocol: abc"]) == 101)
      }
    }

    @Test("/ws can be given to the channels dialect")
    func contestedPath() throws {
      let query = "?token=" + Tokens.channels(user: "a")
      try withGateway(["--set", "wsOwner=channels", "--set", "rootOwner=channels"]) { gateway throws in
        #expect(try status(gateway, "/ws" + query) == 101)
        #expect(try status(gateway, "/" + query, headers: ["Sec-WebSocket-Protocol: abc"]) == 101)
      }
    }

    @Test("a mount on * answers any path, and a prefix what is below it")
    func customMounts() throws {
      let query = "?token=" + Tokens.channels(user: "a")
      let any = #"[{host:"127.0.0.1",port:0,mounts:[{path:"*",dialect:"channels"}]}]"#
      try withGateway(["--set", "listeners=\(any)"], standardAddress: false) { gateway throws in
        for path in ["/", "/ws", "/any/path/at/all"] { #expect(try status(gateway, path + query) == 101, "\(path)") }
      }
      let prefix = #"[{host:"127.0.0.1",port:0,mounts:[{path:"/chat/*",dialect:"channels"}]}]"#
      try withGateway(["--set", "listeners=\(prefix)"], standardAddress: false) { gateway throws in
        #expect(try status(gateway, "/chat/room" + query) == 101)
        #expect(try status(gateway, "/chat" + query) == 404)
        #expect(try status(gateway, "/" + query) == 404)
      }
    }

    @Test("a Unix-domain listener serves, and its file goes with it", arguments: [1, 2])
    func unixListener(reactors: Int) throws {
      let directory = try GatewayProcess.temporaryDirectory()
      defer { try? FileManager.default.removeItem(at: directory) }
      let path = directory.appendingPathComponent("gateway.sock").path
      try withGateway(["--unix", path], reactors: reactors, standardAddress: false) { gateway throws in
        var clients: [WebSocketClient] = []
        for _ in 0..<8 {
          let client = try WebSocketClient(
            on: Socket(unixPath: path), target: "/channels?token=" + Tokens.channels(user: "alice"))
          #expect(try client.nextText().contains("connected"))
          try client.subscribe("news")
          clients.append(client)
        }
        try clients[0].publish("news", "1")
        for client in clients {
          try expectNextStamped(client, #"{"type":"message","channel":"news","from":"alice","data":1}"#)
        }
      }
      #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test("the admin listener tells life, readiness and metrics, and nothing else", arguments: [1, 2])
    func admin(reactors: Int) throws {
      try withGateway(reactors: reactors) { gateway throws in
        let rows = [("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/", 404), ("/channels", 404)]
        for (path, status) in rows {
          #expect(try HTTPExchange.get(path, port: gateway.adminPort).status == status, "\(path)")
        }
        let post = "POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        #expect(try HTTPExchange.perform(post, on: Socket(port: gateway.adminPort)).status == 405)

        let client = try WebSocketClient(gateway)
        try client.subscribe("news")
        try expectMetrics(gateway) {
          $0.sum("websockets") == 1 && $0.sum("subscriptions") == 1 && $0.sum("messages_received_total") == 1
        }
        let page = try HTTPExchange.get("/metrics", port: gateway.adminPort)
        #expect(page.headers["content-type"]?.hasPrefix("text/plain") == true)
        for reactor in 0..<reactors { #expect(page.text.contains(#"martlet_connections{reactor="\#(reactor)"} "#)) }
        client.socket.close()
        try expectMetrics(gateway) { $0.sum("websockets") == 0 && $0.sum("subscriptions") == 0 }
      }
    }

    @Test("one admin connection serves several requests")
    func adminKeepAlive() throws {
      try withGateway { gateway throws in
        let socket = try Socket(port: gateway.adminPort)
        for _ in 0..<3 {
          let answer = try HTTPExchange.perform("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", on: socket)
          #expect(answer.status == 200)
        }
      }
    }

    @Test("a gateway does not start with mounts that could both answer a request")
    func ambiguousMounts() throws {
      let listeners =
        #"[{host:"127.0.0.1",port:0,mounts:[{path:"/a/*",dialect:"channels"},{path:"/a/b",dialect:"echo"}]}]"#
      let end = try GatewayProcess.run(["serve", "--no-admin", "--set", "listeners=\(listeners)"])
      #expect(end.status == 1)
      #expect(end.log.contains("/a/b"), "\(end.log)")
    }

    @Test(
      "a gateway does not start with a weak secret, and does not show it",
      arguments: ["too-short-98431", "your-secret-key", "your-very-long-secret-key-change-me-please"])
    func weakSecret(secret: String) throws {
      let end = try GatewayProcess.run(
        ["serve", "--host", "127.0.0.1", "--port", "0", "--no-admin"], environment: ["NEXUS_JWT_SECRET": secret])
      #expect(end.status == 1)
      #expect(end.log.contains("NEXUS_JWT_SECRET"), "\(end.log)")
      #expect(!end.log.contains(secret))
    }
  }
}
