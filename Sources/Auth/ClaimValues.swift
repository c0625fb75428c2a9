// From the bytes of a validated JSON string or number to text and whole seconds. Stateless, any thread.
import Buffers

/// Decoders for values that `ClaimsScanner` has accepted.
enum ClaimValues {
  /// Appends the UTF-8 of a string's content, escapes resolved. `range` lies between the quotes.
  static func appendText(_ bytes: Span<UInt8>, in range: Range<Int>, to out: inout ByteBuffer) {
    var index = range.lowerBound
    while index < range.upperBound {
      let byte = bytes[index]
      guard byte == 0x5C, index + 1 < range.upperBound else {
        out.append(byte)
        index += 1
        continue
      }
      let escaped = bytes[index + 1]
      index += 2
      switch escaped {
      case 0x62: out.append(0x08)
      case 0x66: out.append(0x0C)
      case 0x6E: out.append(0x0A)
      case 0x72: out.append(0x0D)
      case 0x74: out.append(0x09)
      case 0x75:
        var scalar = ClaimsScanner.codeUnit(bytes, index) ?? 0xFFFD
        index += 4
        if (0xD800...0xDBFF).contains(scalar), let low = ClaimsScanner.codeUnit(bytes, index + 2) {
          scalar = 0x10000 + (scalar & 0x3FF) << 10 + low & 0x3FF
          index += 6
        }
        append(scalar: scalar, to: &out)
      default: out.append(escaped)
      }
    }
  }

  private static func append(scalar: UInt32, to out: inout ByteBuffer) {
    func continuation(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: scalar >> shift & 0x3F) }
    if scalar < 0x80 {
      out.append(UInt8(truncatingIfNeeded: scalar))
    } else if scalar < 0x800 {
      out.append(0xC0 | UInt8(truncatingIfNeeded: scalar >> 6))
      out.append(continuation(0))
    } else if scalar < 0x10000 {
      out.append(0xE0 | UInt8(truncatingIfNeeded: scalar >> 12))
      out.append(continuation(6))
      out.append(continuation(0))
    } else {
      out.append(0xF0 | UInt8(truncatingIfNeeded: scalar >> 18))
      out.append(continuation(12))
      out.append(continuation(6))
      out.append(continuation(0))
    }
  }

  /// The largest whole number not above the JSON number in `range`, or nil when it does not fit.
  ///
  /// Exact: `NumericDate` (RFC 7519 section 2) may have a fraction or an exponent, and a detour through `Double` would
  /// trap or round at the edges.
  static func floor(_ bytes: Span<UInt8>, in range: Range<Int>) -> Int64? {
    var index = range.lowerBound
    let isNegative = index < range.upperBound && bytes[index] == 0x2D
    if isNegative { index += 1 }
    let mantissa = index
    var wholeDigits = 0
    var isFraction = false
    while index < range.upperBound, bytes[index] | 0x20 != 0x65 {
      if bytes[index] == 0x2E { isFraction = true } else if !isFraction { wholeDigits += 1 }
      index += 1
    }
    let mantissaEnd = index
    // Digits of the mantissa that stand left of the point once the exponent is applied.
    let point = wholeDigits + exponent(bytes, in: min(index + 1, range.upperBound)..<range.upperBound)

    var magnitude: UInt64 = 0
    var hasFraction = false
    var place = 0
    for offset in mantissa..<mantissaEnd where bytes[offset] != 0x2E {
      let digit = UInt64(bytes[offset] &- 0x30)
      if place < point {
        guard let next = appending(digit, to: magnitude) else { return nil }
        magnitude = next
      } else if digit != 0 {
        hasFraction = true
      }
      place += 1
    }
    while place < point, magnitude != 0 {
      guard let next = appending(0, to: magnitude) else { return nil }
      magnitude = next
      place += 1
    }
    if !isNegative { return Int64(exactly: magnitude) }
    if hasFraction { magnitude += 1 }
    guard magnitude <= Int64.min.magnitude else { return nil }
    return Int64(truncatingIfNeeded: 0 &- magnitude)
  }

  /// `magnitude * 10 + digit`, or nil past the magnitude of `Int64.min`.
  private static func appending(_ digit: UInt64, to magnitude: UInt64) -> UInt64? {
    let (tens, overflow) = magnitude.multipliedReportingOverflow(by: 10)
    guard !overflow, tens <= Int64.min.magnitude - digit else { return nil }
    return tens + digit
  }

  /// The signed decimal in `range`, saturated far outside what any token can hold digits for.
  private static func exponent(_ bytes: Span<UInt8>, in range: Range<Int>) -> Int {
    let saturated = 1_000_000
    var value = 0
    var isNegative = false
    for index in range {
      switch bytes[index] {
      case 0x2D: isNegative = true
      case 0x30...0x39: value = min(value * 10 + Int(bytes[index] - 0x30), saturated)
      default: break
      }
    }
    return isNegative ? -value : value
  }
}
