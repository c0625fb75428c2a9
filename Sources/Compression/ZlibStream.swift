// A zlib stream at a fixed address, with an allocator that counts. Owned by one inflater or deflater; its thread only.
import CZlib

/// What a stream has allocated; zlib's callbacks find it behind `opaque`.
struct ZlibLedger {
  /// Bytes held now.
  var heldBytes = 0
  /// Allocations ever made.
  var allocations = 0
}

/// Bytes in front of every block, for its size; a multiple of the strictest alignment that zlib needs.
private let headerBytes = 16

/// zlib's `zalloc`: `items` times `size` bytes that need not be zero, entered in the ledger.
private func allocateCounted(
  _ opaque: UnsafeMutableRawPointer?, items: UInt32, size: UInt32
) -> UnsafeMutableRawPointer? {
  // Neither the product of two 32-bit numbers nor 16 more overflows.
  let bytes = Int(items) * Int(size)
  // SAFETY: `opaque` is the stream's ledger, which outlives the stream.
  guard let opaque = unsafe opaque, bytes <= CompressionLimits.inputBytesMax else { return nil }
  let ledger = unsafe opaque.assumingMemoryBound(to: ZlibLedger.self)
  unsafe ledger.pointee.heldBytes += bytes
  unsafe ledger.pointee.allocations += 1
  // SAFETY: the block has room for its size in front of the `bytes` that zlib gets.
  let block = UnsafeMutableRawPointer.allocate(byteCount: bytes + headerBytes, alignment: headerBytes)
  unsafe block.storeBytes(of: bytes, as: Int.self)
  return unsafe block + headerBytes
}

/// zlib's `zfree`.
private func freeCounted(_ opaque: UnsafeMutableRawPointer?, address: UnsafeMutableRawPointer?) {
  // SAFETY: zlib only gives back what `allocateCounted` returned, `headerBytes` behind the start of the block.
  guard let opaque = unsafe opaque, let address = unsafe address else { return }
  let block = unsafe address - headerBytes
  let ledger = unsafe opaque.assumingMemoryBound(to: ZlibLedger.self)
  unsafe ledger.pointee.heldBytes -= block.load(as: Int.self)
  unsafe block.deallocate()
}

/// A `z_stream` and its ledger. zlib's state points back at the stream, so it must never move: both live on the heap.
///
/// The owner calls `inflateEnd` or `deflateEnd` before it lets go of this.
@safe
struct ZlibStream: ~Copyable {
  let pointer: UnsafeMutablePointer<z_stream>
  private let ledger: UnsafeMutablePointer<ZlibLedger>

  init() {
    // SAFETY: both are initialised here, and freed in `deinit` by their only owner.
    unsafe pointer = .allocate(capacity: 1)
    unsafe ledger = .allocate(capacity: 1)
    unsafe pointer.initialize(to: z_stream())
    unsafe ledger.initialize(to: ZlibLedger())
    // SAFETY: the callbacks only use `opaque` as the ledger, which outlives the stream.
    unsafe pointer.pointee.opaque = UnsafeMutableRawPointer(ledger)
    unsafe pointer.pointee.zalloc = allocateCounted
    unsafe pointer.pointee.zfree = freeCounted
  }

  deinit {
    // SAFETY: allocated in `init`; zlib's own state has been ended by the owner.
    unsafe pointer.deinitialize(count: 1)
    unsafe pointer.deallocate()
    unsafe ledger.deinitialize(count: 1)
    unsafe ledger.deallocate()
  }

  /// Bytes that zlib holds for this stream.
  var heldBytes: Int {
    // SAFETY: the ledger lives as long as `self`.
    unsafe ledger.pointee.heldBytes
  }

  /// Allocations that zlib has made for this stream since it was set up.
  var allocations: Int {
    // SAFETY: as `heldBytes`.
    unsafe ledger.pointee.allocations
  }

  /// Input bytes that the last call left.
  var inputLeft: Int {
    // SAFETY: the stream lives as long as `self`.
    unsafe Int(pointer.pointee.avail_in)
  }

  /// Points the stream at the room in `target` for the call that follows; longer room is used in part.
  func setOutput(_ target: UnsafeMutableRawBufferPointer) -> Int {
    let room = min(target.count, CompressionLimits.inputBytesMax)
    // SAFETY: the stream lives as long as `self`; zlib writes at most `room` bytes before the caller's closure ends.
    unsafe pointer.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe pointer.pointee.avail_out = UInt32(truncatingIfNeeded: room)
    return room
  }

  /// Output bytes that the last call left unused.
  var outputLeft: Int {
    // SAFETY: the stream lives as long as `self`.
    unsafe Int(pointer.pointee.avail_out)
  }

  /// Points the stream at input; at most `CompressionLimits.inputBytesMax`, and only until the caller's closure ends.
  func setInput(_ source: UnsafeBufferPointer<UInt8>) {
    // SAFETY: the stream lives as long as `self`.
    unsafe pointer.pointee.next_in = source.baseAddress
    unsafe pointer.pointee.avail_in = UInt32(truncatingIfNeeded: source.count)
  }

  /// Forgets the addresses of input and output, which do not outlive the call that they were set for.
  func clear() {
    // SAFETY: the stream lives as long as `self`.
    unsafe pointer.pointee.next_in = nil
    unsafe pointer.pointee.avail_in = 0
    unsafe pointer.pointee.next_out = nil
    unsafe pointer.pointee.avail_out = 0
  }
}

// SAFETY: a stream owns what it points to; it moves between threads as a whole.
extension ZlibStream: @unchecked Sendable {}
