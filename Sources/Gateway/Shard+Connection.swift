// Receiving: from the socket into the reactor's one buffer, and from there to whatever the connection speaks. Reactor's
// thread.
import Buffers
import EventLoop
import Wire

extension Shard where Kernel: ~Copyable {

  /// Reads what a socket has, a bounded number of times, and hands it on. Step 2 of the data path.
  mutating func readable(_ slot: UInt32, _ buffer: inout ByteBuffer, mayHaveEnded: Bool) {
    let token = connections.token(of: slot)
    // Whatever was posted before was another's doing.
    hasPostedToBehind = false
    if connections[slot].phase.isBeforeOpen {
      if handshakesThisTurn == Limits.handshakesPerTurnMax {
        readLater(slot, token)
        return
      }
      handshakesThisTurn += 1
    }
    reading: for _ in 0..<Limits.readsPerTurnMax {
      // Somebody is at work for it: what comes meanwhile stays in the socket, but its end is seen.
      if connections[slot].phase == .answering || connections[slot].phase == .polling {
        if connections[slot].flags.contains(.readEnded) { peerLeft(slot) }
        return
      }
      let share = receiveShare(slot)
      let answersBefore = counters[.messagesOut]
      buffer.removeAll()
      let kept = connections[slot].inbound
      var inbound = Inbound()
      if kept != Pool<Inbound>.none, let taken = inbounds.take(kept) { inbound = taken }
      if inbound.inflating != nil {
        // Nothing behind this message is looked at before it is through.
        let isThrough = continueInflating(slot, &inbound)
        if !isThrough || !connections.isCurrent(token) || connections[slot].flags.contains(.takesOver) {
          keep(inbound, of: token, at: kept)
          break reading
        }
        connections[slot].flags.insert(.resumed)
        if mustPark() {
          park(slot, token)
          keep(inbound, of: token, at: kept)
          return
        }
        if !inbound.tail.isEmpty && isLate() {
          keep(inbound, of: token, at: kept)
          break reading
        }
      }
      let isResumed = connections[slot].flags.contains(.resumed)
      buffer.append(inbound.tail.bytes)
      inbound.tail = ByteBuffer()
      let before = buffer.count
      if before > 0 && isResumed {
        // Nothing is read before what has been read is used.
        process(slot, token, &buffer, &inbound)
        keep(inbound, of: token, at: kept)
        break reading
      }
      let transfer = network.receive(connections[slot].fd, into: &buffer, atMost: share)
      if case .moved(let count) = transfer {
        counters.add(.bytesIn, count)
        // Whatever it is, it is a sign of life: inside a long message a client cannot send a pong.
        connections[slot].flags.remove(.awaitsPong)
        process(slot, token, &buffer, &inbound)
      } else if before > 0 {
        inbound.tail.append(buffer.bytes)
      }
      let isInflating = inbound.inflating != nil
      keep(inbound, of: token, at: kept)
      switch transfer {
      case .moved(let count):
        guard connections.isCurrent(token) else { return }
        // It waits for a reactor that it posts to.
        if connections[slot].flags.contains(.ready) { return }
        // What it has sent is enough for this turn, and no event will tell of it again.
        if isInflating || connections[slot].flags.contains(.resumed) { break reading }
        // Less than was asked for means that the socket is empty; the next byte makes a new edge.
        if count < share && !mayHaveEnded { return }
        if count == share {
          if share == receiveShare && !connections[slot].flags.contains(.long) {
            adaptShare(counters[.messagesOut] &- answersBefore)
          }
          if isLate() { break reading }
        }
      case .wouldBlock:
        return
      case .end:
        peerEnded(slot)
        return
      case .failed:
        drop(slot, .networkError)
        return
      }
    }
    if connections.isCurrent(token) { readLater(slot, token) }
  }

  /// How much the next read of a connection takes: less of a long message, and less when the turn has lasted long.
  private func receiveShare(_ slot: UInt32) -> Int {
    // Requests behind the one at hand may have to be kept until that one has been answered.
    if isTurnLate || connections[slot].phase.isBeforeOpen { return Limits.receiveBytesMin }
    return connections[slot].flags.contains(.long) ? min(receiveShare, Limits.receiveBytesInitial) : receiveShare
  }

  /// Whether this turn has lasted so long that what can wait must.
  mutating func isLate() -> Bool {
    if network.nowNanoseconds &- network.wokeNanoseconds > Limits.turnNanoseconds { isTurnLate = true }
    return isTurnLate
  }

  /// The same, when enough has been done since the last look to look again.
  @inline(never)
  private mutating func isLateByEffort() -> Bool {
    effort = 0
    return isLate()
  }

