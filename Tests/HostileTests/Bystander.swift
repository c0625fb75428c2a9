// A client that does nothing wrong while others do, and measures what it notices. Its thread owns the connection.

import Foundation
import Synchronization
import TestSupport

/// Pings and publishes to itself every ten milliseconds, and records how long each round trip took.
final class Bystander: Sendable {
  /// What it has seen.
  struct Record {
    /// Why it had to stop; nil while all is well.
    var failure: String?
    var roundTrips = 0
    /// Microseconds of each round trip, before the first attack and since.
    var quiet: [Int] = []
    var attacked: [Int] = []
    var isAttacked = false
    fileprivate var last = ContinuousClock.now
    fileprivate var longestGap = Duration.zero
    fileprivate var isStopping = false
  }

  private let state = Mutex(Record())

  /// Connects, and begins.
  init(port: UInt16, preamble: String) throws {
    let thread = Thread { [self] in
      do {
        let socket = try Socket(port: port)
        try socket.send([UInt8](preamble.utf8))
        try live(WebSocketClient(on: socket, target: "/channels?token=" + Tokens.channels(user: "bystander")))
      } catch {
        state.withLock { if !$0.isStopping { $0.failure = "\(error)" } }
      }
    }
    thread.start()
    guard eventually({ record.failure != nil || record.roundTrips > 10 }), record.failure == nil else {
      throw GatewayFailure(description: "the bystander never got going: \(record.failure ?? "it waits")")
    }
  }

  var record: Record { state.withLock { $0 } }

  /// From here on every round trip counts as one under attack.
  func beginRow() {
    state.withLock {
      $0.isAttacked = true
      $0.longestGap = .zero
    }
  }

  /// The longest time without a round trip since `beginRow`, in milliseconds; waits for one that began after the row.
  func endRow() -> Int {
    let before = record.roundTrips
    _ = eventually { record.roundTrips > before + 1 || record.failure != nil }
    return Int(state.withLock { max($0.longestGap, $0.last.duration(to: .now)) } / .milliseconds(1))
  }

  func stop() { state.withLock { $0.isStopping = true } }

  private func live(_ client: WebSocketClient) throws {
    guard try client.nextText().hasPrefix(#"{"type":"connected""#) else {
      throw GatewayFailure(description: "no welcome")
    }
    try client.subscribe("bystander")
    state.withLock { $0.last = .now }
    var number = 0
    while !isStopping {
      let start = ContinuousClock.now
      number += 1
      if number % 2 == 0 {
        try client.send(#"{"action":"ping"}"#)
      } else {
        try client.publish("bystander", "\(number)")
      }
      let text = try client.nextText()
      let isRight = number % 2 == 0 ? text.hasPrefix(#"{"type":"pong""#) : rawData(of: text) == "\(number)"
      guard isRight else { throw GatewayFailure(description: "the bystander got \(text)") }
      note(start)
      ThisProcess.pause(milliseconds: 10)
    }
  }

  private var isStopping: Bool { state.withLock { $0.isStopping } }

  private func note(_ start: ContinuousClock.Instant) {
    let end = ContinuousClock.now
    let microseconds = Int(start.duration(to: end) / .microseconds(1))
    state.withLock {
      $0.roundTrips += 1
      $0.longestGap = max($0.longestGap, $0.last.duration(to: end))
      $0.last = end
      if $0.isAttacked { $0.attacked.append(microseconds) } else { $0.quiet.append(microseconds) }
    }
  }
}

/// The value below which `percent` of the samples lie.
func percentile(_ percent: Int, of samples: [Int]) -> Int {
  if samples.isEmpty { return 0 }
  return samples.sorted()[min(samples.count - 1, samples.count * percent / 100)]
}
