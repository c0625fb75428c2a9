// One client between its user's tasks and the I/O thread: a session behind a lock, a socket, and the calls that wait.
// Any thread.
import Buffers
import EventLoop

/// A token, and whether it comes straight from its source.
struct Credential: Sendable {
  var token: String?
  var isFresh = true
}

/// Brings the token for an attempt to connect. `isRefused`: the gateway did not take the last one.
typealias CredentialSource = @Sendable (_ isRefused: Bool) async throws -> Credential

/// What both clients are made of.
final class ClientCore<Dialect: ClientDialect>: IODriver {
  private struct State: ~Copyable {
    var session: ClientSession<Dialect>
    var socket = ClientSocket()
    var current = ConnectionState.idle
    var waiting: [Ticket: CheckedContinuation<Void, any Error>] = [:]
    var lastTicket: Ticket = 0
    var states: [AsyncStream<ConnectionState>.Continuation] = []
    var serverErrors: [AsyncStream<String>.Continuation] = []
    var authentication: Task<Void, Never>?
    /// The attempt whose name is being looked up; what is found goes into `found`.
    var lookup: UInt64 = 0
    var found: [SocketAddress]?
    /// The I/O thread has been asked for a turn.
    var isWoken = false
  }

  /// Reads of one turn, so that a busy connection does not keep the thread from the others.
  private static var readsMax: Int { 16 }

  private let state: Lock<State>
  private let source: CredentialSource
  private let thread: IOThread
  private let url: ClientURL
  private let options: ClientOptions

  init(dialect: Dialect, url: ClientURL, options: ClientOptions, source: @escaping CredentialSource) throws(ClientError)
  {
    thread = try IOThread.shared.get()
    self.source = source
    self.url = url
    self.options = options
    state = Lock(State(session: ClientSession(dialect: dialect, url: url, options: options)))
  }

  // MARK: The user's side

  var current: ConnectionState { state.withLock { $0.current } }
  var lastFailure: String? { state.withLock { $0.session.lastFailure } }
  /// Published messages that have not left.
  var unsentCount: Int { state.withLock { $0.session.queue.publishCount + $0.session.inFlight.count } }

