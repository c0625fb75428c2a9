// Hostile request heads and handshakes: lines 1 to 10 of HOSTILE. Constants.

import TestSupport

extension Rows {
  /// A request for an upgrade, with headers left out by name and added as lines.
  static func upgrade(
    _ method: String = "GET", _ target: String = "/channels", version: String = "HTTP/1.1",
    without names: [String] = [],
    adding lines: [String] = [], then rest: String = ""
  ) -> [UInt8] {
    let all = [
      "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: \(WebSocketClient.key)",
    ]
    let kept = all.filter { line in !names.contains { line.hasPrefix($0 + ":") } }
    let head = ["\(method) \(target) \(version)"] + kept + lines
    return [UInt8]((head.joined(separator: "\r\n") + "\r\n\r\n" + rest).utf8)
  }

  /// The target with a good token: what is refused is then refused for something else.
  static var welcome: String { "/channels?token=" + Tokens.channels(user: "mallory") }

  /// A plain request with these header lines.
  private static func plain(_ lines: [String], target: String = "/channels", then rest: String = "") -> [UInt8] {
    let head = ["GET \(target) HTTP/1.1", "Host: 127.0.0.1"] + lines
    return [UInt8]((head.joined(separator: "\r\n") + "\r\n\r\n" + rest).utf8)
  }

