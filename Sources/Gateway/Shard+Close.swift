// Endings: the close handshake, slow consumers, sudden losses. The reactor's thread.
import Buffers
import EventLoop
import Topics
import Wire

extension Shard where Kernel: ~Copyable {
  /// Starts the closing handshake from this side: everything queued before is still sent, then the close frame. The
  /// connection leaves its topics at once.
  mutating func close(_ slot: UInt32, _ reason: CloseReason, _ text: StaticString, _ denial: Denial? = nil) {
    // First the run: it may find this very connection too slow and close it.
    closeRun()
    guard connections[slot].phase == .open else { return }
    if let code = reason.closeCode {
      nameScratch.removeAll()
      CloseBody.append(code, text, to: &nameScratch)
      let frame = FrameEncoder.append(.close, nameScratch, to: &outbox)
      outbox.enqueue(frame, on: &connections[slot].outbound)
      markDirty(slot)
    }
    logClose(slot, reason, denial)
    finish(slot, reason)
  }

  /// Answers the peer's close frame with one of the same code. RFC 6455 section 5.5.1.
  mutating func acceptClose(_ slot: UInt32, _ code: UInt16?) {
    // As in `close`: a close frame may be queued already.
    closeRun()
    guard connections[slot].phase == .open else { return }
    nameScratch.removeAll()
    if let code { CloseBody.append(code, "", to: &nameScratch) }
    let frame = FrameEncoder.append(.close, nameScratch, to: &outbox)
    outbox.enqueue(frame, on: &connections[slot].outbound)
    markDirty(slot)
    logClose(slot, .client)
    finish(slot, .client)
  }

  /// Nothing more is sent than what is queued; then the end. What still arrives is thrown away.
  mutating func finish(_ slot: UInt32, _ reason: CloseReason) {
    closeRun()
    connections[slot].reason = reason
    connections[slot].phase = .closing
    if connections[slot].flags.contains(.hasCalls) { cancelCalls(slot) }
    topics.unsubscribeAll(&connections[slot].subscriptions)
    if connections[slot].role == .events { leavePersonalRooms(slot) }
    // Polling goes on at once, and not when the probing WebSocket has gone.
    if connections[slot].role == .engineProbe && connections[slot].engine != Pool<EngineSession>.none {
      probeAborted(connections[slot].engine, connections.token(of: slot))
    }
    startPatience(slot)
    // The peer's end must be seen, also of one that waited for a reactor.
    if !parked.isEmpty && connections[slot].flags.contains(.ready) { ready.append(connections.token(of: slot)) }
    // Without a socket there is no peer to be patient with: the flush ends it.
    if connections[slot].fd < 0 {
      resume(slot)
      return
    }
    // With nothing to send, the flush would not come by.
    if connections[slot].outbound.isEmpty {
      network.shutdownWrite(connections[slot].fd)
      connections[slot].phase = .lingering
    }
  }

  /// The peer now has so long to end the connection from its side.
  mutating func startPatience(_ slot: UInt32) {
    connections[slot].deadlineMilliseconds = now + UInt64(limits.closeTimeoutMilliseconds)
    timers.schedule(slot, at: connections[slot].deadlineMilliseconds)
  }

  /// A subscriber's backlog has no room for `messageCount` more messages.
  @inline(never)
  mutating func becomeSlow(_ slot: UInt32, _ messageCount: Int) {
    counters.add(.deliveriesDropped, messageCount)
    if shared.configuration.slowConsumerPolicy == .close {
      close(slot, .slow, "slow")
    } else {
      let client = connections[slot].client
      log.log(
        .info, "deliveries-dropped", nowMilliseconds: Int(now), [("client", .text(client.description))])
    }
  }

