// A fixed number of non-copyable values, each reachable in place: ring ends, one for each other reactor. One thread.

/// An array of owned values whose length is fixed when it is made.
@safe
public struct FixedArray<Element: ~Copyable>: ~Copyable {
  @usableFromInline let base: UnsafeMutablePointer<Element>
  public let count: Int

  /// `count` elements, each made by `make`.
  public init(count: Int, _ make: (Int) -> Element) {
    // SAFETY: every element is initialised before anyone can read it; freed in `deinit`.
    unsafe base = .allocate(capacity: max(count, 1))
    for index in 0..<count { unsafe (base + index).initialize(to: make(index)) }
    self.count = count
  }

  deinit {
    // SAFETY: `count` elements are initialised.
    unsafe base.deinitialize(count: count)
    unsafe base.deallocate()
  }

  /// The element at `index`; an index outside the array traps.
  @inlinable
  public subscript(index: Int) -> Element {
    unsafeAddress {
      precondition(index >= 0 && index < count)
      // SAFETY: the precondition.
      return unsafe UnsafePointer(base + index)
    }
    unsafeMutableAddress {
      precondition(index >= 0 && index < count)
      // SAFETY: the precondition, and `self` is held exclusively.
      return unsafe base + index
    }
  }
}

// SAFETY: the array owns its elements; it moves between threads as a whole.
extension FixedArray: @unchecked Sendable where Element: Sendable & ~Copyable {}
