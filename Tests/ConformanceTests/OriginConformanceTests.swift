// Origins of pages, applications and clients that are no browsers, on WebSockets, polling and endpoints alike (PROTOCOLS
// G14, 9).

import TestSupport
import Testing

@Suite("Conformance: origins")
struct OriginConformanceTests {
  /// What becomes of an origin at an upgrade, a poll and an endpoint; nil where they differ. Who is let in can read the
  /// answers.
  private func isAllowed(
    _ gateway: ConformanceGateway, _ origin: String, host: String = "127.0.0.1"
  ) throws -> Bool? {
    func perform(_ line: String, _ more: [String]) throws -> TestSupport.HTTPAnswer {
      let lines = [line + " HTTP/1.1", "Host: " + host, "Origin: " + origin, "Connection: close"] + more
      return try HTTPExchange.perform(lines.joined(separator: "\r\n") + "\r\n\r\n", on: Socket(port: gateway.port))
    }
    let upgrade = WebSocketClient.request("/sessions", headers: ["Origin: " + origin])
      .replacing("Host: 127.0.0.1", with: "Host: " + host)
    #expect(upgrade.contains("Host: \(host)\r\n"))
    let answers = [
      try HTTPExchange.perform(upgrade, on: Socket(port: gateway.port)),
      try perform("GET /socket.io/?EIO=4&transport=polling", []),
      try perform("POST /api/auth/acquire-session", ["Content-Length: 0"]),
    ]
    if answers.map(\.status) == [403, 403, 403] { return false }
    guard answers.map(\.status) == [101, 200, 200] else { return nil }
    return answers.dropFirst().allSatisfy { $0.headers["access-control-allow-origin"] == origin } ? true : nil
  }

  @Test("a star allows every origin, those without a host among them")
  func star() throws {
    try withGateway(reactors: 1, settings: [("corsOrigins", "*")]) { gateway throws in
      for origin in [
        "null", "file://", "app://.", "capacitor://localhost", "chrome-extension://abcdefghijklmnop", "wss://a.example",
        "https://a.example.", "https://a.example:",
      ] { #expect(try isAllowed(gateway, origin) == true, "\(origin)") }
      for origin in ["https://a.example/x", "https://a b", "file:"] {
        #expect(try isAllowed(gateway, origin) == false, "\(origin)")
      }
    }
  }

  @Test("origins without a host can be listed; a WebSocket's scheme is that of its page; dots and colons do not count")
  func listed() throws {
    let list = "file://,app://.,null,wss://app.example.,https://b.example:8443"
    try withGateway(reactors: 1, settings: [("corsOrigins", list)]) { gateway throws in
      for origin in [
        "null", "file://", "app://.", "https://app.example", "wss://app.example:443", "wss://b.example.:8443",
      ] { #expect(try isAllowed(gateway, origin) == true, "\(origin)") }
      for origin in ["app://-", "ws://app.example", "wss://b.example", "capacitor://b.example", "https://evil.example"]
      {
        #expect(try isAllowed(gateway, origin) == false, "\(origin)")
      }
      for (origin, host) in [
        ("ws://gw.example", "gw.example"), ("https://gw.example.", "gw.example"),
        ("https://gw.example", "gw.example.:"),
      ] { #expect(try isAllowed(gateway, origin, host: host) == true, "\(origin) at \(host)") }
    }
  }
}
