// Sending: everything that a turn queued for a connection leaves in one system call. Step 7 of the data path. Reactor's
// thread.
import Buffers
import EventLoop

extension Shard where Kernel: ~Copyable {
  /// Sends what the turn has queued, and ends the turn for the outbox.
  mutating func flush(_ gather: inout GatherList) {
    closeRun()
    flushDirty(&gather)
    outbox.endTurn()
    adoptedBytes = 0
    if mustReviewWaiting() {
      reviewWaiting()
      // Whoever was ended may have had a poll to answer, and has let go of chunks.
      flushDirty(&gather)
      outbox.endTurn()
    }
  }

  /// Flushes before the turn is over when it has queued so much that the log would fall out of the cache.
  @inline(__always)
  mutating func flushIfLarge(_ gather: inout GatherList) {
    if outbox.bytesThisTurn + adoptedBytes > Limits.turnBytesMax { flush(&gather) }
  }

  /// The loop over the connections that got output in this turn.
  @inline(never)
  mutating func flushDirty(_ gather: inout GatherList) {
    var index = 0
    // Sending can end connections, and ending one can queue a last frame for it: the list may grow meanwhile.
    while index < dirty.count {
      let slot = dirty[index]
      index += 1
      if !connections[slot].flags.contains(.dirty) { continue }
      connections[slot].flags.remove(.dirty)
      send(slot, &gather)
    }
    dirty.removeAll()
  }

  /// Sends as much of a connection's queue as its socket takes. The rest is held until there is room.
  @inline(__always)
  private mutating func send(_ slot: UInt32, _ gather: inout GatherList) {
    let total = connections[slot].outbound.byteCount
    if total == 0 { return }
    if connections[slot].fd < 0 {
      flushPoll(slot)
      return
    }
    guard outbox.isSingle(connections[slot].outbound) else {
      sendRest(slot, &gather)
      return
    }
    let segment = outbox.first(of: connections[slot].outbound)
    switch network.send(connections[slot].fd, outbox.bytes(segment)) {
    case .moved(let count) where count == total && !connections[slot].outbound.isBlocked:
      counters.add(.bytesOut, count)
      outbox.consume(count, from: &connections[slot].outbound)
      if connections[slot].phase != .open { sentAll(slot) }
    case .moved(let count):
      counters.add(.bytesOut, count)
      settle(slot, sent: count)
      sentPart(slot, count < total)
    case .wouldBlock:
      block(slot)
    case .end, .failed:
      breakOff(slot)
    }
  }

  /// After a send that took something: blocked when it was not everything that was offered.
  @inline(never)
  private mutating func sentPart(_ slot: UInt32, _ isShort: Bool) {
    if isShort {
      block(slot)
    } else if connections[slot].outbound.isEmpty {
      becameEmpty(slot)
    }
  }

  /// The connection cannot be sent to any more.
  @inline(never)
  private mutating func breakOff(_ slot: UInt32) {
    outbox.clear(&connections[slot].outbound)
    drop(slot, .networkError)
  }

  /// The way of a queue in several pieces, or of a socket that did not take everything.
  @inline(never)
  private mutating func sendRest(_ slot: UInt32, _ gather: inout GatherList) {
    while !connections[slot].outbound.isEmpty {
      outbox.gather(connections[slot].outbound, into: &gather)
      let wanted = gather.byteCount
      switch network.send(connections[slot].fd, gathered: gather) {
      case .moved(let count):
        counters.add(.bytesOut, count)
        settle(slot, sent: count)
        if count < wanted {
          block(slot)
          return
        }
      case .wouldBlock:
        block(slot)
        return
      case .end, .failed:
        breakOff(slot)
        return
      }
    }
    becameEmpty(slot)
  }

  /// The queue of a connection that had been blocked, or had several pieces, is empty.
  mutating func becameEmpty(_ slot: UInt32) {
    if connections[slot].flags.contains(.pongOwed) { answerOwedPong(slot) }
    if connections[slot].flags.contains(.hasCalls) { resumeCalls(slot) }
    if connections[slot].phase != .open { sentAll(slot) }
  }

