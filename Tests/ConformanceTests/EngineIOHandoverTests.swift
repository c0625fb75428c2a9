// Requests of polling sessions that come to another reactor than the session's, and what sessions cost (PROTOCOLS 3.5).

import Foundation
import TestSupport
import Testing

@Suite("Conformance: Engine.IO, handed from reactor to reactor")
struct EngineIOHandoverTests {
  /// A joined session on each of two reactors.
  private func pair(_ gateway: ConformanceGateway) throws -> [PollingSession] {
    var found: [Int: PollingSession] = [:]
    for _ in 0..<60 where found.count < 2 {
      let session = try PollingSession(gateway, .apart)
      found[try ConformanceGateway.reactor(of: session.sid)] = session
    }
    guard found.count == 2 else { throw GatewayFailure(description: "60 sessions, and all on one reactor") }
    let token = try gateway.acquireSession()
    for session in found.values {
      try session.post(#"40{"token":"\#(token)"}"#)
      var count = 0
      while count < 2 { count += try session.poll().count }
    }
    return found.sorted { $0.key < $1.key }.map(\.value)
  }

  private func post(_ session: PollingSession, _ body: String, headers: String = "") -> String {
    "POST \(session.target()) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
  }

  private func get(_ session: PollingSession) -> String { "GET \(session.target()) HTTP/1.1\r\nHost: x\r\n\r\n" }

  /// Answers that come one after the other on one connection, each at once.
  private func read(_ count: Int, on socket: Socket) throws -> [String] {
    var bytes: [UInt8] = []
    var bodies: [String] = []
    while bodies.count < count {
      guard case .bytes(let more) = socket.receive() else {
        throw GatewayFailure(description: "\(bodies), and then nothing")
      }
      bytes += more
      while let end = bytes.firstRange(of: [13, 10, 13, 10]) {
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        let length = head.firstMatch(of: /Content-Length: (\d+)/).flatMap { Int($0.1) } ?? 0
        guard bytes.count >= end.upperBound + length else { break }
        bodies.append(String(decoding: bytes[end.upperBound..<end.upperBound + length], as: UTF8.self))
        bytes.removeFirst(end.upperBound + length)
      }
    }
    return bodies
  }

  @Test("each request of a session whose connections are apart is handed over, once")
  func apart() throws {
    try withGateway { gateway throws in
      for session in try pair(gateway) {
        let sockets = try (0..<10).map { _ throws in try session.connection() }
        // The numbers are a little behind; those of the connections themselves come first.
        var before = -1
        #expect(
          try eventually {
            let last = before
            before = try gateway.metrics().sum("connections_handed_over_total")
            ThisProcess.pause(milliseconds: 250)
            return before == last
          })
        for socket in sockets {
          try socket.send([UInt8](post(session, "3").utf8))
          #expect(try read(1, on: socket) == ["ok"])
        }
        #expect(
          try eventually { try gateway.metrics().sum("connections_handed_over_total") >= before + sockets.count })
        // Each connection is where its session is now.
        for socket in sockets {
          try socket.send([UInt8](post(session, "3").utf8))
          #expect(try read(1, on: socket) == ["ok"])
        }
        ThisProcess.pause(milliseconds: 250)
        #expect(try gateway.metrics().sum("connections_handed_over_total") == before + sockets.count)
      }
    }
  }

  @Test("requests of two sessions on one connection are answered in order, however they are cut")
  func pipelined() throws {
    try withGateway { gateway throws in
      let sessions = try pair(gateway)
      let before = try gateway.metrics().sum("connections_handed_over_total")
      var requests = ""
      for number in 0..<10 {
        for session in sessions { requests += post(session, #"42["echo",\#(number)]"#) + get(session) }
      }
      let bytes = [UInt8](requests.utf8)
      for step in [bytes.count, 977, 64] {
        let socket = try Socket(port: gateway.port)
        for start in stride(from: 0, to: bytes.count, by: step) {
          try socket.send(Array(bytes[start..<min(start + step, bytes.count)]))
        }
        let bodies = try read(40, on: socket)
        for (place, body) in bodies.enumerated() {
          let isRight =
            place % 2 == 0 ? body == "ok" : body.hasPrefix(#"42["echo_response",{"received":\#(place / 4),"#)
          #expect(isRight, "\(place): \(body)")
        }
      }
      // Of each 20 pairs of requests all but perhaps the first are on the other reactor than the pair before.
      #expect(
        try eventually { try gateway.metrics().sum("connections_handed_over_total") >= before + 3 * 19 })
    }
  }

  @Test("a body that comes after the hand-over, in pieces and after 100 Continue, is taken")
  func bodies() throws {
    try withGateway { gateway throws in
      let sessions = try pair(gateway)
      let socket = try Socket(port: gateway.port)
      let data = String(repeating: "d", count: 900_000)
      for session in sessions + sessions {
        let whole = [UInt8](post(session, #"42["echo","\#(data)"]"#).utf8)
        for start in stride(from: 0, to: whole.count, by: 100_000) {
          try socket.send(Array(whole[start..<min(start + 100_000, whole.count)]))
        }
        #expect(try read(1, on: socket) == ["ok"])
        try socket.send([UInt8](get(session).utf8))
        #expect(try read(1, on: socket)[0].contains(data))
        try socket.send([UInt8](post(session, "3", headers: "Expect: 100-continue\r\n").utf8.dropLast()))
        #expect(try read(1, on: socket) == [""])
        try socket.send([UInt8]("3".utf8))
        #expect(try read(1, on: socket) == ["ok"])
      }
    }
  }

  @Test("a WebSocket that upgrades on another reactor, with everything in one segment")
  func upgrade() throws {
    try withGateway { gateway throws in
      for session in try pair(gateway) + pair(gateway) {
        let socket = try session.connection()
        let packets = ["2probe", "5", #"42["echo",1]"#, #"42["echo",2]"#]
        let frames = packets.flatMap { ClientFrame(ClientFrame.text, [UInt8]($0.utf8)).bytes }
        try socket.send([UInt8](WebSocketClient.request(session.target("websocket")).utf8) + frames)
        let answer = try HTTPExchange.readAnswer(on: socket)
        #expect(answer.status == 101)
        var bytes = answer.rest
        while !String(decoding: bytes, as: UTF8.self).contains(#""received":2"#) {
          guard case .bytes(let more) = socket.receive() else {
            throw GatewayFailure(description: "only \(String(decoding: bytes, as: UTF8.self))")
          }
          bytes += more
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let first = text.firstRange(of: "3probe")
        let second = text.firstRange(of: #""received":1"#)
        #expect(first != nil && second != nil && first!.lowerBound < second!.lowerBound)
      }
    }
  }

  @Test("a compressed WebSocket goes on being compressed after it has taken over", arguments: Polling.allCases)
  func compressed(polling: Polling) throws {
    try withPolling(polling) { gateway throws in
      let session = try PollingSession(gateway, polling)
      try session.post(#"40{"token":"\#(gateway.acquireSession())"}"#)
      let client = try session.upgrade(headers: ["Sec-WebSocket-Extensions: permessage-deflate"])
      try client.send("2probe")
      try expectText(client, "3probe")
      try client.send("5")
      // What was queued for polling is plain; both are short.
      #expect(try client.nextText().hasPrefix("40{"))
      #expect(try client.nextText().hasPrefix(#"42["connected""#))
      let data = String(repeating: "c", count: 5_000)
      try client.send(#"42["echo","\#(data)"]"#)
      // The client of the tests takes no frame with RSV1.
      guard case .close(0, _) = client.next() else {
        Issue.record("a long answer is not compressed")
        return
      }
    }
  }

  @Test("what polling clients send is counted once and is within the rate that is allowed", arguments: Polling.allCases)
  func rate(polling: Polling) throws {
    let settings = [("limits.messagesPerSecondMax", "1"), ("limits.messagesBurstMax", "20")]
    try withPolling(polling, settings: settings) { gateway throws in
      let closes = try gateway.metrics().closes("rate_limited")
      let session = try PollingSession(gateway, polling)
      try session.post("3", "3", "3")
      #expect(try session.postAnything(Array(repeating: "3", count: 30)) == 200)
      #expect(try eventually { try gateway.metrics().closes("rate_limited") == closes + 1 })
      try session.expectOver()
    }
    try withGateway { gateway throws in
      let session = try PollingSession(gateway, .kept)
      try session.post("3", "3", "3")
      let client = try gateway.connect("/socket.io/?EIO=4&transport=websocket")
      _ = try client.nextText()
      try client.send("40")
      _ = try client.nextText()
      #expect(try eventually { try gateway.metrics().sum("messages_received_total") >= 4 })
      #expect(try gateway.metrics().sum("messages_received_total") == 4)
    }
  }
}
