// Tables for people and one JSON object for programs, from the results of a run. Cold.

enum Report {
  // MARK: Text

  static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  /// A number with a fixed count of decimals; also a JSON number.
  static func fixed(_ value: Double, _ decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (value.magnitude * scale).rounded()
    guard scaled.isFinite && scaled < 9e18 else { return "0" }
    let whole = UInt64(scaled)
    let sign = value < 0 && whole > 0 ? "-" : ""
    if decimals == 0 { return sign + String(whole) }
    let unit = UInt64(scale)
    return sign + String(whole / unit) + "." + Template.digits(whole % unit, width: decimals)
  }

  static func microseconds(_ nanoseconds: UInt64) -> String { fixed(Double(nanoseconds) / 1000, 1) }

  static func hexadecimal(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }

  /// The table of a run's rounds. `event` is one of what is counted, `events` several.
  static func table(_ rounds: [Round], event: String, events: String) -> String {
    let names = [
      "round", "seconds", events, "per second", "server µs", "generator µs", "p50 µs", "p90", "p99", "p99.9", "max",
    ]
    let widths = [5, 8, 12, 11, 10, 13, 9, 9, 9, 9, 9]
    var text = zip(names, widths).map { right($0, $1) }.joined(separator: " ") + "\n"
    for (index, round) in rounds.enumerated() {
      var cells = [
        String(index + 1), fixed(round.seconds, 2), String(round.events), fixed(round.eventsPerSecond, 0),
        round.serverMicroseconds.map { fixed($0, 3) } ?? "-", fixed(round.generatorMicroseconds, 3),
      ]
      cells += round.percentiles.map(microseconds)
      text += zip(cells, widths).map { right($0, $1) }.joined(separator: " ") + "\n"
    }
    let server = rounds.compactMap(\.serverMicroseconds)
    if let low = server.min(), let high = server.max() {
      let user = rounds.reduce(0) { $0 + $1.serverUserSeconds }
      let system = rounds.reduce(0) { $0 + $1.serverSystemSeconds }
      text += "server CPU per \(event): median \(fixed(Round.median(server), 3)) µs"
      text += ", spread \(fixed(low, 3))–\(fixed(high, 3))"
      text += " (user \(fixed(user, 2)) s, kernel \(fixed(system, 2)) s)\n"
    }
    return text
  }

  static func verdict(_ check: DeliveryCheck, closed: Int, stalled: Bool, interrupted: Bool) -> String {
    var text = "lost \(check.lost), doubled or out of order \(check.repeated), misrouted \(check.misrouted)"
    text += ", connections closed \(closed)\n"
    text += "hash \(hexadecimal(check.receivedHash)), "
    let same = check.receivedHash == check.publishedHash
    text += same ? "as published" : "published \(hexadecimal(check.publishedHash))"
    if stalled { text += "; stalled: nothing came for 5 s" }
    if interrupted { text += "; interrupted" }
    return text + "\n"
  }
}

/// One flat JSON object, built in order.
struct JSONObject {
  private var members: [String] = []

  mutating func add(_ name: String, raw: String) { members.append("\"\(name)\":\(raw)") }
  mutating func add(_ name: String, _ value: Int) { add(name, raw: String(value)) }
  mutating func add(_ name: String, _ value: UInt64) { add(name, raw: String(value)) }
  mutating func add(_ name: String, _ value: Double, _ decimals: Int = 4) {
    add(name, raw: Report.fixed(value, decimals))
  }
  mutating func add(_ name: String, _ value: Bool) { add(name, raw: value ? "true" : "false") }

  /// For words of ours, which need no escaping.
  mutating func add(_ name: String, word: String) { add(name, raw: "\"\(word)\"") }

  var text: String { "{" + members.joined(separator: ",") + "}" }

  mutating func add(_ check: DeliveryCheck) {
    add("received", check.received)
    add("lost", check.lost)
    add("repeated", check.repeated)
    add("misrouted", check.misrouted)
    add("hash", word: Report.hexadecimal(check.receivedHash))
    add("publishedHash", word: Report.hexadecimal(check.publishedHash))
  }

  /// Medians and spread at the top, then every round.
  mutating func add(_ rounds: [Round]) {
    let server = rounds.compactMap(\.serverMicroseconds)
    if !server.isEmpty {
      add("serverMicroseconds", Round.median(server))
      add("serverMicrosecondsLeast", server.min() ?? 0)
      add("serverMicrosecondsMost", server.max() ?? 0)
    }
    add("generatorMicroseconds", Round.median(rounds.map(\.generatorMicroseconds)))
    add("perSecond", Round.median(rounds.map(\.eventsPerSecond)), 1)
    for (index, name) in Round.percentileNames.enumerated() {
      let values = rounds.filter { $0.percentiles.count > index }.map { Double($0.percentiles[index]) / 1000 }
      add(name + "Microseconds", Round.median(values), 1)
    }
    var list: [String] = []
    for round in rounds {
      var object = JSONObject()
      object.add("seconds", round.seconds)
      object.add("events", round.events)
      object.add("sent", round.sent)
      object.add("perSecond", round.eventsPerSecond, 1)
      if let value = round.serverMicroseconds { object.add("serverMicroseconds", value) }
      object.add("serverUserSeconds", round.serverUserSeconds, 2)
      object.add("serverSystemSeconds", round.serverSystemSeconds, 2)
      object.add("generatorMicroseconds", round.generatorMicroseconds)
      for (name, value) in zip(Round.percentileNames, round.percentiles) {
        object.add(name + "Microseconds", Double(value) / 1000, 1)
      }
      list.append(object.text)
    }
    add("rounds", raw: "[" + list.joined(separator: ",") + "]")
  }
}