  mutating func readLater(_ slot: UInt32, _ token: SlabToken) {
    if connections[slot].flags.contains(.ready) { return }
    connections[slot].flags.insert(.ready)
    ready.append(token)
  }

  /// After a full read that cost so many answers: the next one is smaller when they took long, or larger, because a
  /// burst of publishes is best taken as one. Bytes alone do not tell: 200 KiB are one message, or ten thousand pings.
  private mutating func adaptShare(_ answers: UInt64) {
    if answers > Limits.answersPerReadMax {
      receiveShare = max(receiveShare / 2, Limits.receiveBytesMin)
    } else if answers < Limits.answersPerReadMax / 4 {
      receiveShare = min(receiveShare * 2, Limits.receiveBytes)
    }
  }

  /// Works through bytes that another reactor received.
  mutating func receiveAgain(_ token: SlabToken, _ bytes: Span<UInt8>) {
    var buffer = ByteBuffer(capacity: bytes.count)
    buffer.append(bytes)
    var inbound = Inbound()
    process(token.index, token, &buffer, &inbound)
    keep(inbound, of: token, at: Pool<Inbound>.none)
    if connections.isCurrent(token) && !connections[token.index].flags.isDisjoint(with: [.long, .resumed]) {
      readLater(token.index, token)
    }
  }

  /// Puts the side allocation back, or drops it when it holds nothing or its connection has gone. A WebSocket that has
  /// finished its upgrade goes over to its session then, with what is kept.
  private mutating func keep(_ inbound: consuming Inbound, of token: SlabToken, at index: UInt32) {
    var inbound = inbound
    guard connections.isCurrent(token) else {
      heldBytes -= inbound.heldBytes
      if index != Pool<Inbound>.none { inbounds.discard(index) }
      return
    }
    if inbound.isLong {
      connections[token.index].flags.insert(.long)
    } else {
      connections[token.index].flags.remove(.long)
    }
    if inbound.isIdle {
      heldBytes -= inbound.heldBytes
      if index != Pool<Inbound>.none { inbounds.discard(index) }
      connections[token.index].inbound = Pool<Inbound>.none
      return finishKeeping(token)
    }
    countHeld(&inbound)
    if index != Pool<Inbound>.none {
      inbounds.putBack(inbound, at: index)
    } else {
      connections[token.index].inbound = inbounds.insert(inbound)
    }
    finishKeeping(token)
  }

  @inline(__always)
  private mutating func finishKeeping(_ token: SlabToken) {
    if connections[token.index].flags.contains(.takesOver) { finishUpgrade(token.index) }
  }

  /// Works through the bytes of `buffer`. What cannot be used yet goes into `inbound.tail`.
  private mutating func process(
    _ slot: UInt32, _ token: SlabToken, _ buffer: inout ByteBuffer, _ inbound: inout Inbound
  ) {
    var offset = 0
    connections[slot].flags.remove(.resumed)
    while offset < buffer.count {
      switch connections[slot].phase {
      case .proxy:
        if !receiveProxyHeader(slot, &buffer, &offset, &inbound) { return }
      case .head:
        if !receiveHead(slot, &buffer, &offset, &inbound) { return }
      case .body:
        if !receiveBody(slot, &buffer, &offset, &inbound) { return }
      case .answering, .polling:
        inbound.tail.append(buffer.bytes.extracting(offset..<buffer.count))
        return
      case .open:
        receiveFrames(slot, token, &buffer, &offset, &inbound)
        if !connections.isCurrent(token) { return }
        if connections[slot].phase == .open { return }
      case .closing, .lingering:
        inbound.message = ByteBuffer()
        inbound.inflating = nil
        inbound.decoder = FrameDecoder()
        return
      }
    }
  }

