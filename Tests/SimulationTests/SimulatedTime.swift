// What things cost in the simulated world, so that a turn has a length: a price for each call, byte, delivery and look
// at a filter. One thread.
import Buffers
import Synchronization

@testable import Buffers
@testable import Gateway

/// How fast the simulated machine is.
struct WorldPrices {
  /// A system call in nanoseconds.
  var call: UInt64 = 700
  /// A byte that is received and worked through, in picoseconds; of a compressed connection four times as much.
  var receivedByte: UInt64 = 500
  /// A byte that is sent, in picoseconds.
  var sentByte: UInt64 = 20
  /// A post that is taken, and each connection that it is queued for, in nanoseconds.
  var delivery: UInt64 = 50
  /// One filter that looks at one message, in nanoseconds.
  var filter: UInt64 = 200
  /// What another process takes of a turn at a time: longer than a turn may be before what can wait must.
  static let stolen: UInt64 = 160_000
}

/// Whether other processes take the processor in a turn.
enum TurnMood {
  case steady, unsteady
}

/// One turn of one reactor, as the world prices it.
struct SimulatedTurn {
  var startedAt: UInt64 = 0
  /// Nanoseconds of its own work.
  var spent: UInt64 = 0
  /// The dearest thing that cannot be interrupted: what one read brings, one post.
  var longestStep: UInt64 = 0
  /// Posts taken.
  var posts = 0
  /// Other processes take the processor at times, so that what can wait must.
  var isUnsteady = false
}

/// The mail for one reactor as seen from outside: the real rings, looked into.
final class SimulatedMail {
  private let rings: [RingStorage<Post>]
  private var taken: [Int]
  /// What a post on a topic costs, by the hash of its name.
  var prices: [UInt32: UInt64] = [:]

  init(_ links: borrowing ShardLinks, count: Int) {
    var rings: [RingStorage<Post>] = []
    for source in 0..<count { rings.append(links.consumers[source].storage) }
    self.rings = rings
    taken = Array(repeating: 0, count: count)
  }

  private func post(_ ring: RingStorage<Post>, _ index: Int) -> Post {
    // SAFETY: one thread does everything, and a slot keeps its element until the ring has gone round.
    unsafe ring.slots[index & ring.mask]
  }

  /// Tells the price of each post that was taken since the last time.
  func settle(_ prices: WorldPrices, _ body: (UInt64) -> Void) {
    for source in rings.indices {
      let ring = rings[source]
      let end = ring.consumed.value.load(ordering: .relaxed)
      while taken[source] < end {
        let post = post(ring, taken[source])
        taken[source] += 1
        body(self.prices[post.hash, default: prices.delivery] + UInt64(post.frameEnd - post.frameStart) / 64)
      }
    }
  }

  /// Bytes of the frames that wait in the rings.
  var waitingBytes: Int {
    var bytes = 0
    for ring in rings {
      var index = ring.consumed.value.load(ordering: .relaxed)
      let end = ring.published.value.load(ordering: .relaxed)
      while index < end {
        let post = post(ring, index)
        bytes += Int(post.frameEnd - post.frameStart)
        index += 1
      }
    }
    return bytes
  }
}

extension SimulatedWorld {
  /// A turn begins.
  func beginTurn(_ reactor: Int) {
    turns[reactor] = SimulatedTurn(
      startedAt: now, isUnsteady: (moods[reactor] ?? (random.perMille(500) ? .unsteady : .steady)) == .unsteady)
    moods[reactor] = nil
  }

  /// A reactor works for so long.
  func spend(_ reactor: Int, _ nanoseconds: UInt64) {
    turns[reactor].spent += nanoseconds
    turns[reactor].longestStep = max(turns[reactor].longestStep, nanoseconds)
    advance(by: nanoseconds)
  }

  /// Charges a reactor for the mail that it has taken since it was last asked.
  func settleMail(_ reactor: Int) {
    if mail.isEmpty { return }
    mail[reactor].settle(profile.prices) { price in
      turns[reactor].posts += 1
      spend(reactor, price)
    }
  }

  /// A look at the clock within a turn. In some turns it has lasted so long at times that what can wait must.
  func look(_ reactor: Int) -> UInt64 {
    settleMail(reactor)
    if turns[reactor].isUnsteady && random.below(2) == 0 { advance(by: WorldPrices.stolen) }
    return now
  }
}
