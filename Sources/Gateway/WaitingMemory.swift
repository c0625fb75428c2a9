// How much outgoing memory all reactors together keep for the slow, and who must let go of it. Any thread; each reactor
// reports its own share.
import Buffers
import Synchronization

/// Chunks that wait for a slow subscriber or for another reactor, summed over all reactors.
///
/// A chunk belongs to the reactor that filled it, whoever keeps it waiting. When the sum is too large, the reactor
/// whose chunk has waited longest condemns it, and every reactor ends those connections that need a condemned chunk: so
/// the slow pay, on whatever reactor they are.
final class WaitingMemory: Sendable {
  /// Bytes of all reactors. Relaxed: a reactor that sees an older sum looks again at the end of its next turn.
  private let total = Atomic<Int>(0)
  /// By reactor, one more than the millisecond in which its longest waiting chunk was full; 0 where none waits.
  private let oldest: AtomicWords
  /// Times that reactors were asked to look. Release by whoever has condemned a chunk, acquire by who then looks.
  private let calls = Atomic<Int>(0)

  init(reactorCount: Int) { oldest = AtomicWords(count: reactorCount) }

  /// Bytes that wait at this moment.
  var byteCount: Int { total.load(ordering: .relaxed) }

  /// A number that changes when reactors are asked to look.
  var callCount: Int { calls.load(ordering: .acquiring) }

  /// Asks all reactors to look; they may have to be woken. Returns the new `callCount`.
  func call() -> Int { calls.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue }

  /// A reactor's share has changed by so many bytes, and its longest waiting chunk is from `time` now. Returns the sum.
  func report(_ reactor: Int, change: Int, oldest time: UInt64?) -> Int {
    oldest.store(reactor, time.map { $0 &+ 1 } ?? 0)
    return total.wrappingAdd(change, ordering: .relaxed).newValue
  }

  /// The milliseconds from which on some other reactor's chunk has waited; nil when no other reactor has one.
  func oldestElsewhere(than reactor: Int) -> UInt64? {
    var result: UInt64?
    for other in 0..<oldest.count where other != reactor {
      let time = oldest.load(other)
      if time > 0 { result = min(result ?? .max, time - 1) }
    }
    return result
  }
}
