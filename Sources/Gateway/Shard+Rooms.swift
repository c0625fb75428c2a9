// Rooms of the events dialect: who is in them, and broadcasting to them in the form that each kind of client reads. The
// reactor's thread.
import Buffers
import Dialects
import EventLoop
import Topics

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

  /// Joins one room; again is once.
  private mutating func joinRoom(_ slot: UInt32, _ form: UInt8, _ room: [UInt8]) {
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
    }
    let form = socket.map { RoomTopic.form($0.namespace) } ?? RoomTopic.native
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

  // MARK: Broadcasting

  /// Sends an event to everyone in a room: encoded once for native connections and once for each namespace that has
  /// somebody there. Where a namespace is named only those in it get the event.
  mutating func emit(_ room: [UInt8], _ only: SocketIONamespace?, _ event: String, _ json: [UInt8]) {
    if only == nil { emitNative(room, event, json) }
    for namespace in SocketIONamespace.allCases where only == nil || only == namespace {
      nameScratch.removeAll()
      RoomTopic.append(form: RoomTopic.form(namespace), room: room.span, to: &nameScratch)
      guard let audience = audience(space: Space.eventRooms.rawValue) else { continue }
      scratch.removeAll()
      scratch.append(SocketIOChannel.event(event, json, namespace).span)
      publishScratch(to: audience, data: 0..<0)
    }
  }

  private mutating func emitNative(_ room: [UInt8], _ event: String, _ json: [UInt8]) {
    nameScratch.removeAll()
    RoomTopic.append(form: RoomTopic.native, room: room.span, to: &nameScratch)
    guard let audience = audience(space: Space.eventRooms.rawValue) else { return }
    scratch.removeAll()
    EventsEncoder.append(event.utf8.span, body: json.span, .native, to: &scratch)
    publishScratch(to: audience, data: 0..<0)
  }
}