  /// The states from now on, beginning with the present one.
  func states() -> AsyncStream<ConnectionState> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: ConnectionState.self, bufferingPolicy: .bufferingNewest(64))
    state.withLock { state in
      continuation.yield(state.current)
      if case .closed = state.current { continuation.finish() } else { state.states.append(continuation) }
    }
    return stream
  }

  func serverErrors() -> AsyncStream<String> {
    let (stream, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(64))
    state.withLock { state in
      if case .closed = state.current { continuation.finish() } else { state.serverErrors.append(continuation) }
    }
    return stream
  }

  func start() { change { session, _ in session.start() } }

  func connect() async throws {
    try await waiting { session, ticket throws(ClientError) in
      if let reason = session.closedReason { throw .closed(reason) }
      if session.phase == .open { return false }
      session.start()
      // Starting may have ended it.
      if let reason = session.closedReason { throw .closed(reason) }
      session.connectTickets.append(ticket)
      return true
    }
  }

  func publish(_ text: [UInt8]) async throws {
    // A call without room is woken when there may be some, and tries again.
    while true {
      let isAccepted = Lock(false)
      try await waiting { session, ticket throws(ClientError) in
        switch session.publish(text, ticket: ticket) {
        case .accepted:
          isAccepted.withLock { $0 = true }
          return false
        case .wait: return true
        case .refused(let error): throw error
        }
      }
      if isAccepted.withLock({ $0 }) { return }
    }
  }

  /// Subscribes, and waits for the answer where there is a connection or one under way.
  func subscribe(_ topic: String, filters: [UInt8]?) async throws -> (id: UInt64, inbox: Inbox<Dialect.Message>) {
    let inbox = Inbox<Dialect.Message>(messagesMax: options.inboxMessagesMax) { [weak self] in
      self?.change { session, now in session.roomMade(now) }
    }
    let id = state.withLock { state in
      state.lastTicket += 1
      return state.lastTicket
    }
    try await waiting { session, ticket throws(ClientError) in
      try session.subscribe(topic, filters: filters, inbox: inbox, id: id, ticket: ticket, IOThread.now)
    }
    return (id, inbox)
  }

  func unsubscribe(_ id: UInt64) { change { session, now in session.unsubscribe(id, now) } }

  func unsubscribe(topic: String) {
    change { session, now in
      for id in session.byTopic[topic] ?? [] { session.unsubscribe(id, now) }
    }
  }

  func roundTrip() async throws {
    try await waiting { session, ticket throws(ClientError) in
      if let reason = session.closedReason { throw .closed(reason) }
      guard session.askRoundTrip(ticket: ticket, IOThread.now) else { throw .disconnected }
      return true
    }
  }

  /// Closes without waiting.
  func beginClose() { change { session, now in session.close(now) } }

  func close() async {
    try? await waiting { session, ticket throws(ClientError) in
      session.close(IOThread.now)
      if session.closedReason != nil { return false }
      session.closeTickets.append(ticket)
      return true
    }
  }

  /// Runs `begin` with the session and a new ticket, and waits until that is resumed if it says so.
  private func waiting(
    _ begin: @Sendable (inout ClientSession<Dialect>, Ticket) throws(ClientError) -> Bool
  ) async throws {
    let ticket = state.withLock { state in
      state.lastTicket += 1
      return state.lastTicket
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        change { state in
          if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
          do throws(ClientError) {
            if try begin(&state.session, ticket) {
              state.waiting[ticket] = continuation
            } else {
              continuation.resume()
            }
          } catch { continuation.resume(throwing: error) }
        }
      }
    } onCancel: {
      change { state in
        guard let continuation = state.waiting.removeValue(forKey: ticket) else { return }
        state.session.giveUp(ticket, nil)
        continuation.resume(throwing: CancellationError())
      }
    }
  }

  private func change(_ body: (inout ClientSession<Dialect>, UInt64) -> Void) {
    change { state in body(&state.session, IOThread.now) }
  }

  /// Changes the state, acts on what the session wants, and gives the I/O thread the rest.
  private func change(_ body: (inout State) -> Void) {
    let isNew = state.withLock { state in
      body(&state)
      settle(&state)
      if state.isWoken { return false }
      state.isWoken = true
      return true
    }
    if isNew { thread.wake(self) }
  }

  // MARK: Acting, under the lock

  private func settle(_ state: inout State) {
    while !state.session.actions.isEmpty {
      let actions = state.session.actions
      state.session.actions = []
      for action in actions { act(action, &state) }
    }
  }

  private func act(_ action: ClientAction, _ state: inout State) {
    switch action {
    case .authenticate(let attempt, let isRefused):
      state.authentication = Task { [weak self, source] in
        await Self.authenticate(self, source, attempt: attempt, isRefused: isRefused)
      }
    case .state(let new):
      state.current = new
      state.states.removeAll { stream in
        if case .terminated = stream.yield(new) { true } else { false }
      }
      guard case .closed = new else { return }
      state.authentication?.cancel()
      for stream in state.states { stream.finish() }
      for stream in state.serverErrors { stream.finish() }
      state.states = []
      state.serverErrors = []
    case .serverError(let text):
      state.serverErrors.removeAll { stream in
        if case .terminated = stream.yield(text) { true } else { false }
      }
    case .resume(let ticket, let error):
      guard let continuation = state.waiting.removeValue(forKey: ticket) else { return }
      if let error { continuation.resume(throwing: error) } else { continuation.resume() }
    }
  }

  private static func authenticate(
    _ core: ClientCore?, _ source: CredentialSource, attempt: UInt64, isRefused: Bool
  ) async {
    do {
      let credential = try await source(isRefused)
      core?.change { session, now in
        session.authenticated(attempt: attempt, token: credential.token, isFresh: credential.isFresh, now)
      }
    } catch {
      core?.change { session, now in
        session.authenticationFailed(
          attempt: attempt, "\(error)", isFinal: (error as? ClientError)?.isFinal ?? false, now)
      }
    }
  }

  // MARK: The I/O thread's side

  func turn(
    _ reactor: borrowing Reactor, slot: UInt32, readiness: (generation: UInt32, Readiness)?, now: UInt64
  ) -> IOTurn {
    state.withLock { state in
      state.isWoken = false
      state.session.tick(now)
      settle(&state)
      openAndClose(&state, reactor, slot, now)
      if let readiness, readiness.generation == state.socket.generation, state.socket.isConnecting {
        step(state.socket.proceed(reactor, slot: slot), &state, now)
      }
      let again = pump(&state, now)
      settle(&state)
      // What happened may have ended the connection, or begun an attempt that needs no waiting.
      openAndClose(&state, reactor, slot, now)
      settle(&state)
      return IOTurn(
        deadline: state.session.nextDeadline, again: again,
        isDone: state.session.phase == .closed && !state.socket.isOpen)
    }
  }

  private func openAndClose(_ state: inout State, _ reactor: borrowing Reactor, _ slot: UInt32, _ now: UInt64) {
    if state.session.wantsClose {
      state.session.wantsClose = false
      state.socket.close()
    }
    if state.session.wantsOpen {
      state.session.wantsOpen = false
      let attempt = state.session.attempt
      state.lookup = attempt
      state.found = nil
      state.found = Resolver.addresses(of: url.place)
      if state.found == nil {
        let isStarted = Resolver.lookUp(url.place) { [weak self] in self?.resolved(attempt, $0) }
        if !isStarted { state.found = [] }
      }
    }
    if let addresses = state.found, state.lookup == state.session.attempt, state.session.phase == .connecting {
      state.found = nil
      let failure = addresses.isEmpty ? "no address for the host" : nil
      if let failure { return state.session.socketEnded(failure, now) }
      step(state.socket.open(addresses, reactor, slot: slot), &state, now)
    }
  }

  private func resolved(_ attempt: UInt64, _ addresses: [SocketAddress]) {
    change { state in
      if state.lookup == attempt { state.found = addresses }
    }
  }

  private func step(_ step: ClientSocket.Step, _ state: inout State, _ now: UInt64) {
    switch step {
    case .underWay: break
    case .connected: state.session.socketOpened()
    case .failed(let failure): state.session.socketEnded(failure, now)
    }
  }

  /// Reads and writes until the socket has no more; true when this turn's share was used up first.
  private func pump(_ state: inout State, _ now: UInt64) -> Bool {
    guard state.socket.isOpen, !state.socket.isConnecting else { return false }
    flush(&state, now)
    for _ in 0..<Self.readsMax {
      // A session that wants its socket closed has already forgotten it.
      if state.session.wantsClose || state.session.isPaused { return false }
      let fd = state.socket.fd
      let transfer = state.session.transport.receive { input in
        System.receive(fd, into: &input, atMost: FrameTransport.receiveBytes)
      }
      switch transfer {
      case .moved: state.session.received(now)
      case .wouldBlock: return false
      case .end: state.session.socketEnded("the connection ended", now)
      case .failed(let number):
        state.session.socketEnded(SystemError(call: "recv", number: number).description, now)
      }
      settle(&state)
      flush(&state, now)
    }
    return true
  }

  private func flush(_ state: inout State, _ now: UInt64) {
    guard !state.session.wantsClose else { return }
    while true {
      state.session.fill(now)
      if state.session.transport.unsentCount == 0 { return }
      let fd = state.socket.fd
      var transfer = Transfer.wouldBlock
      state.session.transport.send { bytes in
        transfer = System.send(fd, bytes)
        if case .moved(let count) = transfer { return count }
        return 0
      }
      guard case .moved = transfer else {
        // A broken connection is reported by the next read, with what the gateway still said before it.
        return
      }
      state.session.sent()
    }
  }
}

extension ClientError {
  /// Whether trying again cannot help.
  var isFinal: Bool {
    switch self {
    case .tokenRefused(let status): CloseAdvice(status: status) == .stop
    case .invalidURL, .tlsUnsupported, .invalidName, .closed: true
    default: false
    }
  }
}
