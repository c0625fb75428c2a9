// Taking new connections, and refusing them without harm when there is no room. The reactor's thread.
import Buffers
import EventLoop

extension Shard where Kernel: ~Copyable {

  /// Starts listening for connections on every listener of this reactor; false, and none is listened on, when the
  /// system refuses one.
  mutating func registerListeners() -> Bool {
    for number in 0..<listenerFds.count where listenerFds[number] >= 0 {
      let isShared = shared.listeners[number].isShared
      if !network.register(listener: listenerFds[number], number: UInt32(number), isShared: isShared) {
        unregisterListeners()
        return false
      }
    }
    return true
  }

  /// Stops taking connections.
  mutating func unregisterListeners() {
    for number in 0..<listenerFds.count where listenerFds[number] >= 0 { network.unregister(listenerFds[number]) }
  }

  /// Closes listeners for good: clients that come now are refused by the system at once.
  mutating func closeListeners(andAdmin: Bool) {
    for number in 0..<listenerFds.count where listenerFds[number] >= 0 {
      if shared.listeners[number].isAdmin && !andAdmin { continue }
      network.unregister(listenerFds[number])
      network.close(listenerFds[number])
      listenerFds[number] = -1
    }
  }

  /// Takes a batch of connections; the rest are announced again in the next turn.
  mutating func accept(listener: UInt32) {
    guard Int(listener) < listenerFds.count, listenerFds[Int(listener)] >= 0 else { return }
    let fd = listenerFds[Int(listener)]
    var refusals = 0
    for number in 0..<Limits.acceptsPerTurnMax {
      if number > 0 && isLate() { return }
      switch network.accept(fd) {
      case .accepted(let client, let peer):
        admit(client, peer, listener: listener)
      case .wouldBlock:
        return
      case .aborted:
        continue
      case .exhausted:
        refusals += 1
        if !refuseForLackOfDescriptors(fd) || refusals == Limits.descriptorRefusalsPerTurnMax { return }
      }
    }
  }

  /// Gives a new connection a slot and its deadline.
  private mutating func admit(_ fd: Int32, _ peer: PeerAddress, listener: UInt32) {
    let state = shared.listeners[Int(listener)]
    // Whoever scrapes the metrics is no client.
    let isWithinLimit = state.isAdmin || shared.enterConnection()
    if !state.isAdmin { counters.add(.connectionsAccepted) }
    var connection = Connection(fd: fd, listener: UInt16(truncatingIfNeeded: listener), client: peer)
    if state.readsProxyHeader { connection.phase = .proxy }
    if !isWithinLimit {
      counters.add(.connectionsRefused)
      connection.flags.insert(.refused)
      log.log(.warning, "connection-limit", nowMilliseconds: Int(now), [("limit", .integer(shared.connectionsMax))])
    }
    let timeout = connection.flags.contains(.refused) ? Limits.refusalMilliseconds : limits.handshakeTimeoutMilliseconds
    connection.deadlineMilliseconds = now + UInt64(timeout)
    guard let token = connections.insert(connection) else {
      if !state.isAdmin { shared.leaveConnection() }
      network.reset(fd)
      return
    }
    if state.isAdmin { adminCount += 1 }
    // Whoever is behind a proxy is counted when the proxy has said who it is.
    if !state.readsProxyHeader { countPeer(token.index) }
    guard network.register(socket: fd, token: token) else {
      drop(token.index, .internalError)
      return
    }
    timers.schedule(token.index, at: connection.deadlineMilliseconds)
  }

  /// Uses the reserve descriptor to take one waiting connection and drop it, so that its peer is not left hanging;
  /// false when nobody is waiting, or when even that failed, and the listener is muted so that the loop does not spin.
  private mutating func refuseForLackOfDescriptors(_ fd: Int32) -> Bool {
    log.log(.error, "out-of-descriptors", nowMilliseconds: Int(now))
    if reserveFd >= 0 {
      network.close(reserveFd)
      reserveFd = -1
      let acceptance = network.accept(fd)
      if case .accepted(let client, _) = acceptance {
        counters.add(.connectionsRefused)
        ConstantBytes.unavailable.withSpan { _ = network.send(client, $0) }
        network.shutdownWrite(client)
        network.close(client)
      }
      reserveFd = network.openReserve()
      // accept(2) says EMFILE also when nobody is waiting.
      if case .wouldBlock = acceptance, reserveFd >= 0 { return false }
      if reserveFd >= 0 { return true }
    }
    unregisterListeners()
    unmuteMilliseconds = now + Limits.muteMilliseconds
    return false
  }

  /// Listens again after a pause for lack of descriptors.
  mutating func unmuteListeners() {
    if unmuteMilliseconds == 0 || now < unmuteMilliseconds { return }
    unmuteMilliseconds = 0
    if reserveFd < 0 { reserveFd = network.openReserve() }
    if !registerListeners() {
      log.log(.error, "listeners-unwatched", nowMilliseconds: Int(now))
      unmuteMilliseconds = now + Limits.muteMilliseconds
    }
  }

  /// Gives the reserve back at the end.
  mutating func closeReserve() {
    if reserveFd >= 0 { network.close(reserveFd) }
    reserveFd = -1
  }
}

/// The system does not let a reactor wait for connections.
struct ListenerFailure: Error, CustomStringConvertible {
  var description: String { "the system refuses to watch a listener: out of memory or of epoll watches" }
}

/// Bytes of a literal that can be lent as a span.
struct ConstantBytes: Sendable {
  private let bytes: [UInt8]
  init(_ text: StaticString) { bytes = Array(text.description.utf8) }
  func withSpan(_ body: (Span<UInt8>) -> Void) { body(bytes.span) }

  /// The answer to a connection for which there is not even a descriptor.
  static let unavailable = ConstantBytes(
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
