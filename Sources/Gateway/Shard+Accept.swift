// Taking new connections, and refusing them without harm when there is no room. The reactor's thread.
import Buffers
import EventLoop

extension Shard {
  /// How long a listener is left alone after the system ran out of descriptors.
  static let muteMilliseconds: UInt64 = 100

  /// Starts listening for connections on every listener of this reactor.
  mutating func registerListeners() {
    for number in 0..<listenerFds.count where listenerFds[number] >= 0 {
      let isShared = shared.listeners[number].isShared
      _ = reactor.register(listener: listenerFds[number], number: UInt32(number), isShared: isShared)
    }
  }

  /// Stops taking connections.
  mutating func unregisterListeners() {
    for number in 0..<listenerFds.count where listenerFds[number] >= 0 { reactor.unregister(listenerFds[number]) }
  }

  /// Takes a batch of connections; the rest are announced again in the next turn.
  mutating func accept(listener: UInt32) {
    guard Int(listener) < listenerFds.count, listenerFds[Int(listener)] >= 0, drainDeadline == 0 else { return }
    let fd = listenerFds[Int(listener)]
    for _ in 0..<Self.acceptsPerTurnMax {
      switch System.accept(fd) {
      case .accepted(let client, let peer):
        admit(client, peer, listener: listener)
      case .wouldBlock:
        return
      case .aborted:
        continue
      case .exhausted:
        if !refuseForLackOfDescriptors(fd) { return }
      }
    }
  }

  /// Gives a new connection a slot and its deadline.
  private mutating func admit(_ fd: Int32, _ peer: PeerAddress, listener: UInt32) {
    counters.add(.connectionsAccepted)
    let isWithinLimit = shared.enterConnection()
    var connection = Connection(fd: fd, listener: UInt16(truncatingIfNeeded: listener), peer: peer)
    if !isWithinLimit && !shared.listeners[Int(listener)].isAdmin {
      counters.add(.connectionsRefused)
      connection.flags.insert(.refused)
      log.log(.warning, "connection-limit", nowMilliseconds: Int(now), [("limit", .integer(shared.connectionsMax))])
    }
    let timeout = connection.flags.contains(.refused) ? Self.refusalMilliseconds : limits.handshakeTimeoutMilliseconds
    connection.deadlineMilliseconds = now + UInt64(timeout)
    guard let token = connections.insert(connection) else {
      shared.leaveConnection()
      System.reset(fd)
      return
    }
    guard reactor.register(socket: fd, token: token) else {
      drop(token.index, .internalError)
      return
    }
    timers.schedule(token.index, at: connection.deadlineMilliseconds)
  }

  /// How long a connection over the limit has to say what it wants to be refused.
  static let refusalMilliseconds = 1_000

  /// Uses the reserve descriptor to take one waiting connection and drop it, so that its peer is not left hanging; false when even
  /// that failed, and the listener is muted so that the loop does not spin.
  private mutating func refuseForLackOfDescriptors(_ fd: Int32) -> Bool {
    counters.add(.connectionsRefused)
    log.log(.error, "out-of-descriptors", nowMilliseconds: Int(now))
    if reserveFd >= 0 {
      System.close(reserveFd)
      reserveFd = -1
      if case .accepted(let client, _) = System.accept(fd) {
        Self.unavailable.withSpan { _ = System.send(client, $0) }
        System.shutdownWrite(client)
        System.close(client)
      }
      reserveFd = System.openReserve()
      if reserveFd >= 0 { return true }
    }
    unregisterListeners()
    unmuteMilliseconds = now + Self.muteMilliseconds
    return false
  }

  /// Listens again after a pause for lack of descriptors.
  mutating func unmuteListeners() {
    if unmuteMilliseconds == 0 || now < unmuteMilliseconds || drainDeadline > 0 { return }
    unmuteMilliseconds = 0
    if reserveFd < 0 { reserveFd = System.openReserve() }
    registerListeners()
  }

  /// The answer to a connection for which there is not even a descriptor.
  private static let unavailable = ConstantBytes(
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// Bytes of a literal that can be lent as a span.
struct ConstantBytes: Sendable {
  private let bytes: [UInt8]
  init(_ text: StaticString) { bytes = Array(text.description.utf8) }
  func withSpan(_ body: (Span<UInt8>) -> Void) { body(bytes.span) }
}
