// What the tests of Auth share: Foundation's base64 as the reference, tokens with arbitrary parts.
import Auth
import Buffers
import Foundation

/// The buffer's bytes as an array.
func array(_ buffer: borrowing ByteBuffer) -> [UInt8] {
  array(buffer.bytes)
}

func array(_ span: Span<UInt8>) -> [UInt8] {
  var bytes: [UInt8] = []
  for index in 0..<span.count { bytes.append(span[index]) }
  return bytes
}

func hex(_ span: Span<UInt8>) -> String {
  array(span).map { String(format: "%02x", Int($0)) }.joined()
}

/// base64url by Foundation.
func base64URL(_ bytes: [UInt8]) -> String {
  Data(bytes).base64EncodedString()
    .replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
    .replacingOccurrences(of: "=", with: "")
}

let testSecret = "0123456789abcdef0123456789abcdef"
let testKey = JWTKey(secret: testSecret) ?? .random()
let standardHeader = #"{"alg":"HS256","typ":"JWT"}"#

/// A token with these parts as they are, properly signed.
func token(header: String = standardHeader, payload: String, secret: String = testSecret) -> String {
  token(header: [UInt8](header.utf8), payload: [UInt8](payload.utf8), secret: secret)
}

func token(header: [UInt8] = [UInt8](standardHeader.utf8), payload: [UInt8], secret: String = testSecret) -> String {
  signed(base64URL(header) + "." + base64URL(payload), secret: secret)
}

/// `text` with a dot and its signature appended.
func signed(_ text: String, secret: String = testSecret) -> String {
  let message = [UInt8](text.utf8)
  let key = [UInt8](secret.utf8)
  let tag = HMACSHA256.tag(of: message.span, key: key.span)
  return text + "." + base64URL(array(tag.span))
}

/// Nil when the token is accepted, else why not.
func refusal(
  of token: String, policy: JWTPolicy = .channels, key: JWTKey = testKey, now: Int64 = 1_700_000_000
) -> JWTError? {
  var claims = JWTClaims()
  return refusal(of: [UInt8](token.utf8), policy: policy, key: key, now: now, into: &claims)
}

func refusal(
  of token: [UInt8], policy: JWTPolicy = .channels, key: JWTKey = testKey, now: Int64 = 1_700_000_000,
  into claims: inout JWTClaims
) -> JWTError? {
  do throws(JWTError) {
    try JWTVerifier(key: key, policy: policy).verify(token.span, nowSeconds: now, into: &claims)
    return nil
  } catch {
    return error
  }
}

/// The claims of a token that must be accepted; empty when it is not.
func accepted(_ payload: String, policy: JWTPolicy = .channels, now: Int64 = 1_700_000_000) -> JWTClaims {
  var claims = JWTClaims()
  _ = refusal(of: [UInt8](token(payload: payload).utf8), policy: policy, now: now, into: &claims)
  return claims
}

/// A string claim, or nil.
func text(_ claims: borrowing JWTClaims, _ name: StaticString) -> String? {
  var buffer = ByteBuffer()
  return claims.string(name, into: &buffer) ? buffer.bytes.string : nil
}

/// The identity that the channels dialect sees, or nil.
func identity(_ claims: borrowing JWTClaims) -> String? {
  var buffer = ByteBuffer()
  return claims.identity(primary: "userId", fallback: "sub", into: &buffer) ? buffer.bytes.string : nil
}
