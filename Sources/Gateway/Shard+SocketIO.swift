// Socket.IO on an Engine.IO session: namespaces, events, acknowledgements, attachments. The reactor's thread.
import Buffers
import Dialects
import EventLoop
import Topics
import Wire

extension Shard where Kernel: ~Copyable {
  // MARK: Receiving

  /// A text message of a session: one packet, perhaps with attachments to come (PROTOCOLS 3.5).
  mutating func receiveSocketIO(_ slot: UInt32, text: Span<UInt8>) {
    guard var engine = engines.take(connections[slot].engine) else { return }
    let step = try? engine.client.assembler.receive(text: text)
    engines.putBack(engine, at: connections[slot].engine)
    switch step {
    case .packet(let packet): carryOut(slot, packet, text, [])
    case .awaitsAttachments: break
    case nil: closeEngine(slot, .badPacket)
    }
  }

  /// A binary message of a session: the next attachment.
  mutating func receiveSocketIO(_ slot: UInt32, binary: Span<UInt8>) {
    guard var engine = engines.take(connections[slot].engine) else { return }
    do {
      let whole = try engine.client.assembler.receive(binary: binary)
      engines.putBack(engine, at: connections[slot].engine)
      guard let whole else { return }
      carryOut(slot, whole.packet, whole.text.bytes, (0..<whole.count).map { whole.attachment($0).array })
    } catch {
      engines.putBack(engine, at: connections[slot].engine)
      closeEngine(slot, .badPacket)
    }
  }

  /// Changes the session of a slot.
  mutating func withEngine(_ slot: UInt32, _ body: (inout EngineSession) -> Void) {
    guard var engine = engines.take(connections[slot].engine) else { return }
    body(&engine)
    engines.putBack(engine, at: connections[slot].engine)
  }

  private mutating func carryOut(
    _ slot: UInt32, _ packet: SocketIOPacket, _ text: Span<UInt8>, _ attachments: [[UInt8]]
  ) {
    let name = text.extracting(packet.namespace)
    if packet.kind == .connect {
      joinNamespace(slot, packet, text)
      return
    }
    guard let namespace = SocketIONamespace(name),
      let socket = engines.read(connections[slot].engine, { $0.client.socket(namespace) }) ?? nil
    else {
      closeEngine(slot, .badPacket)
      return
    }
    switch packet.kind {
    case .event, .binaryEvent:
      if packet.isRefused {
        refuseEvent(slot, namespace)
      } else {
        receiveEvent(slot, socket, packet, text, attachments)
      }
    case .acknowledgement, .binaryAcknowledgement:
      if packet.isRefused {
        countRefusal(slot, .invalidJSON)
        acknowledged(slot, namespace, packet.id, nil)
        return
      }
      let acknowledgement = Acknowledgement(
        arguments: packet.payload.map { text.extracting($0.range).array } ?? Array("[]".utf8),
        attachments: attachments)
      acknowledged(slot, namespace, packet.id, acknowledgement)
    case .disconnect:
      leaveNamespace(slot, socket)
    case .connect, .connectError:
      closeEngine(slot, .badPacket)
    }
  }

  // MARK: Namespaces

  /// CONNECT: the namespace first, then the token.
  private mutating func joinNamespace(_ slot: UInt32, _ packet: SocketIOPacket, _ text: Span<UInt8>) {
    guard let namespace = SocketIONamespace(text.extracting(packet.namespace)) else {
      refuseNamespace(slot, text.extracting(packet.namespace).array, "Invalid namespace")
      return
    }
    guard var engine = engines.take(connections[slot].engine) else { return }
    let isJoined = engine.client.socket(namespace) != nil
    let handshakeToken = engine.client.handshakeToken
    engines.putBack(engine, at: connections[slot].engine)
    if isJoined {
      closeEngine(slot, .badPacket)
      return
    }
    let name = text.extracting(packet.namespace).array
    if packet.isRefused {
      refuseNamespace(slot, name, "Invalid or expired session token")
      return
    }
    let offered = packet.payload.flatMap { SocketIOToken.read(text, $0) } ?? handshakeToken.map { .text($0) }
    guard let offered else {
      refuseNamespace(slot, name, "Authentication token required", .tokenMissing)
      return
    }
    guard case .text(let token) = offered,
      let session = shared.eventSessions.lookup(token: token.span, nowMilliseconds: clock.milliseconds)
    else {
      refuseNamespace(slot, name, "Invalid or expired session token", .unknownSession)
      return
    }
    engine = engines.take(connections[slot].engine)!
    engine.client.lastSerial &+= 1
    let socket = SocketIOSocket(
      namespace: namespace, serial: engine.client.lastSerial, id: SocketIOClient.makeID(), token: token,
      userId: session.userId.map { Array($0.utf8) }, isLoggedIn: session.isLoggedIn)
    engine.client.sockets.append(socket)
    engine.hasJoined = true
    unjoined.remove(engine.unjoined)
    engine.unjoined = UnjoinedSessions.none
    engines.putBack(engine, at: connections[slot].engine)
    scheduleTimer(slot)
    if connections[slot].user == InternTable.none, let user = socket.userId {
      connections[slot].user = users.intern(user.span)
    }
    joinRooms(slot, form(of: slot, namespace), socket.id, socket.token, socket.userId)
    begin(.connect, namespace)
    scratch.append("{\"sid\":\"")
    scratch.append(socket.id.span)
    scratch.append("\"}")
    replyWithScratch(slot)
    begin(.event, namespace)
    EventsEncoder.open("connected", .socketIO, to: &scratch)
    EventsEncoder.appendWelcome(
      shared.eventsProduct, socketId: socket.id.span, isLoggedIn: socket.isLoggedIn, .webSocket, to: &scratch)
    EventsEncoder.close(.socketIO, to: &scratch)
    replyWithScratch(slot)
    if !connections[slot].flags.contains(.announced) { announce(slot) }
  }

