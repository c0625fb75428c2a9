// Tokens made elsewhere: RFC 7515's example, and tokens signed with Python's hmac and cryptography.
import Auth
import Buffers
import Foundation
import Testing

@Suite struct JWTVectorTests {
  static let rfc7515 =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
  static let rfc7515Key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"

  static let channels =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJ1c3JfMTIzIiwicm9sZSI6ImFnZW50In0"
    + ".SQ8snaVCRNFi05YZTwQ3ywUKyUTPYpzc9ORPCysy50U"
  static let sessions =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    + ".eyJzdWIiOiJib2IiLCJzaWQiOiJzMSIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwfQ"
    + ".oMV1EoDM6hcieCQtpZvoASlAeD1xIirYnpB6YaJbFOw"
  static let walkers =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    + ".eyJpZCI6Im46OjEiLCJlbWFpbCI6IsW8w7PFgndAZXhhbXBsZS5jb20iLCJyb290X2lkIjoiMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAxIiwi"
    + "aXNfYWN0aXZhdGVkIjp0cnVlLCJpc19hZG1pbiI6ZmFsc2UsImV4cGlyYXRpb24iOjE3MDAwMDM2MDAsInN0YXRlIjp7fX0"
    + ".WRQ19yRZ3Tv7I1NJzpwGveVNzY4AF6CheePKh6Sy1-U"

  @Test("the HS256 example of RFC 7515 appendix A.1 verifies, and has expired since")
  func appendixA1() throws {
    var secret = ByteBuffer()
    let coded = [UInt8](Self.rfc7515Key.utf8)
    let isDecoded = Base64URL.decode(coded.span, into: &secret)
    #expect(isDecoded)
    let key = try #require(JWTKey(secret: array(secret)))
    var claims = JWTClaims()
    let token = [UInt8](Self.rfc7515.utf8)
    #expect(refusal(of: token, key: key, now: 1_300_819_379, into: &claims) == nil)
    #expect(text(claims, "iss") == "joe")
    #expect(claims.number("exp") == 1_300_819_380)
    #expect(claims.boolean("http://example.com/is_root") == true)
    #expect(refusal(of: token, key: key, now: 1_300_819_380, into: &claims) == .expired)
    #expect(array(claims.payload).isEmpty)
  }

  @Test("tokens from Python verify under the policy of their dialect and show their claims")
  func python() {
    var claims = JWTClaims()
    #expect(refusal(of: [UInt8](Self.channels.utf8), into: &claims) == nil)
    #expect(identity(claims) == "usr_123")
    #expect(text(claims, "role") == "agent")
    #expect(refusal(of: [UInt8](Self.sessions.utf8), policy: .sessions, into: &claims) == nil)
    #expect(text(claims, "sub") == "bob")
    #expect(text(claims, "sid") == "s1")
    #expect(claims.number("iat") == 1_700_000_000)
    #expect(refusal(of: [UInt8](Self.walkers.utf8), policy: .walkers, into: &claims) == nil)
    #expect(text(claims, "email") == "żółw@example.com")
    #expect(claims.boolean("is_activated") == true)
    #expect(claims.boolean("is_admin") == false)
    let state = claims.range(of: "state")
    #expect(state.map { claims.payload.extracting($0).string } == "{}")
    #expect(refusal(of: Self.walkers, policy: .walkers, now: 1_700_003_600) == .expired)
    #expect(refusal(of: Self.channels, policy: .walkers) == .missingExpiry)
  }

  @Test("the signer reproduces Python's tokens byte for byte")
  func signer() {
    #expect(
      JWTSigner.sign(claims: [("userId", .string("usr_123")), ("role", .string("agent"))], key: testKey)
        == Self.channels)
    #expect(
      JWTSigner.sign(
        claims: [
          ("sub", .string("bob")), ("sid", .string("s1")), ("iat", .integer(1_700_000_000)),
          ("exp", .integer(1_700_003_600)),
        ], key: testKey) == Self.sessions)
    #expect(
      JWTSigner.sign(
        claims: [
          ("id", .string("n::1")), ("email", .string("żółw@example.com")),
          ("root_id", .string("000000000000000000000001")), ("is_activated", .boolean(true)),
          ("is_admin", .boolean(false)), ("expiration", .integer(1_700_003_600)), ("state", .object([])),
        ], key: testKey) == Self.walkers)
  }

  @Test("tokens under other algorithms are refused by their header, whatever their signature")
  func otherAlgorithms() {
    let hs512 =
      "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJ1In0"
      + ".UVcNI2D_y_Y5Q1-aAmLNVwEncMCcr7SyP4HiIIv84fbqk8nyjzohoY6sBh2AlAW3Rr1bIoydVl0ZbEJK923x5g"
    let rs256 =
      "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJ1In0"
      + ".bIS4WWdzU7MiIj3flsuhU6bxyObjbLkBhqFT3G9nK7FZz0DGwPe4irzpaGVYcgCo_jXaEdbpvgjgzuDb9ZKdalQKX7UOLBdv-ovZJ1Qhl8MT"
      + "oep5ulYh4Zy7JGdhHy5mCDIKfQ3md9hwbJn4U7myvJn9yZHCTRj4nnTFjSgN82-3DHHNltwAemE5JJinW5p6H3qGOJxh3gMwjJsmVOUG0MZC8T"
      + "-N3tk44h9XkamglJassq9NSlm3DxZYLyH37-TIUGNg4p-DMFIyAn1fCu_wBClXVY-NUrYCgPmPPp7MKmnfbN8UhNt8tq4RRzQWIO_eZVsorfZ-"
      + "7Ygrhr4KuRNpHQ"
    #expect(refusal(of: hs512) == .algorithm)
    #expect(refusal(of: rs256) == .algorithm)
    #expect(refusal(of: "eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOiJ1In0.") == .algorithm)
  }

  @Test("a token whose HMAC key is somebody's public key is refused")
  func publicKeyAsSecret() {
    let forged =
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJhZG1pbiJ9"
      + ".EUkyfObAPaKtjyVw9zuMcGfAaldOJ54NmOt-Fvj1ikQ"
    #expect(refusal(of: forged) == .signature)
  }
}
