// Between reactors: posting published frames by reference, and taking those of others. The reactor's thread.
import Buffers
import Dialects
import EventLoop
import Topics

extension Shard where Kernel: ~Copyable {
  /// Posts a frame to the audience's other reactors. The posts become visible when the turn ends, all at once.
  mutating func post(_ frame: Segment, _ name: Segment, _ data: Segment, to audience: Audience) {
    guard let chunk = outbox.share(frame, posts: audience.reactors.nonzeroBitCount) else { return }
    let post = Post(
      chunk: chunk, frameStart: frame.start, frameEnd: frame.end, dataStart: data.start, dataEnd: data.end,
      nameStart: name.start, nameEnd: name.end, hash: audience.hash, space: audience.space)
    var rest = audience.reactors
    while rest != 0 {
      let target = rest.trailingZeroBitCount
      rest &= rest - 1
      postedBytes[target] &+= UInt64(truncatingIfNeeded: post.byteCount)
      if postedBytes[target] &- postedBytesTaken[target] >= UInt64(shared.bounds.postBytesBehind)
        && isBehind(target, with: post)
      {
        continue
      }
      // Behind an overflow everything queues up, so that order is kept.
      if overflow[target].isEmpty && producers[target].push(post) {
        pushed |= 1 << UInt64(target)
        counters.add(.posts)
      } else {
        overflowPost(post, target)
      }
    }
  }

  /// The bytes on their way to a reactor, as it says itself.
  private mutating func bytesUnderWay(to target: Int) -> UInt64 {
    postedBytesTaken[target] = shared.mail.taken(from: number, by: target)
    return postedBytes[target] &- postedBytesTaken[target]
  }

  /// A reactor may be behind: notes it, and drops the post when even the bound is reached; true then.
  @inline(never)
  private mutating func isBehind(_ target: Int, with post: Post) -> Bool {
    let underWay = bytesUnderWay(to: target)
    if underWay < UInt64(shared.bounds.postBytesBehind) { return false }
    behind |= 1 << UInt64(target)
    hasPostedToBehind = true
    if underWay <= UInt64(shared.bounds.postBytesMax) { return false }
    dropPost(post, target)
    return true
  }

  /// Drops a post that was counted as on its way.
  private mutating func dropPost(_ post: Post, _ target: Int) {
    postedBytes[target] &-= UInt64(truncatingIfNeeded: post.byteCount)
    outbox.unshare(post.chunk, posts: 1)
    counters.add(.postsDropped)
    log.log(.error, "reactor-queue-full", nowMilliseconds: Int(now), [("reactor", .integer(target))])
  }

  /// Keeps a post for later, or drops it, counted and logged, when even the list is full.
  @inline(never)
  private mutating func overflowPost(_ post: Post, _ target: Int) {
    if overflow[target].count >= Limits.postOverflowMax {
      dropPost(post, target)
      return
    }
    overflow[target].append(post)
    overflowCount += 1
    // Very many small posts are as much as few long ones.
    if overflow[target].count >= Limits.postOverflowBehind {
      behind |= 1 << UInt64(target)
      hasPostedToBehind = true
    }
  }

  // MARK: Publishers that wait

  /// Whether a connection that has just sent something must wait, because a reactor that it posts to is behind.
  @inline(__always)
  mutating func mustPark() -> Bool { hasPostedToBehind ? takePostedToBehind() : false }

  @inline(never)
  private mutating func takePostedToBehind() -> Bool {
    hasPostedToBehind = false
    // A stopping gateway waits for nobody: the other reactor may have ended.
    return behind != 0 && drainDeadline == 0
  }

  /// Reads from a connection no more until everyone has caught up. The flag `ready` keeps events from reading
  /// meanwhile.
  mutating func park(_ slot: UInt32, _ token: SlabToken) {
    if connections[slot].flags.contains(.ready) { return }
    connections[slot].flags.insert(.ready)
    parked.append(token)
  }

  /// Looks whether those who were behind have caught up with half of it: then commands that waited are carried out, and
  /// everyone is read from again; the one first and the other a turn later, by turns.
  private mutating func lookAfterBehind() {
    if drainDeadline > 0 { behind = 0 }
    var rest = behind
    while rest != 0 {
      let target = rest.trailingZeroBitCount
      rest &= rest - 1
      if bytesUnderWay(to: target) < UInt64(shared.bounds.postBytesBehind / 2)
        && overflow[target].count < Limits.postOverflowBehind / 2
      {
        behind &= ~(1 << UInt64(target))
      }
    }
    if behind != 0 { return }
    letsCommandsFirst.toggle()
    if letsCommandsFirst && !commandsHeld.isEmpty { return }
    unpark()
  }

