// What the conformance tests of Engine.IO and Socket.IO share: requests and WebSockets under control to the byte, and a
// client that does not mind how its packets travel.

import EventLoop
import Foundation
import Gateway
import TestSupport
import Testing

/// How a polling client uses its connections.
enum Polling: CaseIterable, Sendable {
  /// One for its polls and one for its posts, wherever they come out.
  case kept
  /// A fresh one for each request, on the reactor where the session is not: every request is handed over.
  case apart
}

/// How a Socket.IO client sends and receives.
enum SocketIOTransport: CaseIterable, Sendable {
  case webSocket, polling, pollingApart

  var polling: Polling { self == .pollingApart ? .apart : .kept }
}

/// Runs `body` against a gateway of its own with two reactors. Where requests come on the wrong one, they must have been
/// handed over.
func withPolling(
  _ polling: Polling, settings: [(String, String)] = [], extensions: Extensions? = nil,
  _ body: (ConformanceGateway) throws -> Void
) throws {
  try withGateway(settings: settings, extensions: extensions) { gateway throws in
    try body(gateway)
    if polling == .kept { return }
    let isHandedOver = try eventually { try gateway.metrics().sum("connections_handed_over_total") > 0 }
    #expect(isHandedOver, "no connection was handed over")
  }
}

extension ConformanceGateway {
  /// The reactor of a session: the first byte of its id.
  static func reactor(of sid: String) throws -> Int {
    guard let bytes = Data(base64Encoded: String(sid.prefix(4))), let first = bytes.first else {
      throw GatewayFailure(description: "no session id: \(sid)")
    }
    return Int(first)
  }

  /// A connection that is on `reactor`, ready for a request. Which reactor the system gives a connection to cannot be
  /// chosen, but a request for a session brings its connection there, for good.
  func connection(on reactor: Int) throws -> Socket {
    for _ in 0..<60 {
      let socket = try Socket(port: port)
      if let anchor = anchors[reactor] {
        let target = "/socket.io/?EIO=4&transport=polling&sid=\(anchor)"
        let request = "POST \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n3"
        if try HTTPExchange.perform(request, on: socket).status == 200 { return socket }
        // It was too old.
        anchors[reactor] = nil
        continue
      }
      let request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"
      let open = JSON(String(try HTTPExchange.perform(request, on: socket).text.dropFirst()))
      let sid = open?["sid"]?.text ?? ""
      let place = try Self.reactor(of: sid)
      anchors[place] = sid
      if place == reactor { return socket }
    }
    throw GatewayFailure(description: "60 connections, and none came to reactor \(reactor)")
  }
}

/// Requests of one Engine.IO session.
final class PollingSession {
  let gateway: ConformanceGateway
  let polling: Polling
  let path: String
  private(set) var sid = ""
  /// Connections that are kept, by whether they are for polls.
  private var kept: [Bool: Socket] = [:]

  /// A session past its handshake.
  init(_ gateway: ConformanceGateway, _ polling: Polling, path: String = "/socket.io/", query: String = "") throws {
    self.gateway = gateway
    self.polling = polling
    self.path = path
    let answer = try request("GET", query: query)
    guard answer.status == 200, answer.text.hasPrefix("0"),
      let sid = JSON(String(answer.text.dropFirst()))?["sid"]?.text
    else { throw GatewayFailure(description: "the handshake answered \(answer.status): \(answer.text)") }
    self.sid = sid
  }

  /// The target of a request of this session.
  func target(_ transport: String = "polling", query: String = "") -> String {
    "\(path)?EIO=4&transport=\(transport)" + (sid.isEmpty ? "" : "&sid=\(sid)") + query
  }

  /// A fresh connection; apart, it is on the reactor after the session's.
  func connection() throws -> Socket {
    if polling == .kept || sid.isEmpty { return try Socket(port: gateway.port) }
    return try gateway.connection(on: (ConformanceGateway.reactor(of: sid) + 1) % gateway.reactors)
  }

