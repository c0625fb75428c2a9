// Work of Engine.IO that is cut up over turns: the packets of a POST, and the answers of many polls. The reactor's
// thread.
import Buffers
import EventLoop
import Wire

/// How far a turn has come with a POST.
private enum PostProgress {
  /// All packets are through, or the session has ended by one of them.
  case through
  /// One breaks the protocol of Engine.IO.
  case malformed
  /// There are more.
  case more
}

extension Shard where Kernel: ~Copyable {
  /// Begins with the packets of a POST. What this turn has no time for is taken in later ones, while the connection
  /// waits for its answer; a second POST of the session is refused as long.
  mutating func takePost(_ post: consuming EnginePost, of session: SlabToken) {
    var post = post
    let progress = takePackets(of: &post, session, until: network.wokeNanoseconds &+ Limits.turnNanoseconds)
    settle(post, of: session, progress)
  }

  /// Goes on with what earlier turns had no time for: POSTs and polls, each with a share of the clock of its own.
  @inline(__always)
  mutating func continueEngine(_ gather: inout GatherList) {
    if !posts.isEmpty { continuePosts(&gather) }
    if !latePolls.isEmpty { continuePolls(&gather) }
  }

  // MARK: POSTs

  @inline(never)
  private mutating func continuePosts(_ gather: inout GatherList) {
    let deadline = network.nowNanoseconds &+ Limits.turnNanoseconds
    let count = posts.count
    var done = 0
    while done < count && (done == 0 || network.nowNanoseconds < deadline) {
      let session = posts[done]
      done += 1
      guard connections.isCurrent(session), connections[session.index].role == .socketIO,
        var post = takeRest(of: session)
      else { continue }
      let progress = takePackets(of: &post, session, until: deadline)
      settle(post, of: session, progress)
      flushIfLarge(&gather)
    }
    posts.removeFirst(done)
  }

  private mutating func takeRest(of session: SlabToken) -> EnginePost? {
    guard var engine = engines.take(connections[session.index].engine) else { return nil }
    let post = engine.post
    engine.post = nil
    engines.putBack(engine, at: connections[session.index].engine)
    if let post { postBytes -= post.body.count }
    return post
  }

  /// Takes packets until there are no more, the session has ended, or the time is up.
  private mutating func takePackets(
    of post: inout EnginePost, _ session: SlabToken, until deadline: UInt64
  ) -> PostProgress {
    let body = post.body
    let bytes = body.span
    var packets = 0
    var byteCount = 0
    // It may have ended between two turns.
    if connections[session.index].phase != .open { return .through }
    while true {
      switch post.reader.next(bytes) {
      case .packet(let packet):
        counters.add(.messagesIn)
        if isWithinRate(session.index, packet.body.count + 1) { receive(session.index, packet, bytes) }
        if !connections.isCurrent(session) || connections[session.index].phase != .open { return .through }
        packets += 1
        byteCount += packet.body.count
      case .end:
        return .through
      case .malformed:
        return .malformed
      }
      if packets < Limits.packetsAtOnceMax && byteCount < Limits.longMessageBytes { continue }
      if network.nowNanoseconds >= deadline { return .more }
      packets = 0
      byteCount = 0
    }
  }

  /// Answers a POST whose packets are through; else its connection waits, unless so much waits already that the session
  /// must end.
  private mutating func settle(_ post: EnginePost, of session: SlabToken, _ progress: PostProgress) {
    if case .more = progress {
      if postBytes + post.body.count > Limits.postBytesWaitingMax {
        answerPost(post, nil, isTooMuch: true)
        if connections.isCurrent(session) { endEngine(session.index, .rateLimited) }
        return
      }
      postBytes += post.body.count
      withEngine(session.index) { $0.post = post }
      posts.append(session)
      let slot = post.connection.index
      if connections.isCurrent(post.connection) && connections[slot].phase != .polling {
        connections[slot].phase = .polling
        connections[slot].engine = session.index
        timers.cancel(slot)
      }
      return
    }
    if connections.isCurrent(session) { withEngine(session.index) { $0.isPosting = false } }
    let isAccepted = if case .through = progress { true } else { false }
    answerPost(post, isAccepted ? nil : .badRequest)
    if !isAccepted && connections.isCurrent(session) { endEngine(session.index, .badPacket) }
  }

  /// Sends the answer of a POST, if its connection still waits, and reads on from there.
  mutating func answerPost(_ post: EnginePost, _ refusal: EngineIORefusal?, isTooMuch: Bool = false) {
    guard connections.isCurrent(post.connection) else { return }
    let slot = post.connection.index
    let hasWaited = connections[slot].phase == .polling
    var exchange = post.exchange
    if hasWaited {
      connections[slot].engine = Pool<EngineSession>.none
      connections[slot].phase = .head
      exchange.keepsAlive = exchange.keepsAlive && drainDeadline == 0
    }
    if isTooMuch {
      refuseEngine(
        slot, .serviceUnavailable, "Too many requests", exchange, retryAfterSeconds: Limits.retryAfterSeconds)
    } else if let refusal {
      refuseEngine(slot, refusal, exchange)
    } else {
      respondOK(slot, exchange)
    }
    if hasWaited { lookAgain(slot) }
  }

  /// The answer to a POST that was taken.
  mutating func respondOK(_ slot: UInt32, _ exchange: EngineExchange) {
    nameScratch.removeAll()
    nameScratch.append("ok")
    respondEngine(slot, exchange, .ok, "text/html")
  }

  // MARK: Polls

  /// Keeps what waits for a session's poll for a later turn, because this one has lasted long enough: to write packets
  /// and their base64 costs more than to hand a socket its bytes, and thousands may poll.
  mutating func answerPollLater(_ slot: UInt32) {
    var isListed = false
    withEngine(slot) { engine in
      isListed = engine.isPollLate
      engine.isPollLate = true
    }
    if !connections[slot].outbound.isEmpty { block(slot) }
    if !isListed { latePolls.append(connections.token(of: slot)) }
  }

  @inline(never)
  private mutating func continuePolls(_ gather: inout GatherList) {
    let deadline = network.nowNanoseconds &+ Limits.turnNanoseconds
    let count = latePolls.count
    var done = 0
    while done < count && (done == 0 || network.nowNanoseconds < deadline) {
      let session = latePolls[done]
      done += 1
      guard connections.isCurrent(session), connections[session.index].role == .socketIO else { continue }
      withEngine(session.index) { $0.isPollLate = false }
      // A WebSocket that has taken over meanwhile was sent everything.
      if connections[session.index].fd < 0 { flushPoll(session.index, isDue: true) }
      flushIfLarge(&gather)
    }
    latePolls.removeFirst(done)
  }
}