  /// Everyone is read from again.
  mutating func unpark() {
    for index in 0..<parked.count { ready.append(parked[index]) }
    parked.removeAll()
  }

  /// The reactor ends: gives back the holds of posts that it will not send, and of those that nobody else will take.
  mutating func endMail() {
    for other in 0..<consumers.count where other != number {
      for index in 0..<overflow[other].count { outbox.unshare(overflow[other][index].chunk, posts: 1) }
      if var left = producers[other].end() {
        while let post = left.pop() { outbox.unshare(post.chunk, posts: 1) }
      }
      if consumers[other].end() {
        while let post = consumers[other].pop() { outbox.unshare(post.chunk, posts: 1) }
      }
    }
  }

  /// Ends a turn towards the others: what overflowed is tried again, what was pushed is published, and whoever sleeps
  /// is woken.
  mutating func sendMail() {
    if overflowCount > 0 { retryOverflow() }
    if behind != 0 || !parked.isEmpty { lookAfterBehind() }
    var rest = pushed
    pushed = 0
    while rest != 0 {
      let target = rest.trailingZeroBitCount
      rest &= rest - 1
      if producers[target].publish() && network.wake(target) { counters.add(.wakeUps) }
    }
  }

  private mutating func retryOverflow() {
    for target in 0..<overflow.count where !overflow[target].isEmpty {
      var sent = 0
      while sent < overflow[target].count && producers[target].push(overflow[target][sent]) { sent += 1 }
      if sent == 0 { continue }
      overflow[target].removeFirst(sent)
      overflowCount -= sent
      counters.add(.posts, sent)
      pushed |= 1 << UInt64(target)
    }
  }

  /// Delivers what other reactors have posted, until the share of a turn is used up: of its time, and of bytes, because
  /// subscribers can take no more before the next. Each turn begins with another reactor's posts.
  mutating func takeMail(_ gather: inout GatherList) {
    if others == 0 { return }
    mailCursor = mailCursor + 1 < consumers.count ? mailCursor + 1 : 0
    var share = MailShare()
    for step in 0..<consumers.count where !share.isUsedUp {
      let source = mailCursor + step < consumers.count ? mailCursor + step : mailCursor + step - consumers.count
      if source != number { takeMail(from: source, &share, &gather) }
    }
  }

  private mutating func takeMail(from source: Int, _ share: inout MailShare, _ gather: inout GatherList) {
    var count = 0
    var bytes = 0
    while !share.isUsedUp, let post = consumers[source].pop() {
      count += 1
      bytes += post.byteCount
      receive(post)
      effort &+= Limits.effortPerMessage
      flushIfLarge(&gather)
      share.take(post.byteCount)
      if effort >= Limits.effortBetweenLooks {
        effort = 0
        share.look(at: network.nowNanoseconds)
      }
    }
    if count == 0 { return }
    counters.add(.postsReceived, count)
    shared.mail.take(bytes, from: source, by: number)
  }

  private mutating func receive(_ post: Post) {
    let chunk = outbox.adopt(post.chunk)
    adoptedBytes += Int(post.frameEnd - post.frameStart)
    let name = Segment(chunk: chunk, start: post.nameStart, end: post.nameEnd)
    let frame = Segment(chunk: chunk, start: post.frameStart, end: post.frameEnd)
    if let topic = topics.find(outbox.bytes(name), space: post.space, hash: post.hash) {
      deliver(topic, frame, Segment(chunk: chunk, start: post.dataStart, end: post.dataEnd))
    }
    if post.space == Space.eventRooms.rawValue { deliverPersonal(name, frame) }
  }
}

/// What one turn may take of others' posts.
private struct MailShare {
  private var bytes = 0
  private var deadline: UInt64 = 0
  private(set) var isUsedUp = false

  mutating func take(_ count: Int) {
    bytes += count
    if bytes >= Limits.turnBytesMax { isUsedUp = true }
  }

  /// The first look starts the clock.
  mutating func look(at nanoseconds: UInt64) {
    if deadline == 0 { deadline = nanoseconds &+ Limits.turnNanoseconds }
    if nanoseconds >= deadline { isUsedUp = true }
  }
}