  /// Sends a request and does not wait for its answer.
  func begin(_ method: String, body: [UInt8]? = nil, query: String = "", headers: [String] = []) throws -> Socket {
    let isPoll = method == "GET"
    var lines = ["\(method) \(target(query: query)) HTTP/1.1", "Host: 127.0.0.1"] + headers
    if let body { lines.append("Content-Length: \(body.count)") }
    if polling == .apart { lines.append("Connection: close") }
    let bytes = [UInt8]((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? [])
    let socket = try (polling == .kept ? kept[isPoll] : nil) ?? connection()
    if polling == .kept { kept[isPoll] = socket }
    try socket.send(bytes)
    return socket
  }

  /// Sends a request and reads its answer.
  func request(
    _ method: String, body: [UInt8]? = nil, query: String = "", headers: [String] = []
  ) throws -> TestSupport.HTTPAnswer {
    let isPoll = method == "GET"
    let answer = try HTTPExchange.readAnswer(on: begin(method, body: body, query: query, headers: headers))
    if answer.headers["connection"]?.lowercased() == "close" { kept[isPoll] = nil }
    return answer
  }

  /// The packets of the next answer to a poll.
  func poll(sourceLocation: SourceLocation = #_sourceLocation) throws -> [String] {
    let answer = try request("GET")
    #expect(answer.status == 200, "\(answer.text)", sourceLocation: sourceLocation)
    return Self.packets(answer)
  }

  /// Posts packets, which must be taken.
  func post(_ packets: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
    let answer = try request("POST", body: Self.payload(packets))
    #expect(
      answer.status == 200 && answer.text == "ok" && answer.headers["content-type"] == "text/html", "\(answer.text)",
      sourceLocation: sourceLocation)
  }

  /// Posts whatever it is, and returns the status.
  func postAnything(_ packets: [String]) throws -> Int { try request("POST", body: Self.payload(packets)).status }

  /// The session is over: its id is unknown.
  func expectOver(_ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let answer = try request("GET")
    #expect(
      answer.status == 400 && JSON(answer.text) == JSON(#"{"code":1,"message":"Session ID unknown"}"#),
      comment ?? "\(answer.text)", sourceLocation: sourceLocation)
  }

  /// A WebSocket that names this session.
  func upgrade(headers: [String] = []) throws -> WebSocketClient {
    try WebSocketClient(on: connection(), target: target("websocket"), headers: headers)
  }

  /// The answer to a request on a fresh connection, beside those that are kept.
  func aside(_ method: String, _ target: String? = nil) throws -> TestSupport.HTTPAnswer {
    try HTTPExchange.perform(
      "\(method) \(target ?? self.target()) HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", on: connection())
  }

  static func packets(_ answer: TestSupport.HTTPAnswer) -> [String] {
    answer.text.unicodeScalars.split(separator: "\u{1E}", omittingEmptySubsequences: false).map { String($0) }
  }

  static func payload(_ packets: [String]) -> [UInt8] { [UInt8](packets.joined(separator: "\u{1E}").utf8) }
}

/// What a Socket.IO client sees next.
enum SocketIOIncoming: Equatable {
  case text(String)
  case binary([UInt8])
  /// The session is over.
  case closed
}

/// A Socket.IO client without rules of its own: the test says what is sent.
final class SocketIOTestClient {
  /// The id of the Engine.IO session.
  let sid: String
  let transport: SocketIOTransport
  /// Whether pings are answered, which are not shown either way.
  var answersPings = true
  private let webSocket: WebSocketClient?
  private let session: PollingSession?
  private var waiting: [SocketIOIncoming] = []

  /// A client past the handshake of Engine.IO. `query` begins with `&`.
  init(_ gateway: ConformanceGateway, _ transport: SocketIOTransport, query: String = "") throws {
    self.transport = transport
    if transport == .webSocket {
      let client = try gateway.connect("/socket.io/?EIO=4&transport=websocket" + query)
      let open = try client.nextText()
      sid = JSON(String(open.dropFirst()))?["sid"]?.text ?? ""
      (webSocket, session) = (client, nil)
    } else {
      let polling = try PollingSession(gateway, transport.polling, query: query)
      sid = polling.sid
      (webSocket, session) = (nil, polling)
    }
  }

  /// Sends a text packet of Engine.IO. Whether it is taken does not matter.
  func send(_ packet: String) throws {
    try webSocket?.send(packet)
    _ = try session?.postAnything([packet])
  }

