// Issues HS256 tokens for the token command and the dialects' token endpoints. A cold path: it allocates. Any thread.
import Buffers

/// The value of a claim to be signed.
public enum JWTClaimValue: Sendable {
  case string(String)
  case integer(Int64)
  case boolean(Bool)
  case null
  indirect case object([(String, JWTClaimValue)])
}

/// Makes compact tokens that `JWTVerifier` accepts under the same key.
public enum JWTSigner {
  /// A token with the header `{"alg":"HS256","typ":"JWT"}` and `claims` in the order given (RFC 7515 section 3.1).
  ///
  /// Names must differ, and the whole must stay under `JWTVerifier.tokenBytesMax` to be accepted again.
  public static func sign(claims: [(String, JWTClaimValue)], key: JWTKey) -> String {
    var json = ByteBuffer(capacity: 256)
    json.append(#"{"alg":"HS256","typ":"JWT"}"#)
    var token = ByteBuffer(capacity: 512)
    Base64URL.encode(json.bytes, into: &token)
    json.removeAll()
    append(object: claims, to: &json)
    token.append(0x2E)
    Base64URL.encode(json.bytes, into: &token)
    let signature = key.signature(of: token.bytes)
    token.append(0x2E)
    Base64URL.encode(signature.span, into: &token)
    return token.bytes.string
  }

  private static func append(object members: [(String, JWTClaimValue)], to out: inout ByteBuffer) {
    out.append(0x7B)
    for (index, member) in members.enumerated() {
      if index > 0 { out.append(0x2C) }
      append(string: member.0, to: &out)
      out.append(0x3A)
      append(member.1, to: &out)
    }
    out.append(0x7D)
  }

  private static func append(_ value: JWTClaimValue, to out: inout ByteBuffer) {
    switch value {
    case .string(let text): append(string: text, to: &out)
    case .integer(let number): out.append(decimal: Int(number))
    case .boolean(let flag): out.append(flag ? "true" as StaticString : "false")
    case .null: out.append("null" as StaticString)
    case .object(let members): append(object: members, to: &out)
    }
  }

  private static func append(string text: String, to out: inout ByteBuffer) {
    out.append(0x22)
    for byte in text.utf8 {
      switch byte {
      case 0x22, 0x5C:
        out.append(0x5C)
        out.append(byte)
      case 0..<0x20:
        out.append(#"\u00"# as StaticString)
        for digit in [byte >> 4, byte & 15] { out.append(digit < 10 ? 0x30 + digit : 0x61 + digit - 10) }
      default:
        out.append(byte)
      }
    }
    out.append(0x22)
  }
}
