// Decides whether a request head is a WebSocket handshake, and writes the 101; pure functions, usable from any thread.

import Buffers

/// The server's side of the opening handshake (RFC 6455 4.2, PROTOCOLS G1).
public enum WebSocketUpgrade {
  /// What a head asks for.
  public enum Verdict: Sendable, Equatable {
    /// A valid handshake; `key` is the value of `Sec-WebSocket-Key`, to be hashed for the answer.
    case accept(key: Range<Int>)
    /// A handshake that is not valid; answer with this status and close.
    case refuse(HTTPStatus)
    /// A plain request.
    case notUpgrade
  }

  /// The one version served; `HTTPResponse` puts it into every 426.
  public static let version = 13

  /// Judges `head`, which was parsed from `bytes`.
  ///
  /// A request whose `Upgrade` does not name `websocket` is plain even if `Connection` says `upgrade`: nginx sends
  /// that with every request when it is configured with a fixed `Connection "upgrade"`, and an `Upgrade` to something
  /// else, such as `h2c`, may be ignored (RFC 9110 7.8). Only with a `Sec-WebSocket-Key` or `-Version` is it a broken
  /// handshake, 400.
  public static func check(_ head: HTTPRequestHead, _ bytes: Span<UInt8>) -> Verdict {
    if !head.hasUpgradeWebSocket {
      let isMeant = head.secWebSocketKey != nil || head.secWebSocketVersion != nil
      return head.connectionHasUpgrade && isMeant ? .refuse(.badRequest) : .notUpgrade
    }
    if head.method != .get { return .refuse(.methodNotAllowed) }
    if head.minorVersion != 1 { return .refuse(.upgradeRequired) }
    // A body would be read as frames by one side and as a request body by the other.
    if !head.connectionHasUpgrade || head.hasBody { return .refuse(.badRequest) }

    guard let version = head.secWebSocketVersion, !head.isRepeated(.webSocketVersion) else {
      return .refuse(.badRequest)
    }
    if !bytes.extracting(version).equals("13") { return .refuse(.upgradeRequired) }

    guard let key = head.secWebSocketKey, !head.isRepeated(.webSocketKey), isKey(bytes.extracting(key)) else {
      return .refuse(.badRequest)
    }
    return .accept(key: key)
  }

  /// Whether `key` is 16 bytes in base64: 22 characters of the alphabet and two `=`. The four unused bits of the last
  /// character are not looked at; hand-written clients leave something there.
  private static func isKey(_ key: Span<UInt8>) -> Bool {
    guard key.count == 24, key[22] == 0x3D, key[23] == 0x3D else { return false }
    for index in 0..<22 {
      switch key[index] {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F: continue
      default: return false
      }
    }
    return true
  }

  /// Appends the 101 response. `acceptKey` is the base64 of the SHA-1 (28 characters), `subprotocol` the one chosen
  /// and `extensions` the whole negotiated value; nil leaves the line out. A `subprotocol` that is not a token or an
  /// `extensions` with a control character is left out as well: it could split the response.
  public static func appendAcceptance(
    acceptKey: Span<UInt8>, subprotocol: Span<UInt8>? = nil, extensions: Span<UInt8>? = nil, to buffer: inout ByteBuffer
  ) {
    buffer.append("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    buffer.append("Sec-WebSocket-Accept: ")
    buffer.append(acceptKey)
    buffer.append("\r\n")
    if let subprotocol, HTTPBytes.isToken(subprotocol) {
      HTTPResponse.appendHeader("Sec-WebSocket-Protocol", subprotocol, to: &buffer)
    }
    if let extensions {
      HTTPResponse.appendHeader("Sec-WebSocket-Extensions", extensions, to: &buffer)
    }
    buffer.append("\r\n")
  }
}
