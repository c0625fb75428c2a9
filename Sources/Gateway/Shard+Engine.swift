// Engine.IO sessions: their requests, opening and ending them, their heartbeat. The reactor's thread.
import Auth
import Buffers
import Dialects
import EventLoop
import Topics
import Wire

/// What became of a request that was routed.
enum Routed {
  /// It has been answered, or will be by whoever waits.
  case done
  /// Its body is wanted first.
  case pending(PendingRequest)
  /// The connection belongs to another reactor now; its slot is free.
  case gone
}

extension Shard where Kernel: ~Copyable {
  /// Whether a request is for Socket.IO: its path is `/socket.io` or below, or its query has `EIO`, on a listener that
  /// serves the events dialect (PROTOCOLS 3.2).
  func isEngineRequest(_ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>) -> Bool {
    guard shared.listeners[Int(connections[slot].listener)].dialects.contains(.events) else { return false }
    if HTTPPath.matches(bytes, head.path, "/socket.io") || HTTPPath.hasPrefix(bytes, head.path, "/socket.io/") {
      return true
    }
    guard let query = head.query else { return false }
    var value = ByteBuffer()
    return HTTPQuery.value(of: "EIO", in: bytes, query: query, into: &value)
  }

  /// Answers a request for Socket.IO in the order in which its clients expect errors (PROTOCOLS 3.5).
  mutating func routeEngine(_ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>) -> Routed {
    let exchange = EngineExchange(head, bytes)
    if !isAllowedOrigin(head, bytes) {
      countRefusal(slot, .forbiddenOrigin, .origin)
      refuseEngine(slot, .forbidden, EngineExchange(head, bytes, withOrigin: false))
      return .done
    }
    if head.method == .options {
      respondEngine(slot, exchange, .noContent, nil)
      return .done
    }
    // A poll is answered later, and nothing may lie between it and the request behind it.
    if head.method == .get && head.hasBody { return refused(slot, .badRequest, exchange) }
    let query = EngineQuery(head, bytes)
    guard let transport = query.transport else { return refused(slot, .unknownTransport, exchange) }
    guard let sid = query.sid else { return openEngine(slot, head, bytes, transport, query, exchange) }
    guard let id = EngineSessionID(sid.span), id.reactor < shared.reactorCount else {
      return refused(slot, .unknownSession, exchange)
    }
    if id.reactor != number {
      handOver(slot, to: id.reactor, bytes)
      return .gone
    }
    guard let session = findEngine(id), !(exchange.isUpgrade && isClosingEngine(session)) else {
      return refused(slot, .unknownSession, exchange)
    }
    if exchange.isUpgrade {
      if transport != .webSocket { return refused(slot, .badRequest, exchange) }
      probeEngine(slot, head, bytes, session, usesBase64: query.usesBase64)
      return .done
    }
    if transport != .polling || engineTransport(session) != .polling { return refused(slot, .badRequest, exchange) }
    switch head.method {
    case .get:
      poll(slot, session, exchange)
      return .done
    case .post: return post(slot, head, bytes, session, exchange)
    default: return refused(slot, .badRequest, exchange)
    }
  }

  /// Whether a request comes from an origin that is allowed, or from no browser (PROTOCOLS G14).
  func isAllowedOrigin(_ head: HTTPRequestHead, _ bytes: Span<UInt8>) -> Bool {
    guard let origin = head.origin else { return true }
    return shared.origins.allows(
      origin: bytes.extracting(origin), host: bytes.extracting(head.host ?? 0..<0))
  }

  private mutating func refused(
    _ slot: UInt32, _ refusal: EngineIORefusal, _ exchange: consuming EngineExchange
  ) -> Routed {
    refuseEngine(slot, refusal, exchange)
    return .done
  }

  // MARK: Opening

