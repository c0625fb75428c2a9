// Byte strings stored once and named by a small number: user ids, topic names, filter texts. One reactor's thread.

/// Interned byte strings with reference counts. Equal strings have equal ids for as long as anyone refers to them.
@safe
public struct InternTable: ~Copyable {
  @usableFromInline
  @safe
  struct Entry: BitwiseCopyable {
    /// The bytes; nil while the entry is free.
    @usableFromInline var bytes: UnsafeMutablePointer<UInt8>?
    @usableFromInline var count: UInt32
    @usableFromInline var references: UInt32
    @usableFromInline var hash: UInt32
    /// The space the string belongs to: equal bytes in different spaces are different strings.
    @usableFromInline var space: UInt8
  }

  @usableFromInline var entries = GrowableArray<Entry>()
  @usableFromInline var free = GrowableArray<UInt32>()
  /// Open addressing with linear probing: id + 1, 0 for a slot that is empty. A power of two long, at most three
  /// quarters full.
  @usableFromInline var index: GrowableArray<UInt32>
  @usableFromInline var live = 0

  /// "No string".
  @inlinable public static var none: UInt32 { .max }

  public init() { index = GrowableArray(repeating: 0, count: 64) }

  deinit {
    for slot in 0..<entries.count {
      // SAFETY: every live entry owns its bytes.
      unsafe entries[slot].bytes?.deallocate()
    }
  }

  /// Strings in the table.
  @inlinable public var count: Int { live }
  /// Ids ever given are below this.
  @inlinable public var idEnd: Int { entries.count }

  /// The hash by which a string is found: keyed at random for each process, so that nobody outside can provoke
  /// collisions.
  @inlinable
  public static func hash(_ bytes: Span<UInt8>, space: UInt8 = 0) -> UInt32 {
    var hasher = Hasher()
    hasher.combine(space)
    // SAFETY: the buffer is only read during the call.
    unsafe bytes.withUnsafeBufferPointer { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    return UInt32(truncatingIfNeeded: hasher.finalize())
  }

  /// The id of `bytes` if they are in the table.
  @inlinable
  public func find(_ bytes: Span<UInt8>, space: UInt8 = 0, hash: UInt32) -> UInt32? {
    let mask = index.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while true {
      let tag = index[slot]
      if tag == 0 { return nil }
      let id = tag - 1
      let entry = entries[Int(id)]
      if entry.hash == hash && entry.space == space && self.bytes(id).equals(bytes) { return id }
      slot = (slot + 1) & mask
    }
  }

  /// The id of `bytes`, which are copied in when they are new, with one more reference to it.
  public mutating func intern(_ bytes: Span<UInt8>, space: UInt8 = 0, hash: UInt32) -> UInt32 {
    if let id = find(bytes, space: space, hash: hash) {
      entries[Int(id)].references += 1
      return id
    }
    if (live + 1) * 4 > index.count * 3 { rebuild(index.count * 2) }
    // SAFETY: a block of `count` bytes is filled from a span of the same length and freed in `release` or `deinit`.
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
    unsafe bytes.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { unsafe copy.initialize(from: start, count: source.count) }
    }
    let entry = unsafe Entry(bytes: copy, count: UInt32(bytes.count), references: 1, hash: hash, space: space)
    let id: UInt32
    if let reused = free.popLast() {
      id = reused
      entries[Int(id)] = entry
    } else {
      id = UInt32(entries.count)
      entries.append(entry)
    }
    live += 1
    place(id, hash: hash)
    return id
  }

  /// `intern(_:hash:)` with the hash computed here.
  public mutating func intern(_ bytes: Span<UInt8>) -> UInt32 { intern(bytes, hash: Self.hash(bytes)) }

  /// `intern(_:)` for the bytes of a buffer.
  public mutating func intern(_ buffer: borrowing ByteBuffer) -> UInt32 { intern(buffer.bytes) }

  /// One more reference to a string.
  public mutating func retain(_ id: UInt32) { entries[Int(id)].references += 1 }

  /// One reference less; true when it was the last and the id is free for another string.
  @discardableResult
  public mutating func release(_ id: UInt32) -> Bool {
    guard id != Self.none, entries[Int(id)].references > 0 else { return false }
    entries[Int(id)].references -= 1
    if entries[Int(id)].references > 0 { return false }
    unplace(id)
    // SAFETY: the last reference; the entry forgets the pointer.
    unsafe entries[Int(id)].bytes?.deallocate()
    unsafe entries[Int(id)].bytes = nil
    free.append(id)
    live -= 1
    return true
  }

  /// The string of an id that has a reference.
  @inlinable
  @_lifetime(borrow self)
  public func bytes(_ id: UInt32) -> Span<UInt8> {
    let entry = entries[Int(id)]
    // SAFETY: the entry owns `count` bytes, and the span borrows `self`.
    guard let start = unsafe entry.bytes else { return Span() }
    let span = unsafe Span(_unsafeStart: start, count: Int(entry.count))
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// The hash of an id's string.
  @inlinable public func hash(of id: UInt32) -> UInt32 { entries[Int(id)].hash }

  mutating func place(_ id: UInt32, hash: UInt32) {
    let mask = index.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while index[slot] != 0 { slot = (slot + 1) & mask }
    index[slot] = id + 1
  }

  mutating func unplace(_ id: UInt32) {
    let mask = index.count - 1
    var slot = Int(truncatingIfNeeded: entries[Int(id)].hash) & mask
    while index[slot] != id + 1 { slot = (slot + 1) & mask }
    // Close the gap: move back each follower that may not stay behind an empty slot.
    var gap = slot
    var next = (slot + 1) & mask
    while index[next] != 0 {
      let home = Int(truncatingIfNeeded: entries[Int(index[next] - 1)].hash) & mask
      if (next &- home) & mask >= (next &- gap) & mask {
        index[gap] = index[next]
        gap = next
      }
      next = (next + 1) & mask
    }
    index[gap] = 0
  }

  mutating func rebuild(_ size: Int) {
    index = GrowableArray(repeating: 0, count: size)
    for id in 0..<entries.count where entries[id].references > 0 { place(UInt32(id), hash: entries[id].hash) }
  }
}
