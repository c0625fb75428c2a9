// The fan-out: one encoded frame to every subscriber here, and one post to every other reactor that has some. Reactor's
// thread.
import Buffers
import EventLoop
import Topics
import Wire

/// Consecutive publishes of one turn to one topic. They lie next to each other in the turn's log, so the subscribers
/// are walked once for all of them.
struct FanoutRun: BitwiseCopyable {
  /// The topic on this reactor; `max` while no run is open.
  var topic = UInt32.max
  var segment = Segment(chunk: 0, start: 0, end: 0)
  var messageCount = 0
}

/// Who a publish goes to.
struct Audience {
  /// The topic on this reactor, if anyone here subscribes to it.
  let topic: UInt32?
  /// Other reactors that may have subscribers, one bit each.
  let reactors: UInt64
  let space: UInt8
  let hash: UInt32
}

extension Shard where Kernel: ~Copyable {
  /// Finds out who wants a publish on the topic named in `nameScratch`; nil when nobody does, so that it need not even
  /// be encoded.
  func audience(space: UInt8) -> Audience? {
    let hash = TopicTable.hash(nameScratch.bytes, space: space)
    let topic = topics.find(nameScratch.bytes, space: space, hash: hash)
    let reactors = others == 0 ? 0 : interest.reactors(hash) & others
    if topic == nil && reactors == 0 { return nil }
    return Audience(topic: topic, reactors: reactors, space: space, hash: hash)
  }

  /// Publishes the message in `scratch`, whose topic's name is in `nameScratch`. `data` is what filters look at, as a
  /// range of `scratch`. Returns the frame. Step 6 of the data path.
  @discardableResult
  mutating func publishScratch(to audience: Audience, data: Range<Int>) -> Segment {
    let name = reserve(scratch.count + FrameEncoder.headerCountMax, for: audience)
    let frame = FrameEncoder.append(.text, scratch, to: &outbox)
    let payload = frame.end - UInt32(scratch.count)
    let dataSegment = Segment(
      chunk: frame.chunk, start: payload + UInt32(data.lowerBound), end: payload + UInt32(data.upperBound))
    if audience.reactors != 0 { post(frame, name, dataSegment, to: audience) }
    if let topic = audience.topic { deliver(topic, frame, dataSegment) }
    return frame
  }

  /// Makes room in one chunk for `count` bytes of frames and, where other reactors get them, the topic's name, which is
  /// written. Within a run of publishes to the same topic that happens once.
  @inline(__always)
  private mutating func reserve(_ count: Int, for audience: Audience) -> Segment {
    outbox.reserve(nameScratch.count + count)
    return audience.reactors == 0 ? Segment(chunk: 0, start: 0, end: 0) : postedName(audience)
  }

  /// Publishes the text in `scratch` with attachments, each a message of its own behind it, so that whoever gets one of
  /// these messages gets them all. One connection can be passed over, or `nobody`.
  @discardableResult
  mutating func publishPacket(
    to audience: Audience, _ attachments: [[UInt8]], as opcode: Opcode = .binary, passingOver passed: UInt32
  ) -> Segment {
    var count = scratch.count + FrameEncoder.headerCountMax
    for attachment in attachments { count += attachment.count + FrameEncoder.headerCountMax }
    let name = reserve(count, for: audience)
    var frame = FrameEncoder.append(.text, scratch, to: &outbox)
    for attachment in attachments { frame.end = FrameEncoder.append(opcode, attachment.span, to: &outbox).end }
    let noData = Segment(chunk: frame.chunk, start: frame.end, end: frame.end)
    if audience.reactors != 0 { post(frame, name, noData, to: audience) }
    guard let topic = audience.topic else { return frame }
    if passed == Self.nobody {
      deliver(topic, frame, noData)
    } else {
      deliver(topic, frame, passingOver: passed)
    }
    return frame
  }

  /// The slot that no connection has.
  static var nobody: UInt32 { .max }

  /// Queues a frame for every subscriber of a topic but one.
  private mutating func deliver(_ topic: UInt32, _ frame: Segment, passingOver passed: UInt32) {
    closeRun()
    var delivered = 0
    for index in topics.members(of: topic).indices {
      let slot = topics.members(of: topic)[index].connection
      if slot != passed && queue(frame, for: slot) { delivered += 1 }
    }
    finishDelivery(of: frame, delivered)
  }

  /// Where the topic's name lies in the current chunk for other reactors to read: the same place as for the last post
  /// of this turn if that was to the same topic, else a fresh copy.
  private mutating func postedName(_ audience: Audience) -> Segment {
    if lastName.hash == audience.hash && lastName.space == audience.space
      && lastName.segment.chunk == outbox.position.chunk && lastName.turn == counters[.turns]
      && outbox.bytes(lastName.segment).equals(nameScratch.bytes)
    {
      return lastName.segment
    }
    let segment = outbox.append(nameScratch)
    lastName = PostedName(segment: segment, hash: audience.hash, space: audience.space, turn: counters[.turns])
    return segment
  }

