// UTF-8 by arithmetic on code points, to compare the validator with: slow, and built from the definition, not from a table.

/// What a prefix of a text amounts to.
enum ReferenceUTF8 {
  /// Whether `bytes[range]` can be continued to valid UTF-8, and whether it is valid already.
  ///
  /// The bytes that a cut-off sequence lacks may be anything, so it stands for a range of code points; the prefix is
  /// possible when one of them may be encoded in that many bytes.
  static func judge(_ bytes: [UInt8], _ range: Range<Int>) -> (isPossible: Bool, isWhole: Bool) {
    var position = range.lowerBound
    while position < range.upperBound {
      let lead = bytes[position]
      let length = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 0
      if length == 0 { return (false, false) }
      let leadBits = length == 1 ? 7 : 7 - length
      var low = UInt32(lead) & (1 << UInt32(leadBits) - 1)
      var high = low
      for offset in 1..<max(length, 1) {
        low <<= 6
        high <<= 6
        if position + offset < range.upperBound {
          let byte = bytes[position + offset]
          if byte >> 6 != 2 { return (false, false) }
          low |= UInt32(byte & 0x3F)
          high |= UInt32(byte & 0x3F)
        } else {
          high |= 0x3F
        }
      }
      let smallest: UInt32 = [0, 0, 0x80, 0x800, 0x1_0000][length]
      let largest: UInt32 = [0, 0x7F, 0x7FF, 0xFFFF, 0x10_FFFF][length]
      let from = max(low, smallest)
      let to = min(high, largest)
      if from > to || (from >= 0xD800 && to <= 0xDFFF) { return (false, false) }
      if position + length > range.upperBound { return (true, false) }
      position += length
    }
    return (true, true)
  }
}
