// What a token must fulfil, what is wrong with one that does not, and the secret it is checked with. Immutable, any
// thread.
import Buffers

/// What a dialect asks of a token beyond a valid signature (PROTOCOLS G7).
public struct JWTPolicy: Sendable {
  /// The claim with the time of expiry in seconds since 1970. `exp` is obeyed too where it is present.
  public var expiryClaim: StaticString
  /// Refuse tokens without `expiryClaim`.
  public var requiresExpiry: Bool
  /// Refuse tokens without a non-empty string `sub`.
  public var requiresSubject: Bool
  /// By how many seconds the issuer's clock may differ. Below zero counts as zero.
  public var leewaySeconds: Int

  public init(
    expiryClaim: StaticString = "exp", requiresExpiry: Bool, requiresSubject: Bool = false, leewaySeconds: Int = 0
  ) {
    self.expiryClaim = expiryClaim
    self.requiresExpiry = requiresExpiry
    self.requiresSubject = requiresSubject
    self.leewaySeconds = leewaySeconds
  }

  /// `handlers` (PROTOCOLS 1.1): an expiry is obeyed, not asked for; no leeway.
  public static let handlers = JWTPolicy(requiresExpiry: false)
  /// `channels` (PROTOCOLS 2.1): no expiry needed, no leeway. The identity is checked by `JWTClaims.identity`.
  public static let channels = JWTPolicy(requiresExpiry: false)
  /// `sessions` (PROTOCOLS 4.1, G7): expiry and subject required, 60 seconds of leeway.
  public static let sessions = JWTPolicy(requiresExpiry: true, requiresSubject: true, leewaySeconds: 60)
  /// `walkers` (PROTOCOLS 5.4): the expiry is called `expiration`.
  public static let walkers = JWTPolicy(expiryClaim: "expiration", requiresExpiry: true)
}

/// Why a token was refused. For metrics and tests: clients are told no more than the dialect's status.
public enum JWTError: Error, Sendable, Equatable, CaseIterable {
  /// Longer than `JWTVerifier.tokenBytesMax`.
  case tooLong
  /// Not three parts of strict base64url, or the header is not one strict JSON object.
  case malformed
  /// `alg` is missing or not exactly `HS256`.
  case algorithm
  /// `crit` is present, or `typ` is none of `JWT`, `at+jwt` and `application/jwt`.
  case header
  /// Signed with another key, altered, or a signature of the wrong length.
  case signature
  /// The payload is not one strict JSON object without duplicates, or a time or subject has the wrong type or range.
  case claims
  /// The expiry has passed.
  case expired
  /// `nbf` is in the future.
  case notYetValid
  /// The policy asks for an expiry.
  case missingExpiry
  /// The policy asks for a subject.
  case missingSubject
}

extension JWTError: CustomStringConvertible {
  /// A clause for a log.
  public var description: String {
    switch self {
    case .tooLong: "the token is too long"
    case .malformed: "not a token"
    case .algorithm: "the token is not signed with HS256"
    case .header: "the token's header asks for something that is not known"
    case .signature: "the token's signature is wrong"
    case .claims: "the token's claims cannot be read"
    case .expired: "the token has expired"
    case .notYetValid: "the token is not valid yet"
    case .missingExpiry: "the token has no expiry"
    case .missingSubject: "the token names nobody"
    }
  }
}

/// An HMAC secret. Printing, interpolating or mirroring one never shows it.
public struct JWTKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Below this a secret can be guessed: RFC 7518 section 3.2 asks for a key as long as the hash. Outside `--dev` the
  /// server refuses shorter ones.
  public static let recommendedBytesMin = 32

  let secret: [UInt8]

  /// Nil for an empty secret, with which anybody could sign.
  public init?(secret: [UInt8]) {
    if secret.isEmpty { return nil }
    self.secret = secret
  }

  /// The UTF-8 of `secret` as the key; nil when it is empty.
  public init?(secret: String) {
    self.init(secret: [UInt8](secret.utf8))
  }

  private init(randomBytes count: Int) {
    secret = SecureRandom.bytes(count)
  }

  /// A fresh random key of 32 bytes, for development mode.
  public static func random() -> JWTKey { JWTKey(randomBytes: recommendedBytesMin) }

  /// The secret's length in bytes.
  public var byteCount: Int { secret.count }

  public var description: String { "JWTKey(\(secret.count) bytes)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }

  /// The HS256 signature of `message`.
  func signature(of message: Span<UInt8>) -> HMACSHA256.Tag {
    HMACSHA256.tag(of: message, key: secret.span)
  }
}
