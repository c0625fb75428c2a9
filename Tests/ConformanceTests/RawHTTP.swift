// Whole conversations in plain HTTP: every byte that is sent, and every answer that comes until the end. Values; one
// thread at a time.

import TestSupport

/// One answer of a conversation.
struct RawResponse: CustomStringConvertible {
  let status: Int
  /// Names in lower case; of a repeated header the last.
  let headers: [String: String]
  let body: String

  var closes: Bool { headers["connection"]?.lowercased().contains("close") == true }
  var description: String { "\(status) \(headers["connection"] ?? "-") \(body.prefix(60))" }
}

enum RawHTTP {
  /// Everything that comes until the gateway ends the connection, or until nothing has come for `patienceMilliseconds`.
  static func readToEnd(
    _ socket: Socket, patienceMilliseconds: Int = Socket.patienceMilliseconds
  ) -> (bytes: [UInt8], ending: Received) {
    var bytes: [UInt8] = []
    while true {
      switch socket.receive(patienceMilliseconds: patienceMilliseconds) {
      case .bytes(let more): bytes += more
      case let ending: return (bytes, ending)
      }
    }
  }

  /// The answers in `bytes`, in order; interim ones are among them. Nil where something is no answer, or not whole.
  /// `isToHead`: whether the first final one is to a HEAD.
  static func responses(_ bytes: [UInt8], isToHead: Bool = false) -> [RawResponse]? {
    var all: [RawResponse] = []
    var rest = bytes[...]
    var omitsBody = isToHead
    while !rest.isEmpty {
      guard let end = rest.firstRange(of: [13, 10, 13, 10]) else { return nil }
      let lines = String(decoding: rest[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
      let words = lines.first?.split(separator: " ") ?? []
      guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else { return nil }
      var headers: [String: String] = [:]
      for line in lines.dropFirst() {
        let parts = line.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
      }
      rest = rest[end.upperBound...]
      let isInterim = status < 200
      let count = isInterim || omitsBody ? 0 : Int(headers["content-length"] ?? "0") ?? 0
      guard rest.count >= count else { return nil }
      all.append(
        RawResponse(status: status, headers: headers, body: String(decoding: rest.prefix(count), as: UTF8.self)))
      rest = rest.dropFirst(count)
      if !isInterim { omitsBody = false }
      // What follows is frames.
      if status == 101 { break }
    }
    return all
  }
}
