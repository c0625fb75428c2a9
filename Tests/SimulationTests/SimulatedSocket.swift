// A simulated TCP connection with both of its ends. Owned by the SimulatedWorld.
import Buffers

/// One TCP connection: the client's end is driven by a SimulatedClient, the server's by a shard through its descriptor.
final class SimulatedSocket {
  let id: Int
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

  // The client's end.
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

  init(id: Int, upCapacity: Int, downCapacity: Int) {
    self.id = id
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
      hasEdge = true
    }
  }

  /// Lets everything arrive that is due by `now`.
  func advance(to now: UInt64) {
    if up.advance(to: now) && !isServerClosed { hasEdge = true }
    _ = down.advance(to: now)
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
