// Writes HTTP/1.1 responses into a buffer; a value on the stack of whoever answers.

import Buffers

/// One response. Set what differs from the defaults, then append it with its body, whose length becomes
/// `Content-Length`.
///
/// 426 gets `Upgrade: websocket`, `Connection: Upgrade` and `Sec-WebSocket-Version: 13` without being asked (RFC 9110
/// 15.5.22, RFC 6455 4.4).
public struct HTTPResponse: Sendable {
  /// The status line's code.
  public var status: HTTPStatus
  /// The media type of the body; nil leaves `Content-Type` out.
  public var contentType: StaticString?
  /// Whether to announce `Connection: keep-alive`; otherwise `close`, and the caller closes after flushing (PROTOCOLS
  /// G2).
  public var keepsAlive: Bool
  /// Whether the request was HEAD: the head is as for GET, the body is not sent.
  public var omitsBody = false
  /// The value of `Allow`, which RFC 9110 15.5.6 wants in a 405.
  public var allow: StaticString?
  /// The time for `Date`, which RFC 9110 6.6.1 wants in every response of a server with a clock; nil leaves it out.
  public var date: HTTPDate?
  /// Seconds for `Retry-After`, in a 503 or 429.
  public var retryAfterSeconds: Int?
  /// More header lines, each with its CRLF.
  public var headerLines: StaticString = ""

  /// A response with `status` that closes the connection, unless told otherwise.
  public init(_ status: HTTPStatus, contentType: StaticString? = nil, keepsAlive: Bool = false) {
    self.status = status
    self.contentType = contentType
    self.keepsAlive = keepsAlive
  }

  /// Appends the whole response with `body`.
  public func append(body: Span<UInt8>, to buffer: inout ByteBuffer) {
    appendHeadLines(bodyCount: body.count, to: &buffer)
    buffer.append("\r\n")
    if !omitsBody && !status.forbidsBody { buffer.append(body) }
  }

  /// Appends the whole response with a literal body.
  public func append(body: StaticString = "", to buffer: inout ByteBuffer) {
    appendHeadLines(bodyCount: body.utf8CodeUnitCount, to: &buffer)
    buffer.append("\r\n")
    if !omitsBody && !status.forbidsBody { buffer.append(body) }
  }

  /// Appends the head for a body of `bodyCount` bytes, but not the blank line: the caller adds lines with
  /// `appendHeader`, then a CRLF, then the body unless `omitsBody`.
  public func appendHeadLines(bodyCount: Int, to buffer: inout ByteBuffer) {
    buffer.append("HTTP/1.1 ")
    buffer.append(decimal: Int(status.rawValue))
    buffer.append(0x20)
    buffer.append(status.reason)
    buffer.append("\r\n")
    if let date {
      buffer.append("Date: ")
      date.append(to: &buffer)
      buffer.append("\r\n")
    }
    if let contentType, !status.forbidsBody {
      buffer.append("Content-Type: ")
      buffer.append(contentType)
      buffer.append("\r\n")
    }
    if !status.forbidsBody {
      buffer.append("Content-Length: ")
      buffer.append(decimal: bodyCount)
      buffer.append("\r\n")
    }
    appendConnection(to: &buffer)
    if let allow {
      buffer.append("Allow: ")
      buffer.append(allow)
      buffer.append("\r\n")
    }
    if let retryAfterSeconds {
      buffer.append("Retry-After: ")
      buffer.append(decimal: retryAfterSeconds)
      buffer.append("\r\n")
    }
    buffer.append(headerLines)
  }

  /// Appends the interim response that `HTTPRequestHead.expectContinue` asks for (RFC 9110 10.1.1).
  public static func appendContinue(to buffer: inout ByteBuffer) {
    buffer.append("HTTP/1.1 100 Continue\r\n\r\n")
  }

  private func appendConnection(to buffer: inout ByteBuffer) {
    if status == .upgradeRequired {
      buffer.append("Upgrade: websocket\r\nSec-WebSocket-Version: ")
      buffer.append(decimal: WebSocketUpgrade.version)
      buffer.append(keepsAlive ? "\r\nConnection: Upgrade\r\n" : "\r\nConnection: Upgrade, close\r\n")
    } else {
      buffer.append(keepsAlive ? "Connection: keep-alive\r\n" : "Connection: close\r\n")
    }
  }

  /// Appends one header line. A value with a control character could split the response, so then nothing is appended;
  /// the result says whether the line is there.
  @discardableResult
  public static func appendHeader(
    _ name: StaticString, _ value: Span<UInt8>, to buffer: inout ByteBuffer
  ) -> Bool {
    if HTTPBytes.firstControl(value, from: 0, to: value.count) < value.count { return false }
    buffer.append(name)
    buffer.append(": ")
    buffer.append(value)
    buffer.append("\r\n")
    return true
  }
}
