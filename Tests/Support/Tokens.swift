// Tokens for the clients of tests, good and bad ones. Pure functions.

import Auth
import Foundation

/// Signs tokens with the secret that the tests' gateways are started with.
public enum Tokens {
  /// Random text, so that no rule against well-known secrets refuses it.
  public static let secret = "q7Zt0vKxW3nRb9LmYc5HfD2sJgP8aUeE"

  /// A good token of the channels dialect.
  public static func channels(user: String) -> String {
    guard let key = JWTKey(secret: secret) else { return "" }
    return JWTSigner.sign(claims: [("userId", .string(user)), ("exp", .integer(now + 3_600))], key: key)
  }

  /// A token with these two parts as they are, signed with `secret`.
  public static func make(header: String = #"{"alg":"HS256","typ":"JWT"}"#, payload: String, secret: String = secret)
    -> String
  {
    let text = base64URL([UInt8](header.utf8)) + "." + base64URL([UInt8](payload.utf8))
    let tag = HMACSHA256.tag(of: [UInt8](text.utf8).span, key: [UInt8](secret.utf8).span)
    var bytes: [UInt8] = []
    for index in tag.indices { bytes.append(tag[index]) }
    return text + "." + base64URL(bytes)
  }

  /// The text in base64url without padding.
  public static func base64URL(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
      .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
  }

  /// Seconds since 1970.
  public static var now: Int64 { Int64(Date().timeIntervalSince1970) }
}
