// The outgoing log of a reactor: several of them exchange frames at random while plain byte arrays say what each queue
// must hold.
import TestSeeds
import Testing

@testable import Buffers

@Suite("Outbox")
struct OutboxTests {
  /// A frame on its way to another reactor: the hold on its chunk travels with it.
  struct Mail {
    let chunk: Chunk
    let start: UInt32
    let end: UInt32
    let bytes: [UInt8]
  }

  struct Connection {
    var queue = OutboundQueue()
    /// What the queue must hold.
    var model: [UInt8] = []
  }

  /// One reactor: its outbox, its connections, its mailbox, and what it appended in this turn.
  struct Node: ~Copyable {
    var outbox = Outbox()
    var gather = GatherList()
    var connections = [Connection](repeating: Connection(), count: 6)
    var mail: [Mail] = []
    /// Frames of this turn that may still be queued on further connections.
    var fresh: [(segment: Segment, bytes: [UInt8], isOwn: Bool)] = []

    /// Appends a frame, as one piece or as reserved pieces.
    mutating func append(_ random: inout SeededRandom) {
      let count = Self.frameCount(&random)
      let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: count) + random.bytes(3)
      var segment: Segment
      if random.once(in: 2) {
        segment = outbox.append(bytes.span)
      } else {
        outbox.reserve(bytes.count)
        segment = outbox.position
        outbox.append(byte: bytes[0])
        let rest = outbox.append(bytes.span.extracting(1..<bytes.count))
        segment.end = rest.end
      }
      fresh.append((segment, bytes, true))
    }

    /// Mostly small, sometimes near or over the size of a chunk.
    static func frameCount(_ random: inout SeededRandom) -> Int {
      switch random.below(40) {
      case 0: Outbox.chunkBytes - 3 + random.below(3) - 1
      case 1: Outbox.chunkBytes * 2 + random.below(1_000)
      case 2...5: random.below(20_000)
      default: random.below(200)
      }
    }

    mutating func enqueue(_ random: inout SeededRandom) {
      guard let frame = fresh.randomElement(using: &random) else { return }
      let index = random.below(connections.count)
      outbox.enqueue(frame.segment, on: &connections[index].queue)
      connections[index].model += frame.bytes
    }

    /// Takes one post: adopts its chunk and treats its frame as one of this turn.
    mutating func receive() {
      guard !mail.isEmpty else { return }
      let post = mail.removeFirst()
      let chunk = outbox.adopt(post.chunk)
      fresh.append((Segment(chunk: chunk, start: post.start, end: post.end), post.bytes, false))
    }

    /// Sends some of a connection's queue, as a socket would take it.
    mutating func send(_ index: Int, _ random: inout SeededRandom, everything: Bool) {
      let total = connections[index].queue.byteCount
      if total == 0 { return }
      outbox.gather(connections[index].queue, into: &gather)
      let offered = gather.byteCount
      let count = everything ? offered : random.once(in: 3) ? offered : random.below(offered + 1)
      outbox.consume(count, from: &connections[index].queue)
      connections[index].model.removeFirst(count)
    }

    mutating func drain(_ index: Int, _ random: inout SeededRandom) {
      while !connections[index].queue.isEmpty { send(index, &random, everything: true) }
    }

    mutating func clear(_ index: Int) {
      outbox.clear(&connections[index].queue)
      connections[index].model = []
    }

    mutating func hold(_ index: Int) { outbox.hold(&connections[index].queue) }

    /// Ends the turn as a reactor does: what was not sent is held.
    mutating func endTurn(_ random: inout SeededRandom) {
      for index in connections.indices {
        if !connections[index].queue.isBlocked && random.below(3) > 0 { drain(index, &random) }
        outbox.hold(&connections[index].queue)
      }
      outbox.endTurn()
      fresh = []
    }

