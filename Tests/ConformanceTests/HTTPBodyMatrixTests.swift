// The body of a request is never the next request: every method on every kind of route with every framing, and a request
// behind it, with one reactor and with two.

import Foundation
import TestSupport
import Testing

@Suite("HTTP: bodies where none is expected")
struct HTTPBodyMatrixTests {
  /// How a request says that it has a body.
  enum Framing: CaseIterable {
    case none, contentLength, chunked, expecting

    func request(_ line: String, _ headers: [String], body: String) -> [UInt8] {
      var lines = [line, "Host: 127.0.0.1"] + headers
      var rest = body
      switch self {
      case .none: rest = ""
      case .contentLength: lines.append("Content-Length: \(body.utf8.count)")
      case .expecting: lines += ["Content-Length: \(body.utf8.count)", "Expect: 100-continue"]
      case .chunked:
        lines.append("Transfer-Encoding: chunked")
        rest = "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
      }
      return [UInt8]((lines.joined(separator: "\r\n") + "\r\n\r\n" + rest).utf8)
    }
  }

  /// Where a request goes.
  enum Route: String, CaseIterable, Sendable {
    case poll, handshake, unknownSession
    case endpoint, token, later, preflight
    case mount, handlers, nowhere, root
    case upgrade, probe
    case admin, metrics, adminNowhere

    var isAdmin: Bool { self == .admin || self == .metrics || self == .adminNowhere }
    var isUpgrade: Bool { self == .upgrade || self == .probe }

    var target: String {
      switch self {
      case .poll, .handshake: "/socket.io/?EIO=4&transport=polling"
      case .unknownSession: "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA"
      case .probe: "/socket.io/?EIO=4&transport=websocket"
      case .endpoint, .preflight: "/health"
      case .token: "/auth/token"
      case .later: "/user/login"
      case .mount: "/channels"
      case .handlers: "/handlers"
      case .nowhere: "/nowhere"
      case .root: "/"
      case .upgrade: "/echo"
      case .admin: "/livez"
      case .metrics: "/metrics"
      case .adminNowhere: "/nowhere"
      }
    }

    var headers: [String] {
      if isUpgrade {
        return [
          "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: \(WebSocketClient.key)",
        ]
      }
      switch self {
      case .preflight: return ["Origin: http://127.0.0.1", "Access-Control-Request-Method: GET"]
      case .token, .later: return ["Content-Type: application/json"]
      default: return []
      }
    }

    /// What a proxy would take for a body and a gateway that does not know better for a request.
    var body: String {
      self == .later
        ? #"{"email":"someone@example.com","password":"wrong"}"#
        : "GET /get-token?username=mallory HTTP/1.1\r\nHost: evil\r\n\r\n"
    }
  }

  private static let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"]

  @Test(
    "one response each, in order, whatever the method, the route and the framing", arguments: Route.allCases,
    reactorCounts)
  func matrix(route: Route, reactors: Int) throws {
    let settings = [("limits.loginAttemptsPerAddressPerMinuteMax", "0"), ("limits.closeTimeoutMilliseconds", "2000")]
    try withGateway(reactors: reactors, settings: settings) { gateway throws in
      for method in Self.methods {
        for framing in Framing.allCases { try check(gateway, route, method, framing, isSplit: false) }
        try check(gateway, route, method, .chunked, isSplit: true)
        try check(gateway, route, method, .contentLength, isSplit: true)
      }
      // The gateway is well, and nobody holds a place.
      let isAtRest = try eventually { try gateway.metrics().sum("websockets") == 0 }
      #expect(isAtRest)
    }
  }

  private func check(
    _ gateway: ConformanceGateway, _ route: Route, _ method: String, _ framing: Framing, isSplit: Bool
  ) throws {
    let what: Comment = "\(method) \(route) \(framing)\(isSplit ? ", split" : "")"
    var target = route.target
    let session = route == .poll || route == .probe ? try PollingSession(gateway, .kept) : nil
    if let session { target += "&sid=\(session.sid)" }
    let socket = try Socket(port: route.isAdmin ? gateway.adminPort : gateway.port)
    let first = framing.request("\(method) \(target) HTTP/1.1", route.headers, body: route.body)
    let marker = route.isAdmin ? "/readyz" : "/websocket-info"
    let second = [UInt8]("GET \(marker) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8)
    if isSplit {
      let head = (first.firstRange(of: [13, 10, 13, 10])?.upperBound ?? 0) + 7
      try socket.send(Array(first[..<head]))
      ThisProcess.pause(milliseconds: 2)
      // A refusal may have come already, and a reset after it.
      try? socket.send(Array(first[head...]))
      ThisProcess.pause(milliseconds: 2)
      try? socket.send(second)
    } else {
      try socket.send(first + second)
    }
    // Gives a poll that waits something to say.
    if route == .poll && method == "GET" { _ = try session?.request("POST", body: Array(#"40{"token":"wrong"}"#.utf8)) }
    let (bytes, ending) = RawHTTP.readToEnd(socket)
    let responses = try #require(
      RawHTTP.responses(bytes, isToHead: method == "HEAD"), "\(what): \(String(decoding: bytes, as: UTF8.self))")
    let final = responses.filter { $0.status >= 200 || $0.status == 101 }
    #expect(ending == .end, "\(what): \(responses)")
    let answer = try #require(final.first, what)
    if answer.closes || answer.status == 101 {
      #expect(final.count == 1, "\(what): \(responses)")
    } else {
      #expect(final.count == 2, "\(what): \(responses)")
      #expect(final.last?.status == 200 && final.last?.closes == true, "\(what): \(responses)")
      let isMarker = final.last?.body.contains(route.isAdmin ? "ready" : "websocket") == true
      #expect(isMarker, "\(what): \(responses)")
    }
    for response in final {
      #expect(response.status == 101 || response.headers["date"]?.hasSuffix(" GMT") == true, "\(what): \(responses)")
    }
    try checkKind(route, method, framing, answer, responses, what)
  }

  /// The answers that must be these and no others.
  private func checkKind(
    _ route: Route, _ method: String, _ framing: Framing, _ answer: RawResponse, _ responses: [RawResponse],
    _ what: Comment
  ) throws {
    if method == "BREW" { #expect(answer.status == 501 && answer.closes, "\(what): \(responses)") }
    if framing != .none && route.isUpgrade { #expect(answer.status != 101 && answer.closes, "\(what): \(responses)") }
    if framing != .none && method == "GET" && (route == .poll || route == .handshake) {
      #expect(answer.status == 400 && answer.closes, "\(what): \(responses)")
    }
    if framing == .none && method == "GET" && route.isUpgrade { #expect(answer.status == 101, "\(what): \(responses)") }
    // Told to send the body, or told the end: a client that waits never sits there.
    let isInvited = responses.first?.status == 100
    if framing == .expecting && !answer.closes { #expect(isInvited, "\(what): \(responses)") }
    if framing != .expecting { #expect(!isInvited, "\(what): \(responses)") }
  }
}
