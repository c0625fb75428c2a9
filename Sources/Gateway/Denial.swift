// Why a client was not let in: what an operator reads in the log and the metrics, and a client never learns. Constants.
import Auth

/// Why a credential or an origin was refused. Counted by its label in `martlet_denials_total`, and the field `cause` of
/// the log line.
///
/// In the order in which a credential is checked: where a client has offered several, the one that came furthest is
/// named, because the others were no tokens at all.
enum Denial: UInt8, CaseIterable, Error {
  /// The page comes from an origin that is not allowed. Checked before any credential.
  case origin
  /// The endpoint is switched off.
  case switchedOff
  /// No credential, or one without the scheme that the dialect wants.
  case tokenMissing
  /// The dialect has no secret, so no token verifies.
  case noSecret
  case tokenTooLong, tokenMalformed, unsupportedAlgorithm, unsupportedHeader, badSignature
  /// The claims cannot be read, or one has the wrong type or range.
  case badClaims
  case expiryMissing, tokenExpired, tokenNotYetValid
  /// The token verifies and was issued by no login of this gateway, or has ended (walkers).
  case tokenNotIssued
  /// The token verifies and names nobody.
  case noUser
  /// The token names what cannot be a session.
  case badSession
  /// The gateway knows no such session, or its time is over (events).
  case unknownSession
  /// Name and password do not belong together.
  case badCredentials

  var label: StaticString {
    switch self {
    case .origin: "origin"
    case .switchedOff: "switched_off"
    case .tokenMissing: "token_missing"
    case .noSecret: "no_secret"
    case .tokenTooLong: "token_too_long"
    case .tokenMalformed: "token_malformed"
    case .unsupportedAlgorithm: "unsupported_algorithm"
    case .unsupportedHeader: "unsupported_header"
    case .badSignature: "bad_signature"
    case .badClaims: "bad_claims"
    case .expiryMissing: "expiry_missing"
    case .tokenExpired: "token_expired"
    case .tokenNotYetValid: "token_not_yet_valid"
    case .tokenNotIssued: "token_not_issued"
    case .noUser: "no_user"
    case .badSession: "bad_session"
    case .unknownSession: "unknown_session"
    case .badCredentials: "bad_credentials"
    }
  }

  init(_ error: JWTError) {
    switch error {
    case .tooLong: self = .tokenTooLong
    case .malformed: self = .tokenMalformed
    case .algorithm: self = .unsupportedAlgorithm
    case .header: self = .unsupportedHeader
    case .signature: self = .badSignature
    case .claims: self = .badClaims
    case .expired: self = .tokenExpired
    case .notYetValid: self = .tokenNotYetValid
    case .missingExpiry: self = .expiryMissing
    case .missingSubject: self = .noUser
    }
  }

  /// Whichever of two came further.
  static func further(_ one: Denial, _ other: Denial) -> Denial { one.rawValue > other.rawValue ? one : other }
}

extension JWTVerifier {
  /// As `verify`, with the reason as an operator reads it.
  func check(
    _ token: Span<UInt8>, nowSeconds: Int64, into claims: inout JWTClaims
  ) throws(Denial) {
    do throws(JWTError) {
      try verify(token, nowSeconds: nowSeconds, into: &claims)
    } catch {
      throw Denial(error)
    }
  }
}
