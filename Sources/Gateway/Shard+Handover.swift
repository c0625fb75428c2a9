// Moving a connection to another reactor between two requests: its descriptor, the bytes not parsed yet and those not
// sent yet. The reactor's thread.
import Buffers
import EventLoop

/// A connection on its way to another reactor. Whoever takes it owns the descriptor.
struct Handover: Sendable {
  let fd: Int32
  let listener: UInt16
  let client: PeerAddress
  /// What is known of it if a trusted proxy is at its other end.
  let proxied: ProxiedConnection?
  /// Whether it is counted among the connections of its address.
  let isAdmitted: Bool
  /// From the beginning of the request that made it move.
  let received: [UInt8]
  /// Answers to earlier requests that its socket has not taken yet.
  let unsent: [UInt8]
}

extension Shard where Kernel: ~Copyable {
  /// Hands a connection, in the middle of receiving a request, to another reactor. Its slot here is free afterwards.
  mutating func handOver(_ slot: UInt32, to target: Int, _ received: Span<UInt8>) {
    closeRun()
    let connection = connections[slot]
    var unsent = ByteBuffer()
    takeUnsent(slot, into: &unsent)
    let handover = Handover(
      fd: connection.fd, listener: connection.listener, client: connection.client,
      proxied: leaveProxied(slot),
      isAdmitted: connection.flags.contains(.admitted), received: received.array, unsent: unsent.bytes.array)
    network.unregister(connection.fd)
    timers.cancel(slot)
    connections.remove(slot)
    counters.add(.handovers)
    if !shared.commands[target].push(.adopt(handover)) {
      network.close(connection.fd)
      if handover.isAdmitted { shared.addresses.leave(handover.client) }
      shared.leaveConnection()
    }
  }

  /// Takes a connection from another reactor and goes on with its request.
  mutating func adopt(_ handover: Handover) {
    var connection = Connection(fd: handover.fd, listener: handover.listener, client: handover.client)
    if handover.isAdmitted { connection.flags.insert(.admitted) }
    connection.deadlineMilliseconds = now + UInt64(limits.handshakeTimeoutMilliseconds)
    guard drainDeadline == 0, let token = connections.insert(connection) else {
      if handover.isAdmitted { shared.addresses.leave(handover.client) }
      shared.leaveConnection()
      network.reset(handover.fd)
      return
    }
    guard network.register(socket: handover.fd, token: token) else {
      drop(token.index, .internalError)
      return
    }
    takeProxied(token.index, handover.proxied)
    timers.schedule(token.index, at: connection.deadlineMilliseconds)
    if !handover.unsent.isEmpty {
      scratch.removeAll()
      scratch.append(handover.unsent.span)
      enqueueRaw(token.index)
    }
    receiveAgain(token, handover.received.span)
  }
}
