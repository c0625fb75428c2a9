// Which native connections of the events dialect belong to a session, to a user and to a socket id: rooms that each of
// them is in, kept without a subscription. Owned by a shard; its reactor's thread.
import Buffers

/// The rooms that native connections are in by who they are: `session:<token>`, `user:<id>` and the socket's id.
///
/// As topics each would need a name, a member list and a subscription of its own for every idle connection. The
/// connection has their names interned already, so that a list of connections under each interned number is enough
/// (docs/decisions/0015).
struct PersonalRooms: ~Copyable {
  /// Which of a connection's rooms.
  enum Kind: UInt8, BitwiseCopyable {
    case socket, session, user

    /// The space of the shard's intern table in which the name lies, so that a number means one kind of room. User ids
    /// share theirs with the other dialects' identities.
    var space: UInt8 { self == .user ? 0 : rawValue + 1 }
  }

  /// A connection's place in a list.
  private struct Link: BitwiseCopyable {
    var next = PersonalRooms.none
    var previous = PersonalRooms.absent
  }

  static var none: UInt32 { .max }
  /// What stands before a connection that is in no list.
  private static var absent: UInt32 { .max - 1 }

  /// The first connection under each interned number.
  private var heads = GrowableArray<UInt32>()
  /// By slot. A socket's id is one connection's alone and needs no link.
  private var sessionLinks = GrowableArray<Link>()
  private var userLinks = GrowableArray<Link>()

  init() {}

  /// The first connection in a room; `none` when there is none.
  func first(of id: UInt32) -> UInt32 { Int(id) < heads.count ? heads[Int(id)] : Self.none }

  /// The one after `slot` in a room of this kind; `none` after the last.
  func next(after slot: UInt32, _ kind: Kind) -> UInt32 {
    switch kind {
    case .socket: Self.none
    case .session: sessionLinks[Int(slot)].next
    case .user: userLinks[Int(slot)].next
    }
  }

  /// Puts a connection into the room with the interned number `id`; again is once.
  mutating func insert(_ slot: UInt32, into id: UInt32, _ kind: Kind) {
    while heads.count <= Int(id) { heads.append(Self.none) }
    let head = heads[Int(id)]
    switch kind {
    case .socket: heads[Int(id)] = slot
    case .session: if Self.insert(slot, before: head, &sessionLinks) { heads[Int(id)] = slot }
    case .user: if Self.insert(slot, before: head, &userLinks) { heads[Int(id)] = slot }
    }
  }

  /// Takes a connection out of a room; nothing happens when it is not in it.
  mutating func remove(_ slot: UInt32, from id: UInt32, _ kind: Kind) {
    guard id != InternTable.none, Int(id) < heads.count else { return }
    switch kind {
    case .socket: if heads[Int(id)] == slot { heads[Int(id)] = Self.none }
    case .session: Self.remove(slot, &heads[Int(id)], &sessionLinks)
    case .user: Self.remove(slot, &heads[Int(id)], &userLinks)
    }
  }

  private static func insert(_ slot: UInt32, before head: UInt32, _ links: inout GrowableArray<Link>) -> Bool {
    while links.count <= Int(slot) { links.append(Link()) }
    if links[Int(slot)].previous != absent { return false }
    links[Int(slot)] = Link(next: head, previous: none)
    if head != none { links[Int(head)].previous = slot }
    return true
  }

  private static func remove(_ slot: UInt32, _ head: inout UInt32, _ links: inout GrowableArray<Link>) {
    guard Int(slot) < links.count, links[Int(slot)].previous != absent else { return }
    let link = links[Int(slot)]
    if link.previous == none { head = link.next } else { links[Int(link.previous)].next = link.next }
    if link.next != none { links[Int(link.next)].previous = link.previous }
    links[Int(slot)] = Link()
  }
}

/// A personal room by name.
struct PersonalRoom {
  let kind: PersonalRooms.Kind
  /// Where in the room's name the session's token, the user's or the socket's id lies.
  let key: Range<Int>

  /// Nil for the name of a room that connections are only in because a handler had them join.
  init?(_ room: Span<UInt8>) {
    if Self.begins(room, "session:") {
      self.init(kind: .session, key: 8..<room.count)
    } else if Self.begins(room, "user:") {
      self.init(kind: .user, key: 5..<room.count)
    } else if Self.begins(room, "ws-") {
      self.init(kind: .socket, key: 0..<room.count)
    } else {
      return nil
    }
  }

  private static func begins(_ room: Span<UInt8>, _ prefix: StaticString) -> Bool {
    let count = prefix.utf8CodeUnitCount
    return room.count >= count && room.extracting(0..<count).equals(prefix)
  }

  private init(kind: PersonalRooms.Kind, key: Range<Int>) {
    self.kind = kind
    self.key = key
  }
}
