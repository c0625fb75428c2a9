// One reading of a gateway's /metrics. A value.

/// The samples of a Prometheus text page.
public struct Metrics {
  /// By name without `martlet_`, with the labels as they stand: `websockets{reactor="0"}`.
  public private(set) var samples: [String: Double] = [:]

  /// Reads the page of a gateway.
  public init(of gateway: GatewayProcess) throws {
    let answer = try HTTPExchange.get("/metrics", port: gateway.adminPort)
    guard answer.status == 200 else { throw GatewayFailure(description: "/metrics answered \(answer.status)") }
    self.init(page: answer.text)
  }

  /// Parses a page.
  public init(page: String) {
    for line in page.split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: " ")
      guard parts.count == 2, parts[0].hasPrefix("martlet_"), let value = Double(parts[1]) else { continue }
      samples[String(parts[0].dropFirst("martlet_".count))] = value
    }
  }

  /// The value on one reactor.
  public func value(_ name: String, reactor: Int) -> Int { Int(samples["\(name){reactor=\"\(reactor)\"}"] ?? 0) }

  /// The sum over all reactors.
  public func sum(_ name: String) -> Int {
    Int(samples.filter { $0.key.hasPrefix(name + "{") }.values.reduce(0, +))
  }

  /// How many connections ended for a reason, on all reactors.
  public func closes(_ reason: String) -> Int {
    Int(
      samples.filter { $0.key.hasPrefix("closes_total{") && $0.key.contains("reason=\"\(reason)\"") }.values
        .reduce(0, +))
  }
}
