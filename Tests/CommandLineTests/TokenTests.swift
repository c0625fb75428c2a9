import Auth
import Buffers
import Gateway
import Testing

@testable import martlet

@Suite("martlet token")
struct TokenTests {
  private let time: Int64 = 1_795_000_000

  /// Whether a token verifies under a secret at a time.
  private func verifies(_ token: String, _ secret: String, _ policy: JWTPolicy, at seconds: Int64) throws -> Bool {
    let key = try #require(JWTKey(secret: secret))
    let verifier = JWTVerifier(key: key, policy: policy)
    let bytes = Array(token.utf8)
    var claims = JWTClaims()
    do {
      try verifier.verify(bytes.span, nowSeconds: seconds, into: &claims)
      return true
    } catch {
      return false
    }
  }

  @Test(
    "only the token is printed, with the claims of its dialect",
    arguments: [
      ("channels", "NEXUS_JWT_SECRET", "userId"), ("handlers", "HANDLERS_JWT_SECRET", "username"),
      ("sessions", "JWT_SECRET_KEY", "sub"),
    ])
  func dialects(_ dialect: String, _ variable: String, _ claim: String) throws {
    let result = report(
      ["token", "--dialect", dialect, "--user", "al\"ice", "--ttl", "60"], environment: [variable: goodSecret])
    #expect(result.status == 0 && result.complaint.isEmpty)
    let key = try #require(JWTKey(secret: goodSecret))
    let expected = JWTSigner.sign(
      claims: [(claim, .string("al\"ice")), ("iat", .integer(time)), ("exp", .integer(time + 60))], key: key)
    #expect(result.output == expected + "\n")
    #expect(try verifies(expected, goodSecret, .channels, at: time + 59))
    #expect(try !verifies(expected, goodSecret, .channels, at: time + 61))
  }

  @Test("claims are numbers, booleans or strings, and those of the command cannot be replaced")
  func claims() throws {
    let environment = ["NEXUS_JWT_SECRET": goodSecret]
    let words = ["token", "--dialect", "channels", "--user", "a"]
    let result = report(
      words + ["--claim", "role=admin", "--claim", "level=3", "--claim", "ok=true", "--claim", "id=\"7\""],
      environment: environment)
    let key = try #require(JWTKey(secret: goodSecret))
    let expected = JWTSigner.sign(
      claims: [
        ("userId", .string("a")), ("role", .string("admin")), ("level", .integer(3)), ("ok", .boolean(true)),
        ("id", .string("7")), ("iat", .integer(time)), ("exp", .integer(time + 3_600)),
      ], key: key)
    #expect(result.output == expected + "\n")
    for claim in ["userId=b", "exp=1", "iat=1"] {
      #expect(report(words + ["--claim", claim], environment: environment).status == 2)
    }
    #expect(report(words + ["--claim", "a=1", "--claim", "a=2"], environment: environment).status == 2)
  }

  @Test("a token of development mode is accepted by the development server that runs next to it")
  func development() throws {
    try withRuntimeDirectory { environment in
      guard case .serve(let configuration, _) = invoke(["serve", "--dev"], environment: environment) else {
        Issue.record("refused")
        return
      }
      let secret = try #require(configuration.channels.jwtSecret)
      let result = report(["token", "--dev", "--dialect", "channels", "--user", "alice"], environment: environment)
      #expect(result.status == 0)
      #expect(try verifies(String(result.output.dropLast()), secret.text, .channels, at: time))
    }
  }

  @Test("a missing or weak secret and a dialect without signed tokens are refused on standard error")
  func refused() {
    let words = ["token", "--user", "a", "--dialect"]
    for result in [
      report(words + ["channels"]), report(words + ["channels"], environment: ["NEXUS_JWT_SECRET": "your-secret-key"]),
      report(words + ["events"]), report(words + ["echo"]), report(words + ["channels", "--config", "/no/such/file"]),
    ] {
      #expect(result.status == 1 && result.output.isEmpty && !result.complaint.isEmpty)
    }
  }

  /// The claims of a token that verifies, as their JSON.
  private func claims(_ token: String, _ policy: JWTPolicy) throws -> String {
    let key = try #require(JWTKey(secret: goodSecret))
    var claims = JWTClaims()
    try JWTVerifier(key: key, policy: policy).verify(
      String(token.dropLast()).utf8Span.span, nowSeconds: time, into: &claims)
    return claims.payload.string
  }

  @Test("a sessions token can be bound to a session, and lives as long as those of the endpoint")
  func session() throws {
    let words = ["token", "--dialect", "sessions", "--user", "a", "--session", "s 1", "--claim", "x=1"]
    let environment = ["JWT_SECRET_KEY": goodSecret, "JWT_EXPIRATION_SECONDS": "90"]
    let result = report(words, environment: environment)
    #expect(
      try claims(result.output, .sessions) == #"{"sub":"a","sid":"s 1","x":1,"iat":\#(time),"exp":\#(time + 90)}"#)
  }

  @Test("a walkers token holds the user object, the same root each time, and says that it is in no list")
  func walkers() throws {
    func token(_ words: [String]) throws -> String {
      let result = report(["token", "--dialect", "walkers"] + words, environment: ["TOKEN_SECRET": goodSecret])
      #expect(result.status == 0, "\(result.complaint)")
      return try claims(result.output, .walkers)
    }
    let known = WalkerUser(name: "a@b.c", secret: Secret(goodSecret))
    for words in [["--user", "a@b.c"], ["--email", "a@b.c"], ["--user", "x", "--email", "a@b.c"]] {
      let text = try token(words)
      #expect(text.hasPrefix(#"{"id":"\#(known.id)","email":"a@b.c","root_id":"\#(known.rootId)","#))
      #expect(text.contains(#""is_activated":true,"is_admin":false,"expiration":\#(time + 43_200),"state":""#))
      #expect(text.hasSuffix(#""standalone":true}"#))
    }
    let root = "0123456789abcdef01234567"
    for text in [root, "n::" + root] {
      #expect(try token(["--user", "a", "--root", text, "--ttl", "5"]).contains(#""root_id":"\#(root)""#))
    }
  }

  @Test("flags of another dialect, a root that is none and a claim of the command's own are wrong usage")
  func misuse() {
    let environment = ["TOKEN_SECRET": goodSecret, "NEXUS_JWT_SECRET": goodSecret, "JWT_SECRET_KEY": goodSecret]
    for words in [
      ["channels", "--user", "a", "--session", "s"], ["sessions", "--user", "a", "--email", "e"],
      ["channels", "--user", "a", "--root", "0123456789abcdef01234567"], ["walkers", "--user", "a", "--root", "n::7"],
      ["walkers", "--user", "a", "--root", "0123456789ABCDEF01234567"], ["sessions", "--user", "a", "--session", ""],
      ["walkers", "--user", "a", "--claim", "is_admin=true"], ["sessions", "--user", "a", "--claim", "sub=b"],
      ["walkers"],
    ] {
      #expect(report(["token", "--dialect"] + words, environment: environment).status == 2, "\(words)")
    }
  }

  @Test("whoever wants a token for events is told where sessions come from")
  func events() {
    let result = report(["token", "--dialect", "events", "--user", "a"])
    #expect(result.status == 1 && result.complaint.contains("POST http://ADDRESS/api/auth/acquire-session"))
  }
}
