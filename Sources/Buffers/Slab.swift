// Fixed-capacity storage for the connections of one reactor, named by index and generation.

/// Names one life of one slot. A token kept past that life is recognised as stale, because the slot's generation has
/// moved on.
public struct SlabToken: Sendable, Hashable, BitwiseCopyable {
  /// Generation in the high half, index in the low half; what epoll carries.
  public let rawValue: UInt64

  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable
  public init(index: UInt32, generation: UInt32) {
    rawValue = UInt64(generation) << 32 | UInt64(index)
  }

  @inlinable public var index: UInt32 { UInt32(truncatingIfNeeded: rawValue) }
  @inlinable public var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
}

/// A slab of plain structs. The whole capacity is reserved as address space at once and touched only as slots are first
/// used, so an element never moves and an empty slab costs no memory. Owned by one thread.
@safe
public struct Slab<Element: BitwiseCopyable>: ~Copyable {
  @usableFromInline let elements: UnsafeMutablePointer<Element>
  /// Even while the slot is free, odd while it is taken.
  @usableFromInline let generations: UnsafeMutablePointer<UInt32>
  @usableFromInline var free: GrowableArray<UInt32>
  /// Slots that have been used at least once.
  @usableFromInline var touched: Int
  @usableFromInline var live: Int
  /// The most elements there can be.
  public let capacity: Int

  public init(capacity: Int) {
    // SAFETY: freed in `deinit`; a slot is initialised before it is first read.
    unsafe elements = .allocate(capacity: capacity)
    unsafe generations = .allocate(capacity: capacity)
    free = GrowableArray()
    touched = 0
    live = 0
    self.capacity = capacity
  }

  deinit {
    // SAFETY: the allocations of `init`; elements are trivial.
    unsafe elements.deallocate()
    unsafe generations.deallocate()
  }

  /// Elements in the slab.
  @inlinable public var count: Int { live }
  /// Indices below this have been used; those at or above never were.
  @inlinable public var indexEnd: Int { touched }

  /// Puts an element into a free slot, the most recently freed one first; nil when the slab is full.
  public mutating func insert(_ element: Element) -> SlabToken? {
    let index: Int
    if let reused = free.popLast() {
      index = Int(reused)
    } else if touched < capacity {
      index = touched
      // SAFETY: `index` is below the capacity.
      unsafe (generations + index).initialize(to: 0)
      touched += 1
    } else {
      return nil
    }
    live += 1
    // SAFETY: `index` is below the capacity, and its generation is initialised.
    unsafe (elements + index).initialize(to: element)
    unsafe generations[index] &+= 1
    return SlabToken(index: UInt32(index), generation: unsafe generations[index])
  }

  /// Frees a slot; every token of its present life becomes stale. A slot that is already free is left alone.
  public mutating func remove(_ index: UInt32) {
    guard isLive(index) else { return }
    // SAFETY: `isLive` checked the index.
    unsafe generations[Int(index)] &+= 1
    live -= 1
    free.append(index)
  }

  /// Whether the slot is taken.
  @inlinable
  public func isLive(_ index: UInt32) -> Bool {
    // SAFETY: generations below `touched` are initialised.
    unsafe Int(index) < touched && generations[Int(index)] & 1 == 1
  }

  /// Whether the token names the slot's present life.
  @inlinable
  public func isCurrent(_ token: SlabToken) -> Bool {
    // SAFETY: generations below `touched` are initialised.
    unsafe Int(token.index) < touched && generations[Int(token.index)] == token.generation
      && token.generation & 1 == 1
  }

  /// The token of the slot's present life.
  @inlinable
  public func token(of index: UInt32) -> SlabToken {
    precondition(Int(index) < touched)
    // SAFETY: the precondition.
    return SlabToken(index: index, generation: unsafe generations[Int(index)])
  }

  /// The element in a slot that has been used at least once; any other index traps.
  @inlinable
  public subscript(index: UInt32) -> Element {
    unsafeAddress {
      precondition(Int(index) < touched)
      // SAFETY: elements below `touched` are initialised.
      return unsafe UnsafePointer(elements + Int(index))
    }
    unsafeMutableAddress {
      precondition(Int(index) < touched)
      // SAFETY: as above, and `self` is held exclusively.
      return unsafe elements + Int(index)
    }
  }
}
