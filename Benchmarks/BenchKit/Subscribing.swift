// Sending every connection's subscription and waiting until the server has acknowledged all of them. One thread.
import Buffers
import EventLoop

/// What a connection says after it is open, and how the server answers.
public struct Subscription: Sendable {
  /// The message; empty for none.
  public var message = Template("")
  /// A text that the acknowledgement contains; empty when there is none.
  public var acknowledgement = ""
  public var channels = 1

  public init() {}

  /// All acknowledgements must have come after this: 30 s, in nanoseconds.
  static let acknowledgementNanoseconds: UInt64 = 30_000_000_000
  /// Without acknowledgements the server gets this long to take note: 300 ms.
  static let settleNanoseconds: UInt64 = 300_000_000
}

extension ClientPool {
  /// Subscribes connections 0..<`count` and returns when all are acknowledged.
  mutating func subscribeAll(
    _ count: Int, _ subscription: Subscription, _ progress: inout Progress
  ) throws(BenchError) {
    let expected = Array(subscription.acknowledgement.utf8)
    if !subscription.message.isEmpty {
      for index in 0..<count {
        let marker = Marker(sequence: 0, channel: 0, time: 0)
        let text = subscription.message.expanded(channel: index % subscription.channels, payload: 0, marker: marker)
        var frame = ByteBuffer()
        FrameWriter.append(opcode: 1, text.span, to: &frame)
        send(index, frame, count: frame.count)
      }
    }
    let waits = !subscription.message.isEmpty && !expected.isEmpty
    let patience = waits ? Subscription.acknowledgementNanoseconds : Subscription.settleNanoseconds
    let deadline = System.monotonicNanoseconds() + patience
    var acknowledged = [Bool](repeating: false, count: clients.count)
    var standing = 0
    var stray = ""
    while !waits || standing < count {
      let now = System.monotonicNanoseconds()
      if now >= deadline {
        if !waits { return }
        throw .server("\(standing) of \(count) subscriptions acknowledged in 30 s" + stray)
      }
      progress.show("subscribed", standing, count)
      if progress.interrupted { throw .server("interrupted while subscribing") }
      if closedCount > 0 { throw .server("a connection was closed while subscribing" + stray) }
      for event in 0..<wait(until: min(deadline, now + ClientPool.glanceNanoseconds)) {
        guard case .readable(let index) = step(event) else { continue }
        if !seekAcknowledgement(index, expected, &stray) || acknowledged[index] || index >= count { continue }
        acknowledged[index] = true
        standing += 1
      }
    }
  }

  /// Reads connection `index`; whether one of its frames contained `expected`.
  private mutating func seekAcknowledgement(_ index: Int, _ expected: [UInt8], _ stray: inout String) -> Bool {
    guard case .moved = receive(index) else { return false }
    var found = false
    var offset = 0
    while let frame = nextFrame(index, &offset) {
      if !control(index, frame) { return found }
      guard frame.kind == .data, !expected.isEmpty else { continue }
      let text = buffer.bytes.extracting(frame.payload)
      if text.contains(expected) {
        found = true
      } else {
        stray = "; a message was " + text.extracting(0..<min(200, text.count)).string
      }
    }
    keep(index, from: offset)
    return found
  }
}

extension Span where Element == UInt8 {
  /// Whether `part` occurs. Cold.
  func contains(_ part: [UInt8]) -> Bool {
    if part.count > count { return false }
    for start in 0...(count - part.count) where extracting(start..<start + part.count).equals(part.span) { return true }
    return false
  }
}
