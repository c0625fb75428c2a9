// How long requests and connections may take, and what every answer says: with one reactor and with two.

import Foundation
import Gateway
import TestSupport
import Testing

@Suite("HTTP: times, expectations and repeated headers")
struct HTTPTimesTests {
  private static let pace = [
    ("limits.bodyTimeoutMilliseconds", "300"), ("limits.bodyBytesPerSecondMin", "4000"),
    ("limits.bodyTimeoutMillisecondsMax", "60000"), ("limits.handshakeTimeoutMilliseconds", "300"),
  ]

  /// Sends a body of `count` bytes in pieces, until it is through or the gateway answers; returns its answers and how
  /// much it took.
  private func trickle(
    _ gateway: ConformanceGateway, _ head: String, count: Int, piece: Int, pauseMilliseconds: UInt32
  ) throws -> (responses: [RawResponse], sent: Int, ending: Received) {
    let socket = try Socket(port: gateway.port)
    try socket.send([UInt8]((head + "Content-Length: \(count)\r\nConnection: close\r\n\r\n").utf8))
    var bytes: [UInt8] = []
    var sent = 0
    while sent < count {
      try? socket.send([UInt8](repeating: 0x20, count: min(piece, count - sent)))
      sent += min(piece, count - sent)
      switch socket.receive(patienceMilliseconds: Int(pauseMilliseconds)) {
      case .bytes(let more): bytes += more
      case .timedOut: continue
      case let ending: return (RawHTTP.responses(bytes) ?? [], sent, ending)
      }
      if RawHTTP.responses(bytes) != nil { break }
    }
    let (more, ending) = RawHTTP.readToEnd(socket)
    return (RawHTTP.responses(bytes + more) ?? [], sent, ending)
  }

  private static let login = "POST /user/login HTTP/1.1\r\nHost: a\r\n"

  @Test("a body that keeps its pace is taken long after its first time is over", arguments: reactorCounts)
  func steady(reactors: Int) throws {
    try withGateway(reactors: reactors, settings: Self.pace) { gateway throws in
      // 20 000 bytes in a second, five times what is asked for: even a machine that is busy manages the pace.
      let (responses, sent, ending) = try trickle(
        gateway, Self.login, count: 60_000, piece: 1_000, pauseMilliseconds: 20)
      // Blanks are no JSON; that they were read to the end is what counts.
      #expect(responses.map(\.status) == [422] && sent == 60_000 && ending == .end, "\(responses), \(sent)")
    }
  }

  @Test("a post of a polling session that keeps its pace is taken", arguments: reactorCounts)
  func steadyPost(reactors: Int) throws {
    try withGateway(reactors: reactors, settings: Self.pace) { gateway throws in
      for polling in Polling.allCases where polling == .kept || reactors > 1 {
        let session = try PollingSession(gateway, polling)
        let head = "POST \(session.target()) HTTP/1.1\r\nHost: a\r\n"
        let (responses, sent, _) = try trickle(gateway, head, count: 60_000, piece: 1_000, pauseMilliseconds: 20)
        // A payload of blanks is malformed, which is known at its end only.
        #expect(responses.map(\.status) == [400] && sent == 60_000, "\(responses), \(sent)")
      }
    }
  }

  @Test("a body that dribbles is answered 408, and the session of a post ends", arguments: reactorCounts)
  func slow(reactors: Int) throws {
    try withGateway(reactors: reactors, settings: Self.pace) { gateway throws in
      let (responses, sent, ending) = try trickle(gateway, Self.login, count: 60_000, piece: 1, pauseMilliseconds: 20)
      #expect(responses.map(\.status) == [408] && sent < 60_000 && ending == .end, "\(responses), \(sent)")
      let session = try PollingSession(gateway, .kept)
      let head = "POST \(session.target()) HTTP/1.1\r\nHost: a\r\nOrigin: http://127.0.0.1\r\n"
      let (posted, _, _) = try trickle(gateway, head, count: 60_000, piece: 1, pauseMilliseconds: 20)
      #expect(posted.map(\.status) == [408], "\(posted)")
      #expect(try session.request("POST", body: Array("3".utf8)).status == 400)
      let isCounted = try eventually { try gateway.metrics().closes("handshake_timeout") == 2 }
      #expect(isCounted)
    }
  }

  @Test("a body that is answered before it is read ends with the connection, without a second answer")
  func slowUnread() throws {
    try withGateway(settings: Self.pace) { gateway throws in
      let socket = try Socket(port: gateway.port)
      try socket.send([UInt8]("GET /channels HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\nx".utf8))
      let (bytes, ending) = RawHTTP.readToEnd(socket)
      #expect(RawHTTP.responses(bytes)?.map(\.status) == [426] && ending == .end)
    }
  }

  @Test("whatever its pace, a body has an end of its time", arguments: reactorCounts)
  func late(reactors: Int) throws {
    var settings = Self.pace
    settings[1].1 = "10"
    settings[2].1 = "1000"
    try withGateway(reactors: reactors, settings: settings) { gateway throws in
      let (responses, sent, _) = try trickle(gateway, Self.login, count: 60_000, piece: 100, pauseMilliseconds: 50)
      #expect(responses.map(\.status) == [408] && sent < 60_000, "\(responses), \(sent)")
    }
  }

