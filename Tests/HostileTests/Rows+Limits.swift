// Too many, from where, and too slowly: lines 2, 12, 13, 14 and 24 of HOSTILE. Constants.

import TestSupport
import Testing

extension Rows {
  // MARK: Line 12

  /// Refused requests show in the log whose address the gateway takes the client for.
  private static func logged(_ victim: Victim, _ forwarded: String, sees client: String) throws {
    let start = victim.gateway.log.utf8.count
    let socket = try victim.connect()
    try socket.send(upgrade("GET", "/channels", adding: ["X-Forwarded-For: \(forwarded)"]))
    try victim.expect(ExpectedAnswer(status: 401), on: socket)
    let isSeen = eventually {
      victim.logLines(since: start).contains { $0.contains("reason=http_401") && isOf(client, $0) }
    }
    #expect(isSeen, "\(forwarded) is not \(client): \(victim.logLines(since: start))")
  }

  /// Whether a line names the client, with or without a port.
  private static func isOf(_ client: String, _ line: Substring) -> Bool {
    line.contains("client=\(client)") || line.contains("client=\"\(client)")
  }

  private static func badProxy(_ name: String, _ bytes: @escaping @Sendable @autoclosure () -> [UInt8]) -> HostileRow {
    .scenario(12, name, .proxyProtocol, .closed("bad_proxy_header")) { victim throws in
      let socket = try Socket(port: victim.gateway.port)
      try? socket.send(bytes())
      let (answer, ending) = Victim.read(socket, toEnd: true)
      #expect(answer.isEmpty)
      #expect(ending == .reset)
    }
  }

  /// Line 12: whose address counts.
  static let addresses: [HostileRow] = [
    .scenario(12, "X-Forwarded-For from a peer that is not trusted", .standard, .refused("http_401")) { victim throws in
      try logged(victim, "203.0.113.9", sees: "127.0.0.1")
      #expect(!victim.gateway.log.contains("203.0.113.9"))
    },
    .scenario(12, "X-Forwarded-For from a trusted peer", .trustedProxy, .refused("http_401")) { victim throws in
      try logged(victim, "203.0.113.1", sees: "203.0.113.1")
      // Lines of one reason are held to ten a second, and there are eight here.
      try logged(victim, "198.51.100.1, 203.0.113.2, 10.1.2.3", sees: "203.0.113.2")
      try logged(victim, "127.0.0.1, 203.0.113.3", sees: "203.0.113.3")
      try logged(victim, "forged, 203.0.113.4", sees: "203.0.113.4")
      try logged(victim, "forged", sees: "127.0.0.1")
      try logged(victim, String(repeating: ",", count: 5_000), sees: "127.0.0.1")
      try logged(victim, "::", sees: "127.0.0.1")
      try logged(victim, "[2001:db8::5]:443", sees: "[2001:db8:")
    },
    .scenario(12, "the limit by address behind a proxy", .trustedProxy, .refused("http_429", times: 2)) {
      victim throws in
      var held: [Socket] = []
      for (client, status) in ["203.0.113.50", "203.0.113.51"].flatMap({ client in
        [101, 101, 101, 101, 429].map { (client, $0) }
      }) {
        let socket = try victim.connect()
        // What the client itself claims, on the left, does not help it.
        try socket.send(upgrade("GET", welcome, adding: ["X-Forwarded-For: 192.0.2.\(held.count), \(client)"]))
        try victim.expect(ExpectedAnswer(status: status, closes: status != 101), on: socket)
        held.append(socket)
      }
    },
    badProxy("a request without a PROXY header", upgrade("GET", welcome)),
    badProxy("a PROXY header with a bad address", [UInt8]("PROXY TCP4 999.0.0.1 127.0.0.1 1 2\r\n".utf8)),
    badProxy("a PROXY header without an end", [UInt8]("PROXY TCP4 ".utf8) + [UInt8](repeating: 0x31, count: 200)),
    badProxy(
      "a binary PROXY header of a version that nobody knows",
      [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x31, 0x11, 0, 12,
      ] + [UInt8](repeating: 1, count: 12)),
    .scenario(12, "the client that a PROXY header names", .proxyProtocol, .refused("http_401")) { victim throws in
      try logged(victim, "203.0.113.9", sees: "198.51.100.7")
    },
  ]

  // MARK: Line 13

  /// Opens clients until they are refused, and holds them; returns how many were let in and how many were refused with
  /// `status`.
  private static func fill(_ victim: Victim, _ count: Int, refusal status: Int) throws -> (Int, Int) {
    var held: [Socket] = []
    var refused = 0
    for _ in 0..<count {
      let socket = try victim.connect()
      try socket.send(upgrade("GET", welcome))
      let (bytes, _) = Victim.read(socket, toEnd: false)
      guard let answer = RawAnswer(bytes) else { throw GatewayFailure(description: "no answer") }
      if answer.status == 101 {
        held.append(socket)
      } else {
        refused += 1
        #expect(answer.status == status)
        #expect(answer.headers["retry-after"].flatMap { Int($0) } != nil, "\(answer.head)")
      }
    }
    return (held.count, refused)
  }

  /// Whether a client is let in again before long.
  private static func letsIn(_ victim: Victim) -> Bool { eventually { (try? victim.client()) != nil } }