  /// Decodes frames until the buffer is used up or the connection is no longer open. Step 3 of the data path.
  private mutating func receiveFrames(
    _ slot: UInt32, _ token: SlabToken, _ buffer: inout ByteBuffer, _ offset: inout Int, _ inbound: inout Inbound
  ) {
    let role = connections[slot].role
    let frameLimits = frameLimits(role)
    let allowsCompression = connections[slot].deflate != 0
    while true {
      var handled = 0
      let step = inbound.decoder.next(
        in: &buffer, at: &offset, sender: .client, allowsCompression: allowsCompression, limits: frameLimits)
      switch step {
      case .needsMore(let from):
        inbound.tail.append(buffer.bytes.extracting(from..<buffer.count))
        offset = buffer.count
        return
      case .message(let opcode, let range, let isCompressed):
        counters.add(.messagesIn)
        if !isWithinRate(slot, range.count) { break }
        handled = range.count
        if isCompressed {
          receiveCompressed(slot, role, opcode, buffer.bytes.extracting(range), &inbound)
        } else {
          receive(slot, role, opcode, buffer.bytes.extracting(range))
        }
      case .part(let opcode, let range, let isLast, let isCompressed):
        assemble(buffer.bytes.extracting(range), &inbound.message)
        if isLast {
          counters.add(.messagesIn)
          var message = ByteBuffer()
          swap(&message, &inbound.message)
          if !isWithinRate(slot, message.count) { break }
          handled = message.count
          if isCompressed {
            receiveCompressed(slot, role, opcode, message.bytes, &inbound)
          } else {
            receive(slot, role, opcode, message.bytes)
          }
          // Kept for the next, however large, until `tidy` comes by.
          message.removeAll()
          if message.capacity > assembled.capacity { swap(&message, &assembled) }
        }
      case .control(let opcode, let range):
        receiveControl(slot, opcode, buffer.bytes.extracting(range), &inbound)
      case .violation(let violation):
        close(slot, CloseReason(violation), violation.text)
      }
      guard connections.isCurrent(token), connections[slot].phase == .open else { return }
      if inbound.inflating != nil || connections[slot].flags.contains(.takesOver) {
        // What lies behind a message that is not through, or behind the last packet of an upgrade, keeps its place.
        inbound.tail.append(buffer.bytes.extracting(offset..<buffer.count))
        offset = buffer.count
        return
      }
      effort &+= handled &+ Limits.effortPerMessage
      let isParked = mustPark()
      if isParked || (effort >= Limits.effortBetweenLooks && isLateByEffort()) {
        if isParked { park(slot, token) }
        // What is kept is used before more is read.
        if offset < buffer.count { connections[slot].flags.insert(.resumed) }
        inbound.tail.append(buffer.bytes.extracting(offset..<buffer.count))
        offset = buffer.count
        return
      }
    }
  }

  /// Appends a part to a message, which moves into the memory of the last long one where it becomes long itself.
  private mutating func assemble(_ part: Span<UInt8>, _ message: inout ByteBuffer) {
    if message.count + part.count >= Limits.longMessageBytes && assembled.capacity > message.capacity {
      swap(&message, &assembled)
      message.append(assembled.bytes)
      assembled.removeAll()
    }
    message.append(part)
  }

  /// Hands a whole message to the dialect. Step 4 of the data path.
  mutating func receive(_ slot: UInt32, _ role: Role, _ opcode: Opcode, _ message: Span<UInt8>) {
    switch role {
    case .channels: receiveChannels(slot, opcode, message)
    case .echo: reply(slot, opcode, message)
    case .socketIO: receiveEngine(slot, opcode, message)
    case .engineProbe: receiveProbe(slot, opcode, message)
    case .events: receiveEvents(slot, opcode, message)
    case .walkers: receiveWalkers(slot, opcode, message)
    case .handlers: receiveHandlers(slot, opcode, message)
    case .sessions: receiveSessions(slot, opcode, message)
    case .none: break
    }
  }

  /// Ping, pong and close. RFC 6455 section 5.5.
  private mutating func receiveControl(
    _ slot: UInt32, _ opcode: Opcode, _ body: Span<UInt8>, _ inbound: inout Inbound
  ) {
    switch opcode {
    case .ping: receivePing(slot, body, &inbound)
    case .pong:
      // Its bytes were a sign of life already.
      break
    default:
      do {
        acceptClose(slot, try CloseBody.decode(body))
      } catch {
        close(slot, CloseReason(error), error.text)
      }
    }
  }

  /// Answers a ping. While the socket is full one pong waits and the latest ping is remembered, which RFC 6455 5.5.3
  /// allows; a peer that goes on pinging without reading is closed (HOSTILE 20).
  private mutating func receivePing(_ slot: UInt32, _ body: Span<UInt8>, _ inbound: inout Inbound) {
    if !connections[slot].outbound.isBlocked {
      connections[slot].flags.remove(.pongWaits)
      connections[slot].pingsBacklog = 0
    } else if connections[slot].flags.contains(.pongWaits) {
      let pings = connections[slot].pingsBacklog
      if Int(pings) >= limits.pingsBacklogMax || pings == .max {
        close(slot, .pingFlood, "ping flood")
        return
      }
      connections[slot].pingsBacklog += 1
      connections[slot].flags.insert(.pongOwed)
      inbound.owedPong.removeAll()
      inbound.owedPong.append(body)
      return
    } else {
      connections[slot].flags.insert(.pongWaits)
    }
    reply(slot, .pong, body)
  }

