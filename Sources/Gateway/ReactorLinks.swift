// The rings between all reactors, made at start-up and handed out an end at a time. The main thread, then each
// reactor's own.
import Buffers
import EventLoop

/// One ring for each ordered pair of reactors.
///
/// A ring per pair and not one mailbox per reactor: with one producer each there is no compare-and-swap and no
/// contended line on the way of a post, and a slow consumer fills only the rings towards itself.
struct ReactorLinks: ~Copyable {
  private var links: FixedArray<ShardLinks?>

  init(count: Int, ringCapacity: Int = Limits.ringCapacity) {
    // Ends by [from][to]; each is taken once.
    var producers = FixedArray<FixedArray<RingProducer<Post>?>>(count: count) { _ in
      FixedArray(count: count) { _ in nil }
    }
    var consumers = FixedArray<FixedArray<RingConsumer<Post>?>>(count: count) { _ in
      FixedArray(count: count) { _ in nil }
    }
    for from in 0..<count {
      for to in 0..<count {
        // A reactor's ring to itself is never used.
        var ends = RingBuffer.make(of: Post.self, capacity: from == to ? 1 : ringCapacity)
        producers[from][to] = ends.producer.take()
        consumers[to][from] = ends.consumer.take()
      }
    }
    links = FixedArray(count: count) { number in
      ShardLinks(
        producers: FixedArray(count: count) { producers[number][$0].take()! },
        consumers: FixedArray(count: count) { consumers[number][$0].take()! })
    }
  }

  /// The ends of one reactor; once.
  mutating func take(_ number: Int) -> ShardLinks { links[number].take()! }
}

/// Carries a reactor's ring ends onto its thread.
final class ShardSeed: Sendable {
  private let links: Lock<ShardLinks?>

  init(_ links: consuming ShardLinks) { self.links = Lock(links) }

  /// The ends; once.
  func take() -> ShardLinks {
    links.withLock { $0.take()! }
  }
}
