// A client that does nothing wrong while others do, and measures what it notices. A process of its own, asked by the stage.

import Foundation
import TestSupport

/// The process of a bystander: it pings and publishes to itself every millisecond, and times each round trip.
final class Bystander {
  /// Microseconds between the end of a round trip and the beginning of the next.
  static let intervalMicroseconds = 1_000

  private let script: ClientScript

  /// Connects to a gateway of this setup.
  init(port: UInt16, preamble: String) throws {
    let target = "/channels?token=" + Tokens.channels(user: "bystander")
    let executable = GatewayProcess.builtExecutable("bystander")
    script = try ClientScript(
      executable: executable, arguments: ["\(port)", target, preamble, "\(Self.intervalMicroseconds)"])
    _ = try take()
  }

  /// The round trips since the last call, in microseconds. The one that is under way is waited for. Throws when the
  /// bystander has lost its connection, or got what it should not.
  func take() throws -> [Int] {
    let line = try script.ask("take")
    if line.hasPrefix("failed") { throw GatewayFailure(description: line) }
    return line.split(separator: " ").compactMap { Int($0) }
  }
}

/// The value below which `percent` of the samples lie.
func percentile(_ percent: Int, of samples: [Int]) -> Int {
  if samples.isEmpty { return 0 }
  return samples.sorted()[min(samples.count - 1, samples.count * percent / 100)]
}
