// The table of client addresses against a dictionary, and from several threads.
import EventLoop
import TestSeeds
import Testing

@testable import Gateway

@Suite("Limits by client address")
struct AdmissionTableTests {
  private func table(_ connectionsMax: Int, _ acceptsPerSecondMax: Int, exemptsLocal: Bool = true) -> AddressTable {
    AddressTable(connectionsMax: connectionsMax, acceptsPerSecondMax: acceptsPerSecondMax, exemptsLocal: exemptsLocal)
  }

  @Test("with both limits off nothing is tracked and everybody admitted")
  func off() {
    let table = table(0, 0)
    #expect(!table.isEnabled)
    for _ in 0..<1_000 { #expect(table.enter(peer("192.0.2.1"), nowMilliseconds: 0) == .admitted) }
    table.leave(peer("192.0.2.1"))
    #expect(table.connections(of: peer("192.0.2.1")) == 0)
  }

  @Test("one connection over the limit is too many until one leaves, and other addresses notice nothing")
  func connections() {
    let table = table(2, 0)
    let one = peer("192.0.2.1", port: 1)
    let again = peer("192.0.2.1", port: 2)
    let outcomes = [one, again, one].map { table.enter($0, nowMilliseconds: 0) }
    #expect(outcomes == [.admitted, .admitted, .tooMany])
    #expect(table.enter(peer("192.0.2.2"), nowMilliseconds: 0) == .admitted)
    table.leave(again)
    #expect(table.connections(of: one) == 1)
    #expect(table.enter(one, nowMilliseconds: 0) == .admitted)
    for _ in 0..<5 { table.leave(one) }
    #expect(table.connections(of: one) == 0)
    let fresh = (0..<3).map { _ in table.enter(one, nowMilliseconds: 0) }
    #expect(fresh == [.admitted, .admitted, .tooMany])
  }

  @Test("an address that opens faster than its rate is too fast, though its connections have gone")
  func rate() {
    let table = table(0, 2)
    let one = peer("192.0.2.1")
    var outcomes: [Admission] = []
    for now: UInt64 in [5_000_000_000, 5_000_000_000, 5_000_000_499, 5_000_000_500, 5_000_000_501, 5_000_001_500] {
      outcomes.append(table.enter(one, nowMilliseconds: now))
      if outcomes.last == .admitted { table.leave(one) }
    }
    #expect(outcomes == [.admitted, .admitted, .tooFast, .admitted, .tooFast, .admitted])
  }

  @Test("a connection that goes on with a client it had takes nothing of the rate, but its place")
  func goingOn() {
    let table = table(2, 1)
    let one = peer("192.0.2.1")
    #expect(table.enter(one, nowMilliseconds: 0) == .admitted)
    for _ in 0..<5 {
      table.leave(one)
      #expect(table.enter(one, nowMilliseconds: 0, opens: false) == .admitted)
    }
    #expect(table.enter(one, nowMilliseconds: 0, opens: false) == .admitted)
    #expect(table.enter(one, nowMilliseconds: 0, opens: false) == .tooMany)
    table.leave(one)
    #expect(table.enter(one, nowMilliseconds: 0) == .tooFast)
  }

  @Test("a refusal for too many connections takes nothing of the rate")
  func order() {
    let table = table(1, 2)
    let one = peer("192.0.2.1")
    var outcomes = (0..<4).map { _ in table.enter(one, nowMilliseconds: 0) }
    table.leave(one)
    outcomes.append(table.enter(one, nowMilliseconds: 0))
    table.leave(one)
    outcomes.append(table.enter(one, nowMilliseconds: 0))
    #expect(outcomes == [.admitted, .tooMany, .tooMany, .tooMany, .admitted, .tooFast])
  }

  @Test("an IPv6 client is its /64")
  func network() {
    let table = table(1, 0)
    let outcomes = ["2001:db8::1", "2001:db8::ffff:2:3:4", "2001:db8:0:1::1", "2001:db8::1"].map {
      table.enter(peer($0), nowMilliseconds: 0)
    }
    #expect(outcomes == [.admitted, .tooMany, .admitted, .tooMany])
  }

  @Test(
    "loopback and Unix-domain peers are exempt where that is said",
    arguments: ["127.0.0.1", "127.9.9.9", "::1", "unix"])
  func local(_ text: String) {
    let exempting = table(1, 1)
    let strict = table(1, 1, exemptsLocal: false)
    for round in 0..<3 {
      #expect(exempting.enter(peer(text), nowMilliseconds: 0) == .admitted)
      #expect(strict.enter(peer(text), nowMilliseconds: 0) == (round == 0 ? .admitted : .tooMany))
    }
    #expect(exempting.connections(of: peer(text)) == 0)
    let foreign = table(1, 0)
    for text in ["128.0.0.1", "126.255.255.255"] {
      #expect(foreign.enter(peer(text), nowMilliseconds: 0) == .admitted)
      #expect(foreign.enter(peer(text), nowMilliseconds: 0) == .tooMany)
    }
  }

  private struct Known {
    var connections = 0
    var bucket = TokenBucket()
  }

  @Test("random comings and goings are judged as a dictionary without bounds judges them")
  func model() {
    var random = SeededRandom("address table")
    for _ in 0..<20 {
      let connectionsMax = Int.random(in: 0...4, using: &random)
      let rate = Int.random(in: 0...5, using: &random)
      let table = table(connectionsMax, rate)
      var known: [Int: Known] = [:]
      var open: [Int] = []
      var wrong = 0
      var now = UInt64.random(in: 0...10_000_000_000, using: &random)
      for _ in 0..<3_000 {
        now += UInt64.random(in: 0...60, using: &random)
        if !open.isEmpty && Int.random(in: 0..<3, using: &random) == 0 {
          let client = open.remove(at: Int.random(in: open.indices, using: &random))
          table.leave(address(client))
          known[client, default: Known()].connections -= 1
          continue
        }
        let client = Int.random(in: 0..<40, using: &random)
        var state = known[client, default: Known()]
        var expected = Admission.admitted
        if connectionsMax > 0 && state.connections >= connectionsMax {
          expected = .tooMany
        } else if !state.bucket.take(
          1, rate: UInt32(rate), burst: UInt32(rate), nowMilliseconds: UInt32(truncatingIfNeeded: now))
        {
          expected = .tooFast
        } else {
          state.connections += 1
        }
        known[client] = state
        if table.enter(address(client), nowMilliseconds: now) != expected { wrong += 1 }
        if expected == .admitted { open.append(client) }
        let tracked = connectionsMax + rate > 0 ? state.connections : 0
        if table.connections(of: address(client)) != tracked { wrong += 1 }
      }
      #expect(wrong == 0)
    }
  }

  private func address(_ client: Int) -> PeerAddress {
    PeerAddress(high: 0, low: 0xFFFF_CB00_0000 + UInt64(client), port: UInt16(truncatingIfNeeded: client))
  }

  @Test("more addresses than are tracked are all admitted, and one that holds connections keeps its count")
  func overflow() {
    let table = table(1, 1)
    let holders = (0..<200).map(address)
    for holder in holders { #expect(table.enter(holder, nowMilliseconds: 0) == .admitted) }
    var refused = 0
    for client in 200..<200 + 3 * AddressTable.addressesMax {
      // Idle at once, so that later ones may take their places.
      if table.enter(address(client), nowMilliseconds: 0) != .admitted { refused += 1 }
      table.leave(address(client))
    }
    #expect(refused == 0)
    for holder in holders {
      #expect(table.connections(of: holder) == 1)
      #expect(table.enter(holder, nowMilliseconds: 1) == .tooMany)
    }
    for client in 200..<200 + 3 * AddressTable.addressesMax {
      if table.enter(address(client), nowMilliseconds: 10_000) != .admitted { refused += 1 }
    }
    #expect(refused == 0)
  }

  @Test("counts stay exact when several threads come and go at once")
  func concurrent() async {
    let table = table(1_000_000, 0)
    let refused = await withTaskGroup(of: Int.self) { group in
      for number in 0..<4 {
        group.addTask {
          var random = SeededRandom("task \(number)")
          var refused = 0
          for _ in 0..<20_000 {
            let client = address(Int.random(in: 0..<8, using: &random))
            if table.enter(client, nowMilliseconds: 0) != .admitted { refused += 1 }
            table.leave(client)
          }
          for client in 0..<8 where table.enter(address(client), nowMilliseconds: 0) != .admitted { refused += 1 }
          return refused
        }
      }
      return await group.reduce(0, +)
    }
    #expect(refused == 0)
    for client in 0..<8 { #expect(table.connections(of: address(client)) == 4) }
  }
}