  /// Ends a connection at once: its socket is closed, its subscriptions, its identity and its buffers go.
  mutating func drop(_ slot: UInt32, _ reason: CloseReason, resets: Bool = false) {
    closeRun()
    let connection = connections[slot]
    if connection.phase == .open { logClose(slot, reason) }
    // A connection that was already ending keeps the reason for which it ends.
    let isEnding = connection.phase == .closing || connection.phase == .lingering
    let isAdmin = shared.listeners[Int(connection.listener)].isAdmin
    let told = isEnding ? connection.reason : reason
    // A scrape that ends in order is nothing that a client did; one that breaks a limit is counted.
    if !isAdmin || told.rule.level > .debug { counters.countClose(told) }
    if isAdmin { adminCount -= 1 }
    topics.unsubscribeAll(&connections[slot].subscriptions)
    if connection.role == .events { leavePersonalRooms(slot) }
    outbox.clear(&connections[slot].outbound)
    if connection.flags.contains(.announced) { recordLifecycle(.disconnected, slot) }
    users.release(connection.user)
    users.release(connection.place)
    users.release(connection.alias)
    if connection.flags.contains(.hasCalls) { cancelCalls(slot) }
    if connection.phase == .body { abandonRequest(connection.inbound) }
    // Taken out while it is being read into, it is discarded by the reader instead.
    if connection.inbound != Pool<Inbound>.none && inbounds.isIn(connection.inbound) {
      discardInbound(connection.inbound)
    }
    if connection.flags.contains(.counted) { webSocketCount -= 1 }
    if connection.flags.contains(.admitted) { shared.addresses.leave(connection.client) }
    if connection.deflateContext != Pool<DeflateContext>.none { deflateContexts.discard(connection.deflateContext) }
    timers.cancel(slot)
    forgetProxy(slot)
    let token = connections.token(of: slot)
    connections.remove(slot)
    if !isAdmin { shared.leaveConnection() }
    if connection.engine != Pool<EngineSession>.none { leaveEngine(connection, token, reason) }
    if connection.fd < 0 { return }
    switch reason {
    case _ where resets:
      network.reset(connection.fd)
    case .networkError, .noPong, .slow, .handshakeTimeout, .badProxyHeader:
      network.reset(connection.fd)
    default:
      network.close(connection.fd)
    }
  }

  // MARK: Stopping

  /// The reactor ends: closes what is left, and tells everyone who waits for something of it.
  mutating func abandon() {
    closeListeners(andAdmin: true)
    // From now on commands are refused. Of those that waited, the waiters are told; a connection on its way here is
    // nobody else's.
    var rest: [Command] = commandsHeld + commandsTaken.reversed()
    for command in rest { command.failWaiter() }
    rest += commands.close()
    for case .adopt(let handover) in rest {
      if handover.isAdmitted { shared.addresses.leave(handover.client) }
      shared.leaveConnection()
      network.close(handover.fd)
    }
    var left = 0
    for slot in 0..<UInt32(connections.indexEnd) where connections.isLive(slot) {
      if !shared.listeners[Int(connections[slot].listener)].isAdmin { left += 1 }
      drop(slot, .goingAway)
    }
    shared.leave(left)
    closeReserve()
  }

  /// One turn of stopping: no new connections, 1001 to every WebSocket, the end for everything else.
  mutating func drain() {
    if drainDeadline == 0 {
      drainDeadline = now + UInt64(limits.drainTimeoutMilliseconds)
      closeListeners(andAdmin: false)
    }
    let end = min(UInt32(connections.indexEnd), drainCursor + Limits.drainsPerTurnMax)
    while drainCursor < end {
      let slot = drainCursor
      drainCursor += 1
      guard connections.isLive(slot) else { continue }
      // The admin listener answers to the end, so that a probe sees why.
      if shared.listeners[Int(connections[slot].listener)].isAdmin { continue }
      switch connections[slot].phase {
      case .open: close(slot, .goingAway, "server stopping")
      case .proxy, .head, .body, .answering: finish(slot, .goingAway)
      // A session whose client was to be told by its next poll.
      case .closing where connections[slot].fd < 0: drop(slot, .goingAway)
      // Its session, which ends too, answers a poll.
      case .closing, .lingering, .polling: break
      }
    }
  }
}
