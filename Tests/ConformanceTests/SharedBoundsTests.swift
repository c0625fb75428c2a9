// What all clients of a gateway share has a bound, and a client that is busy is taken for alive: over real sockets.

import Buffers
import Compression
import Foundation
import Gateway
import TestSupport
import Testing

@Suite("Conformance: bounds that clients share, and signs of life")
struct SharedBoundsTests {
  // MARK: Calls

  @Test("messages of calls under way have a bound in bytes for all connections together", arguments: [1, 2])
  func callBytes(reactors: Int) throws {
    var extensions = Extensions()
    extensions.requests["wait"] = { _ in try await Task.sleep(for: .seconds(60)) }
    extensions.requests["quick"] = { call in call.reply(Array("1".utf8)) }
    let settings = [("limits.callBytesMax", "1048576")]
    try withGateway(reactors: reactors, settings: settings, extensions: extensions) { gateway throws in
      func client() throws -> WebSocketClient {
        let answer = try HTTPExchange.get("/get-token?username=u", port: gateway.port)
        return try gateway.connect("/handlers?token=" + (JSON(answer.text)?["token"]?.text ?? ""))
      }
      let pad = String(repeating: "x", count: 500_000)
      let clients = try (0..<3).map { _ in try client() }
      for client in clients.prefix(2) { try client.send(#"{"type":"wait","message":"\#(pad)"}"#) }
      // Behind them, since the calls of one connection come in order.
      let refused = try eventually {
        try clients[2].send(#"{"type":"quick","message":"\#(pad)"}"#)
        return try clients[2].nextText().contains("Too many requests")
      }
      #expect(refused)
      // A short one fits, and when the long ones have gone a long one does.
      try clients[2].send(#"{"type":"quick"}"#)
      #expect(try clients[2].nextText() == "1")
      for client in clients.prefix(2) { client.socket.close() }
      let isTaken = try eventually {
        try clients[2].send(#"{"type":"quick","message":"\#(pad)"}"#)
        return try clients[2].nextText() == "1"
      }
      #expect(isTaken)
    }
  }

  // MARK: Compression

  /// The messages of a client that negotiated compression with a window of its own; pings are passed over.
  private final class Reader {
    let client: RawReader
    var inflater = Inflater(contextTakeover: true)

    init(_ gateway: ConformanceGateway) throws {
      client = try RawReader(
        gateway, "/channels?token=" + Tokens.channels(user: "u"),
        headers: ["Sec-WebSocket-Extensions: permessage-deflate"])
    }

    /// The next message, and whether it came compressed.
    func next() throws -> (text: String, isCompressed: Bool) {
      let frame = try client.next()
      guard frame.reserved == 4 else { return (String(decoding: frame.payload, as: UTF8.self), false) }
      var out = ByteBuffer()
      let outcome = inflater.inflate(frame.payload.span, isLast: true, into: &out, limit: 4_000_000)
      #expect(outcome == .ok)
      return (String(decoding: (0..<out.count).map { out.bytes[$0] }, as: UTF8.self), true)
    }
  }

  @Test("a broadcast compresses for windows of their own only as much as a turn has time for; the rest is plain")
  func takeover() throws {
    let settings = [("compression.contextTakeover", "true"), ("channels.telemetryIntervalMilliseconds", "0")]
    try withGateway(reactors: 1, settings: settings) { gateway throws in
      let readers = try (0..<12).map { _ in try Reader(gateway) }
      for index in readers.indices {
        _ = try readers[index].next()
        try readers[index].client.send(#"{"action":"subscribe","channel":"c"}"#)
        #expect(try readers[index].next().text.contains("subscribed"))
      }
      let publisher = try gateway.connect("/channels?token=" + Tokens.channels(user: "p"))
      _ = try publisher.nextText()
      let long = String(repeating: "a long message ", count: 60_000)
      for payload in [long, "short but long enough to be worth the trouble of being compressed " + long.prefix(2_000)] {
        try publisher.send(#"{"action":"publish","channel":"c","payload":"\#(payload)"}"#)
        var compressed = 0
        for index in readers.indices {
          let message = try readers[index].next()
          let isWhole = message.text.contains("\"\(payload)\"")
          #expect(isWhole)
          if message.isCompressed { compressed += 1 }
        }
        // Five times 900 KB are more than a turn compresses; what follows is read with each window as it was left.
        #expect(payload == long ? compressed == 5 : compressed == 12, "\(compressed)")
      }
    }
  }

  // MARK: Signs of life

  @Test("a message whose bytes keep coming over several heartbeats arrives", arguments: ["channels", "socket.io"])
  func slowUpload(path: String) throws {
    let settings = [
      ("heartbeatIntervalMilliseconds", "1000"), ("events.pingIntervalMilliseconds", "400"),
      ("events.pingTimeoutMilliseconds", "400"),
    ]
    try withGateway(reactors: 2, settings: settings) { gateway throws in
      let isNative = path == "channels"
      let client = try gateway.connect(
        isNative ? "/channels?token=" + Tokens.channels(user: "u") : "/socket.io/?EIO=4&transport=websocket")
      _ = try client.nextText()
      client.answersPings = false
      let pad = String(repeating: "x", count: 20_000)
      let text = isNative ? #"{"action":"ping","pad":"\#(pad)"}"# : "40/nowhere,{\"pad\":\"\(pad)\"}"
      let bytes = ClientFrame(ClientFrame.text, [UInt8](text.utf8)).bytes
      let start = ContinuousClock.now
      var sent = 0
      while sent < bytes.count {
        let count = min(bytes.count - sent, bytes.count / 40 + 1)
        try client.socket.send(Array(bytes[sent..<sent + count]))
        sent += count
        ThisProcess.pause(milliseconds: 75)
      }
      #expect(start.duration(to: .now) > .milliseconds(2_500))
      var answer = ""
      while !answer.contains(isNative ? "pong" : "Invalid namespace") { answer = try client.nextText() }
      // Silence is none: it is gone after its last ping.
      let isGone = eventually {
        switch client.next() {
        case .end, .reset: return true
        default: return false
        }
      }
      #expect(isGone)
    }
  }

  @Test("a POST whose body keeps coming is a sign of life of its session")
  func slowPost() throws {
    let settings = [("events.pingIntervalMilliseconds", "400"), ("events.pingTimeoutMilliseconds", "400")]
    try withGateway(reactors: 2, settings: settings) { gateway throws in
      let session = try PollingSession(gateway, .kept)
      let body = "40/nowhere,{\"pad\":\"" + String(repeating: "x", count: 4_000) + "\"}"
      let socket = try Socket(port: gateway.port)
      try socket.send(
        [UInt8]("POST \(session.target()) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n".utf8))
      for index in 0..<40 {
        let bytes = Array(body.utf8)
        let piece = bytes[bytes.count * index / 40..<bytes.count * (index + 1) / 40]
        try socket.send(Array(piece))
        ThisProcess.pause(milliseconds: 75)
      }
      #expect(try HTTPExchange.readAnswer(on: socket).text == "ok")
    }
  }
}

/// A WebSocket whose frames come as they are.
private final class RawReader {
  private let socket: Socket
  private var bytes: [UInt8]
  private var offset = 0

  init(_ gateway: ConformanceGateway, _ target: String, headers: [String]) throws {
    socket = try Socket(port: gateway.port)
    let answer = try HTTPExchange.perform(WebSocketClient.request(target, headers: headers), on: socket)
    guard answer.status == 101 else { throw GatewayFailure(description: "upgrade answered \(answer.status)") }
    bytes = answer.rest
  }

  func send(_ text: String) throws { try socket.send(ClientFrame(ClientFrame.text, [UInt8](text.utf8)).bytes) }

  /// The next frame that carries data.
  func next() throws -> ServerFrame {
    while true {
      while let frame = ServerFrame.take(from: bytes, at: &offset) { if frame.opcode < 8 { return frame } }
      bytes.removeFirst(offset)
      offset = 0
      guard case .bytes(let more) = socket.receive(patienceMilliseconds: Socket.patienceMilliseconds) else {
        throw GatewayFailure(description: "no frame")
      }
      bytes += more
    }
  }
}
