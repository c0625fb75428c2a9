// `martlet token`: signs a token for a client of a dialect.

import Auth
import Gateway

struct TokenCommand {
  let tool: Tool

  /// How long a token is valid where nothing is said: what the seeds' own endpoints give.
  static let ttlSecondsDefault = 3_600
  /// From a second to ten years.
  static let ttlSecondsRange = 1...315_360_000

  func run(_ arguments: Arguments) throws(UsageError) -> Report {
    guard let name = arguments.value("--dialect") else { throw UsageError(text: "--dialect is missing") }
    guard let dialect = Dialect(name: name) else {
      let clause = Suggestion.clause(for: name, among: Dialect.allCases.map(\.name))
      throw UsageError(text: "--dialect: unknown dialect \"\(name)\"\(clause)")
    }
    guard let user = arguments.value("--user"), !user.isEmpty else { throw UsageError(text: "--user is missing") }
    var ttl = TokenCommand.ttlSecondsDefault
    if let text = arguments.value("--ttl") {
      guard let seconds = Int(text), TokenCommand.ttlSecondsRange.contains(seconds) else {
        let range = TokenCommand.ttlSecondsRange
        throw UsageError(text: "--ttl: expected \(range.lowerBound)...\(range.upperBound) seconds, got \"\(text)\"")
      }
      ttl = seconds
    }
    let extra = try claims(arguments.values("--claim"))
    guard let userClaim = TokenCommand.userClaim(of: dialect) else {
      return .refused(["the \(dialect.name) dialect does not take signed tokens from this command"])
    }
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
    var all: [(String, JWTClaimValue)] = [(userClaim, .string(user))]
    for (name, value) in extra {
      if name == userClaim || name == "iat" || name == "exp" {
        throw UsageError(text: "--claim: \(name) is set by --user and --ttl")
      }
      all.append((name, value))
    }
    all.append(("iat", .integer(tool.nowSeconds)))
    all.append(("exp", .integer(tool.nowSeconds + Int64(ttl))))
    return Report(output: JWTSigner.sign(claims: all, key: key) + "\n")
  }

  /// The claim that names the user (PROTOCOLS 1.1, 2.1, 4.1), or nil where tokens are not signed or hold more than a
  /// name.
  private static func userClaim(of dialect: Dialect) -> String? {
    switch dialect {
    case .handlers: "username"
    case .channels: "userId"
    case .sessions: "sub"
    case .events, .walkers, .echo: nil
    }
  }

  private func claims(_ texts: [String]) throws(UsageError) -> [(String, JWTClaimValue)] {
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
