// Compresses messages for permessage-deflate. One for each window size of a reactor, or one per connection; its thread
// only.
import Buffers
import CZlib

/// Raw deflate for WebSocket messages (RFC 7692 7.2.1).
///
/// State: about 2^(windowBits + 2) + 2^(memoryLevel + 9) bytes and 6 KiB, all of it allocated by `init`: 38 KiB with
/// the defaults of `DeflatePolicy`, 262 KiB with zlib's own (15, 8).
@safe
public struct Deflater: ~Copyable, Sendable {
  /// The window, as a power of two.
  public let windowBits: UInt8
  /// Whether messages refer to those before them. The peer must then be sent every message that was compressed.
  public let keepsContext: Bool

  private let stream = ZlibStream()
  /// A message has gone through since the last reset.
  private var isUsed = false

  /// A deflater with a window of 2^`windowBits`, clamped to 9...15.
  public init(windowBits: UInt8, level: UInt8 = 1, memoryLevel: UInt8 = 5, contextTakeover: Bool = false) {
    self.windowBits = DeflateParameters.clamped(windowBits)
    keepsContext = contextTakeover
    // SAFETY: the stream is set up with its allocator; negative window bits ask for raw deflate.
    let status = unsafe deflateInit2_(
      stream.pointer, Int32(min(max(level, 1), 9)), Z_DEFLATED, -Int32(self.windowBits),
      Int32(min(max(memoryLevel, 1), 9)), Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { fatalError("zlib cannot deflate: status \(status)") }
  }

  deinit {
    // SAFETY: set up in `init`; not used again.
    unsafe _ = deflateEnd(stream.pointer)
  }

  /// Bytes that zlib holds for this deflater.
  public var stateBytes: Int { stream.heldBytes }

  /// Allocations that zlib has made for this deflater, ever.
  var allocations: Int { stream.allocations }

  /// Forgets the window.
  public mutating func reset() {
    // SAFETY: the stream is set up; resetting allocates and frees nothing.
    unsafe _ = deflateReset(stream.pointer)
    isUsed = false
  }

  /// Appends the payload of a compressed message to `out`, without the tail 00 00 FF FF. Send it with RSV1 set.
  ///
  /// What cannot be compressed grows by 5 bytes for every block, a few in a thousand. Room for the worst case is made
  /// at once, so a buffer that is used again soon stops allocating.
  public mutating func deflate(_ message: Span<UInt8>, into out: inout ByteBuffer) {
    if message.isEmpty {
      // RFC 7692 7.2.3.6. zlib would write nothing at all for a flush that follows another.
      out.append(0x00)
      return
    }
    if isUsed && !keepsContext { reset() }
    isUsed = true
    // SAFETY: the stream is set up.
    out.reserve(Int(unsafe deflateBound(stream.pointer, UInt(message.count))) + CompressionLimits.flushBytes)
    var offset = 0
    while offset < message.count {
      let end = min(message.count, offset + CompressionLimits.inputBytesMax)
      let flush = end == message.count ? Z_SYNC_FLUSH : Z_NO_FLUSH
      // SAFETY: the input outlives the closure, and the stream forgets its address before the closure ends.
      unsafe message.extracting(offset..<end).withUnsafeBufferPointer { source in
        unsafe stream.setInput(source)
        pump(flush, into: &out)
        stream.clear()
      }
      offset = end
    }
    // A flush always ends with the empty stored block, and its last four bytes are the tail.
    out.truncate(to: out.count - 4)
  }

  private func pump(_ flush: Int32, into out: inout ByteBuffer) {
    while true {
      // zlib repeats the flush marker when it is called again with less than six bytes of room.
      out.reserve(CompressionLimits.flushBytes)
      var room = 0
      // SAFETY: zlib writes at most `room` bytes from the start of `target`, which belongs to `out`.
      let written = unsafe out.fill(atMost: Int.max) { target in
        room = unsafe stream.setOutput(target)
        // The stream is valid and there is room: the only status besides OK says that there was nothing left to do.
        unsafe _ = CZlib.deflate(stream.pointer, flush)
        return room - stream.outputLeft
      }
      if written < room { return }
    }
  }
}

/// A reactor's deflaters without context takeover, one for each window size that some connection has agreed on.
public struct DeflaterSet: ~Copyable, Sendable {
  private let policy: DeflatePolicy
  /// By `DeflateParameters.index`.
  private var deflaters: [7 of Deflater?]
  /// Bytes that zlib holds for the deflaters made so far.
  public private(set) var stateBytes = 0

  /// An empty set; deflaters are made when they are first needed.
  public init(policy: DeflatePolicy) {
    self.policy = policy
    deflaters = [7 of Deflater?] { _ in nil }
  }

  /// Appends the compressed payload for all connections with the same `parameters.index`; see `Deflater.deflate`.
  public mutating func deflate(
    _ message: Span<UInt8>, for parameters: DeflateParameters, into out: inout ByteBuffer
  ) {
    let index = parameters.index
    if deflaters[index] == nil {
      let deflater = Deflater(
        windowBits: parameters.serverMaxWindowBits, level: policy.level, memoryLevel: policy.memoryLevel)
      stateBytes += deflater.stateBytes
      deflaters[index] = consume deflater
    }
    deflaters[index]?.deflate(message, into: &out)
  }
}
