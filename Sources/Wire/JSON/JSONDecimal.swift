// A JSON number as sign, significant digits and exponent: enough to compare by value and to bound, without floating
// point.

import Buffers

/// A number's value read off its text: 0.DIGITS × 10^exponent. The digits stay in the text, so nothing is allocated and
/// the value is exact however long it is.
struct JSONDecimal {
  /// The `exponent` of the least decimal that is over the range of a double: 1.797…e308 is 0.1797… × 10^309.
  static let overflowExponent = 309
  /// Past this an exponent's further digits are dropped. Texts are far shorter than this many digits, so no mantissa
  /// can bring such a number back into range, and sums with text offsets cannot overflow. Two numbers that tiny may
  /// count as equal.
  private static let exponentMax = 1 << 40
  /// 2^1024 - 2^970, the least integer that rounds to infinity: half a unit above the greatest double (IEEE 754, ties
  /// to even).
  private static let overflowDigits: [UInt8] = Array(
    """
    1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490179775872070963
    3028641669288791094655554785194040263065748867150582068190890200070838367627385484581771153176447573027
    0069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904174497792
    """.utf8.filter { $0 != 0x0A })

  private(set) var isNegative = false
  /// From the first to behind the last digit that is not zero, perhaps with the point inside; empty for zero.
  private(set) var digits: Range<Int> = 0..<0
  private(set) var exponent = 0

  /// Reads the valid number `range` of `bytes`.
  init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    var position = range.lowerBound
    let end = range.upperBound
    if position < end && bytes[position] == JSONByte.minus {
      isNegative = true
      position += 1
    }
    let integerEnd = JSONLexer.skipDigits(bytes, position, end)
    var mantissaEnd = integerEnd
    if integerEnd < end && bytes[integerEnd] == JSONByte.point {
      mantissaEnd = JSONLexer.skipDigits(bytes, integerEnd + 1, end)
    }
    var first = JSONLexer.skipZeros(bytes, position, integerEnd)
    if first == integerEnd && integerEnd < mantissaEnd {
      first = JSONLexer.skipZeros(bytes, integerEnd + 1, mantissaEnd)
    }
    if first == mantissaEnd {
      isNegative = false
      return
    }
    // There is a digit that is not zero at `first`, so this ends behind it.
    var last = mantissaEnd
    while last - first > 8 && bytes.word(at: last - 8) == JSONLexer.zeros { last -= 8 }
    while bytes[last - 1] == JSONByte.zero || bytes[last - 1] == JSONByte.point { last -= 1 }
    digits = first..<last
    exponent = first < integerEnd ? integerEnd - first : integerEnd + 1 - first
    exponent += Self.writtenExponent(bytes, mantissaEnd, end)
  }

  /// The value of `e±digits` at `start`, 0 when there is none, and clamped to ±`exponentMax` × 10.
  private static func writtenExponent(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
    var position = start + 1
    guard position < end else { return 0 }
    let isNegative = bytes[position] == JSONByte.minus
    if isNegative || bytes[position] == JSONByte.plus { position += 1 }
    position = JSONLexer.skipZeros(bytes, position, end)
    var value = 0
    while position < end && value < exponentMax && bytes[position] &- JSONByte.zero < 10 {
      value = value * 10 + Int(bytes[position] &- JSONByte.zero)
      position += 1
    }
    return isNegative ? -value : value
  }

  /// Whether both numbers have the same value; each comes with the bytes that it was read from.
  static func equal(
    _ left: JSONDecimal, _ leftBytes: Span<UInt8>, _ right: JSONDecimal, _ rightBytes: Span<UInt8>
  ) -> Bool {
    if left.isNegative != right.isNegative || left.exponent != right.exponent { return false }
    var leftDigits = left.digits
    var rightDigits = right.digits
    while true {
      let digit = nextDigit(leftBytes, &leftDigits)
      if digit != nextDigit(rightBytes, &rightDigits) { return false }
      if digit == 0 { return true }
    }
  }

  /// Whether the number's magnitude rounds to infinity as a double.
  func overflowsDouble(_ bytes: Span<UInt8>) -> Bool {
    if digits.isEmpty || exponent != Self.overflowExponent { return exponent > Self.overflowExponent }
    var rest = digits
    for limit in Self.overflowDigits {
      let digit = Self.nextDigit(bytes, &rest)
      if digit != limit { return digit > limit }
    }
    return true
  }

  /// Removes the next digit (as ASCII) from `rest`, stepping over the point; 0 at the end.
  @inline(__always)
  private static func nextDigit(_ bytes: Span<UInt8>, _ rest: inout Range<Int>) -> UInt8 {
    var position = rest.lowerBound
    if position < rest.upperBound && bytes[position] == JSONByte.point { position += 1 }
    guard position < rest.upperBound else { return 0 }
    rest = position + 1..<rest.upperBound
    return bytes[position]
  }
}
