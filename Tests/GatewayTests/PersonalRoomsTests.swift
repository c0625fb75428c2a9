// The lists of native connections by session, user and socket id, against a plain model.
import Buffers
import TestSeeds
import Testing

@testable import Gateway

@Suite("Personal rooms")
struct PersonalRoomsTests {
  private func members(_ rooms: borrowing PersonalRooms, _ id: UInt32, _ kind: PersonalRooms.Kind) -> [UInt32] {
    var members: [UInt32] = []
    var slot = rooms.first(of: id)
    while slot != PersonalRooms.none {
      members.append(slot)
      slot = rooms.next(after: slot, kind)
    }
    return members
  }

  @Test("the names of rooms say whose they are")
  func names() {
    for (name, kind, key) in [
      ("session:abc", PersonalRooms.Kind.session, "abc"), ("user:7", .user, "7"), ("user:", .user, ""),
      ("ws-1-x", .socket, "ws-1-x"),
    ] {
      let bytes = Array(name.utf8)
      let room = PersonalRoom(bytes.span)
      #expect(room?.kind == kind)
      #expect(room.map { String(decoding: bytes[$0.key], as: UTF8.self) } == key)
    }
    for name in ["", "tea", "session", "User:7", "ws", "w"] {
      let bytes = Array(name.utf8)
      #expect(PersonalRoom(bytes.span) == nil, "\(name)")
    }
  }

  @Test("a random history of joining and leaving is what a model says")
  func model() {
    var random = SeededRandom("PersonalRoomsTests.model")
    var rooms = PersonalRooms()
    // Sessions have the ids 0 to 4, users 5 to 9, sockets 10 and on.
    var model: [UInt32: Set<UInt32>] = [:]
    for _ in 0..<20_000 {
      let slot = UInt32.random(in: 0..<40, using: &random)
      let isUser = Bool.random(using: &random)
      let kind: PersonalRooms.Kind = isUser ? .user : .session
      let range: Range<UInt32> = isUser ? 5..<10 : 0..<5
      let present = range.first { model[$0]?.contains(slot) == true }
      let id = present ?? .random(in: range, using: &random)
      if Bool.random(using: &random) {
        rooms.insert(slot, into: id, kind)
        model[id, default: []].insert(slot)
        rooms.insert(slot, into: 10 + slot, .socket)
        model[10 + slot] = [slot]
      } else {
        rooms.remove(slot, from: id, kind)
        model[id]?.remove(slot)
        rooms.remove(slot, from: 10 + slot, .socket)
        rooms.remove(slot, from: 10 + (slot + 1) % 40, .socket)
        model[10 + slot] = []
      }
      let seen = members(rooms, id, kind)
      #expect(seen.count == Set(seen).count && Set(seen) == model[id] ?? [])
      #expect(members(rooms, 10 + slot, .socket) == (model[10 + slot] ?? []).sorted())
    }
    rooms.remove(1, from: InternTable.none, .session)
    rooms.remove(1, from: 1_000_000, .user)
    #expect(rooms.first(of: 1_000_000) == PersonalRooms.none)
  }
}
