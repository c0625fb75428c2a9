// Messages that are never completed, pings without end, and honest clients that look like either: lines 20, 36 and 38 of
// HOSTILE. Constants.

import TestSupport
import Testing

extension Rows {
  // MARK: Line 36

  /// Clients that leave a message of 1 MiB unfinished.
  private static let unfinishedCount = 64

  private static func behindProxy(_ victim: Victim, _ address: String) throws -> WebSocketClient {
    try victim.client(headers: ["X-Forwarded-For: \(address)"])
  }

  /// Whether a client is still there, by the pong for a ping; if not, it has been told why.
  private static func isKept(_ client: WebSocketClient) throws -> Bool {
    try? client.socket.send(ClientFrame(ClientFrame.ping, [1]).bytes)
    var incoming = client.next()
    while incoming == .ping([]) { incoming = client.next() }
    if incoming == .pong([1]) { return true }
    #expect(incoming == .close(1013, "overload"))
    return false
  }

  static let unfinished: [HostileRow] = [
    .scenario(
      36, "\(unfinishedCount) messages of 1 MiB less a byte that are never completed, from one address", .received,
      .closed("overload", times: unfinishedCount - 16)
    ) { victim throws in
      let start = #"{"action":"ping","pad":""#
      let text = start + String(repeating: "u", count: (1 << 20) - 1 - start.utf8.count - 2)
      let part = ClientFrame.message(text, isFinal: false)
      let end = ClientFrame(ClientFrame.continuation, [UInt8]("\"}".utf8)).bytesInClear
      // It has kept its own for longer than any other, but its address keeps less.
      let honest = try behindProxy(victim, "198.51.100.7")
      try honest.socket.send(part)
      let before = Resident.roughBytes(of: victim.gateway)
      let clients = try (0..<unfinishedCount).map { _ in try behindProxy(victim, "203.0.113.9") }
      for client in clients { try? client.socket.send(part) }
      // When each has answered, the gateway has read all of it; what it keeps then, it keeps.
      var kept = try clients.filter { try isKept($0) }
      kept = try kept.filter { try isKept($0) }
      let growth = Resident.roughBytes(of: victim.gateway) - before
      #expect((1...16).contains(kept.count), "\(kept.count) were kept")
      #expect(growth <= 40 << 20, "\(growth >> 20) MiB more than before")
      // Whoever was not told to go is alive over heartbeats, as long as pongs come, and may complete the message.
      for client in [honest] + kept { #expect(client.next() == .ping([])) }
      for client in [honest] + kept { #expect(client.next() == .ping([])) }
      for client in [honest] + kept {
        try client.socket.send(end)
        #expect(try client.nextText().hasPrefix(#"{"type":"pong""#))
      }
    }
  ]

  // MARK: Line 38

  static let honestClients: [HostileRow] = [
    .scenario(38, "a slow upload of one long frame", .deadlines, .survived("its bytes are a sign of life")) {
      victim throws in
      let client = try victim.client()
      let bytes = ClientFrame.message(#"{"action":"ping","pad":"\#(String(repeating: "u", count: 100_000))"}"#)
      // Over three heartbeats of a second, between which no pong can be sent.
      let pieces = 84
      for piece in 0..<pieces {
        try client.socket.send(Array(bytes[bytes.count * piece / pieces..<bytes.count * (piece + 1) / pieces]))
        ThisProcess.pause(milliseconds: 40)
      }
      #expect(try client.nextText().hasPrefix(#"{"type":"pong""#))
    },
    .scenario(
      38, "a steady reader behind a backlog of more than a heartbeat", .steady,
      .counted("deliveries_dropped_total", event: "deliveries-dropped")
    ) { victim throws in
      let before = try Metrics(of: victim.gateway).closes("no_pong")
      let reader = try victim.client(receiveBufferBytes: 16_384)
      try reader.subscribe("steady")
      let publisher = try victim.client()
      let message = ClientFrame.publication("steady", "\"\(String(repeating: "s", count: 8_000))\"")
      // The backlog is full from the first, and then twice as much comes as is read.
      for _ in 0..<400 { try publisher.socket.send(message) }
      var bytes: [UInt8] = []
      var pings = 0
      for step in 0..<175 {
        try publisher.socket.send(message)
        if step % 20 == 0 { #expect(try publisher.drain().allSatisfy { $0 == .ping([]) }) }
        guard case .bytes(let more) = reader.socket.receive(atMost: 4_096) else {
          throw GatewayFailure(description: "the reader was let go in step \(step), after \(pings) pings")
        }
        bytes += more
        pings += try answerPings(reader, &bytes)
        ThisProcess.pause(milliseconds: 20)
      }
      #expect(try Metrics(of: victim.gateway).closes("no_pong") == before)
      // It comes to what was sent after it had caught up.
      while case .bytes(let more) = reader.socket.receive(patienceMilliseconds: 200) {
        bytes += more
        _ = try answerPings(reader, &bytes)
      }
      try publisher.publish("steady", #""afterwards""#)
      let isThere = try eventually {
        guard case .bytes(let more) = reader.socket.receive() else { return false }
        bytes += more
        let text = String(decoding: bytes, as: UTF8.self)
        _ = try answerPings(reader, &bytes)
        return text.contains(#""afterwards""#)
      }
      #expect(isThere, "the reader is gone")
    },
  ]

  /// Takes whole frames off what was read, and answers the pings among them.
  private static func answerPings(_ client: WebSocketClient, _ bytes: inout [UInt8]) throws -> Int {
    var (offset, pings) = (0, 0)
    while let frame = ServerFrame.take(from: bytes, at: &offset) {
      guard frame.opcode == ClientFrame.ping else { continue }
      pings += 1
      try client.send(ClientFrame(ClientFrame.pong, frame.payload))
    }
    bytes.removeFirst(offset)
    return pings
  }

  // MARK: Line 20

  static let pings: [HostileRow] = [
    .scenario(20, "more pings than may wait where that is as many as can be set", .steady, .closed("ping_flood")) {
      victim throws in
      let start = victim.gateway.log.utf8.count
      let client = try victim.client(receiveBufferBytes: 4_096)
      try client.subscribe("own")
      // Its socket is blocked by what it is owed, of which it reads nothing before the gateway has had enough.
      let message = ClientFrame.publication("own", "\"\(String(repeating: "p", count: 500_000))\"")
      for _ in 0..<5 { try client.socket.send(message) }
      ThisProcess.pause(milliseconds: 100)
      let ping = ClientFrame(ClientFrame.ping, []).bytes
      let flood = [UInt8]((0..<10_000).map { _ in ping }.joined())
      for _ in 0..<7 { try? client.socket.send(flood) }
      let isClosed = eventually {
        if victim.logLines(since: start).contains(where: { $0.contains("reason=ping_flood") }) { return true }
        try? client.socket.send(Array(flood.prefix(600)))
        return !victim.gateway.isRunning
      }
      guard isClosed, victim.gateway.isRunning else {
        throw GatewayFailure(description: "no end of the flood; the gateway says:\n\(victim.gateway.log.suffix(1_000))")
      }
      let all = client.readToEnd()
      #expect(all.dropLast().last == .close(1008, "ping flood"), "\(all.suffix(2))")
    }
  ]
}