  /// The socket of a connection that owes a pong has taken everything: answers the latest ping.
  @inline(never)
  mutating func answerOwedPong(_ slot: UInt32) {
    connections[slot].flags.remove(.pongOwed)
    connections[slot].flags.remove(.pongWaits)
    connections[slot].pingsBacklog = 0
    guard connections[slot].phase == .open else { return }
    var body = ByteBuffer()
    let index = connections[slot].inbound
    if index != Pool<Inbound>.none, var inbound = inbounds.take(index) {
      swap(&body, &inbound.owedPong)
      if inbound.isIdle {
        heldBytes -= inbound.heldBytes
        inbounds.discard(index)
        connections[slot].inbound = Pool<Inbound>.none
      } else {
        inbounds.putBack(inbound, at: index)
      }
    }
    reply(slot, .pong, body.bytes)
  }

  /// Takes a message from a connection's allowance, where there is one; false, and the connection is closed, when it
  /// is used up.
  @inline(__always)
  mutating func isWithinRate(_ slot: UInt32, _ bytes: Int) -> Bool {
    limits.messagesPerSecondMax == 0 && limits.bytesPerSecondMax == 0 ? true : takeFromRate(slot, bytes)
  }

  @inline(never)
  private mutating func takeFromRate(_ slot: UInt32, _ bytes: Int) -> Bool {
    let generation = connections.token(of: slot).generation
    while rates.count <= Int(slot) { rates.append(ConnectionRate()) }
    if rates[Int(slot)].generation != generation { rates[Int(slot)] = ConnectionRate(generation: generation) }
    let isWithin = rates[Int(slot)].take(bytes, limits, nowMilliseconds: UInt32(truncatingIfNeeded: now))
    if !isWithin { close(slot, .rateLimited, "rate limit") }
    return isWithin
  }

  /// Reads the PROXY protocol header with which a connection must begin here; false when more bytes are needed or it is
  /// gone.
  private mutating func receiveProxyHeader(
    _ slot: UInt32, _ buffer: inout ByteBuffer, _ offset: inout Int, _ inbound: inout Inbound
  ) -> Bool {
    let bytes = buffer.bytes.extracting(offset..<buffer.count)
    switch ProxyHeader.parse(bytes) {
    case .incomplete:
      inbound.tail.append(bytes)
      offset = buffer.count
      return false
    case .malformed:
      logClose(slot, .badProxyHeader)
      drop(slot, .badProxyHeader)
      return false
    case .complete(let length, let address):
      offset += length
      if let address {
        let peer = PeerAddress(high: address.high, low: address.low, port: address.port)
        connections[slot].client = peer
      }
      connections[slot].phase = .head
      countPeer(slot)
      return true
    }
  }

  func frameLimits(_ role: Role) -> FrameLimits {
    if role == .echo {
      return FrameLimits(messageBytesMax: Limits.echoMessageBytesMax, fragmentsMax: Limits.echoFragmentsMax)
    }
    if role == .socketIO || role == .engineProbe {
      return FrameLimits(messageBytesMax: shared.engineSettings.payloadBytesMax, fragmentsMax: limits.fragmentsMax)
    }
    return FrameLimits(messageBytesMax: limits.messageBytesMax, fragmentsMax: limits.fragmentsMax)
  }

  /// The peer has finished sending. What was queued for it before is still delivered when it asked by HTTP.
  private mutating func peerEnded(_ slot: UInt32) {
    switch connections[slot].phase {
    case .open:
      drop(slot, .disconnected)
    case .lingering:
      drop(slot, connections[slot].reason)
    case .answering, .polling:
      peerLeft(slot)
    case .proxy, .head, .body, .closing:
      if connections[slot].outbound.isEmpty {
        drop(slot, connections[slot].phase == .closing ? connections[slot].reason : .disconnected)
      } else {
        if connections[slot].phase == .body { abandonRequest(connections[slot].inbound) }
        if connections[slot].phase != .closing { connections[slot].reason = .httpDone }
        connections[slot].phase = .closing
        connections[slot].flags.insert(.peerEnded)
      }
    }
  }

  /// The peer has ended the connection, or its side of it, while an answer was awaited: nobody is taken to wait for it
  /// any more. A call is cancelled, a session ends; answers to earlier requests are still sent.
  @inline(never)
  private mutating func peerLeft(_ slot: UInt32) {
    if connections[slot].phase == .polling || connections[slot].outbound.isEmpty {
      drop(slot, .disconnected)
    } else {
      connections[slot].flags.insert(.peerEnded)
      finish(slot, .disconnected)
    }
  }
}
