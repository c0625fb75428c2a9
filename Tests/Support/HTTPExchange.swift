// Plain HTTP/1.1 requests and the answers to them, byte by byte. Used by one thread at a time.

import Foundation

/// The answer to a request.
public struct HTTPAnswer {
  public var status = 0
  /// Names in lower case; of a repeated header the last.
  public var headers: [String: String] = [:]
  public var body: [UInt8] = []
  /// What came after the head of a 101, or after the body.
  public var rest: [UInt8] = []

  public var text: String { String(decoding: body, as: UTF8.self) }
}

public enum HTTPExchange {
  /// Sends a request and reads its answer. On the connection of `socket`, which stays open.
  public static func perform(_ request: String, on socket: Socket) throws -> HTTPAnswer {
    try socket.send([UInt8](request.utf8))
    return try readAnswer(on: socket)
  }

  /// Reads one answer.
  public static func readAnswer(on socket: Socket) throws -> HTTPAnswer {
    var bytes: [UInt8] = []
    while true {
      if let answer = parse(bytes) { return answer }
      switch socket.receive() {
      case .bytes(let more): bytes += more
      case .timedOut: throw SocketError(call: "answer", number: 0)
      case .end, .reset:
        throw GatewayFailure(description: "no whole answer but: \(String(decoding: bytes, as: UTF8.self))")
      }
    }
  }

  /// `GET path` on a connection of its own.
  public static func get(_ path: String, port: UInt16, headers: [String] = []) throws -> HTTPAnswer {
    let lines = ["GET \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Connection: close"] + headers
    return try perform(lines.joined(separator: "\r\n") + "\r\n\r\n", on: Socket(port: port))
  }

  /// The answer that `bytes` begin with, or nil while it is not whole.
  private static func parse(_ bytes: [UInt8]) -> HTTPAnswer? {
    guard let end = bytes.firstRange(of: [13, 10, 13, 10]) else { return nil }
    let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
    // A carriage return and a line feed are one character to Swift.
    let lines = head.split(separator: "\r\n")
    var answer = HTTPAnswer()
    answer.status = lines.first.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") } ?? 0
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 {
        answer.headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
      }
    }
    let after = bytes[end.upperBound...]
    let length = answer.status == 101 ? 0 : Int(answer.headers["content-length"] ?? "0") ?? 0
    guard after.count >= length else { return nil }
    answer.body = Array(after.prefix(length))
    answer.rest = Array(after.dropFirst(length))
    return answer
  }
}
