// A JSON value as text the way JavaScript makes it text, for error messages that name what a client sent. Pure; cold
// paths only.

import Buffers

/// `String(value)` of ECMAScript for a scanned JSON value: strings as they are, arrays as their elements joined with
/// commas, objects as `[object Object]`.
public enum JSONJavaScriptText {
  /// A number spelled with more bytes than this is repeated as it was sent: no client writes one, and reading it would
  /// be work without a purpose.
  static let numberBytesMax = 512

  /// Appends the text of the scanned `value` of `bytes`: at most `bytesMax` bytes, cut at a character. One pass over as
  /// much of the value as that takes.
  public static func append(
    _ bytes: Span<UInt8>, _ value: JSONValue, bytesMax: Int, to out: inout ByteBuffer
  ) {
    let start = out.count
    if value.kind == .array {
      appendElements(bytes, value, until: start + bytesMax, to: &out)
    } else {
      appendScalar(bytes, value, to: &out)
    }
    guard out.count - start > bytesMax else { return }
    // Back to the first byte of a character, so that the text stays valid UTF-8.
    var end = start + bytesMax
    while end > start && out.bytes[end] & 0xC0 == 0x80 { end -= 1 }
    out.truncate(to: end)
  }

  /// Joining nested arrays is the same as joining all their elements: only brackets go, and `null` is nothing.
  private static func appendElements(
    _ bytes: Span<UInt8>, _ array: JSONValue, until limit: Int, to out: inout ByteBuffer
  ) {
    var position = array.start
    while position < array.end && out.count <= limit {
      switch bytes[position] {
      case JSONByte.bracketOpen, JSONByte.bracketClose, 0x00...0x20:
        position += 1
      case JSONByte.comma:
        out.append(JSONByte.comma)
        position += 1
      default:
        let end = JSONWalk.valueEnd(bytes, position)
        // Behind a scalar stands a bracket or a comma, at which a walk of valid JSON stops.
        guard end > position else { return }
        let kind = JSONKind(firstByte: bytes[position])
        if kind != .null { appendScalar(bytes, JSONValue(kind: kind, start: position, end: end), to: &out) }
        position = end
      }
    }
  }

  private static func appendScalar(_ bytes: Span<UInt8>, _ value: JSONValue, to out: inout ByteBuffer) {
    switch value.kind {
    case .string: JSONString.decode(bytes, value, into: &out)
    case .object: out.append("[object Object]")
    case .number: appendNumber(bytes.extracting(value.range), to: &out)
    default: out.append(bytes.extracting(value.range))
    }
  }

  /// The shortest digits that name the double, laid out as ECMAScript's Number::toString does.
  private static func appendNumber(_ text: Span<UInt8>, to out: inout ByteBuffer) {
    guard text.count <= numberBytesMax, let number = Double(text.string), number.isFinite else {
      out.append(text)
      return
    }
    if number == 0 {
      out.append("0")
      return
    }
    if number < 0 { out.append("-") }
    let (digits, point) = shortestDigits(number.magnitude)
    switch point {
    case digits.count...21 where point >= digits.count:
      out.append(digits.span)
      for _ in digits.count..<point { out.append(JSONByte.zero) }
    case 1...21:
      out.append(digits.span.extracting(0..<point))
      out.append(JSONByte.point)
      out.append(digits.span.extracting(point..<digits.count))
    case -5...0:
      out.append("0.")
      for _ in point..<0 { out.append(JSONByte.zero) }
      out.append(digits.span)
    default:
      out.append(digits[0])
      if digits.count > 1 {
        out.append(JSONByte.point)
        out.append(digits.span.extracting(1..<digits.count))
      }
      out.append(point > 0 ? "e+" : "e-")
      out.append(decimal: abs(point - 1))
    }
  }

  /// The digits of a finite number above zero without zeros at either end, and where the decimal point stands among
  /// them: the value is 0.DIGITS × 10^point. Read off the standard library's shortest description.
  private static func shortestDigits(_ number: Double) -> (digits: [UInt8], point: Int) {
    let text = number.description
    let mantissa = text.prefix { $0 != "e" }
    let exponent = Int(text.dropFirst(mantissa.count + 1)) ?? 0
    var digits: [UInt8] = []
    var point: Int?
    for byte in mantissa.utf8 {
      if byte == JSONByte.point { point = digits.count } else { digits.append(byte) }
    }
    var position = (point ?? digits.count) + exponent
    while digits.count > 1 && digits[0] == JSONByte.zero {
      digits.removeFirst()
      position -= 1
    }
    while digits.count > 1 && digits[digits.count - 1] == JSONByte.zero { digits.removeLast() }
    return (digits, position)
  }
}
