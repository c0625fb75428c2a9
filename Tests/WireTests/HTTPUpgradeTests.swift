// The verdict on WebSocket handshakes, and the 101 response.

import Buffers
import Testing
import Wire

@Suite("WebSocket handshake")
struct HTTPUpgradeTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let verdict: String
    let head: String

    /// A request of these header lines; nil leaves a standard line out.
    init(
      _ name: String, _ verdict: String, method: String = "GET", version: String = "1.1",
      upgrade: String? = "Upgrade: websocket", connection: String? = "Connection: Upgrade",
      key: String? = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      protocolVersion: String? = "Sec-WebSocket-Version: 13",
      more: [String] = []
    ) {
      self.name = name
      self.verdict = verdict
      let lines =
        ["\(method) /ws HTTP/\(version)", "Host: a"]
        + [upgrade, connection, key, protocolVersion].compactMap { $0 } + more
      head = lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    var testDescription: String { name }
  }

  static let key = "dGhlIHNhbXBsZSBub25jZQ=="

  static let rows: [Row] = [
    Row("the standard handshake", key),
    Row("tokens in any case", key, upgrade: "upgrade: WebSocket", connection: "connection: UPGRADE"),
    Row("Connection as a list", key, connection: "Connection: keep-alive, Upgrade"),
    Row("Connection in two lines", key, connection: "Connection: keep-alive\r\nConnection: upgrade"),
    Row("Upgrade as a list", key, upgrade: "Upgrade: h2c, websocket"),
    Row("Upgrade in two lines", key, upgrade: "Upgrade: h2c\r\nUpgrade: websocket"),
    Row("an empty body announced", key, more: ["Content-Length: 0"]),
    Row("a plain request", "plain", upgrade: nil, connection: nil, key: nil, protocolVersion: nil),
    Row("a plain POST", "plain", method: "POST", upgrade: nil, connection: nil, key: nil, protocolVersion: nil),
    Row("nginx's fixed Connection line", "plain", upgrade: nil, key: nil, protocolVersion: nil),
    Row("an upgrade to h2c", "plain", upgrade: "Upgrade: h2c", key: nil, protocolVersion: nil),
    Row("websocket with a version", "400", upgrade: "Upgrade: websocket/13"),
    Row("no Upgrade", "400", upgrade: nil),
    Row("no Connection", "400", connection: nil),
    Row("Connection without upgrade", "400", connection: "Connection: keep-alive"),
    Row("a longer Connection token", "400", connection: "Connection: upgrades"),
    Row("POST", "405", method: "POST"),
    Row("PUT", "405", method: "PUT"),
    Row("HEAD", "405", method: "HEAD"),
    Row("an unknown method", "405", method: "get"),
    Row("HTTP/1.0", "426", version: "1.0"),
    Row("a body with Content-Length", "400", more: ["Content-Length: 1"]),
    Row("a chunked body", "400", more: ["Transfer-Encoding: chunked"]),
    Row("no key", "400", key: nil),
    Row("an empty key", "400", key: "Sec-WebSocket-Key:"),
    Row("two keys", "400", more: ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]),
    Row("a key of 15 bytes", "400", key: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"),
    Row("a key of 17 bytes", "400", key: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWU="),
    Row("a key without padding", "400", key: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"),
    Row("a key in base64url", "400", key: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25-ZQ=="),
    Row("a key with a space", "400", key: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2 jZQ=="),
    Row("no version", "400", protocolVersion: nil),
    Row("two versions", "400", more: ["Sec-WebSocket-Version: 13"]),
    Row("version 8", "426", protocolVersion: "Sec-WebSocket-Version: 8"),
    Row("version 013", "426", protocolVersion: "Sec-WebSocket-Version: 013"),
    Row("a list of versions", "426", protocolVersion: "Sec-WebSocket-Version: 13, 8"),
  ]

  @Test("a handshake gets its verdict", arguments: rows)
  func verdict(_ row: Row) throws {
    let head = try #require(HTTPTest.head(row.head))
    switch WebSocketUpgrade.check(head, Array(row.head.utf8).span) {
    case .accept(let key): #expect(HTTPTest.slice(row.head, key) == row.verdict)
    case .refuse(let status): #expect("\(status.rawValue)" == row.verdict)
    case .notUpgrade: #expect(row.verdict == "plain")
    }
  }

  private func acceptance(_ subprotocol: String?, _ extensions: String?) -> String {
    let accept = Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8)
    let chosen = Array((subprotocol ?? "").utf8)
    let negotiated = Array((extensions ?? "").utf8)
    return HTTPTest.written { buffer in
      WebSocketUpgrade.appendAcceptance(
        acceptKey: accept.span, subprotocol: subprotocol == nil ? nil : chosen.span,
        extensions: extensions == nil ? nil : negotiated.span, to: &buffer)
    }
  }

  @Test("the 101 has the accept key and what was negotiated")
  func accepted() {
    let start =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    #expect(acceptance(nil, nil) == start + "\r\n")
    #expect(
      acceptance("a.b-c_d", "permessage-deflate; client_max_window_bits=15")
        == start + "Sec-WebSocket-Protocol: a.b-c_d\r\n"
        + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=15\r\n\r\n")
  }

  @Test("a value that would split the 101 is left out")
  func splitting() {
    let plain = acceptance(nil, nil)
    #expect(acceptance("a\r\nX: b", "c\r\nY: d") == plain)
    #expect(acceptance("a, b", nil) == plain)
    #expect(acceptance("", nil) == plain)
  }
}
