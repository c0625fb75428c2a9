// Reads and checks the header lines of a head (RFC 9112 5 and 6); part of the head parser.

import Buffers

extension HTTPRequestHead {
  /// Reads all header lines up to the CRLF of the blank line at `blankLine`. Every line is known to end in CRLF and
  /// to hold no control character but tabs. Returns the status to refuse with, or nil.
  mutating func readHeaders(_ bytes: Span<UInt8>, blankLine: Int) -> HTTPStatus? {
    length = blankLine + 2
    let authority = fields[HTTPFieldName.host.rawValue]
    fields[HTTPFieldName.host.rawValue] = HTTPFieldRange()

    var position = headersStart
    while position < blankLine {
      // An empty name is no token, and neither is one that begins with a blank: obs-fold (RFC 9112 5.2) ends here too.
      var colon = position
      while colon < blankLine, HTTPBytes.isToken(bytes[colon]) { colon += 1 }
      if colon == position || bytes[colon] != HTTPBytes.colon { return .badRequest }
      let end = HTTPBytes.firstReturn(bytes, from: colon + 1, to: blankLine)
      if let name = HTTPFieldName(bytes.extracting(position..<colon)) {
        let value = HTTPBytes.trimmed(bytes, (colon + 1)..<end)
        if let status = readField(name, bytes, value) { return status }
      }
      position = end + 2
    }

    if isChunked && (contentLength != nil || minorVersion == 0) { return .badRequest }
    if minorVersion == 1 && self[.host] == nil { return .badRequest }
    // RFC 9112 3.2.2: the authority of an absolute target replaces the value of Host.
    if authority.isPresent { fields[HTTPFieldName.host.rawValue] = authority }
    return nil
  }

  private mutating func readField(_ name: HTTPFieldName, _ bytes: Span<UInt8>, _ value: Range<Int>) -> HTTPStatus? {
    if fields[name.rawValue].isPresent {
      if name.isSingleton { return .badRequest }
      repeated |= 1 << UInt32(name.rawValue)
      if name == .forwardedFor || name == .forwardedProto { fields[name.rawValue] = HTTPFieldRange(value) }
    } else {
      fields[name.rawValue] = HTTPFieldRange(value)
    }
    let text = bytes.extracting(value)
    switch name {
    case .host:
      return HTTPRequestHead.isValidHost(text) ? nil : .badRequest
    case .contentLength:
      contentLength = HTTPRequestHead.decimal(text)
      return contentLength == nil ? .badRequest : nil
    case .transferEncoding:
      isChunked = text.equalsIgnoringCase("chunked")
      return isChunked ? nil : .notImplemented
    case .connection:
      readConnection(bytes, value)
    case .upgrade:
      var tokens = HTTPListIterator(value)
      while let token = tokens.next(in: bytes) {
        if bytes.extracting(token).equalsIgnoringCase("websocket") { hasUpgradeWebSocket = true }
      }
    case .expect:
      // RFC 9110 10.1.1: an HTTP/1.0 expectation is ignored.
      if minorVersion == 0 { return nil }
      return readExpect(bytes, value)
    default:
      break
    }
    return nil
  }

  /// A list, in one line or several; an expectation that nobody knows cannot be met.
  private mutating func readExpect(_ bytes: Span<UInt8>, _ value: Range<Int>) -> HTTPStatus? {
    var expectations = HTTPListIterator(value)
    while let range = expectations.next(in: bytes) {
      if !bytes.extracting(range).equalsIgnoringCase("100-continue") { return .expectationFailed }
      expectContinue = true
    }
    return nil
  }

  private mutating func readConnection(_ bytes: Span<UInt8>, _ value: Range<Int>) {
    var options = HTTPListIterator(value)
    while let range = options.next(in: bytes) {
      let option = bytes.extracting(range)
      if option.equalsIgnoringCase("close") {
        connectionHasClose = true
      } else if option.equalsIgnoringCase("keep-alive") {
        connectionHasKeepAlive = true
      } else if option.equalsIgnoringCase("upgrade") {
        connectionHasUpgrade = true
      }
    }
  }

  /// One or more decimal digits that fit in an `Int`, else nil.
  private static func decimal(_ text: Span<UInt8>) -> Int? {
    if text.isEmpty { return nil }
    var value = 0
    for index in text.indices {
      let byte = text[index]
      guard HTTPBytes.isDigit(byte) else { return nil }
      let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
      let (sum, isOver) = tens.addingReportingOverflow(Int(byte - 0x30))
      if isTooLarge || isOver { return nil }
      value = sum
    }
    return value
  }
}
