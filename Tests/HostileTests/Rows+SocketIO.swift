// Hostile Socket.IO: packets, attachments, guessed sessions, sessions by the thousand and packets by the hundred
// thousand; lines 13, 14, 18, 24, 26, 28, 29 and 36 to 38 of HOSTILE. Constants.

import Foundation
import TestSupport
import Testing

extension Rows {
  private static let polling = "/socket.io/?EIO=4&transport=polling"

  /// The answer to a request on a connection that may go on.
  private static func ask(
    _ method: String, _ target: String, body: String = "", on socket: Socket
  ) throws -> TestSupport.HTTPAnswer {
    let head = "\(method) \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
    return try HTTPExchange.perform(head + body, on: socket)
  }

  /// A new polling session on a connection that may go on.
  private static func open(on socket: Socket) throws -> String {
    let answer = try ask("GET", polling, on: socket)
    guard let sid = JSON(String(answer.text.dropFirst()))?["sid"]?.text else {
      throw GatewayFailure(description: "the handshake answered \(answer.status): \(answer.text)")
    }
    return sid
  }

  /// A Socket.IO client on a WebSocket, in the default namespace.
  private static func joined(_ victim: Victim) throws -> WebSocketClient {
    let client = try WebSocketClient(on: victim.connect(), target: "/socket.io/?EIO=4&transport=websocket")
    _ = try client.nextText()
    let answer = try ask("POST", "/api/auth/acquire-session", on: victim.connect())
    try client.send(#"40{"token":"\#(JSON(answer.text)?["data"]?["token"]?.text ?? "")"}"#)
    guard try client.nextText().hasPrefix("40{\"sid\"") else { throw GatewayFailure(description: "not let in") }
    _ = try client.nextText()
    return client
  }

  /// A packet and attachments for which the session ends.
  private static func packet(
    _ line: Int, _ name: String, _ text: @escaping @Sendable @autoclosure () -> String, attachments: [Int] = []
  ) -> HostileRow {
    .scenario(line, "Socket.IO, \(name)", .standard, .closed("bad_packet")) { victim throws in
      let client = try joined(victim)
      try client.send(text())
      for size in attachments { try client.send(ClientFrame(ClientFrame.binary, [UInt8](repeating: 7, count: size))) }
      victim.expectClose(client, 1000)
    }
  }

  private static func places(_ count: Int) -> String {
    (0..<count).map { #"{"_placeholder":true,"num":\#($0)}"# }.joined(separator: ",")
  }

  static let socketIO: [HostileRow] = packets + sessions

  private static let refusedEvent = #"42["error",{"error":"Failed to process message"}]"#

  /// As many packets as fit into one POST. The bystander watches that no turn is long.
  private static func longPost(_ packet: String) -> HostileRow {
    .scenario(
      37, "Socket.IO, a POST full of \(packet)", .standard, .survived("taken in turns, and each packet for itself")
    ) { victim throws in
      let socket = try victim.connect()
      let sid = try open(on: socket)
      let answer = try ask("POST", "/api/auth/acquire-session", on: victim.connect())
      let token = JSON(answer.text)?["data"]?["token"]?.text ?? ""
      let target = polling + "&sid=" + sid
      #expect(try ask("POST", target, body: #"40{"token":"\#(token)"}"#, on: socket).text == "ok")
      let turns = try Metrics(of: victim.gateway).sum("event_loop_turns_total")
      let body = Array(repeating: packet, count: 990_000 / (packet.utf8.count + 1)).joined(separator: "\u{1E}")
      #expect(try ask("POST", target, body: body, on: socket).text == "ok")
      #expect(try Metrics(of: victim.gateway).sum("event_loop_turns_total") - turns > 20)
      #expect(try ask("POST", target, body: "1", on: socket).text == "ok")
    }
  }

  private static let packets: [HostileRow] = [
    packet(
      18, "attachments of three megabytes", #"453-["echo",\#(places(3))]"#, attachments: [999_000, 999_000, 999_000]),
    packet(18, "eleven attachments", #"4511-["echo",\#(places(11))]"#),
    packet(18, "a billion attachments", #"451000000000-["echo"]"#),
    .scenario(18, "Socket.IO, an attachment over the limit", .standard, .closed("message_too_big")) { victim throws in
      let client = try joined(victim)
      try client.send(#"451-["echo",\#(places(1))]"#)
      try? client.send(ClientFrame(ClientFrame.binary, [UInt8](repeating: 7, count: 1_000_001)))
      victim.expectClose(client, 1009)
    },
    packet(29, "a placeholder out of range", #"451-["echo",{"_placeholder":true,"num":1}]"#, attachments: []),
    packet(29, "a placeholder below zero", #"451-["echo",{"_placeholder":true,"num":-1}]"#),
    packet(29, "a placeholder of 2^64", #"451-["echo",{"_placeholder":true,"num":18446744073709551616}]"#),
    packet(29, "a reserved name", #"42["disconnect"]"#),
    packet(29, "a reserved name in escapes", #"42["connect\u005ferror"]"#),
    packet(29, "an acknowledgement id of 400 digits", "42" + String(repeating: "9", count: 400) + #"["ping"]"#),
    packet(29, "an acknowledgement of 400 digits", "43" + String(repeating: "9", count: 400) + "[]"),
    packet(29, "a namespace of a hundred thousand bytes", "40/" + String(repeating: "n", count: 100_000) + ",{}"),
    .scenario(26, "Socket.IO, 100 000 nested [", .standard, .refused("message_invalid_json")) { victim throws in
      let client = try joined(victim)
      try client.send(#"42["echo","# + String(repeating: "[", count: 100_000))
      #expect(try client.nextText() == refusedEvent)
      try client.send(#"42["ping"]"#)
      #expect(try client.nextText().hasPrefix(#"42["pong""#))
    },
    .scenario(38, "Socket.IO, events with half an emoji", .standard, .refused("message_invalid_json", times: 2)) {
      victim throws in
      let client = try joined(victim)
      for text in [#"\ud83d"#, #"\ude00 and more"#] {
        try client.send(#"42["message",{"text":"\#(text)"}]"#)
        #expect(try client.nextText() == refusedEvent)
      }
      try client.send(#"42["ping"]"#)
      #expect(try client.nextText().hasPrefix(#"42["pong""#))
    },
    .scenario(
      37, "Socket.IO, 96 POSTs of a megabyte at once", .standard,
      .survived("taken in turns; those past 64 MiB that wait are refused")
    ) { victim throws in
      let before = try Metrics(of: victim.gateway).closes("rate_limited")
      let body = Array(repeating: #"42["x"]"#, count: 123_000).joined(separator: "\u{1E}")
      let answer = try ask("POST", "/api/auth/acquire-session", on: victim.connect())
      let token = JSON(answer.text)?["data"]?["token"]?.text ?? ""
      let clients = try (0..<96).map { _ in
        let socket = try victim.connect()
        let target = polling + "&sid=" + (try open(on: socket))
        #expect(try ask("POST", target, body: #"40{"token":"\#(token)"}"#, on: socket).text == "ok")
        return (socket, target)
      }
      for (socket, target) in clients {
        try socket.send(
          [UInt8]("POST \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n".utf8))
        try socket.send([UInt8](body.utf8))
      }
      var refused = 0
      for (socket, target) in clients {
        let status = try HTTPExchange.readAnswer(on: socket).status
        if status == 503 {
          refused += 1
          #expect(try ask("POST", target, body: "6", on: victim.connect()).status == 400)
        } else {
          #expect(status == 200)
          #expect(try ask("POST", target, body: "1", on: socket).text == "ok")
        }
      }
      let counted = try Metrics(of: victim.gateway).closes("rate_limited") - before
      #expect(counted <= refused)
    },
    longPost(#"6"#), longPost(#"42["x"]"#), longPost("431[]"), longPost("42"),
    packet(29, "an attachment that nobody announced", "3", attachments: [10]),
    .scenario(24, "Socket.IO, events before CONNECT", .standard, .closed("bad_packet")) { victim throws in
      let client = try WebSocketClient(on: victim.connect(), target: "/socket.io/?EIO=4&transport=websocket")
      _ = try client.nextText()
      try client.send(#"42["status"]"#)
      victim.expectClose(client, 1000)
    },
    .scenario(24, "Socket.IO, no CONNECT in time", .deadlines, .closed("not_joined", times: 2)) { victim throws in
      let client = try WebSocketClient(on: victim.connect(), target: "/socket.io/?EIO=4&transport=websocket")
      let socket = try victim.connect()
      let sid = try open(on: socket)
      _ = try client.nextText()
      // A refused one has not joined.
      try client.send(#"40{"token":"wrong"}"#)
      #expect(try client.nextText().hasPrefix("44"))
      #expect(try ask("GET", polling + "&sid=" + sid, on: socket).text == "1")
      victim.expectClose(client, 1000)
    },
  ]

  /// Opens sessions and joins them until one is refused, and ends them: they count like connections.
  private static func countless(_ setup: Setup, limit: Int, _ refusal: Int) -> HostileRow {
    .scenario(13, "Socket.IO, sessions up to the limit of \(limit)", setup, .refused("http_\(refusal)")) {
      victim throws in
      // The refusal ends its connection, and another would not be let in.
      let (socket, other) = try (victim.connect(), victim.connect())
      let login = try ask("POST", "/api/auth/acquire-session", on: other)
      let token = JSON(login.text)?["data"]?["token"]?.text ?? ""
      var sessions: [String] = []
      var status = 200
      while status == 200 && sessions.count <= limit {
        let answer = try ask("GET", polling, on: socket)
        status = answer.status
        guard let sid = JSON(String(answer.text.dropFirst()))?["sid"]?.text else { continue }
        sessions.append(sid)
        let joined = try ask("POST", polling + "&sid=" + sid, body: #"40{"token":"\#(token)"}"#, on: other)
        #expect(joined.text == "ok")
      }
      // The bystander and these two connections count as well.
      #expect(status == refusal && (limit - 4..<limit).contains(sessions.count), "\(sessions.count), then \(status)")
      for sid in sessions { #expect(try ask("POST", polling + "&sid=" + sid, body: "1", on: other).text == "ok") }
    }
  }

  private static let sessions: [HostileRow] = [
    countless(.connectionLimit, limit: 12, 503), countless(.addressLimit, limit: 10, 429),
    .scenario(28, "Socket.IO, guesses at a session's id", .standard, .refused("http_400", times: 120)) {
      victim throws in
      let own = try victim.connect()
      let sid = try open(on: own)
      let letters = Array("ABCDwxyz0189-_")
      for number in 0..<60 {
        // Right in all characters but one, or in nothing.
        var guess = Array(sid)
        let place = number % guess.count
        guess[place] = letters.first { $0 != guess[place] && $0 != letters[number % letters.count] } ?? "A"
        // The last character of 20 has no spare bits, so each of these is another id.
        for text in [String(guess), String((0..<20).map { letters[($0 * 7 + number) % letters.count] })] {
          let answer = try ask("POST", polling + "&sid=" + text, body: "1", on: victim.connect())
          #expect(answer.status == 400 && answer.text.contains(#""code":1"#), "\(answer.text)")
        }
      }
      // The session is what it was.
      #expect(try ask("POST", polling + "&sid=" + sid, body: "1", on: own).text == "ok")
    },
    // 100 of each connection stay, and go when their time has come.
    .scenario(14, "Socket.IO, 5 000 sessions that nobody joins", .storm, .closed("not_joined", times: 400)) {
      victim throws in
      let sockets = try (0..<4).map { _ in try victim.connect() }
      for _ in 0..<1_250 {
        for socket in sockets { _ = try open(on: socket) }
      }
      #expect(try Metrics(of: victim.gateway).sum("connections") < 500)
    },
    .scenario(
      36, "Socket.IO, 5 000 sessions of one connection", .standard, .closed("crowded_out", times: 4_900)
    ) { victim throws in
      let socket = try victim.connect()
      let request = [UInt8]("GET \(polling) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
      var sids: [String] = []
      for _ in 0..<50 {
        try socket.send((0..<100).flatMap { _ in request })
        var answers = ""
        while answers.split(separator: "\"maxPayload\"", omittingEmptySubsequences: false).count <= 100 {
          guard case .bytes(let more) = socket.receive() else {
            throw GatewayFailure(description: "not 100 sessions but \(answers.suffix(300))")
          }
          answers += String(decoding: more, as: UTF8.self)
        }
        sids = answers.matches(of: /"sid":"([^"]+)"/).map { String($0.1) }
        // Who comes meanwhile gets in.
        let client = try joined(victim)
        try client.send("1")
        #expect(client.next() == .end)
      }
      // Those that came last are there.
      let open = try Metrics(of: victim.gateway).sum("connections")
      #expect(sids.count == 100 && open < 200)
      for sid in sids { #expect(try ask("POST", polling + "&sid=" + sid, body: "1", on: socket).text == "ok") }
    },
    .scenario(
      36, "Socket.IO, 1 000 sessions that are ended by a bad packet and never told", .deadlines,
      .closed("bad_packet", times: 1_000)
    ) { victim throws in
      let socket = try victim.connect()
      for _ in 0..<1_000 {
        let sid = try open(on: socket)
        #expect(try ask("POST", polling + "&sid=" + sid, body: "48", on: socket).text == "ok")
      }
      #expect(try Metrics(of: victim.gateway).sum("connections") < 200)
    },
  ]
}
