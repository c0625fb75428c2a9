// Plain HTTP as far as clients need it to get in: sessions of the events dialect. One thread, one request at a time.
import Buffers
import EventLoop

/// A whole HTTP answer with a `Content-Length`.
struct HTTPReply {
  var status: Int
  var body: String
  /// Bytes of head and body.
  var length: Int

  /// The answer at the start of `bytes`; nil while it is incomplete.
  init?(_ bytes: [UInt8]) {
    var end = 0
    while end + 4 <= bytes.count && !bytes.span.extracting(end..<end + 4).equals("\r\n\r\n") { end += 1 }
    guard end + 4 <= bytes.count else { return nil }
    let head = String(decoding: bytes[..<end], as: UTF8.self)
    status = head.hasPrefix("HTTP/1.1 ") ? Int(head.dropFirst(9).prefix(3)) ?? 0 : 0
    var count = 0
    for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length:") {
      count = Int(line.dropFirst(15).filter { $0 != " " }) ?? 0
    }
    length = end + 4 + count
    guard bytes.count >= length else { return nil }
    body = String(decoding: bytes[(end + 4)..<length], as: UTF8.self)
  }

  /// A string member of a JSON body that needs no unescaping; nil where there is none.
  func text(of member: String) -> String? {
    let parts = body.split(separator: "\"\(member)\":\"", maxSplits: 1, omittingEmptySubsequences: false)
    return parts.count == 2
      ? parts[1].split(separator: "\"", omittingEmptySubsequences: false).first.map(String.init) : nil
  }

  /// A request with a body, or a GET without one.
  static func request(_ target: Target, path: String, body: String?) -> [UInt8] {
    var text = "\(body == nil ? "GET" : "POST") \(path) HTTP/1.1\r\nHost: \(target.hostField)\r\n"
    if let body {
      text += "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body
    } else {
      text += "\r\n"
    }
    return Array(text.utf8)
  }
}

/// One connection that asks and waits.
enum HTTPClient {
  /// Where sessions of the events dialect are given (PROTOCOLS 3.1).
  static let sessionPath = "/api/auth/acquire-session"
  /// An answer must have come after 10 s, in nanoseconds.
  static let answerNanoseconds: UInt64 = 10_000_000_000

  /// `count` new sessions' tokens.
  static func acquireSessions(
    _ count: Int, _ target: Target, _ progress: inout Progress
  ) throws(BenchError) -> [String] {
    var poller = try Poller()
    var received: [UInt8] = []
    let fd = try Kernel.connect(target, source: nil)
    defer { System.close(fd) }
    poller.add(fd, token: 0, writing: true)
    var isConnected = false
    var tokens: [String] = []
    while tokens.count < count {
      progress.show("sessions", tokens.count, count)
      if progress.interrupted { throw .server("interrupted while asking for sessions") }
      let deadline = System.monotonicNanoseconds() + answerNanoseconds
      if !isConnected {
        _ = poller.wait(until: deadline)
        poller.modify(fd, token: 0, writing: false)
        isConnected = true
      }
      let request = HTTPReply.request(target, path: sessionPath, body: "")
      guard System.send(fd, request.span) == .moved(request.count) else {
        throw .server("no connection to ask for a session")
      }
      let reply = try wait(fd, &poller, &received, deadline)
      guard reply.status == 200, let token = reply.text(of: "token"), !token.isEmpty else {
        throw .server("\(sessionPath) answered \(reply.status): \(reply.body.prefix(200))")
      }
      tokens.append(token)
    }
    return tokens
  }

  private static func wait(
    _ fd: Int32, _ poller: inout Poller, _ received: inout [UInt8], _ deadline: UInt64
  ) throws(BenchError) -> HTTPReply {
    while true {
      if let reply = HTTPReply(received) {
        received.removeFirst(reply.length)
        return reply
      }
      guard poller.wait(until: deadline) > 0 else { throw .server("no answer to a request for a session in 10 s") }
      var buffer = ByteBuffer(capacity: 4096)
      switch System.receive(fd, into: &buffer, atMost: 4096) {
      case .moved: received += buffer.bytes.array
      case .wouldBlock: break
      case .end, .failed: throw .server("the connection ended while a session was asked for")
      }
    }
  }
}
