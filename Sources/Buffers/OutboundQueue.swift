// What one connection has yet to send: ranges of shared chunks, kept inside the connection's own struct. Its reactor's
// thread.

/// A range of bytes in one chunk of a reactor's `Outbox`.
public struct Segment: BitwiseCopyable, Sendable, Equatable {
  /// The chunk's index in the outbox.
  public var chunk: UInt32
  /// The first byte.
  public var start: UInt32
  /// One past the last byte.
  public var end: UInt32

  @inlinable
  public init(chunk: UInt32, start: UInt32, end: UInt32) {
    self.chunk = chunk
    self.start = start
    self.end = end
  }

  @inlinable public var count: Int { Int(end) - Int(start) }
}

/// The bytes that one connection has yet to send, oldest first. In the common case, everything queued in a turn is one
/// contiguous range and the first segment is all there is; more segments form a list in the outbox's node pool.
///
/// Between turns a queue that could not be sent *holds* its chunks; within a turn nothing needs holding, because no
/// chunk is reused before the turn has ended.
public struct OutboundQueue: BitwiseCopyable, Sendable {
  @usableFromInline var first = Segment(chunk: 0, start: 0, end: 0)
  /// The rest of the list, as node indices; `none` at the ends.
  @usableFromInline var head = OutboundQueue.none
  @usableFromInline var tail = OutboundQueue.none
  @usableFromInline var queuedBytes: UInt32 = 0
  /// Bytes to send until the oldest byte of the last mark has gone; 0 when there is no mark.
  public var markRemaining: UInt32 = 0
  /// When the mark was set, in milliseconds of the reactor's clock, wrapping.
  public var markTime: UInt32 = 0
  /// Whether each segment has a hold on its chunk.
  @usableFromInline var isHeld = false

  @usableFromInline static var none: UInt32 { .max }

  @inlinable public init() {}
  @inlinable public var isEmpty: Bool { queuedBytes == 0 }
  /// Bytes queued.
  @inlinable public var byteCount: Int { Int(queuedBytes) }
  /// Whether the queue has outlived the turn it was filled in, because the socket was full.
  @inlinable public var isBlocked: Bool { isHeld }
}
