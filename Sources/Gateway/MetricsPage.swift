// The metrics of all reactors in Prometheus' text format. Made on request, from the counters that the reactors
// published.
import Buffers

/// Writes the metrics page. Every metric has a `reactor` label, so that uneven load shows.
struct MetricsPage {
  private let shared: SharedState

  init(_ shared: SharedState) { self.shared = shared }

  func append(to out: inout ByteBuffer) {
    var text = ""
    for counter in Counter.allCases {
      header(&text, counter.name, counter.help, counter.isGauge ? "gauge" : "counter")
      for (reactor, words) in shared.metrics.enumerated() {
        let value = words.load(counter.rawValue)
        let shown = counter == .busyNanoseconds ? decimal(value) : String(value)
        text += "martlet_\(counter.name){reactor=\"\(reactor)\"} \(shown)\n"
      }
    }
    appendCloses(&text)
    appendRefusals(&text)
    appendDenials(&text)
    appendLag(&text)
    appendHandlers(&text)
    if let counters = shared.extensions.counters { appendBackends(counters, &text) }
    header(&text, "connections_max", "Connections that the gateway may hold.", "gauge")
    text += "martlet_connections_max \(shared.connectionsMax)\n"
    out.append(string: text)
  }

  private func appendCloses(_ text: inout String) {
    header(&text, "closes_total", "Connections that ended, by reason.", "counter")
    for (reactor, words) in shared.metrics.enumerated() {
      for reason in CloseReason.allCases {
        let count = words.load(Counters.closeWords + Int(reason.rawValue))
        text += "martlet_closes_total{reactor=\"\(reactor)\",reason=\"\(reason.label)\"} \(count)\n"
      }
    }
  }

  private func appendRefusals(_ text: inout String) {
    header(
      &text, "refusals_total", "Requests answered with an error status and messages answered with an error.", "counter")
    for (reactor, words) in shared.metrics.enumerated() {
      for refusal in Refusal.allCases {
        let count = words.load(Counters.refusalWords + Int(refusal.rawValue))
        text += "martlet_refusals_total{reactor=\"\(reactor)\",reason=\"\(refusal.label)\"} \(count)\n"
      }
    }
  }

  private func appendDenials(_ text: inout String) {
    header(
      &text, "denials_total", "Credentials and origins that were not accepted, by what was wrong with them.", "counter")
    for (reactor, words) in shared.metrics.enumerated() {
      for denial in Denial.allCases {
        let count = words.load(Counters.denialWords + Int(denial.rawValue))
        text += "martlet_denials_total{reactor=\"\(reactor)\",reason=\"\(denial.label)\"} \(count)\n"
      }
    }
  }

  private func appendHandlers(_ text: inout String) {
    header(&text, "handler_calls_total", "Calls of the application's handlers that ended, by outcome.", "counter")
    for dialect in HandlerRuns.dialects {
      for outcome in HandlerRuns.Outcome.allCases {
        let count = shared.handlerRuns.value(outcome, dialect)
        text += "martlet_handler_calls_total{dialect=\"\(dialect.name)\",outcome=\"\(outcome.label)\"} \(count)\n"
      }
    }
  }

  private func appendBackends(_ counters: BackendCounters, _ text: inout String) {
    header(&text, "backend_calls_total", "Calls of the application's HTTP endpoints, by outcome.", "counter")
    for outcome in BackendCounters.Outcome.allCases {
      text += "martlet_backend_calls_total{outcome=\"\(outcome.label)\"} \(counters.value(outcome))\n"
    }
    header(&text, "hooks_total", "Events of connections' lives told to hooks, by outcome.", "counter")
    for outcome in BackendCounters.HookOutcome.allCases {
      text += "martlet_hooks_total{outcome=\"\(outcome.label)\"} \(counters.value(outcome))\n"
    }
    header(&text, "ai_calls_total", "Questions to the AI service that ended, by outcome.", "counter")
    for outcome in BackendCounters.Outcome.allCases {
      text += "martlet_ai_calls_total{outcome=\"\(outcome.label)\"} \(counters.valueAI(outcome))\n"
    }
    header(&text, "ai_calls", "Questions to the AI service under way, waiting ones included.", "gauge")
    text += "martlet_ai_calls \(counters.askingCount)\n"
  }

  private func appendLag(_ text: inout String) {
    let name = "event_loop_lag_seconds"
    header(
      &text, name, "How long turns of the event loop took, which is how long a ready socket may have waited.",
      "histogram")
    for (reactor, words) in shared.metrics.enumerated() {
      var total: UInt64 = 0
      for bucket in 0..<Counters.lagBuckets {
        total += words.load(Counters.lagWords + bucket)
        let isLast = bucket == Counters.lagBuckets - 1
        let bound = isLast ? "+Inf" : decimal(UInt64(Counters.lagBound(bucket)) * 1000)
        text += "martlet_\(name)_bucket{reactor=\"\(reactor)\",le=\"\(bound)\"} \(total)\n"
      }
      text += "martlet_\(name)_sum{reactor=\"\(reactor)\"} \(decimal(words.load(Counters.lagSumWord)))\n"
      text += "martlet_\(name)_count{reactor=\"\(reactor)\"} \(total)\n"
    }
    header(&text, "event_loop_lag_max_seconds", "The longest turn of the event loop in the last minute.", "gauge")
    for (reactor, words) in shared.metrics.enumerated() {
      text += "martlet_event_loop_lag_max_seconds{reactor=\"\(reactor)\"} \(decimal(words.load(Counters.lagMaxWord)))\n"
    }
  }

  private func header(_ text: inout String, _ name: String, _ help: String, _ type: String) {
    text += "# HELP martlet_\(name) \(help)\n# TYPE martlet_\(name) \(type)\n"
  }

  /// Nanoseconds as a decimal number of seconds.
  private func decimal(_ nanoseconds: UInt64) -> String {
    var fraction = String(nanoseconds % 1_000_000_000)
    fraction = String(repeating: "0", count: 9 - fraction.count) + fraction
    while fraction.hasSuffix("0") && fraction.count > 1 { fraction.removeLast() }
    return "\(nanoseconds / 1_000_000_000).\(fraction)"
  }
}
