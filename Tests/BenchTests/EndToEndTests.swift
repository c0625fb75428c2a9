// The load generator's program against the C server over real sockets: counts, never times.
import Foundation
import Testing

@Suite(.serialized) struct EndToEndTests {
  /// Where this build's programs are: the test bundle's directory.
  private static let products = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
  private static let baselineSource = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Benchmarks/Baseline")

  private struct Outcome {
    var status: Int32
    var object: [String: Any]
  }

  /// Builds and starts the C server, gives its port to `body`, and ends it.
  private func withBaseline(_ body: (Int, Int32) throws -> Void) throws {
    let build = Self.products.appendingPathComponent("baseline").path
    let make = Process()
    make.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    make.arguments = ["make", "-s", "-C", Self.baselineSource.path, "BUILD=\(build)"]
    try make.run()
    make.waitUntilExit()
    try #require(make.terminationStatus == 0)

    let server = Process()
    let output = Pipe()
    server.executableURL = URL(fileURLWithPath: build + "/bare_fanout")
    server.standardOutput = output
    try server.run()
    defer {
      // Not SIGTERM: a child inherits the signal mask of the test's thread, which blocks it.
      kill(server.processIdentifier, SIGKILL)
      server.waitUntilExit()
    }
    var line = ""
    while !line.hasSuffix("\n") {
      let chunk = output.fileHandleForReading.availableData
      try #require(!chunk.isEmpty, "the server ended before it listened")
      line += String(decoding: chunk, as: UTF8.self)
    }
    let port = try #require(line.split(separator: ":").last.flatMap { Int($0.dropLast()) })
    try body(port, server.processIdentifier)
  }

  private func bench(_ words: String...) throws -> Outcome {
    let process = Process()
    let output = Pipe()
    process.executableURL = Self.products.appendingPathComponent("martlet-bench")
    process.arguments = words + ["--json"]
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    return Outcome(status: process.terminationStatus, object: try #require(object))
  }

  @Test("20 subscribers get 2 rounds of 10 bursts of 7, each exactly once, and the hash repeats")
  func fanout() throws {
    try withBaseline { port, process in
      var hashes: [String] = []
      for _ in 0..<2 {
        let outcome = try bench(
          "fanout", "ws://127.0.0.1:\(port)", "--dialect", "raw", "--subscribers", "20", "--burst", "7", "--bursts",
          "10",
          "--rounds", "2", "--payload", "100", "--pid", "\(process)")
        #expect(outcome.status == 0)
        #expect(outcome.object["good"] as? Bool == true)
        #expect(outcome.object["received"] as? Int == 2 * 10 * 7 * 20)
        #expect(outcome.object["deliveredBytes"] as? Int == 100)
        #expect(outcome.object["lost"] as? Int == 0)
        let rounds = try #require(outcome.object["rounds"] as? [[String: Any]])
        #expect(rounds.map { $0["events"] as? Int } == [1400, 1400])
        #expect(rounds.map { $0["sent"] as? Int } == [70, 70])
        #expect(rounds.allSatisfy { $0["serverMicroseconds"] != nil })
        hashes.append(try #require(outcome.object["hash"] as? String))
      }
      #expect(hashes[0] == hashes[1])
    }
  }

  @Test("bursts at a rate are all delivered")
  func pacedFanout() throws {
    try withBaseline { port, _ in
      let outcome = try bench(
        "fanout", "ws://127.0.0.1:\(port)/sub", "--dialect", "raw", "--subscribers", "5", "--burst", "3", "--bursts",
        "20",
        "--rate", "1000")
      #expect(outcome.status == 0)
      #expect(outcome.object["received"] as? Int == 20 * 3 * 5)
    }
  }

  @Test("a server that delivers to every channel's subscribers fails the check of channels")
  func misrouting() throws {
    try withBaseline { port, _ in
      let outcome = try bench(
        "fanout", "ws://127.0.0.1:\(port)", "--dialect", "raw", "--subscribers", "4", "--channels", "2", "--bursts", "2"
      )
      #expect(outcome.status == 1)
      #expect(outcome.object["good"] as? Bool == false)
    }
  }

  @Test("10 connections echo 50 messages each, of a size that arrives in pieces too", arguments: [64, 100_000])
  func echo(_ payload: Int) throws {
    try withBaseline { port, _ in
      let outcome = try bench(
        "echo", "ws://127.0.0.1:\(port)/echo", "--connections", "10", "--messages", "50", "--pipeline", "4",
        "--payload",
        "\(payload)")
      #expect(outcome.status == 0)
      #expect(outcome.object["received"] as? Int == 500)
      #expect(outcome.object["lost"] as? Int == 0)
      #expect((outcome.object["rounds"] as? [[String: Any]])?.first?["events"] as? Int == 500)
    }
  }

  @Test("connections are opened, held and counted")
  func connectAndIdle() throws {
    try withBaseline { port, process in
      let connect = try bench("connect", "ws://127.0.0.1:\(port)/sub", "--connections", "50", "--source-addresses", "3")
      #expect(connect.status == 0)
      #expect(connect.object["opened"] as? Int == 50)
      let idle = try bench(
        "idle", "ws://127.0.0.1:\(port)/sub", "--dialect", "raw", "--connections", "50", "--pid", "\(process)")
      #expect(idle.status == 0)
      #expect(idle.object["connections"] as? Int == 50)
      #expect(idle.object["closedConnections"] as? Int == 0)
    }
  }
}
