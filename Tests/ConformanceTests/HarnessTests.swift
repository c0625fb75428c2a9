// Whether the harness itself does what the conformance tests rely on.

import TestSupport
import Testing

@Suite("Conformance harness")
struct HarnessTests {
  @Test("clients are spread over the reactors in turn", arguments: reactorCounts)
  func spread(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.spread(4) { number throws in
        try gateway.connect("/channels?token=" + Tokens.channels(user: "user-\(number)"))
      }
      for (number, client) in clients.enumerated() {
        try expectJSON(
          client,
          #"{"type":"connected","message":"Welcome to Nexus WebSocket","userId":"user-\#(number)"}"#)
      }
      let metrics = try gateway.metrics()
      for reactor in 0..<reactors { #expect(metrics.value("websockets", reactor: reactor) >= 4 / reactors) }
    }
  }

  @Test("a refused upgrade is an answer like any other")
  func refusal() throws {
    try withGateway(reactors: 1) { gateway throws in
      let answer = try gateway.upgrade("/channels")
      #expect(answer.status == 401)
    }
  }
}
