// PROTOCOLS 3.5, G14: a page of another origin can read every answer to its Engine.IO requests, refusals included.

import TestSupport
import Testing

@Suite("Conformance: Engine.IO errors that browsers can read")
struct EngineIOCrossOriginTests {
  private static let page = "https://app.example"

  private func expectReadable(
    _ answer: TestSupport.HTTPAnswer, _ status: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(answer.status == status, "\(answer.text)", sourceLocation: sourceLocation)
    #expect(answer.headers["access-control-allow-origin"] == Self.page, sourceLocation: sourceLocation)
    #expect(answer.headers["access-control-allow-credentials"] == "true", sourceLocation: sourceLocation)
    #expect(answer.headers["vary"] == "Origin", sourceLocation: sourceLocation)
    #expect(answer.headers["connection"]?.lowercased() == "close", sourceLocation: sourceLocation)
  }

  @Test("a payload that is too long is a 413 with CORS headers, and counted", arguments: Polling.allCases)
  func tooLong(polling: Polling) throws {
    let settings = [("corsOrigins", Self.page), ("events.payloadBytesMax", "2000")]
    try withPolling(polling, settings: settings) { gateway throws in
      let session = try PollingSession(gateway, polling)
      let body = [UInt8](repeating: UInt8(ascii: "4"), count: 2001)
      expectReadable(try session.request("POST", body: body, headers: ["Origin: " + Self.page]), 413)
      #expect(try eventually { try gateway.metrics().samples.contains { $0.key.contains("http_413") && $0.value > 0 } })
      try session.expectOver()
    }
  }

  @Test("a broken body and an unknown session are 400 with CORS headers")
  func broken() throws {
    try withGateway(reactors: 1, settings: [("corsOrigins", Self.page)]) { gateway throws in
      let session = try PollingSession(gateway, .kept)
      let chunked =
        "POST \(session.target()) HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: \(Self.page)\r\n"
        + "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n"
      expectReadable(try HTTPExchange.perform(chunked, on: Socket(port: gateway.port)), 400)
      try session.expectOver()
      expectReadable(try session.request("GET", headers: ["Origin: " + Self.page]), 400)
    }
  }

  @Test("a gateway that is full says so with CORS headers")
  func full() throws {
    let settings = [("corsOrigins", Self.page), ("connectionsMax", "3")]
    try withGateway(reactors: 1, settings: settings) { gateway throws in
      let token = try gateway.acquireSession()
      var clients: [WebSocketClient] = []
      for _ in 0..<3 {
        clients.append(try gateway.connect("/events?token=" + token))
        _ = try clients.last?.nextText()
      }
      let lines = ["GET /socket.io/?EIO=4&transport=polling HTTP/1.1", "Host: 127.0.0.1", "Origin: " + Self.page]
      let request = lines.joined(separator: "\r\n") + "\r\n\r\n"
      let answer = try HTTPExchange.perform(request, on: Socket(port: gateway.port))
      expectReadable(answer, 503)
      #expect(answer.headers["retry-after"] == "5")
    }
  }

  @Test("an origin that is not allowed is not told that it is, whatever the error")
  func refusedOrigin() throws {
    try withGateway(reactors: 1, settings: [("corsOrigins", Self.page)]) { gateway throws in
      let session = try PollingSession(gateway, .kept)
      let answer = try session.request("POST", body: [0x34], headers: ["Origin: https://evil.example"])
      #expect(answer.status == 403)
      #expect(answer.headers["access-control-allow-origin"] == nil)
    }
  }
}
