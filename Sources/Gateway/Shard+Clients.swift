// Whose a request is, and counting connections by client address. The reactor's thread.
import Buffers
import EventLoop
import Wire

/// Who is at the other end of a connection whose client somebody else named.
struct ProxyEnd: Sendable {
  let peer: PeerAddress
  /// The address of the client of the request before, as `AddressTable` counts it; nil when there was none.
  var formerClient: UInt64?
}

extension Shard where Kernel: ~Copyable {
  /// Finds out whose request this is, anew for each: a proxy sends the requests of many clients over one connection.
  /// From a peer that is not trusted it is the peer's own (HOSTILE 12, 32).
  ///
  /// A connection of a trusted proxy is counted for the client of its current request, or of the WebSocket that it
  /// becomes; between requests it is nobody's. What the proxy asks for itself, without the header, is the proxy's and
  /// not counted.
  mutating func identifyClient(_ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>) {
    if shared.trustedProxies.isEmpty || shared.listeners[Int(connections[slot].listener)].isAdmin { return }
    let end = proxyEnd(slot) ?? ProxyEnd(peer: connections[slot].client)
    let peer = end.peer
    guard shared.trustedProxies.contains(high: peer.high, low: peer.low) else { return }
    let isForwarded = head.xForwardedFor != nil
    let client =
      isForwarded ? ForwardedFor.client(head, bytes, peer: peer, trusted: shared.trustedProxies) : peer
    // Handed over by another reactor, it is counted already.
    let isCounted = connections[slot].flags.contains(.admitted)
    if isForwarded {
      connections[slot].flags.formUnion([.forwarded, .proxied])
      proxyEnds[slot] = end
    }
    if isCounted && AddressTable.key(client) == AddressTable.key(connections[slot].client) { return }
    leaveAddress(slot)
    connections[slot].flags.remove(.limited)
    connections[slot].client = client
    if isForwarded { countAddress(slot) }
  }

  /// A request has been answered: what a proxy sends next may be anyone's.
  mutating func forgetClient(_ slot: UInt32) {
    guard connections[slot].flags.contains(.forwarded) else { return }
    leaveAddress(slot)
    connections[slot].flags.remove(.forwarded)
    guard var end = proxyEnd(slot) else { return }
    end.formerClient = AddressTable.key(connections[slot].client)
    proxyEnds[slot] = end
    connections[slot].client = end.peer
  }

  /// The entry of a connection, where it has one.
  func proxyEnd(_ slot: UInt32) -> ProxyEnd? {
    connections[slot].flags.contains(.proxied) ? proxyEnds[slot] : nil
  }

  /// A connection goes, or becomes a WebSocket, whose client no longer changes.
  mutating func forgetProxy(_ slot: UInt32) {
    if !connections[slot].flags.contains(.proxied) { return }
    proxyEnds[slot] = nil
    connections[slot].flags.remove(.proxied)
  }

  /// Counts a connection for its peer, unless that is a proxy, whose clients are counted instead.
  mutating func countPeer(_ slot: UInt32) {
    let peer = connections[slot].client
    if shared.listeners[Int(connections[slot].listener)].isAdmin { return }
    if !shared.trustedProxies.contains(high: peer.high, low: peer.low) { countAddress(slot) }
  }

  /// Counts a connection for its client's address, once; marks it when it is one too many (HOSTILE 13). A client that
  /// goes on where it was has opened nothing.
  mutating func countAddress(_ slot: UInt32) {
    if !shared.addresses.isEnabled || connections[slot].flags.contains(.admitted) { return }
    let client = connections[slot].client
    let isNew = proxyEnd(slot)?.formerClient != AddressTable.key(client)
    switch shared.addresses.enter(client, nowMilliseconds: now, opens: isNew) {
    case .admitted: connections[slot].flags.insert(.admitted)
    case .tooMany, .tooFast: connections[slot].flags.insert(.limited)
    }
  }

  /// Takes back what `countAddress` has counted, if it has.
  mutating func leaveAddress(_ slot: UInt32) {
    guard connections[slot].flags.contains(.admitted) else { return }
    shared.addresses.leave(connections[slot].client)
    connections[slot].flags.remove(.admitted)
  }
}
