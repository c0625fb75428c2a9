// Behind a proxy that keeps its connections each request is its own client's: limits, counts, sessions and the log, with
// one reactor and with two.

import EventLoop
import Gateway
import TestSupport
import Testing

@Suite("HTTP: clients behind a proxy")
struct ForwardedClientTests {
  private static func settings(_ more: [(String, String)]) -> [(String, String)] {
    [("exemptsLocalAddresses", "false"), ("trustedProxies", "127.0.0.0/8")] + more
  }

  /// One kept connection of a proxy.
  private struct Carrier {
    let socket: Socket

    init(_ gateway: ConformanceGateway) throws { socket = try Socket(port: gateway.port) }

    func begin(
      _ client: String?, _ method: String = "GET", _ target: String, headers: [String] = [], body: String = ""
    ) throws {
      var lines = ["\(method) \(target) HTTP/1.1", "Host: a", "Content-Type: application/json"] + headers
      if let client { lines.append("X-Forwarded-For: \(client)") }
      if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
      try socket.send([UInt8]((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8))
    }

    func ask(
      _ client: String?, _ method: String = "GET", _ target: String, headers: [String] = [], body: String = ""
    ) throws -> TestSupport.HTTPAnswer {
      try begin(client, method, target, headers: headers, body: body)
      return try HTTPExchange.readAnswer(on: socket)
    }

    func login(_ client: String?) throws -> Int {
      try ask(client, "POST", "/user/login", body: #"{"email":"a@example.com","password":"wrong"}"#).status
    }

    func upgrade(_ client: String?) throws -> Int {
      let headers = [
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: \(WebSocketClient.key)",
      ]
      return try ask(client, "GET", "/echo", headers: headers).status
    }
  }

  @Test("attempts to log in count for the client of the request", arguments: reactorCounts)
  func logins(reactors: Int) throws {
    try withGateway(
      reactors: reactors, settings: Self.settings([("limits.loginAttemptsPerAddressPerMinuteMax", "3")])
    ) { gateway throws in
      let carrier = try Carrier(gateway)
      for client in 1...8 { #expect(try carrier.login("203.0.113.\(client)") == 400, "\(client)") }
      // A guesser is limited wherever its requests come along.
      var statuses: [Int] = []
      for first in 1...6 {
        let other = try Carrier(gateway)
        _ = try other.ask("198.51.100.\(first)", "GET", "/health")
        statuses.append(try other.login("192.0.2.7"))
      }
      #expect(statuses == [400, 400, 400, 429, 429, 429])
      #expect(try Carrier(gateway).login("198.51.100.1") == 400)
      // Without the header a request is the proxy's own, not the former client's.
      let mixed = try Carrier(gateway)
      for _ in 0..<3 { #expect(try mixed.login("192.0.2.9") == 400) }
      #expect(try mixed.login(nil) == 400)
    }
  }

  @Test("several lines are one list, and the right-most hop that is no proxy is the client", arguments: reactorCounts)
  func lines(reactors: Int) throws {
    try withGateway(
      reactors: reactors, settings: Self.settings([("limits.loginAttemptsPerAddressPerMinuteMax", "1")])
    ) { gateway throws in
      let carrier = try Carrier(gateway)
      func login(_ lines: String...) throws -> Int {
        try carrier.ask(
          nil, "POST", "/user/login", headers: lines.map { "X-Forwarded-For: \($0)" },
          body: #"{"email":"a@example.com","password":"wrong"}"#
        ).status
      }
      // The last line is a proxy's, the client stands in the one before.
      for client in 1...4 { #expect(try login("203.0.113.\(client)", "127.0.0.9") == 400, "\(client)") }
      for client in 11...14 { #expect(try login("192.0.2.66, 203.0.113.\(client)", "", "127.0.0.8, 127.0.0.9") == 400) }
      // What the client itself claims, further left, does not help it.
      #expect(try login("198.51.100.1", "203.0.113.40", "127.0.0.9") == 400)
      #expect(try login("198.51.100.2", "203.0.113.40", "127.0.0.9") == 429)
    }
  }

  /// How a request on a proxy's connection can end.
  enum Ending: String, CaseIterable, Sendable {
    case answered, refused, notFound, answeredTwice, otherClientNext, proxyNext
    case pollAnswered, pollLeft, pollReset, handedOver, posted
    case callAnswered, callLeft, callReset
    case upgraded, upgradedReset, upgradeRefused
    case headUnfinished, bodyUnfinished
  }

  private static let client = "203.0.113.5"

  @Test(
    "a connection is counted for its client from a request to its answer, and never twice or too long",
    arguments: Ending.allCases, reactorCounts)
  func balance(ending: Ending, reactors: Int) throws {
    var extensions = Extensions()
    let walker = Walker("waits", requiresAuthentication: false, methods: [.post]) { _ in
      try await Task.sleep(for: .seconds(60))
    }
    let quick = Walker("quick", requiresAuthentication: false, methods: [.post]) { call in call.reply(Array("1".utf8)) }
    extensions.walkers = [walker.name: walker, quick.name: quick]
    let settings = Self.settings([("limits.connectionsPerAddressMax", "4")])
    try withGateway(reactors: reactors, settings: settings, extensions: extensions) { gateway throws in
      let held = try Carrier(gateway)
      #expect(try held.upgrade(Self.client) == 101)
      // More often than there are places.
      var kept: [Carrier] = []
      for _ in 0..<6 { kept += try perform(ending, gateway) }
      // Three places are left, not more and not fewer.
      var open: [Carrier] = []
      let isBack = try eventually {
        let carrier = try Carrier(gateway)
        if try carrier.upgrade(Self.client) == 101 { open.append(carrier) }
        return open.count == 3
      }
      #expect(isBack, "\(open.count) places came back")
      #expect(try Carrier(gateway).upgrade(Self.client) == 429)
      #expect(try Carrier(gateway).upgrade("203.0.113.6") == 101)
    }
  }

  /// One request of the client, to this end; returns connections that are to stay open.
  private func perform(_ ending: Ending, _ gateway: ConformanceGateway) throws -> [Carrier] {
    let carrier = try Carrier(gateway)
    let client = Self.client
    switch ending {
    case .answered: #expect(try carrier.ask(client, "GET", "/health").status == 200)
    case .refused: #expect(try carrier.ask(client, "BREW", "/health").status == 501)
    case .notFound: #expect(try carrier.ask(client, "GET", "/nowhere").status == 404)
    case .answeredTwice:
      for _ in 0..<5 { #expect(try carrier.ask(client, "GET", "/health").status == 200) }
    case .otherClientNext:
      for other in [client, "203.0.113.9", client, "203.0.113.9"] {
        #expect(try carrier.ask(other, "GET", "/health").status == 200)
      }
    case .proxyNext:
      #expect(try carrier.ask(client, "GET", "/health").status == 200)
      #expect(try carrier.ask(nil, "GET", "/health").status == 200)
    case .pollAnswered, .pollLeft, .pollReset, .handedOver, .posted: return try poll(ending, gateway, carrier)
    case .callAnswered: #expect(try carrier.ask(client, "POST", "/walker/quick", body: "{}").status == 200)
    case .callLeft, .callReset:
      try carrier.begin(client, "POST", "/walker/waits", body: "{}")
      #expect(try eventually { try gateway.metrics().sum("connections") >= 2 })
      if ending == .callReset { carrier.socket.reset() } else { carrier.socket.close() }
      return []
    case .upgraded, .upgradedReset:
      // As many as there is room for at most.
      let isIn = try eventually { try Carrier(gateway).upgrade(client) == 101 }
      #expect(isIn)
      return []
    case .upgradeRefused:
      #expect(try carrier.ask(client, "POST", "/echo", headers: ["Upgrade: websocket"]).status == 405)
    case .headUnfinished: try carrier.socket.send([UInt8]("GET / HTTP/1.1\r\nX-Forwarded-For: \(client)\r\n".utf8))
    case .bodyUnfinished:
      let head = "POST /user/login HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: \(client)\r\nContent-Length: 100\r\n\r\n"
      try carrier.socket.send([UInt8](head.utf8))
      carrier.socket.close()
      return []
    }
    return [carrier]
  }

  /// Requests of a polling session, which is counted itself and ends here.
  private func poll(_ ending: Ending, _ gateway: ConformanceGateway, _ carrier: Carrier) throws -> [Carrier] {
    let client = Self.client
    var text = ""
    let isOpen = try eventually {
      let answer = try Carrier(gateway).ask(client, "GET", "/socket.io/?EIO=4&transport=polling")
      text = answer.text
      return answer.status == 200
    }
    #expect(isOpen)
    let sid = try #require(JSON(String(text.dropFirst()))?["sid"]?.text)
    let target = "/socket.io/?EIO=4&transport=polling&sid=\(sid)"
    switch ending {
    case .pollLeft, .pollReset:
      try carrier.begin(client, "GET", target)
      ThisProcess.pause(milliseconds: 20)
      if ending == .pollReset { carrier.socket.reset() } else { carrier.socket.close() }
      return []
    case .posted:
      #expect(try carrier.ask(client, "POST", target, body: "1").text == "ok")
    case .handedOver:
      let other = (try ConformanceGateway.reactor(of: sid) + 1) % gateway.reactors
      let moved = try gateway.connection(on: other)
      let head = "POST \(target) HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: \(client)\r\nContent-Length: 1\r\n\r\n1"
      #expect(try HTTPExchange.perform(head, on: moved).text == "ok")
    default:
      try carrier.begin(client, "GET", target)
      #expect(try Carrier(gateway).ask(client, "POST", target, body: #"40{"token":"wrong"}"#).text == "ok")
      #expect(try HTTPExchange.readAnswer(on: carrier.socket).text.hasPrefix("44"))
      #expect(try Carrier(gateway).ask(client, "POST", target, body: "1").text == "ok")
    }
    return [carrier]
  }

  @Test("idle connections that one client used leave it all its places", arguments: reactorCounts)
  func idlePool(reactors: Int) throws {
    try withGateway(
      reactors: reactors, settings: Self.settings([("limits.connectionsPerAddressMax", "2")])
    ) { gateway throws in
      let pool = try (0..<10).map { _ in try Carrier(gateway) }
      for carrier in pool { #expect(try carrier.ask(Self.client, "GET", "/health").status == 200) }
      for carrier in pool { #expect(try carrier.ask(Self.client, "GET", "/health").status == 200) }
    }
  }

  @Test("what the rate of connections counts is a client's coming, not its staying", arguments: reactorCounts)
  func rate(reactors: Int) throws {
    try withGateway(
      reactors: reactors, settings: Self.settings([("limits.acceptsPerAddressPerSecondMax", "3")])
    ) { gateway throws in
      let carrier = try Carrier(gateway)
      for _ in 0..<30 { #expect(try carrier.ask(Self.client, "GET", "/health").status == 200) }
      var statuses: [Int] = []
      for _ in 0..<12 { statuses.append(try Carrier(gateway).ask("203.0.113.8", "GET", "/health").status) }
      #expect(statuses.contains(429) && statuses.first == 200, "\(statuses)")
    }
  }
}
