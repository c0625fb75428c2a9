// The fan-out workload: one publisher sends bursts, many subscribers get them, each delivery is checked. One thread.
import Buffers
import Compression
import EventLoop

/// What to run.
public struct FanoutPlan: Sendable {
  public var target: Target
  public var publishTarget: Target
  public var access = Access()
  public var subscribers = 100
  public var burst = 1
  /// Bursts a second; nil sends the next one when all deliveries of the last have come.
  public var rate: Double?
  /// Bursts in a round; nil goes by time.
  public var bursts: Int?
  public var seconds = 5.0
  public var warmup = 1.0
  public var payload = 64
  public var rounds = 1
  public var dialogue = Dialogue()
  /// Who the publisher is, and its first words; nil for an `access` like the subscribers'.
  public var publisher: Access?
  public var publisherDialogue: Dialogue?
  /// Sessions to ask the server for, used in turn by the subscribers; 0 for none.
  public var sessions = 0
  public var publish = Template("{payload}")
  public var process: Int?

  public init(target: Target, publishTarget: Target) {
    self.target = target
    self.publishTarget = publishTarget
  }
}

/// What came of it.
public struct FanoutResult: Sendable {
  public var rounds: [Round] = []
  public var check: DeliveryCheck
  /// Bytes of a delivered message.
  public var deliveredLength = 0
  /// Frames that carried no mark: greetings, other broadcasts.
  public var otherFrames = 0
  public var closedConnections = 0
  /// Whether nothing came for `Fanout.stallNanoseconds` though deliveries were outstanding.
  public var stalled = false
  public var interrupted = false

  public var isGood: Bool { check.isPerfect && !stalled && closedConnections == 0 }
}

/// Runs a `FanoutPlan`. Connections 0..<subscribers subscribe, the last one publishes.
struct Fanout: ~Copyable {
  /// With deliveries outstanding and none coming for 5 s, they are lost.
  static let stallNanoseconds: UInt64 = 5_000_000_000

  private let plan: FanoutPlan
  private var pool: ClientPool
  private var image: FrameBurst
  private var finder = MarkerFinder()
  /// For subscribers that negotiated permessage-deflate: `--header "Sec-WebSocket-Extensions: permessage-deflate"`.
  private var inflater = Inflater()
  private var inflated = ByteBuffer(capacity: 4096)
  private var inflatedFinder = MarkerFinder()
  private var held: [Marker]
  private var histogram = Histogram()
  private var progress = Progress()
  private var result: FanoutResult
  private var burstCount = 0
  private var nextChannel = 0
  private let origin = System.monotonicNanoseconds()

  init(_ plan: FanoutPlan) throws(BenchError) {
    self.plan = plan
    let channels = plan.dialogue.channels
    pool = try ClientPool(count: plan.subscribers + 1, access: plan.access)
    image = FrameBurst(plan.publish, count: plan.burst, payload: plan.payload)
    held = [Marker](repeating: Marker(sequence: 0, channel: 0, time: 0), count: plan.subscribers + 1)
    result = FanoutResult(check: DeliveryCheck(receivers: plan.subscribers, channels: channels))
  }

  /// Connects, warms up, measures the rounds.
  static func run(_ plan: FanoutPlan) throws(BenchError) -> FanoutResult {
    var run = try Fanout(plan)
    try run.connect()
    _ = run.publish(seconds: plan.warmup, bursts: plan.bursts == nil ? nil : 0)
    for _ in 0..<plan.rounds where run.canGoOn {
      run.histogram.removeAll()
      let before = run.result.check.received
      let meter = try Meter(process: plan.process)
      let bursts = run.publish(seconds: plan.seconds, bursts: plan.bursts)
      let events = run.result.check.received - before
      let round = meter.end(events: events, sent: UInt64(bursts * plan.burst), run.histogram)
      run.result.rounds.append(round)
    }
    run.progress.end()
    run.result.closedConnections = run.pool.closedCount
    run.result.interrupted = run.progress.interrupted
    return run.result
  }

  private var canGoOn: Bool { !progress.interrupted && !result.stalled && pool.closedCount == 0 }

  private mutating func connect() throws(BenchError) {
    let publisher = plan.subscribers
    if plan.sessions > 0 {
      pool.access.tokens = try HTTPClient.acquireSessions(plan.sessions, plan.target, &progress)
    }
    try pool.openAll(0..<publisher, plan.target, plan.dialogue, &progress)
    if var access = plan.publisher {
      access.tokens = try HTTPClient.acquireSessions(1, plan.publishTarget, &progress)
      pool.access = access
    }
    try pool.openAll(publisher..<publisher + 1, plan.publishTarget, plan.publisherDialogue, &progress)
  }

