// A fixed array of atomic 64-bit words: reactor masks, and counters that one thread writes and others read. Any thread.
import Synchronization

/// Atomic 64-bit words, all zero at first.
@safe
public final class AtomicWords: @unchecked Sendable {
  // SAFETY: the elements are atomics, initialised once and never moved.
  @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
  /// Words in the array.
  public let count: Int

  public init(count: Int) {
    unsafe words = .allocate(capacity: count)
    for index in 0..<count {
      // SAFETY: each element is initialised once, before the array is shared.
      unsafe (words + index).initialize(to: Atomic<UInt64>(0))
    }
    self.count = count
  }

  deinit {
    // SAFETY: no thread has the array any more.
    unsafe words.deinitialize(count: count)
    unsafe words.deallocate()
  }

  /// The word at `index`. Acquire: pairs with `setBit` and `store`, so whoever sees the value also sees what its writer
  /// did before.
  @inlinable
  public func load(_ index: Int) -> UInt64 {
    precondition(index >= 0 && index < count)
    // SAFETY: the precondition.
    return unsafe words[index].load(ordering: .acquiring)
  }

  /// Replaces the word at `index`. Release: pairs with `load`.
  @inlinable
  public func store(_ index: Int, _ value: UInt64) {
    precondition(index >= 0 && index < count)
    // SAFETY: the precondition.
    unsafe words[index].store(value, ordering: .releasing)
  }

  /// Sets a bit. Sequentially consistent: a message that its setter sends afterwards is answered with the bit in view.
  public func setBit(_ index: Int, _ bit: Int) {
    precondition(index >= 0 && index < count && bit >= 0 && bit < 64)
    // SAFETY: the precondition.
    unsafe _ = words[index].bitwiseOr(1 << UInt64(bit), ordering: .sequentiallyConsistent)
  }

  /// Clears a bit.
  public func clearBit(_ index: Int, _ bit: Int) {
    precondition(index >= 0 && index < count && bit >= 0 && bit < 64)
    // SAFETY: the precondition.
    unsafe _ = words[index].bitwiseAnd(~(1 << UInt64(bit)), ordering: .sequentiallyConsistent)
  }
}
