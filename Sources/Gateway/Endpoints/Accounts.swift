// Who may log in: the users of the user file, and those of the walkers dialect that have registered. One for the
// gateway; passwords are checked on the threads of its queue.
import Auth
import EventLoop

/// Logins and registrations. Nothing here is for a reactor's thread except `accepts(token:)`.
final class Accounts: Sendable {
  /// What a check of a password came to.
  enum Verdict: Sendable, Equatable {
    /// Name and password belong together.
    case accepted
    /// They do not, or there is no such user: nobody is told which.
    case refused
    /// Too many checks wait already.
    case busy
  }

  /// What a registration came to.
  enum Registration: Sendable, Equatable {
    case registered
    /// There is such a user.
    case exists
    /// There are `limits.accountsMax` users.
    case full
    /// The password cannot be hashed.
    case unusable(String)
    case busy
  }

  /// What a login of the walkers dialect came to.
  enum Login: Sendable {
    case token(String, members: [(String, JWTClaimValue)])
    case refused
    /// As many tokens are valid as the list holds.
    case full
    case busy
  }

  private struct Registered: Sendable {
    let user: WalkerUser
    let hash: String
  }

  private let configuration: Configuration
  private let directory: UserDirectory?
  private let hashing = HashQueue()
  private let registered = Lock([String: Registered]())
  private let tokens: TokenList

  /// The accounts of a gateway. `report` is told when the user file cannot be used any more.
  init(_ configuration: Configuration, report: @escaping @Sendable (String) -> Void) {
    self.configuration = configuration
    directory = configuration.accounts.file.map { UserDirectory(path: $0, report: report) }
    tokens = TokenList(countMax: Limits.walkerTokensMax)
  }

  // MARK: Names and passwords

  /// Whether the password is the user's (PROTOCOLS 4.1). Development without a user file accepts any password that is
  /// not empty.
  func verify(name: String, password: [UInt8]) async -> Verdict {
    guard let directory else { return configuration.development && !password.isEmpty ? .accepted : .refused }
    let isRight = await hashing.run {
      let hash = directory.hash(of: name, nowMilliseconds: Self.nowMilliseconds())
      return PasswordHasher.verify(password.span, against: hash)
    }
    return isRight.map { $0 ? .accepted : .refused } ?? .busy
  }

  // MARK: Walkers

  /// Adds a user, kept in memory (PROTOCOLS 5.4).
  func register(email: String, password: [UInt8]) async -> Registration {
    let outcome: Registration? = await hashing.run { [self] in
      if registered.withLock({ $0[email] != nil }) || isInFile(email) { return .exists }
      // A place in the table is checked before and after the slow part: nothing is reserved meanwhile.
      if registered.withLock({ $0.count >= configuration.limits.accountsMax }) { return .full }
      let hash: String
      do throws(PasswordError) {
        hash = try PasswordHasher.hash(password.span)
      } catch {
        return .unusable(error.description)
      }
      return registered.withLock { users in
        if users[email] != nil { return .exists }
        if users.count >= configuration.limits.accountsMax { return .full }
        users[email] = Registered(user: .random(email: email), hash: hash)
        return .registered
      }
    }
    return outcome ?? .busy
  }

  /// Gives a user a token (PROTOCOLS 5.4): one who has registered, or one of the user file by name.
  func login(email: String, password: [UInt8], nowSeconds: Int64) async -> Login {
    guard let secret = configuration.walkers.tokenSecret, let key = JWTKey(secret: secret.text) else {
      return .refused
    }
    let user: WalkerUser?? = await hashing.run { [self] in
      if let found = registered.withLock({ $0[email] }) {
        return PasswordHasher.verify(password.span, against: found.hash) ? found.user : nil
      }
      let hash = directory?.hash(of: email, nowMilliseconds: Self.nowMilliseconds())
      return PasswordHasher.verify(password.span, against: hash) ? WalkerUser(name: email, secret: secret) : nil
    }
    guard let user else { return .busy }
    guard let user else { return .refused }
    let end = nowSeconds + Int64(configuration.walkers.tokenTtlSeconds)
    let members = user.members(expirationSeconds: end, state: WalkerUser.state())
    let token = JWTSigner.sign(claims: members, key: key)
    guard tokens.insert(token.utf8Span.span, endSeconds: end, nowSeconds: nowSeconds) else { return .full }
    return .token(token, members: members)
  }

  /// Whether a token of the walkers dialect that has been verified counts: one that a login has issued and that has not
  /// ended, or one of `martlet token`, which says of itself that it is in no list. Any thread, a reactor's too.
  func accepts(token: Span<UInt8>, claims: borrowing JWTClaims, nowSeconds: Int64) -> Bool {
    claims.boolean(WalkerUser.standaloneClaim) == true || tokens.contains(token, nowSeconds: nowSeconds)
  }

  private func isInFile(_ name: String) -> Bool {
    directory?.hash(of: name, nowMilliseconds: Self.nowMilliseconds()) != nil
  }

  private static func nowMilliseconds() -> UInt64 { System.monotonicNanoseconds() / 1_000_000 }
}
