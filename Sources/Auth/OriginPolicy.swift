// Decides which web origins may open connections and call endpoints (PROTOCOLS G14, HOSTILE 8). Immutable, any thread.
import Buffers

/// An entry of the list of allowed origins that is none of the accepted forms.
public struct OriginPolicyError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The entry as given, for the report of `check-config`.
  public let entry: String

  public init(entry: String) {
    self.entry = entry
  }

  public var description: String {
    "\"\(entry)\" is not an origin: expected *, https://app.example.com[:port], https://*.example.com, *.example.com, "
      + "null, or one of an application such as file:// or app://."
  }
}

/// The rule for requests that carry an `Origin` header; those without one are not browsers and are not restricted.
public struct OriginPolicy: Sendable {
  /// Bytes of an Origin or Host header worth reading: a scheme, a name of 253 bytes, a port.
  public static let originBytesMax = 320

  private struct Rule: Sendable {
    /// Lower case, `ws` as `http` and `wss` as `https`; nil stands for `http` and `https`.
    var scheme: [UInt8]?
    /// Lower case. Of a wildcard: what must follow at least one label, dot included.
    var host: [UInt8]
    var address: IPv6Value?
    var isWildcard: Bool
    /// Nil stands for the scheme's own port.
    var port: UInt16?
  }

  /// A parsed Origin header.
  private struct Origin {
    var scheme: Range<Int>
    var host: OriginHost
    var port: UInt16?
    var defaultPort: UInt16?
    var effectivePort: UInt16? { port ?? defaultPort }
  }

  private var rules: [Rule] = []
  /// Listed origins without a host, in lower case.
  private var hostless: [[UInt8]] = []
  private var allowsAll = false
  private let allowsLocalhost: Bool

  /// - Parameters:
  ///   - allowed: the entries of `CORS_ORIGIN`; spaces around one are ignored. `*` allows every origin, `null` and
  ///     those without a host (`file://`) among them; `https://app.example.com` and `https://app.example.com:8443` that
  ///     origin; `https://*.example.com` its subdomains of any depth, not `example.com` itself; `*.example.com` the
  ///     same under both http and https; `null`, `file://`, `app://.` exactly that.
  ///   - allowsLocalhost: development mode: also `localhost`, its subdomains, 127.0.0.0/8 and `[::1]`, on any port.
  /// - Throws: `OriginPolicyError` naming the first entry that is none of these.
  public init(allowed: [String], allowsLocalhost: Bool) throws(OriginPolicyError) {
    self.allowsLocalhost = allowsLocalhost
    for entry in allowed {
      var bytes = ByteBuffer()
      bytes.append(string: entry)
      let text = bytes.bytes
      var range = 0..<text.count
      while let first = range.first, text[first] == 0x20 || text[first] == 0x09 { range.removeFirst() }
      while let last = range.last, text[last] == 0x20 || text[last] == 0x09 { range.removeLast() }
      if range.count == 1, text[range.lowerBound] == 0x2A {
        allowsAll = true
        continue
      }
      if let rule = Self.rule(text, range) {
        rules.append(rule)
      } else if Self.isHostless(text, range) {
        hostless.append(Self.lowered(text, range))
      } else {
        throw OriginPolicyError(entry: entry)
      }
    }
  }

  /// Whether a request with these headers may go on.
  ///
  /// `host` is the Host header (empty if there was none). The request's own host is always allowed, by host name and
  /// port; a Host without a port stands for the default port of the origin's scheme, because behind a proxy the gateway
  /// cannot know which of the two the browser used.
  public func allows(origin: Span<UInt8>, host: Span<UInt8>) -> Bool {
    guard origin.count <= Self.originBytesMax else { return false }
    guard let parsed = Self.parse(origin) else {
      guard Self.isHostless(origin, 0..<origin.count) else { return false }
      if allowsAll { return true }
      for listed in hostless where Self.equals(origin, listed) { return true }
      return false
    }
    if allowsAll || Self.isSameHost(origin, parsed, host) { return true }
    if allowsLocalhost, Self.isLocalhost(origin, parsed.host) { return true }
    for rule in rules where Self.matches(rule, origin, parsed) { return true }
    return false
  }

  private static func isSameHost(_ text: Span<UInt8>, _ origin: Origin, _ header: Span<UInt8>) -> Bool {
    // Only web schemes: a browser extension's identifier must not be mistaken for a host.
    guard let defaultPort = origin.defaultPort, header.count <= originBytesMax,
      let (host, port) = OriginHost.parse(header, 0..<header.count),
      origin.effectivePort == port ?? defaultPort
    else { return false }
    if let address = host.address { return address == origin.host.address }
    let own = text.extracting(origin.host.range)
    let name = header.extracting(host.range)
    guard own.count == name.count else { return false }
    for index in 0..<own.count where lower(own[index]) != lower(name[index]) { return false }
    return true
  }

