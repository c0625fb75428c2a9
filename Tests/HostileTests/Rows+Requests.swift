// Requests that try to be taken for others' or for more than one, and clients that go: lines 6, 31, 32, 35 and 38 of
// HOSTILE. Constants.

import Foundation
import TestSupport
import Testing

extension Rows {
  private static let polling = "/socket.io/?EIO=4&transport=polling"
  /// What must never be answered.
  private static let smuggled = "GET /get-token?username=mallory HTTP/1.1\r\nHost: evil\r\n\r\n"
  private static let last = "GET /websocket-info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

  /// A request with the smuggled one for its body.
  private static func carrying(_ line: String, isChunked: Bool, _ headers: [String] = []) -> String {
    let count = smuggled.utf8.count
    let framing = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(count)"
    let body = isChunked ? "\(String(count, radix: 16))\r\n\(smuggled)\r\n0\r\n\r\n" : smuggled
    return ([line, "Host: a", framing] + headers).joined(separator: "\r\n") + "\r\n\r\n" + body
  }

  private static func repeating(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

  // MARK: Line 31

  private static func session(_ victim: Victim) throws -> String {
    let answer = try HTTPExchange.perform("GET \(polling) HTTP/1.1\r\nHost: a\r\n\r\n", on: victim.connect())
    guard let sid = JSON(String(answer.text.dropFirst()))?["sid"]?.text else {
      throw GatewayFailure(description: "the handshake answered \(answer.status): \(answer.text)")
    }
    return sid
  }

  private static func post(_ victim: Victim, _ sid: String, _ body: String) throws -> Int {
    let head = "POST \(polling)&sid=\(sid) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
    return try HTTPExchange.perform(head + body, on: victim.connect()).status
  }

  /// A poll with a body: one answer, and the session is what it was.
  private static func polled(isChunked: Bool) -> HostileRow {
    .scenario(31, "a body on a poll\(isChunked ? ", chunked" : "")", .standard, .refused("http_400")) { victim throws in
      let sid = try session(victim)
      let socket = try victim.connect()
      try socket.send(
        [UInt8]((carrying("GET \(polling)&sid=\(sid) HTTP/1.1", isChunked: isChunked) + last).utf8))
      try victim.expect(ExpectedAnswer(status: 400), on: socket)
      #expect(try post(victim, sid, "1") == 200)
    }
  }

  /// A body that is read past, or for an endpoint: two answers, to the request and to the one behind it.
  private static func readPast(_ line: String, isChunked: Bool, _ headers: [String] = [], isAdmin: Bool = false)
    -> HostileRow
  {
    .scenario(
      31, "a body on \(line)\(isChunked ? ", chunked" : "")", .standard, .survived("it is no request")
    ) { victim throws in
      let socket = isAdmin ? try Socket(port: victim.gateway.adminPort) : try victim.connect()
      let next = isAdmin ? last.replacingOccurrences(of: "/websocket-info", with: "/livez") : last
      try socket.send([UInt8]((carrying(line + " HTTP/1.1", isChunked: isChunked, headers) + next).utf8))
      let (bytes, ending) = Victim.read(socket, toEnd: true)
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.components(separatedBy: "HTTP/1.1 ").count == 3 && !text.contains("token\":"), "\(text)")
      #expect(ending == .end)
    }
  }

  /// A chunked body of an endpoint that is refused.
  private static func chunked(_ name: String, _ body: String) -> HostileRow {
    let head = "POST /user/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return .http(6, name, [UInt8]((head + body).utf8), 400)
  }

  static let bodies: [HostileRow] = [
    polled(isChunked: false), polled(isChunked: true),
    .http(31, "a chunked body on an upgrade", upgrade("GET", welcome, adding: ["Transfer-Encoding: chunked"]), 400),
    .http(
      31, "a body on the handshake of a session", [UInt8](carrying("GET \(polling) HTTP/1.1", isChunked: false).utf8),
      400),
    readPast("HEAD /health", isChunked: false), readPast("OPTIONS /health", isChunked: true),
    readPast("OPTIONS \(polling)", isChunked: false), readPast("DELETE /nowhere", isChunked: true),
    readPast("GET /channels", isChunked: false), readPast("GET /metrics", isChunked: true, isAdmin: true),
    .scenario(31, "a body that need not come", .standard, .survived("the connection ends")) { victim throws in
      let socket = try victim.connect()
      try socket.send(
        [UInt8]((carrying("GET /nowhere HTTP/1.1", isChunked: false, ["Expect: 100-continue"]) + last).utf8))
      try victim.expect(ExpectedAnswer(status: 404), on: socket)
    },
    chunked("an empty chunk extension", "2;\r\n{}\r\n0\r\n\r\n"),
    chunked("a chunk extension without a value", "2;a=\r\n{}\r\n0\r\n\r\n"),
    chunked("a blank behind a chunk size", "2 \r\n{}\r\n0\r\n\r\n"),
    chunked("a trailer without a colon", "2\r\n{}\r\n0\r\nGET / HTTP/1.1\r\n\r\n"),
    chunked("a trailer without a name", "2\r\n{}\r\n0\r\n: a\r\n\r\n"),
  ]

  // MARK: Line 32

