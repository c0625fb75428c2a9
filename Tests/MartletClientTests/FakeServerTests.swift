// The client against servers that send what a gateway seldom or never does.

import EventLoop
import Foundation
import TestSupport
import Testing

@testable import MartletClient

extension Live {
  @Suite("against a scripted server")
  struct Scripted {
    static let acknowledgement = #"{"type":"subscribed","channel":"c"}"#

    static func message(_ data: String) -> String {
      #"{"type":"message","channel":"c","from":"x","data":\#(data),"timestamp":"2026-01-01T00:00:00.000Z"}"#
    }

    /// A client that has subscribed to `c`, and a server whose `script` goes on behind the acknowledgement.
    struct Subscriber {
      var options = quickOptions()
      var script: @Sendable (FakeConnection, Int) throws -> Void

      func run(_ body: (ChannelsClient, Collected<String>, FakeServer) async throws -> Void) async throws {
        let script = script
        let server = try FakeServer { connection, number in
          try connection.upgrade()
          _ = try connection.readFrame(1)
          try connection.sendText(acknowledgement)
          try script(connection, number)
        }
        let client = try ChannelsClient(url: server.url, token: "t", options: options)
        let seen = Collected<String>()
        try await client.connect()
        try await client.subscribe("c") { seen.add($0.text) }
        try await body(client, seen, server)
        await client.close()
        server.stop()
      }
    }

    @Test("a server that writes one byte at a time is understood, handshake and frames")
    func bytewise() async throws {
      let server = try FakeServer { connection, _ in
        try connection.upgrade(pieceBytes: 1)
        _ = try connection.readFrame(1)
        try connection.sendText(Self.acknowledgement, pieceBytes: 1)
        for number in 0..<20 { try connection.sendText(Self.message("\"é\(number)\""), pieceBytes: 1) }
        try connection.send(FakeConnection.frame(9, [1, 2, 3]), pieceBytes: 1)
        connection.waitForEnd()
      }
      let client = try ChannelsClient(url: server.url, token: "t", options: quickOptions())
      try await client.connect()
      let seen = Collected<String>()
      try await client.subscribe("c") { seen.add($0.text) }
      #expect(await becomes { seen.count == 20 })
      #expect(seen.all == (0..<20).map { "\"é\($0)\"" })
      await client.close()
    }

    @Test("the request is what RFC 6455 asks for, with the token percent-encoded in the query")
    func request() async throws {
      let heads = Collected<String>()
      let server = try FakeServer { connection, _ in
        heads.add(try connection.upgrade())
        connection.waitForEnd()
      }
      for _ in 0..<2 {
        let client = try ChannelsClient(url: server.url + "?x=1", token: "a+b/ü", options: quickOptions())
        try await client.connect()
        await client.close()
      }
      let head = try #require(heads.all.first)
      #expect(head.hasPrefix("GET /channels?x=1&token=a%2Bb%2F%C3%BC HTTP/1.1\r\n"))
      #expect(FakeConnection.header("host", of: head) == "127.0.0.1:\(server.port)")
      #expect(FakeConnection.header("upgrade", of: head) == "websocket")
      #expect(FakeConnection.header("connection", of: head) == "Upgrade")
      #expect(FakeConnection.header("sec-websocket-version", of: head) == "13")
      let keys = heads.all.compactMap { FakeConnection.header("sec-websocket-key", of: $0) }
      #expect(Set(keys).count == 2)
      #expect(keys.allSatisfy { Data(base64Encoded: $0)?.count == 16 })
    }

    @Test("every frame of the client is masked, each with another key")
    func masks() async throws {
      let frames = Collected<FakeFrame>()
      let server = try FakeServer { connection, _ in
        try connection.upgrade()
        while true { frames.add(try connection.readFrame()) }
      }
      let client = try ChannelsClient(url: server.url, token: "t", options: quickOptions())
      try await client.connect()
      for number in 0..<100 { try await client.publish("c", json: "\(number)") }
      #expect(await becomes { frames.count == 100 })
      #expect(frames.all.allSatisfy { $0.mask != nil && $0.isFinal && $0.opcode == 1 })
      #expect(Set(frames.all.compactMap(\.mask)).count > 90)
      let last = try #require(frames.all.last)
      #expect(JSON(last.text) == JSON(#"{"action":"publish","channel":"c","payload":99}"#))
    }

