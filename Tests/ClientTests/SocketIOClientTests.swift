// The official Socket.IO client for JavaScript, in Node and in Chromium, over each transport, against the real gateway.

import Foundation
import TestSupport
import Testing

/// What an application tells the client about transports.
enum Transports: String, CaseIterable, Sendable {
  case webSocket
  case polling
  /// Polling that is upgraded: what the client does unless it is told otherwise.
  case upgrade

  var names: [String] {
    switch self {
    case .webSocket: ["websocket"]
    case .polling: ["polling"]
    case .upgrade: ["polling", "websocket"]
    }
  }
}

/// One after the other: each starts an interpreter, and some a browser.
@Suite("Socket.IO client in JavaScript", .serialized)
struct SocketIOClientTests {
  private func run(
    _ scenarios: [String], _ platform: Platform, _ transports: Transports, development: Bool = true,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let gateway = try RestartableGateway(development: development)
    try Scenarios.run(
      scenarios, on: platform, gateway: gateway, transports: transports.names, sourceLocation: sourceLocation)
    let status = gateway.stop()
    #expect(status == 0, "the gateway said:\n\(gateway.log)", sourceLocation: sourceLocation)
    #expect(!gateway.log.contains(Tokens.secret), "a secret stands in the log", sourceLocation: sourceLocation)
  }

  @Test(
    "it connects, uses every event, bytes and a streamed chat, disconnects and comes back",
    arguments: Platform.present, Transports.allCases)
  func events(platform: Platform, transports: Transports) throws {
    try run(["socketIO"], platform, transports)
  }

  @Test(
    "a thousand echoes come in order, whatever the transport does meanwhile",
    arguments: Platform.present, Transports.allCases)
  func order(platform: Platform, transports: Transports) throws {
    try run(["socketIOOrder"], platform, transports)
  }

  @Test(
    "who is refused is told why, and gets in with a good token; an address with a path is a namespace",
    arguments: Platform.present, Transports.allCases)
  func refusals(platform: Platform, transports: Transports) throws {
    try run(["socketIORefusals", "socketIOAddresses"], platform, transports)
  }

  @Test(
    "it comes back by itself when the gateway was killed or stopped, and what was sent meanwhile arrives in order",
    arguments: Platform.present, Transports.allCases)
  func restarts(platform: Platform, transports: Transports) throws {
    try run(["socketIORestart"], platform, transports)
  }

  @Test(
    "a page of an origin that is allowed gets in with credentials and a header that needs a preflight",
    arguments: Transports.allCases)
  func allowedOrigin(transports: Transports) throws {
    try run(["socketIOOrigins"], .browser, transports)
  }

  @Test(
    "in production a page of an origin that is not listed gets nothing, while a program without one does",
    arguments: Transports.allCases)
  func foreignOrigin(transports: Transports) throws {
    try run(["socketIOForeignOrigin"], .browser, transports, development: false)
    try run(["socketIO"], .node, transports, development: false)
  }
}
