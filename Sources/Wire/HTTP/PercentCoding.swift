// Decodes percent escapes (RFC 3986 2.1); pure functions, usable from any thread.

import Buffers

/// Percent-decoding of parts of a request target. The head parser has checked the escapes; here a broken one stands
/// for itself, so any bytes may be given.
public enum PercentCoding {
  /// Appends `text` decoded to `buffer`; with `plusIsSpace`, as in a query, `+` is a space. Never longer than `text`.
  public static func append(_ text: Span<UInt8>, plusIsSpace: Bool, to buffer: inout ByteBuffer) {
    buffer.reserve(text.count)
    var position = 0
    while position < text.count {
      let (byte, length) = decoded(text, at: position)
      buffer.append(plusIsSpace && length == 1 && byte == 0x2B ? HTTPBytes.space : byte)
      position += length
    }
  }

  /// The decoded byte at `position`, which must be inside `text`, and how many bytes spell it.
  static func decoded(_ text: Span<UInt8>, at position: Int) -> (byte: UInt8, length: Int) {
    let byte = text[position]
    guard byte == HTTPBytes.percent, position + 2 < text.count, let high = HTTPBytes.hexadecimal(text[position + 1]),
      let low = HTTPBytes.hexadecimal(text[position + 2])
    else { return (byte, 1) }
    return (high << 4 | low, 3)
  }

  /// Whether `text` may differ from its decoded form.
  static func isEncoded(_ text: Span<UInt8>) -> Bool {
    for index in text.indices where text[index] == HTTPBytes.percent || text[index] == 0x2B { return true }
    return false
  }

  /// Whether `text`, decoded as in a query, is `plain`.
  static func equalsDecoded(_ text: Span<UInt8>, _ plain: Span<UInt8>) -> Bool {
    var position = 0
    var index = 0
    while position < text.count {
      var (byte, length) = decoded(text, at: position)
      if length == 1 && byte == 0x2B { byte = HTTPBytes.space }
      if index == plain.count || byte != plain[index] { return false }
      index += 1
      position += length
    }
    return index == plain.count
  }
}
