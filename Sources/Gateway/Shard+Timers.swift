// What happens by the clock: handshake deadlines, heartbeats, patience with slow and silent peers, telemetry. Reactor's
// thread.
import Buffers
import EventLoop
import Wire

extension Shard where Kernel: ~Copyable {
  /// Looks at every connection whose time has come, and at the reactor's own clocks.
  mutating func runTimers() {
    timers.advance(to: now)
    var deadline: UInt64 = 0
    for _ in 0..<Limits.timersPerTurnMax {
      guard let slot = timers.popExpired() else { break }
      if connections.isLive(slot) { timerFired(slot) }
      // A share of their own: neither they nor what was before them may keep the rest waiting.
      let current = network.nowNanoseconds
      if deadline == 0 { deadline = current &+ Limits.turnNanoseconds }
      if current >= deadline { break }
    }
    if number == 0 && shared.configuration.channels.telemetryIntervalMilliseconds > 0
      && now >= telemetryMilliseconds && drainDeadline == 0
    {
      broadcastTelemetry()
    }
    if unmuteMilliseconds > 0 { unmuteListeners() }
    if now >= tidyAtMilliseconds { tidy() }
  }

  /// Gives back what a large message or a burst has made the scratch buffers and the outbox grow to, and what many
  /// calls leave in the heaps of other threads.
  private mutating func tidy() {
    tidyAtMilliseconds = now + Limits.tidyMilliseconds
    receiveShare = Limits.receiveBytesInitial
    let limit = Limits.scratchKeptBytesMax
    var isFreed = outbox.releaseSpare(keeping: Limits.spareChunksKeptMax)
    if scratch.release(above: limit) { isFreed = true }
    if nameScratch.release(above: limit) { isFreed = true }
    if inflated.release(above: limit) { isFreed = true }
    if assembled.release(above: limit) { isFreed = true }
    if deflated.release(above: limit) { isFreed = true }
    if compressedRun.release(above: limit) { isFreed = true }
    if number == 0 && shared.takeEndOfManyCalls() { isFreed = true }
    if outbox.takeFreedBytes() >= Limits.freedBytesMany { isFreed = true }
    if isFreed { System.trimHeap() }
  }

  /// Arms a connection's timer for whatever comes first: its deadline, or the age limit of its backlog.
  mutating func scheduleTimer(_ slot: UInt32) {
    var time = connections[slot].deadlineMilliseconds
    if connections[slot].role == .socketIO { time = min(time, joinDeadline(slot)) }
    if connections[slot].outbound.markRemaining > 0 && connections[slot].phase == .open {
      let age = backlogAge(slot)
      let limit = isOverLimit(slot) ? Limits.slowGraceMilliseconds : limits.outboundAgeMillisecondsMax
      time = min(time, now + UInt64(max(0, limit - age)))
    }
    timers.schedule(slot, at: time)
  }

  private mutating func timerFired(_ slot: UInt32) {
    switch connections[slot].phase {
    case .polling:
      return
    case .answering:
      if now < connections[slot].deadlineMilliseconds { break }
      connections[slot].flags.remove(.keepsAlive)
      finishAnswer(slot, HTTPAnswer(status: 504))
      return
    case .proxy, .head, .body:
      if now < connections[slot].deadlineMilliseconds { break }
      if connections[slot].phase == .body && bodyGoesOn(slot) { break }
      requestTimedOut(slot)
      return
    case .closing, .lingering:
      if now < connections[slot].deadlineMilliseconds { break }
      counters.add(.closeTimeouts)
      let reason = connections[slot].reason
      log.log(
        .info, "close-timeout", nowMilliseconds: Int(now), [("reason", .text(reason.label.description))])
      drop(slot, reason, resets: true)
      return
    case .open:
      if isTooOld(slot) && !forgive(slot) {
        becomeSlow(slot, 0)
        if connections[slot].phase != .open { return }
        // Policy `drop`: the backlog stays, and its age is looked at again after as long.
        connections[slot].outbound.markTime = UInt32(truncatingIfNeeded: now)
      }
      let isDue = now >= connections[slot].deadlineMilliseconds || connections[slot].role == .socketIO
      if isDue && !heartbeat(slot) { return }
    }
    scheduleTimer(slot)
  }

