// Hostile tokens, and where tokens must not turn up: lines 11 and 28 of HOSTILE. Constants.

import TestSupport
import Testing

extension Rows {
  /// Stands in every token that is looked for where it must not be.
  static let marker = "MARTLET-MARKED-TOKEN"

  /// A public key as a server would publish it, which an HMAC over the same bytes must not pass for.
  private static let publicKey = """
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
    q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
    -----END PUBLIC KEY-----

    """

  private static let hs256 = #"{"alg":"HS256","typ":"JWT"}"#
  private static let mallory = #"{"userId":"mallory"}"#

  private static func token(
    _ name: String, _ token: @escaping @Sendable @autoclosure () -> String, _ status: Int = 403
  ) -> HostileRow {
    .http(28, name, upgrade("GET", "/channels?token=" + token()), status)
  }

  private static func claims(_ name: String, _ payload: String) -> HostileRow {
    token(name, Tokens.make(payload: payload))
  }

  private static func header(_ name: String, _ header: String) -> HostileRow {
    token(name, Tokens.make(header: header, payload: mallory))
  }

  /// The token without its signature.
  private static func unsigned(_ header: String) -> String {
    Tokens.make(header: header, payload: mallory).split(separator: ".").prefix(2).joined(separator: ".") + "."
  }

  /// Line 28. Every refusal is a 403 (PROTOCOLS 2.1), whatever it is for.
  static let tokens: [HostileRow] = channelTokens + otherTokens