  private mutating func refuseNamespace(
    _ slot: UInt32, _ name: [UInt8], _ message: StaticString, _ denial: Denial? = nil
  ) {
    countRefusal(slot, .socketIORefused, denial)
    scratch.removeAll()
    scratch.append("44")
    if !name.isEmpty {
      scratch.append(name.span)
      scratch.append(",")
    }
    scratch.append("{\"message\":\"")
    scratch.append(message)
    scratch.append("\"}")
    replyWithScratch(slot)
  }

  /// DISCONNECT: the socket leaves its rooms; the session goes on.
  private mutating func leaveNamespace(_ slot: UInt32, _ socket: SocketIOSocket) {
    withEngine(slot) { engine in
      engine.client.sockets.removeAll { $0.namespace == socket.namespace }
      for (id, request) in engine.client.requests where request.namespace == socket.namespace {
        request.waiter.fail()
        engine.client.requests[id] = nil
      }
    }
    closeRun()
    leaveRooms(slot, form(of: slot, socket.namespace))
  }

  /// A session goes: whoever waits for an answer of its client is told.
  mutating func leaveSocketIO(_ session: borrowing EngineSession) {
    for request in session.client.requests.values { request.waiter.fail() }
  }

  /// Begins a packet in `scratch`.
  private mutating func begin(_ kind: SocketIOPacket.Kind, _ namespace: SocketIONamespace) {
    scratch.removeAll()
    SocketIOChannel.begin(kind, namespace, to: &scratch)
  }

  // MARK: Events

  /// An event whose JSON breaks a rule of ours: it is answered, and costs its client nothing else.
  private mutating func refuseEvent(_ slot: UInt32, _ namespace: SocketIONamespace) {
    countRefusal(slot, .invalidJSON)
    begin(.event, namespace)
    EventsEncoder.open("error", .socketIO, to: &scratch)
    EventsEncoder.appendError(.notProcessed, in: Span(), to: &scratch)
    EventsEncoder.close(.socketIO, to: &scratch)
    replyWithScratch(slot)
  }

  private mutating func receiveEvent(
    _ slot: UInt32, _ socket: SocketIOSocket, _ packet: SocketIOPacket, _ text: Span<UInt8>, _ attachments: [[UInt8]]
  ) {
    // A name may be a number; nothing listens to one.
    guard let name = packet.name, name.kind == .string else { return }
    let builtIn = EventsSession.builtIn(text, name)
    if callHandler(slot, socket, packet, text, name, builtIn, attachments) { return }
    guard let builtIn else { return }
    answer(slot, socket, builtIn, packet.argument.map { text.extracting($0.range).array } ?? [], attachments)
  }

