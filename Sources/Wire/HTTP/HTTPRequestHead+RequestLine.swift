// Reads and checks the request line of a head (RFC 9112 3); part of the head parser.

import Buffers

extension HTTPRequestHead {
  /// Fills in method, target and version from the request line at `line`, which has no CRLF and no control character
  /// but tabs. Returns the status to refuse with, or nil.
  mutating func readRequestLine(_ bytes: Span<UInt8>, _ line: Range<Int>, _ limits: HTTPLimits) -> HTTPStatus? {
    var position = line.lowerBound
    while position < line.upperBound, HTTPBytes.isToken(bytes[position]) { position += 1 }
    methodRange = line.lowerBound..<position
    guard !methodRange.isEmpty, position < line.upperBound, bytes[position] == HTTPBytes.space else {
      return .badRequest
    }
    method = HTTPMethod(token: bytes.extracting(methodRange))

    let targetStart = position + 1
    position = targetStart
    while position < line.upperBound, bytes[position] != HTTPBytes.space { position += 1 }
    target = targetStart..<position
    if target.count > limits.targetBytesMax { return .uriTooLong }
    guard !target.isEmpty, position < line.upperBound else { return .badRequest }

    if let status = readVersion(bytes, (position + 1)..<line.upperBound) { return status }
    headersStart = line.upperBound + 2
    return readTarget(bytes)
  }

  /// The same for a request line that an earlier call has read; it begins at `start` and its end is found again.
  mutating func readRequestLine(again bytes: Span<UInt8>, from start: Int, _ limits: HTTPLimits) -> HTTPStatus? {
    let end = HTTPBytes.firstReturn(bytes, from: start, to: bytes.count)
    return readRequestLine(bytes, start..<end, limits)
  }

  /// `HTTP/1.0` and `HTTP/1.1` are served; another well-formed version, such as the one in the HTTP/2 preface, is 505.
  private mutating func readVersion(_ bytes: Span<UInt8>, _ range: Range<Int>) -> HTTPStatus? {
    let version = bytes.extracting(range)
    if version.equals("HTTP/1.1") {
      minorVersion = 1
      return nil
    }
    if version.equals("HTTP/1.0") {
      minorVersion = 0
      return nil
    }
    let isVersion =
      version.count == 8 && version.extracting(0..<5).equals("HTTP/") && HTTPBytes.isDigit(version[5])
      && version[6] == 0x2E && HTTPBytes.isDigit(version[7])
    return isVersion ? .versionNotSupported : .badRequest
  }

  /// Splits `target` into path and query. Served are the origin form, the absolute form of http and https, and `*` for
  /// OPTIONS.
  private mutating func readTarget(_ bytes: Span<UInt8>) -> HTTPStatus? {
    if !HTTPRequestHead.isValidTarget(bytes, target) { return .badRequest }
    var pathStart = target.lowerBound
    if bytes[pathStart] != HTTPBytes.slash {
      if method == .options, bytes.extracting(target).equals("*") {
        path = target
        return nil
      }
      guard let authority = HTTPRequestHead.authority(bytes, target) else { return .badRequest }
      fields[HTTPFieldName.host.rawValue] = HTTPFieldRange(authority)
      pathStart = authority.upperBound
    }
    var pathEnd = pathStart
    while pathEnd < target.upperBound, bytes[pathEnd] != HTTPBytes.questionMark { pathEnd += 1 }
    path = pathStart..<pathEnd
    query = pathEnd < target.upperBound ? (pathEnd + 1)..<target.upperBound : nil
    return nil
  }

  /// Visible ASCII without a fragment, escapes complete and none of them NUL. Characters that RFC 3986 excludes but
  /// browsers send as they are, such as `|` and `{`, pass.
  private static func isValidTarget(_ bytes: Span<UInt8>, _ target: Range<Int>) -> Bool {
    var position = target.lowerBound
    while position < target.upperBound {
      let byte = bytes[position]
      if byte <= HTTPBytes.space || byte >= 0x7F || byte == 0x23 { return false }
      position += 1
      if byte != HTTPBytes.percent { continue }
      guard position + 2 <= target.upperBound, let high = HTTPBytes.hexadecimal(bytes[position]),
        let low = HTTPBytes.hexadecimal(bytes[position + 1]), high | low != 0
      else { return false }
      position += 2
    }
    return true
  }

  /// The authority of an absolute-form target, or nil when it is not one. User information is refused (RFC 9110 4.2.4).
  private static func authority(_ bytes: Span<UInt8>, _ target: Range<Int>) -> Range<Int>? {
    let text = bytes.extracting(target)
    let start: Int
    if text.count > 7, text.extracting(0..<7).equalsIgnoringCase("http://") {
      start = target.lowerBound + 7
    } else if text.count > 8, text.extracting(0..<8).equalsIgnoringCase("https://") {
      start = target.lowerBound + 8
    } else {
      return nil
    }
    var end = start
    while end < target.upperBound, bytes[end] != HTTPBytes.slash, bytes[end] != HTTPBytes.questionMark { end += 1 }
    return isValidHost(bytes.extracting(start..<end)) ? start..<end : nil
  }

  /// Whether `host` is a non-empty `uri-host [":" port]` (RFC 9112 3.2): a name, an IPv4 address or an IPv6 one in
  /// brackets. A comma is refused although RFC 3986 lets a name have one: here it means that two `Host` lines were
  /// joined.
  static func isValidHost(_ host: Span<UInt8>) -> Bool {
    var position = 0
    if !host.isEmpty, host[0] == 0x5B {
      position = 1
      while position < host.count, HTTPBytes.hexadecimal(host[position]) != nil || isColonOrDot(host[position]) {
        position += 1
      }
      guard position > 1, position < host.count, host[position] == 0x5D else { return false }
      position += 1
    } else {
      while position < host.count, isNameByte(host[position]) { position += 1 }
      if position == 0 { return false }
    }
    if position == host.count { return true }
    if host[position] != HTTPBytes.colon { return false }
    // A port has at most five digits; none at all is legal.
    if host.count - position > 6 { return false }
    for index in (position + 1)..<host.count where !HTTPBytes.isDigit(host[index]) { return false }
    return true
  }

  private static func isColonOrDot(_ byte: UInt8) -> Bool { byte == HTTPBytes.colon || byte == 0x2E }

  /// Unreserved characters, sub-delimiters but the comma, and the percent sign (RFC 3986 3.2.2).
  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x23, 0x5E, 0x60, 0x7C: false  // # ^ ` | are token characters but not host characters
    case 0x28, 0x29, 0x3B, 0x3D: true  // ( ) ; = are host characters but not token characters
    default: HTTPBytes.isToken(byte)
    }
  }
}
