// A parsed request head: offsets into the bytes that were parsed and a few flags; lives on the stack of whoever parses.

import Buffers

/// The header fields whose place a head remembers. The raw value is the index into `HTTPRequestHead.fields`.
enum HTTPFieldName: Int {
  case host, origin, authorization, cookie, contentType, contentLength, transferEncoding, connection, upgrade, expect
  case webSocketKey, webSocketVersion, webSocketProtocol, webSocketExtensions
  case forwardedFor, forwardedProto, corsMethod, corsHeaders

  /// The remembered field that `name` spells in any case, or nil. Each comparison starts with the length.
  init?(_ name: Span<UInt8>) {
    if name.equalsIgnoringCase("host") {
      self = .host
    } else if name.equalsIgnoringCase("connection") {
      self = .connection
    } else if name.equalsIgnoringCase("upgrade") {
      self = .upgrade
    } else if name.equalsIgnoringCase("origin") {
      self = .origin
    } else if name.equalsIgnoringCase("cookie") {
      self = .cookie
    } else if name.equalsIgnoringCase("expect") {
      self = .expect
    } else if name.equalsIgnoringCase("authorization") {
      self = .authorization
    } else if name.equalsIgnoringCase("content-type") {
      self = .contentType
    } else if name.equalsIgnoringCase("content-length") {
      self = .contentLength
    } else if name.equalsIgnoringCase("transfer-encoding") {
      self = .transferEncoding
    } else {
      self.init(longer: name)
    }
  }

  private init?(longer name: Span<UInt8>) {
    if name.equalsIgnoringCase("sec-websocket-key") {
      self = .webSocketKey
    } else if name.equalsIgnoringCase("sec-websocket-version") {
      self = .webSocketVersion
    } else if name.equalsIgnoringCase("sec-websocket-protocol") {
      self = .webSocketProtocol
    } else if name.equalsIgnoringCase("sec-websocket-extensions") {
      self = .webSocketExtensions
    } else if name.equalsIgnoringCase("x-forwarded-for") {
      self = .forwardedFor
    } else if name.equalsIgnoringCase("x-forwarded-proto") {
      self = .forwardedProto
    } else if name.equalsIgnoringCase("access-control-request-method") {
      self = .corsMethod
    } else if name.equalsIgnoringCase("access-control-request-headers") {
      self = .corsHeaders
    } else {
      return nil
    }
  }

  /// Whether a second line of this name is refused with 400: where two could be read differently by a proxy and by us.
  var isSingleton: Bool {
    switch self {
    case .host, .origin, .authorization, .contentType, .contentLength, .transferEncoding: true
    default: false
    }
  }
}

/// A range of head bytes in 8 bytes; absent when it starts at 0, where no field value can be.
struct HTTPFieldRange: Sendable, BitwiseCopyable {
  var start: UInt32 = 0
  var end: UInt32 = 0

  init() {}

  /// Offsets in a head fit in 32 bits, because the parser stops at `HTTPLimits.headBytesMax`.
  init(_ range: Range<Int>) {
    start = UInt32(truncatingIfNeeded: range.lowerBound)
    end = UInt32(truncatingIfNeeded: range.upperBound)
  }

  var isPresent: Bool { start != 0 }
  var range: Range<Int>? { isPresent ? Int(start)..<Int(end) : nil }
}

/// A request head that passed every check of RFC 9112. All ranges are offsets into the bytes that were parsed,
/// without the blanks around a value; nothing is owned, so a head is only meaningful together with those bytes.
public struct HTTPRequestHead: Sendable {
  /// The request method; `other` for a valid token that is none of the known ones.
  public internal(set) var method: HTTPMethod = .other
  /// The method as spelled.
  public internal(set) var methodRange: Range<Int> = 0..<0
  /// The whole request target. Visible ASCII only, and every `%` begins a valid escape other than `%00`.
  public internal(set) var target: Range<Int> = 0..<0
  /// The path, still percent-encoded and not normalised; `*` for `OPTIONS *`; empty for an absolute target without a
  /// path, which means `/`.
  public internal(set) var path: Range<Int> = 0..<0
  /// What follows the first `?`, still encoded; nil without one.
  public internal(set) var query: Range<Int>?
  /// 0 or 1, for HTTP/1.0 and HTTP/1.1.
  public internal(set) var minorVersion = 1
  /// Bytes of the head, with skipped empty lines before and the blank line after it; the body or the next head begins
  /// here.
  public internal(set) var length = 0
  /// Where the first header line begins.
  var headersStart = 0

  /// `Content-Length` in bytes, or nil. Never together with `isChunked`.
  public internal(set) var contentLength: Int?
  /// Whether the body has the chunked transfer coding.
  public internal(set) var isChunked = false
  /// Whether a `Connection` line has the option `close`.
  public internal(set) var connectionHasClose = false
  /// Whether a `Connection` line has the option `keep-alive`.
  public internal(set) var connectionHasKeepAlive = false
  /// Whether a `Connection` line has the option `upgrade`.
  public internal(set) var connectionHasUpgrade = false
  /// Whether an `Upgrade` line names `websocket`.
  public internal(set) var hasUpgradeWebSocket = false
  /// Whether an HTTP/1.1 client waits for `100 Continue` before it sends the body.
  public internal(set) var expectContinue = false

