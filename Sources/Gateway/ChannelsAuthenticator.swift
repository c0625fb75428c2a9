// Who a client of the channels dialect is: the token in the query, verified before the 101. The reactor's thread.
import Auth
import Buffers
import Wire

/// Authentication of the channels dialect (PROTOCOLS 2.1).
enum ChannelsAuthenticator {
  /// Reads the token of a request and leaves the user's id in `identity` as a JSON string; throws why it is refused.
  /// `token` and `claims` are scratch.
  static func identify(
    _ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ shared: SharedState, nowSeconds: Int64,
    _ claims: inout JWTClaims, token: inout ByteBuffer, identity: inout ByteBuffer
  ) throws(Denial) {
    token.removeAll()
    guard let query = head.query, HTTPQuery.value(of: "token", in: bytes, query: query, into: &token) else {
      throw .tokenMissing
    }
    var user = ByteBuffer()
    if !shared.staticTokens.userId(for: token.bytes, into: &user) {
      guard let verifier = shared.channelsVerifier else { throw .noSecret }
      try verifier.check(token.bytes, nowSeconds: nowSeconds, into: &claims)
      guard claims.identity(primary: "userId", fallback: "sub", into: &user) else { throw .noUser }
    }
    identity.removeAll()
    JSONString.appendQuoted(user.bytes, to: &identity)
  }
}
