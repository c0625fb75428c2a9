// What other threads ask of a reactor: answers of handlers, publishes, responses. Pushed from any thread, taken by the
// reactor once a turn. Off the data path, hence a lock.
import Buffers
import Dialects
import EventLoop
import Synchronization

/// One request to a reactor. A connection that has gone is ignored.
enum Command: Sendable {
  /// One text frame to one connection. For a Socket.IO client it must be a native event, which becomes a packet.
  case text(ConnectionID, [UInt8])
  /// A packet to one socket of a Socket.IO client, and its attachments.
  case packet(SocketIOReference, [UInt8], [[UInt8]])
  /// One text frame, as it is, to every subscriber of a topic on every reactor.
  case publish(Space, name: [UInt8], text: [UInt8])
  /// A broadcast on a channel of the channels dialect; `data` is raw JSON and filters apply (PROTOCOLS 2.4).
  case broadcast(channel: [UInt8], data: [UInt8])
  /// The response that a connection waits for.
  case answer(ConnectionID, HTTPAnswer)
  /// An event to everyone in a room of the events dialect.
  case emit(Emission)
  /// A connection joins a room of the events dialect, or leaves it; a Socket.IO client does so with one socket.
  case room(ConnectionID, SocketIOReference?, [UInt8], joins: Bool)
  /// An event with attachments to a Socket.IO client, and who waits for its acknowledgement.
  case request(SocketIOReference, event: [UInt8], [UInt8], [[UInt8]], AcknowledgementWaiter)
  /// A connection that belongs to this reactor.
  case adopt(Handover)
  /// A call of the connection has ended; whatever it sent lies before this in the queue.
  case callEnded(ConnectionID, isOrdered: Bool)
  /// Tell the waiter when the connection has room for more.
  case awaitRoom(ConnectionID, RoomWaiter)

  /// It will not be carried out: whoever waits for it is told.
  func failWaiter() {
    switch self {
    case .awaitRoom(_, let waiter): waiter.fail()
    case .request(_, _, _, _, let waiter): waiter.fail()
    default: break
    }
  }

  /// Bytes that the command keeps alive, for the queue's bound.
  var byteCount: Int {
    switch self {
    case .text(_, let text): text.count
    case .packet(_, let text, let attachments): attachments.reduce(text.count) { $0 + $1.count }
    case .publish(_, let name, let text): name.count + text.count
    case .broadcast(let channel, let data): channel.count + data.count
    case .answer(_, let answer): answer.body.count
    case .adopt(let handover): handover.received.count + handover.unsent.count
    case .emit(let emission): emission.byteCount
    case .room(_, _, let room, _): room.count
    case .request(_, let event, let data, let attachments, _):
      attachments.reduce(event.count + data.count) { $0 + $1.count }
    case .callEnded, .awaitRoom: 0
    }
  }
}

/// Commands on their way to one reactor, in the order pushed.
final class CommandQueue: Sendable {
  private struct State {
    var commands: [Command] = []
    var byteCount = 0
    var isClosed = false
  }

  private let state = Lock(State())
  /// Whether there may be commands: what the reactor looks at every turn. Release and acquire: the commands come first.
  private let hasCommands = Atomic<Bool>(false)
  private let doorbell: Doorbell

  init(doorbell: Doorbell) { self.doorbell = doorbell }

  /// Adds a command and wakes the reactor if it sleeps. False when the queue is full (`Limits.commandBytesMax`) or the
  /// reactor has ended: then the command is dropped, and a waiter in it is told.
  @discardableResult
  func push(_ command: Command) -> Bool {
    let isTaken = state.withLock { state in
      if state.isClosed { return false }
      switch command {
      // What ends something is small and never refused: a connection would wait for ever.
      case .answer, .callEnded, .awaitRoom, .adopt: break
      default: if state.byteCount > Limits.commandBytesMax { return false }
      }
      state.commands.append(command)
      state.byteCount += command.byteCount
      return true
    }
    guard isTaken else {
      if case .awaitRoom(_, let waiter) = command { waiter.fail() }
      return false
    }
    hasCommands.store(true, ordering: .releasing)
    doorbell.ringIfSleeping()
    return true
  }

  /// Whether `take` would find something. The owner's thread; after `Doorbell.arm` it decides whether to sleep.
  var isEmpty: Bool { !hasCommands.load(ordering: .acquiring) }

  /// Everything pushed so far. It counts for the bound until `finish`. The owner's thread.
  func take() -> [Command] {
    hasCommands.store(false, ordering: .relaxed)
    return state.withLock { state in
      let taken = state.commands
      state.commands = []
      return taken
    }
  }

  /// So many bytes of what was taken have been carried out. The owner's thread.
  func finish(_ byteCount: Int) { state.withLock { $0.byteCount -= byteCount } }

  /// The reactor has ended: nothing is taken any more. Returns what was queued, whose waiters have been told.
  func close() -> [Command] {
    let rest = state.withLock { state in
      state.isClosed = true
      let rest = state.commands
      state.commands = []
      return rest
    }
    for command in rest { command.failWaiter() }
    return rest
  }
}

/// A task that waits until its connection has room for more output. Told exactly once.
final class RoomWaiter: Sendable {
  private let continuation: CheckedContinuation<Void, any Error>
  private let isDone = Atomic<Bool>(false)

  init(_ continuation: CheckedContinuation<Void, any Error>) { self.continuation = continuation }

  /// There is room.
  func resume() {
    if !isDone.exchange(true, ordering: .acquiringAndReleasing) { continuation.resume() }
  }

  /// The connection has gone.
  func fail() {
    if !isDone.exchange(true, ordering: .acquiringAndReleasing) {
      continuation.resume(throwing: HandlerError.disconnected)
    }
  }
}