  /// Opens a session: on the WebSocket itself, or as a slot of its own for a client that polls.
  private mutating func openEngine(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ transport: EngineTransport, _ query: EngineQuery,
    _ exchange: consuming EngineExchange
  ) -> Routed {
    if head.method != .get { return refused(slot, .badHandshakeMethod, exchange) }
    if (transport == .webSocket) != exchange.isUpgrade { return refused(slot, .badRequest, exchange) }
    if !query.isVersion4 { return refused(slot, .unsupportedVersion, exchange) }
    if drainDeadline > 0 {
      refuseSession(slot, .serviceUnavailable, exchange)
      return .done
    }
    let opener = SessionOpener(
      connection: connections.token(of: slot), address: AddressTable.key(connections[slot].client),
      isExempt: shared.addresses.isExempt(connections[slot].client))
    if transport == .webSocket {
      guard acceptEngine(slot, head, bytes, as: .socketIO) else { return .done }
      makeRoom(for: opener)
      startEngine(slot, transport, query, opener)
      scratch.removeAll()
      appendOpen(slot, isUpgradable: false)
      replyWithScratch(slot)
      return .done
    }
    makeRoom(for: opener)
    var inserted = insertPollingSlot(slot)
    if inserted == nil, let victim = unjoined.oldestOfLargest {
      drop(victim.index, .crowdedOut)
      inserted = insertPollingSlot(slot)
    }
    guard let session = inserted else {
      refuseSession(slot, .serviceUnavailable, exchange)
      return .done
    }
    // It is one more of its address, as a WebSocket would be.
    countAddress(session)
    if connections[session].flags.contains(.limited) && hasTooMany(session),
      let victim = unjoined.oldest(ofAddress: opener.address)
    {
      drop(victim.index, .crowdedOut)
      connections[session].flags.remove(.limited)
      countAddress(session)
    }
    if connections[session].flags.contains(.limited) {
      drop(session, .httpRefused)
      refuseSession(slot, .tooManyRequests, exchange)
      return .done
    }
    startEngine(session, transport, query, opener)
    nameScratch.removeAll()
    scratch.removeAll()
    appendOpen(session, isUpgradable: true)
    swap(&scratch, &nameScratch)
    respondEngine(slot, exchange, .ok, "text/plain; charset=UTF-8")
    return .done
  }

  /// Where too many sessions are in no namespace, the one whose turn it is gives way to a new one (HOSTILE 36).
  private mutating func makeRoom(for opener: SessionOpener) {
    if let victim = unjoined.victim(for: opener) { drop(victim.index, .crowdedOut) }
  }

  /// Whether a session was refused for the connections that its address has, and not for how fast it opens them.
  private func hasTooMany(_ slot: UInt32) -> Bool {
    limits.connectionsPerAddressMax > 0
      && shared.addresses.connections(of: connections[slot].client) >= limits.connectionsPerAddressMax
  }

  /// Refuses a session for which there is no room.
  mutating func refuseSession(_ slot: UInt32, _ status: HTTPStatus, _ exchange: consuming EngineExchange) {
    refuseEngine(slot, status, "Too many connections", exchange, retryAfterSeconds: Limits.retryAfterSeconds)
  }

  /// A slot without a socket for a client that polls; nil when the gateway holds as many connections as it may.
  private mutating func insertPollingSlot(_ slot: UInt32) -> UInt32? {
    guard shared.enterConnection() else {
      shared.leaveConnection()
      return nil
    }
    var connection = Connection(fd: -1, listener: connections[slot].listener, client: connections[slot].client)
    connection.phase = .open
    connection.role = .socketIO
    connection.mount = Connection.engineMount
    connection.openedCentiseconds = UInt32(truncatingIfNeeded: now / 10)
    guard let token = connections.insert(connection) else {
      shared.leaveConnection()
      return nil
    }
    return token.index
  }

  /// Gives a slot its session and starts its clock.
  private mutating func startEngine(
    _ slot: UInt32, _ transport: EngineTransport, _ query: EngineQuery, _ opener: SessionOpener
  ) {
    let settings = shared.engineSettings
    var session = EngineSession(
      id: EngineSessionID(reactor: number, slot: slot), transport: transport,
      joinDeadlineMilliseconds: now + UInt64(settings.joinMilliseconds))
    session.client.handshakeToken = query.token
    session.usesBase64 = query.usesBase64
    session.unjoined = unjoined.insert(connections.token(of: slot), opener)
    connections[slot].engine = engines.insert(session)
    connections[slot].deadlineMilliseconds = now + UInt64(settings.pingIntervalMilliseconds)
    scheduleTimer(slot)
  }

