// Halves of surrogate pairs in a service's JSON: put together over pieces, or replaced where they stay alone. Pure; a
// value.
import Buffers
import Wire

/// Services that count in UTF-16 cut an emoji between two pieces of a stream: `"\ud83d"` ends one, `"\ude00"` begins
/// the next. Neither is JSON that the scanner takes (HOSTILE 26), and both together are one character.
struct SurrogateHalves {
  /// Escapes that are half a pair, in the JSON that was mended last: where their backslash stands, and their value.
  private var alone: [(at: Int, unit: UInt32)] = []
  /// The first half that the text ended with.
  private var first: UInt32?

  /// JSON of the same length whose half pairs are U+FFFD; nil where there are none. Reads outside strings too, where a
  /// backslash is no JSON anyway.
  mutating func mend(_ json: [UInt8]) -> [UInt8]? {
    alone.removeAll(keepingCapacity: true)
    var at = 0
    while let backslash = json[at...].firstIndex(of: 0x5C) {
      guard let unit = Self.unit(json, backslash) else {
        // A short escape, or none.
        at = min(backslash + 2, json.count)
        continue
      }
      at = backslash + 6
      switch unit {
      case 0xD800...0xDBFF:
        if let second = Self.unit(json, at), (0xDC00...0xDFFF).contains(second) {
          at += 6
        } else {
          alone.append((backslash, unit))
        }
      case 0xDC00...0xDFFF: alone.append((backslash, unit))
      default: break
      }
    }
    if alone.isEmpty { return nil }
    var mended = json
    for half in alone {
      for (offset, digit) in "fffd".utf8.enumerated() { mended[half.at + 2 + offset] = digit }
    }
    return mended
  }

  /// Appends the text of a string of the mended JSON. A first half at its end waits for the next string; a second half
  /// at its beginning belongs to the one that waits.
  mutating func append(_ string: JSONValue, _ json: Span<UInt8>, to text: inout ByteBuffer) {
    var start = string.start + 1
    var end = string.end - 1
    if start >= end { return }
    if let first {
      self.first = nil
      if let half = half(at: start), half >= 0xDC00 {
        Self.append(0x10000 + (first & 0x3FF) << 10 + half & 0x3FF, to: &text)
        start += 6
      } else {
        Self.append(0xFFFD, to: &text)
      }
    }
    if end - start >= 6, let half = half(at: end - 6), half < 0xDC00 {
      first = half
      end -= 6
    }
    JSONString.decode(json, JSONValue(kind: .string, start: start - 1, end: end + 1), into: &text)
  }

  /// Nothing more comes: what waits stays half.
  mutating func end(into text: inout ByteBuffer) {
    if first != nil { Self.append(0xFFFD, to: &text) }
    first = nil
  }

  /// The half whose backslash stands there. They are in order, and there can be tens of thousands.
  private func half(at offset: Int) -> UInt32? {
    var range = alone.indices
    while let middle = range.dropFirst(range.count / 2).first {
      if alone[middle].at == offset { return alone[middle].unit }
      range = alone[middle].at < offset ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return nil
  }

  private static func append(_ scalar: UInt32, to text: inout ByteBuffer) {
    for byte in String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8 { text.append(byte) }
  }

  /// The value of the escape with four hexadecimal digits at `offset`; nil for another.
  private static func unit(_ json: [UInt8], _ offset: Int) -> UInt32? {
    guard offset + 6 <= json.count, json[offset] == 0x5C, json[offset + 1] == 0x75 else { return nil }
    var unit: UInt32 = 0
    for byte in json[offset + 2..<offset + 6] {
      switch byte {
      case 0x30...0x39: unit = unit << 4 | UInt32(byte - 0x30)
      case 0x41...0x46: unit = unit << 4 | UInt32(byte - 0x37)
      case 0x61...0x66: unit = unit << 4 | UInt32(byte - 0x57)
      default: return nil
      }
    }
    return unit
  }
}
