// What a gateway does of its own accord, and its limits on messages: telemetry, heartbeat, sizes (PROTOCOLS 2.4, G3, G4, G6).

import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("Server messages and sizes")
  struct ServerMessages {
    @Test("telemetry is broadcast to its subscribers, filters apply", arguments: [1, 2])
    func telemetry(reactors: Int) throws {
      let interval = ["--set", "channels.telemetryIntervalMilliseconds=100"]
      try withGateway(interval, reactors: reactors) { gateway throws in
        let (plain, matching) = try clientPair(gateway, reactors: reactors)
        let other = try WebSocketClient(gateway)
        try plain.subscribe("telemetry")
        try matching.subscribe("telemetry", filters: #"{"metric":"system_health"}"#)
        try other.subscribe("telemetry", filters: #"{"metric":"something_else"}"#)
        for client in [plain, matching] {
          for _ in 0..<3 {
            guard case .object(let message)? = JSON(try client.nextText()) else { continue }
            #expect(Set(message.keys) == ["type", "channel", "data", "timestamp"])
            #expect(message["type"] == .string("broadcast"))
            #expect(message["channel"] == .string("telemetry"))
            #expect(isTimestamp(message["timestamp"]?.text ?? ""))
            #expect(message["data"]?["metric"] == .string("system_health"))
            let value = message["data"]?["value"]?.number ?? -1
            #expect((0...100).contains(value))
          }
        }
        try expectSilence(other)
      }
    }

    @Test("an interval of 0 switches telemetry off")
    func noTelemetry() throws {
      try withGateway(["--set", "channels.telemetryIntervalMilliseconds=0"]) { gateway throws in
        let client = try WebSocketClient(gateway)
        try client.subscribe("telemetry")
        #expect(client.next(patienceMilliseconds: 300) == .timedOut)
        try expectSilence(client)
      }
    }

    @Test("who does not answer a ping is dropped after as long again, who does stays", arguments: [1, 2])
    func heartbeat(reactors: Int) throws {
      try withGateway(["--set", "heartbeatIntervalMilliseconds=1000"], reactors: reactors) { gateway throws in
        let (living, silent) = try clientPair(gateway, reactors: reactors)
        silent.answersPings = false
        for _ in 0..<3 { #expect(living.next() == .ping([])) }
        // The third ping of the one came when the other was long gone.
        let ending = silent.readToEnd()
        #expect(ending.count == 2, "\(ending)")
        #expect(ending.first == .ping([]))
        #expect(ending.last == .end || ending.last == .reset, "no close frame")
        try expectSilence(living)
        try expectMetrics(gateway) { $0.closes("no_pong") == 1 }
      }
    }

    @Test("a message of 1 MiB is taken, one byte more closes with 1009", arguments: [1, 2])
    func sizes(reactors: Int) throws {
      let limit = 1_048_576
      let head = #"{"action":"publish","channel":"big","payload":""#
      func message(_ count: Int) -> [UInt8] {
        [UInt8](head.utf8) + [UInt8](repeating: 0x78, count: count - head.utf8.count - 2) + [0x22, 0x7D]
      }
      try withGateway(reactors: reactors) { gateway throws in
        let (publisher, subscriber) = try clientPair(gateway, reactors: reactors)
        try subscriber.subscribe("big")
        let whole = message(limit)
        try publisher.send(ClientFrame(ClientFrame.text, whole))
        try publisher.send(ClientFrame(ClientFrame.text, Array(whole[..<600_000]), isFinal: false))
        try publisher.send(ClientFrame(ClientFrame.ping, [1, 2, 3]))
        try publisher.send(ClientFrame(ClientFrame.continuation, Array(whole[600_000...])))
        for _ in 0..<2 { #expect(rawData(of: try subscriber.nextText())?.utf8.count == limit - head.utf8.count) }
        #expect(publisher.next() == .pong([1, 2, 3]))

        let over = message(limit + 1)
        try? publisher.send(ClientFrame(ClientFrame.text, over))
        #expect(publisher.next() == .close(1009, "message too big"))

        let another = try WebSocketClient(gateway, user: "bob")
        try another.send(ClientFrame(ClientFrame.text, Array(over[..<600_000]), isFinal: false))
        try? another.send(ClientFrame(ClientFrame.continuation, Array(over[600_000...])))
        guard case .close(1009, _) = another.next() else {
          Issue.record("fragments over the limit were not closed with 1009")
          return
        }
        try expectSilence(subscriber)
        // The connection is over, and counted, when the peer has closed too.
        publisher.socket.close()
        another.socket.close()
        try expectMetrics(gateway) { $0.closes("message_too_big") == 2 }
      }
    }

    @Test("broken frames close with their code, and nobody else notices", arguments: [1, 2])
    func violations(reactors: Int) throws {
      var unmasked = ClientFrame(ClientFrame.text, [0x7B, 0x7D])
      unmasked.mask = nil
      var reserved = ClientFrame(ClientFrame.text, [0x7B, 0x7D])
      reserved.reserved = 4
      let rows: [(name: String, bytes: [UInt8], code: UInt16)] = [
        ("unmasked", unmasked.bytes, 1002),
        ("RSV1 without an extension", reserved.bytes, 1002),
        ("reserved opcode 3", ClientFrame(3, []).bytes, 1002),
        ("reserved opcode 11", ClientFrame(11, []).bytes, 1002),
        ("a fragmented ping", ClientFrame(ClientFrame.ping, [], isFinal: false).bytes, 1002),
        ("a ping of 126 bytes", ClientFrame(ClientFrame.ping, [UInt8](repeating: 0, count: 126)).bytes, 1002),
        ("a continuation without a start", ClientFrame(ClientFrame.continuation, [1]).bytes, 1002),
        (
          "a text frame inside a fragmented message",
          ClientFrame(ClientFrame.text, [0x7B], isFinal: false).bytes + ClientFrame(ClientFrame.text, [0x7D]).bytes,
          1002
        ),
        ("a length that is not the shortest", [0x81, 0xFE, 0, 5, 0, 0, 0, 0, 1, 2, 3, 4, 5], 1002),
        ("a length with the top bit set", [0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], 1002),
        ("a length of 2^63-1", [0x81, 0xFF, 0x7F] + [UInt8](repeating: 0xFF, count: 7) + [0, 0, 0, 0], 1009),
        ("text that is not UTF-8", ClientFrame(ClientFrame.text, [0x22, 0xC0, 0xAF, 0x22]).bytes, 1007),
        ("a surrogate in UTF-8", ClientFrame(ClientFrame.text, [0xED, 0xA0, 0x80]).bytes, 1007),
        ("a close body of one byte", ClientFrame(ClientFrame.close, [3]).bytes, 1002),
        ("close code 1005", ClientFrame(ClientFrame.close, [0x03, 0xED]).bytes, 1002),
        ("a close reason that is not UTF-8", ClientFrame(ClientFrame.close, [0x03, 0xE8, 0xFF]).bytes, 1007),
      ]
      try withGateway(reactors: reactors) { gateway throws in
        let bystander = try WebSocketClient(gateway, user: "bystander")
        try bystander.subscribe("news")
        for row in rows {
          let client = try WebSocketClient(gateway)
          try client.publish("news", #""\#(row.name)""#)
          try client.socket.send(row.bytes)
          let incoming = client.next()
          guard case .close(let code, _) = incoming else {
            Issue.record("\(row.name): \(incoming)")
            continue
          }
          // A length over the limit may be refused for its form or for its size.
          #expect(code == row.code || (row.code == 1009 && code == 1002), "\(row.name)")
          try expectNextStamped(
            bystander, #"{"type":"message","channel":"news","from":"alice","data":"\#(row.name)"}"#)
        }
      }
    }

    @Test("a close is echoed with its code, and the connection ends")
    func closeEcho() throws {
      try withGateway { gateway throws in
        let rows: [(body: [UInt8], code: UInt16)] = [([], 1005), ([0x03, 0xE8], 1000), ([0x0F, 0xA0, 0x62], 4000)]
        for (body, code) in rows {
          let client = try WebSocketClient(gateway)
          try client.send(ClientFrame(ClientFrame.close, body))
          try? client.send(#"{"action":"ping"}"#)
          #expect(client.readToEnd() == [.close(code, ""), .end])
        }
        try expectMetrics(gateway) { $0.sum("websockets") == 0 && $0.closes("client") == 3 }
      }
    }

    @Test("a fragmented message with pings between its parts is put together", arguments: [1, 2])
    func fragments(reactors: Int) throws {
      try withGateway(reactors: reactors) { gateway throws in
        let client = try WebSocketClient(gateway)
        let message = [UInt8](#"{"action":"subscribe","channel":"näme"}"#.utf8)
        for (index, byte) in message.enumerated() {
          let opcode = index == 0 ? ClientFrame.text : ClientFrame.continuation
          try client.send(ClientFrame(opcode, [byte], isFinal: index == message.count - 1))
          if index % 10 == 5 { try client.send(ClientFrame(ClientFrame.ping, [byte])) }
        }
        for index in stride(from: 5, to: message.count, by: 10) { #expect(client.next() == .pong([message[index]])) }
        try expectNext(client, #"{"type":"subscribed","channel":"näme"}"#)
      }
    }
  }
}