  /// Queues a frame for every subscriber of a topic on this reactor: with the others of its run where the topic is the
  /// same as before, and at once for those with filters.
  mutating func deliver(_ topic: UInt32, _ frame: Segment, _ data: Segment) {
    if run.topic == topic && run.segment.chunk == frame.chunk && run.segment.end == frame.start {
      run.segment.end = frame.end
      run.messageCount += 1
    } else {
      closeRun()
      run = FanoutRun(topic: topic, segment: frame, messageCount: 1)
    }
    if topics.hasFilteredMembers(topic) { deliverFiltered(topic, frame, data) }
  }

  /// Queues the open run for its subscribers. Called before anything else is queued for a connection or a subscription
  /// changes, so that every connection gets its messages in the order in which they came.
  @inline(__always)
  mutating func closeRun() {
    if run.topic != .max { walkRun() }
  }

  /// Queues the run, closes it, and deals with those who are too slow for it.
  @inline(never)
  private mutating func walkRun() {
    var delivered = Self.queue(
      run.segment, for: topics, run.topic, &connections, &outbox, &dirty, &slow, &compressing,
      bytesMax: limits.outboundBytesMax)
    if !compressing.isEmpty { delivered += queueCompressed(run.segment) }
    effort &+= delivered &* Limits.effortPerDelivery
    counters.add(.deliveries, delivered * run.messageCount)
    let (segment, messageCount) = (run.segment, run.messageCount)
    run.topic = .max
    if !slow.isEmpty { judgeSlow(segment, messageCount) }
  }

  /// The loop over the subscribers: the innermost loop of the gateway. Returns how many got the segment; those whose
  /// backlog has no room for it are put into `slow`, those that get it compressed into `compressing`.
  @inline(never)
  private static func queue(
    _ segment: Segment, for topics: borrowing TopicTable, _ topic: UInt32, _ connections: inout Slab<Connection>,
    _ outbox: inout Outbox, _ dirty: inout GrowableArray<UInt32>, _ slow: inout GrowableArray<UInt32>,
    _ compressing: inout GrowableArray<UInt32>, bytesMax: Int
  ) -> Int {
    let members = topics.members(of: topic)
    let room = bytesMax - segment.count
    for index in members.indices {
      let slot = members[index].connection
      if connections[slot].deflate != 0 {
        compressing.append(slot)
        continue
      }
      let isBlocked = connections[slot].outbound.isBlocked
      if isBlocked && connections[slot].outbound.byteCount > room {
        slow.append(slot)
        continue
      }
      outbox.enqueue(segment, on: &connections[slot].outbound)
      if !isBlocked && !connections[slot].flags.contains(.dirty) {
        connections[slot].flags.insert(.dirty)
        dirty.append(slot)
      }
    }
    return members.count - slow.count - compressing.count
  }

  /// Delivers one message to the subscribers that have filters and for which one of them matches. Equal filter texts
  /// are evaluated once for the message.
  private mutating func deliverFiltered(_ topic: UInt32, _ frame: Segment, _ data: Segment) {
    messageSerial += 1
    while verdicts.count < topics.filterTextEnd { verdicts.append(0) }
    // Filters look at the members of an object; anything else matches none of them.
    effort &+= data.count
    guard Self.describe(outbox, data, in: &memberIndex) else { return }
    let count = topics.filteredMembers(of: topic).count
    var delivered = 0
    for index in 0..<count {
      let member = topics.filteredMembers(of: topic)[index]
      if matches(member.subscription, data) && queue(frame, for: member.connection) { delivered += 1 }
    }
    finishDelivery(of: frame, delivered)
  }

  /// Queues a frame for one of those it goes to; false when it is too slow, or gets the frame compressed in the end.
  @inline(__always)
  mutating func queue(_ frame: Segment, for slot: UInt32) -> Bool {
    if connections[slot].deflate != 0 {
      compressing.append(slot)
      return false
    }
    if connections[slot].outbound.isBlocked
      && connections[slot].outbound.byteCount + frame.count > limits.outboundBytesMax
    {
      slow.append(slot)
      return false
    }
    outbox.enqueue(frame, on: &connections[slot].outbound)
    markDirty(slot)
    return true
  }

  /// Ends the delivery of one frame, which `delivered` connections have got.
  mutating func finishDelivery(of frame: Segment, _ delivered: Int) {
    let compressed = compressing.isEmpty ? 0 : queueCompressed(frame)
    counters.add(.deliveries, delivered + compressed)
    if !slow.isEmpty { judgeSlow(frame, 1) }
  }

  /// Indexes the members of a message's data for the filters; false when it is no object.
  private static func describe(_ outbox: borrowing Outbox, _ data: Segment, in index: inout JSONMemberIndex) -> Bool {
    index.build(outbox.bytes(data))
  }