  /// Whether the oldest byte of the backlog has waited longer than allowed: not for long where there is more than may
  /// wait.
  private func isTooOld(_ slot: UInt32) -> Bool {
    if connections[slot].outbound.markRemaining == 0 { return false }
    let age = backlogAge(slot)
    return age >= limits.outboundAgeMillisecondsMax || (isOverLimit(slot) && age >= Limits.slowGraceMilliseconds)
  }

  /// Whether a connection whose backlog is too old is not to blame: when this reactor, or the whole machine, stood
  /// still, its socket could not be tried in time. It is tried now, and has a moment more.
  private mutating func forgive(_ slot: UInt32) -> Bool {
    if connections[slot].fd < 0 { return false }
    let limit = isOverLimit(slot) ? Limits.slowGraceMilliseconds : limits.outboundAgeMillisecondsMax
    let isLate = backlogAge(slot) >= limit + Limits.lateReactorMilliseconds
    sendSome(slot)
    resume(slot)
    if !isTooOld(slot) { return true }
    if !isLate { return false }
    let allowed = UInt32(clamping: max(0, limit - Limits.lateReactorMilliseconds))
    connections[slot].outbound.markTime = UInt32(truncatingIfNeeded: now) &- allowed
    return true
  }

  /// Whether a connection was spared, but has more waiting than it may. Policy `drop` leaves it at that.
  private func isOverLimit(_ slot: UInt32) -> Bool {
    connections[slot].outbound.byteCount > limits.outboundBytesMax
      && shared.configuration.slowConsumerPolicy == .close
  }

  /// Pings a connection, or drops it when nothing has come from it since the last ping (PROTOCOLS G6, 9); false when it
  /// is gone.
  private mutating func heartbeat(_ slot: UInt32) -> Bool {
    if connections[slot].role == .echo {
      connections[slot].deadlineMilliseconds = now + UInt64(Limits.echoIdleMilliseconds)
      return true
    }
    if connections[slot].role == .socketIO { return engineTimerFired(slot) }
    if connections[slot].role == .engineProbe {
      close(slot, .sessionEnded, "")
      return false
    }
    let interval = UInt64(shared.configuration.heartbeatIntervalMilliseconds)
    connections[slot].deadlineMilliseconds = now + interval
    let isPinged = connections[slot].flags.contains(.pinged)
    connections[slot].flags.remove(.pinged)
    // Something from it is here already, and was only not read yet.
    if connections[slot].flags.contains(.ready) { connections[slot].flags.remove(.awaitsPong) }
    if isOutputUnderWay(slot) { return true }
    if isPinged && connections[slot].flags.contains(.awaitsPong) {
      drop(slot, .noPong)
      return false
    }
    if isPinged {
      connections[slot].deadlineMilliseconds = now + Limits.heartbeatPauseMilliseconds
      return true
    }
    connections[slot].flags.formUnion([.pinged, .awaitsPong])
    reply(slot, .ping, Span())
    return connections[slot].phase == .open
  }

  /// Whether a connection is still being sent what was queued before, and has taken some of it since the last look: a
  /// ping waits behind that, so the limits of the backlog judge and not the pong.
  mutating func isOutputUnderWay(_ slot: UInt32) -> Bool {
    let takesOutput = connections[slot].flags.contains(.takesOutput)
    connections[slot].flags.remove(.takesOutput)
    if !takesOutput || !connections[slot].outbound.isBlocked { return false }
    connections[slot].flags.remove(.awaitsPong)
    return true
  }
}
