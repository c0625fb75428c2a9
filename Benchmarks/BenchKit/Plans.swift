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
    let target = try Target(options.url)
    var plan = FanoutPlan(target: target, publishTarget: target)
    let isRaw = options.text("--dialect") == "raw"
    if isRaw {
      if target.target == "/" { plan.target.target = "/sub" }
      plan.publishTarget.target = "/pub"
    }
    if let url = options.text("--publish-url") { plan.publishTarget = try Target(url) }
    plan.subscribers = try options.integer("--subscribers", connectionsRange, standard: plan.subscribers)
    plan.access = try access(options, plan.subscribers)
    plan.subscription = try subscription(options, plan.subscribers)
    if !isRaw { plan.publish = Template(#"{"action":"publish","channel":"{channel}","payload":"{payload}"}"#) }
    if let text = options.text("--publish") { plan.publish = Template(text) }
    guard plan.publish.hasPayload else { throw .usage("--publish: without {payload} deliveries cannot be told apart") }
    plan.burst = try options.integer("--burst", burstRange, standard: plan.burst)
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
    plan.access = try access(options, plan.connections)
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
    plan.access = try access(options, plan.connections)
    plan.rate = try options.number("--rate", 0.01...1_000_000)
    plan.process = try process(options)
    return plan
  }

  static func idle(_ options: Options) throws(BenchError) -> IdlePlan {
    guard let process = try process(options) else { throw .usage("idle needs --pid: it reads the server's memory") }
    var plan = IdlePlan(target: try Target(options.url), process: process)
    plan.connections = try options.integer("--connections", connectionsRange, standard: plan.connections)
    plan.access = try access(options, plan.connections)
    plan.subscription = try subscription(options, plan.connections)
    plan.hold = try options.number("--hold", 0...86_400) ?? 0
    return plan
  }

  // MARK: Shared flags

  private static func subscription(_ options: Options, _ count: Int) throws(BenchError) -> Subscription {
    var subscription = Subscription()
    switch options.text("--dialect") ?? "channels" {
    case "channels":
      subscription.message = Template(#"{"action":"subscribe","channel":"{channel}"}"#)
      subscription.acknowledgement = #""subscribed""#
    case "raw": break
    case let other: throw .usage("--dialect \(other): neither channels nor raw")
    }
    if let text = options.text("--subscribe") {
      subscription.message = Template(text)
      subscription.acknowledgement = ""
    }
    if let text = options.text("--acknowledgement") { subscription.acknowledgement = text }
    subscription.channels = try options.integer("--channels", 1...min(count, Marker.channelsMax), standard: 1)
    return subscription
  }

  private static func process(_ options: Options) throws(BenchError) -> Int? {
    options.has("--pid") ? try options.integer("--pid", 1...(1 << 30), standard: 1) : nil
  }

  private static func access(_ options: Options, _ count: Int) throws(BenchError) -> Access {
    var access = Access()
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
