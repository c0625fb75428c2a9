// What the tests of ai:chat with an AI service behind it share: the service, a gateway's settings for it, and answers as
// clients of each kind see them. Owned by a test.

import Foundation
import TestSupport
import Testing

/// Servers/openai.py as a process.
struct AIService {
  let server: BackendServer

  init() throws { self.init(try BackendServer(script: "Tests/ConformanceTests/Servers/openai.py")) }

  /// Another server in its place.
  init(_ server: BackendServer) { self.server = server }

  /// Settings of a gateway that asks it; patient unless told otherwise.
  func settings(_ more: [(String, String)] = []) -> [(String, String)] {
    [
      ("ai.baseURL", server.url("")), ("ai.model", "test-model"), ("ai.key", "sk-test"),
      ("ai.timeoutMilliseconds", "60000"), ("ai.idleTimeoutMilliseconds", "60000"),
      ("channels.telemetryIntervalMilliseconds", "0"),
    ] + more
  }

  /// What it has counted.
  func stats() throws -> [String: Any] {
    let answer = try HTTPExchange.get("/stats", port: server.port)
    return try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any] ?? [:]
  }

  func number(_ name: String) throws -> Int { try stats()[name] as? Int ?? -1 }

  /// Tells it something: `cut` or `mend`.
  func tell(_ word: String) throws {
    let answer = try HTTPExchange.get("/" + word, port: server.port)
    #expect(answer.status == 200)
  }

  /// Nothing is left of any answer, neither at the gateway nor here.
  func isQuiet(_ gateway: ConformanceGateway) throws -> Bool {
    try eventually { try gateway.metrics().samples["ai_calls"] == 0 && number("open") == 0 }
  }

  /// The first words of every answer.
  static func words(_ count: Int) -> [String] { (0..<count).map { "\($0) " } }
}

/// One answer as a client sees it.
struct AIAnswer {
  var chunks: [String] = []
  var full: String?
  var error: String?
  /// What the answer was called at its start, and by the error that ended it.
  var id: String?
  var failedId: String?
  /// How many events said that it was over.
  var endCount = 0

  init() {}

  /// Asks and reads to the end.
  init(_ client: WebSocketClient, _ message: String) throws {
    try client.send(#"{"event":"ai:chat","data":{"message":"\#(message)"}}"#)
    try self.init(reading: client)
  }

  /// Asks with a message of any characters and reads to the end.
  init(_ client: WebSocketClient, asking message: String) throws {
    let quoted = String(decoding: try JSONSerialization.data(withJSONObject: [message]), as: UTF8.self)
    try client.send(#"{"event":"ai:chat","data":{"message":\#(quoted.dropFirst().dropLast())}}"#)
    try self.init(reading: client)
  }

  init(reading client: WebSocketClient) throws {
    let events = try EventsChatConformanceTests.collect(client).chat
    #expect(events.first?.name == "ai:response:start")
    id = events.first?.data["messageId"]?.text
    for event in events.dropFirst() { take(event.name, event.data) }
  }

  /// Takes an event that is not the first one.
  mutating func take(_ name: String, _ data: JSON) {
    #expect(endCount == 0, "\(name) behind the end")
    switch name {
    case "ai:response:chunk": chunks.append(data["chunk"]?.text ?? "no text")
    case "ai:response:complete": (full, endCount) = (data["fullResponse"]?.text, endCount + 1)
    case "ai:response:error":
      (error, endCount) = (data["error"]?.text, endCount + 1)
      failedId = data["messageId"]?.text
    default: Issue.record("an event \(name)")
    }
  }
}