  private static func isLocalhost(_ text: Span<UInt8>, _ host: OriginHost) -> Bool {
    if let address = host.address { return address == .loopback }
    if host.isIPv4 { return OriginHost.ipv4(text, host.range).map { $0 >> 24 == 127 } ?? false }
    let name = text.extracting(host.range)
    if name.equalsIgnoringCase("localhost") { return true }
    return name.count > 10 && name.extracting(last: 10).equalsIgnoringCase(".localhost")
  }

  private static func matches(_ rule: Rule, _ text: Span<UInt8>, _ origin: Origin) -> Bool {
    if let scheme = rule.scheme {
      guard comparable(text, origin.scheme) == scheme else { return false }
    } else if origin.defaultPort == nil {
      return false
    }
    guard origin.effectivePort == rule.port ?? origin.defaultPort else { return false }
    if rule.address != nil || origin.host.address != nil { return rule.address == origin.host.address }
    let name = text.extracting(origin.host.range)
    if !rule.isWildcard { return equals(name, rule.host) }
    return name.count > rule.host.count && equals(name.extracting(last: rule.host.count), rule.host)
  }

  // MARK: Reading

  /// A serialised origin (RFC 6454 section 6.1): `scheme://host[:port]` and nothing after it.
  private static func parse(_ text: Span<UInt8>) -> Origin? {
    guard let scheme = scheme(text, 0..<text.count),
      let (host, port) = OriginHost.parse(text, scheme.upperBound + 3..<text.count)
    else { return nil }
    return Origin(scheme: scheme, host: host, port: port, defaultPort: defaultPort(text.extracting(scheme)))
  }

  /// The scheme (RFC 3986 section 3.1) of `text[range]`, which must be followed by `://`.
  private static func scheme(_ text: Span<UInt8>, _ range: Range<Int>) -> Range<Int>? {
    var end = range.lowerBound
    loop: while end < range.upperBound {
      switch text[end] {
      case 0x41...0x5A, 0x61...0x7A: break
      case 0x30...0x39, 0x2B, 0x2D, 0x2E: if end == range.lowerBound { return nil }
      default: break loop
      }
      end += 1
    }
    guard end > range.lowerBound, end + 3 <= range.upperBound, text.extracting(end..<end + 3).equals("://") else {
      return nil
    }
    return range.lowerBound..<end
  }

  /// Some clients that are not browsers name the scheme of the WebSocket that they open, not that of a page.
  private static func defaultPort(_ scheme: Span<UInt8>) -> UInt16? {
    if scheme.equalsIgnoringCase("https") || scheme.equalsIgnoringCase("wss") { return 443 }
    return scheme.equalsIgnoringCase("http") || scheme.equalsIgnoringCase("ws") ? 80 : nil
  }

  /// A scheme in the form in which rules have it.
  private static func comparable(_ text: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
    switch defaultPort(text.extracting(range)) {
    case 443: Array("https".utf8)
    case 80: Array("http".utf8)
    default: lowered(text, range)
    }
  }

  /// Whether `text[range]` is an origin in which no host can be read: `null`, or a scheme that is not of the web, `://`
  /// and printable characters that no list of origins and no wildcard has. So do the pages of applications come:
  /// `file://`, `app://.`.
  private static func isHostless(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let whole = text.extracting(range)
    if whole.equals("null") { return true }
    guard whole.count <= originBytesMax, let scheme = scheme(text, range), defaultPort(text.extracting(scheme)) == nil
    else { return false }
    for index in scheme.upperBound + 3..<range.upperBound {
      switch text[index] {
      case 0x2A, 0x2C: return false
      case 0x21...0x7E: continue
      default: return false
      }
    }
    return true
  }

  private static func rule(_ text: Span<UInt8>, _ range: Range<Int>) -> Rule? {
    let scheme = scheme(text, range)
    var start = scheme.map { $0.upperBound + 3 } ?? range.lowerBound
    let isWildcard = start + 1 < range.upperBound && text[start] == 0x2A && text[start + 1] == 0x2E
    // A bare name without a scheme is more likely a slip than a wish for both schemes.
    guard scheme != nil || isWildcard else { return nil }
    if isWildcard { start += 2 }
    guard let (host, port) = OriginHost.parse(text, start..<range.upperBound) else { return nil }
    if isWildcard, host.isIPv4 || host.address != nil { return nil }
    let name = isWildcard ? host.range.lowerBound - 1..<host.range.upperBound : host.range
    return Rule(
      scheme: scheme.map { comparable(text, $0) }, host: lowered(text, name), address: host.address,
      isWildcard: isWildcard, port: port)
  }

  private static func lowered(_ text: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
    var bytes: [UInt8] = []
    for index in range { bytes.append(lower(text[index])) }
    return bytes
  }

  /// Whether `text` is `expected`, which is in lower case.
  private static func equals(_ text: Span<UInt8>, _ expected: [UInt8]) -> Bool {
    guard text.count == expected.count else { return false }
    for index in 0..<text.count where lower(text[index]) != expected[index] { return false }
    return true
  }

  private static func lower(_ byte: UInt8) -> UInt8 {
    byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
  }
}