  /// Line 13: too many.
  static let limits: [HostileRow] = [
    .scenario(13, "over the connection limit", .connectionLimit, .refused("http_503", times: 10)) { victim throws in
      let (held, refused) = try fill(victim, 30, refusal: 503)
      #expect(held >= 8 && refused >= 18, "\(held) let in, \(refused) refused")
      #expect(letsIn(victim))
    },
    .scenario(
      13, "1 000 over the connection limit that say nothing", .connectionLimit,
      .counted("connections_refused_total", event: "connection-limit")
    ) { victim throws in
      // Some are reset before they know that they are connected.
      let sockets = (0..<1_000).compactMap { _ in try? victim.connect() }
      for socket in sockets { _ = Victim.read(socket, toEnd: true) }
      #expect(letsIn(victim))
    },
    .scenario(13, "over the limit by address", .addressLimit, .refused("http_429", times: 10)) { victim throws in
      let (held, refused) = try fill(victim, 30, refusal: 429)
      // The bystander has the same address.
      #expect(held == 9 && refused == 21, "\(held) let in, \(refused) refused")
      #expect(letsIn(victim))
    },
    .scenario(13, "over the rate by address", .addressRate, .refused("http_429", times: 10)) { victim throws in
      let (held, refused) = try fill(victim, 100, refusal: 429)
      #expect(held > 0 && refused > 20, "\(held) let in, \(refused) refused")
      #expect(letsIn(victim))
    },
    .scenario(
      13, "out of descriptors", .descriptors, .counted("connections_refused_total", event: "out-of-descriptors")
    ) { victim throws in
      let sockets = try (0..<300).map { _ in try victim.connect() }
      let ticks = victim.gateway.processorTicks
      ThisProcess.pause(milliseconds: 1_000)
      // A loop that spins would have taken most of the second.
      #expect(victim.gateway.processorTicks - ticks < 60)
      for socket in sockets { socket.close() }
      #expect(letsIn(victim))
    },
  ]

  // MARK: Lines 2, 14 and 24

  /// Sends byte after byte until the gateway has had enough, and returns what it said.
  static func dribble(_ socket: Socket, _ bytes: [UInt8]) -> ([UInt8], Received) {
    var said: [UInt8] = []
    for index in 0..<400 {
      try? socket.send([bytes[index % bytes.count]])
      switch socket.receive(patienceMilliseconds: 50) {
      case .bytes(let more): said += more
      case .timedOut: continue
      case let ending: return (said, ending)
      }
    }
    return (said, .timedOut)
  }

  private static func dribbled(_ name: String, _ start: String, _ bytes: String) -> HostileRow {
    .scenario(2, name, .deadlines, .closed("handshake_timeout")) { victim throws in
      let socket = try victim.connect()
      try socket.send([UInt8](start.utf8))
      let (said, ending) = dribble(socket, [UInt8](bytes.utf8))
      #expect(RawAnswer(said)?.status == 426, "the head was answered")
      #expect(ending == .end || ending == .reset)
    }
  }

  /// Lines 2, 14 and 24: too slowly. The handshakes of these gateways have 0.8 s (3 s for the thousands) instead of 10.
  static let time: [HostileRow] = [
    .scenario(2, "a header byte by byte", .deadlines, .refused("http_408")) { victim throws in
      let socket = try victim.connect()
      try socket.send([UInt8]("GET /channels HTTP/1.1\r\nHost: a\r\nX: ".utf8))
      let (said, ending) = dribble(socket, [0x78])
      #expect(RawAnswer(said)?.status == 408)
      #expect(ending == .end || ending == .reset)
    },
    .scenario(2, "a request line byte by byte", .deadlines, .refused("http_408")) { victim throws in
      let (said, ending) = dribble(try victim.connect(), [0x47])
      #expect(RawAnswer(said)?.status == 408)
      #expect(ending == .end || ending == .reset)
    },
    dribbled("a body byte by byte", "GET /channels HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n", "b"),
    dribbled(
      "a chunked body byte by byte", "GET /channels HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
      "1\r\nb\r\n"),
    .scenario(2, "a body byte by byte that an endpoint waits for", .deadlines, .refused("http_408")) { victim throws in
      let socket = try victim.connect()
      try socket.send([UInt8]("POST /user/login HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n".utf8))
      let (said, ending) = dribble(socket, [0x20])
      #expect(RawAnswer(said)?.status == 408)
      #expect(ending == .end || ending == .reset)
    },
    .scenario(2, "a connection kept alive and left alone", .deadlines, .survived("it ends in the orderly way")) {
      victim throws in
      let before = try Metrics(of: victim.gateway)
      let socket = try victim.connect()
      try socket.send([UInt8]("GET /channels HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      let (said, ending) = Victim.read(socket, toEnd: true)
      #expect(RawAnswer(said)?.status == 426)
      #expect(ending == .end)
      let isCounted = try eventually { try Metrics(of: victim.gateway).closes("idle") > before.closes("idle") }
      #expect(isCounted)
    },
    .scenario(24, "a client that answers no ping", .deadlines, .closed("no_pong")) { victim throws in
      let client = try victim.client()
      client.answersPings = false
      let all = client.readToEnd()
      #expect(all.first == .ping([]))
      // Dropped without a close frame (PROTOCOLS G6).
      #expect(all.last == .reset && all.dropLast().allSatisfy { $0 == .ping([]) }, "\(all)")
    },
    .scenario(14, "3 000 connections that never send a byte", .storm, .closed("handshake_timeout", times: 3_000)) {
      victim throws in
      let sockets = try (0..<3_000).map { _ in try victim.connect() }
      for socket in sockets {
        let (said, ending) = Victim.read(socket, toEnd: true)
        guard said.isEmpty, ending == .end || ending == .reset else {
          throw GatewayFailure(description: "a silent connection got \(said.count) bytes and \(ending)")
        }
      }
    },
  ]
}
