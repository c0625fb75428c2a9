// The event loop of one reactor: wait, read, take the mail, look at the clock, flush. Its own thread.
import Buffers
import EventLoop
import Topics
import Wire

extension Shard where Kernel: ~Copyable {

  /// Serves until the gateway stops and the connections are gone or out of time. Throws when it cannot begin; the
  /// listeners are the caller's then.
  mutating func serve() throws(ListenerFailure) {
    var buffer = ByteBuffer(capacity: Limits.receiveBytes + Limits.tailBytesMax)
    var gather = GatherList()
    guard registerListeners() else {
      closeReserve()
      throw ListenerFailure()
    }
    shared.enterReady()
    telemetryMilliseconds = now + UInt64(shared.configuration.channels.telemetryIntervalMilliseconds)
    while !isDone() { turn(&buffer, &gather) }
    abandon()
    endMail()
    endWaiting()
    _ = shared.changeHeld(-heldReported)
    publishMetrics()
  }

  /// One turn of the loop.
  mutating func turn(_ buffer: inout ByteBuffer, _ gather: inout GatherList) {
    let eventCount = network.wait(timeoutMilliseconds: sleepTime())
    work(eventCount, &buffer, &gather)
  }

  /// What a turn does once it is awake. Apart from `turn`, so that the simulation can let other reactors run while this
  /// one sleeps.
  mutating func work(_ eventCount: Int, _ buffer: inout ByteBuffer, _ gather: inout GatherList) {
    network.disarm()
    let started = network.wokeNanoseconds
    now = started / 1_000_000
    clock.set(network.wallMilliseconds)
    outbox.nowMilliseconds = now
    handshakesThisTurn = 0
    brokenThisTurn = 0
    inflatedThisTurn = 0
    deflatedThisTurn = 0
    effort = 0
    isTurnLate = false

    for index in 0..<eventCount {
      guard let event = network.event(index) else { continue }
      handle(event.token, event.readiness, &buffer)
      flushIfLarge(&gather)
    }
    readAgain(&buffer, &gather)
    continueEngine(&gather)
    takeMail(&gather)
    takeCommands(&gather)
    runTimers()
    if shared.isStopping { drain() }
    reviewHeld()
    flush(&gather)
    sendMail()

    let finished = network.nowNanoseconds
    counters.recordTurn(nanoseconds: finished &- started)
    if now >= publishMetricsMilliseconds { publishMetrics() }
  }

  /// Milliseconds to sleep: none while there is work left, else until the next timer. Arms the doorbell.
  mutating func sleepTime() -> Int {
    if !ready.isEmpty || !posts.isEmpty || !latePolls.isEmpty { return 0 }
    network.arm()
    // After arming: a post published before this look is seen here, one published later rings.
    for index in 0..<consumers.count where index != number && !consumers[index].isEmpty() { return 0 }
    if hasCommands || shared.waiting.callCount != waitingCallsSeen { return 0 }
    // A full ring is tried again soon; its consumer does not tell when there is room.
    if overflowCount > 0 || behind != 0 || !parked.isEmpty { return 1 }
    var limit = Limits.sleepMillisecondsMax
    let current = network.nowNanoseconds / 1_000_000
    if number == 0 && shared.configuration.channels.telemetryIntervalMilliseconds > 0 && drainDeadline == 0 {
      limit = min(limit, telemetryMilliseconds > current ? telemetryMilliseconds - current : 0)
    }
    if unmuteMilliseconds > 0 { limit = min(limit, 100) }
    if drainDeadline > 0 { limit = min(limit, 20) }
    if counters[.turns] != publishedTurns { limit = min(limit, 100) }
    return Int(timers.delay(from: current, atMost: limit))
  }

  /// Dispatches one readiness event.
  @inline(__always)
  private mutating func handle(_ token: SlabToken, _ readiness: Readiness, _ buffer: inout ByteBuffer) {
    if token.generation == 0 {
      accept(listener: token.index)
      return
    }
    guard connections.isCurrent(token) else {
      counters.add(.staleEvents)
      return
    }
    let slot = token.index
    // Kept, because the system says it once, and what was sent before may be read much later.
    if readiness.contains(.readEnd) || readiness.contains(.broken) { connections[slot].flags.insert(.readEnded) }
    if readiness.contains(.broken) && !mayEndNow(token) { return }
    if readiness.contains(.broken) && !readiness.contains(.readable) {
      drop(slot, .networkError)
      return
    }
    if readiness.contains(.writable) && connections[slot].outbound.isBlocked { resume(slot) }
    if readiness.contains(.readable) || readiness.contains(.readEnd) {
      if connections[slot].flags.contains(.ready) { return }
      if connections[slot].flags.contains(.long) {
        readLater(slot, token)
        return
      }
      readable(slot, &buffer, mayHaveEnded: readiness.contains(.readEnd) || readiness.contains(.broken))
    }
  }

  /// Whether a broken connection is dealt with in this turn. When many break at once, most wait for a later one.
  @inline(never)
  private mutating func mayEndNow(_ token: SlabToken) -> Bool {
    if brokenThisTurn == Limits.brokenPerTurnMax || (brokenThisTurn > 0 && isLate()) {
      readLater(token.index, token)
      return false
    }
    brokenThisTurn += 1
    return true
  }

  /// Reads on for connections that had more than one turn's share, each another share.
  private mutating func readAgain(_ buffer: inout ByteBuffer, _ gather: inout GatherList) {
    let count = min(ready.count, Limits.readsAgainPerTurnMax)
    if count == 0 { return }
    // A share of their own for those who had to wait: new ones must not overtake them for ever.
    handshakesThisTurn = 0
    let deadline = network.nowNanoseconds &+ Limits.turnNanoseconds
    var done = 0
    while done < count && (done == 0 || network.nowNanoseconds < deadline) {
      let token = ready[done]
      done += 1
      guard connections.isCurrent(token) else { continue }
      connections[token.index].flags.remove(.ready)
      inflatedThisTurn = 0
      readable(token.index, &buffer, mayHaveEnded: true)
      flushIfLarge(&gather)
    }
    ready.removeFirst(done)
  }

  /// Whether a stopping reactor has nothing left to do. The first serves the admin listener until all others have
  /// ended.
  private func isDone() -> Bool {
    if drainDeadline == 0 { return false }
    if connections.count != adminCount && now < drainDeadline { return false }
    return number != 0 || shared.isLastServing
  }

  /// The number of turns when the metrics were last published: when nothing has happened since, they are up to date.
  private var publishedTurns: UInt64 { shared.metrics[number].load(Counter.turns.rawValue) }

  /// Publishes the counters and measures the gauges.
  mutating func publishMetrics() {
    publishMetricsMilliseconds = now + 100
    counters.set(.connections, connections.count - adminCount)
    counters.set(.webSockets, webSocketCount)
    counters.set(.subscriptions, topics.subscriptionCount)
    counters.set(.topics, topics.topicCount)
    counters.set(.outboundWaitingBytes, outbox.waitingBytes)
    counters.set(.postOverflow, overflowCount)
    counters.set(.timers, timers.count)
    counters.ageLag(nowMilliseconds: now)
    counters.publish(to: shared.metrics[number])
    log.reportSuppressed(nowMilliseconds: Int(now))
  }
}
