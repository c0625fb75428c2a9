// Events that an application answers, beside and instead of the built-in ones, over native WebSockets.

import EventLoop
import Gateway
import TestSupport
import Testing

@Suite("Conformance: the application's events, natively")
struct EventsHandlerConformanceTests {
  private struct Failure: Error {}

  @Test("a handler gets the data as it was sent, and answers with its own event or another", arguments: reactorCounts)
  func own(reactors: Int) throws {
    var extensions = Extensions()
    extensions.events["order"] = { call in
      call.reply(call.context)
      call.reply(event: "order \"placed\"", Array(#"{"user":\#(call.user == nil),"name":"\#(call.name)"}"#.utf8))
    }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      for (sent, received) in [(#","data":{"a": 1.0}"#, #"{"a": 1.0}"#), ("", "null"), (#","data":"x""#, #""x""#)] {
        try client.send(#"{"event":"order""# + sent + "}")
        let event = try ReceivedEvent(client)
        #expect(event.text == #"{"event":"order","data":"# + received + "}")
        try expectEvent(client, "order \"placed\"", #"{"user":true,"name":"order"}"#)
      }
      try client.send(#"{"event":"\u006frder","data":[]}"#)
      try expectEvent(client, "order", "[]")
    }
  }

  @Test("a handler comes before the built-in event of its name, the others stay")
  func replaced() throws {
    var extensions = Extensions()
    extensions.events["message"] = { $0.reply(event: "message_received", Array(#"{"mine":true}"#.utf8)) }
    extensions.events["ai:chat"] = { $0.reply(event: "ai:response:error", Array(#"{"error":"closed"}"#.utf8)) }
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"message","data":{}}"#)
      try expectEvent(client, "message_received", #"{"mine":true}"#)
      try client.send(#"{"event":"ai:chat"}"#)
      try expectEvent(client, "ai:response:error", #"{"error":"closed"}"#)
      try expectOnlyPong(client)
      try client.send(#"{"event":"unknown"}"#)
      try expectError(client, "Unknown event type: unknown")
    }
  }

  @Test(
    "a handler that fails is an error, and the connection goes on",
    arguments: [
      ("plain", "Handler failed"), ("timed out", "Handler timed out"), ("rejected", "Sold \"out\""),
      ("after a reply", "Handler failed"),
    ])
  func failures(kind: String, text: String) throws {
    var extensions = Extensions()
    extensions.events["order"] = { call in
      switch call.context {
      case Array(#""timed out""#.utf8): throw HandlerError.timedOut
      case Array(#""rejected""#.utf8): throw HandlerError.rejected("Sold \"out\"")
      case Array(#""after a reply""#.utf8):
        call.reply(Array("1".utf8))
        throw Failure()
      default: throw Failure()
      }
    }
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"order","data":"\#(kind)"}"#)
      if kind == "after a reply" { try expectEvent(client, "order", "1") }
      try expectError(client, text)
      try expectOnlyPong(client)
    }
  }

  @Test("handlers of one client run one after another; built-in events do not wait for them", arguments: reactorCounts)
  func order(reactors: Int) throws {
    let gate = Lock(false)
    var extensions = Extensions()
    extensions.events["slow"] = { call in
      while !gate.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(2)) }
      call.reply(call.context)
    }
    extensions.events["open"] = { call in call.reply(Array("true".utf8)) }
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      for number in 0..<10 { try client.send(#"{"event":"slow","data":\#(number)}"#) }
      try client.send(#"{"event":"open"}"#)
      try expectOnlyPong(client)
      gate.withLock { $0 = true }
      for number in 0..<10 { try expectEvent(client, "slow", "\(number)") }
      try expectEvent(client, "open", "true")
    }
  }

  @Test("one call more than allowed is refused at once")
  func tooMany() throws {
    let gate = Lock(false)
    var extensions = Extensions()
    extensions.events["slow"] = { call in
      while !gate.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(2)) }
      call.reply(call.context)
    }
    try withGateway(reactors: 1, settings: [("limits.callsPerConnectionMax", "3")], extensions: extensions) {
      gateway throws in
      let client = try gateway.connectEvents()
      for number in 0..<5 { try client.send(#"{"event":"slow","data":\#(number)}"#) }
      try expectError(client, "Too many requests")
      try expectError(client, "Too many requests")
      gate.withLock { $0 = true }
      for number in 0..<3 { try expectEvent(client, "slow", "\(number)") }
      try client.send(#"{"event":"slow","data":9}"#)
      try expectEvent(client, "slow", "9")
    }
  }

  @Test("the handlers of a client that goes are cancelled, and what they still say reaches nobody")
  func cancellation() throws {
    let cancelled = Lock(0)
    var extensions = Extensions()
    extensions.events["slow"] = { call in
      call.reply(Array("1".utf8))
      do {
        while true { try await Task.sleep(for: .milliseconds(5)) }
      } catch {
        cancelled.withLock { $0 += 1 }
        call.reply(Array("0".utf8))
      }
    }
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"slow"}"#)
      try expectEvent(client, "slow", "1")
      client.socket.close()
      #expect(eventually { cancelled.withLock { $0 } == 1 })
      let other = try gateway.connectEvents()
      try expectOnlyPong(other)
    }
  }
}
