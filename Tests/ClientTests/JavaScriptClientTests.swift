// The JavaScript client in Node and in Chromium against the real gateway, which dies and comes back under it.

import Foundation
import TestSupport
import Testing

/// One after the other: each starts interpreters, and some a browser.
@Suite("JavaScript client", .serialized)
struct JavaScriptClientTests {
  /// Often enough for a test to see some.
  private static let telemetry = ["--set", "channels.telemetryIntervalMilliseconds=200"]

  private func withGateway(_ settings: [String] = [], _ body: (RestartableGateway) throws -> Void) throws {
    let gateway = try RestartableGateway(Self.telemetry + settings)
    try body(gateway)
    let status = gateway.stop()
    #expect(status == 0, "the gateway said:\n\(gateway.log)")
    #expect(!gateway.log.contains(Tokens.secret), "a secret stands in the log")
  }

  @Test("a channels client subscribes, filters, publishes and is told of refusals", arguments: Platform.present)
  func channels(platform: Platform) throws {
    try withGateway { try Scenarios.run(["channels"], on: platform, gateway: $0) }
  }

  @Test(
    "a sessions client keeps to its session and replaces its token before it ends", arguments: Platform.present)
  func sessions(platform: Platform) throws {
    try withGateway { try Scenarios.run(["sessions", "sessionTokens"], on: platform, gateway: $0) }
  }

  @Test("a walkers client changes users, notifies, runs walkers in order", arguments: Platform.present)
  func walkers(platform: Platform) throws {
    try withGateway { try Scenarios.run(["walkers"], on: platform, gateway: $0) }
  }

  @Test("a walkers client without a token is told what it may not send", arguments: Platform.present)
  func walkersReceive(platform: Platform) throws {
    try withGateway(["--set", "walkers.anonymous=receive"]) {
      try Scenarios.run(["walkersReceive"], on: platform, gateway: $0)
    }
  }

  @Test("an events client gets a session, replies and interleaved AI chats", arguments: Platform.present)
  func events(platform: Platform) throws {
    try withGateway { try Scenarios.run(["events"], on: platform, gateway: $0) }
  }

  @Test(
    "after the gateway was killed clients come back, subscribe again and deliver in order what was queued",
    arguments: Platform.present)
  func restarts(platform: Platform) throws {
    let scenarios = ["channelsRestart", "sessionsRestart", "walkersRestart", "eventsRestart"]
    try withGateway { try Scenarios.run(scenarios, on: platform, gateway: $0) }
  }

  @Test("silence, refusals, every close code and every limit end as documented", arguments: Platform.present)
  func faults(platform: Platform) throws {
    let scenarios = ["closeCodes", "silence", "refusals", "staleTokens", "limits", "brokenReplies"]
    try withGateway { try Scenarios.run(scenarios, on: platform, gateway: $0) }
  }

  @Test("the helper of older pages opens an authenticated WebSocket", arguments: Platform.present)
  func olderPages(platform: Platform) throws {
    try withGateway { try Scenarios.run(["olderPages"], on: platform, gateway: $0) }
  }

  @Test("the types, the package and the documented limits are those of the modules")
  func types() throws {
    try withGateway {
      try Scenarios.run(["typesMatch", "limitsDocumented", "packageFiles"], on: .node, gateway: $0)
    }
  }

  @Test("the table of close codes is read whole")
  func closeCodes() throws {
    let rows = try CloseCodes.rows()
    #expect(rows.count >= 9, "\(rows)")
    let page = try JSONEncoder().encode(rows)
    #expect(String(decoding: page, as: UTF8.self).contains(#"[1008,"rate limit","backOff"]"#))
  }

  /// Debian's node-typescript is enough.
  static let compiler = ["/usr/bin/tsc", "/usr/local/bin/tsc"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  @Test(
    "an application in TypeScript compiles against the types", .enabled(if: compiler != nil, "tsc is not installed"))
  func typeScript() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.compiler ?? "")
    process.arguments =
      ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext"]
      + ["--moduleResolution", "nodenext", Scenarios.path("usage.ts")]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let complaints = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(complaints)")
  }
}
