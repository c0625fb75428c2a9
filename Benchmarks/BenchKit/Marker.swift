// The mark inside every payload: which message it is and when it left, in fixed-width text that any JSON server passes through.
import Buffers

/// A message's number, channel and time of sending, and their 32-byte text form.
///
/// The text is the eight bytes `~martlet`, then three runs of eight letters `@`…`O`, one a nibble, lowest first: the sequence
/// number (32 bits) and the stamp (48 bits of nanoseconds since the run began, 16 bits of channel). One word compare finds
/// it, three shifts read it.
public struct Marker: Equatable, Sendable {
  /// Bytes of the text form; a payload is at least this long.
  public static let length = 32
  /// Channels that a stamp can name.
  public static let channelsMax = 1 << 16
  /// `~martlet` as a little-endian word.
  static let word: UInt64 = 0x74_65_6C_74_72_61_6D_7E

  public var sequence: UInt32
  public var channel: UInt16
  /// Nanoseconds since the run began, modulo 2^48 (78 hours).
  public var time: UInt64

  public init(sequence: UInt32, channel: UInt16, time: UInt64) {
    self.sequence = sequence
    self.channel = channel
    self.time = time & 0xFFFF_FFFF_FFFF
  }

  /// Reads the 24 bytes behind the mark at `offset`; nil when they are not such letters. `offset + length` must be inside.
  init?(_ bytes: Span<UInt8>, at offset: Int) {
    let first = bytes.word(at: offset + 8)
    let second = bytes.word(at: offset + 16)
    let third = bytes.word(at: offset + 24)
    let high: UInt64 = 0xF0F0_F0F0_F0F0_F0F0
    guard (first & high) & (second & high) & (third & high) == 0x4040_4040_4040_4040,
      (first | second | third) & high == 0x4040_4040_4040_4040
    else { return nil }
    sequence = Marker.nibbles(first)
    let stamp = UInt64(Marker.nibbles(second)) | UInt64(Marker.nibbles(third)) << 32
    channel = UInt16(truncatingIfNeeded: stamp >> 48)
    time = stamp & 0xFFFF_FFFF_FFFF
  }

  /// The four words of the text form.
  var words: (UInt64, UInt64, UInt64, UInt64) {
    let stamp = time | UInt64(channel) << 48
    return (
      Marker.word, Marker.letters(sequence), Marker.letters(UInt32(truncatingIfNeeded: stamp)),
      Marker.letters(UInt32(truncatingIfNeeded: stamp >> 32))
    )
  }

  /// Eight nibbles spread over the low halves of eight bytes, made letters.
  static func letters(_ value: UInt32) -> UInt64 {
    var word = UInt64(value)
    word = (word | word << 16) & 0x0000_FFFF_0000_FFFF
    word = (word | word << 8) & 0x00FF_00FF_00FF_00FF
    word = (word | word << 4) & 0x0F0F_0F0F_0F0F_0F0F
    return word | 0x4040_4040_4040_4040
  }

  /// The inverse of `letters`.
  static func nibbles(_ letters: UInt64) -> UInt32 {
    var word = letters & 0x0F0F_0F0F_0F0F_0F0F
    word = (word | word >> 4) & 0x00FF_00FF_00FF_00FF
    word = (word | word >> 8) & 0x0000_FFFF_0000_FFFF
    return UInt32(truncatingIfNeeded: word | word >> 16)
  }
}

/// Finds marks in delivered messages; remembers where the last one was, because a server's envelopes are alike.
struct MarkerFinder {
  private var offset = 0

  /// The mark inside `range` of what `buffer` holds, or nil.
  @inline(__always)
  mutating func find(_ buffer: borrowing ByteBuffer, in range: Range<Int>) -> Marker? {
    let bytes = buffer.bytes
    let guess = range.lowerBound + offset
    if guess + Marker.length <= range.upperBound && bytes.word(at: guess) == Marker.word {
      return Marker(bytes, at: guess)
    }
    var index = range.lowerBound
    while index + Marker.length <= range.upperBound {
      if bytes[index] == 0x7E && bytes.word(at: index) == Marker.word {
        offset = index - range.lowerBound
        return Marker(bytes, at: index)
      }
      index += 1
    }
    return nil
  }
}
