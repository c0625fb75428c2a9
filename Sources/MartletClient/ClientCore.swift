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
  struct State: ~Copyable {
    var session: ClientSession<Dialect>
    var socket = ClientSocket()
    var current = ConnectionState.idle
    var waiting: [Ticket: CheckedContinuation<Void, any Error>] = [:]
    var lastTicket: Ticket = 0
    var states: [AsyncStream<ConnectionState>.Continuation] = []
    var serverErrors: [AsyncStream<String>.Continuation] = []
    var authentication: Task<Void, Never>?
    /// Set when the client has ended: to be cancelled without the lock, since that runs the provider's own handlers.
    var cancelled: Task<Void, Never>?
    /// The attempt whose name is being looked up; what is found goes into `found`.
    var lookup: UInt64 = 0
    var found: [SocketAddress]?
    /// The I/O thread has been asked for a turn.
    var isWoken = false
  }

  let state: Lock<State>
  private let source: CredentialSource
  private let thread: IOThread
  let url: ClientURL
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

  func start() { changeSession { session, _ in session.start() } }

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
      self?.changeSession { session, now in session.roomMade(now) }
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

  func unsubscribe(_ id: UInt64) { changeSession { session, now in session.unsubscribe(id, now) } }

  func unsubscribe(topic: String) {
    changeSession { session, now in
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
  func beginClose() { changeSession { session, now in session.close(now) } }

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

  private func changeSession(_ body: (inout ClientSession<Dialect>, UInt64) -> Void) {
    change { state in body(&state.session, IOThread.now) }
  }

  /// Changes the state, acts on what the session wants, and gives the I/O thread the rest.
  func change(_ body: (inout State) -> Void) {
    let (isNew, cancelled) = state.withLock { state in
      body(&state)
      settle(&state)
      let isNew = !state.isWoken
      state.isWoken = true
      return (isNew, state.cancelled.take())
    }
    cancelled?.cancel()
    if isNew { thread.wake(self) }
  }

  // MARK: Acting, under the lock

  func settle(_ state: inout State) {
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
      state.cancelled = state.authentication
      state.authentication = nil
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
      core?.changeSession { session, now in
        session.authenticated(attempt: attempt, token: credential.token, isFresh: credential.isFresh, now)
      }
    } catch {
      core?.changeSession { session, now in
        session.authenticationFailed(
          attempt: attempt, "\(error)", isFinal: (error as? ClientError)?.isFinal ?? false, now)
      }
    }
  }
}
