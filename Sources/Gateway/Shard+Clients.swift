// Whose a request is, and counting connections by client address. The reactor's thread.
import Buffers
import EventLoop
import Wire

/// A connection over which a trusted proxy sends requests of its clients.
struct ProxiedConnection: BitwiseCopyable {
  /// The proxy.
  let peer: PeerAddress
  /// The address of the client whose request was answered last, as `AddressTable` counts it; nil while there was none.
  var formerClient: UInt64?

  init(peer: PeerAddress) { self.peer = peer }
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
    let peer = proxied[slot]?.peer ?? connections[slot].client
    guard head.xForwardedFor != nil, shared.trustedProxies.contains(high: peer.high, low: peer.low) else { return }
    if !connections[slot].flags.contains(.proxied) { takeProxied(slot, ProxiedConnection(peer: peer)) }
    connections[slot].flags.insert(.forwarded)
    let client = ForwardedFor.client(head, bytes, peer: peer, trusted: shared.trustedProxies)
    // Handed over by another reactor, it is counted already.
    let isCounted = connections[slot].flags.contains(.admitted)
    if isCounted && AddressTable.key(client) == AddressTable.key(connections[slot].client) { return }
    leaveAddress(slot)
    connections[slot].flags.remove(.limited)
    connections[slot].client = client
    countAddress(slot)
  }

  /// A request has been answered: what a proxy sends next may be anyone's.
  mutating func forgetClient(_ slot: UInt32) {
    guard connections[slot].flags.contains(.forwarded), let peer = proxied[slot]?.peer else { return }
    leaveAddress(slot)
    connections[slot].flags.remove(.forwarded)
    let former = AddressTable.key(connections[slot].client)
    proxied[slot]?.formerClient = former
    connections[slot].client = peer
  }

  /// Remembers what is at the other end of a connection.
  mutating func takeProxied(_ slot: UInt32, _ connection: ProxiedConnection?) {
    guard let connection else { return }
    proxied[slot] = connection
    connections[slot].flags.insert(.proxied)
  }

  /// A connection goes, or belongs to its client from now on: what was at its other end is forgotten.
  @discardableResult
  mutating func leaveProxied(_ slot: UInt32) -> ProxiedConnection? {
    guard connections[slot].flags.contains(.proxied) else { return nil }
    connections[slot].flags.subtract([.proxied, .forwarded])
    return proxied.removeValue(forKey: slot)
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
    let isNew = proxied[slot]?.formerClient != AddressTable.key(client)
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
