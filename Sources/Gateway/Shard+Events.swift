// The events dialect on a native connection: carries out what a session's action asks for. The reactor's thread.
import Buffers
import Dialects
import EventLoop
import Wire

extension Shard where Kernel: ~Copyable {
  /// Looks up the session of a native client, before the 101 (PROTOCOLS 3.3).
  mutating func authenticateEvents(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>
  ) -> UpgradeVerdict {
    guard EventsAuthenticator.token(head, bytes, into: &nameScratch) else {
      return .refuse(.unauthorized, "Authentication token required", .tokenMissing)
    }
    guard let session = shared.eventSessions.lookup(token: nameScratch.bytes, nowMilliseconds: clock.milliseconds)
    else {
      return .refuse(.unauthorized, "Invalid or expired session token", .unknownSession)
    }
    connections[slot].place = intern(.session)
    if let user = session.userId { connections[slot].user = users.intern(user.utf8.span) }
    if session.isLoggedIn { connections[slot].flags.insert(.authenticated) }
    nameScratch.removeAll()
    EventsID.append(
      "ws", milliseconds: clock.milliseconds, random: .random(in: .min ... .max), to: &nameScratch)
    connections[slot].alias = intern(.socket)
    return .accept(subprotocol: nil)
  }

  /// Interns the text in `nameScratch` as the name of a personal room of this kind.
  private mutating func intern(_ kind: PersonalRooms.Kind) -> UInt32 { Self.intern(nameScratch, kind, &users) }

  private static func intern(
    _ name: borrowing ByteBuffer, _ kind: PersonalRooms.Kind, _ users: inout InternTable
  ) -> UInt32 {
    users.intern(name.bytes, space: kind.space, hash: InternTable.hash(name.bytes, space: kind.space))
  }

  /// The first message of a connection (PROTOCOLS 3.3). Whoever has it gets what is sent to everyone from then on.
  mutating func welcomeEvents(_ slot: UInt32) {
    joinNativeRooms(slot)
    scratch.removeAll()
    EventsEncoder.open("connected", .native, to: &scratch)
    Self.encodeWelcome(shared.eventsProduct, users, connections[slot], to: &scratch)
    EventsEncoder.close(.native, to: &scratch)
    replyWithScratch(slot)
  }

  /// Carries out one message. Text has been validated as it arrived; a binary message has not.
  @inline(never)
  mutating func receiveEvents(_ slot: UInt32, _ opcode: Opcode, _ message: Span<UInt8>) {
    if opcode == .binary && !UTF8Validator.isValid(message) {
      refuseEvents(slot, .notProcessed, message)
      return
    }
    switch EventsSession.receive(message) {
    case .event(let name, let data):
      let builtIn = EventsSession.builtIn(message, name)
      if callEventHandler(slot, message, name, data, builtIn) { return }
      if let builtIn {
        answerEvents(slot, builtIn, message.extracting(data?.range ?? 0..<0))
      } else {
        refuseEvents(slot, .unknownEvent(name), message)
      }
    case .refuse(let refusal):
      refuseEvents(slot, refusal, message)
    }
  }

  /// Answers a built-in event (PROTOCOLS 3.4). `data` is raw JSON, empty where there is none. Nothing waits behind the
  /// application's handlers: the answers are told apart by their names.
  private mutating func answerEvents(_ slot: UInt32, _ event: EventsBuiltIn, _ data: Span<UInt8>) {
    scratch.removeAll()
    switch event {
    case .ping:
      EventsEncoder.open("pong", .native, to: &scratch)
      Self.encodePong(clock, to: &scratch)
    case .status:
      EventsEncoder.open("status_response", .native, to: &scratch)
      Self.encodeStatus(shared.eventsProduct, users, connections[slot], clock, to: &scratch)
    case .echo:
      EventsEncoder.open("echo_response", .native, to: &scratch)
      Self.encodeEcho(data, users, connections[slot], clock, to: &scratch)
    case .info:
      EventsEncoder.open("info_response", .native, to: &scratch)
      Self.encodeInfo(shared.eventsProduct, users, connections[slot], clock, to: &scratch)
    case .message:
      EventsEncoder.open("message_received", .native, to: &scratch)
      Self.encodeReceived(data, clock, to: &scratch)
    case .chat:
      // Served by a handler, which is always there.
      return
    }
    EventsEncoder.close(.native, to: &scratch)
    replyWithScratch(slot)
  }

  private mutating func refuseEvents(_ slot: UInt32, _ refusal: EventsRefusal, _ message: Span<UInt8>) {
    countRefusal(slot, Refusal(refusal))
    scratch.removeAll()
    EventsEncoder.open("error", .native, to: &scratch)
    EventsEncoder.appendError(refusal, in: message, to: &scratch)
    EventsEncoder.close(.native, to: &scratch)
    replyWithScratch(slot)
  }

