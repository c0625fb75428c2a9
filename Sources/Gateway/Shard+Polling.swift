// Engine.IO over HTTP: polls that wait, posts, and the upgrade to a WebSocket. The reactor's thread.
import Buffers
import EventLoop
import Wire

extension Shard where Kernel: ~Copyable {
  // MARK: Polling

  /// A GET of a session: answered with what is queued, else when there is something.
  mutating func poll(_ slot: UInt32, _ session: UInt32, _ exchange: consuming EngineExchange) {
    let index = connections[session].engine
    guard var engine = engines.take(index) else { return }
    if engine.poll != nil {
      // Two at a time: nobody could say which gets what (PROTOCOLS 3.5).
      engines.putBack(engine, at: index)
      refuseEngine(slot, .badRequest, exchange)
      endEngine(session, .badPacket)
      return
    }
    engine.poll = connections.token(of: slot)
    engine.pollOrigin = exchange.origin
    let isUpgrading = engine.isProbed
    let isClosing = engine.isClosing
    engines.putBack(engine, at: index)
    connections[slot].phase = .polling
    connections[slot].engine = session
    if exchange.keepsAlive { connections[slot].flags.insert(.keepsAlive) }
    timers.cancel(slot)
    if isClosing {
      flushPoll(session, isNext: true)
    } else if isUpgrading {
      releasePoll(session)
    } else if !connections[session].outbound.isEmpty {
      resume(session)
    }
  }

  /// Sends what waits in a session's queue as the answer of its poll, if there is one; else keeps it for the next. The
  /// queue holds WebSocket frames, each of which becomes a packet. A turn that has lasted long leaves it to a later
  /// one, unless the answer is due from an earlier. `isNext`: the poll came when the session had ended.
  mutating func flushPoll(_ slot: UInt32, isDue: Bool = false, isNext: Bool = false) {
    let index = connections[slot].engine
    guard let engine = engines.take(index) else { return }
    let poll = engine.isProbed ? nil : engine.poll
    let isClosing = engine.isClosing
    engines.putBack(engine, at: index)
    if connections[slot].phase != .open && !isClosing {
      drop(slot, connections[slot].reason)
      return
    }
    if connections[slot].outbound.isEmpty && !isClosing { return }
    guard let poll, connections.isCurrent(poll) else {
      if !connections[slot].outbound.isEmpty { block(slot) }
      return
    }
    if !isDue && !isNext && isLate() {
      answerPollLater(slot)
      return
    }
    var payload = ByteBuffer()
    var writer = EngineIOPayloadWriter()
    // The forms of the reference server: a poll that comes late is let go, and then told.
    if isNext && connections[slot].outbound.isEmpty { _ = writer.append(.noop, Span(), to: &payload) }
    while !writer.isFull, !connections[slot].outbound.isEmpty {
      let segment = outbox.first(of: connections[slot].outbound)
      let used = Self.appendPackets(outbox, segment, &writer, to: &payload)
      settle(slot, sent: used)
      if used < segment.count { break }
    }
    var isTold = false
    if isClosing && connections[slot].outbound.isEmpty { isTold = writer.append(.close, Span(), to: &payload) }
    swap(&payload, &scratch)
    answerPoll(poll.index, of: slot)
    if isTold {
      drop(slot, connections[slot].reason)
    } else if !connections[slot].outbound.isEmpty {
      block(slot)
    } else {
      becameEmpty(slot)
    }
  }

  /// Writes the frames of a segment as packets until the payload is full; returns the bytes of those frames.
  private static func appendPackets(
    _ outbox: borrowing Outbox, _ segment: Segment, _ writer: inout EngineIOPayloadWriter, to payload: inout ByteBuffer
  ) -> Int {
    let bytes = outbox.bytes(segment)
    var offset = 0
    while offset < bytes.count && !writer.isFull {
      guard let frame = ServerFrame(bytes, at: offset) else { return bytes.count }
      switch frame.opcode {
      case .text: _ = writer.append(packet: bytes.extracting(frame.payload), to: &payload)
      case .binary: _ = writer.append(binary: bytes.extracting(frame.payload), to: &payload)
      default: break
      }
      offset = frame.payload.upperBound
    }
    return offset
  }

  /// Releases the waiting poll of a session that goes over to a WebSocket.
  private mutating func releasePoll(_ session: UInt32) {
    guard let poll = engines.read(connections[session].engine, { $0.poll }) ?? nil, connections.isCurrent(poll) else {
      return
    }
    scratch.removeAll()
    EngineIOPacket.begin(.noop, to: &scratch)
    answerPoll(poll.index, of: session)
  }

