// Rooms of the events dialect as topics: joining, leaving, and broadcasting in the form that each kind of client reads.
// The reactor's thread.
import Buffers
import Dialects
import Topics

extension Shard where Kernel: ~Copyable {
  /// Joins the rooms that every socket is in: everyone, its own id, its session and its user.
  mutating func joinRooms(_ slot: UInt32, _ form: UInt8, _ id: [UInt8], _ token: [UInt8], _ user: [UInt8]?) {
    closeRun()
    guard connections[slot].phase == .open else { return }
    joinRoom(slot, form, [])
    joinRoom(slot, form, id)
    joinRoom(slot, form, Array("session:".utf8) + token)
    if let user { joinRoom(slot, form, Array("user:".utf8) + user) }
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
  mutating func leaveRoom(_ slot: UInt32, _ form: UInt8, _ room: [UInt8]) {
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

  /// Changes a room's membership for a handler, within the configured number of subscriptions.
  mutating func changeRoom(_ slot: UInt32, _ form: UInt8, _ room: [UInt8], joins: Bool) {
    closeRun()
    guard connections[slot].phase == .open, !joins || isJoined(slot, form) else { return }
    if !joins {
      leaveRoom(slot, form, room)
    } else if Int(connections[slot].subscriptions.count) < limits.subscriptionsPerConnectionMax {
      joinRoom(slot, form, room)
    }
  }

  /// Whether a connection still reads this form: a handler may be at work for a namespace that its client has left.
  private mutating func isJoined(_ slot: UInt32, _ form: UInt8) -> Bool {
    if connections[slot].role != .socketIO { return true }
    let isJoined = engines.read(connections[slot].engine) { engine in
      engine.client.sockets.contains { RoomTopic.form($0.namespace) == form }
    }
    return isJoined == true
  }

  /// Sends an event to everyone in a room: encoded once for native connections and once for each namespace that has
  /// somebody there.
  mutating func emit(_ room: [UInt8], _ event: String, _ json: [UInt8]) {
    if let audience = roomAudience(RoomTopic.native, room) {
      scratch.removeAll()
      EventsEncoder.append(event.utf8.span, body: json.span, .native, to: &scratch)
      publishScratch(to: audience, data: 0..<0)
    }
    for namespace in SocketIONamespace.allCases {
      guard let audience = roomAudience(RoomTopic.form(namespace), room) else { continue }
      scratch.removeAll()
      scratch.append(SocketIOChannel.event(event, json, namespace).span)
      publishScratch(to: audience, data: 0..<0)
    }
  }

  /// Who is in a room, among those who read one form.
  private mutating func roomAudience(_ form: UInt8, _ room: [UInt8]) -> Audience? {
    nameScratch.removeAll()
    RoomTopic.append(form: form, room: room.span, to: &nameScratch)
    return audience(space: Space.eventRooms.rawValue)
  }
}