  private mutating func appendOpen(_ slot: UInt32, isUpgradable: Bool) {
    guard let session = engines.take(connections[slot].engine) else { return }
    var sid = ByteBuffer(capacity: EngineSessionID.textCount)
    session.id.append(to: &sid)
    engines.putBack(session, at: connections[slot].engine)
    shared.engineSettings.wire.appendOpen(sid: sid.bytes, isUpgradable: isUpgradable, to: &scratch)
  }

  /// The slot of a session that lives here.
  mutating func findEngine(_ id: EngineSessionID) -> UInt32? {
    let slot = id.slot
    guard connections.isLive(slot), connections[slot].role == .socketIO, engineID(slot) == id,
      connections[slot].phase == .open || isClosingEngine(slot)
    else { return nil }
    return slot
  }

  /// Whether a session has ended but for its client, who polls and is told by its poll.
  mutating func isClosingEngine(_ slot: UInt32) -> Bool {
    engines.read(connections[slot].engine) { $0.isClosing } ?? false
  }

  private mutating func engineID(_ slot: UInt32) -> EngineSessionID? {
    let index = connections[slot].engine
    return index == Pool<EngineSession>.none ? nil : engines.read(index) { $0.id }
  }

  private mutating func engineTransport(_ slot: UInt32) -> EngineTransport {
    engines.read(connections[slot].engine) { $0.transport } ?? .webSocket
  }

  // MARK: Heartbeat

  /// When a session must have joined a namespace; the end of time once it has.
  mutating func joinDeadline(_ slot: UInt32) -> UInt64 {
    engines.read(connections[slot].engine) { session in
      session.hasJoined || session.isClosing ? UInt64.max : session.joinDeadlineMilliseconds
    } ?? .max
  }

  /// The time of a session has come: pings it, or ends it when the last ping was not answered or nothing was joined in
  /// time. False when it is gone.
  mutating func engineTimerFired(_ slot: UInt32) -> Bool {
    if now >= joinDeadline(slot) {
      closeEngine(slot, .notJoined)
      return false
    }
    if now < connections[slot].deadlineMilliseconds { return true }
    if isOutputUnderWay(slot) || isAnswerUnderWay(slot) {
      connections[slot].deadlineMilliseconds = now + UInt64(shared.engineSettings.pingTimeoutMilliseconds)
      return true
    }
    if connections[slot].flags.contains(.awaitsPong) {
      endEngine(slot, .noPong)
      return false
    }
    connections[slot].flags.insert(.awaitsPong)
    connections[slot].deadlineMilliseconds = now + UInt64(shared.engineSettings.pingTimeoutMilliseconds)
    scratch.removeAll()
    EngineIOPacket.begin(.ping, to: &scratch)
    replyWithScratch(slot)
    return connections[slot].phase == .open
  }

  /// Whether the answer of a session's last poll is still being taken: the next poll, and with it a pong, comes after
  /// that.
  private mutating func isAnswerUnderWay(_ slot: UInt32) -> Bool {
    guard let answered = engines.read(connections[slot].engine, { $0.answered }) ?? nil,
      connections.isCurrent(answered),
      isOutputUnderWay(answered.index)
    else { return false }
    connections[slot].flags.remove(.awaitsPong)
    return true
  }

  /// More of a request's body has come: a sign of life of the session for which it is.
  mutating func noteLife(_ request: PendingRequest?) {
    if case .post(let session, _) = request?.target, connections.isCurrent(session) {
      connections[session.index].flags.remove(.awaitsPong)
    }
  }

  // MARK: Packets

  /// A message of a WebSocket that is a session's transport: a packet each.
  @inline(never)
  mutating func receiveEngine(_ slot: UInt32, _ opcode: Opcode, _ message: Span<UInt8>) {
    if opcode == .binary {
      receiveSocketIO(slot, binary: message)
      return
    }
    guard message.count <= shared.engineSettings.payloadBytesMax,
      let packet = EngineIOPacket.decode(message, 0..<message.count)
    else {
      endEngine(slot, .badPacket)
      return
    }
    receive(slot, packet, message)
  }

