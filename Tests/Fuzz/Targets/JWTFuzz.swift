// Token verification: what is not signed is refused, and what is signed is judged as RFC 7519 and the policy say.

import Auth
import Buffers
import TestSeeds

enum JWTFuzz {
  /// The key of the seed tokens.
  static let secret = "fuzz-key-fuzz-key-fuzz-key-fuzz-key"
  private static let now: Int64 = 1_800_000_000
  private static let policies: [JWTPolicy] = [.handlers, .channels, .sessions, .walkers]

  /// Byte 0: bits 0-1 the policy; bit 2 set: header and payload follow, with a NUL between them, and are signed here;
  /// clear: the rest is a token.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    guard bytes.count > 0, let key = JWTKey(secret: secret) else { return }
    let policy = policies[Int(bytes[0] & 3)]
    let verifier = JWTVerifier(key: key, policy: policy)
    let rest = bytes.extracting(1..<bytes.count)
    if bytes[0] & 4 == 0 {
      var claims = JWTClaims()
      if verify(verifier, rest, &claims) == nil { try checkSpelling(rest, rest.array) }
      return
    }
    let parts = rest.array.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false).map { Array($0) }
    guard parts.count == 2, let token = signed(parts[0], parts[1]) else { return }
    var claims = JWTClaims()
    let error = verify(verifier, token.bytes, &claims)
    let isExpected = isAcceptable(parts[0], parts[1], policy) && token.count <= JWTVerifier.tokenBytesMax
    try require(
      (error == nil) == isExpected, "\(error.map { "\($0)" } ?? "accepted"), reference accepts: \(isExpected)")
    if error != nil { return try require(claims.payload.isEmpty, "claims of a refused token") }
    try checkClaims(claims, parts[1])

    // One bit elsewhere, and it is another token.
    var random = SeededRandom(seed: bytes.fingerprint)
    var altered = token.bytes.array
    altered[random.below(altered.count)] ^= 1 << UInt8(random.below(8))
    try require(verify(verifier, altered.span, &claims) != nil, "an altered token is accepted")
    try require(claims.payload.isEmpty, "claims of an altered token")
  }

  private static func verify(_ verifier: JWTVerifier, _ token: Span<UInt8>, _ claims: inout JWTClaims) -> JWTError? {
    do {
      try verifier.verify(token, nowSeconds: now, into: &claims)
      return nil
    } catch {
      return error
    }
  }

  private static func signed(_ header: [UInt8], _ payload: [UInt8]) -> ByteBuffer? {
    var token = ByteBuffer()
    Base64URL.encode(header.span, into: &token)
    token.append(0x2E)
    Base64URL.encode(payload.span, into: &token)
    let signature = HMACSHA256.tag(of: token.bytes, key: Array(secret.utf8).span)
    token.append(0x2E)
    Base64URL.encode(signature.span, into: &token)
    return token
  }

  /// An accepted token must be the one spelling of something that this key signed.
  private static func checkSpelling(_ token: Span<UInt8>, _ copy: [UInt8]) throws(FuzzFailure) {
    let parts = copy.split(separator: 0x2E, omittingEmptySubsequences: false).map { Base64URLFuzz.decoded(Array($0)) }
    guard parts.count == 3, let header = parts[0], let payload = parts[1], let again = signed(header, payload) else {
      throw FuzzFailure(description: "accepts what is no token")
    }
    try require(again.bytes.equals(token), "accepts another spelling of \(again.bytes.string)")
  }

  // MARK: The reference

  /// A strict object without repeated names, U+0000 and over 64 members.
  private static func object(_ bytes: [UInt8]) -> ReferenceJSON? {
    guard String(validating: bytes, as: UTF8.self) != nil,
      let tree = try? ReferenceJSON.parse(bytes, depthMax: 32, refusesOverflow: false), tree.isObject,
      tree.members.count <= JWTClaims.membersMax, Set(tree.members.map(\.name)).count == tree.members.count,
      !holdsNUL(tree)
    else { return nil }
    return tree
  }

  private static func holdsNUL(_ tree: ReferenceJSON) -> Bool {
    switch tree.value {
    case .string(let text): text.contains(0)
    case .array(let elements): elements.contains { holdsNUL($0) }
    case .object(let members): members.contains { $0.name.contains(0) || holdsNUL($0.value) }
    default: false
    }
  }

  private static func isAcceptable(_ header: [UInt8], _ payload: [UInt8], _ policy: JWTPolicy) -> Bool {
    guard let head = object(header), let body = object(payload), head.last("alg")?.text == Array("HS256".utf8),
      head.last("crit") == nil
    else { return false }
    if let type = head.last("typ") {
      guard let text = type.text, String(decoding: text, as: UTF8.self).lowercased() == "jwt" else { return false }
    }
    let leeway = Int64(policy.leewaySeconds)
    for name in ["exp", "nbf", "iat", policy.expiryClaim.description] {
      guard let claim = body.last(name) else { continue }
      guard case .number(let text) = claim.value, let seconds = floor(text) else { return false }
      if name == "nbf" && seconds > now + leeway { return false }
      if name != "nbf" && name != "iat" && seconds <= now - leeway { return false }
    }
    if policy.requiresExpiry && body.last(policy.expiryClaim.description) == nil { return false }
    return !policy.requiresSubject || body.last("sub")?.text?.isEmpty == false
  }

  /// The largest integer that is not above a JSON number; nil beyond 64 bits.
  static func floor(_ text: [UInt8]) -> Int64? {
    let number = ReferenceNumber(text)
    if number.digits.isEmpty { return 0 }
    if number.digits.count + number.power > 20 { return nil }
    var whole = number.digits
    var hasFraction = false
    if number.power >= 0 {
      whole += Array(repeating: 0x30, count: number.power)
    } else {
      // The last digit is not zero, so cutting any off leaves a fraction.
      whole = whole.dropLast(min(-number.power, whole.count))
      hasFraction = true
    }
    let magnitude = whole.reduce(Int128(0)) { $0 * 10 + Int128($1 - 0x30) }
    return Int64(exactly: number.isNegative ? -magnitude - (hasFraction ? 1 : 0) : magnitude)
  }

  private static func checkClaims(_ claims: borrowing JWTClaims, _ payload: [UInt8]) throws(FuzzFailure) {
    try require(claims.payload.array == payload, "the payload differs")
    guard let tree = object(payload) else { return }
    for (name, claim) in [("sub", "sub" as StaticString), ("userId", "userId"), ("exp", "exp"), ("a", "a")] {
      let expected = tree.last(name)
      try require(claims.contains(claim) == (expected != nil), "contains \(name)")
      var text = ByteBuffer()
      let isText = claims.string(claim, into: &text)
      try require(isText == (expected?.text != nil), "\(name) is a string: \(isText)")
      try require(text.bytes.array == (expected?.text ?? []), "\(name): \(text.bytes.string)")
      var number: Int64?
      var flag: Bool?
      if case .number(let digits)? = expected?.value { number = floor(digits) }
      if case .boolean(let value)? = expected?.value { flag = value }
      let found = claims.number(claim)
      try require(found == number, "\(name): \(String(describing: found)), reference \(String(describing: number))")
      try require(claims.boolean(claim) == flag, "\(name) is not \(String(describing: flag))")
    }
  }
}
