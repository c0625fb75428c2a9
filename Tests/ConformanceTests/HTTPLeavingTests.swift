// Clients that go while an answer is awaited: noticed at once, whatever they sent before, and everything they held is
// free. With one reactor and with two.

import EventLoop
import Foundation
import Gateway
import Synchronization
import TestSupport
import Testing

@Suite("HTTP: clients that leave")
struct HTTPLeavingTests {
  /// How a client goes.
  enum Way: String, CaseIterable, Sendable {
    case fin, reset, halfClose
    /// The same with requests behind the one that is being answered.
    case finAfterRequest, resetAfterRequest, halfCloseAfterRequest
    /// With everything in one piece.
    case finAtOnce
  }

  /// Counts the calls of a walker that waits until it is cancelled.
  private final class Calls: Sendable {
    let started = Atomic<Int>(0)
    let cancelled = Atomic<Int>(0)
  }

  private static func application(_ calls: Calls) -> Extensions {
    var extensions = Extensions()
    let waits = Walker("waits", requiresAuthentication: false, methods: [.post]) { _ in
      calls.started.wrappingAdd(1, ordering: .relaxed)
      do {
        try await Task.sleep(for: .seconds(100))
      } catch {
        calls.cancelled.wrappingAdd(1, ordering: .relaxed)
        throw error
      }
    }
    let quick = Walker("quick", requiresAuthentication: false, methods: [.post]) { call in
      try await Task.sleep(for: .milliseconds(50))
      call.reply(call.context)
    }
    extensions.walkers = [waits.name: waits, quick.name: quick]
    return extensions
  }

  private static let call = "POST /walker/waits HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
  private static let behind = "GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n"

  private static func leave(_ socket: Socket, _ way: Way) throws {
    if way == .finAfterRequest || way == .resetAfterRequest || way == .halfCloseAfterRequest {
      try socket.send([UInt8](behind.utf8))
    }
    switch way {
    case .fin, .finAfterRequest, .finAtOnce: socket.close()
    case .reset, .resetAfterRequest: socket.reset()
    case .halfClose, .halfCloseAfterRequest: socket.shutdownWrite()
    }
  }

  @Test(
    "a call whose client goes is cancelled, and its place is free", arguments: Way.allCases, reactorCounts)
  func calls(way: Way, reactors: Int) throws {
    let calls = Calls()
    try withGateway(
      reactors: reactors, settings: [("limits.callsMax", "10")], extensions: Self.application(calls)
    ) { gateway throws in
      for round in 1...3 {
        let sockets = try (0..<10).map { _ in try Socket(port: gateway.port) }
        for socket in sockets {
          try socket.send([UInt8](Self.call.utf8) + (way == .finAtOnce ? [UInt8](Self.behind.utf8) : []))
          if way == .finAtOnce { socket.close() }
        }
        if way != .finAtOnce {
          #expect(eventually { calls.started.load(ordering: .relaxed) == 10 * round })
          for socket in sockets { try Self.leave(socket, way) }
        }
        // Nobody is left.
        let isGone = try eventually { try gateway.metrics().sum("connections") == 0 }
        #expect(isGone, "round \(round)")
        let isOver = eventually {
          calls.cancelled.load(ordering: .relaxed) == calls.started.load(ordering: .relaxed)
        }
        #expect(isOver, "round \(round)")
      }
      // Each of these would be 503 otherwise.
      let request = Self.call.replacing("waits", with: "quick")
      #expect(try HTTPExchange.perform(request, on: Socket(port: gateway.port)).status == 200)
    }
  }

  @Test("a session whose poller goes ends, whatever it sent behind the poll", arguments: Way.allCases, reactorCounts)
  func polls(way: Way, reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      for polling in Polling.allCases where polling == .kept || reactors > 1 {
        let session = try PollingSession(gateway, polling)
        let other = try PollingSession(gateway, .kept)
        let socket = try session.connection()
        let poll = "GET \(session.target()) HTTP/1.1\r\nHost: a\r\n\r\n"
        try socket.send([UInt8]((poll + (way == .finAtOnce ? Self.behind : "")).utf8))
        if way != .finAtOnce { ThisProcess.pause(milliseconds: 30) }
        try Self.leave(socket, way)
        let isOver = try eventually {
          let target = session.target()
          let request = "POST \(target) HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n3"
          return try HTTPExchange.perform(request, on: Socket(port: gateway.port)).status == 400
        }
        #expect(isOver, "\(polling)")
        // Nobody else's.
        try other.post("3")
      }
    }
  }

  @Test("requests behind one that is being answered are answered after it, in order", arguments: reactorCounts)
  func pipeline(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: Self.application(Calls())) { gateway throws in
      let socket = try Socket(port: gateway.port)
      var text = ""
      for number in 0..<40 {
        let body = #"{"n":"\#(number)"}"#
        text += "POST /walker/quick HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        text +=
          "GET /get-token?username=user\(number)&x=\(String(repeating: "x", count: 2_000)) HTTP/1.1\r\nHost: a\r\n\r\n"
      }
      text += "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      try socket.send([UInt8](text.utf8))
      let (bytes, ending) = RawHTTP.readToEnd(socket)
      let responses = try #require(RawHTTP.responses(bytes))
      #expect(ending == .end)
      #expect(responses.map(\.status) == Array(repeating: 200, count: 81))
      for number in 0..<40 where responses.count == 81 {
        #expect(responses[2 * number].body.contains("reports"), "\(number)")
        #expect(responses[2 * number + 1].body.contains("token"), "\(number)")
      }
      #expect(responses.last?.body.contains("healthy") == true)
    }
  }

  @Test("a half-closed client gets the answers that need no waiting", arguments: reactorCounts)
  func halfClosed(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: Self.application(Calls())) { gateway throws in
      let socket = try Socket(port: gateway.port)
      try socket.send([UInt8](("GET /get-token?username=u HTTP/1.1\r\nHost: a\r\n\r\n" + Self.call).utf8))
      socket.shutdownWrite()
      let (bytes, ending) = RawHTTP.readToEnd(socket)
      let responses = try #require(RawHTTP.responses(bytes))
      #expect(ending == .end)
      #expect(responses.map(\.status) == [200])
    }
  }
}