  /// Takes sent bytes off the queue and moves the mark by which its age is told.
  mutating func settle(_ slot: UInt32, sent count: Int) {
    connections[slot].flags.insert(.takesOutput)
    outbox.consume(count, from: &connections[slot].outbound)
    let mark = Int(connections[slot].outbound.markRemaining)
    if mark == 0 { return }
    if count < mark {
      connections[slot].outbound.markRemaining = UInt32(mark - count)
    } else {
      // The oldest byte of the mark has gone: what is left is younger. Mark again from here.
      connections[slot].outbound.markRemaining = UInt32(clamping: connections[slot].outbound.byteCount)
      connections[slot].outbound.markTime = UInt32(truncatingIfNeeded: now)
      // The peer reads, so a flood begins anew, and pings are answered again, unless an earlier one's pong is owed.
      if !connections[slot].flags.contains(.pongOwed) { connections[slot].flags.remove(.pongWaits) }
      connections[slot].pingsBacklog = 0
    }
  }

  /// Keeps the rest of a queue for when the socket has room, and starts its age.
  mutating func block(_ slot: UInt32) {
    outbox.hold(&connections[slot].outbound)
    if connections[slot].outbound.markRemaining == 0 {
      connections[slot].outbound.markRemaining = UInt32(clamping: connections[slot].outbound.byteCount)
      connections[slot].outbound.markTime = UInt32(truncatingIfNeeded: now)
    }
    scheduleTimer(slot)
  }

  /// The socket of a blocked connection has room again.
  mutating func resume(_ slot: UInt32) {
    if connections[slot].flags.contains(.dirty) { return }
    connections[slot].flags.insert(.dirty)
    dirty.append(slot)
  }

  /// Whether a blocked connection may be sent `count` more bytes although its backlog has no room for them. It may when
  /// its socket takes enough of the backlog now: then this reactor was late, and not the client. And while nothing has
  /// waited for long: a burst of others is more than any socket takes in one turn.
  mutating func spare(_ slot: UInt32, _ count: Int) -> Bool {
    if connections[slot].fd >= 0 { sendSome(slot) }
    let backlog = connections[slot].outbound.byteCount + count
    if backlog <= limits.outboundBytesMax { return true }
    return backlogAge(slot) < Limits.slowGraceMilliseconds
      && backlog <= limits.outboundBytesMax + Limits.slowGraceBytesMax
  }

  /// Sends as much of a blocked connection's backlog as its socket takes, but for the last byte: it stays blocked, and
  /// what follows from an empty queue is left to the flush, since this is called while subscribers are being walked.
  mutating func sendSome(_ slot: UInt32) {
    while connections[slot].outbound.byteCount > 1 {
      let segment = outbox.first(of: connections[slot].outbound)
      let isLast = outbox.isSingle(connections[slot].outbound)
      let wanted = isLast ? segment.count - 1 : segment.count
      let transfer = network.send(connections[slot].fd, outbox.bytes(segment).extracting(0..<wanted))
      guard case .moved(let count) = transfer else { return }
      counters.add(.bytesOut, count)
      settle(slot, sent: count)
      if isLast || count < wanted { return }
    }
  }

  /// How long the oldest byte of the backlog has waited, in milliseconds.
  func backlogAge(_ slot: UInt32) -> Int {
    Int(UInt32(truncatingIfNeeded: now) &- connections[slot].outbound.markTime)
  }

  /// Everything queued for a connection that is not an open WebSocket has been sent.
  private mutating func sentAll(_ slot: UInt32) {
    guard connections[slot].phase == .closing else { return }
    if connections[slot].flags.contains(.peerEnded) {
      drop(slot, connections[slot].reason)
      return
    }
    network.shutdownWrite(connections[slot].fd)
    connections[slot].phase = .lingering
    startPatience(slot)
  }
}
