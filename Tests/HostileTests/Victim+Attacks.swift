// How the plain kinds of attack are carried out and what their answers must be. The stage's thread.

import Buffers
import Compression
import TestSupport
import Testing

extension Victim {
  /// A fresh connection, past the PROXY header where the setup wants one.
  func connect(host: String = "127.0.0.1", receiveBufferBytes: Int32? = nil) throws -> Socket {
    let socket = try Socket(host: host, port: gateway.port, receiveBufferBytes: receiveBufferBytes)
    if !setup.preamble.isEmpty { try socket.send([UInt8](setup.preamble.utf8)) }
    return socket
  }

  /// A client of the channels dialect past its welcome.
  func client(
    host: String = "127.0.0.1", receiveBufferBytes: Int32? = nil, headers: [String] = []
  ) throws -> WebSocketClient {
    let socket = try connect(host: host, receiveBufferBytes: receiveBufferBytes)
    let target = "/channels?token=" + Tokens.channels(user: "mallory")
    let client = try WebSocketClient(on: socket, target: target, headers: headers)
    _ = try client.nextText()
    return client
  }

  // MARK: Requests

  func request(_ bytes: [UInt8], _ expected: ExpectedAnswer) throws {
    let socket = try connect()
    // The gateway may answer and stop reading before it has everything.
    try? socket.send(bytes)
    try expect(expected, on: socket)
  }

  /// Reads an answer and checks it, and that nothing comes after it.
  @discardableResult
  func expect(_ expected: ExpectedAnswer, on socket: Socket) throws -> [UInt8] {
    let (bytes, ending) = Self.read(socket, toEnd: expected.closes)
    guard let answer = RawAnswer(bytes) else {
      Issue.record("no answer but \(bytes.count) bytes and \(ending)")
      return bytes
    }
    #expect(answer.status == expected.status, "\(answer.head)")
    for (name, value) in expected.headers {
      #expect(answer.headers[name].map { value.isEmpty || $0 == value } == true, "\(name) in \(answer.head)")
    }
    for name in expected.without { #expect(answer.headers[name] == nil, "\(answer.head)") }
    guard expected.closes else { return bytes }
    #expect(ending == .end, "the connection did not end in the orderly way")
    // One answer and nothing behind it.
    let announced = answer.headers["content-length"].flatMap { Int($0) } ?? 0
    #expect(answer.bodyBytes == (expected.isToHead ? 0 : announced), "\(answer.head)")
    return bytes
  }

  /// What a socket has to say, up to its end or up to the first head.
  static func read(_ socket: Socket, toEnd: Bool) -> ([UInt8], Received) {
    var bytes: [UInt8] = []
    while true {
      switch socket.receive() {
      case .bytes(let more): bytes += more
      case let ending: return (bytes, ending)
      }
      if !toEnd, RawAnswer(bytes) != nil { return (bytes, .timedOut) }
    }
  }

  // MARK: Frames and messages

  func sendFrames(_ bytes: [UInt8], _ code: UInt16, _ isCompressed: Bool) throws {
    let client = try client(headers: isCompressed ? ["Sec-WebSocket-Extensions: permessage-deflate"] : [])
    try? client.socket.send(bytes)
    expectClose(client, code)
  }

  /// The client is told to go with a code, and then TCP ends.
  func expectClose(_ client: WebSocketClient, _ code: UInt16) {
    let all = client.readToEnd()
    guard all.count >= 2, case .close(let got, let text) = all[all.count - 2] else {
      Issue.record("no close frame at the end of \(all.suffix(3))")
      return
    }
    #expect(got == code, "\(text)")
    #expect(all.last == .end)
  }

  /// The gateway resets the connection, whose end it has announced before.
  func expectReset(_ socket: Socket) {
    // A socket that has seen the end of the stream shows the reset to who sends: first or second.
    let isReset = eventually {
      do { try socket.send(ClientFrame(ClientFrame.pong, []).bytes) } catch { return true }
      return false
    }
    #expect(isReset, "the connection was left open")
  }

  func sendMessage(_ text: String, _ error: String) throws {
    let client = try client()
    try client.send(text)
    let answer = try client.nextText()
    #expect(JSON(answer)?["type"]?.text == "error", "\(answer.prefix(200))")
    #expect(JSON(answer)?["message"]?.text == error, "\(answer.prefix(200))")
    let before = try client.drain()
    #expect(before.isEmpty, "unexpected: \(before)")
  }
}

/// The head of an answer, taken apart.
struct RawAnswer {
  let status: Int
  let head: String
  /// Names in lower case.
  let headers: [String: String]
  let bodyBytes: Int

  /// Nil while the head is not whole.
  init?(_ bytes: [UInt8]) {
    guard let end = bytes.firstRange(of: [13, 10, 13, 10]) else { return nil }
    head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
    let lines = head.split(separator: "\r\n")
    status = lines.first.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") } ?? 0
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " }) }
    }
    self.headers = headers
    bodyBytes = bytes.count - end.upperBound
  }
}

/// Compressed messages for attacks.
enum Bomb {
  /// `payload` as the body of a compressed message, without the tail of an empty block (RFC 7692 7.2.1).
  static func deflated(_ payload: [UInt8]) -> [UInt8] {
    var deflater = Deflater(windowBits: 15, level: 9, memoryLevel: 8)
    var out = ByteBuffer(capacity: payload.count / 500 + 1_024)
    deflater.deflate(payload.span, into: &out)
    var bytes: [UInt8] = []
    for index in 0..<out.count { bytes.append(out.bytes[index]) }
    return bytes
  }

  /// A frame that says it is compressed.
  static func frame(_ body: [UInt8], opcode: UInt8 = ClientFrame.text, isFinal: Bool = true) -> [UInt8] {
    var frame = ClientFrame(opcode, body, isFinal: isFinal)
    frame.reserved = 4
    return frame.bytes
  }
}
