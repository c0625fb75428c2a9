// What is put off by a late turn, and what one reactor may do to another: lines 30, 33 and 34 of HOSTILE. Constants.

import Foundation
import TestSupport
import Testing

extension Rows {
  private static let polling = "/socket.io/?EIO=4&transport=polling"
  private static let deflate = ["Sec-WebSocket-Extensions: permessage-deflate"]

  private static func blanks(_ count: Int) -> String { String(repeating: " ", count: count) }

  // MARK: Line 30

  /// A text message that is compressed.
  private static func compressed(_ text: String) -> [UInt8] { Bomb.frame(Bomb.deflated([UInt8](text.utf8))) }

  /// A polling session's WebSocket, after the probe.
  private static func probing(_ victim: Victim, on poller: Socket) throws -> WebSocketClient {
    let answer = try HTTPExchange.perform("GET \(polling) HTTP/1.1\r\nHost: x\r\n\r\n", on: poller)
    guard let sid = JSON(String(answer.text.dropFirst()))?["sid"]?.text else {
      throw GatewayFailure(description: "the handshake answered \(answer.status): \(answer.text)")
    }
    let client = try WebSocketClient(
      on: victim.connect(), target: "/socket.io/?EIO=4&transport=websocket&sid=\(sid)", headers: deflate)
    try client.socket.send(compressed("2probe"))
    guard try client.nextText() == "3probe" else { throw GatewayFailure(description: "no answer to the probe") }
    return client
  }

