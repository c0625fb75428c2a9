// Where connections go: `ws://host:port/path?query` or `ws+unix:/socket/path:/target`, and the upgrade request they send. Values only.

/// A server's address and the target to ask for.
public struct Target: Equatable, Sendable {
  public enum Address: Equatable, Sendable {
    /// A numeric address or `localhost`.
    case tcp(host: String, port: UInt16)
    case unix(path: String)
  }

  public var address: Address
  /// Path and query, starting with a slash.
  public var target: String

  /// Parses a URL. TLS is not spoken: `wss` is an error, as is anything else that is not understood.
  public init(_ url: String) throws(BenchError) {
    if let rest = Target.removing("ws+unix:", from: url) {
      guard rest.hasPrefix("/") else {
        throw .usage("\(url): ws+unix needs an absolute path, ws+unix:/run/x.sock:/target")
      }
      let parts = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      address = .unix(path: String(parts[0]))
      target = parts.count > 1 && !parts[1].isEmpty ? String(parts[1]) : "/"
    } else if let rest = Target.removing("ws://", from: url) {
      let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
      let authority = rest[..<end]
      target = String(rest[end...])
      var host = authority
      var port: UInt16? = 80
      if authority.hasPrefix("[") {
        guard let close = authority.firstIndex(of: "]") else { throw .usage("\(url): `[` without `]`") }
        host = authority[authority.index(after: authority.startIndex)..<close]
        let rest = authority[authority.index(after: close)...]
        if rest.hasPrefix(":") { port = UInt16(rest.dropFirst()) } else if !rest.isEmpty { port = nil }
      } else if let colon = authority.firstIndex(of: ":") {
        host = authority[..<colon]
        port = UInt16(authority[authority.index(after: colon)...])
      }
      guard let port, port > 0 else { throw .usage("\(url): the port is not a number from 1 to 65535") }
      guard !host.isEmpty else { throw .usage("\(url): no host") }
      address = .tcp(host: String(host), port: port)
    } else {
      throw .usage("\(url): neither ws://host:port/path nor ws+unix:/path:/target")
    }
    if !target.hasPrefix("/") { target = "/" + target }
    guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }) else {
      throw .usage("\(url): the path has a character that must be percent-encoded")
    }
  }

  private static func removing(_ prefix: String, from text: String) -> Substring? {
    text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : nil
  }

  /// The target with `token=` added to its query.
  public func withToken(_ token: String) -> String { target + (target.contains("?") ? "&" : "?") + "token=" + token }

  /// The `Host` field of the request.
  public var hostField: String {
    switch address {
    case .tcp(let host, let port): (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
    case .unix: "localhost"
    }
  }

  /// Whether connections can come from several source addresses: 127/8 to 127/8.
  var isLoopback: Bool {
    if case .tcp(let host, _) = address { return host == "localhost" || host.hasPrefix("127.") }
    return false
  }

  /// The key of RFC 6455 section 1.3, so that the accept value is known without a digest.
  static let key = "dGhlIHNhbXBsZSBub25jZQ=="
  static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

  /// The upgrade request. RFC 6455 4.1.
  func request(token: String?, headers: [String]) -> [UInt8] {
    var text = "GET \(token.map { withToken($0) } ?? target) HTTP/1.1\r\nHost: \(hostField)\r\n"
    text +=
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(Target.key)\r\n"
    for header in headers { text += header + "\r\n" }
    return Array((text + "\r\n").utf8)
  }
}