  /// Whether one of a subscription's filters matches the message that `memberIndex` describes.
  private mutating func matches(_ subscription: UInt32, _ data: Segment) -> Bool {
    var node = topics.firstFilter(of: subscription)
    while let filter = node {
      let text = topics.filterText(of: filter)
      var verdict = verdicts[Int(text)]
      if verdict >> 1 != messageSerial {
        let isMatch = Self.matches(topics, text, outbox, data, &memberIndex)
        effort &+= topics.filterBytes(text).count
        verdict = messageSerial << 1 | (isMatch ? 1 : 0)
        verdicts[Int(text)] = verdict
      }
      if verdict & 1 == 1 { return true }
      node = topics.nextFilter(after: filter)
    }
    return false
  }

  private static func matches(
    _ topics: borrowing TopicTable, _ text: UInt32, _ outbox: borrowing Outbox, _ data: Segment,
    _ index: inout JSONMemberIndex
  ) -> Bool {
    JSONFilter.matches(filter: topics.filterBytes(text), data: outbox.bytes(data), index: &index)
  }

  /// Deals with the subscribers in `slow`, whose backlog has no room for a segment of `messageCount` messages: those
  /// who are not to blame get it all the same, to the others the configured policy applies.
  @inline(never)
  private mutating func judgeSlow(_ segment: Segment, _ messageCount: Int) {
    // Closing one closes the open run, which may find others slow: they are not these.
    var judged = GrowableArray<UInt32>()
    swap(&judged, &slow)
    while let slot = judged.popLast() {
      if !spare(slot, segment.count) {
        becomeSlow(slot, messageCount)
        continue
      }
      outbox.enqueue(segment, on: &connections[slot].outbound)
      counters.add(.deliveries, messageCount)
      resume(slot)
      scheduleTimer(slot)
    }
    // Kept for its memory.
    if slow.isEmpty { swap(&judged, &slow) }
  }

  /// Marks a connection for the flush at the end of the turn. One that is blocked is flushed when its socket has room.
  @inline(__always)
  mutating func markDirty(_ slot: UInt32) {
    if connections[slot].flags.contains(.dirty) || connections[slot].outbound.isBlocked { return }
    connections[slot].flags.insert(.dirty)
    dirty.append(slot)
  }

  // MARK: Answers to one connection

  /// Queues a frame for one connection.
  mutating func reply(_ slot: UInt32, _ opcode: Opcode, _ payload: Span<UInt8>) {
    closeRun()
    guard hasRoom(slot, payload.count) else { return }
    let segment = encodeReply(slot, opcode, payload)
    outbox.enqueue(segment, on: &connections[slot].outbound)
    counters.add(.messagesOut)
    markDirty(slot)
  }

  /// Queues a text and the messages that belong to it for one connection: all of them, or none where they would be too
  /// much.
  mutating func reply(_ slot: UInt32, text: Span<UInt8>, attachments: [[UInt8]], as opcode: Opcode) {
    closeRun()
    guard hasRoom(slot, attachments.reduce(text.count) { $0 + $1.count }) else { return }
    enqueueReply(slot, .text, text)
    for attachment in attachments { enqueueReply(slot, opcode, attachment.span) }
    markDirty(slot)
  }

  private mutating func enqueueReply(_ slot: UInt32, _ opcode: Opcode, _ payload: Span<UInt8>) {
    let segment = encodeReply(slot, opcode, payload)
    outbox.enqueue(segment, on: &connections[slot].outbound)
    counters.add(.messagesOut)
  }

  /// Queues the text in `scratch` for one connection.
  mutating func replyWithScratch(_ slot: UInt32) {
    closeRun()
    guard hasRoom(slot, scratch.count) else { return }
    var text = ByteBuffer()
    swap(&text, &scratch)
    let segment = encodeReply(slot, .text, text.bytes)
    swap(&text, &scratch)
    outbox.enqueue(segment, on: &connections[slot].outbound)
    counters.add(.messagesOut)
    markDirty(slot)
  }

  /// Whether a connection may be sent `count` more bytes. Not when the run just closed found it too slow and closed it:
  /// nothing follows a close frame. A blocked one whose backlog has no room for them is treated by the policy for slow
  /// ones.
  private mutating func hasRoom(_ slot: UInt32, _ count: Int) -> Bool {
    if connections[slot].phase != .open { return false }
    if connections[slot].outbound.isBlocked && connections[slot].outbound.byteCount + count > limits.outboundBytesMax {
      if spare(slot, count) {
        resume(slot)
        scheduleTimer(slot)
        return true
      }
      becomeSlow(slot, 1)
      return false
    }
    return true
  }
}

/// Where the name of the last posted topic lies.
struct PostedName: BitwiseCopyable {
  var segment = Segment(chunk: 0, start: 0, end: 0)
  var hash: UInt32 = 0
  var space: UInt8 = 0
  /// The turn in which it was written; in another turn the chunk may have been reused.
  var turn = UInt64.max
}
