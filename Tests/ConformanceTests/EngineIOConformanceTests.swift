// PROTOCOLS 3.5, the Engine.IO layer: handshakes, refusals, polling, heartbeat, against a real gateway.

import Foundation
import TestSupport
import Testing

@Suite("Conformance: Engine.IO")
struct EngineIOConformanceTests {
  // MARK: Handshakes

  @Test(
    "a polling handshake is answered with the open packet", arguments: ["/socket.io/", "/socket.io", "/ws", "/x/y"])
  func pollingHandshake(path: String) throws {
    try withGateway { gateway throws in
      let answer = try HTTPExchange.get("\(path)?EIO=4&transport=polling", port: gateway.port)
      #expect(answer.status == 200 && answer.headers["content-type"] == "text/plain; charset=UTF-8")
      #expect(answer.text.hasPrefix("0"))
      guard case .object(var members)? = JSON(String(answer.text.dropFirst())) else {
        Issue.record("\(answer.text)")
        return
      }
      let sid = members.removeValue(forKey: "sid")?.text ?? ""
      #expect(sid.wholeMatch(of: /[A-Za-z0-9_-]{20}/) != nil, "\(sid)")
      #expect(
        .object(members)
          == JSON(#"{"upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#))
    }
  }

  @Test(
    "on a WebSocket the open packet is the first frame, and no upgrade is offered", arguments: ["/socket.io/", "/ws"])
  func webSocketHandshake(path: String) throws {
    let settings = [
      ("events.pingIntervalMilliseconds", "7000"), ("events.pingTimeoutMilliseconds", "6000"),
      ("events.payloadBytesMax", "5000"),
    ]
    try withGateway(settings: settings) { gateway throws in
      let open = try gateway.connect("\(path)?EIO=4&transport=websocket").nextText()
      #expect(open.hasPrefix("0"))
      guard case .object(var members)? = JSON(String(open.dropFirst())) else {
        Issue.record("\(open)")
        return
      }
      #expect(members.removeValue(forKey: "sid")?.text?.utf8.count == 20)
      #expect(
        .object(members) == JSON(#"{"upgrades":[],"pingInterval":7000,"pingTimeout":6000,"maxPayload":5000}"#))
    }
  }

  private static let messages = [
    0: "Transport unknown", 1: "Session ID unknown", 2: "Bad handshake method", 3: "Bad request", 4: "Forbidden",
    5: "Unsupported protocol version",
  ]

  @Test(
    "a plain request that does not fit is refused with a code",
    arguments: [
      ("GET", "EIO=4", 0), ("GET", "EIO=4&transport=", 0), ("GET", "EIO=4&transport=webtransport", 0),
      ("POST", "EIO=4&transport=x&sid=x", 0), ("GET", "EIO=4&transport=polling&sid=x", 1),
      ("GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", 1),
      ("POST", "EIO=4&transport=polling&sid=________________====", 1),
      ("GET", "EIO=4&transport=polling&sid=____________________", 1),
      ("PUT", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAA", 1),
      ("GET", "EIO=4&transport=websocket&sid=AQAAAAAAAAAAAAAAAAAA", 1), ("POST", "EIO=4&transport=polling", 2),
      ("PUT", "EIO=4&transport=polling", 2), ("DELETE", "EIO=4&transport=polling", 2),
      ("POST", "transport=websocket", 2), ("GET", "EIO=4&transport=websocket", 3),
      ("GET", "transport=polling", 5), ("GET", "EIO=3&transport=polling", 5), ("GET", "EIO=&transport=polling", 5),
    ])
  func refusal(method: String, query: String, code: Int) throws {
    try withGateway { gateway throws in
      let request = "\(method) /socket.io/?\(query) HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
      let answer = try HTTPExchange.perform(request, on: Socket(port: gateway.port))
      #expect(answer.status == 400 && answer.headers["content-type"] == "application/json")
      #expect(
        JSON(answer.text) == JSON(#"{"code":\#(code),"message":"\#(Self.messages[code] ?? "")"}"#), "\(answer.text)")
    }
  }

  @Test(
    "an upgrade that does not fit is refused with the sentence",
    arguments: [
      ("EIO=4", 0), ("EIO=4&transport=x", 0), ("EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA", 1),
      ("EIO=4&transport=polling", 3), ("EIO=3&transport=websocket", 5), ("transport=websocket", 5),
    ])
  func refusedUpgrade(query: String, code: Int) throws {
    try withGateway { gateway throws in
      let answer = try gateway.upgrade("/socket.io/?" + query)
      #expect(answer.status == 400)
      #expect(answer.text == Self.messages[code], "\(answer.text)")
    }
  }

  @Test(
    "a session's own id with the wrong transport or method is a bad request, and the session lives on",
    arguments: Polling.allCases)
  func mismatch(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try PollingSession(gateway, polling)
      let bad = JSON(#"{"code":3,"message":"Bad request"}"#)
      for method in ["PUT", "DELETE", "PATCH"] {
        let answer = try session.request(method, body: [])
        #expect(answer.status == 400 && JSON(answer.text) == bad, "\(method): \(answer.text)")
      }
      let plain = try session.aside("GET", session.target("websocket"))
      #expect(plain.status == 400 && JSON(plain.text) == bad, "\(plain.text)")
      let upgrade = try HTTPExchange.perform(
        WebSocketClient.request(session.target("polling")), on: session.connection())
      #expect(upgrade.status == 400 && upgrade.text == "Bad request", "\(upgrade.text)")
      try session.post("40{}")
      #expect(try session.poll() == [#"44{"message":"Authentication token required"}"#])
    }
  }

  @Test("requests of other sites' pages are refused with code 4")
  func forbidden() throws {
    try withGateway { gateway throws in
      let headers = ["Origin: https://evil.example"]
      let plain = try HTTPExchange.get("/socket.io/?EIO=4&transport=polling", port: gateway.port, headers: headers)
      #expect(plain.status == 403 && JSON(plain.text) == JSON(#"{"code":4,"message":"Forbidden"}"#), "\(plain.text)")
      #expect(plain.headers["access-control-allow-origin"] == nil)
      let upgrade = try gateway.upgrade("/socket.io/?EIO=4&transport=websocket", headers: headers)
      #expect(upgrade.status == 403)
    }
  }

  // MARK: Pages of other origins

  @Test("every answer of a session tells a page of an allowed origin that it may read it", arguments: Polling.allCases)
  func crossOrigin(polling: Polling) throws {
    try withPolling(polling, settings: [("corsOrigins", "https://app.example")]) { gateway throws in
      let headers = ["Origin: https://app.example"]
      func expectAllowed(_ answer: TestSupport.HTTPAnswer, _ comment: Comment) {
        #expect(answer.headers["access-control-allow-origin"] == "https://app.example", comment)
        #expect(answer.headers["access-control-allow-credentials"] == "true", comment)
        #expect(answer.headers["vary"] == "Origin", comment)
      }
      let first = try HTTPExchange.get("/socket.io/?EIO=4&transport=polling", port: gateway.port, headers: headers)
      expectAllowed(first, "handshake")
      let session = try PollingSession(gateway, polling)
      let poll = try session.begin("GET", headers: headers)
      let post = try session.request("POST", body: [UInt8]("40{}".utf8), headers: headers)
      expectAllowed(post, "post")
      expectAllowed(try HTTPExchange.readAnswer(on: poll), "poll")
      let last = try session.begin("GET", headers: headers)
      // The poll has to be there before the end.
      ThisProcess.pause(milliseconds: 100)
      try session.post("1")
      let end = try HTTPExchange.readAnswer(on: last)
      #expect(end.text == "6")
      expectAllowed(end, "the last poll")
      let refused = try session.request("GET", headers: headers)
      #expect(refused.status == 400)
      expectAllowed(refused, "refusal")
    }
  }

  @Test("a preflight is answered with 204 and what it asked for")
  func preflight() throws {
    try withGateway { gateway throws in
      let request = """
        OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r
        Host: 127.0.0.1\r
        Origin: http://localhost:3000\r
        Access-Control-Request-Method: POST\r
        Access-Control-Request-Headers: content-type, x-own\r
        \r

        """
      let answer = try HTTPExchange.perform(request, on: Socket(port: gateway.port))
      #expect(answer.status == 204 && answer.body.isEmpty)
      #expect(answer.headers["access-control-allow-origin"] == "http://localhost:3000")
      #expect(answer.headers["access-control-allow-methods"] == "GET, POST, OPTIONS")
      #expect(answer.headers["access-control-allow-headers"] == "content-type, x-own")
    }
  }

  // MARK: Packets

  @Test(
    "a packet that clients may not send ends the session",
    arguments: ["2", "2probe", "7", "x", "", "48", "4{}", "b!!", "bAAAA"])
  func badPacket(packet: String) throws {
    for polling in Polling.allCases {
      try withPolling(polling) { gateway throws in
        let session = try PollingSession(gateway, polling)
        let isUnknown = ["7", "x", ""].contains(packet)
        let status = try session.postAnything([packet])
        #expect(status == (isUnknown ? 400 : 200))
        // What Socket.IO refuses is told by the next poll.
        if ["48", "4{}", "bAAAA"].contains(packet) { #expect(try session.poll() == ["6", "1"], "\(packet)") }
        try session.expectOver("\(packet)")
      }
    }
    try withGateway { gateway throws in
      let client = try gateway.connect("/socket.io/?EIO=4&transport=websocket")
      _ = try client.nextText()
      try client.send(packet)
      #expect(client.next() == .close(1000, ""))
    }
  }

  @Test("1 ends the session, and a waiting poll is released with 6", arguments: Polling.allCases)
  func close(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try PollingSession(gateway, polling)
      let poll = try session.begin("GET")
      ThisProcess.pause(milliseconds: 100)
      try session.post("1")
      #expect(try HTTPExchange.readAnswer(on: poll).text == "6")
      try session.expectOver()
    }
    try withGateway { gateway throws in
      let client = try gateway.connect("/socket.io/?EIO=4&transport=websocket")
      _ = try client.nextText()
      try client.send("1")
      #expect(client.next() == .end)
    }
  }

  @Test("a session that has joined no namespace in time ends", arguments: Polling.allCases)
  func joinTimeout(polling: Polling) throws {
    try withPolling(polling, settings: [("events.joinTimeoutMilliseconds", "300")]) { gateway throws in
      let session = try PollingSession(gateway, polling)
      // A refused one has not joined.
      try session.post("40{}")
      #expect(try session.poll().first?.hasPrefix("44") == true)
      #expect(try session.poll() == ["1"])
      try session.expectOver()
      let client = try gateway.connect("/socket.io/?EIO=4&transport=websocket")
      _ = try client.nextText()
      #expect(client.next() == .close(1000, ""))
      let joined = try SocketIOTestClient(gateway, .webSocket)
      try joined.join(gateway.acquireSession())
      ThisProcess.pause(milliseconds: 500)
      try joined.expectOnlyPong()
    }
  }
}