  // MARK: Handlers of the application

  /// Starts the handler of an event where there is one; false when the event is for the gateway itself. Handlers come
  /// before the built-in events, so that an application can replace them.
  private mutating func callEventHandler(
    _ slot: UInt32, _ message: Span<UInt8>, _ name: JSONValue, _ data: JSONValue?, _ builtIn: EventsBuiltIn?
  ) -> Bool {
    // The common case without an application: no text is made of the name.
    if builtIn != nil && builtIn != .chat && !shared.hasEventHandlers { return false }
    if name.end - name.start > Limits.handlerNameBytesMax * 6 + 2 { return false }
    nameScratch.removeAll()
    JSONString.decode(message, name, into: &nameScratch)
    let event = nameScratch.bytes.string
    guard let handler = shared.extensions.events[event] else { return false }
    let id = connectionID(slot)
    let queue = commands
    let call = Call(
      dialect: .events, name: event, connection: id, user: userText(slot),
      context: data.map { message.extracting($0.range).array } ?? Array("null".utf8),
      outlet: shared.outlet(home: number), session: Self.text(connections[slot].place, users).string,
      socketId: Self.text(connections[slot].alias, users).string
    ) { name, json in
      queue.push(.text(id, EventsReply.event(name ?? event, json)))
    }
    let runs = shared.handlerRuns
    // Chats of one connection run side by side (PROTOCOLS 3.6); other handlers take its events in the order sent.
    let isStarted = startCall(slot, ordered: builtIn != .chat, bytes: message.count) {
      do {
        try await runs.run(handler, call)
      } catch {
        guard let failure = EventsReply.failure(error, of: call) else { return }
        queue.push(.text(id, EventsReply.event(failure.event, failure.body)))
      }
    }
    if isStarted { return true }
    if builtIn == .chat {
      countRefusal(slot, .tooManyCalls)
      scratch.removeAll()
      EventsEncoder.open("ai:response:error", .native, to: &scratch)
      EventsEncoder.appendError(.tooManyRequests, in: message, to: &scratch)
      EventsEncoder.close(.native, to: &scratch)
      replyWithScratch(slot)
    } else {
      refuseEvents(slot, .tooManyRequests, message)
    }
    return true
  }

  // MARK: Encoding with what the shard knows

  /// An interned text, empty where there is none.
  @_lifetime(borrow users)
  private static func text(_ id: UInt32, _ users: borrowing InternTable) -> Span<UInt8> {
    if id == InternTable.none { return Span() }
    return users.bytes(id)
  }

  private static func encodeWelcome(
    _ product: EventsProduct, _ users: borrowing InternTable, _ connection: Connection, to out: inout ByteBuffer
  ) {
    EventsEncoder.appendWelcome(
      product, socketId: text(connection.alias, users), isLoggedIn: connection.flags.contains(.authenticated), .native,
      to: &out)
  }

  private static func encodePong(_ clock: borrowing TimestampClock, to out: inout ByteBuffer) {
    EventsEncoder.appendPong(timestamp: clock.iso, to: &out)
  }

  private static func encodeStatus(
    _ product: EventsProduct, _ users: borrowing InternTable, _ connection: Connection,
    _ clock: borrowing TimestampClock, to out: inout ByteBuffer
  ) {
    EventsEncoder.appendStatus(
      product, socketId: text(connection.alias, users), token: text(connection.place, users),
      userId: text(connection.user, users), isLoggedIn: connection.flags.contains(.authenticated), .native,
      timestamp: clock.iso, to: &out)
  }

  private static func encodeEcho(
    _ data: Span<UInt8>, _ users: borrowing InternTable, _ connection: Connection,
    _ clock: borrowing TimestampClock, to out: inout ByteBuffer
  ) {
    EventsEncoder.appendEcho(data, socketId: text(connection.alias, users), timestamp: clock.iso, to: &out)
  }

  private static func encodeInfo(
    _ product: EventsProduct, _ users: borrowing InternTable, _ connection: Connection,
    _ clock: borrowing TimestampClock, to out: inout ByteBuffer
  ) {
    EventsEncoder.appendInfo(
      product, token: text(connection.place, users), userId: text(connection.user, users),
      isLoggedIn: connection.flags.contains(.authenticated), .native, connections: 0, timestamp: clock.iso, to: &out)
  }

  private static func encodeReceived(
    _ data: Span<UInt8>, _ clock: borrowing TimestampClock, to out: inout ByteBuffer
  ) {
    EventsEncoder.appendReceived(data, timestamp: clock.iso, to: &out)
  }
}
