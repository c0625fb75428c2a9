// Owned values named by a small number: the side allocations that a connection has only while it needs them. One
// thread.

/// A pool of non-copyable values that are taken out to be worked on and put back.
@safe
public struct Pool<Element: ~Copyable>: ~Copyable {
  @usableFromInline var slots: UnsafeMutablePointer<Element?>
  @usableFromInline var allocated = 0
  @usableFromInline var used = 0
  @usableFromInline var free = GrowableArray<UInt32>()
  /// Whether a number is given out: a value that was taken out to be worked on leaves its slot as empty as a free
  /// one's.
  @usableFromInline var isGivenOut = GrowableArray<Bool>()

  /// "No value".
  @inlinable public static var none: UInt32 { .max }

  public init() {
    // SAFETY: grown before its first use; freed in `deinit`.
    unsafe slots = .allocate(capacity: 0)
  }

  deinit {
    // SAFETY: `used` slots are initialised.
    unsafe slots.deinitialize(count: used)
    unsafe slots.deallocate()
  }

  /// Values in the pool, those taken out included.
  public var count: Int { used - free.count }

  /// Adds a value and returns its number.
  public mutating func insert(_ element: consuming Element) -> UInt32 {
    if let index = free.popLast() {
      // SAFETY: the index was given out before, so its slot is initialised.
      unsafe slots[Int(index)] = consume element
      isGivenOut[Int(index)] = true
      return index
    }
    if used == allocated {
      let capacity = max(8, allocated * 2)
      // SAFETY: the initialised slots are moved to the larger block.
      let fresh = UnsafeMutablePointer<Element?>.allocate(capacity: capacity)
      unsafe fresh.moveInitialize(from: slots, count: used)
      unsafe slots.deallocate()
      unsafe slots = fresh
      allocated = capacity
    }
    // SAFETY: there is room behind `used`.
    unsafe (slots + used).initialize(to: consume element)
    used += 1
    isGivenOut.append(true)
    return UInt32(used - 1)
  }

  /// Takes a value out; its number stays reserved until `putBack` or `discard`. Nil when it is out already.
  public mutating func take(_ index: UInt32) -> Element? {
    guard Int(index) < used else { return nil }
    // SAFETY: the slot is initialised.
    return unsafe slots[Int(index)].take()
  }

  /// Whether the value is in the pool, not taken out.
  public func isIn(_ index: UInt32) -> Bool {
    guard Int(index) < used else { return false }
    // SAFETY: the slot is initialised.
    return unsafe slots[Int(index)] != nil
  }

  /// Looks at a value; nil when it is out or was never there.
  public mutating func read<Result>(_ index: UInt32, _ body: (borrowing Element) -> Result) -> Result? {
    guard let element = take(index) else { return nil }
    let result = body(element)
    putBack(element, at: index)
    return result
  }

  /// Puts a value back under its number.
  public mutating func putBack(_ element: consuming Element, at index: UInt32) {
    precondition(Int(index) < used)
    // SAFETY: the slot is initialised.
    unsafe slots[Int(index)] = consume element
  }

  /// Frees a number and what it names. Nothing when it is free already: it would be given out twice.
  public mutating func discard(_ index: UInt32) {
    guard Int(index) < used, isGivenOut[Int(index)] else { return }
    isGivenOut[Int(index)] = false
    // SAFETY: the slot is initialised.
    unsafe slots[Int(index)] = nil
    free.append(index)
  }
}
