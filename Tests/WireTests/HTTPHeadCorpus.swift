// Request heads and what the parser must make of them; the tables behind the head, split and mutation tests.

import Testing

/// A request head and the status that it must be refused with; nil for one that must be accepted.
struct HTTPHeadRow: CustomTestStringConvertible, Sendable {
  let name: String
  let bytes: [UInt8]
  let status: Int?

  init(_ name: String, _ text: String, _ status: Int? = nil) {
    self.init(name, Array(text.utf8), status)
  }

  init(_ name: String, _ bytes: [UInt8], _ status: Int? = nil) {
    self.name = name
    self.bytes = bytes
    self.status = status
  }

  var testDescription: String { name }
}

/// `GET / HTTP/1.1` with a Host and these header lines, ended properly.
private func get(_ lines: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n" }

/// `POST /` likewise.
private func post(_ lines: String) -> String { "POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n" }

/// A request with `target` in its request line.
private func target(_ target: String, method: String = "GET") -> String {
  "\(method) \(target) HTTP/1.1\r\nHost: a\r\n\r\n"
}

private func host(_ host: String) -> String { "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n" }

private func headers(_ count: Int) -> String { String(repeating: "a: b\r\n", count: count) }

private func bytes(_ before: String, _ raw: [UInt8], _ after: String) -> [UInt8] {
  Array(before.utf8) + raw + Array(after.utf8)
}

enum HTTPHeadCorpus {
  static let handshake =
    "GET /ws?token=a HTTP/1.1\r\nHost: a:80\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    + "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: c\r\n"
    + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

  static let good: [HTTPHeadRow] = [
    HTTPHeadRow("the smallest HTTP/1.1 request", "GET / HTTP/1.1\r\nHost:a\r\n\r\n"),
    HTTPHeadRow("HTTP/1.0 without a Host", "GET / HTTP/1.0\r\n\r\n"),
    HTTPHeadRow("a handshake", handshake),
    HTTPHeadRow("two empty lines first", "\r\n\r\n" + get("")),
    HTTPHeadRow("blanks around a value", get("X: \t  v\t \r\n")),
    HTTPHeadRow("an empty value", get("X:\r\nY: \r\n")),
    HTTPHeadRow("a tab inside a value", get("X: a\tb\r\n")),
    HTTPHeadRow("obs-text in a value", bytes("GET / HTTP/1.1\r\nHost: a\r\nX: ", [0x80, 0xFF], "\r\n\r\n")),
    HTTPHeadRow("header names in any case", "GET / HTTP/1.1\r\nhOsT: a\r\nCONNECTION: CLOSE\r\n\r\n"),
    HTTPHeadRow("every token character in a name", get("!#$%&'*+-.^_`|~09azAZ: v\r\n")),
    HTTPHeadRow("a body behind the head", post("Content-Length: 5\r\n") + "hello"),
    HTTPHeadRow("a request behind the head", get("") + get("")),
    HTTPHeadRow("chunked", post("Transfer-Encoding: Chunked\r\n")),
    HTTPHeadRow("a large Content-Length", post("Content-Length: 9223372036854775807\r\n")),
    HTTPHeadRow("zeros in front of a Content-Length", post("Content-Length: 0005\r\n")),
    HTTPHeadRow("an unknown method", target("/", method: "BREW")),
    HTTPHeadRow("OPTIONS *", target("*", method: "OPTIONS")),
    HTTPHeadRow("an absolute target", target("http://b:80/p?q")),
    HTTPHeadRow("an absolute target without a path", target("HTTPS://b")),
    HTTPHeadRow("escapes in the target", target("/%41%2f%0ax?a=%ff")),
    HTTPHeadRow("characters that browsers leave unescaped", target("/a|b{c}^`\"<>\\?[]")),
    HTTPHeadRow("an IPv6 host", host("[::1]:8080")),
    HTTPHeadRow("an IPv4 host", host("127.0.0.1:8080")),
    HTTPHeadRow("100 headers", get(headers(99))),
    HTTPHeadRow("Expect: 100-continue", post("Content-Length: 5\r\nExpect: 100-Continue\r\n")),
    HTTPHeadRow("an HTTP/1.0 expectation", "GET / HTTP/1.0\r\nExpect: magic\r\n\r\n"),
    HTTPHeadRow("a head of exactly 8 192 bytes", fullHead(8192)),
  ]

  static let bad: [HTTPHeadRow] = lines + targets + fields + bodies + limits

  private static let lines: [HTTPHeadRow] = [
    HTTPHeadRow("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    HTTPHeadRow("bare LF after a header", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    HTTPHeadRow("bare LF as the blank line", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    HTTPHeadRow("bare CR in a value", get("X: a\rb\r\n"), 400),
    HTTPHeadRow("CR CR LF", get("X: a\r\r\n"), 400),
    HTTPHeadRow("NUL in a value", get("X: a\0b\r\n"), 400),
    HTTPHeadRow("a control character in a value", get("X: a\u{1}b\r\n"), 400),
    HTTPHeadRow("DEL in a value", get("X: a\u{7F}b\r\n"), 400),
    HTTPHeadRow("three empty lines first", "\r\n\r\n\r\n" + get(""), 400),
    HTTPHeadRow("HTTP/0.9", "GET /\r\n", 400),
    HTTPHeadRow("no target", "GET HTTP/1.1\r\n\r\n", 400),
    HTTPHeadRow("two spaces after the method", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    HTTPHeadRow("two spaces after the target", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    HTTPHeadRow("a space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    HTTPHeadRow("a space before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    HTTPHeadRow("a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    HTTPHeadRow("a method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    HTTPHeadRow("a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    HTTPHeadRow("a version with more digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    HTTPHeadRow("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    HTTPHeadRow("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    HTTPHeadRow("the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    HTTPHeadRow("a TLS greeting", [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3], 400),
  ]

  private static let targets: [HTTPHeadRow] = [
    HTTPHeadRow("a target without a slash", target("a"), 400),
    HTTPHeadRow("* for GET", target("*"), 400),
    HTTPHeadRow("authority form", target("a:443", method: "CONNECT"), 400),
    HTTPHeadRow("another scheme", target("ftp://a/"), 400),
    HTTPHeadRow("an absolute target without a host", target("http:///a"), 400),
    HTTPHeadRow("user information", target("http://u@b/"), 400),
    HTTPHeadRow("an escape cut off", target("/%4"), 400),
    HTTPHeadRow("an escape without digits", target("/%zz"), 400),
    HTTPHeadRow("an escape over a space", "GET /%4 1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    HTTPHeadRow("an escaped NUL", target("/a%00"), 400),
    HTTPHeadRow("an escaped NUL in the query", target("/?a=%00"), 400),
    HTTPHeadRow("raw UTF-8", target("/é"), 400),
    HTTPHeadRow("a fragment", target("/#a"), 400),
    HTTPHeadRow("DEL in the target", target("/\u{7F}"), 400),
  ]

  private static let fields: [HTTPHeadRow] = [
    HTTPHeadRow("no Host", "GET / HTTP/1.1\r\n\r\n", 400),
    HTTPHeadRow("no Host with an absolute target", "GET http://a/ HTTP/1.1\r\n\r\n", 400),
    HTTPHeadRow("two Hosts", get("Host: a\r\n"), 400),
    HTTPHeadRow("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400),
    HTTPHeadRow("an empty Host", host(""), 400),
    HTTPHeadRow("two hosts in one Host", host("a, b"), 400),
    HTTPHeadRow("a path in Host", host("a/b"), 400),
    HTTPHeadRow("user information in Host", host("u@a"), 400),
    HTTPHeadRow("a port of letters", host("a:b"), 400),
    HTTPHeadRow("a port too long", host("a:123456"), 400),
    HTTPHeadRow("a bracket left open", host("[::1"), 400),
    HTTPHeadRow("something behind the bracket", host("[::1]a"), 400),
    HTTPHeadRow("obs-fold", get("X: a\r\n b\r\n"), 400),
    HTTPHeadRow("obs-fold with a tab", get("X: a\r\n\tb\r\n"), 400),
    HTTPHeadRow("a blank before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    HTTPHeadRow("a line of blanks", get(" \r\n"), 400),
    HTTPHeadRow("a space before the colon", get("X : a\r\n"), 400),
    HTTPHeadRow("a tab before the colon", get("X\t: a\r\n"), 400),
    HTTPHeadRow("an empty name", get(": a\r\n"), 400),
    HTTPHeadRow("no colon", get("X\r\n"), 400),
    HTTPHeadRow("a name that is no token", get("X(: a\r\n"), 400),
    HTTPHeadRow("a name with obs-text", bytes("GET / HTTP/1.1\r\nHost: a\r\nX", [0xC3, 0xA9], ": a\r\n\r\n"), 400),
    HTTPHeadRow("two Origins", get("Origin: http://a\r\nOrigin: http://b\r\n"), 400),
    HTTPHeadRow("two Authorizations", get("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), 400),
    HTTPHeadRow("an unknown expectation", get("Expect: magic\r\n"), 417),
  ]

  private static let bodies: [HTTPHeadRow] = [
    HTTPHeadRow("Content-Length, Transfer-Encoding", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400),
    HTTPHeadRow("Transfer-Encoding, Content-Length", post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), 400),
    HTTPHeadRow("two equal Content-Lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n"), 400),
    HTTPHeadRow("two different Content-Lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n"), 400),
    HTTPHeadRow("a list of Content-Lengths", post("Content-Length: 5, 5\r\n"), 400),
    HTTPHeadRow("an empty Content-Length", post("Content-Length:\r\n"), 400),
    HTTPHeadRow("a signed Content-Length", post("Content-Length: +5\r\n"), 400),
    HTTPHeadRow("a negative Content-Length", post("Content-Length: -5\r\n"), 400),
    HTTPHeadRow("a hexadecimal Content-Length", post("Content-Length: 0x5\r\n"), 400),
    HTTPHeadRow("a Content-Length with a space", post("Content-Length: 5 5\r\n"), 400),
    HTTPHeadRow("a Content-Length of 2^63", post("Content-Length: 9223372036854775808\r\n"), 400),
    HTTPHeadRow("a Content-Length of 40 digits", post("Content-Length: \(String(repeating: "9", count: 40))\r\n"), 400),
    HTTPHeadRow("gzip", post("Transfer-Encoding: gzip\r\n"), 501),
    HTTPHeadRow("gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), 501),
    HTTPHeadRow("chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), 501),
    HTTPHeadRow("xchunked", post("Transfer-Encoding: xchunked\r\n"), 501),
    HTTPHeadRow("an empty Transfer-Encoding", post("Transfer-Encoding:\r\n"), 501),
    HTTPHeadRow("chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400),
    HTTPHeadRow("a vertical tab before chunked", post("Transfer-Encoding: \u{B}chunked\r\n"), 400),
    HTTPHeadRow("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
  ]

  private static let limits: [HTTPHeadRow] = [
    HTTPHeadRow("101 headers", get(headers(100)), 431),
    HTTPHeadRow("2 000 tiny headers", get(headers(2000)), 431),
    HTTPHeadRow("101 headers without an end", "GET / HTTP/1.1\r\n" + headers(101), 431),
    HTTPHeadRow("a head of 8 193 bytes", fullHead(8193), 431),
    HTTPHeadRow("a header without an end", "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 9000), 431),
    HTTPHeadRow("a target over 8 KiB", target("/" + String(repeating: "a", count: 8192)), 414),
    HTTPHeadRow("a target without an end", "GET /" + String(repeating: "a", count: 9000), 414),
    HTTPHeadRow("a bare LF behind the limit", "GET / HTTP/1.1\r\nX: \(String(repeating: "a", count: 8200))\n", 431),
  ]

  /// A good head of exactly `count` bytes.
  private static func fullHead(_ count: Int) -> String {
    let before = "GET / HTTP/1.1\r\nHost: a\r\nX: "
    return before + String(repeating: "a", count: count - before.utf8.count - 4) + "\r\n\r\n"
  }
}
