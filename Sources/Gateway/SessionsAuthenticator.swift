// Who a client of the sessions dialect is: the token in the query, verified before the 101. The reactor's thread.
import Auth
import Buffers
import Dialects
import Wire

/// Authentication of the sessions dialect (PROTOCOLS 4.2).
enum SessionsAuthenticator {
  /// Who was let in.
  enum Identity {
    /// Without a token, where that is allowed.
    case anonymous
    /// With a token that names no session.
    case authenticated
    /// With a token that fixes the session.
    case fixed
  }

  /// Reads the token of a request and leaves client and session as plain text in `name` and `session`; throws why the
  /// client is refused with 401. A token that does not verify is never taken for none. `token` and `claims` are
  /// scratch.
  static func identify(
    _ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ shared: SharedState, nowSeconds: Int64,
    _ claims: inout JWTClaims, token: inout ByteBuffer, name: inout ByteBuffer, session: inout ByteBuffer
  ) throws(Denial) -> Identity {
    token.removeAll()
    guard let query = head.query, HTTPQuery.value(of: "token", in: bytes, query: query, into: &token) else {
      guard shared.configuration.sessions.allowsAnonymous else { throw .tokenMissing }
      name.append("<unknown>")
      session.append("default")
      return .anonymous
    }
    guard let verifier = shared.sessionsVerifier else { throw .noSecret }
    try verifier.check(token.bytes, nowSeconds: nowSeconds, into: &claims)
    guard claims.string("sub", into: &name) else { throw .noUser }
    if !claims.contains("sid") {
      session.append("default")
      return .authenticated
    }
    // One that cannot be a session must not lead to another.
    guard claims.string("sid", into: &session), !session.isEmpty,
      SessionTopic.isValidName(session.bytes, bytesMax: shared.limits.channelNameBytesMax)
    else { throw .badSession }
    return .fixed
  }
}
