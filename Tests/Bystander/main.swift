// The bystander's program: a well-behaved client in a process of its own, which times one round trip in every interval. One thread.

import Foundation
import TestSupport

/// Pings and publishes to itself in turn. Every line on standard input is answered with one of all round trips since the
/// line before, in microseconds; the end of the input is the end of the program.
struct Bystander {
  private let socket: Socket
  private let intervalMicroseconds: UInt32
  private var number = 0
  /// What has come and is not used up: the heartbeat's ping may stand behind the answer that was waited for.
  private var bytes: [UInt8] = []
  private var samples: [Int] = []

  init(port: UInt16, target: String, preamble: String, intervalMicroseconds: UInt32) throws {
    socket = try Socket(port: port)
    if !preamble.isEmpty { try socket.send([UInt8](preamble.utf8)) }
    let client = try WebSocketClient(on: socket, target: target)
    guard try client.nextText().hasPrefix(#"{"type":"connected""#) else {
      throw GatewayFailure(description: "no welcome")
    }
    try client.subscribe("bystander")
    self.intervalMicroseconds = intervalMicroseconds
  }

  /// Serves standard input until it ends.
  mutating func run() throws {
    while true {
      while ThisProcess.hasInput {
        guard readLine() != nil else { return }
        say(samples.map { "\($0)" }.joined(separator: " "))
        samples.removeAll()
      }
      try roundTrip()
      ThisProcess.pause(microseconds: intervalMicroseconds)
    }
  }

  /// Sends a message and waits for the answer. Only that is timed: not the making of the one nor the checking of the other.
  private mutating func roundTrip() throws {
    number += 1
    let isPing = number % 2 == 0
    let text =
      isPing ? #"{"action":"ping"}"# : #"{"action":"publish","channel":"bystander","payload":\#(number)}"#
    let bytes = ClientFrame(ClientFrame.text, [UInt8](text.utf8)).bytes
    let start = ContinuousClock.now
    try socket.send(bytes)
    let (answer, end) = try answer()
    let isRight = isPing ? answer.hasPrefix(#"{"type":"pong""#) : answer.contains(#""data":\#(number)"#)
    guard isRight else { throw GatewayFailure(description: "the bystander got \(answer)") }
    note(Int(start.duration(to: end) / .microseconds(1)))
  }

  /// The next text message, and when its last byte was there.
  private mutating func answer() throws -> (String, ContinuousClock.Instant) {
    while true {
      let received = socket.receive(atMost: 4_096)
      let end = ContinuousClock.now
      guard case .bytes(let more) = received else {
        throw GatewayFailure(description: "the bystander's connection: \(received)")
      }
      bytes += more
      var text: String?
      var offset = 0
      while let frame = ServerFrame.take(from: bytes, at: &offset) {
        switch frame.opcode {
        case ClientFrame.text: text = String(decoding: frame.payload, as: UTF8.self)
        case ClientFrame.ping: try socket.send(ClientFrame(ClientFrame.pong, frame.payload).bytes)
        default: throw GatewayFailure(description: "the bystander got a frame of opcode \(frame.opcode)")
        }
      }
      bytes.removeFirst(offset)
      if let text { return (text, end) }
    }
  }

  /// Takes down a round trip, and those that would have begun while it lasted: one stall of a second is not one sample.
  private mutating func note(_ microseconds: Int) {
    var rest = microseconds
    repeat {
      samples.append(rest)
      rest -= Int(intervalMicroseconds)
    } while rest > Int(intervalMicroseconds)
  }
}

/// Asks to run as soon as something has come. A gateway that is busy keeps its processor for the rest of a time slice
/// of milliseconds, and what is to be timed is the gateway. Whoever may not ask goes on without.
func preferMe() {
  var parameters = sched_param()
  parameters.sched_priority = 1
  _ = sched_setscheduler(0, SCHED_RR, &parameters)
}

func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

let words = CommandLine.arguments
guard words.count == 5, let port = UInt16(words[1]), let interval = UInt32(words[4]) else {
  say("usage: bystander PORT TARGET PREAMBLE INTERVAL_MICROSECONDS")
  exit(2)
}
preferMe()
do {
  var bystander = try Bystander(port: port, target: words[2], preamble: words[3], intervalMicroseconds: interval)
  try bystander.run()
} catch {
  while readLine() != nil { say("failed: \(error)") }
  exit(1)
}
