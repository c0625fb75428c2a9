// The bounded inflater, whole and in pieces, against one call of zlib; and the deflater's output through it.

import Buffers
import CZlib
import Compression
import TestSeeds

enum InflateFuzz {
  /// Byte 0: bits 0-2 the window, bit 3 context takeover, bits 4-5 the limit, bit 6 the rest is to be deflated first.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    guard bytes.count > 1 else { return }
    let windowBits = 9 + min(bytes[0] & 7, 6)
    let keepsContext = bytes[0] & 8 != 0
    let limit = [65_536, 1000, 16, 0][Int(bytes[0] >> 4 & 3)]
    let rest = bytes.extracting(1..<bytes.count)
    if bytes[0] & 0x40 != 0 { return try roundTrip(rest, windowBits, keepsContext, limit) }

    var inflater = Inflater(windowBits: windowBits, contextTakeover: keepsContext)
    let whole = try inflate(&inflater, rest, [], limit)
    switch reference(rest.array, windowBits) {
    case .bytes(let expected):
      let outcome: InflateOutcome = expected.count > limit ? .tooBig : .ok
      try require(whole.outcome == outcome, "\(whole.outcome), zlib gives \(expected.count) bytes")
      try require(whole.output.elementsEqual(expected.prefix(limit)), "other bytes than zlib's")
    case .fault(let count):
      let outcome: InflateOutcome = count > limit ? .tooBig : .corrupt
      try require(whole.outcome == outcome, "\(whole.outcome), zlib gives \(count) bytes and refuses the rest")
    case nil: break
    }
    // Whatever came of it, an inflater without context is as good as new.
    if !keepsContext || whole.outcome != .ok {
      let again = try inflate(&inflater, rest, [], limit)
      try require(again == whole, "used: \(again.outcome), new: \(whole.outcome)")
    }
    var random = SeededRandom(seed: bytes.fingerprint)
    var other = Inflater(windowBits: windowBits, contextTakeover: keepsContext)
    for cuts in [Array(0..<rest.count), [random.below(rest.count)]] {
      let split = try inflate(&other, rest, cuts, limit)
      try require(split == whole, "cut at \(cuts): \(split.outcome), whole: \(whole.outcome)")
      other.reset()
    }
  }

  private struct Inflated: Equatable {
    var outcome: InflateOutcome
    var output: [UInt8]
  }

  private static func inflate(
    _ inflater: inout Inflater, _ input: Span<UInt8>, _ cuts: [Int], _ limit: Int
  ) throws(FuzzFailure) -> Inflated {
    var out = ByteBuffer()
    var outcome = InflateOutcome.ok
    var start = 0
    for end in cuts + [input.count] where outcome == .ok {
      outcome = inflater.inflate(input.extracting(start..<end), isLast: false, into: &out, limit: limit)
      start = end
    }
    if outcome == .ok { outcome = inflater.inflate(Span(), isLast: true, into: &out, limit: limit) }
    try require(out.count <= limit, "\(out.count) bytes of at most \(limit)")
    try require(!inflater.isMidMessage, "not ready for another message")
    // How much came out before a fault depends on how the bytes came in.
    return Inflated(outcome: outcome, output: outcome == .corrupt ? [] : out.bytes.array)
  }

  private static func roundTrip(
    _ message: Span<UInt8>, _ windowBits: UInt8, _ keepsContext: Bool, _ limit: Int
  ) throws(FuzzFailure) {
    var deflater = Deflater(windowBits: windowBits, contextTakeover: keepsContext)
    var inflater = Inflater(windowBits: windowBits, contextTakeover: keepsContext)
    for turn in 0..<2 {
      var payload = ByteBuffer()
      deflater.deflate(message, into: &payload)
      try require(payload.count <= message.count + message.count / 100 + 64, "\(payload.count) for \(message.count)")
      let back = try inflate(&inflater, payload.bytes, [], limit)
      try require(back.outcome == (message.count > limit ? .tooBig : .ok), "turn \(turn): \(back.outcome)")
      try require(back.output.elementsEqual(message.array.prefix(limit)), "turn \(turn): other bytes")
      if back.outcome != .ok { return }
    }
  }

  private enum Reference {
    /// The message.
    case bytes([UInt8])
    /// zlib refuses what comes behind so many bytes.
    case fault(Int)
  }

  /// What zlib makes of the message and its tail; nil where that says nothing: at final blocks, past `outputMax`, and
  /// where a message ends anywhere but behind the tail's empty block.
  private static func reference(_ payload: [UInt8], _ windowBits: UInt8) -> Reference? {
    guard let alone = zlib(payload, windowBits) else { return nil }
    if alone.isFault { return .fault(alone.output.count) }
    guard let whole = zlib(payload + [0x00, 0x00, 0xFF, 0xFF], windowBits), !whole.isFault, whole.isBetweenBlocks
    else { return nil }
    // Otherwise the tail was taken for data of a stored block that is longer than the message.
    return alone.output.count == whole.output.count ? .bytes(whole.output) : nil
  }

  /// More than any limit that is tried.
  private static let outputMax = 1 << 17

  /// What zlib makes of all input; nil where it ends a stream or fills all of the output.
  ///
  /// Below the largest window, one call per byte of output: zlib checks distances against its window and what the same
  /// call has given.
  private static func zlib(
    _ input: [UInt8], _ windowBits: UInt8
  ) -> (output: [UInt8], isFault: Bool, isBetweenBlocks: Bool)? {
    var stream = unsafe z_stream()
    // SAFETY: the stream lives on this stack frame from its set-up to its end.
    let isReady = unsafe inflateInit2_(
      &stream, -Int32(windowBits), ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard isReady == Z_OK else { return nil }
    // SAFETY: as above.
    defer { unsafe _ = inflateEnd(&stream) }
    let room = windowBits < 15 ? 1 : outputMax
    var status = Z_OK
    // SAFETY: both buffers outlive the calls of zlib, which keeps to the counts that it is given; `count` and `room`
    // stay within the capacity.
    let output = unsafe [UInt8](unsafeUninitializedCapacity: outputMax) { target, count in
      unsafe input.withUnsafeBufferPointer { source in
        unsafe stream.next_in = source.baseAddress
        unsafe stream.avail_in = UInt32(source.count)
        unsafe stream.next_out = target.baseAddress
        repeat {
          unsafe stream.avail_out = UInt32(room)
          status = unsafe CZlib.inflate(&stream, Z_SYNC_FLUSH)
          count += unsafe room - Int(stream.avail_out)
        } while unsafe status == Z_OK && stream.avail_out == 0 && count < outputMax
      }
    }
    // SAFETY: plain fields. 128 in `data_type` stands for the place between two blocks, with no bits left over.
    let (inputLeft, type) = unsafe (stream.avail_in, stream.data_type)
    guard output.count < outputMax else { return nil }
    if status == Z_DATA_ERROR { return (output, true, false) }
    guard status == Z_OK || status == Z_BUF_ERROR, inputLeft == 0 else { return nil }
    return (output, false, type & 0xFF == 128)
  }
}