  /// Publishes for a time or a number of bursts and waits for the last delivery; returns the bursts.
  private mutating func publish(seconds: Double, bursts: Int?) -> Int {
    let start = System.monotonicNanoseconds()
    let end = start + UInt64(seconds * 1e9)
    let interval = plan.rate.map { UInt64(1e9 / $0) }
    var due = start
    var sent = 0
    var lastReceived = result.check.received
    var lastChange = start
    // Interrupted: nothing new leaves, and what is on the way may arrive.
    while !result.stalled && pool.closedCount == 0 {
      let now = System.monotonicNanoseconds()
      let isOver = progress.interrupted || (bursts.map { sent >= $0 } ?? (now >= end))
      let outstanding = result.check.outstanding
      if isOver && outstanding == 0 { break }
      let mayWrite = !isOver && pool.hasSent(plan.subscribers)
      if mayWrite && (interval == nil ? outstanding == 0 : now >= due) {
        publishBurst(at: interval == nil ? now : due)
        due += interval ?? 0
        sent += 1
      }
      if result.check.received != lastReceived || outstanding == 0 {
        lastReceived = result.check.received
        lastChange = now
      } else if now - lastChange > Fanout.stallNanoseconds {
        result.stalled = true
      }
      if progress.turn(now) { progress.line("\(sent) bursts, \(lastReceived) deliveries") }
      let limit = now + ClientPool.glanceNanoseconds
      turn(until: interval != nil && mayWrite ? min(due, limit) : limit)
    }
    return sent
  }

  /// One write with a whole burst. `moment` is when it leaves, or should have left by the schedule.
  private mutating func publishBurst(at moment: UInt64) {
    for index in 0..<plan.burst {
      let number = result.check.publish(nextChannel)
      let channel = UInt16(truncatingIfNeeded: nextChannel)
      image.stamp(index, Marker(sequence: number, channel: channel, time: moment - origin))
      nextChannel = nextChannel + 1 == plan.dialogue.channels ? 0 : nextChannel + 1
    }
    burstCount += 1
    pool.send(plan.subscribers, image.buffer, count: image.buffer.count)
  }

  private mutating func turn(until deadline: UInt64) {
    for event in 0..<pool.wait(until: deadline) {
      guard case .readable(let index) = pool.step(event) else { continue }
      if index == plan.subscribers { pool.discardFrames(index) } else { read(index) }
    }
  }

  /// Takes everything that one subscriber has got.
  private mutating func read(_ index: Int) {
    guard case .moved = pool.receive(index) else { return }
    let now = System.monotonicNanoseconds() - origin
    var offset = 0
    while let frame = pool.nextFrame(index, &offset) {
      switch frame.kind {
      case .data:
        guard let marker = frame.isCompressed ? inflatedMarker(frame) : finder.find(pool.buffer, in: frame.payload)
        else {
          result.otherFrames += 1
          _ = pool.control(index, frame)
          continue
        }
        result.deliveredLength = frame.length
        if frame.isWhole { take(index, marker, now) } else { held[index] = marker }
      case .rest: take(index, held[index], now)
      case .close, .ping, .pong, .broken: if !pool.control(index, frame) { return }
      }
    }
    pool.keep(index, from: offset)
  }

  /// The mark in a compressed frame.
  private mutating func inflatedMarker(_ frame: ServerFrame) -> Marker? {
    inflated.removeAll()
    let outcome = Self.inflate(&inflater, pool.buffer, frame.payload, into: &inflated)
    guard frame.isWhole, outcome == .ok else { return nil }
    return inflatedFinder.find(inflated, in: 0..<inflated.count)
  }

  private static func inflate(
    _ inflater: inout Inflater, _ buffer: borrowing ByteBuffer, _ range: Range<Int>, into out: inout ByteBuffer
  ) -> InflateOutcome {
    inflater.inflate(buffer.bytes.extracting(range), isLast: true, into: &out, limit: 1_048_576)
  }

  @inline(__always)
  private mutating func take(_ index: Int, _ marker: Marker, _ now: UInt64) {
    result.check.deliver(index, marker)
    histogram.record(now > marker.time ? now - marker.time : 0)
  }
}
