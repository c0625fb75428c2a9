// What runs for the application beside the reactors: the courier of its HTTP endpoints, that of an AI service, and its
// hooks. Made at start-up, ended after the reactors; the main thread.
import Backends
import EventLoop

/// A log for tasks, held to a few lines a second of each kind. Any thread.
final class SharedLog: Sendable {
  private let log: Lock<RateLimitedLog>

  init(_ logger: Logger) { log = Lock(RateLimitedLog(logger)) }

  /// A warning.
  func write(_ event: StaticString, _ reason: StaticString, _ fields: [(StaticString, LogValue)]) {
    let now = Int(System.monotonicNanoseconds() / 1_000_000)
    log.withLock { $0.log(.warning, event, reason: reason, nowMilliseconds: now, fields) }
  }
}

/// The application's code as the gateway runs it.
final class Application: Sendable {
  /// What the program registered, and what the configuration names by URL.
  let extensions: Extensions
  private let courier: Courier?
  private let ai: OpenAIResponder?
  private let hooks: HookRunner?

  /// Throws `GatewayError.backendsSecret` when there are URLs and nothing to sign calls with.
  init(_ configuration: Configuration, _ registered: Extensions, logger: Logger) throws(GatewayError) {
    var extensions = registered
    let counters = BackendCounters()
    let log = SharedLog(logger)
    if configuration.namesBackends {
      guard let secret = configuration.backends.secret else { throw .backendsSecret }
      let courier = Courier(CourierOptions(configuration.backends))
      let handlers = HTTPHandlers(courier: courier, key: Array(secret.text.utf8), counters: counters, log: log)
      handlers.extend(&extensions, configuration)
      self.courier = courier
    } else {
      courier = nil
    }
    if let service = OpenAIService(configuration.ai), extensions.chatResponder == nil {
      let responder = OpenAIResponder(service, counters: counters, log: log)
      extensions.chatResponder = responder
      ai = responder
    } else {
      ai = nil
    }
    if extensions.hooks.isEmpty {
      hooks = nil
    } else {
      let runner = HookRunner(
        extensions.hooks, counters: counters, log: log, executor: extensions.executor,
        patienceMilliseconds: max(Limits.hookPatienceMilliseconds, configuration.backends.timeoutMilliseconds))
      extensions.lifecycle = { runner.record($0) }
      if runner.wants(.connected) { extensions.awaitConnected = { await runner.awaitConnected($0) } }
      hooks = runner
    }
    if courier != nil || ai != nil || hooks != nil { extensions.counters = counters }
    self.extensions = extensions
  }

  /// The way to clients exists. Before the reactors start.
  func open(_ outlet: Outlet) { hooks?.open(outlet) }

  /// After the reactors: lets hooks be told of the last disconnections for a while, then ends what is under way.
  func close() {
    var left = Limits.hookDrainMilliseconds
    while let hooks, !hooks.isIdle, left > 0 {
      System.pause(milliseconds: 5)
      left -= 5
    }
    courier?.stop()
    ai?.stop()
  }
}

extension CourierOptions {
  /// What an operator decided.
  init(_ backends: BackendsConfiguration) {
    self.init(
      timeoutMilliseconds: backends.timeoutMilliseconds,
      connectTimeoutMilliseconds: backends.connectTimeoutMilliseconds, responseBytesMax: backends.responseBytesMax,
      concurrencyMax: backends.concurrencyMax, queueMax: backends.queueMax, retriesMax: backends.retriesMax)
  }
}
