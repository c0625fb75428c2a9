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
    if isFreed { System.trimHeap() }
  }

  /// Arms a connection's timer for whatever comes first: its deadline, or the age limit of its backlog.
  mutating func scheduleTimer(_ slot: UInt32) {
    var time = connections[slot].deadlineMilliseconds
    if connections[slot].role == .socketIO { time = min(time, joinDeadline(slot)) }
    if connections[slot].outbound.markRemaining > 0 && connections[slot].phase == .open {
      let age = UInt64(UInt32(truncatingIfNeeded: now) &- connections[slot].outbound.markTime)
      let limit = UInt64(limits.outboundAgeMillisecondsMax)
      time = min(time, now + (limit > age ? limit - age : 0))
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
      if isTooOld(slot) {
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

  /// Whether the oldest byte of the backlog has waited longer than allowed.
  private func isTooOld(_ slot: UInt32) -> Bool {
    if connections[slot].outbound.markRemaining == 0 { return false }
    let age = UInt32(truncatingIfNeeded: now) &- connections[slot].outbound.markTime
    return Int(age) >= limits.outboundAgeMillisecondsMax
  }

  /// Pings a connection, or drops it when the last ping was not answered (PROTOCOLS G6); false when it is gone.
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
    if connections[slot].flags.contains(.awaitsPong) {
      drop(slot, .noPong)
      return false
    }
    connections[slot].flags.insert(.awaitsPong)
    connections[slot].deadlineMilliseconds = now + UInt64(shared.configuration.heartbeatIntervalMilliseconds)
    reply(slot, .ping, Span())
    return connections[slot].phase == .open
  }
}
