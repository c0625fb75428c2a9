// Times at their edges, and what the claims of an accepted token read as.
import Auth
import Buffers
import Testing

@Suite struct JWTClaimsTests {
  static let now: Int64 = 1_700_000_000

  struct TimeCase: Sendable, CustomTestStringConvertible {
    var payload: String
    var policy: JWTPolicy
    var expected: JWTError?
    var now: Int64 = JWTClaimsTests.now
    init(_ payload: String, _ policy: JWTPolicy, _ expected: JWTError?, now: Int64 = JWTClaimsTests.now) {
      (self.payload, self.policy, self.expected, self.now) = (payload, policy, expected, now)
    }
    var testDescription: String { "\(payload) at \(now)" }
  }

  static let times: [TimeCase] = [
    // Without leeway the second of expiry is already too late.
    .init(#"{"exp":1700000001}"#, .channels, nil), .init(#"{"exp":1700000000}"#, .channels, .expired),
    .init(#"{"exp":1699999999}"#, .handlers, .expired), .init(#"{"exp":0}"#, .channels, .expired),
    .init(#"{"exp":-1}"#, .channels, .expired), .init("{}", .channels, nil), .init("{}", .handlers, nil),
    .init(#"{"exp":1700000000.999}"#, .channels, .expired), .init(#"{"exp":1700000001.0}"#, .channels, nil),
    .init(#"{"exp":1.700000001e9}"#, .channels, nil), .init(#"{"exp":17000000010E-1}"#, .channels, nil),
    .init(#"{"exp":1.7e9}"#, .channels, .expired),
    // Sixty seconds of leeway for sessions.
    .init(#"{"sub":"a","exp":1699999941}"#, .sessions, nil),
    .init(#"{"sub":"a","exp":1699999940}"#, .sessions, .expired),
    .init(#"{"sub":"a","exp":1700000001,"nbf":1700000060}"#, .sessions, nil),
    .init(#"{"sub":"a","exp":1700000001,"nbf":1700000061}"#, .sessions, .notYetValid),
    .init(#"{"nbf":1700000000}"#, .channels, nil), .init(#"{"nbf":1700000001}"#, .channels, .notYetValid),
    .init(#"{"nbf":1700000000.5}"#, .channels, nil), .init(#"{"nbf":9223372036854775807}"#, .channels, .notYetValid),
    // What is required.
    .init(#"{"sub":"a"}"#, .sessions, .missingExpiry), .init(#"{"exp":1700000001}"#, .sessions, .missingSubject),
    .init(#"{"exp":1700000001,"sub":""}"#, .sessions, .claims),
    .init(#"{"exp":1700000001,"sub":7}"#, .sessions, .claims),
    .init(#"{"exp":1700000001,"sub":["a"]}"#, .sessions, .claims), .init("{}", .walkers, .missingExpiry),
    .init(#"{"exp":1700000001}"#, .walkers, .missingExpiry), .init(#"{"expiration":1700000001}"#, .walkers, nil),
    .init(#"{"expiration":1700000000}"#, .walkers, .expired),
    .init(#"{"expiration":1700000001,"exp":1700000000}"#, .walkers, .expired),
    .init(#"{"expiration":"1700000001"}"#, .walkers, .claims),
    // Dates of the wrong type or beyond what can be counted.
    .init(#"{"exp":"1700000001"}"#, .channels, .claims), .init(#"{"exp":null}"#, .channels, .claims),
    .init(#"{"exp":true}"#, .channels, .claims), .init(#"{"exp":[1700000001]}"#, .channels, .claims),
    .init(#"{"nbf":"0"}"#, .channels, .claims), .init(#"{"iat":"now"}"#, .channels, .claims),
    .init(#"{"iat":1700009999}"#, .channels, nil), .init(#"{"exp":9223372036854775807}"#, .channels, nil),
    .init(#"{"exp":9223372036854775808}"#, .channels, .claims), .init(#"{"exp":1e999}"#, .channels, .claims),
    .init(#"{"exp":1e99999999999999999999}"#, .channels, .claims), .init(#"{"exp":-1e999}"#, .channels, .claims),
    .init(#"{"exp":-9223372036854775808}"#, .channels, .expired),
    .init(#"{"exp":-9223372036854775809}"#, .channels, .claims),
    .init(#"{"exp":1e-99999999999999999999}"#, .channels, .expired), .init(#"{"exp":0e999}"#, .channels, .expired),
    // Clocks at the ends of the scale.
    .init(#"{"exp":1,"sub":"a"}"#, .sessions, nil, now: .min),
    .init(#"{"nbf":9223372036854775807}"#, .channels, nil, now: .max),
    .init(#"{"exp":9223372036854775807,"sub":"a"}"#, .sessions, nil, now: .max),
    .init(#"{"exp":9223372036854775807}"#, .channels, .expired, now: .max),
    .init(#"{"exp":-9223372036854775808,"sub":"a"}"#, .sessions, .expired, now: .min),
  ]

  @Test("expiry and validity are exact to the second", arguments: times)
  func time(row: TimeCase) {
    #expect(refusal(of: token(payload: row.payload), policy: row.policy, now: row.now) == row.expected)
  }

  @Test("a leeway below zero counts as none, a huge one does not trap")
  func leeway() {
    let expired = token(payload: #"{"exp":1700000000}"#)
    let future = token(payload: #"{"exp":1700000001}"#)
    #expect(refusal(of: expired, policy: JWTPolicy(requiresExpiry: true, leewaySeconds: -5)) == .expired)
    #expect(refusal(of: future, policy: JWTPolicy(requiresExpiry: true, leewaySeconds: -5)) == nil)
    #expect(refusal(of: expired, policy: JWTPolicy(requiresExpiry: true, leewaySeconds: .max)) == nil)
  }

  @Test(
    "numbers round down exactly, whatever their spelling",
    arguments: [
      ("0", 0), ("-0", 0), ("-0.0", 0), ("7", 7), ("-7", -7), ("7.9", 7), ("-7.1", -8), ("-7.0", -7), ("0.999", 0),
      ("-0.001", -1), ("12.5e1", 125), ("1.2345e2", 123), ("-1.2345e2", -124), ("15e-1", 1), ("-15e-1", -2),
      ("100e-2", 1), ("0.001e3", 1), ("1E+3", 1000), ("1e0", 1), ("5e-400", 0), ("-5e-400", -1), ("0e-400", 0),
      ("0.0e400", 0), ("9223372036854775807.9", Int64.max), ("-9223372036854775808", Int64.min),
      ("-9223372036854775808.0", Int64.min), ("-9223372036854775808.1", nil), ("9223372036854775808", nil),
      ("922337203685477580.7e1", Int64.max), ("18446744073709551616", nil), ("1e19", nil),
      ("1e18", 1_000_000_000_000_000_000),
      ("99999999999999999999999999e-20", 999_999),
    ] as [(String, Int64?)])
  func floor(spelling: String, value: Int64?) {
    let claims = accepted(#"{"n":"# + spelling + "}")
    #expect(claims.contains("n") == true)
    #expect(claims.number("n") == value)
  }

  @Test("strings come out with their escapes resolved, appended to what was there")
  func strings() {
    let claims = accepted(#"{"s":"a\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83D\uDE00é€😀","e":"","n":1}"#)
    #expect(text(claims, "s") == "a\"\\/\u{8}\u{C}\n\r\tAé€😀é€😀")
    #expect(text(claims, "e") == "")
    #expect(text(claims, "n") == nil)
    #expect(text(claims, "x") == nil)
    var out = ByteBuffer()
    out.append("kept")
    let found = claims.string("n", into: &out)
    #expect(!found)
    #expect(out.bytes.string == "kept")
  }

  @Test("claims are read by type: a value of another type is absent")
  func types() {
    let claims = accepted(#"{"t":true,"f":false,"z":null,"o":{"a":[1]},"s":"1","n":2}"#)
    #expect(claims.boolean("t") == true)
    #expect(claims.boolean("f") == false)
    #expect(claims.boolean("z") == nil)
    #expect(claims.number("s") == nil)
    #expect(claims.number("t") == nil)
    #expect(claims.contains("z") == true)
    #expect(claims.contains("a") == false)
    let object = claims.range(of: "o").map { claims.payload.extracting($0).string }
    #expect(object == #"{"a":[1]}"#)
  }

  @Test(
    "the channels identity is userId, else sub, and only a non-empty string",
    arguments: [
      (#"{"userId":"u","sub":"s"}"#, "u"), (#"{"sub":"s"}"#, "s"), (#"{"userId":"u"}"#, "u"), ("{}", nil),
      (#"{"userId":"","sub":"s"}"#, nil), (#"{"userId":null,"sub":"s"}"#, nil), (#"{"userId":7,"sub":"s"}"#, nil),
      (#"{"userId":["u"],"sub":"s"}"#, nil), (#"{"sub":""}"#, nil), (#"{"sub":1}"#, nil), (#"{"userid":"u"}"#, nil),
      (#"{"\u0075serId":"\u0075"}"#, "u"),
    ] as [(String, String?)])
  func identities(payload: String, expected: String?) {
    #expect(identity(accepted(payload)) == expected)
  }

  @Test("what the signer writes reads back: control characters, quotes, nesting, extreme numbers")
  func signerRoundTrip() {
    let nasty = "\u{1}\u{1F}\"\\\n/é😀"
    let text = JWTSigner.sign(
      claims: [
        (nasty, .null), ("s", .string(nasty)), ("min", .integer(.min)), ("max", .integer(.max)),
        ("o", .object([("a", .string("b")), ("c", .object([]))])),
      ], key: testKey)
    var claims = JWTClaims()
    #expect(refusal(of: [UInt8](text.utf8), into: &claims) == nil)
    #expect(AuthTests.text(claims, "s") == nasty)
    #expect(claims.number("min") == .min)
    #expect(claims.number("max") == .max)
    let object = claims.range(of: "o").map { claims.payload.extracting($0).string }
    #expect(object == #"{"a":"b","c":{}}"#)
  }

  @Test("a key never shows its secret, and an empty one is none")
  func keys() {
    #expect(JWTKey(secret: "") == nil)
    #expect(JWTKey(secret: [UInt8]()) == nil)
    #expect(JWTKey.random().byteCount == 32)
    let key = JWTKey(secret: "swordfish") ?? testKey
    var dumped = ""
    dump(key, to: &dumped)
    dump(JWTVerifier(key: key, policy: .channels), to: &dumped)
    for shown in ["\(key)", String(reflecting: key), "\([key])", "\(JWTVerifier(key: key, policy: .channels))", dumped]
    {
      #expect(!shown.contains("swordfish"))
      #expect(!shown.contains("115"))
    }
    #expect("\(key)" == "JWTKey(9 bytes)")
  }
}