  /// The other dialects' ways to refuse (PROTOCOLS 1.2, 4.2 and 5.1).
  private static let otherTokens: [HostileRow] =
    [
      ("no exp", #"{"sub":"mallory"}"#), ("no sub", #"{"exp":4000000000}"#),
      ("exp in the past", #"{"sub":"m","exp":1}"#),
      ("nbf in the future", #"{"sub":"m","exp":4000000000,"nbf":3900000000}"#),
    ].map { name, payload in
      .http(28, "sessions, \(name)", upgrade("GET", "/sessions?token=" + Tokens.make(payload: payload)), 401)
    } + [
      .http(28, "sessions, alg none", upgrade("GET", "/sessions?token=" + unsigned(#"{"alg":"none"}"#)), 401),
      .scenario(28, "handlers, alg none", .standard, .closed("unauthorized")) { victim throws in
        let token = unsigned(#"{"alg":"none"}"#)
        let client = try WebSocketClient(
          on: victim.connect(), target: "/handlers", headers: ["Sec-WebSocket-Protocol: " + token])
        victim.expectClose(client, 1008)
      },
      .scenario(28, "walkers, no token, and sends to others", .standard, .refused("message_public_sender", times: 3)) {
        victim throws in
        let clients = try (0..<2).map { _ throws in
          try WebSocketClient(on: victim.connect(), target: "/walkers?channel_id=team")
        }
        for client in clients { _ = try client.nextText() }
        for event in [
          #""type":"channel","channel_ids":["team"]"#, #""type":"user","root_ids":["n::000000000000000000000001"]"#,
          #""type":"client","client_ids":["1:00000000000000000000000000000000"]"#,
        ] {
          try clients[0].send("{" + event + #","data":{"from":"mallory"}}"#)
          #expect(try clients[0].nextText() == #"{"error":["Permission denied"]}"#)
        }
        try clients[1].send(#"{"type":"connection"}"#)
        #expect(try clients[1].nextText().hasPrefix(#"{"type":"connection""#))
      },
      .scenario(
        28, "walkers, another secret", .standard, .survived("a token that does not verify is nobody (PROTOCOLS 5.1)")
      ) { victim throws in
        let token = Tokens.make(payload: mallory, secret: "another secret of more than 32 bytes")
        _ = try WebSocketClient(
          on: victim.connect(), target: "/walkers", headers: ["Authorization: Bearer " + token])
      },
    ]

  private static let channelTokens: [HostileRow] = [
    token("alg none without a signature", unsigned(#"{"alg":"none","typ":"JWT"}"#)),
    token("alg None without a signature", unsigned(#"{"alg":"None"}"#)),
    token("alg NONE without a signature", unsigned(#"{"alg":"NONE"}"#)),
    header("alg none with a good signature", #"{"alg":"none"}"#),
    token("HS256 without a signature", unsigned(hs256)),
    header("alg HS384", #"{"alg":"HS384"}"#), header("alg HS512", #"{"alg":"HS512"}"#),
    header("alg hs256", #"{"alg":"hs256"}"#), header("alg RS256 with our HMAC", #"{"alg":"RS256"}"#),
    token(
      "alg RS256 and an HMAC keyed with a public key",
      Tokens.make(header: #"{"alg":"RS256"}"#, payload: mallory, secret: publicKey)),
    token("alg HS256 and an HMAC keyed with a public key", Tokens.make(payload: mallory, secret: publicKey)),
    header("no alg", #"{"typ":"JWT"}"#), header("an array for alg", #"{"alg":["HS256"]}"#),
    header("alg twice", #"{"alg":"none","alg":"HS256"}"#), header("crit", #"{"alg":"HS256","crit":["exp"]}"#),
    header("a key in the header", #"{"alg":"none","jwk":{"kty":"oct","k":"AAAA"}}"#),
    header("a header that is no object", "[]"),
    token("another secret", Tokens.make(payload: mallory, secret: "another secret of more than 32 bytes")),
    token("a signature with its first character changed", changed(at: 0)),
    token("a signature with its last character changed", changed(at: 40)),
    token("one part", "abc"), token("two parts", "abc.def"), token("four parts", Tokens.channels(user: "m") + ".x"),
    token("dots alone", ".."), token("not base64url", "a+b.c/d.e=f"),
    claims("exp in the past", #"{"userId":"mallory","exp":1}"#),
    claims("exp that is a string", #"{"userId":"mallory","exp":"4000000000"}"#),
    claims("exp that is no date", #"{"userId":"mallory","exp":1e999}"#),
    claims("a negative exp", #"{"userId":"mallory","exp":-1}"#),
    claims("nbf in the future", #"{"userId":"mallory","nbf":4000000000}"#),
    claims("nbf that is a string", #"{"userId":"mallory","nbf":"1"}"#),
    claims("userId twice", #"{"userId":"alice","userId":"mallory"}"#),
    claims("exp twice", #"{"userId":"mallory","exp":1,"exp":4000000000}"#),
    claims("no userId", "{}"), claims("an empty userId", #"{"userId":""}"#),
    claims("a number for userId", #"{"userId":7}"#), claims("an array for claims", #"["userId"]"#),
    claims("claims that are no JSON", "userId=mallory"),
    token("an empty token", "", 401),
    token("a token of 7 KiB", String(repeating: "a", count: 7_000)),
    // Longer than a URL may be, so the request ends there (line 10).
    token(
      "a token of a megabyte", Tokens.make(payload: #"{"userId":"\#(String(repeating: "m", count: 1 << 20))"}"#), 414),
    .scenario(28, "no exp", .standard, .survived("channels asks for none (PROTOCOLS 2.1)")) { victim throws in
      let target = "/channels?token=" + Tokens.make(payload: mallory)
      let client = try WebSocketClient(on: victim.connect(), target: target)
      #expect(try client.nextText().contains("mallory"))
    },
  ]

  private static func changed(at place: Int) -> String {
    let parts = Tokens.make(payload: mallory).split(separator: ".")
    var signature = Array(parts[2])
    signature[place] = signature[place] == "A" ? "B" : "A"
    return parts[0] + "." + parts[1] + "." + String(signature)
  }

  /// Line 11. The end of every setup looks for the marker in the log once more.
  static let secrecy: [HostileRow] = [
    .scenario(11, "a token in a query that is refused in every way", .standard, .refused("http_403")) { victim throws in
      let expired = Tokens.make(payload: #"{"userId":"\#(marker)","exp":1}"#)
      for secret in [marker, expired] {
        let target = "/channels?token=\(secret)"
        let long = target + "&pad=" + String(repeating: "p", count: 9_000)
        let attempts: [(Int, [UInt8])] = [
          (400, upgrade("GET", target, without: ["Sec-WebSocket-Key"])), (400, upgrade("GET", target + "%zz")),
          (400, upgrade("GET", target, adding: ["Content-Length: x"])), (403, upgrade("GET", target)),
          (403, upgrade("GET", target, adding: ["Origin: https://evil.example"])),
          (403, upgrade("GET", target, adding: ["Referer: http://127.0.0.1\(target)"])),
          (404, upgrade("GET", "/nowhere?token=\(secret)")), (404, upgrade("GET", "/nowhere%3Ftoken=\(secret)")),
          (404, upgrade("GET", "/nowhere;token=\(secret)")), (405, upgrade("POST", target)),
          (414, upgrade("GET", long)),
          (426, upgrade("GET", target, version: "HTTP/1.0")),
          (431, upgrade("GET", target, adding: [String(repeating: "x:y\r\n", count: 200) + "z:1"])),
          (401, upgrade("GET", "/events?token=\(secret)")), (505, upgrade("GET", target, version: "HTTP/3.0")),
        ]
        for (status, bytes) in attempts {
          let socket = try victim.connect()
          try? socket.send(bytes)
          let answer = try victim.expect(ExpectedAnswer(status: status), on: socket)
          #expect(!contains(String(decoding: answer, as: UTF8.self), secret), "in the answer \(status)")
        }
        let page = try HTTPExchange.get("/metrics", port: victim.gateway.adminPort).text
        #expect(!contains(page, secret), "in the metrics")
        #expect(!contains(victim.gateway.log, secret), "in the log")
      }
    },
    .scenario(11, "a token whose request is never finished", .deadlines, .refused("http_408")) { victim throws in
      let socket = try victim.connect()
      try socket.send([UInt8]("GET /channels?token=\(marker) HTTP/1.1\r\nHost: a\r\n".utf8))
      let answer = try victim.expect(ExpectedAnswer(status: 408), on: socket)
      #expect(!contains(String(decoding: answer, as: UTF8.self), marker))
      #expect(!contains(victim.gateway.log, marker))
    },
  ]

  /// Whether a text has a token, or any of the parts that it consists of.
  private static func contains(_ text: String, _ token: String) -> Bool {
    token.split(separator: ".").contains { text.contains($0) }
  }
}