  @Test(
    "a kept connection rests as long as it may, then ends in the orderly way and is no timeout",
    arguments: reactorCounts)
  func idle(reactors: Int) throws {
    let settings = [("limits.handshakeTimeoutMilliseconds", "200"), ("limits.keepAliveMilliseconds", "1500")]
    try withGateway(reactors: reactors, settings: settings) { gateway throws in
      let before = try gateway.metrics()
      let socket = try Socket(port: gateway.port)
      let request = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
      #expect(try HTTPExchange.perform(request, on: socket).status == 200)
      // Longer than a request may take, and an empty line does not begin one.
      try socket.send([13, 10])
      #expect(socket.receive(patienceMilliseconds: 700) == .timedOut)
      #expect(try HTTPExchange.perform(request, on: socket).status == 200)
      // The body that is read past is followed by rest, too.
      let unread = "GET /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      #expect(try HTTPExchange.perform(unread, on: socket).status == 404)
      #expect(socket.receive(patienceMilliseconds: 700) == .timedOut)
      #expect(try HTTPExchange.perform(request, on: socket).status == 200)
      #expect(socket.receive() == .end)
      let after = try gateway.metrics()
      #expect(after.closes("idle") == before.closes("idle") + 1)
      #expect(after.closes("handshake_timeout") == before.closes("handshake_timeout"))
    }
  }

  @Test("a further request has the time of any other from its first byte on", arguments: reactorCounts)
  func secondHead(reactors: Int) throws {
    let settings = [("limits.handshakeTimeoutMilliseconds", "300"), ("limits.keepAliveMilliseconds", "60000")]
    try withGateway(reactors: reactors, settings: settings) { gateway throws in
      let socket = try Socket(port: gateway.port)
      #expect(try HTTPExchange.perform("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", on: socket).status == 200)
      try socket.send([UInt8]("GET /hea".utf8))
      let (bytes, ending) = RawHTTP.readToEnd(socket)
      #expect(RawHTTP.responses(bytes)?.map(\.status) == [408] && ending == .end)
    }
  }

  @Test("an upgrade that expects it gets 100 before its 101", arguments: reactorCounts)
  func expectation(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      for target in ["/echo", "/socket.io/?EIO=4&transport=websocket"] {
        let socket = try Socket(port: gateway.port)
        try socket.send([UInt8](WebSocketClient.request(target, headers: ["Expect: 100-continue"]).utf8))
        var bytes: [UInt8] = []
        let isThere = eventually {
          if case .bytes(let more) = socket.receive(patienceMilliseconds: 100) { bytes += more }
          return RawHTTP.responses(bytes)?.count == 2
        }
        #expect(isThere)
        #expect(RawHTTP.responses(bytes)?.map(\.status) == [100, 101], "\(target)")
      }
    }
  }

  @Test("a body that is too long is refused before it is asked for", arguments: reactorCounts)
  func tooLong(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let session = try PollingSession(gateway, .kept)
      for target in ["/user/login", session.target()] {
        let socket = try Socket(port: gateway.port)
        let head = "POST \(target) HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
        try socket.send([UInt8](head.utf8))
        let (bytes, ending) = RawHTTP.readToEnd(socket)
        #expect(RawHTTP.responses(bytes)?.map(\.status) == [413] && ending == .end, "\(target)")
      }
    }
  }

  @Test("several Cookie lines are one, and so are the headers that a preflight asks for", arguments: reactorCounts)
  func repeated(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let acquired = try HTTPExchange.perform(
        "POST /api/auth/acquire-session HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        on: Socket(port: gateway.port))
      let token = try #require(JSON(acquired.text)?["data"]?["token"]?.text)
      let lines = ["Cookie: a=1", "Cookie: b=2; c=3", "Cookie: token=\(token)", "Cookie: d=4"].joined(separator: "\r\n")
      let shown = try HTTPExchange.perform(
        "GET /api/auth/session HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n", on: Socket(port: gateway.port))
      #expect(shown.status == 200, "\(shown.text)")
      for target in ["/api/auth/session", "/socket.io/?EIO=4&transport=polling"] {
        let asked =
          "Access-Control-Request-Method: GET\r\n"
          + ["x-a", "x-b, x-c"].map { name in
            "Access-Control-Request-Headers: \(name)\r\n"
          }.joined()
        let preflight = try HTTPExchange.perform(
          "OPTIONS \(target) HTTP/1.1\r\nHost: a\r\nOrigin: http://127.0.0.1\r\n\(asked)\r\n",
          on: Socket(port: gateway.port))
        #expect(preflight.headers["access-control-allow-headers"] == "x-a, x-b, x-c", "\(target): \(preflight.headers)")
      }
      for name in ["Host", "Authorization", "Content-Type", "Origin", "Content-Length", "Transfer-Encoding"] {
        let value = name == "Content-Length" ? "0" : name == "Transfer-Encoding" ? "chunked" : "a"
        let twice = "\(name): \(value)\r\n\(name): \(value)\r\n" + (name == "Host" ? "" : "Host: a\r\n")
        let refused = try HTTPExchange.perform("GET /health HTTP/1.1\r\n\(twice)\r\n", on: Socket(port: gateway.port))
        #expect(refused.status == 400, "\(name)")
      }
    }
  }
}
