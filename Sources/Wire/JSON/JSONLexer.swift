// The tokens of JSON: strings, escapes, numbers and literals, each checked against RFC 8259; pure functions.

import Buffers

/// Token recognisers. Each takes the offset of the token's first byte and returns the offset behind its last one.
enum JSONLexer {
  /// The first offset in `start..<end` of a quote, a backslash or a control character; `end` when there is none.
  static func nextSpecial(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
    var position = start
    while position <= end - 16 {
      let low = specials(bytes.word(at: position))
      if low != 0 { return position + low.trailingZeroBitCount / 8 }
      let high = specials(bytes.word(at: position + 8))
      if high != 0 { return position + 8 + high.trailingZeroBitCount / 8 }
      position += 16
    }
    if position <= end - 8 {
      let marks = specials(bytes.word(at: position))
      if marks != 0 { return position + marks.trailingZeroBitCount / 8 }
      position += 8
    }
    while position < end {
      let byte = bytes[position]
      if byte < 0x20 || byte == JSONByte.quote || byte == JSONByte.backslash { break }
      position += 1
    }
    return position
  }

  /// The top bit of every special byte of `word`; only the lowest mark is exact, a borrow may set false ones above it.
  ///
  /// Flipping bit 1 maps the quote (0x22) to 0x20 and permutes the control characters among themselves, so one
  /// comparison with 0x21 finds both.
  @inline(__always)
  private static func specials(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quoteOrControl = (word ^ (ones &* 0x02)) &- (ones &* 0x21)
    let backslash = (word ^ (ones &* 0x5C)) &- ones
    return (quoteOrControl | backslash) & ~word & (ones &* 0x80)
  }

  /// A string, from its opening quote.
  @inline(__always)
  static func string(_ bytes: Span<UInt8>, _ start: Int) throws(JSONError) -> (end: Int, hasEscapes: Bool) {
    let stop = nextSpecial(bytes, start + 1, bytes.count)
    if stop < bytes.count && bytes[stop] == JSONByte.quote { return (stop + 1, false) }
    return (try stringTail(bytes, stop), true)
  }

  /// The rest of a string, from its first byte that is not plain.
  @inline(never)
  private static func stringTail(_ bytes: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
    var position = start
    while position < bytes.count {
      let byte = bytes[position]
      if byte == JSONByte.quote { return position + 1 }
      if byte == JSONByte.backslash {
        position = isShortEscape(bytes, position) ? position + 2 : try escape(bytes, position, bytes.count).end
      } else if byte < 0x20 {
        throw .controlCharacter(at: position)
      } else {
        position = nextSpecial(bytes, position, bytes.count)
      }
    }
    throw .syntax(at: bytes.count)
  }

  /// Whether a backslash begins one of the escapes of two characters.
  @inline(__always)
  private static func isShortEscape(_ bytes: Span<UInt8>, _ start: Int) -> Bool {
    guard start + 1 < bytes.count else { return false }
    switch bytes[start + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return true
    default: return false
    }
  }

  /// An escape sequence, from its backslash and wholly before `limit`; a surrogate pair counts as one.
  static func escape(
    _ bytes: Span<UInt8>, _ start: Int, _ limit: Int
  ) throws(JSONError) -> (scalar: UInt32, end: Int) {
    guard start + 1 < limit else { throw .syntax(at: limit) }
    switch bytes[start + 1] {
    case UInt8(ascii: "\""): return (0x22, start + 2)
    case UInt8(ascii: "\\"): return (0x5C, start + 2)
    case UInt8(ascii: "/"): return (0x2F, start + 2)
    case UInt8(ascii: "b"): return (0x08, start + 2)
    case UInt8(ascii: "f"): return (0x0C, start + 2)
    case UInt8(ascii: "n"): return (0x0A, start + 2)
    case UInt8(ascii: "r"): return (0x0D, start + 2)
    case UInt8(ascii: "t"): return (0x09, start + 2)
    case UInt8(ascii: "u"): break
    default: throw .syntax(at: start + 1)
    }
    let unit = try hex4(bytes, start + 2, limit)
    if unit & 0xF800 != 0xD800 { return (unit, start + 6) }
    guard unit < 0xDC00, start + 7 < limit, bytes[start + 6] == JSONByte.backslash,
      bytes[start + 7] == UInt8(ascii: "u")
    else { throw .loneSurrogate(at: start) }
    let second = try hex4(bytes, start + 8, limit)
    guard second & 0xFC00 == 0xDC00 else { throw .loneSurrogate(at: start) }
    return (0x10000 + (unit & 0x3FF) << 10 + second & 0x3FF, start + 12)
  }

