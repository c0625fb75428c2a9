// What the end-to-end tests share: a gateway for the time of a test, and comparisons that say what they saw.

import Foundation
import TestSupport
import Testing

/// Tests of one gateway each, with real sockets. They run beside each other.
@Suite("End to end")
enum EndToEnd {}

/// Tests that load the machine. They run one after the other.
@Suite("End to end, under load", .serialized)
enum EndToEndLoad {}

/// Runs `body` against a gateway of its own. The gateway must then end with status 0 within its patience, and no secret may
/// stand in its log.
func withGateway(
  _ arguments: [String] = [], reactors: Int = 1, environment: [String: String] = [:], descriptors: Int? = nil,
  standardAddress: Bool = true, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: (GatewayProcess) throws -> Void
) throws {
  let gateway = try GatewayProcess(
    arguments, reactors: reactors, environment: environment, descriptors: descriptors,
    standardAddress: standardAddress)
  do {
    try body(gateway)
  } catch {
    Issue.record(error, "the gateway said:\n\(gateway.log)", sourceLocation: sourceLocation)
  }
  expectCleanEnd(gateway.stop(), sourceLocation: sourceLocation)
}

/// Status 0, and neither a token nor a secret in the log. Every JSON Web Token begins with `eyJ`.
func expectCleanEnd(_ end: ProcessEnd, sourceLocation: SourceLocation = #_sourceLocation) {
  #expect(end.status == 0, "the gateway said:\n\(end.log)", sourceLocation: sourceLocation)
  #expect(!end.log.contains("eyJ"), "a token stands in the log", sourceLocation: sourceLocation)
  #expect(!end.log.contains(Tokens.secret), "a secret stands in the log", sourceLocation: sourceLocation)
}

/// The next message is JSON equal to `expected`.
func expectNext(
  _ client: WebSocketClient, _ expected: String, _ comment: Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let text = try client.nextText()
  #expect(JSON(text) == JSON(expected), comment ?? "\(text)", sourceLocation: sourceLocation)
}

/// The next message is `expected` with a timestamp of the conventions of PROTOCOLS: ISO 8601, milliseconds, `Z`.
func expectNextStamped(
  _ client: WebSocketClient, _ expected: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let text = try client.nextText()
  guard case .object(var members)? = JSON(text) else {
    Issue.record("not an object: \(text)", sourceLocation: sourceLocation)
    return
  }
  let timestamp = members.removeValue(forKey: "timestamp")?.text ?? ""
  #expect(JSON.object(members) == JSON(expected), "\(text)", sourceLocation: sourceLocation)
  #expect(isTimestamp(timestamp), "\(text)", sourceLocation: sourceLocation)
}

/// Whether a text looks like `2026-11-21T04:15:05.602Z`.
func isTimestamp(_ text: String) -> Bool {
  text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil
}

/// Nothing but what `ping` brings is on its way to the client.
func expectSilence(_ client: WebSocketClient, sourceLocation: SourceLocation = #_sourceLocation) throws {
  let before = try client.drain()
  #expect(before.isEmpty, "unexpected: \(before)", sourceLocation: sourceLocation)
}

/// The metrics come to fulfil a condition.
func expectMetrics(
  _ gateway: GatewayProcess, sourceLocation: SourceLocation = #_sourceLocation, _ condition: (Metrics) -> Bool
) throws {
  var last: Metrics?
  let isMet = try eventually {
    let metrics = try Metrics(of: gateway)
    last = metrics
    return condition(metrics)
  }
  let seen = last?.samples.filter { $0.value != 0 && !$0.key.contains("_bucket") } ?? [:]
  #expect(isMet, "the metrics say: \(seen)", sourceLocation: sourceLocation)
}

/// Clients until each reactor has at least one. Which one the system gives a connection to cannot be chosen.
func clientsOnEveryReactor(_ gateway: GatewayProcess, reactors: Int, atLeast count: Int) throws -> [WebSocketClient] {
  var clients: [WebSocketClient] = []
  for _ in 0..<200 {
    if clients.count >= count {
      let isSpread = try eventually(milliseconds: 1_000) {
        let metrics = try Metrics(of: gateway)
        return (0..<reactors).allSatisfy { metrics.value("websockets", reactor: $0) > 0 }
      }
      if isSpread { return clients }
    }
    clients.append(try WebSocketClient(gateway, user: "user-\(clients.count)"))
  }
  throw GatewayFailure(description: "\(clients.count) connections, and still a reactor without one")
}

/// Two clients on different reactors; on the same one where there is but one.
func clientPair(_ gateway: GatewayProcess, reactors: Int) throws -> (WebSocketClient, WebSocketClient) {
  let first = try WebSocketClient(gateway, user: "alice")
  if reactors == 1 { return (first, try WebSocketClient(gateway, user: "bob")) }
  var others: [WebSocketClient] = []
  for _ in 0..<60 {
    let other = try WebSocketClient(gateway, user: "bob")
    others.append(other)
    let expected = 1 + others.count
    var counts: [Int] = []
    let isCounted = try eventually {
      let metrics = try Metrics(of: gateway)
      counts = (0..<reactors).map { metrics.value("websockets", reactor: $0) }
      return counts.reduce(0, +) == expected
    }
    #expect(isCounted, "websockets never counted \(expected): \(counts)")
    // All before this one are on the reactor of the first.
    if counts.filter({ $0 > 0 }).count > 1 { return (first, other) }
  }
  throw GatewayFailure(description: "60 connections, and all on one reactor")
}