  static let late: [HostileRow] = [
    .scenario(
      30, "Socket.IO, 20 upgrades whose compressed end is put off by a late turn", .standard,
      .survived("what lies behind it is answered")
    ) { victim throws in
      let login = "POST /api/auth/acquire-session HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
      let token = JSON(try HTTPExchange.perform(login, on: victim.connect()).text)?["data"]?["token"]?.text ?? ""
      // Each is refused, a megabyte takes long to decompress, and behind them the turn is late.
      let rubbish = [UInt8]((0..<2_200).map { _ in ClientFrame.message("x") }.joined())
      let long = compressed(blanks(1_000_000))
      let end = compressed("5") + ClientFrame.message(#"40{"token":"\#(token)"}"#)
      // Never carried out, as it lies behind a close frame: unless it is read as another's.
      let forged =
        ClientFrame(ClientFrame.close, [3, 232]).bytesInClear + ClientFrame.publication("forged", #""forged""#)
      let watcher = try victim.client()
      try watcher.subscribe("forged")
      for round in 0..<20 {
        let poller = try victim.connect()
        let upgrading = try probing(victim, on: poller)
        let forger = try victim.client()
        let busy = try (0..<3).map { _ in try victim.client(headers: deflate) }
        try busy[0].socket.send(rubbish)
        ThisProcess.pause(microseconds: 200)
        try busy[1].socket.send(rubbish)
        try busy[2].socket.send(long)
        try upgrading.socket.send(end)
        let answer = upgrading.next(patienceMilliseconds: 5_000)
        if case .text(let text) = answer, text.hasPrefix("40{\"sid\"") {
        } else {
          Issue.record("upgrade \(round): what lies behind its end got \(answer)")
        }
        // Whoever comes next has the session's slot where that ends.
        upgrading.socket.reset()
        let next = try victim.client()
        try forger.socket.send(forged)
        #expect(forger.readToEnd().first == .close(1000, ""))
        let read = try (watcher.drain() + next.drain()).filter { $0 != .ping([]) }
        #expect(read.isEmpty, "upgrade \(round): read as another's: \(read)")
      }
    }
  ]

  // MARK: Line 33

  /// Subscribers on the second reactor with 16 filters each, which all look at a large part of each message.
  private static func dear(_ places: Places, _ channel: String, count: Int) throws -> [WebSocketClient] {
    let common = (0..<60).map { #""k\#($0)":0"# }.joined(separator: ",")
    return try (0..<count).map { number in
      let client = try places.client(on: 1)
      for filter in 0..<16 {
        try client.subscribe(channel, filters: #"{"a":{\#(common),"z\#(number * 16 + filter)":0}}"#)
      }
      return client
    }
  }

  private static let dearMembers = #""a":{"# + (0..<6_500).map { #""k\#($0)":0"# }.joined(separator: ",") + "}"

  /// What the gateway may grow by while reactors hand each other posts: 16 MiB on their way, a message for each client,
  /// and what is not given back at once.
  private static let growthMax = 150 << 20

  private static let dearPosts: HostileRow = .scenario(
    33, "publishes of 900 KB, compressed, to another reactor with 320 filters", .twoReactors,
    .survived("their publisher waits")
  ) { victim throws in
    let places = try Places(victim)
    let subscribers = try dear(places, "dear", count: 20)
    let publisher = try places.client(on: 0, headers: deflate)
    let asker = try places.client(on: 1)
    let frame = compressed(
      #"{"action":"publish","channel":"dear","payload":{\#(dearMembers),"pad":"\#(blanks(850_000))"}}"#)
    let before = Resident.roughBytes(of: victim.gateway)
    var (largest, sent, longest) = (before, 0, Duration.zero)
    let end = Deadline(milliseconds: 2_500)
    while !end.isOver {
      let asked = ContinuousClock.now
      try asker.send(#"{"action":"ping"}"#)
      var answer = Incoming.timedOut
      let patience = Deadline(milliseconds: Socket.patienceMilliseconds)
      while answer == .timedOut && !patience.isOver {
        if !end.isOver { sent += try publisher.socket.sendSome(frame, from: sent % frame.count) }
        largest = max(largest, Resident.roughBytes(of: victim.gateway))
        answer = asker.next(patienceMilliseconds: 1)
      }
      longest = max(longest, asked.duration(to: .now))
      guard case .text(let text) = answer, text.hasPrefix(#"{"type":"pong""#) else {
        throw GatewayFailure(description: "a client of the other reactor got \(answer)")
      }
    }
    let growth = (largest - before) >> 20
    #expect(largest - before <= growthMax, "\(growth) MiB more than before, \(sent / frame.count) messages")
    #expect(longest < .milliseconds(Socket.patienceMilliseconds), "a client of the other reactor waited \(longest)")
    // Nobody has lost a connection by it, and all of it comes to an end.
    for client in subscribers { #expect(try client.drain().isEmpty) }
    #expect(try Metrics(of: victim.gateway).sum("reactor_posts_dropped_total") == 0)
    try places.close()
  }

  private static let fastReader: HostileRow = .scenario(
    33, "a fast reader on a reactor with dear filters", .twoReactors, .survived("who reads all the time is not slow")
  ) { victim throws in
    let places = try Places(victim)
    let subscribers = try dear(places, "dear", count: 8)
    let publisher = try places.client(on: 0)
    let reader = try places.client(on: 1)
    try reader.subscribe("fast")
    let payload = "\"" + String(repeating: "q", count: 1_000_000) + "\""
    let fast = ClientFrame.publication("fast", payload)
    let bytes = ClientFrame.publication("dear", "{\(dearMembers)}") + (0..<12).flatMap { _ in fast }
    var got = 0
    for burst in 1...3 {
      var sent = 0
      while got < burst * 12_000_000 {
        if sent < bytes.count { sent += try publisher.socket.sendSome(bytes, from: sent) }
        switch reader.socket.receive(patienceMilliseconds: sent < bytes.count ? 0 : Socket.patienceMilliseconds) {
        case .bytes(let more): got += more.count
        case .timedOut where sent < bytes.count: continue
        case let ending: throw GatewayFailure(description: "\(ending) after \(got) bytes")
        }
      }
    }
    for client in subscribers { #expect(try client.drain().isEmpty) }
    try places.close()
  }

  // MARK: Line 34

  private static let waitingMax = 256 << 20
  private static let deafCount = 100

  private static let deaf: HostileRow = .scenario(
    34, "\(deafCount) subscribers that read nothing, and a publisher on the other reactor", .twoReactors,
    .closed("slow", times: deafCount)
  ) { victim throws in
    let places = try Places(victim)
    let payload = "\"" + String(repeating: "w", count: 65_536) + "\""
    let deaf = try (0..<deafCount).map { number in
      let client = try places.client(on: 1, receiveBufferBytes: 4_096)
      try client.subscribe("deaf-\(number)")
      return client
    }
    let publisher = try places.client(on: 0)
    let readers = try (0...1).map { try places.client(on: $0) }
    for reader in readers { try reader.subscribe("healthy") }
    let messages = (0..<deafCount).map { ClientFrame.publication("deaf-\($0)", payload) }
    let before = try Metrics(of: victim.gateway).closes("slow")
    let sizeBefore = Resident.roughBytes(of: victim.gateway)
    var (waiting, size, closed, round) = (0, sizeBefore, 0, 0)
    // What they are owed is 4 MiB at the most, and for all of them together it is less.
    while closed < deafCount && round < 150 {
      round += 1
      for message in messages { try publisher.socket.send(message) }
      try publisher.publish("healthy", "\(round)")
      for reader in readers {
        let data = try rawData(of: reader.nextText())
        #expect(data == "\(round)", "a healthy reader got \(data ?? "nothing") instead of \(round)")
      }
      let metrics = try Metrics(of: victim.gateway)
      waiting = max(waiting, metrics.sum("outbound_waiting_bytes"))
      closed = metrics.closes("slow") - before
      size = max(size, Resident.roughBytes(of: victim.gateway))
    }
    // Some are told why first, and do not read it.
    let isClosed = try eventually {
      closed = try Metrics(of: victim.gateway).closes("slow") - before
      return closed >= deaf.count
    }
    #expect(isClosed, "\(closed) closed in \(round) rounds")
    // A chunk of each connection is not full yet, or holds what came last.
    #expect(waiting <= waitingMax + (deafCount + readers.count + 1) * 65_536, "\(waiting) bytes are waiting")
    #expect(waiting >= waitingMax / 2, "no more than \(waiting) bytes were waiting")
    let growth = size - sizeBefore
    #expect(growth <= waitingMax + growthMax, "\(growth >> 20) MiB more than before")
    try places.close()
  }

  static let reactors: [HostileRow] = [dearPosts, fastReader, deaf]
}