  private static func repeating(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

  /// Lines 1, 6, 7 and 10: heads.
  static let heads: [HostileRow] = [
    .http(1, "2 000 tiny headers", plain(Array(repeating: "a:b", count: 2_000)), 431),
    .http(1, "101 headers", plain((0..<100).map { "X-\($0): 1" }), 431),
    .http(1, "a head of 9 KiB in one header", plain(["X: " + repeating("x", 9_216)]), 431),
    .http(1, "a head of 1 MiB", plain(["X: " + repeating("x", 1 << 20)]), 431),

    .http(6, "Content-Length with Transfer-Encoding", plain(["Content-Length: 3", "Transfer-Encoding: chunked"]), 400),
    .http(6, "two Content-Lengths", plain(["Content-Length: 3", "Content-Length: 4"]), 400),
    .http(6, "two equal Content-Lengths", plain(["Content-Length: 3", "Content-Length: 3"]), 400),
    .http(6, "a list of Content-Lengths", plain(["Content-Length: 3, 3"]), 400),
    .http(6, "a Content-Length of 2^64", plain(["Content-Length: 18446744073709551616"]), 400),
    .http(6, "a negative Content-Length", plain(["Content-Length: -1"]), 400),
    .http(6, "a Content-Length with a plus", plain(["Content-Length: +1"]), 400),
    .http(6, "obs-fold", plain(["X: a", " b"]), 400),
    .http(6, "obs-fold before the first header", [UInt8]("GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n".utf8), 400),
    .http(6, "bare LF", [UInt8]("GET / HTTP/1.1\nHost: a\n\n".utf8), 400),
    .http(6, "bare LF between headers", plain(["X: a\nY: b"]), 400),
    .http(6, "NUL in a value", plain(["X: a\0b"]), 400),
    .http(6, "CR in a value", plain(["X: a\rb"]), 400),
    .http(6, "a space before the colon", plain(["X : a"]), 400),
    .http(6, "an empty header name", plain([": a"]), 400),
    .http(6, "no Host", [UInt8]("GET /channels HTTP/1.1\r\n\r\n".utf8), 400),
    .http(6, "two Hosts", plain(["Host: other"]), 400),
    .http(6, "a Host with two names", [UInt8]("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n".utf8), 400),
    .http(6, "a second transfer coding", plain(["Transfer-Encoding: chunked, chunked"]), 501),
    .http(6, "a body in the upgrade", upgrade("GET", welcome, adding: ["Content-Length: 5"], then: "hello"), 400),
    // The head alone has been answered when the body turns out to be broken, and nothing may follow that answer; but the
    // metric and the log tell of the body.
    chunked("a chunk size that overflows", "10000000000000000\r\nx"),
    chunked("a chunk size that is not one", "zz\r\nx"),
    chunked("a negative chunk size", "-1\r\nx"),
    chunked("a chunk without its end", "1\r\nxyz\r\n"),

    .http(7, "an HTTP/1.0 upgrade", upgrade("GET", welcome, version: "HTTP/1.0"), 426),
    .http(
      7, "the HTTP/2 preface", [UInt8]("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0], 505),
    .http(7, "HTTP/0.9", [UInt8]("GET /\r\n\r\n".utf8), 400),
    .http(7, "a TLS hello", [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3] + [UInt8](repeating: 7, count: 300), 400),

    .http(10, "a URL of 9 KiB", plain([], target: "/" + repeating("u", 9_216)), 414),
    .http(10, "a URL of 1 MiB in an upgrade", upgrade("GET", "/channels?x=" + repeating("u", 1 << 20)), 414),
    .http(10, "an escape that is none", upgrade("GET", "/channels?token=%zz"), 400),
    .http(10, "half an escape", upgrade("GET", "/channels?token=%4"), 400),
    .http(10, "an escaped NUL", upgrade("GET", "/channels?token=a%00b"), 400),
    .http(10, "a NUL", upgrade("GET", "/channels?token=a\0b"), 400),
    .http(10, "a path beyond ASCII", upgrade("GET", "/channels/\u{E9}"), 400),
  ]

  private static func chunked(_ name: String, _ body: String) -> HostileRow {
    .http(6, name, plain(["Transfer-Encoding: chunked"], then: body), 426, trace: .refused("http_400"))
  }

  /// Lines 3, 4, 5 and 9: handshakes.
  static let handshakes: [HostileRow] = [
    .http(3, "upgrade by POST", upgrade("POST", welcome), 405, headers: ["allow": "GET"]),
    .http(3, "upgrade by PUT", upgrade("PUT", welcome), 405, headers: ["allow": "GET"]),
    .http(3, "upgrade by HEAD", upgrade("HEAD", welcome), 405, headers: ["allow": "GET"], isToHead: true),
    .http(3, "upgrade by a method that nobody knows", upgrade("BREW", welcome), 501),
    open(3, "a plain GET", plain([]), 426, headers: ["upgrade": "websocket"]),
    open(3, "a plain GET with Connection: upgrade alone", plain(["Connection: Upgrade"]), 426),

    .http(4, "no key", upgrade("GET", welcome, without: ["Sec-WebSocket-Key"]), 400),
    .http(4, "two keys", upgrade("GET", welcome, adding: ["Sec-WebSocket-Key: \(WebSocketClient.key)"]), 400),
    .http(4, "an empty key", key(""), 400),
    .http(4, "a key of 15 bytes", key("MTIzNDU2Nzg5MDEyMzQ1"), 400),
    .http(4, "a key of 17 bytes", key("MTIzNDU2Nzg5MDEyMzQ1Njc="), 400),
    .http(4, "a key that is not base64", key("!!!!!!!!!!!!!!!!!!!!!!=="), 400),
    .http(4, "a key of 7 KiB", key(repeating("A", 7_000)), 400),
    .http(4, "no version", upgrade("GET", welcome, without: ["Sec-WebSocket-Version"]), 400),
    .http(4, "version 8", version("8"), 426, headers: ["sec-websocket-version": "13"]),
    .http(4, "version 130", version("130"), 426, headers: ["sec-websocket-version": "13"]),
    .http(
      4, "a version of 5 000 digits", version(repeating("1", 5_000)), 426, headers: ["sec-websocket-version": "13"]),
    .http(
      4, "a refused upgrade with another request behind it",
      upgrade("GET", welcome, without: ["Sec-WebSocket-Key"]) + upgrade("GET", welcome), 400),
    .http(
      4, "a wrong version with frames behind it", version("12") + ClientFrame(ClientFrame.text, [0x78]).bytes, 426,
      headers: ["sec-websocket-version": "13"]),

    .scenario(5, "an upgrade on an HTTP endpoint", .standard, .survived("the endpoint answers as to any GET")) {
      victim throws in
      for path in ["/livez", "/metrics"] {
        let socket = try Socket(port: victim.gateway.adminPort)
        try socket.send(upgrade("GET", path))
        try victim.expect(ExpectedAnswer(status: 200, without: ["upgrade"], closes: false), on: socket)
      }
    },
    .http(5, "an upgrade where no mount is", upgrade("GET", "/nowhere"), 404),
    open(5, "an upgrade to h2c", plain(["Connection: Upgrade", "Upgrade: h2c"]), 426),
    .http(5, "an upgrade that Connection does not name", upgrade("GET", welcome, without: ["Connection"]), 400),
    .http(
      5, "a request smuggled behind a refused upgrade",
      upgrade("POST", welcome, adding: ["Content-Length: 0"]) + upgrade("GET", welcome), 405),

    accepted(9, "7 KiB of commas in the sub-protocols", ["Sec-WebSocket-Protocol: " + repeating(",", 7_000)]),
    accepted(9, "1 000 extension offers", ["Sec-WebSocket-Extensions: " + repeating("x-y, ", 1_000) + "z"]),
    accepted(
      9, "150 offers of permessage-deflate that cannot be had",
      ["Sec-WebSocket-Extensions: " + repeating("permessage-deflate;server_max_window_bits=7,", 150) + "z"]),
    bits("0"), bits("7"), bits("16"), bits("99999"), bits("99999999999999999999999"), bits("-9"), bits("0x9"),
    accepted(9, "a parameter twice", [deflate + "; client_no_context_takeover; client_no_context_takeover"]),
    accepted(9, "a parameter that nobody knows", [deflate + "; server_max_windows=9"]),
    accepted(9, "a value where none may be", [deflate + "; server_no_context_takeover=1"]),
    accepted(9, "a quoted value without its end", [deflate + "; server_max_window_bits=\"9"]),
  ]

  /// Line 8. No request carries a token: an origin is looked at first, or the answer would be 401.
  static let origins: [HostileRow] = badOrigins + goodOrigins + endpoints

  private static let badOrigins: [HostileRow] =
    [
      "https://evil.example", "null", "http://allowed.com", "https://allowed.com:8443", "https://allowed.com.evil",
      "https://evil-allowed.org", "https://allowed.org.evil", "https://sub.allowed.com",
      "https://allowed.com@evil.example",
      "wss://evil.example", "ws://allowed.com", "wss://allowed.com.evil", "file://", "app://.",
      "chrome-extension://allowed.com", "https://allowed.com..",
      "https://allowed.com/path", "allowed.com", "", "https://", "https://127.0.0.1.evil.example",
      "https://" + repeating("a", 7_000),
    ].map { origin in
      .http(
        8, "origin \"\(origin.prefix(40))\"", upgrade("GET", "/channels", adding: ["Origin: \(origin)"]), 403,
        trace: .refused("http_403_origin"))
    }

  private static let goodOrigins: [HostileRow] = [
    .http(
      8, "two origins", upgrade("GET", "/channels", adding: ["Origin: https://allowed.com", "Origin: null"]), 400),
    .http(8, "an allowed origin gets as far as the token", upgrade(adding: ["Origin: https://allowed.com"]), 401),
    accepted(8, "an allowed origin", ["Origin: https://allowed.com"]),
    accepted(8, "an allowed subdomain", ["Origin: https://app.allowed.org"]),
    accepted(8, "the scheme of a WebSocket for an allowed origin", ["Origin: wss://allowed.com"]),
    accepted(8, "the own host", ["Origin: http://127.0.0.1"]),
  ]

  /// Pages of other origins at the endpoints of the dialect that does not let everyone's in (PROTOCOLS 3.1).
  private static let endpoints: [HostileRow] = [
    endpoint("POST", "/api/auth/acquire-session"), endpoint("OPTIONS", "/api/auth/acquire-session"),
    endpoint("GET", "/api/auth/session"), endpoint("POST", "/api/auth/logout"),
  ]

  private static func endpoint(_ method: String, _ path: String) -> HostileRow {
    let head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\n"
    let answer = ExpectedAnswer(status: 403, without: ["access-control-allow-origin"], closes: false)
    return HostileRow(
      line: 8, name: "\(method) \(path) from another origin",
      attack: .request({ [UInt8]((head + "Content-Length: 0\r\n\r\n").utf8) }, answer),
      trace: .refused("http_403_origin"))
  }

  private static let deflate = "Sec-WebSocket-Extensions: permessage-deflate"

  private static func key(_ text: String) -> [UInt8] {
    upgrade("GET", welcome, without: ["Sec-WebSocket-Key"], adding: ["Sec-WebSocket-Key: \(text)"])
  }

  private static func version(_ text: String) -> [UInt8] {
    upgrade("GET", welcome, without: ["Sec-WebSocket-Version"], adding: ["Sec-WebSocket-Version: \(text)"])
  }

  /// A request that is refused without ending the connection.
  private static func open(
    _ line: Int, _ name: String, _ bytes: @escaping @Sendable @autoclosure () -> [UInt8], _ status: Int,
    headers: [String: String] = [:]
  ) -> HostileRow {
    let answer = ExpectedAnswer(status: status, headers: headers, closes: false)
    return HostileRow(line: line, name: name, attack: .request(bytes, answer), trace: .refused("http_\(status)"))
  }

  /// A handshake that is odd but good: 101, and whatever was offered is declined.
  private static func accepted(_ line: Int, _ name: String, _ lines: [String]) -> HostileRow {
    let answer = ExpectedAnswer(
      status: 101, headers: ["sec-websocket-accept": WebSocketClient.accept],
      without: ["sec-websocket-extensions", "sec-websocket-protocol"], closes: false)
    return HostileRow(
      line: line, name: name, attack: .request({ upgrade("GET", welcome, adding: lines) }, answer),
      trace: .survived("the upgrade is valid"))
  }

  private static func bits(_ value: String) -> HostileRow {
    accepted(9, "window bits \(value)", [deflate + "; server_max_window_bits=\(value)"])
  }
}
