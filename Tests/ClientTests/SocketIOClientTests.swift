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
  /// Where no difference between the two classes of Node is to be feared.
  private static let platforms = [Platform.node, .browser]

  private func run(
    _ scenarios: [String], _ platform: Platform, _ transports: Transports, development: Bool = true,
    settings: [String] = [], version: String = ClientRuntime.newestSocketIO,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let gateway = try RestartableGateway(settings.flatMap { ["--set", $0] }, development: development)
    try Scenarios.run(
      scenarios, on: platform, gateway: gateway, transports: transports.names, version: version,
      sourceLocation: sourceLocation)
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
    arguments: Self.platforms, Transports.allCases)
  func order(platform: Platform, transports: Transports) throws {
    try run(["socketIOOrder"], platform, transports)
  }

  @Test(
    "who is refused is told why, and gets in with a good token; an address with a path is a namespace",
    arguments: Self.platforms, Transports.allCases)
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
    // Those of this machine in development; in production those that are listed, which can be all.
    try run(["socketIOOrigins"], .browser, transports)
    try run(["socketIOOrigins"], .browser, transports, development: false, settings: ["corsOrigins=*"])
  }

  @Test(
    "in production a page of an origin that is not listed gets nothing, while a program without one does",
    arguments: Transports.allCases)
  func foreignOrigin(transports: Transports) throws {
    try run(["socketIOForeignOrigin"], .browser, transports, development: false)
    try run(["socketIO"], .node, transports, development: false)
  }

  @Test("older clients do all of this too", arguments: ["4.7.2", "4.6.1"], Transports.allCases)
  func olderVersions(version: String, transports: Transports) throws {
    let scenarios = ["socketIO", "socketIOOrder", "socketIORefusals", "socketIOAddresses", "socketIORestart"]
    // Where they are at home: Node 20's own WebSocket, which they do not know, sends them into a recursion when it fails.
    try run(scenarios, .browser, transports, version: version)
  }

  @Test("it answers pings and stays, however it is connected", arguments: Self.platforms, Transports.allCases)
  func heartbeat(platform: Platform, transports: Transports) throws {
    try run(["socketIOHeartbeat"], platform, transports, settings: ["events.pingIntervalMilliseconds=300"])
  }

  @Test(
    "a packet that is too long ends the connection, and the client comes back",
    arguments: Self.platforms, Transports.allCases)
  func tooLong(platform: Platform, transports: Transports) throws {
    try run(["socketIOTooLong"], platform, transports)
  }

  @Test("forty clients at once each get what is theirs, in order", arguments: Transports.allCases)
  func crowd(transports: Transports) throws {
    // A page has but six connections to a gateway for all of its polling.
    try run(["socketIOCrowd"], .node, transports)
  }
}
