// Carries HTTP requests to back ends on a thread of its own, so that nothing they do holds up others. Any thread.
import EventLoop

/// An HTTP/1.1 client over libcurl for requests to a few known servers.
///
/// Connections are kept and used again. TLS is verified, redirects are not followed, no proxy is taken from the
/// environment. A request is never sent twice: only an attempt to connect is repeated. The thread is started by the
/// first request and ended by `stop()`, or when the last reference to the courier goes.
public final class Courier: Sendable {
  let core: Core

  public init(_ options: CourierOptions = CourierOptions()) { core = Core(options) }

  deinit { core.stop() }

  /// Sends `request` and returns when the head of the answer is there, whatever its status. Cancelling the task ends
  /// the transfer and closes its connection.
  public func send(_ request: CourierRequest) async throws(CourierError) -> CourierResponse {
    let exchange = try core.exchange(for: request)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (caller: Exchange.Caller) in
        if exchange.waitForHead(caller) { core.submit(exchange) }
      }
    } onCancel: {
      core.cancel(exchange)
    }
    let head = try result.get()
    return CourierResponse(status: head.status, contentType: head.contentType, body: CourierBody(exchange, core))
  }

  /// Ends every transfer with `CourierError.stopped` and the thread. Later requests fail the same way. Waits for the
  /// thread, which at worst waits for a name server.
  public func stop() { core.stop() }
}

/// What callers and the courier's thread share.
final class Core: Sendable {
  let options: CourierOptions

  /// What the thread is asked to do, in order.
  enum Order {
    case start(Exchange)
    case cancel(Exchange)
    case resume(Exchange)
  }

  private enum Phase { case idle, running, stopped }

  private struct State: ~Copyable {
    var phase = Phase.idle
    var orders: [Order] = []
    /// Exchanges under way and waiting, by origin.
    var admitted: [String: Int] = [:]
    /// There while the phase is `running`: what wakes the thread.
    var multi: CurlMulti?
    var thread: ReactorThread?
  }
  private let state = Lock(State())

  init(_ options: CourierOptions) { self.options = options }

  // MARK: callers

  /// Checks a request and gives it its deadline.
  func exchange(for request: CourierRequest) throws(CourierError) -> Exchange {
    guard let origin = Self.origin(of: request.url) else { throw .cannotConnect("not an http or https URL") }
    let isBroken = request.headers.contains { name, value in
      (name.utf8.isEmpty || name.utf8.contains { $0 <= 0x20 || $0 == 0x3A || $0 == 0x7F })
        || value.utf8.contains { $0 < 0x20 && $0 != 0x09 }
    }
    if isBroken || request.method.utf8.contains(where: { $0 <= 0x20 }) {
      throw .cannotConnect("a header field or the method holds a character that it must not")
    }
    let milliseconds = max(1, request.timeoutMilliseconds ?? options.timeoutMilliseconds)
    return Exchange(request: request, origin: origin, deadline: Core.now() &+ UInt64(milliseconds))
  }

  /// Puts an exchange in the queue, or ends it at once.
  func submit(_ exchange: Exchange) {
    let placesMax = max(1, options.concurrencyMax) + max(0, options.queueMax)
    let refusal = state.withLock { state -> CourierError? in
      if state.phase == .stopped { return .stopped }
      let count = state.admitted[exchange.origin, default: 0]
      if count >= placesMax { return .queueFull }
      if state.phase == .idle, let error = start(&state) { return error }
      state.admitted[exchange.origin] = count + 1
      state.orders.append(.start(exchange))
      state.multi?.wake()
      return nil
    }
    if let refusal { exchange.finish(refusal) }
  }

  /// Ends an exchange for its caller at once, and for the thread soon.
  func cancel(_ exchange: Exchange) {
    if exchange.isOver { return }
    exchange.finish(.cancelled)
    order(.cancel(exchange))
  }

  /// The reader has room again.
  func resume(_ exchange: Exchange) { order(.resume(exchange)) }

  func stop() {
    let thread = state.withLock { state -> ReactorThread? in
      state.phase = .stopped
      state.multi?.wake()
      return state.thread.take()
    }
    if let thread { thread.join() }
  }

  /// Exchanges under way and waiting for one back end.
  func admitted(_ origin: String) -> Int { state.withLock { $0.admitted[origin, default: 0] } }

  /// The same for all of them.
  var admittedTotal: Int { state.withLock { $0.admitted.values.reduce(0, +) } }

  private func order(_ order: Order) {
    state.withLock { state in
      guard state.phase == .running else { return }
      state.orders.append(order)
      state.multi?.wake()
    }
  }

  /// Starts the thread, under the lock.
  private func start(_ state: inout State) -> CourierError? {
    guard let multi = CurlMulti(connectionsMax: max(1, options.concurrencyMax)) else {
      return .interrupted("libcurl cannot start")
    }
    do {
      state.thread = try ReactorThread(name: "courier") {
        var loop = CourierLoop(core: self, multi: multi)
        loop.run()
      }
    } catch {
      return .interrupted("no thread: \(error)")
    }
    state.multi = multi
    state.phase = .running
    return nil
  }

  // MARK: the thread

  /// What there is to do; nil when it is to end.
  func takeOrders() -> [Order]? {
    state.withLock { state in
      if state.phase == .stopped { return nil }
      defer { state.orders.removeAll(keepingCapacity: state.orders.count < 256) }
      return state.orders
    }
  }

  /// An exchange has left the thread's books.
  func release(_ origin: String) {
    state.withLock { state in
      let count = state.admitted[origin, default: 0] - 1
      state.admitted[origin] = count > 0 ? count : nil
    }
  }

  /// The thread's last words: the orders that it has not taken. Nobody wakes it any more.
  func end() -> [Order] {
    state.withLock { state in
      state.multi = nil
      defer { state.orders = [] }
      return state.orders
    }
  }

  /// Milliseconds of the monotonic clock.
  static func now() -> UInt64 { System.monotonicNanoseconds() / 1_000_000 }

  /// Scheme, host and port of a URL, in lower case; nil for another scheme, no host, or a character that has no place
  /// in a URL.
  static func origin(of url: String) -> String? {
    let bytes = Array(url.utf8)
    guard !bytes.contains(where: { $0 <= 0x20 || $0 == 0x7F }), let colon = bytes.firstIndex(of: 0x3A) else {
      return nil
    }
    let scheme = String(decoding: bytes[..<colon], as: UTF8.self).lowercased()
    guard scheme == "http" || scheme == "https", bytes[colon...].starts(with: Array("://".utf8)) else { return nil }
    let rest = bytes[(colon + 3)...]
    let authority = rest.prefix { $0 != 0x2F && $0 != 0x3F && $0 != 0x23 }
    if authority.isEmpty { return nil }
    return scheme + "://" + String(decoding: authority, as: UTF8.self).lowercased()
  }
}
