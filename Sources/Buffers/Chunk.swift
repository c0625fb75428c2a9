// A block of outgoing bytes that several reactors may read while one fills it; the unit in which frames are shared.
import Synchronization

/// What precedes a chunk's bytes in memory.
@usableFromInline
struct ChunkHeader: ~Copyable {
  /// Reactors that may still read the chunk: its owner, and one for every post on its way or not yet done with.
  /// Increments are relaxed (the incrementing thread already holds the chunk, and the ring hands it over); decrements
  /// release the reader's accesses, and the owner's load acquires them before it reuses the memory, as does the last
  /// decrement of a chunk whose owner has ended.
  @usableFromInline let holders = Atomic<Int>(1)
  @usableFromInline let capacity: Int
  /// Whether whoever keeps the chunk waiting must let go of it. Stored by the owner, and loaded by other holders after
  /// they were told to look; that tells them in order, so both are relaxed.
  @usableFromInline let isCondemned = Atomic<Bool>(false)

  @usableFromInline init(capacity: Int) { self.capacity = capacity }
}

/// A handle on a chunk: plain bits that travel through a ring. It owns nothing by itself; holds are counted by hand, by
/// `Outbox` alone.
///
/// The owner appends; bytes once written never change while anyone else holds the chunk, so readers need no lock: they
/// only look at ranges that were announced to them through a ring.
@safe
public struct Chunk: BitwiseCopyable, @unchecked Sendable, Equatable {
  // SAFETY: see above; the block is freed by the last holder, which is the owner unless that has ended.
  @usableFromInline let header: UnsafeMutablePointer<ChunkHeader>

  /// Distance from the header to the bytes: one cache line.
  @usableFromInline static var bytesOffset: Int { 64 }

  /// A chunk with room for `capacity` bytes, held once, by its owner.
  static func allocate(capacity: Int) -> Chunk {
    // SAFETY: header and bytes are one block of the size asked for, aligned to a cache line.
    let raw = UnsafeMutableRawPointer.allocate(byteCount: bytesOffset + capacity, alignment: 64)
    let header = unsafe raw.bindMemory(to: ChunkHeader.self, capacity: 1)
    unsafe header.initialize(to: ChunkHeader(capacity: capacity))
    return unsafe Chunk(header: header)
  }

  /// Frees the memory. Only as the last holder.
  @usableFromInline
  func deallocate() {
    // SAFETY: the caller is the last holder.
    unsafe header.deinitialize(count: 1)
    unsafe UnsafeMutableRawPointer(header).deallocate()
  }

  @usableFromInline
  init(header: UnsafeMutablePointer<ChunkHeader>) { unsafe self.header = header }

  @inlinable var capacity: Int {
    // SAFETY: whoever has a handle holds the chunk.
    unsafe header.pointee.capacity
  }

  @inlinable
  var base: UnsafeMutablePointer<UInt8> {
    // SAFETY: the bytes lie behind the header in the same block.
    unsafe (UnsafeMutableRawPointer(header) + Chunk.bytesOffset).assumingMemoryBound(to: UInt8.self)
  }

  /// Adds holders. Only by a thread that holds the chunk.
  @inlinable
  func hold(_ count: Int) {
    // SAFETY: the caller holds the chunk.
    unsafe _ = header.pointee.holders.wrappingAdd(count, ordering: .relaxed)
  }

  /// Gives up holds. With the last one, which the owner keeps for as long as it lives, the memory is freed.
  @inlinable
  func release(_ count: Int) {
    // SAFETY: the caller holds the chunk; it is not touched afterwards.
    let left = unsafe header.pointee.holders.wrappingSubtract(count, ordering: .acquiringAndReleasing).newValue
    if left == 0 { deallocate() }
  }

  /// Whether the caller, who is the owner, is the only holder left.
  @inlinable
  var isUnshared: Bool {
    // SAFETY: the owner's own hold keeps the block alive.
    unsafe header.pointee.holders.load(ordering: .acquiring) == 1
  }

  /// Whether whoever keeps the chunk waiting must let go of it.
  @inlinable
  var isCondemned: Bool {
    // SAFETY: the caller holds the chunk.
    unsafe header.pointee.isCondemned.load(ordering: .relaxed)
  }

  /// Says so, or takes it back. Only by the owner.
  @inlinable
  func condemn(_ value: Bool = true) {
    // SAFETY: the owner's own hold keeps the block alive.
    unsafe header.pointee.isCondemned.store(value, ordering: .relaxed)
  }

  /// Bytes that were announced to the caller. The chunk must be held for as long as the span is used.
  @unsafe
  @inlinable
  @_lifetime(immortal)
  func announcedBytes(_ start: UInt32, _ end: UInt32) -> Span<UInt8> {
    precondition(start <= end && Int(end) <= capacity)
    // SAFETY: the precondition keeps the range inside the block; the caller holds it.
    let span = unsafe Span(_unsafeStart: base + Int(start), count: Int(end - start))
    return unsafe _overrideLifetime(span, copying: ())
  }

  @inlinable
  public static func == (left: Chunk, right: Chunk) -> Bool { unsafe left.header == right.header }
}
