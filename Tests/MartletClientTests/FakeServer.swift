// A server that does exactly what a test's script says, right or wrong. Its own threads; the script runs on one for each
// connection.

import Auth
import Buffers
import EventLoop
import Foundation
import TestSupport
import Wire

/// A listener on a free loopback port.
final class FakeServer: Sendable {
  let port: UInt16
  private let listener: Int32
  private let isStopped = Lock(false)
  private let count = Lock(0)

  /// Runs `script` with each connection and its number, from 0.
  init(port: UInt16 = 0, _ script: @escaping @Sendable (FakeConnection, Int) throws -> Void) throws {
    listener = try System.listen(host: "127.0.0.1", port: port, backlog: 16)
    self.port = System.boundPort(listener)
    let (listener, isStopped, count) = (listener, isStopped, count)
    let thread = try ReactorThread(name: "fake-server") {
      while !isStopped.withLock({ $0 }) {
        guard case .accepted(let fd, _) = System.accept(listener) else {
          System.pause(milliseconds: 2)
          continue
        }
        let number = count.withLock { count in
          count += 1
          return count - 1
        }
        Self.serve(fd, number, script)
      }
      System.close(listener)
    }
    thread.detach()
  }

  private static func serve(
    _ fd: Int32, _ number: Int, _ script: @escaping @Sendable (FakeConnection, Int) throws -> Void
  ) {
    do {
      let worker = try ReactorThread(name: "fake-connection") {
        try? script(FakeConnection(fd), number)
        System.close(fd)
      }
      worker.detach()
    } catch { System.close(fd) }
  }

  deinit { stop() }

  var url: String { "ws://127.0.0.1:\(port)/channels" }
  /// Connections so far.
  var connections: Int { count.withLock { $0 } }

  func stop() { isStopped.withLock { $0 = true } }
}

/// A frame that a client sent.
struct FakeFrame: Sendable, Equatable {
  var isFinal: Bool
  var opcode: UInt8
  /// Nil for an unmasked frame.
  var mask: [UInt8]?
  var payload: [UInt8]

  var text: String { String(decoding: payload, as: UTF8.self) }
}

/// The end of a connection, or of a test's patience.
struct FakeEnd: Error {}

/// One connection; its script's thread only.
final class FakeConnection {
  private let fd: Int32
  private var input = ByteBuffer()
  private var taken: [UInt8] = []

  init(_ fd: Int32) { self.fd = fd }

  /// Takes in what is there; throws at the end, or after far longer than anything takes.
  private func receive() throws {
    for _ in 0..<20_000 {
      input.removeAll()
      input.reserve(65_536)
      switch System.receive(fd, into: &input, atMost: 65_536) {
      case .moved:
        for index in input.bytes.indices { taken.append(input.bytes[index]) }
        return
      case .wouldBlock: System.pause(milliseconds: 1)
      case .end, .failed: throw FakeEnd()
      }
    }
    throw FakeEnd()
  }

  private func take(_ count: Int) throws -> [UInt8] {
    while taken.count < count { try receive() }
    defer { taken.removeFirst(count) }
    return Array(taken[..<count])
  }

  /// Sends bytes, `pieceBytes` with each call.
  func send(_ bytes: [UInt8], pieceBytes: Int = .max) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      switch System.send(fd, Array(rest.prefix(pieceBytes)).span) {
      case .moved(let count): rest = rest.dropFirst(count)
      case .wouldBlock: System.pause(milliseconds: 1)
      default: throw FakeEnd()
      }
    }
  }

  /// Sends what fits, without waiting for room; how much that was.
  func sendSome(_ bytes: [UInt8]) -> Int {
    if case .moved(let count) = System.send(fd, bytes.span) { return count }
    return 0
  }

  /// Reads a request up to the empty line, and its body.
  func readRequest() throws -> (head: String, body: String) {
    while true {
      if let end = taken.firstRange(of: [13, 10, 13, 10]) {
        let head = String(decoding: try take(end.upperBound), as: UTF8.self)
        let length = Self.header("content-length", of: head).flatMap { Int($0) } ?? 0
        return (head, String(decoding: try take(length), as: UTF8.self))
      }
      try receive()
    }
  }

  static func header(_ name: String, of head: String) -> String? {
    for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix(name + ":") {
      return line.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
    }
    return nil
  }

  /// The answer that accepts a handshake.
  static func acceptance(_ head: String) -> String {
    var accept = ByteBuffer(capacity: 80)
    WebSocketAcceptKey.append(key: [UInt8]((header("sec-websocket-key", of: head) ?? "").utf8).span, to: &accept)
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
      + "Sec-WebSocket-Accept: \(accept.bytes.string)\r\n\r\n"
  }

  /// Reads a handshake and accepts it; returns its head.
  @discardableResult
  func upgrade(pieceBytes: Int = .max) throws -> String {
    let head = try readRequest().head
    try send([UInt8](Self.acceptance(head).utf8), pieceBytes: pieceBytes)
    return head
  }

  /// Answers a request and ends.
  func answer(_ status: String, headers: String = "", body: String = "") throws {
    try send([UInt8]("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)".utf8))
  }

  func readFrame() throws -> FakeFrame {
    let start = try take(2)
    var length = Int(start[1] & 0x7F)
    if length == 126 { length = try take(2).reduce(0) { $0 << 8 | Int($1) } }
    if length == 127 { length = try take(8).reduce(0) { $0 << 8 | Int($1) } }
    let mask = start[1] & 0x80 != 0 ? try take(4) : nil
    var payload = try take(length)
    if let mask { for index in payload.indices { payload[index] ^= mask[index & 3] } }
    return FakeFrame(isFinal: start[0] & 0x80 != 0, opcode: start[0] & 0x0F, mask: mask, payload: payload)
  }

  /// The next frame of an opcode; others are passed over, but a close frame is answered and ends the script.
  func readFrame(_ opcode: UInt8) throws -> FakeFrame {
    while true {
      let frame = try readFrame()
      if frame.opcode == opcode { return frame }
      if frame.opcode == 8 {
        try sendClose(1000)
        throw FakeEnd()
      }
    }
  }

  func sendText(_ text: String, pieceBytes: Int = .max) throws {
    try send(Self.frame(1, [UInt8](text.utf8)), pieceBytes: pieceBytes)
  }

  func sendClose(_ code: UInt16, _ reason: String = "") throws {
    try send(Self.frame(8, [UInt8(code >> 8), UInt8(code & 255)] + [UInt8](reason.utf8)))
  }

  /// A frame as a server sends it, with its length in the shortest form.
  static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
    var out: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
    switch payload.count {
    case ..<126: out.append(UInt8(payload.count))
    case ..<65_536: out += [126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    default:
      out.append(127)
      for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(payload.count >> shift & 255)) }
    }
    return out + payload
  }

  /// Waits for the client's end, and answers its close frame.
  func waitForEnd() {
    // No frame has this opcode, so all are passed over.
    _ = try? readFrame(.max)
  }
}
