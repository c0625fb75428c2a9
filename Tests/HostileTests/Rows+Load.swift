// Floods, slow readers and storms: lines 20, 23 and 25 of HOSTILE. Constants.

import Foundation
import TestSupport
import Testing

extension Rows {
  /// Whether the longer runs are asked for, by MARTLET_LONG=1.
  static let isLong = ProcessInfo.processInfo.environment["MARTLET_LONG"] == "1"

  private static func isLogged(_ victim: Victim, _ reason: String, since start: Int) -> Bool {
    victim.logLines(since: start).contains { $0.contains("reason=\(reason)") }
  }

  // MARK: Line 23

  /// The close frame of code 3008 and text `slow`.
  private static let slowFrame: [UInt8] = [0x88, 6, 0x0B, 0xC0] + [UInt8]("slow".utf8)

  private static func subscriber(_ victim: Victim) throws -> SlowReader {
    let frame = ClientFrame(ClientFrame.text, [UInt8](#"{"action":"subscribe","channel":"slow"}"#.utf8))
    let reader = try SlowReader(port: victim.gateway.port, sending: upgrade("GET", welcome) + frame.bytes)
    guard reader.read(through: #""type":"subscribed","channel":"slow"}"#) else {
      throw GatewayFailure(description: "the subscription was not acknowledged")
    }
    return reader
  }

  /// Publishes to subscribers that hardly read until one of them is closed; none of it holds up the publisher.
  private static func publishUntilSlow(
    _ victim: Victim, _ publisher: WebSocketClient, reading readers: [SlowReader] = [], stopsWhenBlocked: Bool = false
  ) throws {
    let start = victim.gateway.log.utf8.count
    let payload = "\"" + String(repeating: "s", count: 16_384) + "\""
    var isBlocked = false
    for round in 0..<400 {
      if isBlocked {
        ThisProcess.pause(milliseconds: 100)
      } else {
        for _ in 0..<16 { try publisher.publish("slow", payload) }
        let before = try publisher.drain()
        #expect(before.isEmpty, "the publisher got \(before.count) messages")
      }
      // About a byte in a second, as far as the gateway can tell: the kernel announces room by the kilobyte.
      if round % 10 == 0 { for reader in readers { _ = reader.read(atMost: 1) } }
      if isLogged(victim, "slow", since: start) { return }
      if stopsWhenBlocked { isBlocked = try Metrics(of: victim.gateway).sum("outbound_waiting_bytes") > 0 }
    }
    Issue.record("no subscriber was closed")
  }

  /// The last that a closed subscriber gets, when at last it reads, is the close frame.
  private static func expectSlowClose(_ reader: SlowReader) {
    var last: [UInt8] = []
    reader.hurry()
    while true {
      let bytes = reader.read(atMost: 65_536)
      if bytes.isEmpty { break }
      last = (last + bytes).suffix(slowFrame.count)
    }
    #expect(last == slowFrame)
  }

  private static func slow(_ name: String, _ setup: Setup, readers count: Int, readsBytes: Bool) -> HostileRow {
    .scenario(23, name, setup, .closed("slow", times: count)) { victim throws in
      let readers = try (0..<count).map { _ in try subscriber(victim) }
      let publisher = try victim.client()
      try publishUntilSlow(
        victim, publisher, reading: readsBytes ? readers : [], stopsWhenBlocked: setup == .age)
      // The others that read nothing have as much waiting, but not to the byte.
      if count > 1 { for _ in 0..<64 { try publisher.publish("slow", "\"\(String(repeating: "s", count: 4_096))\"") } }
      for reader in readers { expectSlowClose(reader) }
    }
  }

  /// Lines 20 and 23: backlogs.
  static let backlog: [HostileRow] = [
    .scenario(20, "pings from a peer that reads nothing", .standard, .closed("ping_flood")) { victim throws in
      let start = victim.gateway.log.utf8.count
      let client = try victim.client(receiveBufferBytes: 4_096)
      let ping = ClientFrame(ClientFrame.ping, [UInt8](repeating: 0x70, count: 125)).bytes
      let flood = [UInt8]((0..<1_000).map { _ in ping }.joined())
      var rounds = 0
      while rounds < 1_000 && !isLogged(victim, "ping_flood", since: start) {
        try? client.socket.send(flood)
        rounds += 1
      }
      let all = client.readToEnd()
      #expect(all.dropLast().last == .close(1008, "ping flood"), "\(all.suffix(2))")
      #expect(all.count < rounds * 1_000, "pongs were not coalesced")
    },
    slow("a subscriber that reads nothing, by bytes", .backlog, readers: 1, readsBytes: false),
    slow("8 subscribers that read nothing, by bytes", .backlog, readers: 8, readsBytes: false),
    slow("a subscriber that reads a byte a second, by bytes", .backlog, readers: 1, readsBytes: true),
    slow("a subscriber that reads nothing, by age", .age, readers: 1, readsBytes: false),
    slow("a subscriber that reads a byte a second, by age", .age, readers: 1, readsBytes: true),
    .scenario(23, "a client that asks and never reads the answers", .backlog, .closed("slow")) { victim throws in
      let start = victim.gateway.log.utf8.count
      let client = try victim.client(receiveBufferBytes: 4_096)
      let ask = ClientFrame(ClientFrame.text, [UInt8](#"{"action":"ping"}"#.utf8)).bytes
      let flood = [UInt8]((0..<1_000).map { _ in ask }.joined())
      var rounds = 0
      while rounds < 1_000 && !isLogged(victim, "slow", since: start) {
        try? client.socket.send(flood)
        rounds += 1
      }
      let all = client.readToEnd()
      #expect(all.dropLast().last == .close(3008, "slow"), "\(all.suffix(2))")
    },
  ]

  /// Line 23, where the policy is to drop what there is no room for.
  static let dropping: [HostileRow] = [
    .scenario(
      23, "a subscriber that reads nothing, and whose messages are dropped", .drop,
      .counted("deliveries_dropped_total", event: "deliveries-dropped")
    ) { victim throws in
      let reader = try subscriber(victim)
      let publisher = try victim.client()
      let payload = "\"" + String(repeating: "s", count: 16_384) + "\""
      let before = try Metrics(of: victim.gateway)
      let isDropped = try eventually {
        for _ in 0..<16 { try publisher.publish("slow", payload) }
        #expect(try publisher.drain().isEmpty, "the publisher got something")
        return try Metrics(of: victim.gateway).sum("deliveries_dropped_total") > before.sum("deliveries_dropped_total")
      }
      #expect(isDropped, "nothing was dropped")
      // It stays, and when it reads again there is no gap but that of what was dropped.
      #expect(try Metrics(of: victim.gateway).closes("slow") == before.closes("slow"))
      try publisher.publish("slow", #""lost""#)
      reader.hurry()
      ThisProcess.pause(milliseconds: 100)
      while !reader.read(atMost: 65_536, waiting: false).isEmpty { ThisProcess.pause(milliseconds: 10) }
      try publisher.publish("slow", #""afterwards""#)
      #expect(reader.read(through: #""afterwards""#), "the subscriber is gone")
    }
  ]

  // MARK: Line 25

  private static var crowdCount: Int { isLong ? 10_000 : 2_000 }

  /// Connects and upgrades many clients, a batch at a time so that the machine's queue of connections suffices.
  private static func crowd(_ victim: Victim) throws -> [Socket] {
    let request = upgrade("GET", welcome)
    var all: [Socket] = []
    while all.count < crowdCount {
      let batch = try (0..<500).map { _ in
        let socket = try victim.connect()
        try socket.send(request)
        return socket
      }
      all += batch
    }
    for socket in all {
      let (bytes, _) = Victim.read(socket, toEnd: false)
      guard RawAnswer(bytes)?.status == 101 else { throw GatewayFailure(description: "a client was not let in") }
    }
    return all
  }

  /// Line 25: everybody at once.
  static let storm: [HostileRow] = [
    .scenario(
      25, "\(crowdCount) clients reset at once that reconnect at once", .storm, .survived("clients may come and go")
    ) { victim throws in
      let before = try Metrics(of: victim.gateway)
      let first = try crowd(victim)
      for socket in first { socket.reset() }
      let second = try crowd(victim)
      #expect(try Metrics(of: victim.gateway).sum("websockets") >= crowdCount)
      for socket in second { socket.reset() }
      var ended = 0
      let isCounted = try eventually {
        let now = try Metrics(of: victim.gateway)
        ended = ["network_error", "disconnected"].map { now.closes($0) - before.closes($0) }.reduce(0, +)
        return ended >= crowdCount * 2
      }
      #expect(isCounted, "\(ended) ends were counted")
    }
  ]
}