    /// Compares every queue with its model.
    mutating func check(_ seed: UInt64) {
      for index in connections.indices {
        let queue = connections[index].queue
        let count = queue.byteCount
        #expect(count == connections[index].model.count, "seed \(seed)")
        if count == 0 {
          #expect(queue.isEmpty && !queue.isBlocked, "seed \(seed)")
          continue
        }
        outbox.gather(queue, into: &gather)
        let bytes = gathered(gather)
        let isWhole = bytes.count == count || gather.isFull
        let isSame = Array(connections[index].model.prefix(bytes.count)) == bytes
        #expect(isWhole && isSame && !bytes.isEmpty, "connection \(index), seed \(seed)")
        let first = array(outbox.bytes(outbox.first(of: queue)))
        let isSingle = outbox.isSingle(queue)
        #expect(Array(bytes.prefix(first.count)) == first && isSingle == (first.count == count), "seed \(seed)")
      }
    }
  }

  /// Shares a frame of one node with another, or gives the hold back as if the ring had been full.
  static func post(_ nodes: inout FixedArray<Node>, from: Int, to: Int, _ random: inout SeededRandom) {
    guard let frame = nodes[from].fresh.randomElement(using: &random), frame.segment.count > 0 else { return }
    guard frame.isOwn, let chunk = nodes[from].outbox.share(frame.segment, posts: 2) else { return }
    nodes[to].mail.append(Mail(chunk: chunk, start: frame.segment.start, end: frame.segment.end, bytes: frame.bytes))
    if random.once(in: 4) {
      nodes[to].mail.append(Mail(chunk: chunk, start: frame.segment.start, end: frame.segment.end, bytes: frame.bytes))
    } else {
      nodes[from].outbox.unshare(chunk, posts: 1)
    }
  }

  @Test("every queue holds exactly the bytes queued on it, whoever else uses their chunks", arguments: [1, 2, 3])
  func model(reactors: Int) {
    var random = SeededRandom("Outbox model \(reactors)")
    for round in 0..<2 {
      var nodes = FixedArray<Node>(count: reactors) { _ in Node() }
      for step in 0..<1_500 {
        let index = random.below(reactors)
        switch random.below(20) {
        case 0...4: nodes[index].append(&random)
        case 5...10: nodes[index].enqueue(&random)
        case 11: if reactors > 1 { Self.post(&nodes, from: index, to: (index + 1) % reactors, &random) }
        case 12...13: nodes[index].receive()
        case 14...15: nodes[index].send(random.below(6), &random, everything: false)
        case 16:
          if random.once(in: 4) { nodes[index].clear(random.below(6)) }
        case 17:
          nodes[index].hold(random.below(6))
        default: nodes[index].endTurn(&random)
        }
        if step % 16 == 0 { nodes[random.below(reactors)].check(random.seed) }
        if step % 500 == 499 { for number in 0..<reactors { nodes[number].check(random.seed) } }
      }
      Self.finish(&nodes, &random, round)
    }
  }

  /// Drains everything: no chunk may be left waiting.
  static func finish(_ nodes: inout FixedArray<Node>, _ random: inout SeededRandom, _ round: Int) {
    for index in 0..<nodes.count {
      while !nodes[index].mail.isEmpty { nodes[index].receive() }
      for connection in 0..<6 { nodes[index].drain(connection, &random) }
      nodes[index].check(random.seed)
      nodes[index].endTurn(&random)
    }
    for index in 0..<nodes.count {
      // A turn without output: what other reactors have given back meanwhile is taken up.
      nodes[index].outbox.endTurn()
      let (waiting, oldest) = (nodes[index].outbox.waitingBytes, nodes[index].outbox.oldestWaitingMilliseconds)
      #expect(waiting == 0 && oldest == nil, "reactor \(index) round \(round) seed \(random.seed)")
    }
  }

  @Test("the chunks that have waited longest are condemned first, wherever what needs them is")
  func condemned() {
    var owner = Outbox()
    var other = Outbox()
    var local = [OutboundQueue(), OutboundQueue(), OutboundQueue()]
    var remote = OutboundQueue()
    let frame = [UInt8](repeating: 7, count: Outbox.chunkBytes)
    for number in local.indices {
      owner.nowMilliseconds = UInt64(number) * 10
      let segment = owner.append(frame.span)
      // The first chunk is needed by both sides, the others here alone.
      if number == 0, let chunk = owner.share(segment, posts: 1) {
        let entry = other.adopt(chunk)
        other.enqueue(Segment(chunk: entry, start: segment.start, end: segment.end), on: &remote)
        other.hold(&remote)
        other.endTurn()
      }
      owner.enqueue(segment, on: &local[number])
      owner.hold(&local[number])
      owner.endTurn()
    }
    // The last one is still the chunk in use.
    var isOldest = owner.oldestWaitingMilliseconds == 10
    let waiting = owner.waitingBytes
    #expect(waiting == 2 * Outbox.chunkBytes && isOldest)
    var hasAny = owner.hasCondemned || other.hasCondemned
    #expect(!hasAny)

    // Asked for a byte, up to a time before either: the oldest goes all the same, and no more.
    let one = owner.condemn(bytes: 1, upTo: 0)
    #expect(one.bytes == Outbox.chunkBytes && one.isShared)
    var uses = local.map { owner.usesCondemned($0) } + [other.usesCondemned(remote)]
    #expect(uses == [true, false, false, true])
    let again = owner.condemn(bytes: 1, upTo: .max)
    #expect(again.bytes == Outbox.chunkBytes)
    let both = owner.condemn(bytes: .max, upTo: .max)
    #expect(both.bytes == 2 * Outbox.chunkBytes)
    uses = local.map { owner.usesCondemned($0) }
    #expect(uses == [true, true, false])

    for number in local.indices { owner.clear(&local[number]) }
    other.clear(&remote)
    other.endTurn()
    owner.endTurn()
    isOldest = owner.oldestWaitingMilliseconds == nil
    hasAny = owner.hasCondemned || other.hasCondemned
    let left = owner.waitingBytes
    #expect(left == 0 && isOldest && !hasAny)
  }

  @Test("a turn that sent everything starts the next at the same place")
  func reuse() {
    var outbox = Outbox()
    var queue = OutboundQueue()
    let frame = [UInt8](repeating: 7, count: 1_000)
    let first = outbox.append(frame.span)
    for _ in 0..<100 {
      outbox.enqueue(outbox.append(frame.span), on: &queue)
      outbox.consume(1_000, from: &queue)
      outbox.endTurn()
    }
    let position = outbox.position
    #expect(position.chunk == first.chunk && position.start == 0)
    let bytesThisTurn = outbox.bytesThisTurn
    #expect(bytesThisTurn == 0)
  }

  @Test("frames that follow each other stay one segment, and a gap makes two")
  func coalescing() {
    var outbox = Outbox()
    var queue = OutboundQueue()
    let frame = Array("frame".utf8)
    for _ in 0..<10 { outbox.enqueue(outbox.append(frame.span), on: &queue) }
    var isSingle = outbox.isSingle(queue)
    let first = outbox.first(of: queue)
    #expect(isSingle && first.count == 50)
    _ = outbox.append(frame.span)
    outbox.enqueue(outbox.append(frame.span), on: &queue)
    outbox.enqueue(outbox.append(frame.span), on: &queue)
    isSingle = outbox.isSingle(queue)
    let count = queue.byteCount
    #expect(!isSingle && count == 60)
    outbox.enqueue(Segment(chunk: 0, start: 9, end: 9), on: &queue)
    let after = queue.byteCount
    #expect(after == 60)
    outbox.clear(&queue)
    let isEmpty = queue.isEmpty
    #expect(isEmpty)
  }

  @Test("a held queue keeps its chunk while a later turn writes on")
  func holding() {
    var outbox = Outbox()
    var slow = OutboundQueue()
    let frame = Array("kept".utf8)
    outbox.enqueue(outbox.append(frame.span), on: &slow)
    outbox.hold(&slow)
    outbox.endTurn()
    #expect(slow.isBlocked)
    for round in 0..<50 {
      var queue = OutboundQueue()
      let big = [UInt8](repeating: UInt8(round), count: 30_000)
      outbox.enqueue(outbox.append(big.span), on: &queue)
      outbox.consume(30_000, from: &queue)
      outbox.endTurn()
      let kept = array(outbox.bytes(outbox.first(of: slow)))
      #expect(kept == frame)
    }
    let waiting = outbox.waitingBytes
    #expect(waiting == Outbox.chunkBytes, "only the chunk that is held")
    outbox.consume(4, from: &slow)
    let isBlocked = slow.isBlocked
    #expect(!isBlocked)
    outbox.endTurn()
    let left = outbox.waitingBytes
    #expect(left == 0)
  }

  @Test("chunks are given back when a burst is over, but for a few spare ones")
  func spare() {
    var outbox = Outbox()
    var queue = OutboundQueue()
    let big = [UInt8](repeating: 1, count: Outbox.chunkBytes)
    for _ in 0..<100 { outbox.enqueue(outbox.append(big.span), on: &queue) }
    let during = outbox.waitingBytes
    #expect(during >= 98 * Outbox.chunkBytes)
    outbox.hold(&queue)
    outbox.endTurn()
    let held = outbox.waitingBytes
    #expect(held >= 98 * Outbox.chunkBytes)
    outbox.consume(100 * Outbox.chunkBytes, from: &queue)
    outbox.endTurn()
    let after = outbox.waitingBytes
    #expect(after == 0)
    // What stays is the current chunk and the spare ones: another burst needs no more than the first beyond them.
    let spare = outbox.spare.count
    #expect(spare <= Outbox.spareChunksMax)
  }

  @Test("a chunk is not reused while a post for another reactor is on its way")
  func postsInFlight() throws {
    var sender = Outbox()
    var receiver = Outbox()
    let frame = Array("in flight".utf8)
    let segment = sender.append(frame.span)
    let shared = sender.share(segment, posts: 1)
    let chunk = try #require(shared)
    sender.endTurn()
    // The sender goes on through many chunks.
    for round in 0..<20 {
      let noise = [UInt8](repeating: UInt8(round), count: 40_000)
      _ = sender.append(noise.span)
      sender.endTurn()
    }
    let index = receiver.adopt(chunk)
    let bytes = array(receiver.bytes(Segment(chunk: index, start: segment.start, end: segment.end)))
    #expect(bytes == frame)
    let waiting = sender.waitingBytes
    #expect(waiting == Outbox.chunkBytes)
    receiver.endTurn()
    sender.endTurn()
    let after = sender.waitingBytes
    #expect(after == 0, "a turn without output takes back what others have released")
  }
}