    @Test("a ping of the server is answered with its payload")
    func serverPing() async throws {
      let pongs = Collected<FakeFrame>()
      try await Subscriber(script: { connection, _ in
        for payload in [[], [UInt8]("hello".utf8), [UInt8](repeating: 7, count: 125)] {
          try connection.send(FakeConnection.frame(9, payload))
          pongs.add(try connection.readFrame(10))
        }
        connection.waitForEnd()
      }).run { _, _, _ in
        #expect(await becomes { pongs.count == 3 })
        #expect(pongs.all.map(\.payload.count) == [0, 5, 125])
        #expect(pongs.all.allSatisfy { $0.mask != nil })
      }
    }

    @Test("fragmented messages with control frames between the fragments are put together")
    func fragments() async throws {
      let pongs = Collected<FakeFrame>()
      let text = [UInt8](Self.message("\"größer\"").utf8)
      try await Subscriber(script: { connection, _ in
        // Every cut, also inside the two bytes of a character.
        for cut in 1..<text.count {
          try connection.send(FakeConnection.frame(1, Array(text[..<cut]), isFinal: false))
          try connection.send(FakeConnection.frame(9, [UInt8(cut)]))
          try connection.send(FakeConnection.frame(0, [], isFinal: false))
          try connection.send(FakeConnection.frame(0, Array(text[cut...])))
          pongs.add(try connection.readFrame(10))
        }
        connection.waitForEnd()
      }).run { _, seen, _ in
        #expect(await becomes { seen.count == text.count - 1 })
        #expect(Set(seen.all) == ["\"größer\""])
        #expect(await becomes { pongs.count == text.count - 1 })
      }
    }

    @Test("frames with 16-bit and 64-bit lengths come through")
    func lengths() async throws {
      let sizes = [125, 126, 65_535, 65_536, 300_000]
      try await Subscriber(script: { connection, _ in
        let envelope = Self.message("\"\"").utf8.count
        for size in sizes {
          let filler = String(repeating: "x", count: max(0, size - envelope))
          try connection.sendText(Self.message("\"\(filler)\""))
        }
        connection.waitForEnd()
      }).run { _, seen, _ in
        #expect(await becomes { seen.count == sizes.count })
        let envelope = Self.message("\"\"").utf8.count
        #expect(seen.all.map { $0.utf8.count - 2 } == sizes.map { max(0, $0 - envelope) })
      }
    }

    @Test("messages that are not JSON, of unknown types, or binary are passed over")
    func foreign() async throws {
      try await Subscriber(script: { connection, _ in
        for text in ["", "x", "null", "[]", "{}", #"{"type":"new"}"#, #"{"type":"message","channel":3}"#] {
          try connection.sendText(text)
        }
        try connection.send(FakeConnection.frame(2, [0, 255]))
        try connection.sendText(Self.message("1"))
        connection.waitForEnd()
      }).run { client, seen, _ in
        #expect(await becomes { seen.count == 1 })
        #expect(client.state == .open)
      }
    }

