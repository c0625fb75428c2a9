// PROTOCOLS 3.5: POSTs of very many packets, which take more than a turn, and how sessions that poll end in order.

import Foundation
import Gateway
import TestSupport
import Testing

@Suite("Conformance: Engine.IO over turns")
struct EngineIOTurnsTests {
  private func joined(_ gateway: ConformanceGateway, _ polling: Polling = .kept) throws -> PollingSession {
    let session = try PollingSession(gateway, polling)
    try session.post(#"40{"token":"\#(gateway.acquireSession())"}"#)
    var packets: [String] = []
    while packets.count < 2 { packets += try session.poll() }
    return session
  }

  /// As many packets as fit into the largest body.
  private func full(_ packet: String) -> [String] {
    Array(repeating: packet, count: 990_000 / (packet.utf8.count + 1))
  }

  @Test(
    "a POST of as many packets as fit is taken in turns, and other clients are served meanwhile",
    arguments: ["6", #"42["x"]"#, "431[]", "3", "42"])
  func manyPackets(packet: String) throws {
    try withGateway(reactors: 1) { gateway throws in
      let session = try joined(gateway)
      let turns = try gateway.metrics().sum("event_loop_turns_total")
      let received = try gateway.metrics().sum("messages_received_total")
      let packets = full(packet)
      let post = try session.begin("POST", body: PollingSession.payload(packets))
      let other = try SocketIOTestClient(gateway, .webSocket)
      try other.join(gateway.acquireSession())
      try other.expectOnlyPong()
      #expect(try HTTPExchange.readAnswer(on: post).text == "ok")
      #expect(try eventually { try gateway.metrics().sum("messages_received_total") - received >= packets.count })
      // Each turn works for a fraction of a millisecond. What is left of the turn that takes the body is not counted.
      #expect(try eventually { try gateway.metrics().sum("event_loop_turns_total") - turns > 20 })
      try session.post(#"42["ping"]"#)
      #expect(try session.poll().first?.hasPrefix(#"42["pong""#) == true)
    }
  }

  @Test("events of a long POST are answered in order, and what is posted next comes after them")
  func order() throws {
    try withGateway { gateway throws in
      let session = try joined(gateway)
      let count = 20_000
      let post = try session.begin(
        "POST", body: PollingSession.payload((0..<count).map { #"42["echo",\#($0)]"# } + full("6").prefix(100_000)))
      var number = 0
      while number < count {
        for packet in try session.poll() where packet != "2" {
          guard packet.hasPrefix(#"42["echo_response",{"received":\#(number),"#) else {
            Issue.record("\(packet) instead of number \(number)")
            return
          }
          number += 1
        }
      }
      #expect(try HTTPExchange.readAnswer(on: post).text == "ok")
      try session.post(#"42["echo",-1]"#)
      #expect(try session.poll().first?.contains(#""received":-1"#) == true)
    }
  }

  @Test("a second POST while a long one is under way is refused, and ends the session")
  func overlapping() throws {
    try withGateway(reactors: 1) { gateway throws in
      let session = try joined(gateway)
      let aside = try session.connection()
      for _ in 0..<20 {
        let first = try session.begin("POST", body: PollingSession.payload(full(#"42["unknown"]"#)))
        let request = "POST \(session.target()) HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n6"
        let second = try HTTPExchange.perform(request, on: aside)
        // The test may have been slower than the gateway: then there is no second POST but a next one.
        if second.status == 200 {
          #expect(try HTTPExchange.readAnswer(on: first).text == "ok")
          continue
        }
        #expect(second.status == 400)
        #expect(try HTTPExchange.readAnswer(on: first).status == 400)
        try session.expectOver()
        return
      }
      Issue.record("no POST came while another was under way")
    }
  }

  @Test("a client that goes while its POST is worked on ends its session, and nothing is left")
  func gone() throws {
    try withGateway(reactors: 1) { gateway throws in
      let before = try gateway.metrics().sum("connections")
      for _ in 0..<5 {
        let session = try joined(gateway)
        let post = try session.connection()
        let body = PollingSession.payload(full(#"42["unknown"]"#))
        let head = "POST \(session.target()) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.count)\r\n\r\n"
        try post.send([UInt8](head.utf8) + body)
        post.close()
      }
      #expect(try eventually { try gateway.metrics().sum("connections") <= before + 1 })
    }
  }

  @Test("a malformed packet behind many others is 400 and ends the session, as it does behind none")
  func malformedBehind() throws {
    try withGateway { gateway throws in
      let session = try joined(gateway)
      #expect(try session.postAnything(full("6") + ["7"]) == 400)
      try session.expectOver()
    }
  }

  @Test("a WebSocket that takes over before a long POST is answered is closed, and polling goes on")
  func earlyUpgrade() throws {
    try withGateway(reactors: 1) { gateway throws in
      let session = try joined(gateway)
      let client = try session.upgrade()
      try client.send("2probe")
      try expectText(client, "3probe")
      let post = try session.begin("POST", body: PollingSession.payload(full(#"42["unknown"]"#)))
      // Behind the POST, by a request that is answered while that goes on.
      ThisProcess.pause(milliseconds: 20)
      try client.send("5")
      let next = client.next()
      #expect(try HTTPExchange.readAnswer(on: post).text == "ok")
      // A fast machine is through before the 5 comes.
      if next == .close(1000, "") {
        try session.post(#"42["ping"]"#)
        #expect(try session.poll().first?.hasPrefix(#"42["pong""#) == true)
      }
    }
  }

  @Test("a broadcast with a large attachment reaches many clients that poll, over several turns, and each gets all")
  func manyPolls() throws {
    let attachment = (0..<400_000).map { UInt8(truncatingIfNeeded: $0) }
    let place = Array(#"{"_placeholder":true,"num":0}"#.utf8)
    var extensions = Extensions()
    extensions.events["tell"] = { call in
      try call.emitToOthers(event: "news", data: place, attachments: [attachment])
    }
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let sessions = try (0..<30).map { _ in try joined(gateway) }
      let polls = try sessions.map { try $0.begin("GET") }
      let sender = try SocketIOTestClient(gateway, .webSocket)
      try sender.join(gateway.acquireSession())
      let turns = try gateway.metrics().sum("event_loop_turns_total")
      try sender.send(#"42["tell"]"#)
      for poll in polls {
        let packets = PollingSession.packets(try HTTPExchange.readAnswer(on: poll))
        #expect(packets.count == 2 && packets[0].hasPrefix(#"451-["news""#))
        #expect(packets.last?.dropFirst().isEmpty == false)
        #expect(packets.last.map { Data(base64Encoded: String($0.dropFirst())) == Data(attachment) } == true)
      }
      // To write one such answer takes more than the share of a turn.
      #expect(try eventually { try gateway.metrics().sum("event_loop_turns_total") - turns >= 29 })
      try sender.expectOnlyPong()
      for session in sessions.prefix(3) {
        try session.post(#"42["ping"]"#)
        #expect(try session.poll().first?.hasPrefix(#"42["pong""#) == true)
      }
    }
  }

  // MARK: Ending in order

  @Test(
    "the poll that waits is told that Socket.IO has ended the session, or the next one is",
    arguments: Polling.allCases)
  func told(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let waiting = try joined(gateway, polling)
      let poll = try waiting.begin("GET")
      #expect(poll.receive(patienceMilliseconds: 50) == .timedOut)
      try waiting.post("42{}")
      #expect(try HTTPExchange.readAnswer(on: poll).text == "1")
      try waiting.expectOver()

      let next = try joined(gateway, polling)
      try next.post("42{}")
      // It does not know yet.
      try next.post(#"42["ping"]"#)
      #expect(try next.poll() == ["6", "1"])
      try next.expectOver()

      let queued = try joined(gateway, polling)
      try queued.post(#"42["ping"]"#, "42{}", #"42["ping"]"#)
      let packets = try queued.poll()
      #expect(packets.count == 2 && packets[0].hasPrefix(#"42["pong""#) && packets[1] == "1", "\(packets)")
      try queued.expectOver()

      let many = try joined(gateway, polling)
      #expect(try many.postAnything(Array(repeating: #"42["ping"]"#, count: 16) + ["42{}"]) == 200)
      #expect(try many.poll().count == 16)
      #expect(try many.poll() == ["6", "1"])
      try many.expectOver()
    }
  }

  @Test("a session whose client never asks again is forgotten, with all that it was in")
  func forgotten() throws {
    try withGateway(reactors: 1, settings: [("limits.closeTimeoutMilliseconds", "300")]) { gateway throws in
      let before = try gateway.metrics()
      for _ in 0..<20 {
        let session = try joined(gateway)
        try session.post("42{}")
      }
      #expect(
        try eventually {
          let now = try gateway.metrics()
          return now.sum("subscriptions") == before.sum("subscriptions")
            && now.sum("connections") <= before.sum("connections") + 1
        })
      #expect(try gateway.metrics().closes("bad_packet") == before.closes("bad_packet") + 20)
    }
  }

  @Test("a WebSocket cannot take over a session that Socket.IO has ended")
  func noUpgrade() throws {
    try withGateway { gateway throws in
      let session = try joined(gateway)
      let probe = try session.upgrade()
      try probe.send("2probe")
      try expectText(probe, "3probe")
      try session.post("42{}")
      #expect(probe.next() == .close(1000, ""))
      #expect(try session.aside("GET", session.target("websocket")).status == 400)
      #expect(try session.poll() == ["6", "1"])
    }
  }
}