  /// Answers a built-in event (PROTOCOLS 3.4, with the differences of 3.5). Attachments go back with the data that
  /// names them.
  private mutating func answer(
    _ slot: UInt32, _ socket: SocketIOSocket, _ event: EventsBuiltIn, _ data: [UInt8], _ attachments: [[UInt8]]
  ) {
    let product = shared.eventsProduct
    let transport: EventsTransport =
      engines.read(connections[slot].engine) { $0.transport } == .polling ? .polling : .webSocket
    let user = socket.userId ?? []
    var timestamp = ByteBuffer(capacity: TimestampClock.textCount)
    Self.copy(clock, to: &timestamp)
    let returnsData = (event == .echo || event == .message) && !attachments.isEmpty
    scratch.removeAll()
    SocketIOChannel.begin(
      returnsData ? .binaryEvent : .event, socket.namespace, attachments: returnsData ? attachments.count : 0,
      to: &scratch)
    switch event {
    case .ping:
      EventsEncoder.open("pong", .socketIO, to: &scratch)
      EventsEncoder.appendPong(timestamp: timestamp.bytes, to: &scratch)
    case .status:
      EventsEncoder.open("status_response", .socketIO, to: &scratch)
      EventsEncoder.appendStatus(
        product, socketId: socket.id.span, token: socket.token.span, userId: user.span, isLoggedIn: socket.isLoggedIn,
        transport, rooms: rooms(slot, socket.namespace), timestamp: timestamp.bytes, to: &scratch)
    case .echo:
      EventsEncoder.open("echo_response", .socketIO, to: &scratch)
      EventsEncoder.appendEcho(data.span, socketId: socket.id.span, timestamp: timestamp.bytes, to: &scratch)
    case .info:
      EventsEncoder.open("info_response", .socketIO, to: &scratch)
      EventsEncoder.appendInfo(
        product, token: socket.token.span, userId: user.span, isLoggedIn: socket.isLoggedIn, transport,
        connections: shared.connections, timestamp: timestamp.bytes, to: &scratch)
    case .message:
      EventsEncoder.open("message_received", .socketIO, to: &scratch)
      EventsEncoder.appendReceived(data.span, timestamp: timestamp.bytes, to: &scratch)
    case .chat:
      return
    }
    EventsEncoder.close(.socketIO, to: &scratch)
    if returnsData { replyWithScratch(slot, attachments) } else { replyWithScratch(slot) }
  }

  /// Sends the packet in `scratch` and its attachments.
  private mutating func replyWithScratch(_ slot: UInt32, _ attachments: [[UInt8]]) {
    let text = scratch.bytes.array
    replyPacket(slot, text, attachments)
  }

  /// Sends a packet and its attachments in the form that the client reads.
  private mutating func replyPacket(_ slot: UInt32, _ text: [UInt8], _ attachments: [[UInt8]]) {
    if !attachments.isEmpty && usesBase64(slot) {
      reply(slot, text: text.span, attachments: attachments.map { EngineIOPacket.base64($0) }, as: .text)
    } else {
      reply(slot, text: text.span, attachments: attachments, as: .binary)
    }
  }

  /// Whether a session's client wants binary messages as base64 on every transport.
  mutating func usesBase64(_ slot: UInt32) -> Bool {
    engines.read(connections[slot].engine) { $0.usesBase64 } ?? false
  }

  /// A WebSocket that takes over from polling asks for base64, which the session's handshake had not: the rooms that it
  /// is in are from now on those of that form.
  mutating func useBase64(_ slot: UInt32) {
    if usesBase64(slot) { return }
    closeRun()
    for namespace in SocketIONamespace.allCases {
      let rooms = [[]] + rooms(slot, namespace)
      let isJoined = engines.read(connections[slot].engine) { $0.client.socket(namespace) != nil } ?? false
      guard isJoined else { continue }
      let form = RoomTopic.form(namespace)
      leaveRooms(slot, form)
      for room in rooms { joinRoom(slot, RoomTopic.base64(form), room) }
    }
    withEngine(slot) { $0.usesBase64 = true }
  }

  private static func copy(_ clock: borrowing TimestampClock, to out: inout ByteBuffer) { out.append(clock.iso) }

