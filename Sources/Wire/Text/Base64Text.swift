// Standard base64 with padding, both ways (RFC 4648 section 4). Stateless, any thread.

import Buffers

/// The text form of binary data where a protocol carries it in text.
public enum Base64Text {
  /// Bytes of the text of `count` bytes.
  public static func textCount(of count: Int) -> Int { (count + 2) / 3 * 4 }

  /// Appends `bytes` in the standard alphabet, padded.
  public static func encode(_ bytes: Span<UInt8>, to out: inout ByteBuffer) {
    out.reserve(textCount(of: bytes.count))
    var position = 0
    while position + 3 <= bytes.count {
      let group = UInt32(bytes[position]) << 16 | UInt32(bytes[position + 1]) << 8 | UInt32(bytes[position + 2])
      append(group, characters: 4, to: &out)
      position += 3
    }
    switch bytes.count - position {
    case 1:
      append(UInt32(bytes[position]) << 16, characters: 2, to: &out)
      out.append("==")
    case 2:
      append(UInt32(bytes[position]) << 16 | UInt32(bytes[position + 1]) << 8, characters: 3, to: &out)
      out.append(UInt8(ascii: "="))
    default: break
    }
  }

  /// Appends the bytes of `text[range]` to `out`. Padding may be left out, but not be there in part; no white space;
  /// the unused low bits of the last character must be zero, so that every byte string has one spelling but for its
  /// padding. False, and `out` as it was, for anything else.
  public static func decode(_ text: Span<UInt8>, _ range: Range<Int>, into out: inout ByteBuffer) -> Bool {
    guard range.lowerBound >= 0 && range.upperBound <= text.count else { return false }
    var end = range.upperBound
    while end > range.lowerBound && range.upperBound - end < 2 && text[end - 1] == UInt8(ascii: "=") { end -= 1 }
    if end < range.upperBound && range.count & 3 != 0 { return false }
    guard (end - range.lowerBound) & 3 != 1 else { return false }
    let before = out.count
    out.reserve(range.count / 4 * 3 + 3)
    var group: UInt32 = 0
    var bits: UInt32 = 0
    for position in range.lowerBound..<end {
      let value = sextet(text[position])
      if value > 63 {
        out.truncate(to: before)
        return false
      }
      group = group << 6 | value
      bits += 6
      if bits >= 8 {
        bits -= 8
        out.append(UInt8(truncatingIfNeeded: group >> bits))
        group &= (1 << bits) - 1
      }
    }
    if group == 0 { return true }
    out.truncate(to: before)
    return false
  }

  private static func append(_ group: UInt32, characters: Int, to out: inout ByteBuffer) {
    var shift: UInt32 = 18
    for _ in 0..<characters {
      out.append(character(UInt8(truncatingIfNeeded: group >> shift & 63)))
      shift &-= 6
    }
  }

  private static func character(_ value: UInt8) -> UInt8 {
    switch value {
    case 0..<26: 0x41 + value
    case 26..<52: 0x61 + (value - 26)
    case 52..<62: 0x30 + (value - 52)
    case 62: 0x2B
    default: 0x2F
    }
  }

  /// The value of one character, or 255 when it is not in the alphabet.
  private static func sextet(_ byte: UInt8) -> UInt32 {
    switch byte {
    case 0x41...0x5A: UInt32(byte) - 0x41
    case 0x61...0x7A: UInt32(byte) - 0x61 + 26
    case 0x30...0x39: UInt32(byte) - 0x30 + 52
    case 0x2B: 62
    case 0x2F: 63
    default: 255
    }
  }
}