  /// Sends a packet and its attachments.
  func send(_ packet: String, attachments: [[UInt8]]) throws {
    try webSocket?.send(packet)
    for attachment in attachments { try webSocket?.send(ClientFrame(ClientFrame.binary, attachment)) }
    _ = try session?.postAnything([packet] + attachments.map { "b" + Data($0).base64EncodedString() })
  }

  /// The next packet that is no ping.
  func next() throws -> SocketIOIncoming {
    while true {
      if waiting.isEmpty { try receive() }
      let packet = waiting.removeFirst()
      if packet != .text("2") { return packet }
      if answersPings { try send("3") }
    }
  }

  /// The next packet, which must be text.
  func nextText() throws -> String {
    let packet = try next()
    if case .text(let text) = packet { return text }
    throw GatewayFailure(description: "expected a text packet, got \(packet)")
  }

  private func receive() throws {
    if let webSocket {
      switch webSocket.next() {
      case .text(let text): waiting.append(.text(text))
      case .binary(let bytes): waiting.append(.binary(bytes))
      case .close, .end, .reset: waiting.append(.closed)
      case .ping, .pong: break
      case .timedOut: throw GatewayFailure(description: "nothing came")
      }
      if waiting.isEmpty { try receive() }
      return
    }
    guard let answer = try session?.request("GET") else { return }
    if answer.status != 200 {
      waiting.append(.closed)
      return
    }
    for packet in PollingSession.packets(answer) {
      // Tells nothing but that there is nothing.
      if packet == "6" { continue }
      if packet == "1" {
        waiting.append(.closed)
      } else if packet.hasPrefix("b") {
        waiting.append(.binary([UInt8](Data(base64Encoded: String(packet.dropFirst())) ?? Data())))
      } else {
        waiting.append(.text(packet))
      }
    }
    if waiting.isEmpty { try receive() }
  }

  /// Joins a namespace, past its welcome; returns the socket's id. `prefix` is the namespace with its comma.
  @discardableResult
  func join(_ token: String, prefix: String = "") throws -> String {
    try send(#"40\#(prefix){"token":"\#(token)"}"#)
    let connect = try nextText()
    guard connect.hasPrefix("40" + prefix), let id = JSON(String(connect.dropFirst(2 + prefix.count)))?["sid"]?.text
    else {
      throw GatewayFailure(description: "connect answered \(connect)")
    }
    let welcome = try nextText()
    guard welcome.hasPrefix("42" + prefix + #"["connected","#) else {
      throw GatewayFailure(description: "no welcome but \(welcome)")
    }
    return id
  }

  /// The next packet is the event with these parts; returns its data.
  @discardableResult
  func nextEvent(
    _ name: String, prefix: String = "42", sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> JSON {
    let text = try nextText()
    guard text.hasPrefix(prefix), case .array(let elements)? = JSON(String(text.dropFirst(prefix.count))),
      elements.count == 2
    else { throw GatewayFailure(description: "no event \(name) but \(text)") }
    #expect(elements[0] == .string(name), "\(text)", sourceLocation: sourceLocation)
    return elements[1]
  }

  /// Nothing but the answer to a ping is on its way.
  func expectOnlyPong(prefix: String = "", sourceLocation: SourceLocation = #_sourceLocation) throws {
    try send("42" + prefix + #"["ping"]"#)
    let data = try nextEvent("pong", prefix: "42" + prefix, sourceLocation: sourceLocation)
    #expect(isTimestamp(data["timestamp"]), sourceLocation: sourceLocation)
  }

  /// The session ends, and nothing comes before.
  func expectClosed(_ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let packet = try next()
    #expect(packet == .closed, comment, sourceLocation: sourceLocation)
  }
}

/// Runs `body` with a client of a gateway of its own, of this transport and past the handshake of Engine.IO.
func withSocketIO(
  _ transport: SocketIOTransport, settings: [(String, String)] = [], extensions: Extensions? = nil,
  query: String = "", _ body: (ConformanceGateway, SocketIOTestClient) throws -> Void
) throws {
  try withPolling(transport.polling, settings: settings, extensions: extensions) { gateway throws in
    try body(gateway, SocketIOTestClient(gateway, transport, query: query))
  }
}
