// The client's side of the opening handshake, without I/O. RFC 6455 sections 4.1 and 4.2.2. Values; any thread.
import Auth
import Buffers

/// One handshake: the request that goes out, and the check of the answer.
struct Handshake: Sendable {
  let key: String

  init() {
    var text = ByteBuffer(capacity: 24)
    Base64.encode(SecureRandom.bytes(16).span, into: &text)
    key = text.bytes.string
  }

  /// Appends the upgrade request.
  func appendRequest(target: String, authority: String, to out: inout ByteBuffer) {
    out.append(string: "GET \(target) HTTP/1.1\r\nHost: \(authority)\r\n")
    out.append("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n")
    out.append(string: "Sec-WebSocket-Key: \(key)\r\n\r\n")
  }

  /// What is wrong with a 101; nil when nothing is. No extension and no sub-protocol was offered, so none may be there.
  func mistake(in head: ResponseHead) -> String? {
    var accept = ByteBuffer(capacity: 80)
    WebSocketAcceptKey.append(key: Array(key.utf8).span, to: &accept)
    if head.value("upgrade")?.lowercased() != "websocket" { return "no Upgrade: websocket in the answer" }
    if !head.lists("connection", "upgrade") { return "no Connection: Upgrade in the answer" }
    if head.value("sec-websocket-accept") != accept.bytes.string { return "wrong Sec-WebSocket-Accept" }
    if head.has("sec-websocket-extensions") { return "an extension that was not offered" }
    if head.has("sec-websocket-protocol") { return "a sub-protocol that was not offered" }
    return nil
  }
}