  /// Answers a waiting poll with the payload in `scratch`, and reads on from its connection.
  mutating func answerPoll(_ slot: UInt32, of session: UInt32) {
    var origin: [UInt8]?
    withEngine(session) { engine in
      engine.answered = engine.poll
      engine.poll = nil
      origin = engine.pollOrigin
    }
    answerPoll(slot, origin)
  }

  /// The same for a session that is gone.
  mutating func answerPoll(_ slot: UInt32, _ origin: [UInt8]?) {
    guard connections[slot].phase == .polling else { return }
    connections[slot].engine = Pool<EngineSession>.none
    connections[slot].phase = .head
    var exchange = EngineExchange(keepsAlive: connections[slot].flags.contains(.keepsAlive), origin: origin)
    exchange.keepsAlive = exchange.keepsAlive && drainDeadline == 0
    connections[slot].flags.remove(.keepsAlive)
    swap(&scratch, &nameScratch)
    respondEngine(slot, exchange, .ok, "text/plain; charset=UTF-8")
    lookAgain(slot)
  }

  /// The connection of a poll, or of a POST, ends while it waits: the client has gone, and so has the session
  /// (PROTOCOLS 3.5).
  mutating func pollAborted(_ session: UInt32, _ connection: SlabToken) {
    guard connections.isLive(session), connections[session].role == .socketIO,
      engines.read(
        connections[session].engine, { $0.poll == connection || $0.post?.connection == connection }) == true
    else { return }
    endEngine(session, .disconnected)
  }

  // MARK: Posting

  /// A POST of a session: its body is wanted first.
  mutating func post(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ session: UInt32,
    _ exchange: consuming EngineExchange
  ) -> Routed {
    if let type = head.contentType, bytes.extracting(type).equalsIgnoringCase("application/octet-stream") {
      refuseEngine(slot, .badRequest, exchange)
      endEngine(session, .badPacket)
      return .done
    }
    guard var engine = engines.take(connections[session].engine) else { return .done }
    let isBusy = engine.isPosting && !engine.isClosing
    engine.isPosting = true
    engines.putBack(engine, at: connections[session].engine)
    if isBusy {
      refuseEngine(slot, .badRequest, exchange)
      endEngine(session, .badPacket)
      return .done
    }
    return .pending(PendingRequest(post: exchange, to: connections.token(of: session)))
  }

  /// Takes a whole payload apart, packet by packet, and answers `ok`.
  mutating func receivePost(_ slot: UInt32, _ session: SlabToken, _ exchange: EngineExchange, _ body: [UInt8]) {
    guard connections.isCurrent(session), connections[session.index].phase == .open else {
      if connections.isCurrent(session) && isClosingEngine(session.index) {
        // Its client does not know yet that it has ended, and is told by its poll.
        respondOK(slot, exchange)
      } else {
        refuseEngine(slot, .unknownSession, exchange)
      }
      return
    }
    guard UTF8Validator.isValid(body.span) else {
      refuseEngine(slot, .badRequest, exchange)
      endEngine(session.index, .badPacket)
      return
    }
    takePost(EnginePost(connection: connections.token(of: slot), exchange: exchange, body: body), of: session)
  }

  /// The connection of a POST went before its body was whole.
  mutating func postAborted(_ session: SlabToken) {
    guard connections.isCurrent(session), connections[session.index].role == .socketIO else { return }
    endEngine(session.index, .disconnected)
  }

  // MARK: Upgrading

  /// Accepts a WebSocket as a transport of Engine.IO; false when its handshake was refused.
  mutating func acceptEngine(_ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>, as role: Role) -> Bool {
    switch WebSocketUpgrade.check(head, bytes) {
    case .accept(let key):
      if head.expectContinue { sendContinue(slot) }
      connections[slot].mount = Connection.engineMount
      let mounts = shared.listeners[Int(connections[slot].listener)].mounts
      let deflate = negotiateDeflate(head, bytes, mounts.findEvents(path: bytes.extracting(head.path)))
      acceptUpgrade(slot, bytes.extracting(key), role, deflate, nil)
      if let deflate { enableDeflate(slot, deflate) }
      return true
    case .notUpgrade, .refuse:
      refuseEngine(slot, .badRequest, EngineExchange(head, bytes))
      return false
    }
  }

