// From flags to plans: every default that is not in a plan itself, every limit of a flag. Cold.

enum Plans {
  /// Limits of the flags: what a process may open, and what keeps a mistyped number from filling the memory.
  static let connectionsRange = 1...20_000
  static let burstRange = 1...65_536
  static let payloadRange = Marker.length...(1 << 20)
  /// Bytes of a burst at most, 256 MiB.
  static let imageMax = 256 << 20
  static let secondsRange = 0.0...3600.0

  static func fanout(_ options: Options) throws(BenchError) -> FanoutPlan {
    let dialect = try dialect(options, ClientDialect.allCases.filter { $0 == .raw || $0 == .channels || $0.isEmitted })
    let target = try target(options, dialect)
    var plan = FanoutPlan(target: target, publishTarget: target)
    if dialect == .raw {
      if target.target == "/" { plan.target.target = "/sub" }
      plan.publishTarget.target = "/pub"
    }
    if dialect.isEmitted { plan.publishTarget.target = ClientDialect.events.path }
    if let url = options.text("--publish-url") { plan.publishTarget = try Target(url) }
    plan.subscribers = try options.integer("--subscribers", connectionsRange, standard: plan.subscribers)
    plan.access = try access(options, dialect, plan.subscribers)
    plan.dialogue = try dialogue(options, dialect, plan.subscribers, joins: true)
    plan.sessions = try sessions(options, dialect, plan.access, plan.subscribers)
    if dialect == .channels {
      plan.publish = Template(#"{"action":"publish","channel":"{channel}","payload":"{payload}"}"#)
    }
    if let event = dialect.emission {
      guard plan.dialogue.channels == 1 else { throw .usage("--dialect \(dialect.rawValue) has one channel") }
      plan.publish = Template(#"{"event":"\#(event)","data":"{payload}"}"#)
      plan.publisher = Access()
    }
    if let text = options.text("--publish") { plan.publish = Template(text) }
    guard plan.publish.hasPayload else { throw .usage("--publish: without {payload} deliveries cannot be told apart") }
    plan.burst = try options.integer("--burst", burstRange, standard: plan.burst)
    if dialect.isEmitted {
      let batch = options.has("--apart") ? 1 : plan.burst
      plan.publisherDialogue = ClientDialect.publisher(batch: batch)
    } else if options.has("--apart") {
      throw .usage("--apart: for broadcast, events and socketio")
    }
    plan.payload = try options.integer("--payload", payloadRange, standard: plan.payload)
    guard plan.burst * plan.payload <= imageMax else { throw .usage("--burst times --payload is over 256 MiB") }
    plan.rate = try options.number("--rate", 0.01...1_000_000)
    guard plan.rate == nil || !options.has("--closed") else { throw .usage("--rate and --closed exclude each other") }
    plan.bursts = options.has("--bursts") ? try options.integer("--bursts", 1...1_000_000_000, standard: 1) : nil
    plan.seconds = try options.number("--seconds", secondsRange) ?? plan.seconds
    plan.warmup = try options.number("--warmup", secondsRange) ?? plan.warmup
    plan.rounds = try options.integer("--rounds", 1...1000, standard: plan.rounds)
    plan.process = try process(options)
    return plan
  }

  static func echo(_ options: Options) throws(BenchError) -> EchoPlan {
    var plan = EchoPlan(target: try Target(options.url))
    plan.connections = try options.integer("--connections", connectionsRange, standard: plan.connections)
    plan.access = try access(options, .channels, plan.connections)
    plan.payload = try options.integer("--payload", payloadRange, standard: plan.payload)
    plan.pipeline = try options.integer("--pipeline", 1...4096, standard: plan.pipeline)
    guard plan.pipeline * plan.payload <= imageMax else { throw .usage("--pipeline times --payload is over 256 MiB") }
    plan.seconds = try options.number("--seconds", secondsRange) ?? plan.seconds
    plan.warmup = try options.number("--warmup", secondsRange) ?? plan.warmup
    plan.rounds = try options.integer("--rounds", 1...1000, standard: plan.rounds)
    if options.has("--messages") {
      plan.messages = try options.integer("--messages", 1...1_000_000_000, standard: 1)
    }
    plan.process = try process(options)
    return plan
  }

  static func connect(_ options: Options) throws(BenchError) -> ConnectPlan {
    var plan = ConnectPlan(target: try Target(options.url))
    plan.connections = try options.integer("--connections", connectionsRange, standard: plan.connections)
    plan.access = try access(options, .channels, plan.connections)
    plan.rate = try options.number("--rate", 0.01...1_000_000)
    plan.process = try process(options)
    return plan
  }

  static func idle(_ options: Options) throws(BenchError) -> IdlePlan {
    guard let process = try process(options) else { throw .usage("idle needs --pid: it reads the server's memory") }
    let dialect = try dialect(options, ClientDialect.allCases.filter { $0 != .broadcast })
    var plan = IdlePlan(target: try target(options, dialect), process: process)
    plan.connections = try options.integer("--connections", connectionsRange, standard: plan.connections)
    plan.access = try access(options, dialect, plan.connections)
    plan.dialogue = try dialogue(options, dialect, plan.connections, joins: false)
    plan.sessions = try sessions(options, dialect, plan.access, plan.connections)
    plan.polls = dialect == .polling
    plan.hold = try options.number("--hold", 0...86_400) ?? 0
    return plan
  }

  // MARK: Shared flags

  private static func dialect(
    _ options: Options, _ known: [ClientDialect]
  ) throws(BenchError) -> ClientDialect {
    let name = options.text("--dialect") ?? "channels"
    guard let dialect = known.first(where: { $0.rawValue == name }) else {
      throw .usage("--dialect \(name): not one of \(known.map(\.rawValue).joined(separator: ", "))")
    }
    return dialect
  }

  /// The URL, with the dialect's own path where it has none.
  private static func target(_ options: Options, _ dialect: ClientDialect) throws(BenchError) -> Target {
    var target = try Target(options.url)
    if target.target == "/" { target.target = dialect.path }
    return target
  }

  private static func dialogue(
    _ options: Options, _ dialect: ClientDialect, _ count: Int, joins: Bool
  ) throws(BenchError) -> Dialogue {
    var dialogue = dialect.dialogue(joins: joins)
    if let text = options.text("--subscribe") {
      dialogue.lines = [Dialogue.Line(says: text)]
      dialogue.isStrict = false
    }
    if let text = options.text("--acknowledgement") {
      if dialogue.isStrict { throw .usage("--acknowledgement goes with --subscribe") }
      dialogue.lines.append(Dialogue.Line(awaits: [text]))
    }
    dialogue.channels = try options.integer("--channels", 1...min(count, Marker.channelsMax), standard: 1)
    return dialogue
  }

  /// How many sessions to ask for: where the dialect has them and no token is given, one for each connection.
  private static func sessions(
    _ options: Options, _ dialect: ClientDialect, _ access: Access, _ count: Int
  ) throws(BenchError) -> Int {
    if !dialect.hasSessions || !access.tokens.isEmpty {
      if options.has("--sessions") { throw .usage("--sessions: for events, socketio and polling without a token") }
      return 0
    }
    return try options.integer("--sessions", 1...count, standard: count)
  }

  private static func process(_ options: Options) throws(BenchError) -> Int? {
    options.has("--pid") ? try options.integer("--pid", 1...(1 << 30), standard: 1) : nil
  }

  private static func access(
    _ options: Options, _ dialect: ClientDialect, _ count: Int
  ) throws(BenchError) -> Access {
    var access = Access()
    access.place = dialect.tokenPlace
    access.headers = options.texts("--header")
    if let header = access.headers.first(where: { !$0.contains(":") || $0.contains(where: \.isNewline) }) {
      throw .usage("--header \(header): not `Name: value`")
    }
    if let token = options.text("--token") { access.tokens = [token] }
    if let path = options.text("--token-list") {
      guard let text = Kernel.text(of: path, limit: Kernel.tokenFileMax) else {
        throw .usage("\(path): cannot be read")
      }
      access.tokens = text.split(whereSeparator: \.isWhitespace).map(String.init)
      guard !access.tokens.isEmpty else { throw .usage("\(path): no tokens") }
    }
    let standard = (count + Access.connectionsPerSource - 1) / Access.connectionsPerSource
    access.sources = try options.integer("--source-addresses", 0...250, standard: standard)
    return access
  }
}
