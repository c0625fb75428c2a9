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
      // Behind an overflow everything queues up, so that order is kept.
      if overflow[target].isEmpty && producers[target].push(post) {
        pushed |= 1 << UInt64(target)
        counters.add(.posts)
      } else {
        overflowPost(post, target)
      }
    }
  }

  /// Keeps a post for later, or drops it, counted and logged, when even the list is full.
  @inline(never)
  private mutating func overflowPost(_ post: Post, _ target: Int) {
    if overflow[target].count >= Limits.postOverflowMax {
      outbox.unshare(post.chunk, posts: 1)
      counters.add(.postsDropped)
      log.log(.error, "reactor-queue-full", nowMilliseconds: Int(now), [("reactor", .integer(target))])
      return
    }
    overflow[target].append(post)
    overflowCount += 1
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

  /// Delivers what other reactors have posted, a bounded number from each.
  mutating func takeMail(_ gather: inout GatherList) {
    for source in 0..<consumers.count where source != number {
      var count = 0
      while count < Limits.postsPerTurnMax, let post = consumers[source].pop() {
        count += 1
        receive(post)
        flushIfLarge(&gather)
      }
      if count > 0 { counters.add(.postsReceived, count) }
    }
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
