// What others may notice of hostile input, and what may be left of it in memory: measured over whole passes of a setup's rows.

import Foundation
import TestSupport
import Testing

/// The two bounds of a setup.
enum Bounds {
  /// Whether the bound on time can fail a run: MARTLET_JUDGE_TIMES=1, which `make hostile` sets. Elsewhere the times are
  /// printed: a machine with other work to do says nothing about the gateway.
  static let judgesTimes = ProcessInfo.processInfo.environment["MARTLET_JUDGE_TIMES"] == "1"
  /// How much larger the 99th percentile of the attacked gateway's bystander may be than when nobody attacks: before, or
  /// with the twin at the same time, whichever is larger.
  static let slowerMax = 2
  /// The least number of round trips from which a 99th percentile is taken.
  static let samplesMin = 2_000
  /// The bound on time must hold in one of so many rounds.
  static let roundsMax = 3
  /// Rows of a round that are printed: those during which most round trips took longer than the bound.
  private static let rowsShown = 3
  /// Passes after which a round ends, enough samples or not.
  static let passesMax = 300
  /// Percent by which the resident size may grow, in every round.
  static let growthPercentMax = 10
  /// Milliseconds of quiet before a size is taken: scratch memory is given back once in a second.
  static let quietMilliseconds: UInt32 = 2_500

  /// Round trips in microseconds with the attacked gateway and, at the same time, with its twin.
  struct Samples {
    var here: [Int] = []
    var there: [Int] = []

    mutating func append(_ other: Samples) {
      here += other.here
      there += other.there
    }

    /// Microseconds that the 99th percentile under attack may be: these are those of the attacked gateway and its twin.
    func bound(quiet: Samples) -> Int { max(percentile(99, of: quiet.here), percentile(99, of: there)) * slowerMax }

    /// Round trips with the attacked gateway that took longer.
    func countAbove(_ microseconds: Int) -> Int { here.count { $0 > microseconds } }
  }

  /// Runs the rows of a gateway again, all of which it has seen before, and checks both bounds. The first pass, which
  /// checked the answers and the traces one by one, was the warm-up.
  static func check(_ victim: Victim, _ rows: [HostileRow]) throws {
    let twin = try victim.setup.runGateway { try Twin(victim.setup) }
    let quiet = try idle(victim, twin)
    try victim.checkAtRest()
    let before = Resident(of: victim.gateway)
    print(
      "hostile \(victim.setup): \(rows.count) rows; quiet \(text(quiet.here)), twin \(text(quiet.there)); "
        + "resident \(victim.coldResident) cold, \(before) warm")
    var isFast = false
    for round in 1...roundsMax {
      let (samples, passes, load) = try victim.setup.runAttackers { try run(rows, victim, twin) }
      ThisProcess.pause(milliseconds: quietMilliseconds)
      try victim.checkAtRest()
      let after = Resident(of: victim.gateway)
      let (here, there) = (samples.total.here, samples.total.there)
      let bound = max(samples.total.bound(quiet: quiet), victim.setup.unnoticedMicroseconds)
      isFast = isFast || percentile(99, of: here) <= bound
      samples.printWorst(above: bound)
      print(
        "  round \(round), \(passes) passes: \(text(here)), twin \(text(there)); \(load); resident \(after)"
      )
      if ReleaseBinary.isJudged {
        #expect(min(here.count, there.count) >= samplesMin, "\(victim.setup): too few samples")
        #expect(
          after.bytes * 100 <= before.bytes * (100 + growthPercentMax), "\(victim.setup): memory was not given back")
      }
      if round > 1 && (isFast || !judgesTimes) { break }
    }
    if judgesTimes { #expect(isFast, "\(victim.setup): the bystander noticed the attacks in every round") }
  }

  private static func text(_ samples: [Int]) -> String {
    "p50 \(percentile(50, of: samples)) p99 \(percentile(99, of: samples)) max \(samples.max() ?? 0) µs (\(samples.count))"
  }

  /// The round trips while nobody attacks.
  private static func idle(_ victim: Victim, _ twin: Twin) throws -> Samples {
    _ = try take(victim, twin)
    ThisProcess.pause(milliseconds: quietMilliseconds)
    return try take(victim, twin)
  }

  private static func take(_ victim: Victim, _ twin: Twin) throws -> Samples {
    try Samples(here: victim.bystander.take(), there: twin.bystander.take())
  }

