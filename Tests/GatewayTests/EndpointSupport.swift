// Helpers of the endpoint tests.
import Auth
import Buffers
import EventLoop
import Wire

@testable import Gateway

/// When the tests happen, in milliseconds since 1970: 2026-11-18T22:26:40.123Z.
let testMilliseconds: Int64 = 1_795_040_800_123
let testSeconds = testMilliseconds / 1_000
let endpointSecret = "6f1c0e9b7a5d4832c1b0a9f8e7d6c5b4"

/// The dialects of the listeners that the profiles make.
let allDialects: [Dialect] = [.handlers, .channels, .events, .sessions, .walkers]

/// The endpoints of a gateway with these settings, and secrets for all dialects.
func makeEndpoints(_ file: String = "{}", flags: [(String, String)] = []) throws -> Endpoints {
  let secrets = ["HANDLERS_JWT_SECRET", "NEXUS_JWT_SECRET", "JWT_SECRET_KEY", "TOKEN_SECRET"]
  let environment = Dictionary(uniqueKeysWithValues: secrets.map { ($0, endpointSecret) })
  let configuration = try load(file: file, environment: environment, flags: flags)
  let origins = try OriginPolicy(allowed: configuration.corsOrigins, allowsLocalhost: configuration.development)
  // A clock that stands still: how long a test takes must not give it more attempts.
  return Endpoints(configuration, origins: origins, monotonicMilliseconds: { 1_000_000 })
}

/// A request for a target with a method.
func makeRequest(
  _ method: String, _ target: String, dialects: [Dialect] = allDialects, body: String = "", origin: String? = nil,
  authorization: String? = nil, cookie: String? = nil, contentType: String? = "application/json",
  requestHeaders: String? = nil, client: PeerAddress = PeerAddress(low: 0xFFFF_0A00_0001),
  nowMilliseconds: Int64 = testMilliseconds
) -> EndpointRequest {
  let methods: [String: HTTPMethod] = [
    "GET": .get, "HEAD": .head, "POST": .post, "PUT": .put, "DELETE": .delete, "OPTIONS": .options, "PATCH": .patch,
  ]
  let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
  return EndpointRequest(
    method: methods[method] ?? .other, methodText: method, path: String(parts[0]),
    query: parts.count > 1 ? Array(parts[1].utf8) : [], dialects: dialects, authorization: authorization,
    cookie: cookie, contentType: contentType, origin: origin, host: "gateway.example:8080",
    requestHeaders: requestHeaders, body: Array(body.utf8), client: client, nowMilliseconds: nowMilliseconds)
}

extension Endpoints {
  /// The answer to a request, however long it takes.
  func ask(_ request: EndpointRequest) async -> HTTPAnswer {
    switch answer(request) {
    case .now(let answer): answer
    case .later(let work): await work()
    }
  }
}

extension HTTPAnswer {
  /// The body as text.
  var text: String { String(decoding: body, as: UTF8.self) }

  /// A header's value; nil unless it is there once.
  func header(_ name: String) -> String? {
    let values = headers.filter { $0.0 == name }.map(\.1)
    return values.count == 1 ? values[0] : nil
  }

  /// What follows `"name":"` in the body, up to the next quote.
  func member(_ name: String) -> String {
    let marker = "\"\(name)\":\""
    guard let range = text.firstRange(of: marker) else { return "" }
    return String(text[range.upperBound...].prefix { $0 != "\"" })
  }
}

/// The claims of a token that verifies at a time, as their JSON; nil for one that does not.
func claims(_ token: String, _ policy: JWTPolicy, at seconds: Int64) -> String? {
  guard let key = JWTKey(secret: endpointSecret) else { return nil }
  var claims = JWTClaims()
  do {
    try JWTVerifier(key: key, policy: policy).verify(token.utf8Span.span, nowSeconds: seconds, into: &claims)
    return claims.payload.string
  } catch {
    return nil
  }
}
