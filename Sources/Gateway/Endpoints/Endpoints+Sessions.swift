// The endpoint of the sessions dialect: a token for a name and a password. Any thread.
import Auth
import Wire

extension Endpoints {
  private static let tokenKeys = JSONKeySet("username", "password", "session_id")

  /// `POST /auth/token` (PROTOCOLS 4.1).
  func authToken(_ request: EndpointRequest) -> EndpointOutcome {
    guard EndpointBody.isJSON(request.contentType) else {
      return .now(.text(415, "Expected a request with Content-Type: application/json"))
    }
    let body: EndpointBody
    do {
      body = try EndpointBody(request.body, Self.tokenKeys)
    } catch {
      switch error {
      case .malformed(let offset): return .now(.text(400, "The body is not valid JSON at byte \(offset)"))
      case .notObject: return .now(.text(422, "The body is not an object"))
      case .duplicate: return .now(.text(422, "A member stands twice in the body"))
      }
    }
    guard case .text(let user) = body.member(0) else { return .now(Self.notText("username", body.member(0))) }
    guard case .text(let password) = body.member(1) else { return .now(Self.notText("password", body.member(1))) }
    let session: String?
    switch body.member(2) {
    case .absent, .null: session = nil
    case .text(let text) where text.utf8.count > Limits.accountNameBytesMax:
      return .now(.text(422, "session_id is longer than \(Limits.accountNameBytesMax) bytes"))
    case .text(let text): session = text.isEmpty ? nil : text
    case .other: return .now(Self.notText("session_id", .other))
    }
    if user.isEmpty || password.isEmpty || user.utf8.count > Limits.accountNameBytesMax {
      return .now(Self.invalidCredentials)
    }
    if let answer = limitLogins(request, ["error": "Too many attempts"]) { return .now(answer) }
    guard let key = configuration.sessions.jwtSecret.flatMap({ JWTKey(secret: $0.text) }) else {
      return .now(.json(503, ["error": "This server has no key for tokens"]))
    }
    let accounts = accounts
    let ttl = configuration.sessions.tokenTtlSeconds
    let now = request.nowSeconds
    return .later {
      switch await accounts.verify(name: user, password: Array(password.utf8)) {
      case .refused: return Self.invalidCredentials
      case .busy: return Self.busy(["error": "Too many logins at the moment"])
      case .accepted:
        var claims: [(String, JWTClaimValue)] = [("sub", .string(user))]
        if let session { claims.append(("sid", .string(session))) }
        claims += [("iat", .integer(now)), ("exp", .integer(now + Int64(ttl)))]
        let token = JWTSigner.sign(claims: claims, key: key)
        return .json(["token": .string(token), "expires_in": .integer(Int64(ttl))])
          .adding([("Cache-Control", "no-store")])
      }
    }
  }

  private static let invalidCredentials = HTTPAnswer.json(401, ["error": "Invalid credentials"])
    .because(.badCredentials)

  private static func notText(_ name: String, _ member: EndpointBody.Member) -> HTTPAnswer {
    .text(422, member == .absent ? "\(name) is missing" : "\(name) is not a string")
  }
}
