// Checks compact HS256 tokens (RFC 7515, RFC 7519; PROTOCOLS G7) without a clock of its own. Immutable, any thread.
import Buffers

/// Verifies JSON Web Tokens under one key and one policy. The algorithm is pinned: the token's header has no say in it.
public struct JWTVerifier: Sendable {
  /// Bytes of a whole token. As much as a request line can carry; real tokens have a few hundred.
  public static let tokenBytesMax = 8192

  private let key: JWTKey
  private let policy: JWTPolicy

  public init(key: JWTKey, policy: JWTPolicy) {
    self.key = key
    self.policy = policy
  }

  /// Verifies `token` at `nowSeconds` since 1970 and leaves its claims in `claims`, which is emptied when it throws.
  ///
  /// The order is part of the contract: length, three parts, header, signature (in constant time), and only then is the
  /// payload decoded and interpreted.
  public func verify(_ token: Span<UInt8>, nowSeconds: Int64, into claims: inout JWTClaims) throws(JWTError) {
    do throws(JWTError) {
      let parts = try Self.split(token)
      try Self.checkHeader(token, parts.header, &claims)
      try checkSignature(token, parts)
      guard claims.load(token, parts.payload), claims.parse() else { throw JWTError.claims }
      try check(claims, nowSeconds)
    } catch {
      claims.removeAll()
      throw error
    }
  }

  private struct Parts {
    var header: Range<Int>
    var payload: Range<Int>
    var signature: Range<Int>
    /// What is signed: header, dot, payload.
    var signed: Range<Int> { header.lowerBound..<payload.upperBound }
  }

  private static func split(_ token: Span<UInt8>) throws(JWTError) -> Parts {
    guard token.count <= tokenBytesMax else { throw .tooLong }
    var first = -1
    var second = -1
    for index in 0..<token.count where token[index] == 0x2E {
      guard second < 0 else { throw .malformed }
      if first < 0 { first = index } else { second = index }
    }
    guard first > 0, second > first + 1 else { throw .malformed }
    return Parts(header: 0..<first, payload: first + 1..<second, signature: second + 1..<token.count)
  }

  /// `claims` serves as scratch here; the payload overwrites it.
  private static func checkHeader(
    _ token: Span<UInt8>, _ range: Range<Int>, _ header: inout JWTClaims
  ) throws(JWTError) {
    guard header.load(token, range), header.parse() else { throw .malformed }
    guard header.isString("alg", "HS256") else { throw .algorithm }
    // Extensions that must be understood are not (RFC 7515 section 4.1.11).
    if header.contains("crit") { throw .header }
    if header.contains("typ"), !isTokenType(header) { throw .header }
  }

  /// Whether `typ` names a JSON Web Token: a plain one (RFC 7519 section 5.1), with its media type written out, or an
  /// access token (RFC 9068 section 2.1), whose media type may be written out as well. In any case, as media types are.
  private static func isTokenType(_ header: borrowing JWTClaims) -> Bool {
    header.isString("typ", "jwt", ignoringCase: true) || header.isString("typ", "at+jwt", ignoringCase: true)
      || header.isString("typ", "application/jwt", ignoringCase: true)
  }

  private func checkSignature(_ token: Span<UInt8>, _ parts: Parts) throws(JWTError) {
    // An absent signature is a wrong one; characters outside the alphabet make it no token at all.
    var given = ByteBuffer(capacity: 48)
    guard Base64URL.decode(token, in: parts.signature, into: &given) else { throw .malformed }
    let wanted = key.signature(of: token.extracting(parts.signed))
    guard constantTimeEquals(given.bytes, wanted.span) else { throw .signature }
  }

  private func check(_ claims: borrowing JWTClaims, _ nowSeconds: Int64) throws(JWTError) {
    let leeway = Int64(max(policy.leewaySeconds, 0))
    let (low, under) = nowSeconds.subtractingReportingOverflow(leeway)
    let (high, over) = nowSeconds.addingReportingOverflow(leeway)
    let earliest = under ? Int64.min : low
    let latest = over ? Int64.max : high

    let expiry = try Self.date(policy.expiryClaim, claims)
    if expiry == nil, policy.requiresExpiry { throw .missingExpiry }
    if let expiry, expiry <= earliest { throw .expired }
    if let expiry = try Self.date("exp", claims), expiry <= earliest { throw .expired }
    if let start = try Self.date("nbf", claims), start > latest { throw .notYetValid }
    _ = try Self.date("iat", claims)
    if policy.requiresSubject {
      guard let subject = claims.range(of: "sub") else { throw .missingSubject }
      guard claims.isString("sub"), !subject.isEmpty else { throw .claims }
    }
  }

  /// A `NumericDate`; nil when absent.
  private static func date(_ name: StaticString, _ claims: borrowing JWTClaims) throws(JWTError) -> Int64? {
    guard claims.contains(name) else { return nil }
    guard let seconds = claims.number(name) else { throw .claims }
    return seconds
  }
}
