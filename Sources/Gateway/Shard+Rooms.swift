// Rooms of the events dialect: who is in them, and broadcasting to them in the form that each kind of client reads. The
// reactor's thread.
import Buffers
import Dialects
import EventLoop
import Topics
import Wire

extension Shard where Kernel: ~Copyable {
  // MARK: Rooms that one is in by who one is

  /// Joins the rooms that every socket of Socket.IO is in: everyone, its own id, its session and its user.
  mutating func joinRooms(_ slot: UInt32, _ form: UInt8, _ id: [UInt8], _ token: [UInt8], _ user: [UInt8]?) {
    closeRun()
    guard connections[slot].phase == .open else { return }
    joinRoom(slot, form, [])
    joinRoom(slot, form, id)
    joinRoom(slot, form, Array("session:".utf8) + token)
    if let user { joinRoom(slot, form, Array("user:".utf8) + user) }
  }

  /// The same for a native connection: everyone is a topic, the others are lists under the names that the connection
  /// has interned.
  mutating func joinNativeRooms(_ slot: UInt32) {
    closeRun()
    joinRoom(slot, RoomTopic.native, [])
    let connection = connections[slot]
    personalRooms.insert(slot, into: connection.alias, .socket)
    personalRooms.insert(slot, into: connection.place, .session)
    if connection.user != InternTable.none { personalRooms.insert(slot, into: connection.user, .user) }
  }

  /// A native connection ends: it leaves those lists; the topics it leaves like any other. Again is once.
  mutating func leavePersonalRooms(_ slot: UInt32) {
    let connection = connections[slot]
    personalRooms.remove(slot, from: connection.alias, .socket)
    personalRooms.remove(slot, from: connection.place, .session)
    personalRooms.remove(slot, from: connection.user, .user)
  }

  /// Joins one room; again is once.
  mutating func joinRoom(_ slot: UInt32, _ form: UInt8, _ room: [UInt8]) {
    nameScratch.removeAll()
    RoomTopic.append(form: form, room: room.span, to: &nameScratch)
    let space = Space.eventRooms.rawValue
    let hash = TopicTable.hash(nameScratch.bytes, space: space)
    _ = topics.subscribe(slot, &connections[slot].subscriptions, nameScratch, space: space, hash: hash)
  }

  /// Leaves one room.
  private mutating func leaveRoom(_ slot: UInt32, _ form: UInt8, _ room: [UInt8]) {
    nameScratch.removeAll()
    RoomTopic.append(form: form, room: room.span, to: &nameScratch)
    let space = Space.eventRooms.rawValue
    let hash = TopicTable.hash(nameScratch.bytes, space: space)
    _ = topics.unsubscribe(&connections[slot].subscriptions, nameScratch, space: space, hash: hash)
  }

  /// Leaves every room of one form: a namespace that was left.
  mutating func leaveRooms(_ slot: UInt32, _ form: UInt8) {
    topics.unsubscribe(&connections[slot].subscriptions) { $0[0] == form }
  }

  // MARK: Rooms that handlers choose

  /// Changes a room's membership for a handler, within the limits of subscriptions. Everyone is in the empty room and
  /// stays there. A socket that has left its namespace meanwhile joins nothing.
  mutating func changeRoom(_ id: ConnectionID, _ socket: SocketIOReference?, _ room: [UInt8], joins: Bool) {
    closeRun()
    let slot = id.token.index
    guard connections.isCurrent(id.token), connections[slot].phase == .open, !room.isEmpty else { return }
    if let socket {
      guard hasSocket(slot, socket) else { return }
    } else {
      guard connections[slot].role == .events else { return }
      if changePersonalRoom(slot, room, joins: joins) { return }
    }
    var form = RoomTopic.native
    if let socket { form = self.form(of: slot, socket.namespace) }
    if !joins {
      leaveRoom(slot, form, room)
    } else if room.count > limits.channelNameBytesMax {
      countRefusal(slot, .invalidChannel)
    } else if Int(connections[slot].subscriptions.count) >= limits.subscriptionsPerConnectionMax {
      countRefusal(slot, .tooManySubscriptions)
    } else {
      joinRoom(slot, form, room)
    }
  }

  /// Joins or leaves one of a native connection's own rooms; false for any other room.
  private mutating func changePersonalRoom(_ slot: UInt32, _ room: [UInt8], joins: Bool) -> Bool {
    guard let personal = PersonalRoom(room.span) else { return false }
    let connection = connections[slot]
    let own =
      switch personal.kind {
      case .socket: connection.alias
      case .session: connection.place
      case .user: connection.user
      }
    guard own != InternTable.none, users.bytes(own).equals(room.span.extracting(personal.key)) else { return false }
    if joins {
      personalRooms.insert(slot, into: own, personal.kind)
    } else {
      personalRooms.remove(slot, from: own, personal.kind)
    }
    return true
  }

  /// The rooms of one socket, in the order joined, without the one of everyone.
  mutating func rooms(_ slot: UInt32, _ namespace: SocketIONamespace) -> [[UInt8]] {
    var rooms: [[UInt8]] = []
    let form = self.form(of: slot, namespace)
    topics.forEachName(connections[slot].subscriptions) { name in
      if name[0] == form && name.count > 1 { rooms.append(name.extracting(1..<name.count).array) }
    }
    rooms.reverse()
    return rooms
  }

  /// The form of the frames that a session reads in a namespace.
  mutating func form(of slot: UInt32, _ namespace: SocketIONamespace) -> UInt8 {
    let form = RoomTopic.form(namespace)
    return usesBase64(slot) ? RoomTopic.base64(form) : form
  }

