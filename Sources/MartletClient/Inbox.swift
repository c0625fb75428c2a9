// Messages of one subscription between the I/O thread, which puts them in, and the task that takes them. Any thread.
import EventLoop

/// A bounded queue with one producer and waiting consumers.
final class Inbox<Message: Sendable>: Sendable {
  private struct State {
    var messages: [Message] = []
    var head = 0
    var waiters: [(id: UInt64, continuation: CheckedContinuation<Message?, Never>)] = []
    var nextWaiter: UInt64 = 0
    /// Set at the limit, cleared at half of it, so that reading does not stop and go with each message.
    var isStopping = false
    var isFinished = false

    var count: Int { messages.count - head }

    mutating func popFirst() -> Message? {
      guard head < messages.count else { return nil }
      let message = messages[head]
      head += 1
      if head * 2 > messages.count {
        messages.removeFirst(head)
        head = 0
      }
      return message
    }
  }

  private let state = Lock(State())
  private let messagesMax: Int
  private let onRoom: @Sendable () -> Void

  /// `onRoom` is called, on a consumer's thread, when an inbox that had stopped its producer has room again.
  init(messagesMax: Int, onRoom: @escaping @Sendable () -> Void) {
    self.messagesMax = max(messagesMax, 1)
    self.onRoom = onRoom
  }

  /// Whether the producer has to wait.
  var isStopping: Bool { state.withLock { $0.isStopping } }

  /// Adds a message; true when no more may come until `onRoom`.
  func push(_ message: Message) -> Bool {
    state.withLock { state in
      if state.isFinished { return false }
      if !state.waiters.isEmpty {
        state.waiters.removeFirst().continuation.resume(returning: message)
        return false
      }
      state.messages.append(message)
      if state.count >= messagesMax { state.isStopping = true }
      return state.isStopping
    }
  }

  /// The next message; nil at the end, or when the calling task is cancelled.
  func next() async -> Message? {
    let id = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let hasRoom = state.withLock { state -> Bool in
          if let message = state.popFirst() {
            let isRoomMade = state.isStopping && state.count <= messagesMax / 2
            if isRoomMade { state.isStopping = false }
            continuation.resume(returning: message)
            return isRoomMade
          }
          if state.isFinished || Task.isCancelled {
            continuation.resume(returning: nil)
          } else {
            state.waiters.append((id, continuation))
          }
          return false
        }
        if hasRoom { onRoom() }
      }
    } onCancel: {
      state.withLock { state in
        guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return }
        state.waiters.remove(at: index).continuation.resume(returning: nil)
      }
    }
  }

  /// No more messages will come. What is in the inbox can still be taken, unless `discarding`.
  func finish(discarding: Bool = false) {
    state.withLock { state in
      state.isFinished = true
      state.isStopping = false
      if discarding {
        state.messages = []
        state.head = 0
      }
      for waiter in state.waiters { waiter.continuation.resume(returning: nil) }
      state.waiters = []
    }
  }
}
