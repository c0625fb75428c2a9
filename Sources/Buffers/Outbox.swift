// Everything a reactor sends in a turn: one log of encoded frames, and the segments of it that each connection is owed.

/// The outgoing bytes of one reactor. A frame is appended once to the current chunk and then queued, as a range, on any
/// number of connections; other reactors' chunks are adopted and queued the same way, so a broadcast is never copied
/// per subscriber or per core. One thread.
@safe
public struct Outbox: ~Copyable {
  /// Bytes of an ordinary chunk. A turn of small frames fits and stays in the second-level cache.
  public static var chunkBytes: Int { 65_536 }
  /// Empty chunks kept for reuse; more are given back to the allocator.
  public static var spareChunksMax: Int { 16 }

  @usableFromInline
  struct Entry: BitwiseCopyable {
    /// Nil while the entry is free.
    @usableFromInline var chunk: Chunk?
    /// Segments of blocked connections that need the chunk, plus one for a turn that is still using it.
    @usableFromInline var pins: UInt32
    /// Holds of another reactor's chunk to give back when the last pin goes; 0 for an own chunk.
    @usableFromInline var foreignHolds: UInt32
    @usableFromInline var isOwn: Bool
    /// When the chunk was full, in milliseconds of the owner's clock; own chunks only.
    @usableFromInline var retiredAt: UInt64 = 0
  }

  @usableFromInline
  struct Node: BitwiseCopyable {
    @usableFromInline var segment: Segment
    @usableFromInline var next: UInt32
  }

  @usableFromInline var entries = GrowableArray<Entry>(capacity: 32)
  @usableFromInline var freeEntries = GrowableArray<UInt32>(capacity: 32)
  @usableFromInline var nodes = GrowableArray<Node>(capacity: 64)
  @usableFromInline var freeNode = OutboundQueue.none
  /// The own chunk being filled.
  @usableFromInline var current: UInt32 = 0
  @usableFromInline var currentUsed = 0
  @usableFromInline var currentCapacity = 0
  /// Own chunks that are full; they become spare when nobody needs them.
  @usableFromInline var retired = GrowableArray<UInt32>(capacity: 32)
  @usableFromInline var spare = GrowableArray<UInt32>(capacity: 32)
  /// Foreign entries adopted this turn, unpinned when it ends.
  @usableFromInline var adopted = GrowableArray<UInt32>(capacity: 32)
  /// Bytes of chunk memory, own and not spare.
  var retiredBytes = 0
  /// Bytes of chunks given back to the allocator since `takeFreedBytes`.
  var freedBytes = 0
  /// The owner's clock in milliseconds, as it was told; chunks are dated by it.
  public var nowMilliseconds: UInt64 = 0
  /// Bytes appended since the turn began.
  @usableFromInline var turnBytes = 0

  public init() {
    current = addEntry(Chunk.allocate(capacity: Self.chunkBytes), isOwn: true)
    currentCapacity = Self.chunkBytes
  }

  deinit {
    // An own chunk that another reactor still holds is freed by that one.
    for index in 0..<entries.count {
      entries[index].chunk?.release(entries[index].isOwn ? 1 : Int(entries[index].foreignHolds))
    }
  }

  // MARK: Writing

  /// Makes `count` contiguous bytes available in the current chunk, taking another one if need be.
  @inlinable
  public mutating func reserve(_ count: Int) {
    if count > currentCapacity - currentUsed { rotate(count) }
  }

  /// Appends bytes that were reserved before; returns where they lie.
  @inlinable
  public mutating func append(_ bytes: Span<UInt8>) -> Segment {
    let count = bytes.count
    reserve(count)
    let start = currentUsed
    if count > 0 {
      // SAFETY: `reserve` left room for `count` bytes in the current chunk, which no one else has been shown.
      unsafe bytes.withUnsafeBufferPointer { source in
        unsafe currentBase().advanced(by: start).update(from: source.baseAddress!, count: count)
      }
    }
    currentUsed = start + count
    turnBytes += count
    return Segment(chunk: current, start: UInt32(start), end: UInt32(currentUsed))
  }

  /// Appends the bytes of a buffer; like `append(_:)`.
  @inlinable
  public mutating func append(_ buffer: borrowing ByteBuffer) -> Segment { append(buffer.bytes) }