  /// Starts the application's handler of an event; false where there is none.
  private mutating func callHandler(
    _ slot: UInt32, _ socket: SocketIOSocket, _ packet: SocketIOPacket, _ text: Span<UInt8>, _ name: JSONValue,
    _ builtIn: EventsBuiltIn?, _ attachments: [[UInt8]]
  ) -> Bool {
    if builtIn != nil && builtIn != .chat && !shared.hasEventHandlers { return false }
    if name.end - name.start > Limits.handlerNameBytesMax * 6 + 2 { return false }
    nameScratch.removeAll()
    JSONString.decode(text, name, into: &nameScratch)
    let event = nameScratch.bytes.string
    guard let handler = shared.extensions.events[event] else { return false }
    let reference = SocketIOReference(
      connection: connectionID(slot), namespace: socket.namespace, serial: socket.serial)
    let channel = SocketIOChannel(socket: reference, acknowledgement: packet.id, queue: commands)
    let call = Call(
      dialect: .events, name: event, connection: reference.connection,
      user: socket.userId.map { String(decoding: $0, as: UTF8.self) },
      context: packet.argument.map { text.extracting($0.range).array } ?? Array("null".utf8),
      attachments: attachments, outlet: shared.outlet(home: number), socket: channel,
      session: socket.token.span.string, socketId: socket.id.span.string
    ) { name, json in channel.emit(name ?? event, json) }
    let runs = shared.handlerRuns
    let isStarted = startCall(
      slot, ordered: builtIn != .chat, bytes: attachments.reduce(text.count) { $0 + $1.count }
    ) {
      do {
        try await runs.run(handler, call)
      } catch {
        channel.fail(error, call)
      }
    }
    if !isStarted {
      countRefusal(slot, .tooManyCalls)
      channel.fail(HandlerError.rejected("Too many requests"), call)
    }
    return true
  }

  // MARK: What handlers send

  /// Whether a socket is still joined.
  mutating func hasSocket(_ slot: UInt32, _ socket: SocketIOReference) -> Bool {
    guard connections.isCurrent(socket.connection.token), connections[slot].role == .socketIO else { return false }
    return engines.read(connections[slot].engine) { $0.client.has(socket) } == true
  }

  /// Sends a packet and its attachments to a socket, unless its client has left the namespace.
  mutating func send(_ packet: [UInt8], _ attachments: [[UInt8]], to socket: SocketIOReference) {
    let slot = socket.connection.token.index
    if hasSocket(slot, socket) { replyPacket(slot, packet, attachments) }
  }

  /// Sends a text to one connection. A Socket.IO client gets a native event as a packet of the namespace that it joined
  /// first; what is no event could not be read by it, and is not sent.
  mutating func send(_ text: [UInt8], to id: ConnectionID) {
    guard connections.isCurrent(id.token) else { return }
    let slot = id.token.index
    if connections[slot].role != .socketIO {
      reply(slot, .text, text.span)
      return
    }
    guard let first = engines.read(connections[slot].engine, { $0.client.sockets.first }) ?? nil else {
      refuseSend(slot, "no_namespace")
      return
    }
    if let packet = SocketIOChannel.packet(native: text, first.namespace) {
      reply(slot, .text, packet.span)
    } else {
      refuseSend(slot, "not_an_event")
    }
  }

  private mutating func refuseSend(_ slot: UInt32, _ reason: StaticString) {
    counters.add(.sendsRefused)
    let client = connections[slot].client
    log.log(
      .warning, "send-refused", reason: reason, nowMilliseconds: Int(now), [("client", .text(client.description))])
  }

  /// Asks a client something that it acknowledges.
  mutating func request(
    _ socket: SocketIOReference, _ event: [UInt8], _ json: [UInt8], _ attachments: [[UInt8]],
    _ waiter: AcknowledgementWaiter
  ) {
    let slot = socket.connection.token.index
    guard hasSocket(slot, socket) else {
      waiter.fail()
      return
    }
    var id = 0
    var pending = 0
    withEngine(slot) { engine in
      // Those that nobody waits for any more, because the client took too long.
      engine.client.requests = engine.client.requests.filter { !$0.value.waiter.isOver }
      pending = engine.client.requests.count
    }
    guard pending < limits.callsPerConnectionMax else {
      waiter.fail()
      return
    }
    withEngine(slot) { engine in
      engine.client.lastRequest += 1
      id = engine.client.lastRequest
      engine.client.requests[id] = PendingAcknowledgement(namespace: socket.namespace, waiter: waiter)
    }
    scratch.removeAll()
    SocketIOChannel.begin(
      attachments.isEmpty ? .event : .binaryEvent, socket.namespace, attachments: attachments.count, id: id,
      to: &scratch)
    EventsEncoder.append(event.span, body: json.span, .socketIO, to: &scratch)
    replyWithScratch(slot, attachments)
  }

  /// A client has acknowledged a request, or has tried to and broken a rule. An id that nobody asked with is ignored.
  private mutating func acknowledged(
    _ slot: UInt32, _ namespace: SocketIONamespace, _ id: Int, _ acknowledgement: Acknowledgement?
  ) {
    withEngine(slot) { engine in
      guard let request = engine.client.requests[id], request.namespace == namespace else { return }
      engine.client.requests[id] = nil
      if let acknowledgement {
        request.waiter.resume(acknowledgement)
      } else {
        request.waiter.fail(.rejected("Failed to process message"))
      }
    }
  }
}
