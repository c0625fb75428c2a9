// How many bytes of posts are on their way between two reactors: counted by the sender, taken back by the receiver.
import Buffers

/// What receivers have taken of the posts to them, by sender: one word for each ordered pair of reactors, written by
/// the receiver alone.
final class MailCounts: Sendable {
  private let taken: AtomicWords
  private let reactorCount: Int

  init(reactorCount: Int) {
    self.reactorCount = reactorCount
    taken = AtomicWords(count: reactorCount * reactorCount)
  }

  /// Bytes that `receiver` has taken from `sender`, ever, wrapping.
  func taken(from sender: Int, by receiver: Int) -> UInt64 { taken.load(receiver * reactorCount + sender) }

  /// The receiver's thread: it has taken so many more.
  func take(_ bytes: Int, from sender: Int, by receiver: Int) {
    let index = receiver * reactorCount + sender
    taken.store(index, taken.load(index) &+ UInt64(truncatingIfNeeded: bytes))
  }
}

extension Post {
  /// What a post counts for: its frame, and a share of what every post costs.
  @inline(__always) var byteCount: Int { Int(frameEnd &- frameStart) + Limits.postBytesEach }
}