  /// Appends one byte; like `append(_:)`.
  @inlinable
  public mutating func append(byte: UInt8) {
    reserve(1)
    // SAFETY: `reserve` left room.
    unsafe currentBase()[currentUsed] = byte
    currentUsed += 1
    turnBytes += 1
  }

  /// Where the next byte goes, provided `reserve` has been called for what follows.
  @inlinable public var position: Segment {
    Segment(chunk: current, start: UInt32(currentUsed), end: UInt32(currentUsed))
  }

  @usableFromInline
  func currentBase() -> UnsafeMutablePointer<UInt8> {
    // SAFETY: the current entry always has a chunk.
    unsafe entries[Int(current)].chunk.unsafelyUnwrapped.base
  }

  @usableFromInline
  @inline(never)
  mutating func rotate(_ count: Int) {
    entries[Int(current)].retiredAt = nowMilliseconds
    retired.append(current)
    retiredBytes += currentCapacity
    reclaim()
    if count <= Self.chunkBytes, let index = spare.popLast() {
      current = index
      currentCapacity = Self.chunkBytes
    } else {
      // A frame larger than a chunk gets one of its own size.
      let capacity = max(count, Self.chunkBytes)
      current = addEntry(Chunk.allocate(capacity: capacity), isOwn: true)
      currentCapacity = capacity
    }
    currentUsed = 0
    // The turn still uses what it has appended before: the pin of this turn goes in `endTurn`.
  }

  /// Moves retired chunks that nobody needs to the spare ones, or frees them; nothing while the turn still uses them.
  mutating func reclaim() {
    if isTurnOpen { return }
    let total = retired.count
    var kept = 0
    for index in 0..<total {
      let entryIndex = retired[index]
      let entry = entries[Int(entryIndex)]
      guard entry.pins == 0, let chunk = entry.chunk, chunk.isUnshared else {
        retired[kept] = entryIndex
        kept += 1
        continue
      }
      retiredBytes -= chunk.capacity
      if chunk.capacity == Self.chunkBytes && spare.count < Self.spareChunksMax {
        chunk.condemn(false)
        spare.append(entryIndex)
      } else {
        freedBytes += chunk.capacity
        chunk.deallocate()
        freeEntry(Int(entryIndex))
      }
    }
    retired.truncate(to: kept)
  }

  /// Whether frames of this turn may still be unsent, so that no chunk may be reused.
  @usableFromInline var isTurnOpen: Bool { turnBytes > 0 || !adopted.isEmpty }

  mutating func addEntry(_ chunk: Chunk, isOwn: Bool) -> UInt32 {
    let entry = Entry(chunk: chunk, pins: 0, foreignHolds: 0, isOwn: isOwn)
    if let index = freeEntries.popLast() {
      entries[Int(index)] = entry
      return index
    }
    entries.append(entry)
    return UInt32(entries.count - 1)
  }

  mutating func freeEntry(_ index: Int) {
    entries[index] = Entry(chunk: nil, pins: 0, foreignHolds: 0, isOwn: false)
    freeEntries.append(UInt32(index))
  }

  // MARK: Sharing between reactors

  /// Takes `count` holds on the chunk of a segment for as many posts, and returns its handle.
  public mutating func share(_ segment: Segment, posts count: Int) -> Chunk? {
    guard let chunk = entries[Int(segment.chunk)].chunk else { return nil }
    chunk.hold(count)
    return chunk
  }

  /// Gives back holds taken by `share` for posts that were not sent after all, or that nobody will take any more.
  public mutating func unshare(_ chunk: Chunk, posts count: Int) { chunk.release(count) }

  /// Takes over the hold that came with a post; the chunk stays readable at least until the turn ends. Returns the
  /// index to use in segments.
  public mutating func adopt(_ chunk: Chunk) -> UInt32 {
    var index = adopted.count
    while index > 0 && index > adopted.count - 4 {
      index -= 1
      let candidate = adopted[index]
      if entries[Int(candidate)].chunk == chunk {
        entries[Int(candidate)].foreignHolds += 1
        return candidate
      }
    }
    let entry = addEntry(chunk, isOwn: false)
    entries[Int(entry)].foreignHolds = 1
    entries[Int(entry)].pins = 1
    adopted.append(entry)
    return entry
  }

