// `martlet token`: signs a token for a client of a dialect.

import Auth
import Gateway

struct TokenCommand {
  let tool: Tool

  /// How long a token is valid where neither a flag nor a setting says it: what the seeds' own endpoints give.
  static let ttlSecondsDefault = 3_600
  /// From a second to ten years.
  static let ttlSecondsRange = Limits.tokenTtlRange

  func run(_ arguments: Arguments) throws(UsageError) -> Report {
    guard let name = arguments.value("--dialect") else { throw UsageError(text: "--dialect is missing") }
    if name.isEmpty { throw UsageError(text: "--dialect: the name is empty") }
    guard let dialect = Dialect(name: name) else {
      let clause = Suggestion.clause(for: name, among: Dialect.allCases.map(\.name))
      throw UsageError(text: "--dialect: unknown dialect \"\(name)\"\(clause)")
    }
    if dialect == .events {
      return .refused([
        "the events dialect has sessions, not signed tokens: "
          + "curl -X POST http://ADDRESS/api/auth/acquire-session gives one"
      ])
    }
    if dialect == .echo { return .refused(["the echo takes no token"]) }
    let wanted = try Wanted(arguments, dialect)

    var configuration: Configuration
    switch try tool.configuration(arguments) {
    case .failure(let failure): return .refused(failure.reasons)
    case .success(let loaded): configuration = loaded
    }
    if configuration.development {
      do {
        _ = try DevelopmentSecrets(environment: tool.environment).fill(&configuration)
      } catch {
        return .refused(["development secrets: \(error)"])
      }
    }
    let mistakes = configuration.checkSecrets(of: [dialect])
    if !mistakes.isEmpty { return .refused(mistakes.map(\.description)) }
    guard let secret = configuration.secret(of: dialect), let key = JWTKey(secret: secret.text) else {
      return .refused(["the \(dialect.name) dialect has no secret"])
    }
    let own = wanted.claims(dialect, configuration, secret, nowSeconds: tool.nowSeconds)
    for (name, _) in wanted.extra where own.contains(where: { $0.0 == name }) {
      throw UsageError(text: "--claim: \(name) is set by the other flags")
    }
    // The extra ones stand in front of the times, as they always have.
    let end = own.firstIndex { $0.0 == "iat" } ?? own.count
    let all = Array(own[..<end]) + wanted.extra + Array(own[end...])
    return Report(output: JWTSigner.sign(claims: all, key: key) + "\n")
  }

  /// What the flags ask for.
  private struct Wanted {
    let user: String
    var ttl: Int?
    let session: String?
    let root: String?
    let extra: [(String, JWTClaimValue)]

    init(_ arguments: Arguments, _ dialect: Dialect) throws(UsageError) {
      for (flag, owner) in [("--session", Dialect.sessions), ("--email", .walkers), ("--root", .walkers)]
      where arguments.value(flag) != nil && dialect != owner {
        throw UsageError(text: "\(flag) is for the \(owner.name) dialect")
      }
      let name = arguments.value("--email") ?? arguments.value("--user")
      guard let name else { throw UsageError(text: "--user is missing") }
      if name.isEmpty {
        let isEmail = arguments.value("--email") != nil
        throw UsageError(text: isEmail ? "--email: the address is empty" : "--user: the name is empty")
      }
      user = name
      if let text = arguments.value("--ttl") {
        let range = TokenCommand.ttlSecondsRange
        guard let seconds = Int(text), range.contains(seconds) else {
          throw UsageError(text: "--ttl: expected \(range.lowerBound)...\(range.upperBound) seconds, got \"\(text)\"")
        }
        ttl = seconds
      }
      session = arguments.value("--session")
      if session?.isEmpty == true { throw UsageError(text: "--session: the name is empty") }
      var root = arguments.value("--root")
      if let text = root {
        let digits = text.hasPrefix("n::") ? String(text.dropFirst(3)) : text
        guard digits.utf8.count == 24,
          digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { throw UsageError(text: "--root: expected 24 digits of 0-9 and a-f, got \"\(text)\"") }
        root = digits
      }
      self.root = root
      extra = try TokenCommand.claims(arguments.values("--claim"))
    }

    /// The claims of the dialect (PROTOCOLS 1.1, 2.1, 4.1, 5.4).
    func claims(
      _ dialect: Dialect, _ configuration: Configuration, _ secret: Secret, nowSeconds: Int64
    ) -> [(String, JWTClaimValue)] {
      func signed(_ claims: [(String, JWTClaimValue)], _ seconds: Int) -> [(String, JWTClaimValue)] {
        claims + [("iat", .integer(nowSeconds)), ("exp", .integer(nowSeconds + Int64(ttl ?? seconds)))]
      }
      switch dialect {
      case .handlers: return signed([("username", .string(user))], configuration.handlers.tokenTtlSeconds)
      case .channels, .events, .echo: return signed([("userId", .string(user))], ttlSecondsDefault)
      case .sessions:
        let sid = session.map { [("sid", JWTClaimValue.string($0))] } ?? []
        return signed([("sub", .string(user))] + sid, configuration.sessions.tokenTtlSeconds)
      case .walkers:
        let known = WalkerUser(name: user, secret: secret)
        let walker = WalkerUser(id: known.id, email: user, rootId: root ?? known.rootId)
        return walker.standaloneClaims(
          expirationSeconds: nowSeconds + Int64(ttl ?? configuration.walkers.tokenTtlSeconds))
      }
    }
  }

  private static func claims(_ texts: [String]) throws(UsageError) -> [(String, JWTClaimValue)] {
    var claims: [(String, JWTClaimValue)] = []
    for text in texts {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[0].isEmpty else { throw UsageError(text: "--claim needs NAME=VALUE") }
      if claims.contains(where: { $0.0 == parts[0] }) {
        throw UsageError(text: "--claim: \(parts[0]) is given twice")
      }
      claims.append((parts[0], TokenCommand.claim(parts[1])))
    }
    return claims
  }

  /// A number, `true`, `false`, or a string; quotes make a string of anything.
  private static func claim(_ text: String) -> JWTClaimValue {
    if let number = Int64(text) { return .integer(number) }
    if text == "true" || text == "false" { return .boolean(text == "true") }
    if text.utf8.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") {
      return .string(String(text.dropFirst().dropLast()))
    }
    return .string(text)
  }
}
