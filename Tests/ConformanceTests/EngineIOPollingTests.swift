// PROTOCOLS 3.5, the polling transport of Engine.IO: polls, posts, and the way over to a WebSocket.

import Foundation
import TestSupport
import Testing

@Suite("Conformance: Engine.IO, polling and upgrading")
struct EngineIOPollingTests {
  /// A session that has joined the default namespace and has read its welcome.
  private func joined(_ gateway: ConformanceGateway, _ polling: Polling) throws -> PollingSession {
    let session = try PollingSession(gateway, polling)
    try session.post(#"40{"token":"\#(gateway.acquireSession())"}"#)
    var packets: [String] = []
    while packets.count < 2 { packets += try session.poll() }
    #expect(packets[0].hasPrefix("40{") && packets[1].hasPrefix("42[\"connected\""))
    return session
  }

  private static let ping = #"42["ping"]"#

  private func isPong(_ packet: String?) -> Bool { packet?.hasPrefix(#"42["pong",{"#) == true }

  // MARK: Polls

  @Test("a poll with nothing to send is held until there is something", arguments: Polling.allCases)
  func held(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try joined(gateway, polling)
      for _ in 0..<5 {
        let poll = try session.begin("GET")
        #expect(poll.receive(patienceMilliseconds: 50) == .timedOut)
        try session.post(Self.ping)
        let packets = PollingSession.packets(try HTTPExchange.readAnswer(on: poll))
        #expect(packets.count == 1 && isPong(packets.first), "\(packets)")
      }
    }
  }

  @Test("a poll that comes behind another on one connection waits for its turn")
  func pipelined() throws {
    try withGateway { gateway throws in
      let session = try joined(gateway, .kept)
      let poll = try session.begin("GET")
      _ = try session.begin("GET")
      for _ in 0..<2 {
        #expect(poll.receive(patienceMilliseconds: 50) == .timedOut)
        try session.post(Self.ping)
        #expect(isPong(try HTTPExchange.readAnswer(on: poll).text))
      }
    }
  }

  @Test("an answer has 16 packets at most, and all come in order", arguments: Polling.allCases)
  func sixteen(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try joined(gateway, polling)
      let events = (0..<40).map { #"42["echo",\#($0)]"# }
      #expect(try session.postAnything(events) == 200)
      var received: [Double?] = []
      for count in [16, 16, 8] {
        let packets = try session.poll()
        #expect(packets.count == count)
        received += packets.map { packet in
          guard case .array(let elements)? = JSON(String(packet.dropFirst(2))) else { return nil }
          return elements[1]["received"]?.number
        }
      }
      #expect(received == (0..<40).map { Double($0) })
    }
  }

  @Test("a second poll is refused, the first is ended with 1, and the session is over", arguments: Polling.allCases)
  func overlappingPolls(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try joined(gateway, polling)
      let first = try session.begin("GET")
      ThisProcess.pause(milliseconds: 100)
      let second = try session.aside("GET")
      #expect(second.status == 400 && JSON(second.text) == JSON(#"{"code":3,"message":"Bad request"}"#))
      #expect(try HTTPExchange.readAnswer(on: first).text == "1")
      try session.expectOver()
    }
  }

  @Test("a poll that its client gives up ends the session", arguments: Polling.allCases)
  func abortedPoll(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try joined(gateway, polling)
      let before = try gateway.metrics().closes("disconnected")
      let poll = try session.connection()
      try poll.send([UInt8]("GET \(session.target()) HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
      #expect(poll.receive(patienceMilliseconds: 100) == .timedOut)
      poll.close()
      #expect(try eventually { try gateway.metrics().closes("disconnected") >= before + 2 })
      try session.expectOver()
    }
  }

  // MARK: Posts

  @Test("a second post is refused, and the session is over", arguments: Polling.allCases)
  func overlappingPosts(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try joined(gateway, polling)
      let first = try session.connection()
      try first.send([UInt8]("POST \(session.target()) HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n42".utf8))
      ThisProcess.pause(milliseconds: 100)
      let second = try session.request("POST", body: [UInt8](Self.ping.utf8))
      #expect(second.status == 400 && JSON(second.text) == JSON(#"{"code":3,"message":"Bad request"}"#))
      try first.send([UInt8]("[1]".utf8))
      #expect(try HTTPExchange.readAnswer(on: first).status == 400)
      try session.expectOver()
    }
  }

  @Test("a post whose client goes before it is whole ends the session", arguments: Polling.allCases)
  func abortedPost(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try joined(gateway, polling)
      let poll = try session.begin("GET")
      let post = try session.connection()
      try post.send([UInt8]("POST \(session.target()) HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n42".utf8))
      ThisProcess.pause(milliseconds: 100)
      post.close()
      #expect(try HTTPExchange.readAnswer(on: poll).text == "1")
      try session.expectOver()
    }
  }