  // MARK: Reading

  /// The bytes of a segment.
  @inlinable
  @_lifetime(borrow self)
  public func bytes(_ segment: Segment) -> Span<UInt8> {
    guard let chunk = entries[Int(segment.chunk)].chunk else { return Span() }
    // SAFETY: the entry holds the chunk for as long as it exists, and the span borrows `self`.
    let span = unsafe chunk.announcedBytes(segment.start, segment.end)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  // MARK: Queues

  /// Queues a segment on a connection; one that continues the last segment just extends it.
  @inlinable
  public mutating func enqueue(_ segment: Segment, on queue: inout OutboundQueue) {
    let count = segment.end &- segment.start
    if count == 0 { return }
    queue.queuedBytes &+= count
    if queue.head == OutboundQueue.none {
      if queue.queuedBytes == count {
        queue.first = segment
        if queue.isHeld { entries[Int(segment.chunk)].pins += 1 }
        return
      }
      if queue.first.chunk == segment.chunk && queue.first.end == segment.start {
        queue.first.end = segment.end
        return
      }
    } else {
      let last = nodes[Int(queue.tail)].segment
      if last.chunk == segment.chunk && last.end == segment.start {
        nodes[Int(queue.tail)].segment.end = segment.end
        return
      }
    }
    enqueueNode(segment, on: &queue)
  }

  @usableFromInline
  @inline(never)
  mutating func enqueueNode(_ segment: Segment, on queue: inout OutboundQueue) {
    let node = Node(segment: segment, next: OutboundQueue.none)
    let index: UInt32
    if freeNode != OutboundQueue.none {
      index = freeNode
      freeNode = nodes[Int(index)].next
      nodes[Int(index)] = node
    } else {
      index = UInt32(nodes.count)
      nodes.append(node)
    }
    if queue.head == OutboundQueue.none {
      queue.head = index
    } else {
      nodes[Int(queue.tail)].next = index
    }
    queue.tail = index
    if queue.isHeld { entries[Int(segment.chunk)].pins += 1 }
  }

  /// The oldest segment; empty when the queue is.
  @inlinable
  public func first(of queue: borrowing OutboundQueue) -> Segment { queue.first }

  /// Whether the whole queue is one segment.
  @inlinable
  public func isSingle(_ queue: borrowing OutboundQueue) -> Bool { queue.head == OutboundQueue.none }

  /// Fills `list` with the queue's oldest segments.
  public func gather(_ queue: borrowing OutboundQueue, into list: inout GatherList) {
    list.removeAll()
    list.append(bytes(queue.first))
    var node = queue.head
    while node != OutboundQueue.none && !list.isFull {
      list.append(bytes(nodes[Int(node)].segment))
      node = nodes[Int(node)].next
    }
  }

  /// Drops `count` bytes that were sent from the front of the queue.
  @inlinable
  public mutating func consume(_ count: Int, from queue: inout OutboundQueue) {
    if count == queue.byteCount && queue.head == OutboundQueue.none && !queue.isHeld {
      queue.queuedBytes = 0
      return
    }
    consumePartly(count, from: &queue)
  }

  @usableFromInline
  @inline(never)
  mutating func consumePartly(_ count: Int, from queue: inout OutboundQueue) {
    var rest = min(count, queue.byteCount)
    queue.queuedBytes -= UInt32(rest)
    while rest > 0 {
      if rest < queue.first.count {
        queue.first.start += UInt32(rest)
        return
      }
      rest -= queue.first.count
      dropFirst(&queue)
    }
    if queue.queuedBytes == 0 { queue.isHeld = false }
  }

  mutating func dropFirst(_ queue: inout OutboundQueue) {
    if queue.isHeld { unpin(queue.first.chunk) }
    let node = queue.head
    guard node != OutboundQueue.none else {
      queue.first = Segment(chunk: 0, start: 0, end: 0)
      return
    }
    queue.first = nodes[Int(node)].segment
    queue.head = nodes[Int(node)].next
    if queue.head == OutboundQueue.none { queue.tail = OutboundQueue.none }
    nodes[Int(node)].next = freeNode
    freeNode = node
  }

  /// Holds every chunk of a queue that could not be sent, so that it survives the turn.
  public mutating func hold(_ queue: inout OutboundQueue) {
    if queue.isHeld || queue.isEmpty { return }
    queue.isHeld = true
    entries[Int(queue.first.chunk)].pins += 1
    var node = queue.head
    while node != OutboundQueue.none {
      entries[Int(nodes[Int(node)].segment.chunk)].pins += 1
      node = nodes[Int(node)].next
    }
  }

  /// Drops a whole queue.
  public mutating func clear(_ queue: inout OutboundQueue) {
    while queue.queuedBytes > 0 {
      let count = UInt32(queue.first.count)
      dropFirst(&queue)
      queue.queuedBytes -= min(count, queue.queuedBytes)
    }
    queue = OutboundQueue()
  }

  /// Whether a held queue needs a condemned chunk, own or foreign.
  public func usesCondemned(_ queue: borrowing OutboundQueue) -> Bool {
    if queue.isEmpty { return false }
    var segment = queue.first
    var node = queue.head
    while true {
      if isCondemned(entry: Int(segment.chunk)) { return true }
      if node == OutboundQueue.none { return false }
      segment = nodes[Int(node)].segment
      node = nodes[Int(node)].next
    }
  }

  private func isCondemned(entry index: Int) -> Bool {
    guard let chunk = entries[index].chunk else { return false }
    return chunk.isCondemned
  }

  mutating func unpin(_ index: UInt32) {
    entries[Int(index)].pins -= 1
    let entry = entries[Int(index)]
    if entry.pins == 0 && !entry.isOwn, let chunk = entry.chunk {
      chunk.release(Int(entry.foreignHolds))
      freeEntry(Int(index))
    }
  }

  // MARK: Turns

  /// Ends a turn: everything queued has been sent or is held. Chunks that nobody needs are free for the next turn.
  @inlinable
  public mutating func endTurn() {
    // Retired chunks are looked at in idle turns too: a slow connection may have drained without any new output.
    if turnBytes == 0 && adopted.isEmpty && retired.isEmpty { return }
    finishTurn()
  }

  @usableFromInline
  mutating func finishTurn() {
    turnBytes = 0
    while let index = adopted.popLast() { unpin(index) }
    if !retired.isEmpty { reclaim() }
    if let chunk = entries[Int(current)].chunk, entries[Int(current)].pins == 0, chunk.isUnshared { currentUsed = 0 }
  }

  /// Frees spare chunks until `count` are left; true when there were more.
  public mutating func releaseSpare(keeping count: Int) -> Bool {
    if spare.count <= count { return false }
    while spare.count > count, let index = spare.popLast() {
      freedBytes += Self.chunkBytes
      entries[Int(index)].chunk?.deallocate()
      freeEntry(Int(index))
    }
    return true
  }

  /// Bytes appended since the turn began.
  @inlinable public var bytesThisTurn: Int { turnBytes }

  /// Bytes of own chunks that wait for a slow connection or for another reactor.
  public var waitingBytes: Int { retiredBytes }

  /// When the own chunk that has waited longest was full; nil when none waits.
  public var oldestWaitingMilliseconds: UInt64? { retired.isEmpty ? nil : entries[Int(retired[0])].retiredAt }

  /// Condemns own chunks that wait, the oldest first: until those condemned have `bytes` bytes, or the next one was
  /// full after `time`. Returns the bytes of all that are condemned, and whether another reactor holds one of them.
  public mutating func condemn(bytes: Int, upTo time: UInt64) -> (bytes: Int, isShared: Bool) {
    var condemned = 0
    var isShared = false
    for position in 0..<retired.count where condemned < bytes {
      let entry = entries[Int(retired[position])]
      guard let chunk = entry.chunk else { continue }
      if !chunk.isCondemned {
        if entry.retiredAt > time && condemned > 0 { break }
        chunk.condemn()
      }
      if !chunk.isUnshared { isShared = true }
      condemned += chunk.capacity
    }
    return (condemned, isShared)
  }

  /// Whether a condemned chunk waits here, own or foreign.
  public var hasCondemned: Bool {
    for index in 0..<entries.count where entries[index].pins > 0 && isCondemned(entry: index) { return true }
    return false
  }

  /// Bytes of chunks given back to the allocator since the last call.
  public mutating func takeFreedBytes() -> Int {
    let bytes = freedBytes
    freedBytes = 0
    return bytes
  }
}
