// JSON strings in and out: decoding a raw slice, quoting text; pure functions over the caller's buffers.

import Buffers

/// Reading and writing JSON strings. The raw slices come from a scan, which has validated them.
public enum JSONString {
  /// Whether the string `raw` holds no escapes, so that the bytes between its quotes are its text.
  public static func isPlain(_ bytes: Span<UInt8>, _ raw: JSONValue) -> Bool {
    guard raw.kind == .string && raw.end - raw.start >= 2 else { return false }
    return JSONLexer.nextSpecial(bytes, raw.start + 1, raw.end - 1) == raw.end - 1
  }

  /// Appends the text of the string `raw` to `buffer` as UTF-8. A value that is not a string appends nothing.
  public static func decode(_ bytes: Span<UInt8>, _ raw: JSONValue, into buffer: inout ByteBuffer) {
    guard raw.kind == .string && raw.end - raw.start >= 2 else { return }
    let end = raw.end - 1
    var position = raw.start + 1
    while position < end {
      let stop = JSONLexer.nextSpecial(bytes, position, end)
      buffer.append(bytes.extracting(position..<stop))
      guard stop < end, let escape = try? JSONLexer.escape(bytes, stop, end) else { return }
      var units = JSONText.encode(escape.scalar)
      repeat {
        buffer.append(UInt8(truncatingIfNeeded: units))
        units >>= 8
      } while units != 0
      position = escape.end
    }
  }

  /// Appends the UTF-8 `text` as a JSON string: quoted, with only what RFC 8259 7 demands escaped.
  public static func appendQuoted(_ text: Span<UInt8>, to buffer: inout ByteBuffer) {
    buffer.reserve(text.count + 2)
    buffer.append(JSONByte.quote)
    var position = 0
    while true {
      let stop = JSONLexer.nextSpecial(text, position, text.count)
      buffer.append(text.extracting(position..<stop))
      if stop == text.count { break }
      appendEscape(of: text[stop], to: &buffer)
      position = stop + 1
    }
    buffer.append(JSONByte.quote)
  }

  /// Appends `text` as a JSON string. For cold paths.
  public static func appendQuoted(_ text: String, to buffer: inout ByteBuffer) {
    appendQuoted(text.utf8Span.span, to: &buffer)
  }

  private static func appendEscape(of byte: UInt8, to buffer: inout ByteBuffer) {
    buffer.append(JSONByte.backslash)
    switch byte {
    case 0x08: buffer.append(UInt8(ascii: "b"))
    case 0x09: buffer.append(UInt8(ascii: "t"))
    case 0x0A: buffer.append(UInt8(ascii: "n"))
    case 0x0C: buffer.append(UInt8(ascii: "f"))
    case 0x0D: buffer.append(UInt8(ascii: "r"))
    case JSONByte.quote, JSONByte.backslash: buffer.append(byte)
    default:
      buffer.append("u00")
      buffer.append(0x30 + byte >> 4)
      let low = byte & 0xF
      buffer.append(low < 10 ? 0x30 + low : 0x57 + low)
    }
  }
}

/// Text comparison and encoding that looks through escapes.
enum JSONText {
  /// The UTF-8 of `scalar`, first byte lowest. Bytes behind the first are never zero, so a zero rest means the end.
  static func encode(_ scalar: UInt32) -> UInt32 {
    func tail(_ shift: UInt32) -> UInt32 { 0x80 | (scalar >> shift) & 0x3F }
    if scalar < 0x80 { return scalar }
    if scalar < 0x800 { return 0xC0 | scalar >> 6 | tail(0) << 8 }
    if scalar < 0x10000 { return 0xE0 | scalar >> 12 | tail(6) << 8 | tail(0) << 16 }
    return 0xF0 | scalar >> 18 | tail(12) << 8 | tail(6) << 16 | tail(0) << 24
  }

  /// Whether two string contents (between the quotes) spell the same text. Stops at the first difference, so it costs
  /// no more than the shorter one.
  static func equal(
    _ left: Span<UInt8>, _ leftRange: Range<Int>, _ right: Span<UInt8>, _ rightRange: Range<Int>
  ) -> Bool {
    if leftRange.count == rightRange.count && left.extracting(leftRange).equals(right.extracting(rightRange)) {
      return true
    }
    var a = leftRange.lowerBound
    var b = rightRange.lowerBound
    while a < leftRange.upperBound && b < rightRange.upperBound {
      if left[a] == JSONByte.backslash || right[b] == JSONByte.backslash { break }
      if left[a] != right[b] { return false }
      a += 1
      b += 1
    }
    var leftReader = JSONTextReader(a..<leftRange.upperBound)
    var rightReader = JSONTextReader(b..<rightRange.upperBound)
    while true {
      let byte = leftReader.next(left)
      if byte != rightReader.next(right) { return false }
      if byte == nil { return true }
    }
  }
}

/// Reads a string's text byte by byte, escapes decoded.
struct JSONTextReader {
  private var position: Int
  private let end: Int
  /// What is left of the last escape's UTF-8, next byte lowest.
  private var pending: UInt32 = 0

  /// A reader of the string contents `range` (between the quotes).
  init(_ range: Range<Int>) {
    position = range.lowerBound
    end = range.upperBound
  }

  /// The next byte of the text; nil at its end.
  @inline(__always)
  mutating func next(_ bytes: Span<UInt8>) -> UInt8? {
    if pending == 0 {
      guard position < end else { return nil }
      let byte = bytes[position]
      if byte != JSONByte.backslash {
        position += 1
        return byte
      }
      guard let escape = try? JSONLexer.escape(bytes, position, end) else { return nil }
      position = escape.end
      pending = JSONText.encode(escape.scalar)
    }
    let byte = UInt8(truncatingIfNeeded: pending)
    pending >>= 8
    return byte
  }
}
