// What a reactor counts. Its thread adds to plain integers and publishes them from time to time for the metrics page.
import Buffers

/// One thing that a reactor counts or measures, exported as a Prometheus metric.
enum Counter: Int, CaseIterable {
  case connectionsAccepted, connectionsRefused
  case messagesIn, messagesOut, deliveries, publishes, broadcasts
  case bytesIn, bytesOut
  case posts, postsReceived, postsDropped, wakeUps
  case handovers
  case deliveriesDropped, sendsRefused, staleEvents, turns, busyNanoseconds, closeTimeouts
  // Gauges.
  case connections, webSockets, subscriptions, topics, outboundWaitingBytes, postOverflow, timers

  var isGauge: Bool { rawValue >= Counter.connections.rawValue }

  /// The name after `martlet_`.
  var name: String {
    switch self {
    case .connectionsAccepted: "connections_accepted_total"
    case .connectionsRefused: "connections_refused_total"
    case .messagesIn: "messages_received_total"
    case .messagesOut: "messages_sent_total"
    case .deliveries: "deliveries_total"
    case .publishes: "publishes_total"
    case .broadcasts: "broadcasts_total"
    case .bytesIn: "received_bytes_total"
    case .bytesOut: "sent_bytes_total"
    case .posts: "reactor_posts_sent_total"
    case .postsReceived: "reactor_posts_received_total"
    case .postsDropped: "reactor_posts_dropped_total"
    case .wakeUps: "reactor_wakeups_total"
    case .handovers: "connections_handed_over_total"
    case .deliveriesDropped: "deliveries_dropped_total"
    case .sendsRefused: "sends_refused_total"
    case .staleEvents: "stale_events_total"
    case .turns: "event_loop_turns_total"
    case .busyNanoseconds: "event_loop_busy_seconds_total"
    case .closeTimeouts: "close_timeouts_total"
    case .connections: "connections"
    case .webSockets: "websockets"
    case .subscriptions: "subscriptions"
    case .topics: "topics"
    case .outboundWaitingBytes: "outbound_waiting_bytes"
    case .postOverflow: "reactor_post_overflow"
    case .timers: "timers"
    }
  }

  var help: String {
    switch self {
    case .connectionsAccepted: "TCP and Unix-domain connections accepted."
    case .connectionsRefused: "Connections refused because a limit was reached."
    case .messagesIn:
      "Whole WebSocket messages received, text and binary but no control frames; and the packets in bodies of "
        + "Engine.IO polling. Over both, heartbeats and attachments of Engine.IO count."
    case .messagesOut: "Messages sent as answers to one connection."
    case .deliveries: "Messages queued for subscribers, one for each subscriber."
    case .publishes: "Messages published by clients."
    case .broadcasts: "Messages broadcast by the gateway itself."
    case .bytesIn: "Bytes received from clients."
    case .bytesOut: "Bytes sent to clients."
    case .posts: "Messages handed to other reactors."
    case .postsReceived: "Messages taken from other reactors."
    case .postsDropped: "Messages for another reactor that its queue and the overflow list had no room for."
    case .wakeUps: "System calls made to wake another reactor."
    case .handovers: "Connections moved to the reactor that owns their Engine.IO session."
    case .deliveriesDropped:
      "Deliveries dropped because the subscriber was too slow, whether it was then closed or not."
    case .sendsRefused: "Messages of the application for a Socket.IO client that are no event, or no namespace's."
    case .staleEvents: "Readiness events for a connection that had already gone."
    case .turns: "Turns of the event loop."
    case .closeTimeouts: "Connections reset because the peer did not end them in time after the close."
    case .busyNanoseconds: "Seconds that the event loop spent working rather than waiting."
    case .connections: "Open connections of clients, plain HTTP included."
    case .webSockets: "Open WebSocket connections."
    case .subscriptions: "Subscriptions."
    case .topics: "Topics with a subscriber."
    case .outboundWaitingBytes: "Bytes of full outgoing chunks kept for slow subscribers or other reactors."
    case .postOverflow: "Messages waiting for room in another reactor's queue."
    case .timers: "Armed timers."
    }
  }
}

/// The numbers of one reactor: plain, so that counting is one addition.
struct Counters {
  /// Buckets of the event-loop lag histogram; the last one takes what is over the last bound.
  static let lagBuckets = 13

