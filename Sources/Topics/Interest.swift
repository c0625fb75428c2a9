// Which reactors may have subscribers to a topic: shared by all of them, lock-free, without names. Any thread.
import Buffers

/// A fixed table of reactor masks, one for each of `bucketCount` hash buckets. A reactor's bit is set while at least
/// one of its topics falls into the bucket. Two topics in one bucket cost a post that finds nobody; a missing bit would
/// lose a message, so a bit is set before a subscription is acknowledged and cleared only when the last topic of the
/// bucket is gone.
public final class Interest: Sendable {
  /// Buckets. 64 Ki masks are half a megabyte, once for the process; with 10 000 topics one publish in seven meets a
  /// stranger's bit.
  public static var bucketCount: Int { 65_536 }

  private let masks = AtomicWords(count: bucketCount)

  public init() {}

  /// The bucket of a topic's hash.
  @inlinable
  public static func bucket(_ hash: UInt32) -> Int { Int(hash >> 16) }

  /// The reactors to which a publish on this topic must be posted, one bit each.
  public func reactors(_ hash: UInt32) -> UInt64 { masks.load(Self.bucket(hash)) }

  /// This reactor now has a topic in the bucket. Visible to every publish that starts after it returns.
  public func enter(_ bucket: Int, reactor: Int) { masks.setBit(bucket, reactor) }

  /// This reactor has no topic left in the bucket.
  public func leave(_ bucket: Int, reactor: Int) { masks.clearBit(bucket, reactor) }
}