  /// One packet of a session, whichever way it came. The session may be gone afterwards.
  mutating func receive(_ slot: UInt32, _ packet: EngineIOPacket, _ bytes: Span<UInt8>) {
    switch packet.kind {
    case .message where packet.isBase64:
      var binary = ByteBuffer(capacity: packet.body.count)
      if Base64Text.decode(bytes, packet.body, into: &binary) {
        receiveSocketIO(slot, binary: binary.bytes)
      } else {
        endEngine(slot, .badPacket)
      }
    case .message:
      receiveSocketIO(slot, text: bytes.extracting(packet.body))
    case .pong:
      connections[slot].flags.remove(.awaitsPong)
      connections[slot].deadlineMilliseconds = now + UInt64(shared.engineSettings.pingIntervalMilliseconds)
      scheduleTimer(slot)
    case .close:
      endEngine(slot, .client)
    // As the reference server does, which means nothing by them here.
    case .noop, .upgrade, .open:
      break
    case .ping:
      endEngine(slot, .badPacket)
    }
  }

  // MARK: Ending

  /// Ends a session: the waiting poll and a probing WebSocket are let go, then the slot goes; a WebSocket is closed.
  mutating func endEngine(_ slot: UInt32, _ reason: CloseReason) {
    guard connections[slot].phase == .open else { return }
    if connections[slot].fd >= 0 {
      close(slot, reason, "")
      if connections.isLive(slot) && connections[slot].phase == .open { finish(slot, reason) }
      return
    }
    drop(slot, reason)
  }

  /// Ends a session in order, as the reference server does for what Socket.IO refuses: a client that polls is told by
  /// the poll that waits, or else by the next, behind what is queued. The slot waits for that as for the end of a
  /// closed WebSocket, and is one of those in no namespace.
  mutating func closeEngine(_ slot: UInt32, _ reason: CloseReason) {
    closeRun()
    guard connections[slot].phase == .open else { return }
    if connections[slot].fd >= 0 {
      endEngine(slot, reason)
      return
    }
    let index = connections[slot].engine
    guard var session = engines.take(index) else { return }
    session.isClosing = true
    session.isProbed = false
    let probe = session.probe
    session.probe = nil
    leaveSocketIO(session)
    session.client = SocketIOClient()
    let isListed = session.unjoined != UnjoinedSessions.none
    engines.putBack(session, at: index)
    logClose(slot, reason)
    connections[slot].reason = reason
    connections[slot].phase = .closing
    if connections[slot].flags.contains(.hasCalls) { cancelCalls(slot) }
    topics.unsubscribeAll(&connections[slot].subscriptions)
    if connections[slot].flags.contains(.announced) { recordLifecycle(.disconnected, slot) }
    connections[slot].flags.remove(.announced)
    startPatience(slot)
    if let probe, connections.isCurrent(probe), connections[probe.index].phase == .open {
      close(probe.index, .sessionEnded, "")
    }
    if !isListed {
      let token = connections.token(of: slot)
      let opener = SessionOpener(
        connection: token, address: AddressTable.key(connections[slot].client),
        isExempt: shared.addresses.isExempt(connections[slot].client))
      makeRoom(for: opener)
      let number = unjoined.insert(token, opener)
      withEngine(slot) { $0.unjoined = number }
    }
    flushPoll(slot)
  }

  /// A connection goes that had to do with a session.
  @inline(never)
  mutating func leaveEngine(_ connection: Connection, _ token: SlabToken, _ reason: CloseReason) {
    if connection.role == .socketIO {
      discardEngine(connection.engine, reason)
    } else if connection.role == .engineProbe {
      probeAborted(connection.engine, token)
    } else if connection.phase == .polling {
      pollAborted(connection.engine, token)
    }
  }

  /// A slot with a session goes: whoever waits for it is told.
  private mutating func discardEngine(_ index: UInt32, _ reason: CloseReason) {
    guard let session = engines.take(index) else { return }
    let poll = session.poll
    let origin = session.pollOrigin
    let probe = session.probe
    let post = session.post
    unjoined.remove(session.unjoined)
    leaveSocketIO(session)
    engines.discard(index)
    if let post {
      postBytes -= post.body.count
      answerPost(post, .unknownSession)
    }
    if let poll, connections.isCurrent(poll) {
      scratch.removeAll()
      EngineIOPacket.begin(reason == .client ? .noop : .close, to: &scratch)
      answerPoll(poll.index, origin)
    }
    if let probe, connections.isCurrent(probe), connections[probe.index].phase == .open {
      close(probe.index, .sessionEnded, "")
    }
  }
}
