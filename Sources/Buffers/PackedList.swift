// A small growable array that lives inside another array's element: 16 bytes, nothing allocated while empty. One
// thread.

/// A growable list of plain values whose owner frees it by hand, so that it can itself be a plain value in a larger
/// table.
@safe
public struct PackedList<Element: BitwiseCopyable>: BitwiseCopyable {
  @usableFromInline var base: UnsafeMutablePointer<Element>?
  @usableFromInline var used: UInt32 = 0
  @usableFromInline var allocated: UInt32 = 0

  // SAFETY: no memory yet; `allocated` says so.
  @inlinable public init() { unsafe base = nil }

  /// Elements in the list.
  @inlinable public var count: Int { Int(used) }

  /// Adds an element and returns its position.
  @inlinable
  public mutating func append(_ element: Element) -> UInt32 {
    if used == allocated { resize(max(2, allocated * 2)) }
    // SAFETY: there is room behind `used`.
    unsafe base.unsafelyUnwrapped[Int(used)] = element
    used += 1
    return used - 1
  }

  /// The element at `position`; one outside the list traps.
  @inlinable
  public subscript(position: UInt32) -> Element {
    precondition(position < used)
    // SAFETY: the precondition; a list with elements has memory.
    return unsafe base.unsafelyUnwrapped[Int(position)]
  }

  /// Removes the element at `position`; the last one takes its place and is returned, nil when it was the last itself.
  /// Memory is given back when three quarters of it are unused.
  @inlinable
  public mutating func swapRemove(_ position: UInt32) -> Element? {
    precondition(position < used)
    used -= 1
    var moved: Element?
    if position != used {
      // SAFETY: both positions are inside the list.
      unsafe base.unsafelyUnwrapped[Int(position)] = base.unsafelyUnwrapped[Int(used)]
      moved = unsafe base.unsafelyUnwrapped[Int(position)]
    }
    if allocated > 16 && used < allocated / 4 { resize(allocated / 2) }
    return moved
  }

  /// The elements, for as long as `owner`, in which the list lives, is borrowed.
  @inlinable
  @_lifetime(borrow owner)
  public func span<Owner: ~Copyable>(owner: borrowing Owner) -> Span<Element> {
    // SAFETY: `used` elements are initialised; the list cannot change while its owner is borrowed.
    guard let base = unsafe base else { return Span() }
    let span = unsafe Span(_unsafeStart: base, count: Int(used))
    return unsafe _overrideLifetime(span, borrowing: owner)
  }

  /// Frees the memory; the list is empty afterwards.
  public mutating func deallocate() {
    // SAFETY: the list's own allocation, forgotten at once.
    unsafe base?.deallocate()
    unsafe base = nil
    used = 0
    allocated = 0
  }

  @usableFromInline
  @inline(never)
  mutating func resize(_ capacity: UInt32) {
    // SAFETY: the new block holds at least `used` elements.
    let fresh = UnsafeMutablePointer<Element>.allocate(capacity: Int(capacity))
    if let old = unsafe base {
      unsafe fresh.update(from: old, count: Int(used))
      unsafe old.deallocate()
    }
    unsafe base = fresh
    allocated = capacity
  }
}
