// PROTOCOLS 3.5 and HOSTILE 36: sessions that join no namespace are bounded, and honest clients get in beside them.

import Foundation
import Gateway
import TestSupport
import Testing

@Suite("Conformance: crowds of Engine.IO sessions")
struct EngineIOCrowdTests {
  private static let target = "/socket.io/?EIO=4&transport=polling"

  /// A new session that a request on `socket` opens; nil where it was refused.
  private func open(on socket: Socket, address: String? = nil) throws -> String? {
    let forwarded = address.map { "X-Forwarded-For: \($0)\r\n" } ?? ""
    let answer = try HTTPExchange.perform("GET \(Self.target) HTTP/1.1\r\nHost: x\r\n\(forwarded)\r\n", on: socket)
    return answer.status == 200 ? JSON(String(answer.text.dropFirst()))?["sid"]?.text : nil
  }

  /// Whether a session lives. It has not joined anything, and does not by this.
  private func isLive(_ sid: String, _ gateway: ConformanceGateway) throws -> Bool {
    let request = "POST \(Self.target)&sid=\(sid) HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n6"
    return try HTTPExchange.perform(request, on: Socket(port: gateway.port)).status == 200
  }

  /// Joins with an open session; false when it has gone.
  private func join(_ sid: String, _ token: String, _ gateway: ConformanceGateway) throws -> Bool {
    let body = #"40{"token":"\#(token)"}"#
    let request =
      "POST \(Self.target)&sid=\(sid) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    return try HTTPExchange.perform(request, on: Socket(port: gateway.port)).status == 200
  }

  @Test("of more sessions than one connection may have unjoined the oldest give way, and a joined one stays")
  func oneConnection() throws {
    try withGateway(reactors: 1) { gateway throws in
      let token = try gateway.acquireSession()
      let socket = try Socket(port: gateway.port)
      let joined = try #require(try open(on: socket))
      #expect(try join(joined, token, gateway))
      let before = try gateway.metrics().closes("crowded_out")
      let sids = try (0..<250).map { _ in try #require(try open(on: socket)) }
      #expect(try gateway.metrics().closes("crowded_out") == before + 150)
      for (number, sid) in sids.enumerated() where number % 7 == 0 {
        #expect(try isLive(sid, gateway) == (number >= 150), "number \(number)")
      }
      #expect(try isLive(joined, gateway))
      // An honest client finds room, and so do those who want something else.
      let client = try SocketIOTestClient(gateway, .polling)
      try client.join(token)
      try client.expectOnlyPong()
    }
  }

  @Test("all of them together have a share of the connections, over all reactors", arguments: reactorCounts)
  func share(reactors: Int) throws {
    try withGateway(reactors: reactors, settings: [("connectionsMax", "400")]) { gateway throws in
      let token = try gateway.acquireSession()
      let sockets = try (0..<8).map { _ in try Socket(port: gateway.port) }
      for _ in 0..<60 {
        for socket in sockets { #expect(try open(on: socket) != nil) }
      }
      // A quarter of 400, the sockets, and what the test itself needs.
      #expect(try eventually { try gateway.metrics().sum("connections") <= 100 + 16 })
      let webSocket = try SocketIOTestClient(gateway, .webSocket)
      try webSocket.join(token)
      try webSocket.expectOnlyPong()
      let polling = try SocketIOTestClient(gateway, .polling)
      try polling.join(token)
      try polling.expectOnlyPong()
    }
  }

  @Test("a WebSocket that joins nothing gives way too, and one that has joined does not")
  func webSockets() throws {
    try withGateway(reactors: 1, settings: [("connectionsMax", "400")]) { gateway throws in
      let joined = try SocketIOTestClient(gateway, .webSocket)
      try joined.join(gateway.acquireSession())
      let idle = try gateway.connect("/socket.io/?EIO=4&transport=websocket")
      _ = try idle.nextText()
      let sockets = try (0..<2).map { _ in try Socket(port: gateway.port) }
      for _ in 0..<60 {
        for socket in sockets { #expect(try open(on: socket) != nil) }
      }
      #expect(idle.next() == .end)
      try joined.expectOnlyPong()
    }
  }

  @Test("a flood from one address pushes out its own sessions, and not those of other addresses")
  func addresses() throws {
    let settings = [
      ("connectionsMax", "400"), ("trustedProxies", "127.0.0.0/8"), ("limits.unjoinedSessionsPerAddressMax", "64"),
    ]
    try withGateway(reactors: 1, settings: settings) { gateway throws in
      let token = try gateway.acquireSession()
      var honest: [String] = []
      for number in 0..<20 {
        honest.append(try #require(try open(on: Socket(port: gateway.port), address: "198.51.100.\(number)")))
      }
      for _ in 0..<50 {
        let socket = try Socket(port: gateway.port)
        for _ in 0..<20 { #expect(try open(on: socket, address: "203.0.113.9") != nil) }
      }
      #expect(try gateway.metrics().sum("connections") <= 64 + 20 + 60)
      for sid in honest { #expect(try join(sid, token, gateway)) }
    }
  }

  @Test("an address that may have no more connections has room for a session when an older one has joined nothing")
  func connectionsOfAnAddress() throws {
    let settings = [
      ("exemptsLocalAddresses", "false"), ("limits.connectionsPerAddressMax", "20"),
    ]
    try withGateway(reactors: 1, settings: settings) { gateway throws in
      let socket = try Socket(port: gateway.port)
      let sids = try (0..<40).map { _ in try #require(try open(on: socket)) }
      #expect(try gateway.metrics().closes("crowded_out") >= 20)
      let body = "6"
      let last = "POST \(Self.target)&sid=\(sids[39]) HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n\(body)"
      #expect(try HTTPExchange.perform(last, on: socket).status == 200)
    }
  }
}
