// One request and its answer: the place where the courier's thread and the task that waits meet. Both touch it.
import EventLoop

/// What is known of an answer when its head is complete.
struct AnswerHead: Sendable {
  var status: Int
  var contentType: String?
}

/// What the courier's thread does with bytes that came.
enum Delivery {
  case taken
  /// Not taken: the reader is behind. It asks for them by `Core.resume`.
  case full
  /// Nobody wants them any more.
  case unwanted
}

/// Shared state of one exchange. It ends exactly once: complete, with an error, or cancelled.
final class Exchange: Sendable {
  typealias Caller = CheckedContinuation<Result<AnswerHead, CourierError>, Never>
  typealias Reader = CheckedContinuation<Result<[UInt8]?, CourierError>, Never>

  let request: CourierRequest
  /// Scheme, host and port: what places are counted by.
  let origin: String
  /// Milliseconds of the monotonic clock.
  let deadline: UInt64

  private struct State {
    /// Who waits for the head.
    var caller: Caller?
    /// Who waits for bytes; only ever one.
    var reader: Reader?
    var ready: [UInt8] = []
    var end: Result<Void, CourierError>?
    var isPaused = false
  }
  private let state = Lock(State())

  init(request: CourierRequest, origin: String, deadline: UInt64) {
    self.request = request
    self.origin = origin
    self.deadline = deadline
  }

  /// Whether it has ended.
  var isOver: Bool { state.withLock { $0.end != nil } }

  // MARK: the task's side

  /// Waits for the head. False when the exchange has ended already, and the caller has been told.
  func waitForHead(_ caller: Caller) -> Bool {
    let end = state.withLock { state -> Result<Void, CourierError>? in
      if state.end == nil { state.caller = caller }
      return state.end
    }
    guard let end else { return true }
    caller.resume(returning: Self.failure(end))
    return false
  }

  /// Takes what is ready, or waits for it; nil at the end of the answer. True when the courier has to go on reading.
  func read(_ reader: Reader) -> Bool {
    var outcome: Result<[UInt8]?, CourierError>?
    let mustResume = state.withLock { state -> Bool in
      if !state.ready.isEmpty {
        outcome = .success(state.ready)
        state.ready = []
      } else if let end = state.end {
        outcome = end.map { nil }
      } else if state.reader != nil {
        outcome = .failure(.interrupted("the answer is read by two tasks"))
        return false
      } else {
        state.reader = reader
      }
      defer { state.isPaused = false }
      return state.isPaused && state.end == nil
    }
    if let outcome { reader.resume(returning: outcome) }
    return mustResume
  }

  // MARK: the courier's side

  /// The head is there.
  func begin(_ head: AnswerHead) {
    let caller = state.withLock { state in
      defer { state.caller = nil }
      return state.caller
    }
    caller?.resume(returning: .success(head))
  }

  /// Bytes of the body.
  func deliver(_ bytes: [UInt8]) -> Delivery {
    var reader: Reader?
    let delivery = state.withLock { state -> Delivery in
      if state.end != nil { return .unwanted }
      if let waiting = state.reader {
        reader = waiting
        state.reader = nil
        return .taken
      }
      if !state.ready.isEmpty && state.ready.count + bytes.count > CourierLimits.readyBytesMax {
        state.isPaused = true
        return .full
      }
      state.ready += bytes
      return .taken
    }
    reader?.resume(returning: .success(bytes))
    return delivery
  }

  /// Ends it; nil: the answer is complete. Whoever waits is told. Does nothing when it has ended before.
  func finish(_ error: CourierError?) {
    let end: Result<Void, CourierError> = error.map { .failure($0) } ?? .success(())
    let (caller, reader) = state.withLock { state -> (Caller?, Reader?) in
      if state.end != nil { return (nil, nil) }
      state.end = end
      if error == .cancelled { state.ready = [] }
      defer { (state.caller, state.reader) = (nil, nil) }
      return (state.caller, state.reader)
    }
    caller?.resume(returning: Self.failure(end))
    reader?.resume(returning: end.map { nil })
  }

  private static func failure(_ end: Result<Void, CourierError>) -> Result<AnswerHead, CourierError> {
    end.flatMap { .failure(.interrupted("no answer")) }
  }
}
