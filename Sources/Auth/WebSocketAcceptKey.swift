// The `Sec-WebSocket-Accept` value of the opening handshake (RFC 6455 section 4.2.2). Stateless, any thread.
import Buffers

/// The server's proof that it has read the client's `Sec-WebSocket-Key`.
public enum WebSocketAcceptKey {
  /// Appends base64(SHA-1(key + GUID)), 28 bytes, to `out`.
  ///
  /// `key` is the header's value as sent, without surrounding white space; whether it is 16 bytes in base64 is checked
  /// by the reader of the request (HOSTILE 4). Allocates nothing beyond what `out` needs to grow.
  public static func append(key: Span<UInt8>, to out: inout ByteBuffer) {
    let start = out.count
    out.append(key)
    out.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    let digest = SHA1.digest(of: out.bytes.extracting(droppingFirst: start))
    out.truncate(to: start)
    Base64.encode(digest.span, into: &out)
  }
}
