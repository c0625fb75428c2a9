// Why clients were not let in and how they ended: told to the operator in log and metrics, never to the client.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("What the log says of clients")
  struct Denials {
    private struct Row {
      let target: String
      var headers: [String] = []
      let status: Int
      let cause: String
    }

    private func expectDenied(_ gateway: GatewayProcess, _ rows: [Row]) throws {
      var counts: [String: Int] = [:]
      for row in rows {
        let request = WebSocketClient.request(row.target, headers: row.headers)
        let answer = try HTTPExchange.perform(request, on: Socket(port: gateway.port))
        #expect(answer.status == row.status, "\(row)")
        #expect(!answer.text.contains(row.cause), "the client is not told: \(row)")
        counts[row.cause, default: 0] += 1
        #expect(
          eventually {
            gateway.logLines.contains {
              $0.contains(" refused reason=http_\(row.status)") && $0.contains(" cause=\(row.cause) ")
            }
          }, "\(row)\n\(gateway.log)")
      }
      try expectMetrics(gateway) { metrics in
        counts.allSatisfy { cause, count in
          Int(metrics.samples["denials_total{reactor=\"0\",reason=\"\(cause)\"}"] ?? 0) == count
        }
      }
    }

    @Test("each reason for a 401 or a 403 stands in the log and is counted")
    func tokens() throws {
      let now = Tokens.now
      func make(_ payload: String, header: String = #"{"alg":"HS256","typ":"JWT"}"#, secret: String = Tokens.secret)
        -> String
      { "?token=" + Tokens.make(header: header, payload: payload, secret: secret) }
      let user = #"{"userId":"u"}"#
      let good = make(user)
      let channels = [
        Row(target: "/channels", status: 401, cause: "token_missing"),
        Row(target: "/channels?token=a.b", status: 403, cause: "token_malformed"),
        Row(
          target: "/channels" + make(user, header: #"{"alg":"none"}"#), status: 403, cause: "unsupported_algorithm"),
        Row(
          target: "/channels" + make(user, header: #"{"alg":"HS256","crit":["x"]}"#), status: 403,
          cause: "unsupported_header"),
        Row(
          target: "/channels" + make(user, secret: "another-secret-1234567890-123456"), status: 403,
          cause: "bad_signature"),
        Row(target: "/channels" + make(#"{"userId":"u","exp":"x"}"#), status: 403, cause: "bad_claims"),
        Row(target: "/channels" + make(#"{"userId":"u","exp":\#(now - 5)}"#), status: 403, cause: "token_expired"),
        Row(
          target: "/channels" + make(#"{"userId":"u","nbf":\#(now + 600)}"#), status: 403,
          cause: "token_not_yet_valid"),
        Row(target: "/channels" + make(#"{"role":"admin"}"#), status: 403, cause: "no_user"),
        Row(target: "/channels" + good, headers: ["Origin: https://evil.example"], status: 403, cause: "origin"),
      ]
      try withGateway { gateway throws in try expectDenied(gateway, channels) }
      let others = [
        Row(target: "/sessions", status: 401, cause: "token_missing"),
        Row(target: "/sessions" + make(#"{"sub":"u"}"#), status: 401, cause: "expiry_missing"),
        Row(target: "/sessions" + make(#"{"exp":\#(now + 600)}"#), status: 401, cause: "no_user"),
        Row(
          target: "/sessions" + make(#"{"sub":"u","sid":"","exp":\#(now + 600)}"#), status: 401,
          cause: "bad_session"),
        Row(target: "/events?token=nobody", status: 401, cause: "unknown_session"),
      ]
      try withGateway { gateway throws in try expectDenied(gateway, others) }
    }

    @Test("a handlers client that is closed with 1008 leaves its reason in log and metrics")
    func handlers() throws {
      let expired = Tokens.make(payload: #"{"username":"u","exp":\#(Tokens.now - 5)}"#)
      try withGateway { gateway throws in
        for (header, cause) in [
          ([], "token_missing"), (["Sec-WebSocket-Protocol: chat, \(expired)"], "token_expired"),
        ] {
          let client = try WebSocketClient(
            on: Socket(port: gateway.port), target: "/handlers", headers: header)
          #expect(client.next() == .close(1008, "Unauthorized"))
          #expect(
            eventually {
              gateway.logLines.contains {
                $0.contains("connection-closed reason=unauthorized cause=\(cause) path=/handlers dialect=handlers")
              }
            }, "\(gateway.log)")
          try expectMetrics(gateway) { $0.samples["denials_total{reactor=\"0\",reason=\"\(cause)\"}"] == 1 }
        }
      }
    }

    @Test("a credential that a walkers client is let in without leaves its reason")
    func walkers() throws {
      let token = Tokens.make(payload: #"{"root_id":"0123456789abcdef01234567","expiration":\#(Tokens.now - 5)}"#)
      try withGateway { gateway throws in
        let client = try WebSocketClient(
          on: Socket(port: gateway.port), target: "/walkers", headers: ["Authorization: Bearer \(token)"])
        #expect(try client.nextText().contains("client_id"))
        #expect(eventually { gateway.log.contains("credential-ignored reason=token_expired") })
      }
    }

    @Test("a request that nobody answers leaves its path, short, escaped and without what may be a token")
    func paths() throws {
      let rows = [
        ("/nowhere?token=query-token", "path=/nowhere client="),
        ("/nowhere%3Ftoken=path-token", "path=\"/nowhere…\""), ("/a%0Ab", "path=/a%0Ab "),
        ("/" + String(repeating: "x", count: 600), String(repeating: "x", count: 255) + "…"),
      ]
      var log = ""
      let gateway = try GatewayProcess()
      for (target, expected) in rows {
        let answer = try HTTPExchange.perform(WebSocketClient.request(target), on: Socket(port: gateway.port))
        #expect(answer.status == 404)
        #expect(
          eventually { gateway.logLines.contains { $0.contains("reason=http_404") && $0.contains(expected) } },
          "\(target)")
      }
      let end = gateway.stop()
      expectCleanEnd(end)
      log = end.log
      #expect(!log.contains("query-token"))
      #expect(!log.contains("path-token"))
      #expect(!log.contains(String(repeating: "x", count: 256)))
    }

    @Test("every end of a WebSocket leaves its dialect, user, path and duration; a clean one at level debug")
    func closes() throws {
      try withGateway(["--log-level", "debug"]) { gateway throws in
        let client = try WebSocketClient(gateway, user: "alice")
        try client.send(ClientFrame(ClientFrame.close, [0x03, 0xE8]))
        _ = client.readToEnd()
        let other = try WebSocketClient(gateway, user: "bob")
        try other.socket.send([0xFF, 0xFF])
        _ = other.readToEnd()
        for (level, reason, user) in [("debug", "client", "alice"), ("info", "protocol_error", "bob")] {
          let expected = " \(level) connection-closed reason=\(reason) path=/channels dialect=channels user=\(user) "
          #expect(
            eventually {
              gateway.logLines.contains { line in
                line.contains(expected + "durationMilliseconds=") && line.contains("client=127.0.0.1")
              }
            }, "\(gateway.log)")
        }
      }
      try withGateway { gateway throws in
        let client = try WebSocketClient(gateway, user: "alice")
        try client.send(ClientFrame(ClientFrame.close, [0x03, 0xE8]))
        _ = client.readToEnd()
        try expectMetrics(gateway) { $0.closes("client") == 1 }
        #expect(!gateway.log.contains("connection-closed"), "not at level info")
      }
    }
  }
}
