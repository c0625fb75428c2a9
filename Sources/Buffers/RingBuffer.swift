// The lock-free queue between two reactors: one producer thread, one consumer thread, fixed capacity.
import Synchronization

/// A counter alone on its cache line (two lines, because x86 prefetches pairs), so that the producer's writes do not
/// evict what the consumer reads and the other way round.
@usableFromInline
struct PaddedCounter: ~Copyable {
  @usableFromInline let value = Atomic<Int>(0)
  @usableFromInline let padding: InlineArray<15, Int> = InlineArray(repeating: 0)
  @usableFromInline init() {}
}

/// The storage that both ends of a ring share.
@safe
@usableFromInline
final class RingStorage<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  // SAFETY: a slot is written only by the producer while it lies outside [consumed, published), and read only by the
  // consumer while it lies inside; the two counters hand slots over with release and acquire.
  @usableFromInline let slots: UnsafeMutablePointer<Element>
  @usableFromInline let mask: Int
  /// Slots the consumer has taken, ever. Stored with release by the consumer after reading the slots, loaded with
  /// acquire by the producer before it overwrites them.
  @usableFromInline let consumed = PaddedCounter()
  /// Slots the producer has made visible, ever. Stored with release by the producer after writing the slots, loaded
  /// with acquire by the consumer before it reads them.
  @usableFromInline let published = PaddedCounter()

  /// Ends that have not ended. Whoever ends second acquires what the other released.
  @usableFromInline let endsLeft = Atomic<Int>(2)

  init(capacity: Int) {
    precondition(capacity > 0 && capacity & (capacity - 1) == 0)
    // SAFETY: freed in `deinit`, which runs when neither end is left.
    unsafe slots = .allocate(capacity: capacity)
    mask = capacity - 1
  }

  deinit {
    // SAFETY: the allocation of `init`; elements are trivial.
    unsafe slots.deallocate()
  }
}

/// A single-producer single-consumer ring of plain values. Make one with `RingBuffer.make(capacity:)` and move each end
/// to its thread; that there is one of each is checked by the compiler, because both ends are non-copyable.
public enum RingBuffer {
  /// A ring of `capacity` elements, a power of two.
  public static func make<Element: BitwiseCopyable & Sendable>(
    of type: Element.Type, capacity: Int
  ) -> RingEnds<Element> {
    let storage = RingStorage<Element>(capacity: capacity)
    return RingEnds(producer: RingProducer(storage: storage), consumer: RingConsumer(storage: storage))
  }
}

/// Both ends of a fresh ring, each to be taken once.
public struct RingEnds<Element: BitwiseCopyable & Sendable>: ~Copyable {
  public var producer: RingProducer<Element>?
  public var consumer: RingConsumer<Element>?
}

/// The writing end of a ring. One thread.
public struct RingProducer<Element: BitwiseCopyable & Sendable>: ~Copyable, Sendable {
  @usableFromInline let storage: RingStorage<Element>
  /// Slots written, ever; ahead of `published` while a batch is being put together.
  @usableFromInline var written = 0
  /// What `consumed` was when last looked at; looked at again only when the ring seems full.
  @usableFromInline var consumedSeen = 0

  init(storage: RingStorage<Element>) { self.storage = storage }

  /// Writes an element that the consumer does not see before `publish`; false when the ring is full.
  @inlinable
  public mutating func push(_ element: Element) -> Bool {
    if written - consumedSeen > storage.mask {
      // Acquire: pairs with the consumer's release, so that its reads of the slot are done before it is overwritten.
      consumedSeen = storage.consumed.value.load(ordering: .acquiring)
      if written - consumedSeen > storage.mask { return false }
    }
    // SAFETY: the slot lies outside [consumed, published), so only the producer touches it.
    unsafe storage.slots[written & storage.mask] = element
    written += 1
    return true
  }

  /// Makes everything pushed so far visible to the consumer. True when there was anything new.
  @inlinable
  public mutating func publish() -> Bool {
    // Relaxed: only this thread stores `published`.
    if storage.published.value.load(ordering: .relaxed) == written { return false }
    // Release: pairs with the consumer's acquire, so that it sees the slots written before.
    storage.published.value.store(written, ordering: .releasing)
    return true
  }

  /// Ends writing: what was pushed is published, and nothing may be pushed any more. When the reading end has ended
  /// before, it is returned, so that what it has left can be taken out.
  public mutating func end() -> RingConsumer<Element>? {
    _ = publish()
    if storage.endsLeft.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue > 0 { return nil }
    return RingConsumer(storage: storage, read: storage.consumed.value.load(ordering: .relaxed))
  }

  /// Elements in the ring that the consumer has not taken, as far as this end knows.
  @inlinable
  public func depth() -> Int { written - storage.consumed.value.load(ordering: .relaxed) }
}

/// The reading end of a ring. One thread.
public struct RingConsumer<Element: BitwiseCopyable & Sendable>: ~Copyable, Sendable {
  @usableFromInline let storage: RingStorage<Element>
  @usableFromInline var read = 0
  @usableFromInline var publishedSeen = 0

  init(storage: RingStorage<Element>, read: Int = 0) {
    self.storage = storage
    self.read = read
    publishedSeen = read
  }

  /// Ends reading. True when the writing end has ended before: what is left is then to be taken out here, else the
  /// writing end sees to it, and nothing may be taken any more.
  public mutating func end() -> Bool {
    storage.endsLeft.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0
  }

  /// Takes the oldest element; nil when there is none.
  @inlinable
  public mutating func pop() -> Element? {
    if read == publishedSeen {
      // Acquire: pairs with the producer's release in `publish`.
      publishedSeen = storage.published.value.load(ordering: .acquiring)
      if read == publishedSeen { return nil }
    }
    // SAFETY: the slot lies inside [consumed, published), so only the consumer touches it.
    let element = unsafe storage.slots[read & storage.mask]
    read += 1
    // Release: pairs with the producer's acquire in `push`, so that the slot is reused only after it was read.
    storage.consumed.value.store(read, ordering: .releasing)
    return element
  }

  /// Whether there is nothing to take at this moment.
  @inlinable
  public func isEmpty() -> Bool {
    // Acquire: the check before sleeping must not see an older value than one published before the producer's fence.
    read == storage.published.value.load(ordering: .acquiring)
  }
}
