// What one reactor hands another: a published frame, by reference. Plain bits in a ring.
import Buffers

/// A message for the subscribers of a topic on another reactor. The bytes stay in the sender's chunk, on which the post
/// carries one hold; the offsets are into that chunk.
struct Post: BitwiseCopyable, Sendable {
  let chunk: Chunk
  /// The encoded frame.
  let frameStart: UInt32
  let frameEnd: UInt32
  /// The data that filters look at, inside the frame; empty when there is none.
  let dataStart: UInt32
  let dataEnd: UInt32
  /// The topic's name.
  let nameStart: UInt32
  let nameEnd: UInt32
  let hash: UInt32
  let space: UInt8
}
