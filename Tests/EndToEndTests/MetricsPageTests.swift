// The metrics page as Prometheus wants it: names, units, help, and what its own checker says.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("The metrics page")
  struct MetricsPages {
    private static let hasPromtool = (try? Shell.run(["which", "promtool"]).status) == 0

    private func page() throws -> String {
      let gateway = try GatewayProcess(reactors: 2)
      _ = try WebSocketClient(gateway)
      let text = try HTTPExchange.get("/metrics", port: gateway.adminPort).text
      expectCleanEnd(gateway.stop())
      return text
    }

    @Test("every metric has help and a type, counters end in _total, and times are in seconds")
    func names() throws {
      let lines = try page().split(separator: "\n")
      var types: [Substring: Substring] = [:]
      var helped: Set<Substring> = []
      for line in lines {
        let words = line.split(separator: " ", maxSplits: 3)
        if line.hasPrefix("# TYPE ") { types[words[2]] = words[3] }
        if line.hasPrefix("# HELP ") { helped.insert(words[2]) }
      }
      #expect(types.count > 30 && Set(types.keys) == helped)
      for (name, type) in types {
        #expect(name.hasSuffix("_total") == (type == "counter"), "\(name)")
        #expect(!name.contains("nanoseconds") && !name.contains("milliseconds"), "\(name)")
      }
      let busy = lines.first { $0.hasPrefix("martlet_event_loop_busy_seconds_total{reactor=\"0\"}") }
      let seconds = try #require(busy?.split(separator: " ").last.flatMap { Double($0) })
      #expect(seconds > 0 && seconds < 600, "seconds, not nanoseconds")
    }

    @Test("promtool finds nothing to complain of", .enabled(if: hasPromtool, "promtool is not installed"))
    func promtool() throws {
      let directory = try GatewayProcess.temporaryDirectory()
      defer { try? FileManager.default.removeItem(at: directory) }
      let file = directory.appendingPathComponent("metrics")
      try page().write(to: file, atomically: true, encoding: .utf8)
      let result = try Shell.run(["sh", "-c", "promtool check metrics < \(file.path)"])
      #expect(result.status == 0 && result.output.isEmpty, "\(result.output)")
    }
  }
}
