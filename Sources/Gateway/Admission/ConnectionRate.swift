// How much one connection has sent of what it may: two token buckets, kept only where a rate is limited. The reactor's
// thread.

/// The message and byte allowances of one connection.
struct ConnectionRate: BitwiseCopyable {
  /// The life of the slot that it belongs to.
  var generation: UInt32 = 0
  private var messages = TokenBucket()
  private var bytes = TokenBucket()

  init(generation: UInt32 = 0) { self.generation = generation }

  /// Takes one message of `count` bytes; false when either allowance is used up.
  mutating func take(_ count: Int, _ limits: Limits, nowMilliseconds: UInt32) -> Bool {
    messages.take(
      1, rate: UInt32(clamping: limits.messagesPerSecondMax), burst: UInt32(clamping: limits.messagesBurstMax),
      nowMilliseconds: nowMilliseconds)
      && bytes.take(
        UInt32(clamping: count), rate: UInt32(clamping: limits.bytesPerSecondMax),
        burst: UInt32(clamping: limits.bytesBurstMax), nowMilliseconds: nowMilliseconds)
  }
}
