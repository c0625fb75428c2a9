// Inflates the messages of permessage-deflate, bounded. One per reactor, or one per connection; its thread only.
import Buffers
import CZlib

/// How far `Inflater.inflate` got.
public enum InflateOutcome: Sendable, Equatable {
  /// The part is inflated; after the last part, the message is complete.
  case ok
  /// The message is longer than the limit (close 1009).
  case tooBig
  /// The bytes are not what RFC 7692 7.2.1 lets a sender send (close 1007).
  case corrupt
}

/// Raw inflate for WebSocket messages (RFC 7692 7.2.2).
///
/// Without context takeover one inflater serves any number of connections, one *message* after another: `isMidMessage`
/// tells whether it is free. A message whose parts arrive in different wake-ups needs one of its own until it is
/// complete, say from a `Pool<Inflater>`. With context takeover each connection has its own for as long as it lives.
///
/// State: about 2^windowBits + 7 KiB (40 KiB with 15), and 2 KiB more below 15; all of it allocated by `init`.
@safe
public struct Inflater: ~Copyable, Sendable {
  /// An inflater's window, as a power of two: it reads what was written with the same or a smaller one, and nothing
  /// that refers further back.
  public let windowBits: UInt8
  /// Whether a message may refer to the bytes of those before it.
  public let keepsContext: Bool
  /// Whether some part of a message has been inflated and its last one has not.
  public private(set) var isMidMessage = false

  private let stream = ZlibStream()
  /// Only for windows below the largest: no distance can be written that is beyond that.
  private var distanceCheck: DistanceCheck?
  /// Bytes that the message has given so far.
  private var produced = 0
  /// Streams that ended within the message.
  private var finalBlocks = 0
  /// No byte has been read since the message began or a final block ended.
  private var isAtStreamStart = true

