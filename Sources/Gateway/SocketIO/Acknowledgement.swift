// What a Socket.IO client answers to a request, and who waits for it. Made by a reactor, awaited by a handler's task.
import EventLoop
import Synchronization

/// A Socket.IO client's acknowledgement of an event.
public struct Acknowledgement: Sendable, Equatable {
  /// Its arguments: a JSON array, valid.
  public let arguments: [UInt8]
  /// Its binary attachments, which `arguments` names by placeholders.
  public let attachments: [[UInt8]]
}

/// Why something was not sent with attachments.
public enum AttachmentError: Error, Sendable, Equatable, CustomStringConvertible {
  /// There are more than ten.
  case tooMany
  /// The value is no JSON, or a placeholder in it names an attachment that is not there.
  case placeholder
  /// A native client, or a request over plain HTTP, cannot be sent any.
  case notSocketIO

  public var description: String {
    switch self {
    case .tooMany: "more attachments than a packet may have"
    case .placeholder: "no JSON, or a placeholder for an attachment that is not there"
    case .notSocketIO: "attachments are for Socket.IO clients"
    }
  }
}

/// A task that waits for a client's acknowledgement. Told exactly once.
final class AcknowledgementWaiter: Sendable {
  private let continuation: CheckedContinuation<Acknowledgement, any Error>
  private let isDone = Atomic<Bool>(false)

  init(_ continuation: CheckedContinuation<Acknowledgement, any Error>) { self.continuation = continuation }

  /// Whether it was told, or has waited long enough.
  var isOver: Bool { isDone.load(ordering: .acquiring) }

  /// The client has answered.
  func resume(_ acknowledgement: Acknowledgement) {
    if !isDone.exchange(true, ordering: .acquiringAndReleasing) { continuation.resume(returning: acknowledgement) }
  }

  /// There will be no acknowledgement.
  func fail(_ error: HandlerError = .disconnected) {
    if !isDone.exchange(true, ordering: .acquiringAndReleasing) { continuation.resume(throwing: error) }
  }
}

/// Lets a time-out fail a waiter that is made later than it.
final class AcknowledgementPromise: Sendable {
  private struct State {
    var waiter: AcknowledgementWaiter?
    var failure: HandlerError?
  }
  private let state = Lock(State())

  func wait(_ start: (AcknowledgementWaiter) -> Void) async throws -> Acknowledgement {
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
