// Every token that must not get in (HOSTILE 28), each with the error that says why.
import Auth
import Buffers
import TestSeeds
import Testing

@Suite struct JWTRefusalTests {
  static let good = #"{"userId":"u"}"#

  @Test(
    "an algorithm other than exactly HS256 is refused although the signature fits",
    arguments: [
      #"{"alg":"none"}"#, #"{"alg":"None"}"#, #"{"alg":"hs256"}"#, #"{"alg":"HS256 "}"#, #"{"alg":""}"#,
      #"{"alg":"HS384"}"#,
      #"{"alg":"HS512"}"#, #"{"alg":"RS256"}"#, #"{"alg":"ES256"}"#, #"{"typ":"JWT"}"#, "{}", #"{"alg":null}"#,
      #"{"alg":256}"#, #"{"alg":["HS256"]}"#, #"{"alg":{"HS256":1}}"#, #"{"ALG":"HS256"}"#, #"{"alg":"HS256\u0020"}"#,
    ])
  func algorithm(header: String) {
    #expect(refusal(of: token(header: header, payload: Self.good)) == .algorithm)
  }

  @Test(
    "a critical extension or another type of token is refused",
    arguments: [
      #"{"alg":"HS256","crit":["b64"],"b64":false}"#, #"{"alg":"HS256","crit":[]}"#, #"{"alg":"HS256","crit":null}"#,
      #"{"alg":"HS256","typ":"at+jw"}"#, #"{"alg":"HS256","typ":"JWT "}"#, #"{"alg":"HS256","typ":["JWT"]}"#,
      #"{"alg":"HS256","typ":"dpop+jwt"}"#, #"{"alg":"HS256","typ":"application/json"}"#, #"{"alg":"HS256","typ":""}"#,
      #"{"alg":"HS256","typ":1}"#,
      #"{"alg":"HS256","typ":null}"#, #"{"alg":"HS256","typ":"JW"}"#, #"{"alg":"HS256","\u0063rit":["exp"]}"#,
    ])
  func header(header: String) {
    #expect(refusal(of: token(header: header, payload: Self.good)) == .header)
  }

  @Test(
    "a header that spells its members differently but means the same is accepted",
    arguments: [
      #"{"alg":"HS256","typ":"at+jwt"}"#, #"{"alg":"HS256","typ":"AT+JWT"}"#,
      #"{"alg":"HS256","typ":"application/jwt"}"#, #"{"typ":"Application\/JWT","alg":"HS256"}"#,
      #"{"alg":"HS256"}"#, #"{"alg":"HS256","typ":"jwt"}"#, #"{"typ":"Jwt","alg":"HS256"}"#,
      " { \"alg\" :\t\"HS256\" ,\r\n \"kid\" : \"k1\" } ", #"{"alg":"\u0048S256"}"#, #"{"\u0061lg":"HS256"}"#,
    ])
  func headerAccepted(header: String) {
    #expect(refusal(of: token(header: header, payload: Self.good)) == nil)
  }

  @Test(
    "a header that is not one strict object without duplicates is malformed",
    arguments: [
      "", "[]", "null", #""HS256""#, "{", #"{"alg":"HS256""#, #"{"alg":"HS256"}}"#, #"{"alg":"HS256"} x"#,
      #"{"alg":"HS256",}"#, #"{alg:"HS256"}"#, #"{"alg":"none","alg":"HS256"}"#, #"{"alg":"HS256","alg":"HS256"}"#,
      #"{"alg":"HS256","\u0061lg":"none"}"#, "\u{FEFF}{\"alg\":\"HS256\"}", #"{'alg':'HS256'}"#,
    ])
  func malformedHeader(header: String) {
    #expect(refusal(of: token(header: header, payload: Self.good)) == .malformed)
  }

  @Test("a token without exactly three parts of strict base64url is malformed")
  func parts() {
    let whole = token(payload: Self.good)
    let parts = whole.split(separator: ".").map(String.init)
    let (header, payload, signature) = (parts[0], parts[1], parts[2])
    for text in [
      "", ".", "..", "...", header, "\(header).\(payload)", ".\(payload).\(signature)", "\(header)..\(signature)",
      "\(whole).", ".\(whole)", "\(whole).\(signature)", "\(header).\(payload).\(signature)=", "\(whole) ", " \(whole)",
      "\(header)=.\(payload).\(signature)", "Bearer \(whole)", "\(header).\(payload).\(signature)\n",
      "\(header).\(payload).\(signature)\u{0}", "test-token",
    ] {
      #expect(refusal(of: text) == .malformed, "\(text)")
    }
    #expect(refusal(of: whole) == nil)
  }

