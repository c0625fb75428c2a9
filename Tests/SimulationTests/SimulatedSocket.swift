// A simulated TCP connection with both of its ends. Owned by the SimulatedWorld.
import Buffers
import EventLoop

@testable import Gateway

/// One TCP connection: the client's end is driven by a SimulatedClient, the server's by a shard through its descriptor.
final class SimulatedSocket {
  let id: Int
  /// The listener that it connects to: 0 is one reactor's own, 1 the one that all share.
  let listener: Int
  /// From client to server, and back.
  var up: SimulatedPipe
  var down: SimulatedPipe

  // The server's end.
  /// The reactor that accepted it, and its descriptor there.
  var reactor = -1
  var fd: Int32 = -1
  var token: SlabToken?
  /// Whether something happened since the last readiness event: epoll's edge.
  var hasEdge = false
  /// Whether the server met a full buffer and waits for room.
  var needsRoom = false
  var isServerClosed = false
  var isServerWriteShut = false
  /// The connection failed as the server sees it.
  var isBrokenForServer = false
  /// When a reset from the client's side arrives.
  var resetArrivesAt: UInt64?
  var acceptedAt: UInt64?

  /// When the server last found less room than it needed.
  var shortAt: UInt64 = 0
  /// There is room again, and the server was not told yet.
  var isRoomNews = false
  /// A greedy reader was away for a moment, and is not again before this time.
  var steadyUntil: UInt64 = 0
  /// The reactor that closed it did so for one of these reasons.
  var closedFor: Set<CloseReason> = []
  /// Whether it was right to close it as slow; nil while it was not.
  var wasSlow: Bool?

  // The client's end.
  /// Who the client is: the socket's peer, or what the PROXY header says.
  var claimed: PeerAddress
  /// It compresses what it sends at times.
  var isCompressing = false
  /// It reads whatever arrives at once, and for ever.
  var isGreedy = false {
    didSet { down.isGreedy = isGreedy }
  }
  var isBrokenForClient = false
  /// The client has closed its end: whatever reaches it is answered by a reset.
  var isClientGone = false
  /// The client is gone without a trace: nothing answers for it any more.
  var isUnplugged = false

  // For the oracle.
  /// The world did something to it that ends a connection without anyone's fault.
  var isFaulted = false
  /// The server ever found its buffer full.
  var wasBlocked = false

  init(id: Int, listener: Int, upCapacity: Int, downCapacity: Int) {
    self.id = id
    self.listener = listener
    claimed = PeerAddress(high: 0, low: 0xFFFF_0A00_0000 + UInt64(id), port: 1024)
    up = SimulatedPipe(capacity: upCapacity)
    down = SimulatedPipe(capacity: downCapacity)
  }

  /// Room below which epoll does not call a socket writable.
  var lowWater: Int { max(1, down.capacity / 3) }

  /// What the server's epoll says of the socket at this moment.
  var readiness: (readable: Bool, writable: Bool, readEnd: Bool, broken: Bool) {
    if isBrokenForServer { return (true, true, true, true) }
    return (
      up.arrivedCount > 0 || up.hasEndArrived, isServerWriteShut || (!needsRoom && down.room >= lowWater),
      up.hasEndArrived, up.hasEndArrived && isServerWriteShut
    )
  }

  /// The client took bytes, or the world gave room back: the edge that a blocked sender waits for.
  func noteRoom() {
    if needsRoom && down.room >= lowWater && !isServerClosed {
      needsRoom = false
      isRoomNews = true
      hasEdge = true
    }
  }

  /// Lets everything arrive that is due by `now`.
  func advance(to now: UInt64) {
    if up.advance(to: now) && !isServerClosed { hasEdge = true }
    if down.advance(to: now) && isGreedy { noteRoom() }
    if let time = resetArrivesAt, time <= now {
      resetArrivesAt = nil
      if !isServerClosed {
        isBrokenForServer = true
        hasEdge = true
      }
    }
  }

  /// When something next arrives.
  var nextArrival: UInt64? {
    var next: UInt64?
    for time in [up.nextArrival, isUnplugged ? nil : down.nextArrival, resetArrivesAt] {
      if let time { next = min(next ?? .max, time) }
    }
    return next
  }

  /// Nothing refers to it any more.
  var isOver: Bool { isServerClosed && (isClientGone || isUnplugged) }
}
