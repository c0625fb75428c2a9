// A mount's `compression`: off for every way to a WebSocket of its, and windows kept for clients that do not do without.

import Buffers
import Compression
import Foundation
import Gateway
import TestSupport
import Testing

@Suite("Conformance: compression of a mount")
struct MountCompressionTests {
  private static let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

  private func listeners(_ mounts: String) -> [(String, String)] {
    [("listeners", #"[{ host: "127.0.0.1", port: 0, mounts: [\#(mounts)] }]"#)]
  }

  /// What the gateway answers to an offer of compression; nil for nothing.
  private func extensions(_ gateway: ConformanceGateway, _ target: String, offer: String = offer) throws -> String? {
    let request = WebSocketClient.request(target, headers: [offer])
    let answer = try HTTPExchange.perform(request, on: Socket(port: gateway.port))
    #expect(answer.status == 101, "\(target): \(answer.status)")
    return answer.headers["sec-websocket-extensions"]
  }

  @Test("where a mount says no, Engine.IO negotiates none: from the start, as a probe, and on paths beside the mount")
  func engine() throws {
    for (mount, isOn) in [("compression: false", false), ("compression: true", true)] {
      let settings = listeners(#"{ path: "/socket.io/*", dialect: "events", \#(mount) }"#)
      try withGateway(reactors: 1, settings: settings) { gateway throws in
        for path in ["/socket.io/", "/socket.io", "/elsewhere"] {
          let query = path + "?EIO=4&transport=websocket"
          #expect(try (extensions(gateway, query) != nil) == isOn, "\(path)")
          let session = try PollingSession(gateway, .kept, path: path)
          #expect(try (extensions(gateway, query + "&sid=" + session.sid) != nil) == isOn, "\(path)")
        }
      }
    }
  }

  @Test("of several mounts each rules its own paths, and beside them there is compression where all have it")
  func several() throws {
    let settings = listeners(
      #"{ path: "/a", dialect: "events" }, { path: "/b", dialect: "events", compression: false }"#)
    try withGateway(reactors: 1, settings: settings) { gateway throws in
      let query = "?EIO=4&transport=websocket"
      #expect(try extensions(gateway, "/a" + query) != nil)
      #expect(try extensions(gateway, "/b" + query) == nil)
      #expect(try extensions(gateway, "/socket.io/" + query) == nil)
    }
  }

  // MARK: Windows that clients keep

  /// Sends one text twice, the second compressed with what the first has left in the window; returns what comes back.
  private func sendTwice(_ client: WebSocketClient) throws -> [Incoming] {
    let text = "what a client says again and again it says shorter from the second time on"
    var deflater = Deflater(windowBits: 12, contextTakeover: true)
    var sizes: [Int] = []
    for _ in 0..<2 {
      var out = ByteBuffer()
      let bytes = Array(text.utf8)
      deflater.deflate(bytes.span, into: &out)
      sizes.append(out.count)
      var frame = ClientFrame(ClientFrame.text, (0..<out.count).map { out.bytes[$0] })
      frame.reserved = 4
      try client.send(frame)
    }
    #expect(sizes[1] * 3 < sizes[0], "the second message does not need the first")
    return [client.next(), client.next()].map { $0 == .text(text) ? .text("same") : $0 }
  }

  @Test("clientContextTakeover keeps the window of a client that does not give it up, and what it sends is read")
  func kept() throws {
    let settings = listeners(
      #"""
      { path: "/kept", dialect: "echo", compression: { clientContextTakeover: true } },
      { path: "/shared", dialect: "echo" }
      """#)
    try withGateway(reactors: 1, settings: settings) { gateway throws in
      let offer = [Self.offer]
      let kept = try WebSocketClient(on: Socket(port: gateway.port), target: "/kept", headers: offer)
      #expect(try sendTwice(kept) == [.text("same"), .text("same")])
      // What the setting is there for.
      let shared = try WebSocketClient(on: Socket(port: gateway.port), target: "/shared", headers: offer)
      let answers = try sendTwice(shared)
      guard answers[0] == .text("same"), case .close(1007, _) = answers[1] else {
        Issue.record("\(answers)")
        return
      }
      let plain = "permessage-deflate; server_no_context_takeover"
      let header = "Sec-WebSocket-Extensions: "
      #expect(try extensions(gateway, "/kept", offer: header + "permessage-deflate") == plain)
      // Who offers to give it up is taken at its word.
      #expect(
        try extensions(gateway, "/kept", offer: header + "permessage-deflate; client_no_context_takeover")
          == plain + "; client_no_context_takeover")
      #expect(
        try extensions(gateway, "/shared", offer: header + "permessage-deflate") == plain
          + "; client_no_context_takeover")
    }
  }

  @Test("a session of Engine.IO keeps its client's window too, from the start and after an upgrade")
  func engineKept() throws {
    let settings = listeners(
      #"{ path: "/socket.io/*", dialect: "events", compression: { clientContextTakeover: true } }"#)
    try withGateway(reactors: 1, settings: settings) { gateway throws in
      let session = try PollingSession(gateway, .kept)
      let probe = try session.upgrade(headers: [Self.offer])
      try probe.send("2probe")
      try expectText(probe, "3probe")
      try probe.send("5")
      let direct = try WebSocketClient(
        on: Socket(port: gateway.port), target: "/socket.io/?EIO=4&transport=websocket", headers: [Self.offer])
      _ = try direct.nextText()
      for client in [probe, direct] {
        var deflater = Deflater(windowBits: 12, contextTakeover: true)
        for _ in 0..<3 {
          var out = ByteBuffer()
          let bytes = Array(#"40{"token":"a token that no session has and that is long enough to be repeated"}"#.utf8)
          deflater.deflate(bytes.span, into: &out)
          var frame = ClientFrame(ClientFrame.text, (0..<out.count).map { out.bytes[$0] })
          frame.reserved = 4
          try client.send(frame)
          try expectText(client, #"44{"message":"Invalid or expired session token"}"#)
        }
      }
    }
  }
}