  /// Passes over the rows until there are enough samples. Only what was measured while a row was carried out counts.
  private static func run(
    _ rows: [HostileRow], _ victim: Victim, _ twin: Twin
  ) throws -> (Round, passes: Int, Load) {
    var round = Round()
    var passes = 0
    var load = Load(victim.gateway)
    while passes < passesMax && min(round.total.here.count, round.total.there.count) < samplesMin {
      passes += 1
      for row in rows {
        _ = try take(victim, twin)
        load.begin()
        try victim.carryOut(row)
        load.end()
        try round.append(take(victim, twin), of: row)
      }
      ThisProcess.pause(milliseconds: victim.setup.pauseMilliseconds)
    }
    return (round, passes, load)
  }

  /// What was measured in one round, as a whole and by row.
  struct Round {
    private(set) var total = Samples()
    private var byRow: [String: Samples] = [:]

    mutating func append(_ samples: Samples, of row: HostileRow) {
      total.append(samples)
      byRow[row.testDescription, default: Samples()].append(samples)
    }

    /// Prints the rows that were noticed most.
    func printWorst(above bound: Int) {
      let counted = byRow.map { (row: $0.key, samples: $0.value, slow: $0.value.countAbove(bound)) }
      for (row, samples, slow) in counted.sorted(by: { $0.slow > $1.slow }).prefix(rowsShown) where slow > 0 {
        print("    \(slow) above \(bound) µs, \(row): \(text(samples.here))")
      }
    }
  }
}

/// A second gateway of the same setup that nobody attacks, and its bystander: what the machine does to both alike.
struct Twin {
  let gateway: GatewayProcess
  let bystander: Bystander

  init(_ setup: Setup) throws {
    gateway = try Victim.start(setup)
    bystander = try Bystander(port: gateway.port, preamble: setup.preamble)
  }
}

/// What the attacks and the gateway took of the processors, in percent of one, while rows were carried out.
struct Load: CustomStringConvertible {
  private let gateway: GatewayProcess
  private var start = ContinuousClock.now
  private var ticksStart = (gateway: 0, attackers: 0)
  private var seconds = 0.0
  private var ticks = (gateway: 0, attackers: 0)

  init(_ gateway: GatewayProcess) { self.gateway = gateway }

  mutating func begin() {
    start = .now
    ticksStart = current
  }

  mutating func end() {
    seconds += start.duration(to: .now) / .seconds(1)
    let now = current
    ticks.gateway += now.gateway - ticksStart.gateway
    ticks.attackers += now.attackers - ticksStart.attackers
  }

  private var current: (gateway: Int, attackers: Int) {
    (gateway.processorTicks, GatewayProcess.processorTicks(of: "self"))
  }

  var description: String {
    let percent = { (ticks: Int) in "\(Int(Double(ticks) / max(seconds, 0.001))) %" }
    let turn = (try? Metrics(of: gateway).longestTurn) ?? 0
    return "attacked for \(Int(seconds * 1_000)) ms, processor: attackers \(percent(ticks.attackers)), "
      + "gateway \(percent(ticks.gateway)); longest turn \(Int(turn * 1_000_000)) µs"
  }
}

/// The resident size of a gateway, exactly: smaps_rollup counts pages, where the counters of /proc/PID/statm lag behind.
struct Resident: CustomStringConvertible {
  /// All resident bytes.
  private(set) var bytes = 0
  /// Those that are not pages of files: heap, stacks, and data that was written to.
  private(set) var anonymousBytes = 0

  init(of gateway: GatewayProcess) {
    let text = (try? String(contentsOfFile: "/proc/\(gateway.id)/smaps_rollup", encoding: .utf8)) ?? ""
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count == 3, let kibibytes = Int(fields[1]) else { continue }
      if fields[0] == "Rss:" { bytes = kibibytes << 10 }
      if fields[0] == "Anonymous:" { anonymousBytes = kibibytes << 10 }
    }
  }

  /// All resident bytes to within a few hundred kilobytes, without holding up the gateway: smaps_rollup keeps it from
  /// getting memory or giving it back meanwhile, for long where the reader has to wait for a processor.
  static func roughBytes(of gateway: GatewayProcess) -> Int {
    let text = (try? String(contentsOfFile: "/proc/\(gateway.id)/statm", encoding: .utf8)) ?? ""
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  var description: String { "\(bytes >> 10) KiB (\(anonymousBytes >> 10) anonymous)" }
}
