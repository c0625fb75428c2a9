// Where a client connects to, read from a URL. Values; any thread.

/// A `ws://`, `http://` or Unix-domain URL, taken apart.
struct ClientURL: Sendable, Equatable {
  enum Place: Sendable, Equatable {
    case tcp(host: String, port: UInt16)
    case unix(path: String)
  }

  /// Bytes of the longest URL that is taken: gateways refuse request lines over 8 KiB, and the token comes on top.
  static let bytesMax = 4_096

  let place: Place
  /// Path and query as written; `/` where the URL has none.
  let target: String
  /// The value of the `Host` header.
  let authority: String

  /// Reads `SCHEME://HOST[:PORT][/PATH][?QUERY]`, or `SCHEME+unix://SOCKET_PATH:/PATH`. `scheme` is `ws` or `http`.
  init(_ text: String, scheme: String) throws(ClientError) {
    guard text.utf8.count <= Self.bytesMax else { throw .invalidURL("over \(Self.bytesMax) bytes") }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .invalidURL("blanks, control or non-ASCII characters: percent-encode them")
    }
    guard let colon = text.firstRange(of: "://") else { throw .invalidURL("no scheme: use \(scheme)://HOST:PORT/PATH") }
    let given = text[..<colon.lowerBound].lowercased()
    var rest = text[colon.upperBound...]
    if let fragment = rest.firstIndex(of: "#") { rest = rest[..<fragment] }
    switch given {
    case scheme: try self.init(network: rest)
    case scheme + "+unix": try self.init(unix: rest)
    case scheme + "s", scheme + "s+unix": throw .tlsUnsupported
    default: throw .invalidURL("scheme \(given): use \(scheme)://")
    }
  }

  private init(network rest: Substring) throws(ClientError) {
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let authority = rest[..<end]
    guard !authority.contains("@") else { throw .invalidURL("user names do not belong into the URL") }
    var host = authority
    var port: UInt16 = 80
    let isBracketed = authority.first == "["
    // A colon inside the brackets of an IPv6 address begins no port.
    let hostEnd = isBracketed ? authority.lastIndex(of: "]") : authority.lastIndex(of: ":")
    if isBracketed {
      guard let hostEnd else { throw .invalidURL("no ] behind the address") }
      host = authority[authority.index(after: authority.startIndex)..<hostEnd]
      let behind = authority[authority.index(after: hostEnd)...]
      if !behind.isEmpty {
        guard behind.first == ":", let number = UInt16(behind.dropFirst()) else { throw .invalidURL("bad port") }
        port = number
      }
    } else if let hostEnd {
      guard let number = UInt16(authority[authority.index(after: hostEnd)...]) else { throw .invalidURL("bad port") }
      host = authority[..<hostEnd]
      port = number
    }
    guard !host.isEmpty, port != 0 else { throw .invalidURL("no host, or port 0") }
    place = .tcp(host: String(host), port: port)
    target = Self.target(rest[end...])
    self.authority = String(authority)
  }

  private init(unix rest: Substring) throws(ClientError) {
    let split = rest.lastIndex(of: ":") ?? rest.endIndex
    let path = rest[..<split]
    guard path.first == "/", path.utf8.count < 108 else {
      throw .invalidURL("an absolute path of at most 107 bytes is needed: ws+unix:///run/martlet.sock:/channels")
    }
    place = .unix(path: String(path))
    target = Self.target(rest[split...].dropFirst())
    authority = "localhost"
  }

  private static func target(_ text: Substring) -> String {
    if text.isEmpty { return "/" }
    return text.first == "?" ? "/" + text : String(text)
  }

  /// The target with `name=value` added to its query, percent-encoded.
  func target(adding name: String, _ value: String) -> String {
    let mark = target.contains("?") ? (target.last == "?" || target.last == "&" ? "" : "&") : "?"
    return target + mark + name + "=" + Self.percentEncoded(value)
  }

  /// Everything but RFC 3986's unreserved characters as escapes.
  static func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".unicodeScalars)
    var out = ""
    for byte in text.utf8 {
      let scalar = Unicode.Scalar(byte)
      let isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A
      if isLetter || (byte >= 0x30 && byte <= 0x39) || "-_.~".unicodeScalars.contains(scalar) {
        out.unicodeScalars.append(scalar)
      } else {
        out += "%"
        out.unicodeScalars.append(digits[Int(byte >> 4)])
        out.unicodeScalars.append(digits[Int(byte & 15)])
      }
    }
    return out
  }
}
