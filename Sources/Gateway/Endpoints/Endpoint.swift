// What an HTTP endpoint is given and what it gives back. Values, any thread.
import EventLoop
import Wire

/// A whole request that an endpoint owns, its body read.
public struct EndpointRequest: Sendable {
  /// The method as the gateway tells them apart.
  public var method: HTTPMethod
  /// The method as sent.
  public var methodText: String
  /// The path, undecoded, without the query.
  public var path: String
  /// The query without its `?`, undecoded; may be empty.
  public var query: [UInt8]
  /// The dialects mounted on this listener.
  public var dialects: [Dialect]
  /// The `Authorization` header.
  public var authorization: String?
  /// The `Cookie` header.
  public var cookie: String?
  /// The `Content-Type` header.
  public var contentType: String?
  /// The `Origin` header: only browsers send one.
  public var origin: String?
  /// The `Host` header.
  public var host: String?
  /// The `Access-Control-Request-Headers` header of a preflight.
  public var requestHeaders: String?
  /// The body, at most `limits.bodyBytesMax` bytes.
  public var body: [UInt8]
  /// Where the request comes from, proxies that are trusted looked through.
  public var client: PeerAddress
  /// Milliseconds since 1970.
  public var nowMilliseconds: Int64

  /// A request.
  public init(
    method: HTTPMethod, methodText: String, path: String, query: [UInt8] = [], dialects: [Dialect],
    authorization: String? = nil, cookie: String? = nil, contentType: String? = nil, origin: String? = nil,
    host: String? = nil, requestHeaders: String? = nil, body: [UInt8] = [], client: PeerAddress = PeerAddress(),
    nowMilliseconds: Int64
  ) {
    self.method = method
    self.methodText = methodText
    self.path = path
    self.query = query
    self.dialects = dialects
    self.authorization = authorization
    self.cookie = cookie
    self.contentType = contentType
    self.origin = origin
    self.host = host
    self.requestHeaders = requestHeaders
    self.body = body
    self.client = client
    self.nowMilliseconds = nowMilliseconds
  }
}

/// An answer to a request. Whoever sends it adds `Content-Length`, which a 204 does not have, and `Connection`, and
/// leaves the body out for HEAD.
public struct HTTPAnswer: Sendable {
  /// The status code.
  public var status: Int
  /// The media type of the body; nil leaves `Content-Type` out.
  public var contentType: String?
  /// More headers, in order. Names and values hold no control characters.
  public var headers: [(String, String)]
  /// The body.
  public var body: [UInt8]
  /// Why a client was refused, for the log and the metrics; the client is not told.
  var denial: Denial?

  /// An answer.
  public init(status: Int, contentType: String? = nil, headers: [(String, String)] = [], body: [UInt8] = []) {
    self.status = status
    self.contentType = contentType
    self.headers = headers
    self.body = body
  }
}

/// What an endpoint says at once: the answer, or how to get it away from the reactor's thread.
public enum EndpointOutcome: Sendable {
  /// The answer.
  case now(HTTPAnswer)
  /// Slow work that gives the answer, for a thread that may wait.
  case later(@Sendable () async -> HTTPAnswer)
}
