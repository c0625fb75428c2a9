// The sessions dialect on a live connection: carries out what a command asks for. The reactor's thread.
import Buffers
import Dialects
import EventLoop
import Topics
import Wire

extension Shard where Kernel: ~Copyable {
  /// Checks the token of a client, where there is one (PROTOCOLS 4.2), and interns its name and its session.
  mutating func authenticateSessions(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>
  ) -> UpgradeVerdict {
    var name = ByteBuffer()
    var session = ByteBuffer()
    let identity: SessionsAuthenticator.Identity
    do throws(Denial) {
      identity = try SessionsAuthenticator.identify(
        head, bytes, shared, nowSeconds: clock.milliseconds / 1000, &claims, token: &nameScratch, name: &name,
        session: &session)
    } catch {
      return .refuse(.unauthorized, nil, error)
    }
    connections[slot].user = users.intern(name)
    connections[slot].place = users.intern(session)
    switch identity {
    case .anonymous: break
    case .authenticated: connections[slot].flags.insert(.authenticated)
    case .fixed: connections[slot].flags.formUnion([.authenticated, .placeFixed])
    }
    return .accept(subprotocol: nil)
  }

  /// Carries out one message. Whatever is wrong with it, the client is not told (PROTOCOLS 4.3).
  @inline(never)
  mutating func receiveSessions(_ slot: UInt32, _ opcode: Opcode, _ message: Span<UInt8>) {
    if opcode == .binary {
      countRefusal(slot, Refusal(SessionsRefusal.unknownCommand))
      return
    }
    switch SessionsSession.receive(message) {
    case .publish(let publication):
      publishSessions(slot, message, publication)
    case .subscribe(let topic, let session):
      subscribeSessions(slot, message, topic, session)
    case .unsubscribe(let topic, let session):
      guard prepareChange(slot), nameTopic(slot, message, topic, session) else { return }
      let hash = TopicTable.hash(nameScratch.bytes, space: Space.sessions.rawValue)
      _ = topics.unsubscribe(&connections[slot].subscriptions, nameScratch, space: Space.sessions.rawValue, hash: hash)
    case .registerName(let name):
      if connections[slot].flags.contains(.authenticated) { return }
      if let id = internName(slot, message, name) {
        users.release(connections[slot].user)
        connections[slot].user = id
      }
    case .registerSession(let session):
      if connections[slot].flags.contains(.placeFixed) { return }
      if let id = internName(slot, message, session) {
        users.release(connections[slot].place)
        connections[slot].place = id
      }
    case .ping:
      scratch.removeAll()
      SessionsEncoder.appendPong(to: &scratch)
      replyWithScratch(slot)
    case .ignore(let refusal):
      countRefusal(slot, Refusal(refusal))
    }
  }

  /// Interns the name of a client or of a session; nil, and it is counted, when it may not be used.
  private mutating func internName(_ slot: UInt32, _ message: Span<UInt8>, _ name: Range<Int>) -> UInt32? {
    let text = message.extracting(name)
    if SessionTopic.isValidName(text, bytesMax: limits.channelNameBytesMax) { return users.intern(text) }
    countRefusal(slot, Refusal(SessionsRefusal.invalidName))
    return nil
  }

  /// Puts the table's name for a command's topic into `nameScratch`; false, and it is counted, when it may not be used.
  private mutating func nameTopic(
    _ slot: UInt32, _ message: Span<UInt8>, _ topic: Range<Int>, _ session: Range<Int>?
  ) -> Bool {
    nameScratch.removeAll()
    if Self.appendName(
      message, topic, session, users, connections[slot].place, limits.channelNameBytesMax, to: &nameScratch)
    {
      return true
    }
    countRefusal(slot, Refusal(SessionsRefusal.invalidName))
    return false
  }

  private mutating func subscribeSessions(
    _ slot: UInt32, _ message: Span<UInt8>, _ topic: Range<Int>, _ session: Range<Int>?
  ) {
    guard prepareChange(slot), nameTopic(slot, message, topic, session) else { return }
    let hash = TopicTable.hash(nameScratch.bytes, space: Space.sessions.rawValue)
    let isFull = Int(connections[slot].subscriptions.count) >= limits.subscriptionsPerConnectionMax
    if isFull
      && !topics.isSubscribed(
        connections[slot].subscriptions, nameScratch.bytes, space: Space.sessions.rawValue, hash: hash)
    {
      countRefusal(slot, Refusal(SessionsRefusal.tooManySubscriptions))
      return
    }
    let outcome = topics.subscribe(
      slot, &connections[slot].subscriptions, nameScratch, space: Space.sessions.rawValue, hash: hash)
    if outcome == .subscribed && shared.extensions.lifecycle != nil {
      scratch.removeAll()
      Self.appendTitle(message, topic, session, users, connections[slot].place, to: &scratch)
      recordSubscription(slot, scratch)
    }
  }

  private mutating func publishSessions(
    _ slot: UInt32, _ message: Span<UInt8>, _ publication: SessionsPublication
  ) {
    nameScratch.removeAll()
    let place = connections[slot].place
    guard Self.appendName(message, publication, users, place, limits.channelNameBytesMax, to: &nameScratch) else {
      countRefusal(slot, Refusal(SessionsRefusal.invalidName))
      return
    }
    counters.add(.publishes)
    guard let audience = audience(space: Space.sessions.rawValue) else { return }
    scratch.removeAll()
    Self.encodePublication(message, publication, users, place, to: &scratch)
    publishScratch(to: audience, data: 0..<0)
  }

  // MARK: Putting together with what the shard knows

  private static func appendName(
    _ message: Span<UInt8>, _ topic: Range<Int>, _ session: Range<Int>?, _ users: borrowing InternTable,
    _ place: UInt32, _ bytesMax: Int, to out: inout ByteBuffer
  ) -> Bool {
    SessionTopic.append(
      in: message, topic: topic, session: session, current: users.bytes(place), bytesMax: bytesMax, to: &out)
  }

  private static func appendName(
    _ message: Span<UInt8>, _ publication: SessionsPublication, _ users: borrowing InternTable, _ place: UInt32,
    _ bytesMax: Int, to out: inout ByteBuffer
  ) -> Bool {
    SessionTopic.append(in: message, publication, current: users.bytes(place), bytesMax: bytesMax, to: &out)
  }

  /// What the application is told of a topic: as the client would write it, with its session.
  private static func appendTitle(
    _ message: Span<UInt8>, _ topic: Range<Int>, _ session: Range<Int>?, _ users: borrowing InternTable,
    _ place: UInt32, to out: inout ByteBuffer
  ) {
    out.append(message.extracting(topic))
    out.append(UInt8(ascii: "|"))
    if let session { out.append(message.extracting(session)) } else { out.append(users.bytes(place)) }
  }

  private static func encodePublication(
    _ message: Span<UInt8>, _ publication: SessionsPublication, _ users: borrowing InternTable, _ place: UInt32,
    to out: inout ByteBuffer
  ) {
    SessionsEncoder.appendMessage(in: message, publication, session: users.bytes(place), to: &out)
  }
}