  /// A WebSocket that names a session: it probes for an upgrade. A second one, or one for a session that has a
  /// WebSocket, is closed.
  mutating func probeEngine(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ session: UInt32, usesBase64: Bool
  ) {
    guard acceptEngine(slot, head, bytes, as: .engineProbe) else { return }
    guard var engine = engines.take(connections[session].engine) else { return }
    let isTaken = engine.isUpgraded || engine.probe != nil
    if !isTaken { engine.probe = connections.token(of: slot) }
    engines.putBack(engine, at: connections[session].engine)
    if isTaken {
      close(slot, .sessionEnded, "")
      return
    }
    if usesBase64 { useBase64(session) }
    connections[slot].engine = session
    connections[slot].deadlineMilliseconds = now + UInt64(shared.engineSettings.upgradeMilliseconds)
    timers.schedule(slot, at: connections[slot].deadlineMilliseconds)
  }

  /// A message of a probing WebSocket: `2probe`, then `5`.
  @inline(never)
  mutating func receiveProbe(_ slot: UInt32, _ opcode: Opcode, _ message: Span<UInt8>) {
    let session = connections[slot].engine
    guard opcode == .text, connections.isLive(session), connections[session].role == .socketIO,
      var engine = engines.take(connections[session].engine)
    else {
      close(slot, .sessionEnded, "")
      return
    }
    let isMine = engine.probe == connections.token(of: slot)
    let wasProbed = engine.isProbed
    // A client goes over when its POSTs are answered; what comes behind this would overtake the rest of one.
    let isEarly = engine.post != nil
    if isMine && message.equals("2probe") { engine.isProbed = true }
    engines.putBack(engine, at: connections[session].engine)
    if isMine && message.equals("2probe") {
      reply(slot, .text, Self.probeAnswer.span)
      releasePoll(session)
    } else if isMine && wasProbed && !isEarly && message.equals("5") {
      // Not yet: what was received behind this packet has to go along.
      connections[slot].flags.insert(.takesOver)
    } else {
      close(slot, .badPacket, "")
    }
  }

  /// Gives the WebSocket of a probe to its session, whose queue goes on with it: the socket, its windows, and what was
  /// received and not yet used. Called when nothing of the probe's is being worked on, in the turn of its last packet.
  mutating func finishUpgrade(_ slot: UInt32) {
    closeRun()
    connections[slot].flags.remove(.takesOver)
    let session = connections[slot].engine
    guard connections[slot].phase == .open, connections.isLive(session), connections[session].role == .socketIO,
      connections[session].phase == .open,
      engines.read(connections[session].engine, { $0.probe }) == connections.token(of: slot)
    else {
      close(slot, .sessionEnded, "")
      return
    }
    releasePoll(session)
    withEngine(session) { engine in
      engine.probe = nil
      engine.isProbed = false
      engine.isUpgraded = true
      engine.transport = .webSocket
    }
    let probe = connections[slot]
    // What the probe has not sent goes before what waits for the session.
    if !probe.outbound.isEmpty {
      var unsent = ByteBuffer()
      takeUnsent(slot, into: &unsent)
      takeUnsent(session, into: &unsent)
      swap(&unsent, &scratch)
      enqueueRaw(session)
    }
    connections[session].fd = probe.fd
    connections[session].deflate = probe.deflate
    connections[session].deflateContext = probe.deflateContext
    connections[session].inbound = probe.inbound
    // The WebSocket is counted among the connections of its address; the session need not be any more.
    if connections[session].flags.contains(.admitted) { shared.addresses.leave(connections[session].client) }
    connections[session].flags.remove(.admitted)
    connections[session].client = probe.client
    connections[session].flags.formUnion(
      probe.flags.intersection([.counted, .admitted, .long, .pongOwed, .pongWaits]))
    connections[session].pingsBacklog = probe.pingsBacklog
    timers.cancel(slot)
    connections.remove(slot)
    // Two slots have become one connection.
    shared.leaveConnection()
    let token = connections.token(of: session)
    if !network.reregister(socket: probe.fd, token: token) {
      drop(session, .internalError)
      return
    }
    if !connections[session].outbound.isEmpty { resume(session) }
    if probe.inbound != Pool<Inbound>.none {
      connections[session].flags.insert(.resumed)
      readLater(session, token)
    }
  }

  /// Takes what a connection has queued.
  mutating func takeUnsent(_ slot: UInt32, into buffer: inout ByteBuffer) {
    while !connections[slot].outbound.isEmpty {
      let segment = outbox.first(of: connections[slot].outbound)
      buffer.append(outbox.bytes(segment))
      outbox.consume(segment.count, from: &connections[slot].outbound)
    }
    outbox.clear(&connections[slot].outbound)
  }

