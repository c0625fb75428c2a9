// The way back from a handler to the Socket.IO client that asked: events, acknowledgements, requests. Any thread.
import Buffers
import Dialects
import EventLoop
import Synchronization
import Wire

/// Answers one event of a Socket.IO client.
struct SocketIOChannel: Sendable {
  let connection: ConnectionID
  let namespace: SocketIONamespace
  /// The id with which the client wants an acknowledgement; -1 where it wants none.
  let acknowledgement: Int
  let queue: CommandQueue

  /// Sends an event to the client.
  func emit(_ event: String, _ json: [UInt8]) {
    queue.push(.text(connection, Self.event(event, json, namespace)))
  }

  /// Acknowledges the client's event with one argument.
  func acknowledge(_ json: [UInt8]) {
    if acknowledgement < 0 { return }
    var text = ByteBuffer(capacity: json.count + 32)
    text.append("43")
    namespace.appendPrefix(to: &text)
    text.append(decimal: acknowledgement)
    text.append("[")
    text.append(json.span)
    text.append("]")
    queue.push(.text(connection, text.bytes.array))
  }

  /// Sends an event and waits for its acknowledgement.
  func request(_ event: String, _ json: [UInt8], timeout: Duration) async throws -> [UInt8] {
    try await withThrowingTaskGroup(of: Void.self) { group in
      let waiting = AcknowledgementPromise()
      defer { group.cancelAll() }
      group.addTask {
        try await Task.sleep(for: timeout)
        waiting.fail(.timedOut)
      }
      return try await waiting.wait { waiter in
        if !queue.push(.request(connection, namespace, event: Array(event.utf8), json, waiter)) { waiter.fail() }
      }
    }
  }

  /// Tells the client that its event failed.
  func fail(_ error: any Error, isChat: Bool) {
    guard let message = EventsReply.failureText(error) else { return }
    var body = ByteBuffer(capacity: 64)
    EventsEncoder.appendError(message.utf8.span, to: &body)
    emit(isChat ? "ai:response:error" : "error", body.bytes.array)
  }

  /// An event as the text of a WebSocket frame, in the form of a namespace.
  static func event(_ event: String, _ json: [UInt8], _ namespace: SocketIONamespace) -> [UInt8] {
    var text = ByteBuffer(capacity: json.count + event.utf8.count + 32)
    text.append("42")
    namespace.appendPrefix(to: &text)
    EventsEncoder.append(event.utf8.span, body: json.span, .socketIO, to: &text)
    return text.bytes.array
  }
}

/// A task that waits for a client's acknowledgement. Told exactly once.
final class AcknowledgementWaiter: Sendable {
  private let continuation: CheckedContinuation<[UInt8], any Error>
  private let isDone = Atomic<Bool>(false)

  init(_ continuation: CheckedContinuation<[UInt8], any Error>) { self.continuation = continuation }

  /// Whether it was told, or has waited long enough.
  var isOver: Bool { isDone.load(ordering: .acquiring) }

  /// The client's arguments, a JSON array.
  func resume(_ arguments: [UInt8]) {
    if !isDone.exchange(true, ordering: .acquiringAndReleasing) { continuation.resume(returning: arguments) }
  }

  /// There will be no acknowledgement.
  func fail(_ error: HandlerError = .disconnected) {
    if !isDone.exchange(true, ordering: .acquiringAndReleasing) { continuation.resume(throwing: error) }
  }
}

/// Lets a time-out fail a waiter that is made later than it.
private final class AcknowledgementPromise: Sendable {
  private struct State {
    var waiter: AcknowledgementWaiter?
    var failure: HandlerError?
  }
  private let state = Lock(State())

  func wait(_ start: (AcknowledgementWaiter) -> Void) async throws -> [UInt8] {
    try await withCheckedThrowingContinuation { continuation in
      let waiter = AcknowledgementWaiter(continuation)
      let failure = state.withLock { state in
        state.waiter = waiter
        return state.failure
      }
      if let failure { waiter.fail(failure) } else { start(waiter) }
    }
  }

  func fail(_ error: HandlerError) {
    let waiter = state.withLock { state in
      state.failure = error
      return state.waiter
    }
    waiter?.fail(error)
  }
}

/// The token in the payload of a CONNECT packet.
enum SocketIOToken {
  case text([UInt8])
  /// Present, but no string: it counts, and fits no session.
  case other

  private static let keys = JSONKeySet("token")

  /// Nil where there is none, or one that JavaScript takes for false.
  static func read(_ text: Span<UInt8>, _ payload: JSONValue) -> SocketIOToken? {
    let object = text.extracting(payload.range)
    guard let members = try? JSONScanner.scan(object, keys: keys), let value = members[0] else { return nil }
    switch value.kind {
    case .string:
      var token = ByteBuffer()
      JSONString.decode(object, value, into: &token)
      return token.isEmpty ? nil : .text(token.bytes.array)
    case .null, .false: return nil
    default: return .other
    }
  }
}
