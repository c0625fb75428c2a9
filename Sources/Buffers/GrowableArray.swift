// A growable array of plain values with one owner: work lists, pools and tables of one reactor.

/// An array of trivially copyable elements without reference counting: reading or writing an element is one bounds
/// check and one access, and nothing is retained. Owned by one thread.
@safe
public struct GrowableArray<Element: BitwiseCopyable>: ~Copyable {
  /// Nil while nothing is allocated.
  @usableFromInline var block: UnsafeMutablePointer<Element>?
  @usableFromInline var used: Int
  @usableFromInline var allocated: Int

  /// An empty array; `capacity` elements are allocated at once, 0 allocates nothing.
  @inlinable
  public init(capacity: Int = 0) {
    // SAFETY: freed in `deinit` or when it grows.
    unsafe block = capacity == 0 ? nil : .allocate(capacity: capacity)
    used = 0
    allocated = capacity
  }

  /// An array of `count` equal elements.
  @inlinable
  public init(repeating value: Element, count: Int) {
    self.init(capacity: count)
    for _ in 0..<count { append(value) }
  }

  @inlinable
  deinit {
    // SAFETY: the sole owner's allocation; elements are trivial.
    unsafe block?.deallocate()
  }

  /// The allocation, for code that knows there is one.
  @inlinable var base: UnsafeMutablePointer<Element> {
    // SAFETY: only called where `allocated` is above zero.
    unsafe block.unsafelyUnwrapped
  }

  @inlinable public var count: Int { used }
  @inlinable public var capacity: Int { allocated }
  @inlinable public var isEmpty: Bool { used == 0 }

  /// The element at `index`; an index outside the array traps.
  @inlinable
  public subscript(index: Int) -> Element {
    unsafeAddress {
      precondition(index >= 0 && index < used)
      // SAFETY: the precondition keeps the access inside the initialised elements.
      return unsafe UnsafePointer(base + index)
    }
    unsafeMutableAddress {
      precondition(index >= 0 && index < used)
      // SAFETY: as above, and `self` is held exclusively.
      return unsafe base + index
    }
  }

  /// The elements.
  @inlinable
  public var span: Span<Element> {
    @_lifetime(borrow self)
    get {
      if used == 0 { return Span() }
      // SAFETY: `used` elements are initialised, and the span borrows `self`.
      let span = unsafe Span(_unsafeStart: base, count: used)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  @inlinable
  public mutating func append(_ element: Element) {
    if used == allocated { grow(to: max(8, allocated * 2)) }
    // SAFETY: there is room behind `used`.
    unsafe (base + used).initialize(to: element)
    used += 1
  }

  /// Removes and returns the last element; nil when empty.
  @inlinable
  public mutating func popLast() -> Element? {
    if used == 0 { return nil }
    used -= 1
    // SAFETY: the element was initialised.
    return unsafe base[used]
  }

  /// Removes the element at `index` by moving the last one into its place.
  @inlinable
  public mutating func swapRemove(at index: Int) {
    precondition(index >= 0 && index < used)
    used -= 1
    // SAFETY: both indices are inside the initialised elements.
    unsafe base[index] = base[used]
  }

  /// Keeps the first `count` elements.
  @inlinable public mutating func truncate(to count: Int) { used = min(max(count, 0), used) }

  /// Drops everything; the allocation stays.
  @inlinable public mutating func removeAll() { used = 0 }

  /// Drops the first `count` elements and moves the rest to the front.
  @inlinable
  public mutating func removeFirst(_ count: Int) {
    let dropped = min(max(count, 0), used)
    if dropped == 0 { return }
    // SAFETY: `update` allows overlap; both ranges lie within the initialised elements.
    unsafe base.update(from: base + dropped, count: used - dropped)
    used -= dropped
  }

  /// Gives memory back when less than a quarter of a large allocation is used.
  @inlinable
  public mutating func shrink() {
    if allocated > 1024 && used < allocated / 4 { grow(to: max(used, 8)) }
  }

  @usableFromInline
  @inline(never)
  mutating func grow(to capacity: Int) {
    // SAFETY: the new block holds at least `used` elements.
    let fresh = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
    if let old = unsafe block {
      unsafe fresh.update(from: old, count: used)
      unsafe old.deallocate()
    }
    unsafe block = fresh
    allocated = capacity
  }
}
