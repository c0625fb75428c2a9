// A growable run of bytes with one owner: scratch for encoders, the reactor's receive buffer, a message under assembly.

/// Owned, growable bytes. Not shared and not thread-safe; the owner's thread is the only one that touches it.
///
/// The storage is exposed as `Span` and `MutableSpan`, so readers are bounds-checked and cannot outlive the buffer.
@safe
public struct ByteBuffer: ~Copyable {
  /// Nil while nothing is allocated.
  @usableFromInline var block: UnsafeMutablePointer<UInt8>?
  /// Bytes in use, from the start.
  @usableFromInline var used: Int
  /// Bytes allocated.
  @usableFromInline var allocated: Int

  /// An empty buffer. `capacity` bytes are allocated at once; 0 allocates nothing.
  @inlinable
  public init(capacity: Int = 0) {
    // SAFETY: deallocated in `deinit`, or in `grow` when it is replaced.
    unsafe block = capacity == 0 ? nil : UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    used = 0
    allocated = capacity
  }

  @inlinable
  deinit {
    // SAFETY: `block` is the sole owner's allocation.
    unsafe block?.deallocate()
  }

  /// The allocation, for code that knows there is one.
  @inlinable var base: UnsafeMutablePointer<UInt8> {
    // SAFETY: only called where `allocated` is above zero.
    unsafe block.unsafelyUnwrapped
  }

  /// Bytes in use.
  @inlinable public var count: Int { used }
  /// Bytes that fit without another allocation.
  @inlinable public var capacity: Int { allocated }
  @inlinable public var isEmpty: Bool { used == 0 }

  /// The bytes in use.
  @inlinable
  public var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      if used == 0 { return Span() }
      // SAFETY: `used` bytes from `base` are initialised, and the span borrows `self`.
      let span = unsafe Span(_unsafeStart: base, count: used)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The bytes in use, writable.
  @inlinable
  public var mutableBytes: MutableSpan<UInt8> {
    @_lifetime(&self)
    mutating get {
      if used == 0 { return MutableSpan() }
      // SAFETY: as `bytes`; the mutable span holds `self` exclusively.
      let span = unsafe MutableSpan(_unsafeStart: base, count: used)
      return unsafe _overrideLifetime(span, mutating: &self)
    }
  }

  /// Makes room for `extra` more bytes, at least doubling so that appending is linear in the end.
  @inlinable
  public mutating func reserve(_ extra: Int) {
    if extra > allocated - used { grow(extra) }
  }

  @usableFromInline
  @inline(never)
  mutating func grow(_ extra: Int) {
    let wanted = max(used + extra, allocated * 2, 64)
    // SAFETY: both blocks are at least `used` long and do not overlap.
    let fresh = UnsafeMutablePointer<UInt8>.allocate(capacity: wanted)
    if let old = unsafe block {
      unsafe fresh.update(from: old, count: used)
      unsafe old.deallocate()
    }
    unsafe block = fresh
    allocated = wanted
  }

  /// Appends the bytes of `span`.
  @inlinable
  public mutating func append(_ span: Span<UInt8>) {
    let extra = span.count
    guard extra > 0 else { return }
    reserve(extra)
    // SAFETY: `reserve` made room for `extra` bytes; the source is another live object.
    unsafe span.withUnsafeBufferPointer { source in
      unsafe (base + used).update(from: source.baseAddress!, count: extra)
    }
    used += extra
  }

  /// Appends one byte.
  @inlinable
  public mutating func append(_ byte: UInt8) {
    reserve(1)
    // SAFETY: `reserve` made room.
    unsafe base[used] = byte
    used += 1
  }

  /// Appends the UTF-8 of a literal.
  @inlinable
  public mutating func append(_ text: StaticString) {
    let extra = text.utf8CodeUnitCount
    reserve(extra)
    // SAFETY: a static string of more than one scalar is a pointer to `extra` constant bytes.
    if text.hasPointerRepresentation {
      unsafe (base + used).update(from: text.utf8Start, count: extra)
      used += extra
    } else {
      append(string: String(text.unicodeScalar))
    }
  }

  /// Appends the UTF-8 of a string. For cold paths.
  @inlinable
  public mutating func append(string text: String) {
    for byte in text.utf8 { append(byte) }
  }

  /// Appends `value` in decimal.
  public mutating func append(decimal value: Int) {
    reserve(20)
    var magnitude = value.magnitude
    if value < 0 { append(0x2D) }
    let first = used
    repeat {
      append(UInt8(truncatingIfNeeded: 0x30 + magnitude % 10))
      magnitude /= 10
    } while magnitude != 0
    var low = first
    var high = used - 1
    while low < high {
      // SAFETY: both indices are within the bytes just appended.
      let digit = unsafe base[low]
      unsafe base[low] = base[high]
      unsafe base[high] = digit
      low += 1
      high -= 1
    }
  }

  /// Keeps the first `count` bytes. A count over what is in use, or below zero, is clamped.
  @inlinable
  public mutating func truncate(to count: Int) {
    used = min(max(count, 0), used)
  }

  /// Drops everything; the allocation stays.
  @inlinable
  public mutating func removeAll() { used = 0 }

  /// Gives an allocation of more than `limit` bytes back, with whatever it holds; true when there was one.
  public mutating func release(above limit: Int) -> Bool {
    if allocated <= limit { return false }
    self = ByteBuffer()
    return true
  }

  /// Drops the first `count` bytes and moves the rest to the front.
  @inlinable
  public mutating func removeFirst(_ count: Int) {
    let dropped = min(max(count, 0), used)
    let rest = used - dropped
    if dropped == 0 { return }
    // SAFETY: `update` allows overlapping memory; both ranges lie within `used`.
    unsafe base.update(from: base + dropped, count: rest)
    used = rest
  }

  /// Lets `body` fill up to `limit` free bytes at the end; it returns how many it wrote.
  ///
  /// The one door for `recv(2)`: the caller sees a raw buffer, and what it returns is clamped to the room there was.
  @inlinable
  public mutating func fill<Failure: Error>(
    atMost limit: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
  ) throws(Failure) -> Int {
    let room = min(limit, allocated - used)
    if room == 0 { return 0 }
    // SAFETY: `room` bytes behind `used` belong to this buffer.
    let written = try unsafe body(UnsafeMutableRawBufferPointer(start: base + used, count: room))
    let accepted = min(max(written, 0), room)
    used += accepted
    return written
  }
}

// SAFETY: a buffer has one owner; moving it to another thread moves everything it points to.
extension ByteBuffer: @unchecked Sendable {}