  /// Four hexadecimal digits.
  private static func hex4(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for position in start..<start + 4 {
      guard position < limit else { throw .syntax(at: limit) }
      let byte = bytes[position]
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
      case 0x41...0x46: value = value << 4 | UInt32(byte - 0x37)
      case 0x61...0x66: value = value << 4 | UInt32(byte - 0x57)
      default: throw .syntax(at: position)
      }
    }
    return value
  }

  /// A number, from its minus sign or first digit. One that does not round to a finite double is refused, however it is
  /// written; one that is too small simply counts as near zero.
  @inline(__always)
  static func number(_ bytes: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
    // One digit, as most numbers of long lists are.
    if bytes[start] != JSONByte.minus && start + 1 < bytes.count {
      let next = bytes[start + 1]
      if next == JSONByte.comma || next == JSONByte.bracketClose || next == JSONByte.braceClose { return start + 1 }
    }
    return try longNumber(bytes, start)
  }

  @inline(never)
  private static func longNumber(_ bytes: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
    var position = start
    if bytes[position] == JSONByte.minus { position += 1 }
    let integerStart = position
    if position < bytes.count && bytes[position] == JSONByte.zero {
      position += 1
    } else {
      position = try digits(bytes, position)
    }
    var needsRangeCheck = position - integerStart >= JSONDecimal.overflowExponent
    if position < bytes.count && bytes[position] == JSONByte.point {
      position = try digits(bytes, position + 1)
    }
    if position < bytes.count && bytes[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      if position < bytes.count && (bytes[position] == JSONByte.plus || bytes[position] == JSONByte.minus) {
        position += 1
      }
      position = try digits(bytes, position)
      needsRangeCheck = true
    }
    if needsRangeCheck && JSONDecimal(bytes, start..<position).overflowsDouble(bytes) {
      throw .numberRange(at: start)
    }
    return position
  }

  /// At least one decimal digit.
  @inline(__always)
  private static func digits(_ bytes: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
    let position = skipDigits(bytes, start, bytes.count)
    if position == start { throw .syntax(at: start) }
    return position
  }

  /// The first offset in `start..<end` that is no decimal digit, or `end`.
  @inline(__always)
  static func skipDigits(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    var position = start
    while position <= end - 8 {
      // A digit becomes 0...9. The lowest mark is exact: what lies below it has carried nothing over.
      let values = bytes.word(at: position) ^ (ones &* UInt64(JSONByte.zero))
      let marks = (values | (values &+ (ones &* 0x76))) & (ones &* 0x80)
      if marks != 0 { return position + marks.trailingZeroBitCount / 8 }
      position += 8
    }
    while position < end && bytes[position] &- JSONByte.zero < 10 { position += 1 }
    return position
  }

  /// The first offset in `start..<end` that is no `0`, or `end`.
  @inline(__always)
  static func skipZeros(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
    var position = start
    while position <= end - 8 && bytes.word(at: position) == zeros { position += 8 }
    while position < end && bytes[position] == JSONByte.zero { position += 1 }
    return position
  }

  /// Eight times the digit `0`.
  static let zeros: UInt64 = 0x3030_3030_3030_3030

  /// `true`, `false` or `null`, from its first letter. What may follow is the caller's business.
  static func literal(_ bytes: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
    let length = bytes[start] == UInt8(ascii: "f") ? 5 : 4
    guard start <= bytes.count - length else { throw .syntax(at: bytes.count) }
    let text = bytes.extracting(start..<start + length)
    guard text.equals("true") || text.equals("false") || text.equals("null") else { throw .syntax(at: start) }
    return start + length
  }
}
