// Base64 in both alphabets of RFC 4648: the strict URL-safe reader of tokens, and the encoders. Stateless, any thread.
import Buffers

/// The URL-safe alphabet without padding (RFC 4648 section 5, RFC 7515 section 2).
public enum Base64URL {
  /// Appends the decoded bytes of `text[range]` to `out`.
  ///
  /// Strict: no padding, no white space, only the URL-safe alphabet, and the unused low bits of the last character must
  /// be zero, so that every byte string has exactly one accepted spelling. False, and `out` as it was, for anything
  /// else or for a range outside the text.
  public static func decode(_ text: Span<UInt8>, in range: Range<Int>, into out: inout ByteBuffer) -> Bool {
    guard range.lowerBound >= 0, range.upperBound <= text.count, range.count & 3 != 1 else { return false }
    let before = out.count
    out.reserve(range.count / 4 * 3 + 2)
    var group: UInt32 = 0
    var bits = 0
    for index in range {
      let value = sextet(text[index])
      guard value < 64 else {
        out.truncate(to: before)
        return false
      }
      group = group << 6 | value
      bits += 6
      if bits >= 8 {
        bits -= 8
        out.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
        group &= (1 << UInt32(bits)) - 1
      }
    }
    if group != 0 {
      out.truncate(to: before)
      return false
    }
    return true
  }

  /// Appends the decoded bytes of the whole of `text` to `out`; see `decode(_:in:into:)`.
  public static func decode(_ text: Span<UInt8>, into out: inout ByteBuffer) -> Bool {
    decode(text, in: 0..<text.count, into: &out)
  }

  /// Appends `bytes` to `out` in the URL-safe alphabet, without padding.
  public static func encode(_ bytes: Span<UInt8>, into out: inout ByteBuffer) {
    Base64.encode(bytes, high: (0x2D, 0x5F), padded: false, into: &out)
  }

  /// The value of one character, or 255 when it is not in the alphabet.
  private static func sextet(_ byte: UInt8) -> UInt32 {
    switch byte {
    case 0x41...0x5A: UInt32(byte) - 0x41
    case 0x61...0x7A: UInt32(byte) - 0x61 + 26
    case 0x30...0x39: UInt32(byte) - 0x30 + 52
    case 0x2D: 62
    case 0x5F: 63
    default: 255
    }
  }
}

/// The standard alphabet with padding (RFC 4648 section 4).
public enum Base64 {
  /// Appends `bytes` to `out` in the standard alphabet, padded with `=`.
  public static func encode(_ bytes: Span<UInt8>, into out: inout ByteBuffer) {
    encode(bytes, high: (0x2B, 0x2F), padded: true, into: &out)
  }

  /// `high` are the characters for 62 and 63, the only ones in which the two alphabets differ.
  static func encode(_ bytes: Span<UInt8>, high: (UInt8, UInt8), padded: Bool, into out: inout ByteBuffer) {
    out.reserve((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
      let taken = min(3, bytes.count - index)
      var group = UInt32(bytes[index]) << 16
      if taken > 1 { group |= UInt32(bytes[index + 1]) << 8 }
      if taken > 2 { group |= UInt32(bytes[index + 2]) }
      for place in 0...taken {
        out.append(character(group >> UInt32(18 - 6 * place) & 63, high: high))
      }
      if padded {
        for _ in taken..<3 { out.append(0x3D) }
      }
      index += taken
    }
  }

  private static func character(_ value: UInt32, high: (UInt8, UInt8)) -> UInt8 {
    let byte = UInt8(truncatingIfNeeded: value)
    switch value {
    case 0..<26: return 0x41 + byte
    case 26..<52: return 0x61 + byte - 26
    case 52..<62: return 0x30 + byte - 52
    case 62: return high.0
    default: return high.1
    }
  }
}
