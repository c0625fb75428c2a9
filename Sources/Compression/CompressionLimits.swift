// The numbers that bound compression, each with its reason.

/// Limits of permessage-deflate.
public enum CompressionLimits {
  /// The smallest LZ77 window, as a power of two. RFC 7692 also knows 8, but zlib cannot write raw deflate with a
  /// window of 256 bytes.
  public static let windowBitsMin: UInt8 = 9
  /// The largest LZ77 window, as a power of two: 32 KiB, what a side may use that nobody limits (RFC 7692 7.1.2).
  public static let windowBitsMax: UInt8 = 15
  /// Streams that may end (a block with BFINAL set) within one message. A sender that cannot flush ends one per
  /// message; a sender that ends one every two bytes makes the inflater start over each time, which costs far more than
  /// data does.
  public static let finalBlocksMax = 1024
  /// Bytes of output that are made room for when less than `roomMin` is left: a bomb is noticed after at most that
  /// much.
  static let chunkBytes = 4096
  /// Free bytes below which the output is given more room rather than filled up: zlib's fast loop needs 258.
  static let roomMin = 300
  /// Room that a flush is given at least: the marker, what is left of the bits, and more than the six bytes zlib asks
  /// for.
  static let flushBytes = 64
  /// Bytes given to zlib in one call; its counters have 32 bits.
  static let inputBytesMax = 1 << 30
}
