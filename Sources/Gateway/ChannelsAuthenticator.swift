// Who a client of the channels dialect is: the token in the query, verified before the 101. The reactor's thread.
import Auth
import Buffers
import Wire

/// Authentication of the channels dialect (PROTOCOLS 2.1).
enum ChannelsAuthenticator {
  /// Reads the token of a request and leaves the user's id in `identity` as a JSON string; the status when it is
  /// refused: 401 without a token, 403 with one that does not verify. `token` and `claims` are scratch.
  static func identify(
    _ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ shared: SharedState, nowSeconds: Int64,
    _ claims: inout JWTClaims, token: inout ByteBuffer, identity: inout ByteBuffer
  ) -> HTTPStatus? {
    token.removeAll()
    guard let query = head.query, HTTPQuery.value(of: "token", in: bytes, query: query, into: &token) else {
      return .unauthorized
    }
    var user = ByteBuffer()
    if !shared.staticTokens.userId(for: token.bytes, into: &user) {
      guard let verifier = shared.channelsVerifier else { return .forbidden }
      do {
        try verifier.verify(token.bytes, nowSeconds: nowSeconds, into: &claims)
      } catch { return .forbidden }
      guard claims.identity(primary: "userId", fallback: "sub", into: &user) else { return .forbidden }
    }
    identity.removeAll()
    JSONString.appendQuoted(user.bytes, to: &identity)
    return nil
  }
}
