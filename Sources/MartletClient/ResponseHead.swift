// Reads the head of an HTTP/1.1 response: of the WebSocket handshake and of the token endpoint. Values; any thread.
import Buffers

/// Status and headers of a response.
struct ResponseHead: Sendable {
  /// Bytes of the longest head that is read. Gateways and proxies send a few hundred.
  static let bytesMax = 16_384

  enum Failure: Error, Equatable {
    case tooLong
    case malformed
  }

  let status: Int
  private let headers: [(name: String, value: String)]

  /// Reads a head from the start of `bytes`; nil while it is not whole. `count` is its length with the empty line.
  /// Interim responses (1xx other than 101) are passed over and counted in.
  static func parse(_ bytes: Span<UInt8>) throws(Failure) -> (head: ResponseHead, count: Int)? {
    var start = 0
    while true {
      guard let end = endOfHead(bytes, from: start) else {
        if bytes.count - start >= bytesMax { throw .tooLong }
        return nil
      }
      guard end <= bytesMax else { throw .tooLong }
      let head = try ResponseHead(lines: bytes.extracting(start..<end).string)
      if head.status == 101 || head.status >= 200 { return (head, end) }
      start = end
    }
  }

  /// The position behind the first CR LF CR LF at or behind `start`.
  private static func endOfHead(_ bytes: Span<UInt8>, from start: Int) -> Int? {
    var index = start
    while index + 4 <= bytes.count {
      if bytes[index] == 0x0D && bytes.extracting(index..<index + 4).equals("\r\n\r\n") { return index + 4 }
      index += 1
    }
    return nil
  }

  private init(lines text: String) throws(Failure) {
    // A carriage return and a line feed are one character to Swift.
    let lines = text.split(separator: "\r\n")
    guard let first = lines.first, first.hasPrefix("HTTP/1.1 ") || first.hasPrefix("HTTP/1.0 ") else {
      throw .malformed
    }
    let code = first.dropFirst(9).prefix(3)
    guard code.utf8.count == 3, let status = Int(code), (100..<600).contains(status) else { throw .malformed }
    self.status = status
    var headers: [(String, String)] = []
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else { throw .malformed }
      let value = line[line.index(after: colon)...]
      headers.append((line[..<colon].lowercased(), Self.trimmed(value)))
    }
    self.headers = headers
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return String(text)
  }

  /// The only value of a header; nil when there is none, or more than one.
  func value(_ name: String) -> String? {
    let values = headers.filter { $0.name == name }
    return values.count == 1 ? values[0].value : nil
  }

  /// Whether a header is there at all.
  func has(_ name: String) -> Bool { headers.contains { $0.name == name } }

  /// Whether a comma-separated header lists `token` (in lower case).
  func lists(_ name: String, _ token: String) -> Bool {
    headers.contains { header in
      header.name == name && header.value.split(separator: ",").contains { Self.trimmed($0).lowercased() == token }
    }
  }

  /// `Retry-After` in seconds; nil when it is absent or a date.
  var retryAfterSeconds: UInt64? { value("retry-after").flatMap { UInt64($0) } }
}