  @Test("a signature that is absent, cut, longer, in spare bits different, or another token's is refused")
  func signature() {
    let whole = token(payload: Self.good)
    let parts = whole.split(separator: ".").map(String.init)
    let unsigned = parts[0] + "." + parts[1] + "."
    let other = token(payload: #"{"userId":"v"}"#).split(separator: ".").map(String.init)
    #expect(refusal(of: unsigned) == .signature)
    #expect(refusal(of: String(whole.dropLast(3))) == .signature)
    #expect(refusal(of: unsigned + "AAAA" + parts[2]) == .signature)
    #expect(refusal(of: unsigned + parts[2] + "A") == .signature)
    // The last of 43 characters carries four bits; in a second spelling of the same bytes the other two are set.
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    let last = whole.last.flatMap { alphabet.firstIndex(of: $0) } ?? 0
    #expect(refusal(of: whole.dropLast() + String(alphabet[last + 1])) == .malformed)
    #expect(refusal(of: whole + "AAAAA") == .signature)
    #expect(refusal(of: unsigned + other[2]) == .signature)
    #expect(refusal(of: parts[0] + "." + other[1] + "." + parts[2]) == .signature)
    #expect(refusal(of: unsigned + String(repeating: "A", count: 43)) == .signature)
    #expect(refusal(of: token(payload: Self.good, secret: testSecret + "0")) == .signature)
    #expect(refusal(of: token(payload: Self.good, secret: "your-secret-key")) == .signature)
  }

  @Test("the payload is not looked at before the signature has been verified")
  func order() {
    for payload in ["not json", #"{"exp":1}"#, #"{"a":1,"a":2}"#] {
      #expect(refusal(of: token(payload: payload, secret: "another secret")) == .signature)
    }
    #expect(refusal(of: token(header: #"{"alg":"none"}"#, payload: "x", secret: "another secret")) == .algorithm)
  }

  @Test("a token of 8 192 bytes is read, one byte more or a megabyte is refused unread")
  func length() {
    func padded(_ count: Int) -> String {
      token(payload: #"{"userId":"u","pad":""# + String(repeating: "x", count: count) + #""}"#)
    }
    let fitting = (6040...6100).map { padded($0) }.last { $0.utf8.count <= JWTVerifier.tokenBytesMax } ?? ""
    #expect(fitting.utf8.count > 8188)
    #expect(refusal(of: fitting) == nil)
    #expect(refusal(of: padded(6200)) == .tooLong)
    #expect(refusal(of: String(repeating: "x", count: 8193)) == .tooLong)
    #expect(refusal(of: String(repeating: "x", count: 8192)) == .malformed)
    #expect(refusal(of: padded(1 << 20)) == .tooLong)
  }

  @Test(
    "a payload that is not one strict JSON object is refused",
    arguments: [
      " ", "null", "[]", "1", #""u""#, "{", "}", "{]", #"{"userId"}"#, #"{"userId":}"#, #"{"userId":"u",}"#,
      #"{,"userId":"u"}"#, #"{"userId":"u"}{}"#, #"{"userId":"u"},"#, #"{"userId":u}"#, #"{"userId":'u'}"#,
      #"{"userId":"u" "a":1}"#, #"{"userId":"u","a":01}"#, #"{"userId":"u","a":-}"#, #"{"userId":"u","a":1.}"#,
      #"{"userId":"u","a":.5}"#, #"{"userId":"u","a":1e}"#, #"{"userId":"u","a":+1}"#, #"{"userId":"u","a":NaN}"#,
      #"{"userId":"u","a":tru}"#, #"{"userId":"u","a":True}"#, #"{"userId":"u","a":nul}"#, #"{"userId":"u","a":[1,]}"#,
      #"{"userId":"u","a":[1 2]}"#, #"{"userId":"u","a":[}"#, #"{"userId":"u","a":[1}}"#,
      #"{"userId":"u","a":{"b":1]}"#,
      #"{"userId":"u","a":{"b"}}"#, #"{"userId":"u","a":{1:2}}"#, #"{"userId":"u","a":{"b":1,}}"#, #"{"userId":"u"#,
      #"{"userId":"u\"#, #"{"userId":"\x"}"#, #"{"userId":"\u12"}"#, #"{"userId":"\u12G4"}"#, #"{"userId":"\u0000"}"#,
      #"{"userId":"\ud800"}"#, #"{"userId":"\udc00"}"#, #"{"userId":"\ud800\ud800"}"#, #"{"userId":"\ud800x"}"#,
      #"{"userId":"\ud800\n"}"#, "{\"userId\":\"a\nb\"}", "{\"userId\":\"a\u{0}b\"}", "{\"userId\":\"u\"}\u{0}",
      "\u{FEFF}{\"userId\":\"u\"}", "{\"userId\":\"u\"}\u{A0}", "// c\n{\"userId\":\"u\"}",
    ])
  func payload(payload: String) {
    #expect(refusal(of: token(payload: payload)) == .claims)
  }

  @Test("a payload that is not UTF-8 is refused: overlong, surrogate, above U+10FFFF, cut, stray")
  func encoding() {
    let faults: [[UInt8]] = [
      [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
      [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
      [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xFE],
    ]
    for fault in faults {
      let value = [UInt8](#"{"userId":"u"#.utf8) + fault + [UInt8](#""}"#.utf8)
      let name = [UInt8](#"{"userId":"u","#.utf8) + [0x22] + fault + [UInt8](#"":1}"#.utf8)
      #expect(refusal(of: token(payload: value)) == .claims, "\(fault)")
      #expect(refusal(of: token(payload: name)) == .claims, "\(fault)")
      #expect(refusal(of: token(payload: [UInt8](#"{"a":"u"#.utf8) + fault)) == .claims, "\(fault)")
    }
    #expect(refusal(of: token(payload: #"{"userId":"aé€😀"}"#)) == nil)
  }

  @Test(
    "duplicate claims are refused, also in another spelling and whatever they are called",
    arguments: [
      #"{"userId":"a","userId":"b"}"#, #"{"userId":"a","userId":"a"}"#, #"{"sub":"a","x":1,"sub":"b"}"#,
      #"{"exp":9999999999,"exp":1}"#, #"{"userId":"a","\u0075serId":"b"}"#, #"{"a/b":1,"a\/b":2}"#, #"{"":1,"":2}"#,
      #"{"x":[],"x":{}}"#, #"{"é":1,"\u00e9":2}"#, #"{"😀":1,"\ud83d\ude00":2}"#,
    ])
  func duplicates(payload: String) {
    #expect(refusal(of: token(payload: payload)) == .claims)
  }

  @Test("nesting is allowed to 32 levels and members to 64, one more is refused")
  func bounds() {
    func nested(_ depth: Int, _ open: String, _ close: String) -> String {
      #"{"userId":"u","a":"# + String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
        + "}"
    }
    #expect(refusal(of: token(payload: nested(31, "[", "]"))) == nil)
    #expect(refusal(of: token(payload: nested(32, "[", "]"))) == .claims)
    #expect(refusal(of: token(payload: nested(31, #"{"b":"#, "}"))) == nil)
    #expect(refusal(of: token(payload: nested(32, #"{"b":"#, "}"))) == .claims)
    #expect(refusal(of: token(payload: #"{"a":"# + String(repeating: "[", count: 5000))) == .claims)
    func wide(_ count: Int) -> String {
      "{" + (0..<count).map { "\"m\($0)\":\($0)" }.joined(separator: ",") + "}"
    }
    #expect(refusal(of: token(payload: wide(64))) == nil)
    #expect(refusal(of: token(payload: wide(65))) == .claims)
  }

  @Test("flipping any one bit of a signed token gets it refused, and no claims are left behind")
  func bitFlips() {
    var random = SeededRandom("flipped bits")
    for round in 0..<12 {
      let user = (0..<Int.random(in: 1...12, using: &random)).map { _ in
        String(UnicodeScalar(UInt8.random(in: 0x20...0x7E, using: &random)))
      }.joined()
      let key = JWTKey(secret: random.bytes(32)) ?? testKey
      let whole = JWTSigner.sign(
        claims: [("userId", .string(user)), ("iat", .integer(Int64(round))), ("ok", .boolean(true))], key: key)
      var claims = JWTClaims()
      #expect(refusal(of: [UInt8](whole.utf8), key: key, into: &claims) == nil)
      #expect(identity(claims) == user)
      for bit in 0..<whole.utf8.count * 8 {
        var bytes = [UInt8](whole.utf8)
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        let error = refusal(of: bytes, key: key, into: &claims)
        #expect(error != nil, "bit \(bit) of \(whole)")
        #expect(claims.range(of: "userId") == nil)
      }
    }
  }

  @Test("random bytes and randomly damaged payloads under a good signature never trap")
  func damage() {
    var random = SeededRandom("damaged payloads")
    let template = [UInt8](#"{"userId":"a\u00e9\ud83d\ude00","exp":1.5e10,"nbf":-0.0,"x":[{},[null,true],"é"]}"#.utf8)
    var acceptedCount = 0
    for _ in 0..<4000 {
      var payload = template
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        guard let index = payload.indices.randomElement(using: &random) else { break }
        switch Int.random(in: 0..<4, using: &random) {
        case 0: payload[index] = random.bytes(1)[0]
        case 1: payload.remove(at: index)
        case 2: payload.insert(template.randomElement(using: &random) ?? 0x22, at: index)
        default: payload.removeSubrange(index...)
        }
      }
      let error = refusal(of: token(payload: payload))
      if error == nil { acceptedCount += 1 }
      if payload == template { #expect(error == nil) }
      var claims = JWTClaims()
      let noise = random.bytes(Int.random(in: 0...200, using: &random))
      #expect(refusal(of: noise, into: &claims) != nil)
    }
    #expect(acceptedCount > 500)
  }
}
