// The echo workload: every connection keeps a number of messages on the way and sends one for each that returns. One thread.
import Buffers
import EventLoop

/// What to run.
public struct EchoPlan: Sendable {
  public var target: Target
  public var access = Access()
  public var connections = 100
  public var payload = 64
  /// Messages on the way per connection.
  public var pipeline = 1
  public var seconds = 5.0
  public var warmup = 1.0
  public var rounds = 1
  /// Messages per connection, instead of by time: one round, no warm-up.
  public var messages: Int?
  public var process: Int?

  public init(target: Target) { self.target = target }
}

/// What came of it.
public struct EchoResult: Sendable {
  public var rounds: [Round] = []
  public var check: DeliveryCheck
  public var closedConnections = 0
  public var stalled = false
  public var interrupted = false

  public var isGood: Bool { check.isPerfect && !stalled && closedConnections == 0 }
}

/// Runs an `EchoPlan`. Each connection is a channel of its own to the check.
struct Echo: ~Copyable {
  private let plan: EchoPlan
  private var pool: ClientPool
  private var image: FrameBurst
  private var finder = MarkerFinder()
  private var held: [Marker]
  private var left: [Int]
  private var histogram = Histogram()
  private var progress = Progress()
  private var result: EchoResult
  private let origin = System.monotonicNanoseconds()

  init(_ plan: EchoPlan) throws(BenchError) {
    self.plan = plan
    pool = try ClientPool(count: plan.connections, access: plan.access)
    image = FrameBurst(Template("{payload}"), count: plan.pipeline, payload: plan.payload)
    held = [Marker](repeating: Marker(sequence: 0, channel: 0, time: 0), count: plan.connections)
    left = [Int](repeating: plan.messages ?? .max, count: plan.connections)
    result = EchoResult(check: DeliveryCheck(receivers: plan.connections, channels: plan.connections))
  }

  /// Connects, warms up, measures the rounds without a pause between them, and waits for the last echo.
  static func run(_ plan: EchoPlan) throws(BenchError) -> EchoResult {
    var run = try Echo(plan)
    try run.pool.openAll(0..<plan.connections, plan.target, nil, &run.progress)
    var meter = try Meter(process: plan.process)
    for index in 0..<plan.connections { run.post(index, min(plan.pipeline, run.left[index])) }
    if plan.messages == nil {
      run.loop(seconds: plan.warmup)
    }
    for _ in 0..<(plan.messages == nil ? plan.rounds : 1) where run.canGoOn {
      run.histogram.removeAll()
      let before = plan.messages == nil ? run.result.check.received : 0
      if plan.messages == nil { meter = try Meter(process: plan.process) }
      run.loop(seconds: plan.messages == nil ? plan.seconds : 3600)
      let events = run.result.check.received - before
      run.result.rounds.append(meter.end(events: events, sent: events, run.histogram))
    }
    for index in 0..<plan.connections { run.left[index] = 0 }
    run.loop(seconds: 3600)
    run.progress.end()
    run.result.closedConnections = run.pool.closedCount
    run.result.interrupted = run.progress.interrupted
    return run.result
  }

  private var canGoOn: Bool { !result.stalled && pool.closedCount == 0 && !progress.interrupted }

  /// Runs for a time, or until nothing is on the way any more.
  private mutating func loop(seconds: Double) {
    let start = System.monotonicNanoseconds()
    let end = start + UInt64(seconds * 1e9)
    var lastReceived = result.check.received
    var lastChange = start
    while !result.stalled && pool.closedCount == 0 && result.check.outstanding > 0 {
      let now = System.monotonicNanoseconds()
      if now >= end { return }
      if result.check.received != lastReceived {
        lastReceived = result.check.received
        lastChange = now
      } else if now - lastChange > Fanout.stallNanoseconds {
        result.stalled = true
      }
      if progress.turn(now) { progress.line("\(lastReceived) messages") }
      // Interrupted: nothing new is sent, and what is on the way comes back.
      if progress.interrupted { for index in 0..<left.count { left[index] = 0 } }
      for event in 0..<pool.wait(until: min(end, now + ClientPool.glanceNanoseconds)) {
        if case .readable(let index) = pool.step(event) { read(index) }
      }
    }
  }

  /// Sends `count` messages in one write.
  private mutating func post(_ index: Int, _ count: Int) {
    if count == 0 { return }
    left[index] -= count
    let time = System.monotonicNanoseconds() - origin
    for frame in 0..<count {
      let number = result.check.publish(index)
      image.stamp(frame, Marker(sequence: number, channel: UInt16(truncatingIfNeeded: index), time: time))
    }
    pool.send(index, image.buffer, count: count * image.stride)
  }

  private mutating func read(_ index: Int) {
    guard case .moved = pool.receive(index) else { return }
    let now = System.monotonicNanoseconds() - origin
    var offset = 0
    var returned = 0
    while let frame = pool.nextFrame(index, &offset) {
      switch frame.kind {
      case .data:
        guard let marker = finder.find(pool.buffer, in: frame.payload) else { continue }
        if frame.isWhole { returned += take(index, marker, now) } else { held[index] = marker }
      case .rest: returned += take(index, held[index], now)
      case .close, .ping, .pong, .broken: if !pool.control(index, frame) { return }
      }
    }
    pool.keep(index, from: offset)
    // A server that doubled messages must not make the burst longer than the image.
    post(index, min(returned, left[index], plan.pipeline))
  }

  @inline(__always)
  private mutating func take(_ index: Int, _ marker: Marker, _ now: UInt64) -> Int {
    result.check.deliver(index, marker)
    histogram.record(now > marker.time ? now - marker.time : 0)
    return 1
  }
}