  var fields = [18 of HTTPFieldRange](repeating: HTTPFieldRange())
  /// Bit n: the field with raw value n came more than once.
  var repeated: UInt32 = 0

  init() {}

  subscript(name: HTTPFieldName) -> Range<Int>? { fields[name.rawValue].range }

  func isRepeated(_ name: HTTPFieldName) -> Bool { repeated & (1 << UInt32(name.rawValue)) != 0 }

  /// Whether the connection stays open after the response (RFC 9112 9.3).
  public var keepsAlive: Bool { !connectionHasClose && (minorVersion == 1 || connectionHasKeepAlive) }
  /// The same for a response that is sent before the body has been read. A client that waits for `100 Continue` and is
  /// refused instead may leave the body out, and then nobody could say what the next bytes are.
  public var keepsAliveUnread: Bool { keepsAlive && !(expectContinue && hasBody) }
  /// Whether body bytes follow the head.
  public var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

  /// The request's own host and port: the authority of an absolute target, else the one `Host` value. Always there in
  /// HTTP/1.1.
  public var host: Range<Int>? { self[.host] }
  /// `Origin`; a second one was refused.
  public var origin: Range<Int>? { self[.origin] }
  /// `Authorization`; a second one was refused.
  public var authorization: Range<Int>? { self[.authorization] }
  /// The first `Cookie` line. When `repeatsCookie`, more follow: `appendLines` joins them by `; ` (RFC 9113 8.2.3,
  /// which lets clients of HTTP/2 split them; a proxy may pass them on so).
  public var cookie: Range<Int>? { self[.cookie] }
  /// Whether there are more `Cookie` lines than the first.
  public var repeatsCookie: Bool { isRepeated(.cookie) }
  /// `Content-Type`; a second one was refused.
  public var contentType: Range<Int>? { self[.contentType] }
  /// The first `Upgrade` line.
  public var upgrade: Range<Int>? { self[.upgrade] }
  /// The first `Sec-WebSocket-Key`; `WebSocketUpgrade.check` refuses a second one.
  public var secWebSocketKey: Range<Int>? { self[.webSocketKey] }
  /// The first `Sec-WebSocket-Version`; `WebSocketUpgrade.check` refuses a second one.
  public var secWebSocketVersion: Range<Int>? { self[.webSocketVersion] }
  /// The first `Sec-WebSocket-Protocol` line. When `repeatsSecWebSocketProtocol`, the offer goes on in later lines,
  /// which `HTTPHeaderIterator` finds: several lines mean the same as one joined by commas (RFC 6455 11.3.4).
  public var secWebSocketProtocol: Range<Int>? { self[.webSocketProtocol] }
  /// Whether there are more `Sec-WebSocket-Protocol` lines than the first.
  public var repeatsSecWebSocketProtocol: Bool { isRepeated(.webSocketProtocol) }
  /// The first `Sec-WebSocket-Extensions` line; see `secWebSocketProtocol`.
  public var secWebSocketExtensions: Range<Int>? { self[.webSocketExtensions] }
  /// Whether there are more `Sec-WebSocket-Extensions` lines than the first.
  public var repeatsSecWebSocketExtensions: Bool { isRepeated(.webSocketExtensions) }
  /// The **last** `X-Forwarded-For` line, because a proxy appends behind what the client sent. When
  /// `repeatsXForwardedFor`, the list begins in earlier lines (RFC 9110 5.3): some proxies append to the line, some add
  /// one. Believe it only from a trusted peer (HOSTILE 12).
  public var xForwardedFor: Range<Int>? { self[.forwardedFor] }
  /// Whether there are more `X-Forwarded-For` lines than the last.
  public var repeatsXForwardedFor: Bool { isRepeated(.forwardedFor) }
  /// The last `X-Forwarded-Proto` line; see `xForwardedFor`.
  public var xForwardedProto: Range<Int>? { self[.forwardedProto] }
  /// `Access-Control-Request-Method`: present in a CORS preflight.
  public var accessControlRequestMethod: Range<Int>? { self[.corsMethod] }
  /// `Access-Control-Request-Headers`: the first line. When `repeatsAccessControlRequestHeaders`, the list goes on.
  public var accessControlRequestHeaders: Range<Int>? { self[.corsHeaders] }
  /// Whether there are more `Access-Control-Request-Headers` lines than the first.
  public var repeatsAccessControlRequestHeaders: Bool { isRepeated(.corsHeaders) }

  /// Appends the values of all lines named `name`, given in lower case, with `separator` between them. For the cold
  /// path of a field that came in several lines; `bytes` must be those that the head was parsed from.
  public func appendLines(
    named name: StaticString, separator: StaticString, in bytes: Span<UInt8>, to buffer: inout ByteBuffer
  ) {
    var lines = HTTPHeaderIterator(self)
    var isFirst = true
    while let value = lines.next(named: name, in: bytes) {
      if !isFirst { buffer.append(separator) }
      isFirst = false
      buffer.append(bytes.extracting(value))
    }
  }
}
