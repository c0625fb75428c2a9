// Who a client of the handlers dialect is: the token among the offered sub-protocols, verified before the 101. The
// reactor's thread.
import Auth
import Buffers
import Wire

/// Authentication of the handlers dialect (PROTOCOLS 1.2).
enum HandlersAuthenticator {
  /// Reads the tokens of a request and leaves the user's name in `identity` as a JSON string. Whoever brings none that
  /// verifies is let in and told so at once, as the dialect's clients expect. `token` and `claims` are scratch.
  ///
  /// - Parameter isAlone: whether the mount belongs to this dialect alone. There the token may also stand in the query
  ///   or in the `Authorization` header.
  static func identify(
    _ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ shared: SharedState, isAlone: Bool, nowSeconds: Int64,
    _ claims: inout JWTClaims, token: inout ByteBuffer, identity: inout ByteBuffer
  ) -> UpgradeVerdict {
    var first: Range<Int>?
    var denial = Denial.tokenMissing
    guard let verifier = shared.handlersVerifier else { return unauthorized(first, .noSecret) }
    /// Whether a candidate is good; else why not, if it came further than those before.
    func isGood(
      _ token: Span<UInt8>, _ claims: inout JWTClaims, _ identity: inout ByteBuffer
    ) -> Bool {
      do throws(Denial) {
        try verify(token, verifier, nowSeconds, &claims, &identity)
        return true
      } catch {
        denial = .further(denial, error)
        return false
      }
    }
    // All candidates together are within the limit of a head, so this is linear in 8 KiB.
    var lines = HTTPHeaderIterator(head)
    while let line = lines.next(named: "sec-websocket-protocol", in: bytes) {
      var offers = HTTPListIterator(line)
      while let offer = offers.next(in: bytes) {
        if first == nil { first = offer }
        if isGood(bytes.extracting(offer), &claims, &identity) { return .accept(subprotocol: offer) }
      }
    }
    guard isAlone else { return unauthorized(first, denial) }
    token.removeAll()
    if let query = head.query, HTTPQuery.value(of: "token", in: bytes, query: query, into: &token),
      isGood(token.bytes, &claims, &identity)
    {
      return .accept(subprotocol: nil)
    }
    if let header = head.authorization, let credential = bearer(bytes, header),
      isGood(bytes.extracting(credential), &claims, &identity)
    {
      return .accept(subprotocol: nil)
    }
    return unauthorized(first, denial)
  }

  private static func unauthorized(_ first: Range<Int>?, _ denial: Denial) -> UpgradeVerdict {
    .acceptThenClose(subprotocol: first, .unauthorized, "Unauthorized", denial)
  }

  /// Leaves the user of a token that verifies, `username` or else `sub`, in `identity`; throws why there is none.
  private static func verify(
    _ token: Span<UInt8>, _ verifier: JWTVerifier, _ nowSeconds: Int64, _ claims: inout JWTClaims,
    _ identity: inout ByteBuffer
  ) throws(Denial) {
    try verifier.check(token, nowSeconds: nowSeconds, into: &claims)
    var user = ByteBuffer()
    guard claims.identity(primary: "username", fallback: "sub", into: &user) else { throw .noUser }
    identity.removeAll()
    JSONString.appendQuoted(user.bytes, to: &identity)
  }

  /// The credential behind `Bearer`, a word in either case (RFC 9110 11.1); nil for another scheme.
  private static func bearer(_ bytes: Span<UInt8>, _ header: Range<Int>) -> Range<Int>? {
    let scheme = "bearer ".utf8.count
    guard header.count > scheme,
      bytes.extracting(header.lowerBound..<header.lowerBound + scheme).equalsIgnoringCase("bearer ")
    else { return nil }
    var start = header.lowerBound + scheme
    while start < header.upperBound && bytes[start] == 0x20 { start += 1 }
    return start..<header.upperBound
  }
}