  /// An inflater for windows of up to `windowBits`, clamped to 9...15.
  public init(windowBits: UInt8 = CompressionLimits.windowBitsMax, contextTakeover: Bool = false) {
    self.windowBits = DeflateParameters.clamped(windowBits)
    keepsContext = contextTakeover
    if self.windowBits < CompressionLimits.windowBitsMax { distanceCheck = DistanceCheck(windowBits: self.windowBits) }
    // SAFETY: the stream is set up with its allocator; negative window bits ask for raw deflate.
    let status = unsafe inflateInit2_(
      stream.pointer, -Int32(self.windowBits), ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { fatalError("zlib cannot inflate: status \(status)") }
    // zlib allocates its window when the first output is made; a message of one byte makes it do so now.
    var scratch = ByteBuffer(capacity: CompressionLimits.roomMin)
    let oneByte: [4 of UInt8] = [0x4B, 0x04, 0x00, 0x00]
    _ = inflate(oneByte.span, isLast: true, into: &scratch, limit: 1)
    reset()
  }

  deinit {
    // SAFETY: set up in `init`; not used again.
    unsafe _ = inflateEnd(stream.pointer)
  }

  /// Bytes that zlib holds for this inflater.
  public var stateBytes: Int { stream.heldBytes }

  /// Allocations that zlib has made for this inflater, ever.
  var allocations: Int { stream.allocations }

  /// Forgets the message under way and the window. For a connection that goes away in the middle of a message.
  public mutating func reset() {
    // SAFETY: the stream is set up; resetting allocates and frees nothing.
    unsafe _ = inflateReset(stream.pointer)
    finishMessage()
  }

  private mutating func finishMessage() {
    isMidMessage = false
    isAtStreamStart = true
    produced = 0
    finalBlocks = 0
    distanceCheck?.reset()
  }

  /// Inflates one part of a message, the frames' payloads in order, and appends what it gives to `out`.
  ///
  /// - Parameters:
  ///   - input: unmasked payload; may be empty.
  ///   - isLast: the part ends the message. The inflater then supplies the tail 00 00 FF FF that the sender left out.
  ///   - limit: bytes that the whole message may have; those of earlier parts count, whether or not they are still in
  ///     `out`. At most `limit` bytes are appended over all parts.
  /// - Returns: anything but `ok` ends the message: close the connection. The inflater is ready for another.
  public mutating func inflate(
    _ input: Span<UInt8>, isLast: Bool, into out: inout ByteBuffer, limit: Int
  ) -> InflateOutcome {
    isMidMessage = true
    var outcome = InflateOutcome.ok
    var offset = 0
    while outcome == .ok && offset < input.count {
      let end = min(input.count, offset + CompressionLimits.inputBytesMax)
      let part = input.extracting(offset..<end)
      // First, as zlib may come upon a distance too far, or past the limit, or neither.
      if distanceCheck?.findsDistanceTooFar(in: part, limit: max(limit, 0)) == true {
        outcome = .corrupt
      } else {
        outcome = feed(part, into: &out, limit: limit)
      }
      offset = end
    }
    if outcome == .ok && isLast { outcome = finish(into: &out) }
    if outcome != .ok || (isLast && !keepsContext) {
      reset()
    } else if isLast {
      finishMessage()
    }
    return outcome
  }

  /// Ends a message that is whole: its last block must be the empty stored one whose length the sender left out.
  private mutating func finish(into out: inout ByteBuffer) -> InflateOutcome {
    // A message without a byte (the sender should have sent 00), or one that ends with its final block where RFC 7692
    // 7.2.3.4 has another 00 follow. Nothing is missing in either.
    if isAtStreamStart { return .ok }
    let before = out.count
    let tail: [4 of UInt8] = [0x00, 0x00, 0xFF, 0xFF]
    // Room for one byte shows whether the tail is taken for data: then the message was cut short.
    let outcome = feed(tail.span, into: &out, limit: produced)
    if outcome != .ok || out.count != before { return .corrupt }
    if isAtStreamStart { return .ok }
    // SAFETY: the stream is set up. The field tells that the decoder stands between two blocks (128) and how many bits
    // of the last byte it has not used (none, behind a stored block).
    return unsafe stream.pointer.pointee.data_type & 0xFF == 128 ? .ok : .corrupt
  }

  /// Inflates all of `input`, restarting behind final blocks.
  private mutating func feed(_ input: Span<UInt8>, into out: inout ByteBuffer, limit: Int) -> InflateOutcome {
    // SAFETY: the input outlives the closure, and the stream forgets its address before the closure ends.
    unsafe input.withUnsafeBufferPointer { source in
      unsafe stream.setInput(source)
      let outcome = pump(into: &out, limit: limit)
      stream.clear()
      return outcome
    }
  }

  private mutating func pump(into out: inout ByteBuffer, limit: Int) -> InflateOutcome {
    while true {
      isAtStreamStart = false
      // One byte more than is allowed tells a message of exactly `limit` bytes from a longer one.
      let rest = max(limit - produced, 0)
      if out.capacity - out.count < CompressionLimits.roomMin {
        out.reserve(min(rest, CompressionLimits.chunkBytes - 1) + 1)
      }
      var status = Z_OK
      var room = 0
      // SAFETY: zlib writes at most `room` bytes from the start of `target`, which belongs to `out`.
      let written = unsafe out.fill(atMost: rest < Int.max ? rest + 1 : rest) { target in
        room = unsafe stream.setOutput(target)
        status = unsafe CZlib.inflate(stream.pointer, Z_SYNC_FLUSH)
        return room - stream.outputLeft
      }
      if written > rest {
        out.truncate(to: out.count - 1)
        return .tooBig
      }
      produced += written
      switch status {
      case Z_OK, Z_BUF_ERROR:
        // A call that filled its room may hold more back, even without input.
        if stream.inputLeft == 0 && written < room { return .ok }
        if status == Z_BUF_ERROR && written == 0 && room > 0 { return .corrupt }
      case Z_STREAM_END:
        finalBlocks += 1
        if finalBlocks > CompressionLimits.finalBlocksMax { return .corrupt }
        // SAFETY: the stream is set up. The window stays, as RFC 7692 lets blocks refer behind a final one.
        unsafe _ = inflateResetKeep(stream.pointer)
        isAtStreamStart = true
        if stream.inputLeft == 0 { return .ok }
      default:
        return .corrupt
      }
    }
  }
}