  // MARK: Broadcasting

  /// Sends an event to everyone in a room: encoded once for native connections and once for each namespace that has
  /// somebody there, or twice where clients read attachments as base64. Attachments go to Socket.IO clients only.
  mutating func emit(_ emission: Emission) {
    let room = emission.room
    if emission.namespace == nil && emission.attachments.isEmpty { emitNative(emission) }
    for namespace in SocketIONamespace.allCases where (emission.namespace ?? namespace) == namespace {
      let form = RoomTopic.form(namespace)
      for isBase64 in [false, true] {
        nameScratch.removeAll()
        RoomTopic.append(form: isBase64 ? RoomTopic.base64(form) : form, room: room.span, to: &nameScratch)
        guard let audience = audience(space: Space.eventRooms.rawValue) else { continue }
        let packet = SocketIOChannel.event(
          emission.event, emission.data, namespace, attachments: emission.attachments.count)
        scratch.removeAll()
        scratch.append(packet.span)
        let attachments = isBase64 ? emission.attachments.map { EngineIOPacket.base64($0) } : emission.attachments
        publishPacket(
          to: audience, attachments, as: isBase64 ? .text : .binary, passingOver: passedOver(emission, namespace))
      }
    }
  }

  /// The connection that an emission passes over in a namespace, or among native connections: its sender, unless that
  /// has gone, or left the namespace.
  private mutating func passedOver(_ emission: Emission, _ namespace: SocketIONamespace?) -> UInt32 {
    guard let sender = emission.sender, connections.isCurrent(sender.connection.token),
      sender.socket?.namespace == namespace
    else { return Self.nobody }
    let slot = sender.connection.token.index
    if let socket = sender.socket, !hasSocket(slot, socket) { return Self.nobody }
    return slot
  }

  private mutating func emitNative(_ emission: Emission) {
    let room = emission.room
    nameScratch.removeAll()
    RoomTopic.append(form: RoomTopic.native, room: room.span, to: &nameScratch)
    let space = Space.eventRooms.rawValue
    let hash = TopicTable.hash(nameScratch.bytes, space: space)
    let topic = topics.find(nameScratch.bytes, space: space, hash: hash)
    var reactors = others == 0 ? 0 : interest.reactors(hash) & others
    let personal = PersonalRoom(room.span)
    var hasMembers = false
    if let personal {
      hasMembers = Self.members(personal, room.span, users, personalRooms) != nil
      // Nobody says who has whom. Every reactor with a native connection is asked.
      if others != 0 { reactors |= interest.reactors(RoomTopic.nativeEveryoneHash) & others }
    }
    if topic == nil && reactors == 0 && !hasMembers { return }
    scratch.removeAll()
    EventsEncoder.append(emission.event.utf8.span, body: emission.data.span, .native, to: &scratch)
    let passed = passedOver(emission, nil)
    let frame = publishPacket(
      to: Audience(topic: topic, reactors: reactors, space: space, hash: hash), [], passingOver: passed)
    guard let personal, hasMembers else { return }
    closeRun()
    if let members = Self.members(personal, room.span, users, personalRooms) {
      deliver(members, frame, passingOver: passed)
    }
  }

  /// A frame of another reactor for a room of the events dialect: to those who are in it by who they are, if it is such
  /// a room. For any other the run stays open.
  @inline(never)
  mutating func deliverPersonal(_ name: Segment, _ frame: Segment) {
    guard let personal = Self.personalRoom(outbox.bytes(name)) else { return }
    closeRun()
    if let members = Self.members(personal, of: outbox, name, users, personalRooms) {
      deliver(members, frame, passingOver: Self.nobody)
    }
  }

  /// The personal room of which a topic's name speaks.
  private static func personalRoom(_ topic: Span<UInt8>) -> PersonalRoom? {
    topic[0] == RoomTopic.native ? PersonalRoom(topic.extracting(1..<topic.count)) : nil
  }

  private static func members(
    _ personal: PersonalRoom, of outbox: borrowing Outbox, _ name: Segment, _ users: borrowing InternTable,
    _ rooms: borrowing PersonalRooms
  ) -> PersonalMembers? {
    let topic = outbox.bytes(name)
    return members(personal, topic.extracting(1..<topic.count), users, rooms)
  }

  private static func members(
    _ personal: PersonalRoom, _ room: Span<UInt8>, _ users: borrowing InternTable, _ rooms: borrowing PersonalRooms
  ) -> PersonalMembers? {
    let key = room.extracting(personal.key)
    let space = personal.kind.space
    guard let id = users.find(key, space: space, hash: InternTable.hash(key, space: space)) else { return nil }
    let first = rooms.first(of: id)
    return first == PersonalRooms.none ? nil : PersonalMembers(kind: personal.kind, first: first)
  }

  /// Queues a frame for each member of a personal room. The run was closed before they were looked up: whoever was too
  /// slow for it has left the list, and gets nothing behind a close frame.
  private mutating func deliver(_ members: PersonalMembers, _ frame: Segment, passingOver passed: UInt32) {
    var delivered = 0
    var slot = members.first
    while slot != PersonalRooms.none {
      if slot != passed && queue(frame, for: slot) { delivered += 1 }
      slot = personalRooms.next(after: slot, members.kind)
    }
    finishDelivery(of: frame, delivered)
  }
}

/// The native connections in a personal room.
private struct PersonalMembers {
  let kind: PersonalRooms.Kind
  let first: UInt32
}
