// A user of the walkers dialect and the claims of its tokens. A value, any thread.
import Auth
import Buffers

/// Who a token of the walkers dialect is for (PROTOCOLS 5.4).
public struct WalkerUser: Sendable, Equatable {
  /// The user's own number, 24 hexadecimal digits where the gateway gave it.
  public let id: String
  /// What the user logs in with.
  public let email: String
  /// The 24 hexadecimal digits of the root `n::…`.
  public let rootId: String

  /// A user of these values.
  public init(id: String, email: String, rootId: String) {
    self.id = id
    self.email = email
    self.rootId = rootId
  }

  /// A new user, with random numbers (PROTOCOLS G13).
  static func random(email: String) -> WalkerUser {
    WalkerUser(id: hex(SecureRandom.bytes(12)), email: email, rootId: hex(SecureRandom.bytes(12)))
  }

  /// A user who is not kept in memory: the numbers follow from the name and the dialect's secret, so that they are the
  /// same after a restart and in a token from the command line, and nobody can guess them.
  public init(name: String, secret: Secret) {
    self.init(
      id: Self.derived("id", name, secret), email: name, rootId: Self.derived("root", name, secret))
  }

  /// The claim that says that a token is not kept in the list of those that logins have issued: its signature alone is
  /// to count. `martlet token` puts it in; a login never does.
  public static let standaloneClaim: StaticString = "standalone"

  /// The members of the `user` object, which are also the claims of a token that ends at `expirationSeconds`.
  func members(expirationSeconds: Int64, state: String) -> [(String, JWTClaimValue)] {
    [
      ("id", .string(id)), ("email", .string(email)), ("root_id", .string(rootId)), ("is_activated", .boolean(true)),
      ("is_admin", .boolean(false)), ("expiration", .integer(expirationSeconds)), ("state", .string(state)),
    ]
  }

  /// The claims of a token of the command line.
  public func standaloneClaims(expirationSeconds: Int64) -> [(String, JWTClaimValue)] {
    members(expirationSeconds: expirationSeconds, state: Self.state())
      + [("\(Self.standaloneClaim)", .boolean(true))]
  }

  /// Eight random characters that make every token another one.
  static func state() -> String { String(TokenKey.random().text.prefix(8)) }

  private static func derived(_ purpose: String, _ name: String, _ secret: Secret) -> String {
    let message = Array("walkers \(purpose)\0\(name)".utf8)
    let key = Array(secret.text.utf8)
    let tag = HMACSHA256.tag(of: message.span, key: key.span)
    return hex((0..<12).map { tag[$0] })
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
