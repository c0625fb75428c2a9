// The table of interned byte strings against a dictionary, with and without colliding hashes.
import Buffers
import TestSeeds
import Testing

@Suite("InternTable")
struct InternTableTests {
  struct Key: Hashable {
    let bytes: [UInt8]
    let space: UInt8
  }

  struct Known {
    let id: UInt32
    var references: Int
  }

  /// How a test gives hashes to strings.
  enum Hashes: String, CaseIterable {
    case real, allEqual, fewDistinct, onlyHighBitsDiffer, consecutive
  }

  static func hash(_ key: Key, _ hashes: Hashes) -> UInt32 {
    let sum = key.bytes.reduce(UInt32(key.space)) { $0 &* 31 &+ UInt32($1) }
    switch hashes {
    case .real: return InternTable.hash(key.bytes.span, space: key.space)
    case .allEqual: return 63
    case .fewDistinct: return sum % 5 &+ 60
    case .onlyHighBitsDiffer: return sum << 16 | 0xFFFF
    case .consecutive: return UInt32(key.bytes.count)
    }
  }

  @Test("random interning and releasing gives what a dictionary would", arguments: Hashes.allCases)
  func model(hashes: Hashes) {
    var random = SeededRandom("InternTable \(hashes)")
    var table = InternTable()
    var model: [Key: Known] = [:]
    var used: Set<UInt32> = []
    let keys = (0..<300).map { number in
      Key(bytes: random.bytes(number == 0 ? 0 : random.below(20)), space: UInt8(random.below(3)))
    }
    for step in 0..<6_000 {
      let key = keys[random.below(step / 1_200 % 2 == 0 ? 300 : 40)]
      let hash = Self.hash(key, hashes)
      let isKnown = model[key] != nil
      switch random.below(10) {
      case 0...3:
        let id = table.intern(key.bytes.span, space: key.space, hash: hash)
        if let known = model[key] {
          #expect(id == known.id, "seed \(random.seed)")
        } else {
          #expect(used.insert(id).inserted, "an id in use was given again, seed \(random.seed)")
        }
        model[key, default: Known(id: id, references: 0)].references += 1
      case 4 where isKnown:
        table.retain(model[key]!.id)
        model[key]!.references += 1
      case 5...8 where isKnown:
        let isLast = table.release(model[key]!.id)
        model[key]!.references -= 1
        #expect(isLast == (model[key]!.references == 0), "seed \(random.seed)")
        if isLast, let known = model.removeValue(forKey: key) { used.remove(known.id) }
      default:
        let id = table.find(key.bytes.span, space: key.space, hash: hash)
        #expect(id == model[key]?.id, "seed \(random.seed)")
      }
      let count = table.count
      #expect(count == model.count)
      if step % 500 == 0 { Self.compare(table, model, hashes, keys, random.seed) }
    }
  }

  static func compare(
    _ table: borrowing InternTable, _ model: [Key: Known], _ hashes: Hashes, _ keys: [Key], _ seed: UInt64
  ) {
    for key in keys {
      let id = table.find(key.bytes.span, space: key.space, hash: hash(key, hashes))
      #expect(id == model[key]?.id, "seed \(seed)")
      guard let id else { continue }
      let (bytes, kept, end) = (array(table.bytes(id)), table.hash(of: id), table.idEnd)
      #expect(bytes == key.bytes && kept == hash(key, hashes) && Int(id) < end, "seed \(seed)")
    }
  }

  @Test("equal bytes in different spaces are different strings")
  func spaces() {
    var table = InternTable()
    let name = Array("telemetry".utf8)
    let first = table.intern(name.span, space: 1, hash: 9)
    let second = table.intern(name.span, space: 2, hash: 9)
    let third = table.find(name.span, space: 3, hash: 9)
    #expect(first != second && third == nil)
  }

  @Test("releasing what nobody has does nothing")
  func releaseNothing() {
    var table = InternTable()
    var buffer = ByteBuffer()
    buffer.append("x")
    let id = table.intern(buffer)
    let releases = [table.release(id), table.release(id), table.release(InternTable.none)]
    #expect(releases == [true, false, false])
    let count = table.count
    let bytes = array(table.bytes(id))
    #expect(count == 0 && bytes.isEmpty)
  }
}