  private var values = [32 of UInt64](repeating: 0)
  private(set) var closes = [32 of UInt64](repeating: 0)
  private(set) var refusals = [32 of UInt64](repeating: 0)
  private(set) var denials = [32 of UInt64](repeating: 0)
  private(set) var lag = [13 of UInt64](repeating: 0)
  private(set) var lagNanoseconds: UInt64 = 0
  /// The longest turn of each of the last `lagWindows` periods; `lagWindow` is the number of the period at hand.
  private var lagMax = [12 of UInt64](repeating: 0)
  private var lagWindow: UInt64 = 0
  private var lagIndex = 0

  @inline(__always)
  mutating func add(_ counter: Counter, _ amount: Int = 1) {
    values[counter.rawValue] &+= UInt64(truncatingIfNeeded: amount)
  }

  @inline(__always)
  mutating func set(_ counter: Counter, _ value: Int) { values[counter.rawValue] = UInt64(clamping: value) }

  subscript(counter: Counter) -> UInt64 { values[counter.rawValue] }

  mutating func countClose(_ reason: CloseReason) { closes[Int(reason.rawValue)] &+= 1 }

  mutating func countRefusal(_ refusal: Refusal) { refusals[Int(refusal.rawValue)] &+= 1 }

  mutating func countDenial(_ denial: Denial) { denials[Int(denial.rawValue)] &+= 1 }

  /// Records how long one turn of the loop took, which is how long a ready socket may have had to wait.
  @inline(__always)
  mutating func recordTurn(nanoseconds: UInt64) {
    add(.turns)
    add(.busyNanoseconds, Int(truncatingIfNeeded: nanoseconds))
    lagNanoseconds &+= nanoseconds
    lagMax[lagIndex] = max(lagMax[lagIndex], nanoseconds)
    let microseconds = Int(truncatingIfNeeded: nanoseconds / 1000)
    var bucket = 0
    // Turns are short: the first comparisons nearly always decide.
    while bucket < 12 && microseconds > Counters.lagBound(bucket) { bucket += 1 }
    lag[bucket] &+= 1
  }

  /// Periods of which the longest turn is kept, five seconds each: a minute, in which a scrape is sure to fall.
  static let lagWindows = 12
  static let lagWindowMilliseconds: UInt64 = 5_000

  /// The longest turn of the last minute.
  var lagMaxNanoseconds: UInt64 {
    var longest: UInt64 = 0
    for index in 0..<Self.lagWindows { longest = max(longest, lagMax[index]) }
    return longest
  }

  /// Forgets the turns of more than a minute ago. Called at least once a second.
  mutating func ageLag(nowMilliseconds: UInt64) {
    let window = nowMilliseconds / Self.lagWindowMilliseconds
    var steps = min(window &- lagWindow, UInt64(Self.lagWindows))
    lagWindow = window
    while steps > 0 {
      lagIndex = lagIndex + 1 == Self.lagWindows ? 0 : lagIndex + 1
      lagMax[lagIndex] = 0
      steps -= 1
    }
  }

  /// The upper bound of a bucket of the event-loop lag histogram, in microseconds.
  @inline(__always)
  static func lagBound(_ bucket: Int) -> Int {
    switch bucket {
    case 0: 100
    case 1: 250
    case 2: 500
    case 3: 1_000
    case 4: 2_500
    case 5: 5_000
    case 6: 10_000
    case 7: 25_000
    case 8: 50_000
    case 9: 100_000
    case 10: 250_000
    default: 1_000_000
    }
  }

  // The published form: values, closes, refusals, lag buckets, lag sum, lag maximum, denials.
  static let closeWords = 32
  static let refusalWords = 64
  static let lagWords = 96
  static let lagSumWord = 109
  static let lagMaxWord = 110
  static let denialWords = 111
  static let wordCount = 143

  /// Copies everything where other threads may read it.
  func publish(to words: AtomicWords) {
    for index in 0..<32 { words.store(index, values[index]) }
    for index in 0..<32 { words.store(Self.closeWords + index, closes[index]) }
    for index in 0..<32 { words.store(Self.refusalWords + index, refusals[index]) }
    for index in 0..<32 { words.store(Self.denialWords + index, denials[index]) }
    for index in 0..<Self.lagBuckets { words.store(Self.lagWords + index, lag[index]) }
    words.store(Self.lagSumWord, lagNanoseconds)
    words.store(Self.lagMaxWord, lagMaxNanoseconds)
  }
}