  /// A probing WebSocket goes before it has taken over: polling goes on.
  mutating func probeAborted(_ session: UInt32, _ probe: SlabToken) {
    guard connections.isLive(session), connections[session].role == .socketIO,
      var engine = engines.take(connections[session].engine)
    else { return }
    if engine.probe == probe {
      engine.probe = nil
      engine.isProbed = false
    }
    let isWaiting = engine.poll != nil
    engines.putBack(engine, at: connections[session].engine)
    if isWaiting && !connections[session].outbound.isEmpty { resume(session) }
  }

  private static var probeAnswer: [UInt8] { Array("3probe".utf8) }

  // MARK: Responses

  /// Refuses a request: JSON for a plain one, the sentence alone for an upgrade.
  mutating func refuseEngine(_ slot: UInt32, _ refusal: EngineIORefusal, _ exchange: consuming EngineExchange) {
    var answer = exchange
    answer.keepsAlive = false
    nameScratch.removeAll()
    if answer.isUpgrade {
      nameScratch.append(refusal.message)
    } else {
      refusal.append(to: &nameScratch)
    }
    let status: HTTPStatus = refusal == .forbidden ? .forbidden : .badRequest
    if refusal != .forbidden { countRefusal(slot, .badRequest) }
    respondEngine(slot, answer, status, answer.isUpgrade ? "text/plain" : "application/json")
  }

  /// Refuses a request with a status that is not Engine.IO's own. A browser may read it like any other answer.
  mutating func refuseEngine(
    _ slot: UInt32, _ status: HTTPStatus, _ text: StaticString, _ exchange: consuming EngineExchange,
    retryAfterSeconds: Int? = nil
  ) {
    var answer = exchange
    answer.keepsAlive = false
    if let refusal = Refusal(status) { countRefusal(slot, refusal) }
    nameScratch.removeAll()
    nameScratch.append(text)
    respondEngine(slot, answer, status, "text/plain", retryAfterSeconds: retryAfterSeconds)
  }

  /// Sends a response whose body is in `nameScratch`, with what browsers of other origins need.
  mutating func respondEngine(
    _ slot: UInt32, _ exchange: EngineExchange, _ status: HTTPStatus, _ contentType: StaticString?,
    retryAfterSeconds: Int? = nil
  ) {
    if contentType == nil { nameScratch.removeAll() }
    var response = HTTPResponse(status, contentType: contentType, keepsAlive: exchange.keepsAlive)
    response.omitsBody = exchange.omitsBody
    response.retryAfterSeconds = retryAfterSeconds
    prepare(&response, slot)
    scratch.removeAll()
    response.appendHeadLines(bodyCount: nameScratch.count, to: &scratch)
    if let origin = exchange.origin {
      HTTPResponse.appendHeader("Access-Control-Allow-Origin", origin.span, to: &scratch)
      scratch.append("Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n")
    }
    if exchange.isPreflight {
      scratch.append("Access-Control-Allow-Methods: GET, POST, OPTIONS\r\nAccess-Control-Max-Age: 600\r\n")
      if let headers = exchange.requestHeaders {
        HTTPResponse.appendHeader("Access-Control-Allow-Headers", headers.span, to: &scratch)
      }
    }
    scratch.append("Cache-Control: no-store\r\n\r\n")
    if !exchange.omitsBody && !status.forbidsBody { Self.join(nameScratch, to: &scratch) }
    sendResponse(slot, response)
  }

  private static func join(_ body: borrowing ByteBuffer, to out: inout ByteBuffer) { out.append(body.bytes) }
}

/// A frame as this side writes it: whole and unmasked.
struct ServerFrame {
  let opcode: Opcode
  let payload: Range<Int>

  /// The frame that begins at `offset`; nil when there is none.
  init?(_ bytes: Span<UInt8>, at offset: Int) {
    guard offset + 2 <= bytes.count, let opcode = Opcode(rawValue: bytes[offset] & 0x0F) else { return nil }
    var start = offset + 2
    var count = Int(bytes[offset + 1] & 0x7F)
    let extra = count == 126 ? 2 : count == 127 ? 8 : 0
    if extra > 0 {
      guard start + extra <= bytes.count else { return nil }
      count = 0
      for index in 0..<extra { count = count << 8 | Int(bytes[start + index]) }
      start += extra
    }
    guard count <= bytes.count - start else { return nil }
    self.opcode = opcode
    payload = start..<start + count
  }
}
