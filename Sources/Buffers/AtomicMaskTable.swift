// A fixed table of 64-bit masks that every reactor reads and each changes its own bit of; lock-free, any thread.
import Synchronization

/// Atomic 64-bit masks, one bit a reactor.
@safe
public final class AtomicMaskTable: @unchecked Sendable {
  // SAFETY: the elements are atomics, initialised once and never moved.
  @usableFromInline let masks: UnsafeMutablePointer<Atomic<UInt64>>
  /// Masks in the table.
  public let count: Int

  /// `count` masks, all clear.
  public init(count: Int) {
    unsafe masks = .allocate(capacity: count)
    for index in 0..<count {
      // SAFETY: each element is initialised once, before the table is shared.
      unsafe (masks + index).initialize(to: Atomic<UInt64>(0))
    }
    self.count = count
  }

  deinit {
    // SAFETY: no thread has the table any more.
    unsafe masks.deinitialize(count: count)
    unsafe masks.deallocate()
  }

  /// The mask at `index`. Acquire: pairs with the release of `set`, so whoever sees the bit also sees what its owner did
  /// before.
  @inlinable
  public func load(_ index: Int) -> UInt64 {
    precondition(index >= 0 && index < count)
    // SAFETY: the precondition.
    return unsafe masks[index].load(ordering: .acquiring)
  }

  /// Sets a bit.
  public func set(_ index: Int, bit: Int) {
    precondition(index >= 0 && index < count && bit >= 0 && bit < 64)
    // SAFETY: the precondition.
    unsafe _ = masks[index].bitwiseOr(1 << UInt64(bit), ordering: .sequentiallyConsistent)
  }

  /// Clears a bit.
  public func clear(_ index: Int, bit: Int) {
    precondition(index >= 0 && index < count && bit >= 0 && bit < 64)
    // SAFETY: the precondition.
    unsafe _ = masks[index].bitwiseAnd(~(1 << UInt64(bit)), ordering: .sequentiallyConsistent)
  }
}
