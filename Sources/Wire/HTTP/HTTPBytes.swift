// Byte classes and searches that the HTTP parsers share; pure functions, usable from any thread.

import Buffers

/// Character classes of RFC 9110 5.6 and the searches built on them.
enum HTTPBytes {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0A
  static let carriageReturn: UInt8 = 0x0D
  static let space: UInt8 = 0x20
  static let percent: UInt8 = 0x25
  static let comma: UInt8 = 0x2C
  static let slash: UInt8 = 0x2F
  static let colon: UInt8 = 0x3A
  static let questionMark: UInt8 = 0x3F

  /// Bit n is set when byte n, below 64, may be part of a token: `!#$%&'*+-.` and digits.
  private static let tokenLow: UInt64 = 0x03FF_6CFA_0000_0000
  /// The same for bytes 64 to 127: letters and `^_`|~`.
  private static let tokenHigh: UInt64 = 0x57FF_FFFF_C7FF_FFFE

  /// Whether `byte` is a `tchar` (RFC 9110 5.6.2).
  static func isToken(_ byte: UInt8) -> Bool {
    if byte < 64 { return (tokenLow >> UInt64(byte)) & 1 != 0 }
    return byte < 128 && (tokenHigh >> UInt64(byte - 64)) & 1 != 0
  }

  /// Whether `bytes` is one or more `tchar`.
  static func isToken(_ bytes: Span<UInt8>) -> Bool {
    for index in bytes.indices where !isToken(bytes[index]) { return false }
    return !bytes.isEmpty
  }

  /// Whether `byte` is a space or a tab.
  static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

  /// Whether `byte` is a control character; a tab is one.
  static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7F }

  static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  /// The value of a hexadecimal digit, or nil.
  static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }

  /// The position of the first control character in `start..<end`, or `end`. Eight bytes at a time: every received head
  /// goes through here. `end` must not be over `bytes.count`.
  static func firstControl(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops: UInt64 = 0x8080_8080_8080_8080
    var index = start
    while index &+ 8 <= end {
      let word = bytes.word(at: index)
      let deletes = word ^ (ones &* 0x7F)
      // A borrow can only mark bytes above a true hit, so the lowest mark is exact.
      let low = (word &- ones &* 0x20) & ~word
      let delete = (deletes &- ones) & ~deletes
      let hits = (low | delete) & tops
      if hits != 0 { return index &+ hits.trailingZeroBitCount / 8 }
      index &+= 8
    }
    while index < end, !isControl(bytes[index]) { index &+= 1 }
    return index
  }

  /// The position of the first CR in `start..<end`, or `end`.
  static func firstReturn(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
    var index = firstControl(bytes, from: start, to: end)
    while index < end, bytes[index] != carriageReturn { index = firstControl(bytes, from: index + 1, to: end) }
    return index
  }

  /// `range` without the spaces and tabs at both ends.
  static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper, isBlank(bytes[lower]) { lower += 1 }
    while upper > lower, isBlank(bytes[upper - 1]) { upper -= 1 }
    return lower..<upper
  }
}

/// The elements of a comma-separated list (RFC 9110 5.6.1), in order; empty ones are skipped. Linear in the bytes.
///
/// Commas inside quoted strings are not told apart; none of the lists that the gateway reads may hold them.
public struct HTTPListIterator: Sendable, BitwiseCopyable {
  var position: Int
  let end: Int

  /// Elements of the header value at `value`.
  public init(_ value: Range<Int>) {
    position = value.lowerBound
    end = value.upperBound
  }

  /// The next element without the blanks around it, or nil after the last. `bytes` must be those that `value` points
  /// into; positions past their end are treated as absent.
  public mutating func next(in bytes: Span<UInt8>) -> Range<Int>? {
    let end = min(end, bytes.count)
    while position < end {
      let start = position
      while position < end, bytes[position] != HTTPBytes.comma { position += 1 }
      let element = HTTPBytes.trimmed(bytes, start..<position)
      position += 1
      if !element.isEmpty { return element }
    }
    return nil
  }
}
