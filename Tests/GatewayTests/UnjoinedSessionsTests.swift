// The list of Engine.IO sessions in no namespace: who gives way, against a plain model.
import Buffers
import TestSeeds
import Testing

@testable import Gateway

@Suite("Sessions in no namespace")
struct UnjoinedSessionsTests {
  private static func limits(percent: Int = 25, address: Int = 64) -> Limits {
    var limits = Limits()
    limits.unjoinedSessionsPercentMax = percent
    limits.unjoinedSessionsPerAddressMax = address
    return limits
  }

  private static func token(_ number: Int) -> SlabToken { SlabToken(index: UInt32(number), generation: 1) }

  private static func opener(_ connection: Int, _ address: UInt64, isExempt: Bool = false) -> SessionOpener {
    SessionOpener(connection: token(1_000_000 + connection), address: address, isExempt: isExempt)
  }

  @Test("each reactor has its share of the bounds, and room for one session at least")
  func shares() {
    var one = UnjoinedSessions(limits: Self.limits(), connectionsMax: 3, reactorCount: 4)
    #expect(one.victim(for: Self.opener(0, 1)) == nil)
    _ = one.insert(Self.token(1), Self.opener(0, 1))
    #expect(one.victim(for: Self.opener(1, 2)) == Self.token(1))
    var many = UnjoinedSessions(limits: Self.limits(), connectionsMax: 1_600, reactorCount: 4)
    for number in 0..<16 {
      #expect(many.victim(for: Self.opener(number, 1)) == nil)
      _ = many.insert(Self.token(number), Self.opener(number, 1))
    }
    // Its share of the address is used up, another's is not, and a proxy on this machine has none.
    #expect(many.victim(for: Self.opener(16, 1)) == Self.token(0))
    #expect(many.victim(for: Self.opener(16, 2)) == nil)
    #expect(many.victim(for: Self.opener(16, 1, isExempt: true)) == nil)
  }

  @Test("when all together are too many, the oldest of the address that has the most gives way")
  func largest() {
    var list = UnjoinedSessions(limits: Self.limits(percent: 10), connectionsMax: 100, reactorCount: 1)
    var numbers: [UInt32] = []
    for (number, address) in [1, 2, 2, 3, 3, 3, 4, 4, 5, 6].enumerated() {
      numbers.append(list.insert(Self.token(number), Self.opener(number, UInt64(address))))
    }
    #expect(list.victim(for: Self.opener(90, 7)) == Self.token(3))
    list.remove(numbers[3])
    // Three addresses have two each: the one that has had them for the longest, unless it is the newcomer's own.
    _ = list.insert(Self.token(10), Self.opener(10, 8))
    #expect(list.victim(for: Self.opener(90, 7)) == Self.token(1))
    #expect(list.victim(for: Self.opener(90, 4)) == Self.token(6))
    #expect(list.oldest(ofAddress: 3) == Self.token(4))
    #expect(list.oldest(ofAddress: 9) == nil)
  }

  @Test("a connection that opens one after another pushes out its own")
  func connections() {
    var list = UnjoinedSessions(limits: Self.limits(address: 4_096), connectionsMax: 1_000_000, reactorCount: 1)
    let max = Limits.unjoinedSessionsPerConnectionMax
    for number in 0..<max { _ = list.insert(Self.token(number), Self.opener(1, 1)) }
    #expect(list.victim(for: Self.opener(1, 1)) == Self.token(0))
    #expect(list.victim(for: Self.opener(2, 1)) == nil)
  }

  @Test("whatever comes and goes, the list agrees with one that is searched")
  func model() {
    var random = SeededRandom("unjoined sessions")
    var list = UnjoinedSessions(limits: Self.limits(percent: 10, address: 64), connectionsMax: 2_000, reactorCount: 1)
    var model: [(session: SlabToken, number: UInt32, address: UInt64, connection: Int)] = []
    for step in 0..<30_000 {
      let address = UInt64(random.below(step % 7_000 < 3_500 ? 3 : 40))
      let connection = Int(address) * 10 + random.below(3)
      if !model.isEmpty && random.below(10) < (step % 4_000 < 3_000 ? 4 : 8) {
        let gone = model.remove(at: random.below(model.count))
        list.remove(gone.number)
      } else {
        let opener = Self.opener(connection, address)
        let victim = list.victim(for: opener)
        let ofConnection = model.filter { $0.connection == connection }
        let ofAddress = model.filter { $0.address == address }
        if ofConnection.count >= Limits.unjoinedSessionsPerConnectionMax {
          #expect(victim == ofConnection[0].session)
        } else if ofAddress.count >= 64 {
          #expect(victim == ofAddress[0].session)
        } else if model.count < 200 {
          #expect(victim == nil)
        } else {
          let counts = Dictionary(model.map { ($0.address, 1) }, uniquingKeysWith: +)
          let most = counts.values.max() ?? 0
          let place = model.firstIndex { $0.session == victim }
          #expect(place.map { counts[model[$0].address] == most } == true)
          if let place { #expect(model.firstIndex { $0.address == model[place].address } == place) }
          if counts[address] == most { #expect(place.map { model[$0].address == address } == true) }
        }
        if let victim, let place = model.firstIndex(where: { $0.session == victim }) {
          list.remove(model.remove(at: place).number)
        }
        let session = Self.token(step)
        model.append((session, list.insert(session, opener), address, connection))
      }
      #expect(list.count == model.count)
    }
    while let last = model.popLast() { list.remove(last.number) }
    #expect(list.count == 0 && list.oldestOfLargest == nil)
  }
}