  static let keptConnections: [HostileRow] = [
    .scenario(32, "many clients' requests on one connection of a proxy", .trustedProxy, .refused("http_404", times: 4))
    {
      victim throws in
      let start = victim.gateway.log.utf8.count
      let socket = try victim.connect()
      let clients = (1...4).map { "198.51.100.\($0)" }
      for client in clients {
        let request = "GET /nowhere HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: \(client)\r\n\r\n"
        #expect(try HTTPExchange.perform(request, on: socket).status == 404)
      }
      let isLogged = eventually {
        let lines = victim.logLines(since: start).filter { $0.contains("reason=http_404") }
        return clients.allSatisfy { client in lines.contains { $0.contains("client=\(client)") } }
      }
      #expect(isLogged, "\(victim.logLines(since: start))")
    },
    .scenario(32, "X-Forwarded-For in several lines", .trustedProxy, .refused("http_429")) { victim throws in
      var held: [Socket] = []
      for status in [101, 101, 101, 101, 429] {
        let socket = try victim.connect()
        // What it claims itself, its address as the first proxy sees it, and the proxy as the second one does.
        let lines = ["192.0.2.\(held.count)", "203.0.113.77", "10.1.2.3"].map { "X-Forwarded-For: \($0)" }
        try socket.send(upgrade("GET", welcome, adding: lines))
        try victim.expect(ExpectedAnswer(status: status, closes: status != 101), on: socket)
        held.append(socket)
      }
    },
    .scenario(32, "connections that one client used and left", .trustedProxy, .survived("each is the next one's")) {
      victim throws in
      let pool = try (0..<12).map { _ in try victim.connect() }
      for client in ["203.0.113.80", "203.0.113.81"] {
        for socket in pool {
          let request = "GET /health HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: \(client)\r\n\r\n"
          #expect(try HTTPExchange.perform(request, on: socket).status == 200)
        }
      }
    },
    .http(
      32, "two Authorization lines",
      [UInt8]("GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: a\r\n\r\n".utf8), 400),
  ]

  // MARK: Line 35

  /// Clients that send this and go.
  private static func gone(_ name: String, _ bytes: @escaping @Sendable (Victim) throws -> [UInt8]) -> HostileRow {
    .scenario(35, "clients that go \(name)", .standard, .survived("they are let go")) { victim throws in
      for (number, then) in ["", "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"].enumerated() {
        for way in 0..<12 {
          let socket = try victim.connect()
          try? socket.send(try bytes(victim) + [UInt8](then.utf8))
          // At once, or when the gateway has had time to begin.
          if way % 2 == number { ThisProcess.pause(milliseconds: 20) }
          if way % 3 == 0 { socket.reset() } else { socket.close() }
        }
      }
      // Connections and sessions are gone: the row ends only then.
      try victim.checkAtRest()
    }
  }

  static let leaving: [HostileRow] = [
    gone("with half a head") { _ in [UInt8]("GET /health HTTP/1.1\r\nX: ".utf8) },
    gone("with half a body") { _ in
      [UInt8]("POST /user/login HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{".utf8)
    },
    gone("while a password is checked") { _ in
      let body = #"{"email":"a@example.com","password":"wrong"}"#
      let head = "POST /user/login HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
      return [UInt8]((head + body).utf8)
    },
    gone("while a poll waits") { victim in
      [UInt8]("GET \(polling)&sid=\(try session(victim)) HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    },
    gone("with half a post") { victim in
      let head = "POST \(polling)&sid=\(try session(victim)) HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n40"
      return [UInt8](head.utf8)
    },
    gone("from a WebSocket") { _ in upgrade("GET", welcome) },
    gone("after a close frame") { _ in
      upgrade("GET", welcome) + ClientFrame(ClientFrame.close, [0x03, 0xE8]).bytes
    },
  ]

  // MARK: Line 38

  /// Uploads a body in small pieces that take far longer than a body may take at any pace, and returns the answer.
  private static func upload(_ socket: Socket, _ head: String, _ body: [UInt8]) throws -> Int {
    try socket.send([UInt8]((head + "Content-Length: \(body.count)\r\n\r\n").utf8))
    for start in stride(from: 0, to: body.count, by: 1_000) {
      try socket.send(Array(body[start..<min(start + 1_000, body.count)]))
      ThisProcess.pause(milliseconds: 40)
    }
    return try HTTPExchange.readAnswer(on: socket).status
  }

  static let honestUploads: [HostileRow] = [
    .scenario(38, "a slow upload to an endpoint", .deadlines, .survived("it keeps its pace")) { victim throws in
      let body = [UInt8]((#"{"email":"a@example.com","password":""# + repeating("p", 50_000) + "\"}").utf8)
      #expect(try upload(victim.connect(), "POST /user/login HTTP/1.1\r\nHost: a\r\n", body) == 400)
    },
    .scenario(38, "a slow post of a session", .deadlines, .survived("it keeps its pace")) { victim throws in
      let sid = try session(victim)
      let acquire = "POST /api/auth/acquire-session HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
      let token = JSON(try HTTPExchange.perform(acquire, on: victim.connect()).text)?["data"]?["token"]?.text ?? ""
      #expect(try post(victim, sid, #"40{"token":"\#(token)"}"#) == 200)
      let body = [UInt8](("6" + repeating("\u{1E}6", 20_000)).utf8)
      #expect(try upload(victim.connect(), "POST \(polling)&sid=\(sid) HTTP/1.1\r\nHost: a\r\n", body) == 200)
      _ = try post(victim, sid, "1")
    },
  ]
}
