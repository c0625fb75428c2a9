// Exactly once and in order: what each receiver should have got next, and a hash of what it got. Values only; one thread.

/// Follows the sequence numbers of every receiver of every channel.
///
/// Receiver `i` listens to channel `i % channels`; numbers count per channel from 0.
public struct DeliveryCheck: Sendable {
  /// Deliveries that were new to their receiver.
  public private(set) var received: UInt64 = 0
  /// Deliveries that the publishes so far make due.
  public private(set) var due: UInt64 = 0
  /// Numbers that were jumped over.
  public private(set) var missed: UInt64 = 0
  /// Deliveries that came a second time, or behind a later one.
  public private(set) var repeated: UInt64 = 0
  /// Deliveries of another channel's message.
  public private(set) var misrouted: UInt64 = 0

  private var next: [UInt32]
  private var hashes: [UInt64]
  private var channelNext: [UInt32]
  private var channelHashes: [UInt64]
  private let channels: Int

  private static let hashStart: UInt64 = 0xCBF2_9CE4_8422_2325
  private static let hashPrime: UInt64 = 0x0000_0100_0000_01B3

  public init(receivers: Int, channels: Int) {
    self.channels = channels
    next = [UInt32](repeating: 0, count: receivers)
    hashes = [UInt64](repeating: DeliveryCheck.hashStart, count: receivers)
    channelNext = [UInt32](repeating: 0, count: channels)
    channelHashes = [UInt64](repeating: DeliveryCheck.hashStart, count: channels)
  }

  /// Notes a publish to `channel` and returns its number.
  public mutating func publish(_ channel: Int) -> UInt32 {
    let number = channelNext[channel]
    channelNext[channel] = number &+ 1
    channelHashes[channel] = (channelHashes[channel] ^ UInt64(number)) &* DeliveryCheck.hashPrime
    due += UInt64(receivers(of: channel))
    return number
  }

  func receivers(of channel: Int) -> Int { (next.count - channel + channels - 1) / channels }

  /// Notes what `receiver` got.
  @inline(__always)
  public mutating func deliver(_ receiver: Int, _ marker: Marker) {
    // A receiver's number is below 20 000 and there are no more channels than receivers, so this is a compare, not a division.
    let channel = channels == next.count ? receiver : receiver % channels
    if Int(marker.channel) != channel {
      misrouted += 1
      return
    }
    let number = marker.sequence
    let wanted = next[receiver]
    if number < wanted {
      repeated += 1
      return
    }
    missed += UInt64(number - wanted)
    next[receiver] = number &+ 1
    hashes[receiver] = (hashes[receiver] ^ UInt64(number)) &* DeliveryCheck.hashPrime
    received += 1
  }

  /// Deliveries that may still come.
  public var outstanding: UInt64 { due - min(due, received + missed) }

  /// Deliveries that did not come: jumped over, or still outstanding when it is asked.
  public var lost: UInt64 { missed + outstanding }

  /// One number for all that was received; equal to `publishedHash` when nothing is missing, doubled or out of order.
  public var receivedHash: UInt64 {
    var sum: UInt64 = 0
    for receiver in 0..<hashes.count { sum &+= hashes[receiver] &* UInt64(2 * receiver + 1) }
    return sum
  }

  /// The same number for what was published.
  public var publishedHash: UInt64 {
    var sum: UInt64 = 0
    for receiver in 0..<hashes.count { sum &+= channelHashes[receiver % channels] &* UInt64(2 * receiver + 1) }
    return sum
  }

  /// Whether every receiver got every message exactly once and in order.
  public var isPerfect: Bool {
    lost == 0 && repeated == 0 && misrouted == 0 && receivedHash == publishedHash
  }
}