  @Test(
    "a post of maxPayload bytes is taken, and a longer one is 413 and ends the session", arguments: Polling.allCases)
  func limits(polling: Polling) throws {
    try withPolling(polling, settings: [("events.payloadBytesMax", "2000")]) { gateway throws in
      let session = try joined(gateway, polling)
      let around = #"42["echo",""]"#.utf8.count
      let data = String(repeating: "x", count: 2_000 - around)
      try session.post(#"42["echo","\#(data)"]"#)
      #expect(try session.poll().first?.contains(data) == true)
      #expect(try session.postAnything([#"42["echo","\#(data)x"]"#]) == 413)
      try session.expectOver()
      let client = try gateway.connect("/socket.io/?EIO=4&transport=websocket")
      _ = try client.nextText()
      try client.send(#"42["echo","\#(data)x"]"#)
      guard case .close(1009, _) = client.next() else {
        Issue.record("no 1009")
        return
      }
    }
  }

  @Test("a body that is no payload is 400", arguments: Polling.allCases)
  func badBodies(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let bodies: [([UInt8], [String])] = [
        ([], []), ([0x34, 0x32, 0xC0, 0xAF], []), ([0x1E], []), ([0x33, 0x1E], []),
        ([0x33], ["Content-Type: application/octet-stream"]),
      ]
      for (body, headers) in bodies {
        let session = try PollingSession(gateway, polling)
        let answer = try session.request("POST", body: body, headers: headers)
        #expect(answer.status == 400 && JSON(answer.text) == JSON(#"{"code":3,"message":"Bad request"}"#), "\(body)")
        try session.expectOver("\(body)")
      }
    }
  }

  @Test("a post in chunks is taken, and what is before a mistake too", arguments: Polling.allCases)
  func chunked(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try joined(gateway, polling)
      let head = "POST \(session.target()) HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      let socket = try session.connection()
      try socket.send([UInt8]((head + "3\r\n42[\r\n7\r\n\"ping\"]\r\n0\r\n\r\n").utf8))
      #expect(try HTTPExchange.readAnswer(on: socket).text == "ok")
      #expect(isPong(try session.poll().first))
      let poll = try session.begin("GET")
      ThisProcess.pause(milliseconds: 100)
      #expect(try session.postAnything([Self.ping, "7"]) == 400)
      #expect(try HTTPExchange.readAnswer(on: poll).status == 200)
      try session.expectOver()
    }
  }

  // MARK: Upgrades

  /// A session whose WebSocket has been probed, with its poll released.
  private func probed(_ session: PollingSession) throws -> WebSocketClient {
    let poll = try session.begin("GET")
    let client = try session.upgrade()
    try client.send("2probe")
    try expectText(client, "3probe")
    #expect(try HTTPExchange.readAnswer(on: poll).text == "6")
    return client
  }