    @Test(
      "a server that breaks the protocol is told so with a close code and not connected to again",
      arguments: [
        ([0x81, 0x81, 1, 2, 3, 4, 0] as [UInt8], 1002), ([0xC1, 0], 1002), ([0x83, 0], 1002), ([0x09, 0], 1002),
        ([0x81, 1, 0xFF], 1007), ([0x80, 0], 1002), ([0x81, 127, 0, 0, 0, 0, 1, 0, 0, 0], 1009),
        ([0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002), ([0x88, 1, 3], 1002),
      ])
    func violations(bytes: [UInt8], code: Int) async throws {
      let closes = Collected<[UInt8]>()
      try await Subscriber(script: { connection, _ in
        try connection.send(bytes)
        closes.add(try connection.readFrame(8).payload)
      }).run { client, _, server in
        #expect(await becomes { client.state.closedReason != nil })
        guard case .protocolViolation = client.state.closedReason else {
          Issue.record("\(client.state)")
          return
        }
        #expect(await becomes { closes.count == 1 })
        #expect(closes.all.first.map { Array($0.prefix(2)) } == [UInt8(code >> 8), UInt8(code & 255)])
        #expect(server.connections == 1)
      }
    }

    @Test("close codes decide: stop, or connect again", arguments: [1000, 1002, 1003, 1007, 1008, 1009, 1010])
    func stopCodes(code: Int) async throws {
      let echoes = Collected<[UInt8]>()
      try await Subscriber(script: { connection, _ in
        try connection.sendClose(UInt16(code), "why")
        echoes.add(try connection.readFrame(8).payload)
      }).run { client, _, server in
        let reason = ClosedReason.closedByServer(code: UInt16(code), reason: "why")
        #expect(await becomes { client.state == .closed(reason) })
        #expect(await becomes { echoes.count == 1 })
        #expect(echoes.all == [[UInt8(code >> 8), UInt8(code & 255)]])
        #expect(server.connections == 1)
      }
    }

    @Test(
      "after other codes the client connects and subscribes again",
      arguments: [(1001, ""), (1008, "rate limit"), (1011, ""), (1012, ""), (3008, "slow"), (4000, "")])
    func retryCodes(code: Int, reason: String) async throws {
      try await Subscriber(script: { connection, number in
        if number == 0 {
          try connection.sendClose(UInt16(code), reason)
          _ = try connection.readFrame(8)
        } else {
          try connection.sendText(Self.message("2"))
          connection.waitForEnd()
        }
      }).run { client, seen, server in
        #expect(await becomes { seen.count == 1 })
        #expect(client.lastFailure?.contains("\(code)") == true)
        #expect(server.connections == 2)
        #expect(client.state == .open)
      }
    }

    @Test("a connection that just breaks is made again")
    func broken() async throws {
      try await Subscriber(script: { connection, number in
        if number < 3 { return }
        try connection.sendText(Self.message("1"))
        connection.waitForEnd()
      }).run { client, seen, server in
        #expect(await becomes { seen.count == 1 })
        #expect(server.connections == 4)
      }
    }

    @Test("what the gateway had not read when it closed is sent again, once and in order")
    func resent() async throws {
      let seen = Collected<String>()
      let server = try FakeServer { connection, number in
        try connection.upgrade()
        if number == 0 {
          _ = try connection.readFrame(1)
          try connection.sendClose(1001)
          // Nothing is read behind the close frame but the echo.
          _ = try connection.readFrame(8)
          return
        }
        while true { seen.add(try connection.readFrame(1).text) }
      }
      let client = try ChannelsClient(url: server.url, token: "t", options: quickOptions())
      try await client.connect()
      try await client.publish("c", json: "0")
      #expect(await becomes { server.connections == 2 })
      for number in 1..<50 { try await client.publish("c", json: "\(number)") }
      #expect(await becomes { seen.count >= 49 })
      let numbers = seen.all.compactMap { JSON($0)?["payload"]?.number }
      #expect(numbers == (1..<50).map { Double($0) })
      await client.close()
    }

    @Test("a silent server is pinged, and given up when no answer comes")
    func heartbeat() async throws {
      var options = quickOptions()
      options.pingIntervalMilliseconds = 50
      options.pingTimeoutMilliseconds = 1_000
      let pings = Collected<Int>()
      try await Subscriber(
        options: options,
        script: { connection, number in
          // The first connection answers twice, then never; the second always.
          for round in 0... {
            let ping = try connection.readFrame(9)
            pings.add(number)
            if number == 1 || round < 2 { try connection.send(FakeConnection.frame(10, ping.payload)) }
          }
        }
      ).run { client, _, server in
        #expect(await becomes { pings.all.filter { $0 == 1 }.count >= 3 })
        #expect(pings.all.filter { $0 == 0 }.count == 3)
        #expect(client.lastFailure == "no answer to a ping")
        #expect(server.connections == 2)
      }
    }

    @Test("answers to the handshake that are not what was asked for end the client", arguments: 0..<7)
    func badHandshakes(index: Int) async throws {
      let server = try FakeServer { connection, _ in
        let head = try connection.readRequest().head
        let good = FakeConnection.acceptance(head)
        let key = FakeConnection.header("sec-websocket-accept", of: good) ?? ""
        let bad = [
          good.replacingOccurrences(of: key, with: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
          good.replacingOccurrences(of: "Upgrade: websocket", with: "Upgrade: h2c"),
          good.replacingOccurrences(of: "keep-alive, Upgrade", with: "close"),
          good.replacingOccurrences(of: "\r\n\r\n", with: "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
          good.replacingOccurrences(of: "\r\n\r\n", with: "\r\nSec-WebSocket-Protocol: x\r\n\r\n"),
          "SSH-2.0-OpenSSH\r\n\r\n",
          "HTTP/1.1 101 Switching Protocols\r\nX: " + String(repeating: "x", count: 20_000),
        ]
        try connection.send([UInt8](bad[index].utf8))
        connection.waitForEnd()
      }
      let client = try ChannelsClient(url: server.url, token: "t", options: quickOptions())
      await #expect(throws: ClientError.self) { try await client.connect() }
      guard case .protocolViolation? = client.state.closedReason else {
        Issue.record("\(client.state)")
        return
      }
      #expect(server.connections == 1)
    }

    @Test("503 is tried again, 403 is not, and the last failure is told")
    func statuses() async throws {
      let server = try FakeServer { connection, number in
        _ = try connection.readRequest()
        try connection.answer(number < 3 ? "503 Service Unavailable" : "403 Forbidden")
      }
      let client = try ChannelsClient(url: server.url, token: "t", options: quickOptions())
      await #expect(throws: ClientError.closed(.handshakeRefused(status: 403))) { try await client.connect() }
      #expect(server.connections == 4)
      #expect(client.lastFailure == "status 503")
    }

    @Test("a server that accepts and says nothing is given up after the time for connecting")
    func mute() async throws {
      var options = quickOptions()
      options.connectTimeoutMilliseconds = 50
      options.attemptsMax = 2
      let server = try FakeServer { connection, _ in connection.waitForEnd() }
      let client = try ChannelsClient(url: server.url, token: "t", options: options)
      await #expect(throws: ClientError.closed(.gaveUp("no connection in time"))) { try await client.connect() }
      #expect(server.connections == 2)
    }

    @Test("a reader that takes nothing stops the server instead of filling memory, and loses nothing")
    func backPressure() async throws {
      var options = quickOptions()
      options.inboxMessagesMax = 4
      options.pingIntervalMilliseconds = 50
      // Silence of half a second would be noticed if it counted.
      options.pingTimeoutMilliseconds = 500
      let blocked = Collected<Int>()
      let total = Collected<Int>()
      let server = try FakeServer { connection, _ in
        try connection.upgrade()
        _ = try connection.readFrame(1)
        try connection.sendText(Self.acknowledgement)
        let frame = FakeConnection.frame(
          1, [UInt8](Self.message("\"" + String(repeating: "x", count: 8_000) + "\"").utf8))
        // Sends until the buffers on the way have been full for a while, then only finishes the last frame.
        var rest = frame[...]
        var sent = 0
        var full = 0
        while full < 400 {
          let count = connection.sendSome(Array(rest))
          full = count == 0 ? full + 1 : 0
          if count == 0 { System.pause(milliseconds: 2) }
          rest = rest.dropFirst(count)
          if rest.isEmpty {
            sent += 1
            rest = frame[...]
          }
        }
        blocked.add(sent)
        if rest.count < frame.count {
          try connection.send(Array(rest))
          sent += 1
        }
        total.add(sent)
        connection.waitForEnd()
      }
      let client = try ChannelsClient(url: server.url, token: "t", options: options)
      try await client.connect()
      let stream = try await client.messages("c")
      #expect(await becomes { blocked.count == 1 })
      #expect(client.state == .open, "no ping is sent, and none missed, while nothing is read")
      var read = 0
      for await _ in stream {
        read += 1
        if total.all.first == read { break }
      }
      #expect(read == total.all.first)
      #expect(server.connections == 1)
      await client.close()
    }

    @Test("a subscription that the server refuses throws, and is gone")
    func refusedSubscription() async throws {
      let server = try FakeServer { connection, _ in
        try connection.upgrade()
        while true {
          let text = try connection.readFrame(1).text
          try connection.sendText(
            text.contains("bad") ? #"{"type":"error","message":"Too many subscriptions"}"# : Self.acknowledgement)
        }
      }
      let client = try ChannelsClient(url: server.url, token: "t", options: quickOptions())
      try await client.connect()
      let errors = Collected<String>()
      let stream = client.serverErrors
      Task { for await error in stream { errors.add(error) } }
      await #expect(throws: ClientError.refused("Too many subscriptions")) {
        try await client.subscribe("bad") { _ in }
      }
      try await client.subscribe("c") { _ in }
      #expect(await becomes { errors.all == ["Too many subscriptions"] })
      await client.close()
    }

    @Test("a subscribe without an answer times out, and one that is cancelled throws")
    func unanswered() async throws {
      var options = quickOptions()
      options.answerTimeoutMilliseconds = 50
      let server = try FakeServer { connection, _ in
        try connection.upgrade()
        connection.waitForEnd()
      }
      let client = try ChannelsClient(url: server.url, token: "t", options: options)
      try await client.connect()
      await #expect(throws: ClientError.timedOut) { try await client.subscribe("c") { _ in } }
      await #expect(throws: ClientError.timedOut) { try await client.roundTrip() }
      let task = Task { try await client.subscribe("c") { _ in } }
      task.cancel()
      await #expect(throws: (any Error).self) { try await task.value }
      await client.close()
    }

    @Test("nobody listening: the client waits and tries again, queues up to its limit, and close() ends that")
    func nobody() async throws {
      let server = try FakeServer { _, _ in }
      server.stop()
      let url = server.url
      var options = quickOptions()
      options.queuedMessagesMax = 3
      let client = try ChannelsClient(url: url, token: "t", options: options)
      for number in 0..<3 { try await client.publish("c", json: "\(number)") }
      await #expect(throws: ClientError.queueFull) { try await client.publish("c", json: "3") }
      let states = collectStates(client.states)
      client.start()
      let waiting = Task { try await client.connect() }
      #expect(await becomes { states.all.filter(\.isWaiting).count > 2 })
      await client.close()
      await #expect(throws: ClientError.closed(.requested)) { try await waiting.value }
      #expect(client.unsentCount == 3)
      #expect(await becomes { states.all.last == .closed(.requested) })
    }

    @Test("a name that does not exist counts as a failed attempt")
    func noSuchHost() async throws {
      var options = quickOptions()
      options.attemptsMax = 1
      let client = try ChannelsClient(url: "ws://no-such-host.invalid/channels", token: "t", options: options)
      await #expect(throws: ClientError.closed(.gaveUp("no address for the host"))) { try await client.connect() }
    }

    @Test("close() sends what is queued before the close frame")
    func closeFlushes() async throws {
      let texts = Collected<String>()
      let codes = Collected<[UInt8]>()
      let server = try FakeServer { connection, _ in
        try connection.upgrade()
        while true {
          let frame = try connection.readFrame()
          if frame.opcode == 8 {
            codes.add(frame.payload)
            try connection.sendClose(1000)
            return
          }
          texts.add(frame.text)
        }
      }
      let client = try ChannelsClient(url: server.url, token: "t", options: quickOptions())
      try await client.connect()
      for number in 0..<500 { try await client.publish("c", json: "\(number)") }
      await client.close()
      #expect(texts.count == 500)
      #expect(codes.all == [[3, 232]])
      #expect(client.unsentCount == 0)
      await #expect(throws: ClientError.closed(.requested)) { try await client.publish("c", json: "1") }
    }

    @Test("calls from many tasks over a connection that keeps breaking all end, and no message comes twice or early")
    func manyTasks() async throws {
      let texts = Collected<String>()
      let server = try FakeServer { connection, number in
        try connection.upgrade()
        for _ in 0..<(number < 20 ? 60 : Int.max) {
          let text = try connection.readFrame(1).text
          if text.contains("unsubscribe") {
            try connection.sendText(#"{"type":"unsubscribed","channel":"c"}"#)
          } else if text.contains("subscribe") {
            try connection.sendText(Self.acknowledgement)
          } else {
            texts.add(text)
          }
        }
      }
      var options = quickOptions()
      options.queuedMessagesMax = 20
      options.backoffMaxMilliseconds = 10
      let client = try ChannelsClient(url: server.url, token: "t", options: options)
      try await client.connect()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<6 {
          group.addTask {
            var number = 0
            while number < 300 {
              do {
                try await client.publish("c", json: "[\(writer),\(number)]")
                number += 1
              } catch ClientError.queueFull { try await Task.sleep(for: .milliseconds(2)) }
            }
          }
          group.addTask {
            for _ in 0..<20 { try await client.subscribe("c\(writer)") { _ in }.cancel() }
          }
        }
        try await group.waitForAll()
      }
      // What is on its way when a connection breaks is lost, and the last one may be about to.
      var tries = 0
      let arrives = try await becomes {
        try? await client.publish("c", json: "[6,\(tries)]")
        tries += 1
        try await Task.sleep(for: .milliseconds(50))
        return texts.all.contains { $0.contains("[6,") }
      }
      #expect(arrives)
      var last: [Double: Double] = [:]
      for text in texts.all {
        guard case .array(let pair)? = JSON(text)?["payload"], let writer = pair[0].number, let number = pair[1].number
        else {
          Issue.record("\(text)")
          continue
        }
        #expect(number > last[writer] ?? -1, "\(text)")
        last[writer] = number
      }
      #expect(server.connections > 1)
      await client.close()
    }

    @Test("a token provider that fails is asked again; one that is refused for good ends the client")
    func providers() async throws {
      let server = try FakeServer { connection, _ in
        try connection.upgrade()
        connection.waitForEnd()
      }
      let asked = Collected<Int>()
      struct Trouble: Error {}
      let client = try ChannelsClient(url: server.url, options: quickOptions()) {
        asked.add(1)
        if asked.count < 3 { throw Trouble() }
        return "t"
      }
      try await client.connect()
      #expect(asked.count == 3)
      await client.close()
      let refused = try ChannelsClient(url: server.url, options: quickOptions()) {
        throw ClientError.tokenRefused(status: 401)
      }
      await #expect(throws: ClientError.self) { try await refused.connect() }
      guard case .credentialsRefused? = refused.state.closedReason else {
        Issue.record("\(refused.state)")
        return
      }
    }
  }
}
