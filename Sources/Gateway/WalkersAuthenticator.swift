// Who a client of the walkers dialect is: a token in a header or in a message, or nobody in particular. Any thread.
import Auth
import Buffers
import Dialects

/// Authentication of the walkers dialect (PROTOCOLS 5.1, 5.4).
struct WalkersAuthenticator: Sendable {
  /// The claim with the 24 hexadecimal digits of the user's root.
  static let rootClaim: StaticString = "root_id"

  /// What a credential came to.
  enum Verdict: Equatable {
    /// A user's, whose root id has been written out.
    case user
    /// There is none, or another scheme than `Bearer`.
    case absent
    /// It does not verify, has expired, is not known, or names no root.
    case invalid(Denial)
  }

  let verifier: JWTVerifier?
  /// Knows which of the tokens that verify still count.
  let accounts: Accounts

  /// Reads `Bearer <token>`, the scheme in any case, and leaves the root id in `root`, which is emptied before.
  /// `claims` is scratch.
  func identify(
    _ credential: Span<UInt8>, nowSeconds: Int64, _ claims: inout JWTClaims, root: inout ByteBuffer
  ) -> Verdict {
    root.removeAll()
    guard let range = Self.token(credential) else { return .absent }
    let token = credential.extracting(range)
    guard let verifier else { return .invalid(.noSecret) }
    do throws(Denial) {
      try verifier.check(token, nowSeconds: nowSeconds, into: &claims)
    } catch {
      return .invalid(error)
    }
    guard accounts.accepts(token: token, claims: claims, nowSeconds: nowSeconds) else {
      return .invalid(.tokenNotIssued)
    }
    var id = ByteBuffer(capacity: 32)
    guard claims.string(Self.rootClaim, into: &id), WalkersRoot.append(id: id.bytes, to: &root) else {
      return .invalid(.noUser)
    }
    return .user
  }

  /// Where the token of a credential stands; nil without the scheme `Bearer` or without a token.
  static func token(_ credential: Span<UInt8>) -> Range<Int>? {
    var start = 0
    var end = credential.count
    while start < end && isSpace(credential[start]) { start += 1 }
    while end > start && isSpace(credential[end - 1]) { end -= 1 }
    let scheme = start + 6
    guard scheme < end, credential.extracting(start..<scheme).equalsIgnoringCase("bearer"), isSpace(credential[scheme])
    else { return nil }
    start = scheme
    while isSpace(credential[start]) { start += 1 }
    return start..<end
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