  @Test("an upgrade releases the poll, keeps what comes meanwhile, and goes on with it", arguments: Polling.allCases)
  func upgrade(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try joined(gateway, polling)
      let client = try probed(session)
      for batch in 0..<10 {
        let events = (0..<100).map { #"42["echo",\#(batch * 100 + $0)]"# }
        #expect(try session.postAnything(events) == 200)
      }
      #expect(try session.poll() == ["6"])
      // What follows the upgrade in the same segment is the session's.
      let last = ["5", #"42["echo",1000]"#, #"42["info"]"#]
      try client.socket.send(last.flatMap { ClientFrame(ClientFrame.text, [UInt8]($0.utf8)).bytes })
      for number in 0...1_000 {
        let text = try client.nextText()
        #expect(text.hasPrefix(#"42["echo_response",{"received":\#(number),"#), "\(text)")
      }
      let info = try client.nextText()
      #expect(info.contains(#""transport":"websocket""#), "\(info)")
      let bad = JSON(#"{"code":3,"message":"Bad request"}"#)
      for (method, body) in [("GET", nil), ("POST", [UInt8]("3".utf8))] {
        let answer = try session.request(method, body: body)
        #expect(answer.status == 400 && JSON(answer.text) == bad, "\(method): \(answer.text)")
      }
      let second = try session.upgrade()
      #expect(second.next() == .close(1000, ""))
      try client.send(Self.ping)
      #expect(isPong(try client.nextText()))
      try client.send("41")
      try client.send("1")
      #expect(client.next() == .end)
      try session.expectOver()
    }
  }

  @Test("a second WebSocket is closed while the first one probes", arguments: Polling.allCases)
  func secondProbe(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try joined(gateway, polling)
      let client = try probed(session)
      let second = try session.upgrade()
      #expect(second.next() == .close(1000, ""))
      try client.send("5")
      try client.send(Self.ping)
      #expect(isPong(try client.nextText()))
    }
  }

  @Test("an upgrade that is not finished in time is dropped, and polling goes on", arguments: Polling.allCases)
  func upgradeTimeout(polling: Polling) throws {
    try withPolling(polling, settings: [("events.upgradeTimeoutMilliseconds", "300")]) { gateway throws in
      let session = try joined(gateway, polling)
      let client = try probed(session)
      try session.post(Self.ping)
      #expect(client.next() == .close(1000, ""))
      // The WebSocket has not gone yet, and does not count any more.
      #expect(isPong(try session.poll().first))
      let poll = try session.begin("GET")
      #expect(poll.receive(patienceMilliseconds: 50) == .timedOut)
      let again = try session.upgrade()
      try again.send("2probe")
      try expectText(again, "3probe")
      #expect(try HTTPExchange.readAnswer(on: poll).text == "6")
      try again.send("5")
      try again.send(Self.ping)
      #expect(isPong(try again.nextText()))
    }
  }

  @Test(
    "a probe that breaks the rules is closed, and polling goes on",
    arguments: ["5", "2", "2prob", "3probe", "40{}", "x"])
  func badProbe(message: String) throws {
    for polling in Polling.allCases {
      try withPolling(polling) { gateway throws in
        let session = try joined(gateway, polling)
        let poll = try session.begin("GET")
        let client = try session.upgrade()
        try client.send(message)
        #expect(client.next() == .close(1000, ""))
        try session.post(Self.ping)
        #expect(isPong(try HTTPExchange.readAnswer(on: poll).text))
        let other = try probed(session)
        try other.send("5")
        try other.send(Self.ping)
        #expect(isPong(try other.nextText()))
      }
    }
  }

  @Test("a session that ends while it is being upgraded takes the WebSocket along", arguments: Polling.allCases)
  func endWhileProbing(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try joined(gateway, polling)
      let client = try probed(session)
      try session.post("1")
      #expect(client.next() == .close(1000, ""))
      try session.expectOver()
    }
  }

  @Test("a gateway that stops releases polls and closes upgraded WebSockets")
  func stopping() throws {
    let gateway = try ConformanceGateway(reactors: 2, settings: [("limits.closeTimeoutMilliseconds", "300")])
    let session = try joined(gateway, .apart)
    let other = try joined(gateway, .apart)
    let client = try probed(other)
    try client.send("5")
    try client.send(Self.ping)
    #expect(isPong(try client.nextText()))
    let poll = try session.begin("GET")
    ThisProcess.pause(milliseconds: 100)
    gateway.stop()
    // What was on its way is read now.
    #expect(try HTTPExchange.readAnswer(on: poll).text == "1")
    #expect(client.next() == .close(1001, "server stopping"))
  }
}
