// The endpoint of the handlers dialect: tokens for anyone who asks. Any thread.
import Auth

extension Endpoints {
  /// `GET /get-token?username=U` (PROTOCOLS 1.1).
  func getToken(_ request: EndpointRequest) -> HTTPAnswer {
    guard configuration.handlers.openTokens else {
      return .json(403, ["error": "This server does not give tokens to anyone who asks"]).because(.switchedOff)
    }
    guard let user = request.parameter("username") else { return .text(400, "Missing username parameter") }
    guard user.utf8.count <= Limits.accountNameBytesMax else { return .text(400, "Username too long") }
    guard let key = configuration.handlers.jwtSecret.flatMap({ JWTKey(secret: $0.text) }) else {
      return .json(503, ["error": "This server has no key for tokens"])
    }
    let now = request.nowSeconds
    let end = now + Int64(configuration.handlers.tokenTtlSeconds)
    let token = JWTSigner.sign(
      claims: [("username", .string(user)), ("iat", .integer(now)), ("exp", .integer(end))], key: key)
    return .json(["token": .string(token)])
  }
}
