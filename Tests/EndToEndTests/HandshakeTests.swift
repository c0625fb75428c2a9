// The handshake of the channels dialect: who gets in, and what the others are told (PROTOCOLS 2.1, G1, G2, G7, G14).

import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("Handshake")
  struct Handshake {
    /// The answer to an upgrade request.
    private func upgrade(
      _ gateway: GatewayProcess, _ target: String, host: String = "127.0.0.1", headers: [String] = []
    ) throws -> HTTPAnswer {
      let request = WebSocketClient.request(target, host: host, headers: headers)
      return try HTTPExchange.perform(request, on: Socket(port: gateway.port))
    }

    @Test("tokens decide between 101, 401 and 403", arguments: [1, 2])
    func tokens(reactors: Int) throws {
      let now = Tokens.now
      let good = Tokens.make(payload: #"{"userId":"usr_123"}"#)
      let parts = good.split(separator: ".").map(String.init)
      let none = Tokens.make(header: #"{"alg":"none"}"#, payload: #"{"userId":"usr_123"}"#)
      let unsigned = none.split(separator: ".").prefix(2).joined(separator: ".") + "."
      let flipped = String(parts[2].reversed())
      let rows: [(name: String, query: String, status: Int)] = [
        ("no query", "", 401),
        ("another parameter", "?tok=\(good)", 401),
        ("an empty token", "?token=", 401),
        ("a good token without expiry", "?token=\(good)", 101),
        ("the first of two tokens wins", "?token=\(good)&token=bad", 101),
        ("the first of two tokens is bad", "?token=bad&token=\(good)", 403),
        ("percent escapes", "?x=1&token=\(good.replacingOccurrences(of: ".", with: "%2E"))", 101),
        ("an expiry to come", "?token=" + Tokens.make(payload: #"{"userId":"u","exp":\#(now + 600)}"#), 101),
        ("an expiry gone by", "?token=" + Tokens.make(payload: #"{"userId":"u","exp":\#(now - 5)}"#), 403),
        ("not before a later time", "?token=" + Tokens.make(payload: #"{"userId":"u","nbf":\#(now + 600)}"#), 403),
        ("not before an earlier time", "?token=" + Tokens.make(payload: #"{"userId":"u","nbf":\#(now - 5)}"#), 101),
        ("sub in place of userId", "?token=" + Tokens.make(payload: #"{"sub":"u"}"#), 101),
        ("no identity", "?token=" + Tokens.make(payload: #"{"role":"admin"}"#), 403),
        ("an empty identity", "?token=" + Tokens.make(payload: #"{"userId":""}"#), 403),
        ("an identity that is no string", "?token=" + Tokens.make(payload: #"{"userId":7}"#), 403),
        (
          "another secret",
          "?token=" + Tokens.make(payload: #"{"userId":"u"}"#, secret: "another-secret-1234567890-123456"), 403
        ),
        ("an altered signature", "?token=\(parts[0]).\(parts[1]).\(flipped)", 403),
        ("alg none, signed", "?token=\(none)", 403),
        ("alg none, unsigned", "?token=\(unsigned)", 403),
        (
          "alg HS512", "?token=" + Tokens.make(header: #"{"alg":"HS512","typ":"JWT"}"#, payload: #"{"userId":"u"}"#),
          403
        ),
        ("a missing part", "?token=\(parts[0]).\(parts[1])", 403),
        ("bad base64", "?token=\(parts[0]).\(parts[1])!.\(parts[2])", 403),
        ("the sample test's literal token", "?token=test-token", 403),
      ]
      try withGateway(reactors: reactors) { gateway throws in
        for row in rows {
          let answer = try upgrade(gateway, "/channels" + row.query)
          #expect(answer.status == row.status, "\(row.name)")
          if row.status == 101 { continue }
          #expect(answer.headers["connection"] == "close", "\(row.name)")
          #expect(answer.headers["content-length"] != nil, "\(row.name)")
          #expect(!answer.text.contains("eyJ"), "\(row.name)")
        }
        let header = try upgrade(gateway, "/channels", headers: ["Authorization: Bearer \(good)"])
        #expect(header.status == 401, "an Authorization header is ignored")
      }
    }

    @Test("the socket of a refused client is closed")
    func refusedIsClosed() throws {
      try withGateway { gateway throws in
        let socket = try Socket(port: gateway.port)
        let answer = try HTTPExchange.perform(WebSocketClient.request("/channels"), on: socket)
        #expect(answer.status == 401)
        #expect(socket.receive() == .end)
      }
    }

    @Test("the welcome names the user, whatever the name holds", arguments: [1, 2])
    func welcome(reactors: Int) throws {
      try withGateway(reactors: reactors) { gateway throws in
        for claim in [#""usr_123""#, #""a \"quoted\" \\ na\u00efve \ud83d\ude00 name""#, #""\u0001""#] {
          let token = Tokens.make(payload: #"{"userId":\#(claim)}"#)
          let client = try WebSocketClient(on: Socket(port: gateway.port), target: "/channels?token=\(token)")
          try expectNext(
            client, #"{"type":"connected","message":"Welcome to Nexus WebSocket","userId":\#(claim)}"#)
        }
      }
    }

    @Test("the request may come in pieces of a byte, with frames right behind it")
    func pieces() throws {
      try withGateway { gateway throws in
        let socket = try Socket(port: gateway.port)
        let request = WebSocketClient.request("/channels?token=" + Tokens.channels(user: "a"))
        for byte in request.utf8 { try socket.send([byte]) }
        let answer = try HTTPExchange.readAnswer(on: socket)
        #expect(answer.status == 101)

        let eager = try Socket(port: gateway.port)
        let ping = ClientFrame(ClientFrame.text, [UInt8](#"{"action":"ping"}"#.utf8)).bytes
        try eager.send([UInt8](request.utf8) + ping)
        var bytes: [UInt8] = []
        while !String(decoding: bytes, as: UTF8.self).contains(#""type":"pong""#) {
          guard case .bytes(let more) = eager.receive() else { break }
          bytes += more
        }
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 101 "))
        #expect(text.contains(#""type":"connected""#))
        #expect(text.contains(#""type":"pong""#))
      }
    }

    @Test("a malformed upgrade gets 400, 405 or 426")
    func malformed() throws {
      let query = "/channels?token=" + Tokens.channels(user: "a")
      let good = WebSocketClient.request(query)
      let rows: [(name: String, from: String, to: String, status: Int)] = [
        ("as it should be", "", "", 101),
        (
          "names in other cases", "Upgrade: websocket\r\nConnection: Upgrade",
          "UPGRADE: WebSocket\r\nconnection: upgrade", 101
        ),
        ("a list in Connection", "Connection: Upgrade", "Connection: keep-alive, Upgrade", 101),
        ("no key", "Sec-WebSocket-Key: \(WebSocketClient.key)\r\n", "", 400),
        ("a short key", WebSocketClient.key, "c2hvcnQ=", 400),
        ("another version", "Version: 13", "Version: 8", 426),
        ("POST", "GET ", "POST ", 405),
        ("no Upgrade header", "Upgrade: websocket\r\n", "", 400),
        ("HTTP/1.0", "HTTP/1.1", "HTTP/1.0", 426),
      ]
      try withGateway { gateway throws in
        for row in rows {
          let request = row.from.isEmpty ? good : good.replacingOccurrences(of: row.from, with: row.to)
          let answer = try HTTPExchange.perform(request, on: Socket(port: gateway.port))
          #expect(answer.status == row.status, "\(row.name)")
          if row.status == 426 { #expect(answer.headers["sec-websocket-version"] == "13", "\(row.name)") }
          if row.status == 405 { #expect(answer.headers["allow"] == "GET") }
        }
        let plain = try HTTPExchange.get("/channels", port: gateway.port)
        #expect(plain.status == 426)
        #expect(plain.headers["upgrade"]?.lowercased() == "websocket")
      }
    }

    @Test("static tokens stand for users")
    func staticTokens() throws {
      try withGateway(["--set", #"channels.staticTokens={"test-token":"usr_123"}"#]) { gateway throws in
        let client = try WebSocketClient(on: Socket(port: gateway.port), target: "/channels?token=test-token")
        try expectNext(
          client, #"{"type":"connected","message":"Welcome to Nexus WebSocket","userId":"usr_123"}"#)
        let other = try upgrade(gateway, "/channels?token=test-token2")
        #expect(other.status == 403)
      }
    }

    @Test("an origin must be the request's own host or be listed")
    func origins() throws {
      let rows: [(origin: String, status: Int)] = [
        ("http://gateway.example:8080", 101),
        ("https://app.example.com", 101),
        ("https://chat.example.org", 101),
        ("https://example.org", 403),
        ("http://app.example.com", 403),
        ("https://app.example.com:8443", 403),
        ("https://app.example.com.evil", 403),
        ("https://evil-example.org", 403),
        ("http://localhost", 403),
        ("null", 403),
      ]
      let environment = ["CORS_ORIGIN": "https://app.example.com, *.example.org"]
      let query = "/channels?token=" + Tokens.channels(user: "a")
      try withGateway(environment: environment) { gateway throws in
        for row in rows {
          let answer = try upgrade(gateway, query, host: "gateway.example:8080", headers: ["Origin: \(row.origin)"])
          #expect(answer.status == row.status, "\(row.origin)")
        }
        let early = try upgrade(gateway, "/channels", headers: ["Origin: https://evil.example"])
        #expect(early.status == 403, "the origin is looked at before the token")
      }
    }
  }
}
