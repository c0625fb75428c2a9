// The members of one JSON object by name, built once per publish and asked by every filtered subscriber; its reactor's
// thread only.

import Buffers

/// A reusable index of the top-level members of one JSON object. It holds offsets, not bytes, and keeps its storage
/// between builds, so that the steady state allocates nothing. Of members with the same name the last one counts.
public struct JSONMemberIndex: ~Copyable {
  /// Distinct members that are indexed. An object with more does not match any filter: this bounds what a hostile
  /// publish costs every reactor in memory and time, and no event that people filter on comes near it.
  public static let membersMax = 1024

  private struct Member {
    var hash: UInt64
    var key: Range<Int>
    var value: JSONValue
    /// Computed when first asked for.
    var digest: JSONDigest?
  }

  /// Slots of the smallest table; it covers the usual object without growing.
  private static let slotsMin = 32

  private var members: [Member] = []
  /// An open-addressed table of member numbers plus one; 0 is free. Only the first `mask + 1` slots are in use.
  private var slots: [UInt16]
  private var mask: Int
  private var digester = JSONDigester()
  /// The length of the object that was indexed; -1 while there is none.
  private(set) var objectBytes = -1

  /// An empty index, which matches nothing.
  public init() {
    slots = Array(repeating: 0, count: Self.slotsMin)
    mask = Self.slotsMin - 1
  }

  /// Indexes `object`, one valid JSON value. False, and an index that matches nothing, when it is not an object or has
  /// more than `membersMax` members.
  public mutating func build(_ object: Span<UInt8>) -> Bool {
    members.removeAll(keepingCapacity: true)
    clear(Self.slotsMin)
    objectBytes = -1
    let start = JSONWalk.skipSpace(object, 0)
    guard start < object.count && object[start] == JSONByte.braceOpen else { return false }
    var children = JSONWalk.Children(object, start)
    while let child = children.next(object) {
      guard insert(object, child.key, child.value) else { return false }
    }
    objectBytes = object.count
    return true
  }

  /// The number of the member whose name is spelled by `key` of `text` (the string contents); nil when there is none.
  func member(_ object: Span<UInt8>, named text: Span<UInt8>, _ key: Range<Int>) -> Int? {
    let hash = JSONKeyHash.of(text, key)
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let number = Int(slots[slot]) - 1
      if members[number].hash == hash && JSONText.equal(object, members[number].key, text, key) { return number }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// The value of a member.
  func value(_ member: Int) -> JSONValue { members[member].value }

  /// The digest of a member's value, computed once for each build.
  mutating func digest(_ object: Span<UInt8>, ofMember member: Int) -> JSONDigest {
    if let digest = members[member].digest { return digest }
    let digest = digester.digest(object, members[member].value)
    members[member].digest = digest
    return digest
  }

  /// The digest of any other value.
  mutating func digest(_ bytes: Span<UInt8>, _ value: JSONValue) -> JSONDigest { digester.digest(bytes, value) }

  private mutating func insert(_ object: Span<UInt8>, _ key: Range<Int>, _ value: JSONValue) -> Bool {
    let hash = JSONKeyHash.of(object, key)
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let number = Int(slots[slot]) - 1
      if members[number].hash == hash && JSONText.equal(object, members[number].key, object, key) {
        members[number].value = value
        return true
      }
      slot = (slot + 1) & mask
    }
    guard members.count < Self.membersMax else { return false }
    members.append(Member(hash: hash, key: key, value: value))
    slots[slot] = UInt16(truncatingIfNeeded: members.count)
    if members.count * 2 > mask { grow() }
    return true
  }

  /// Doubles the table and enters the members again.
  private mutating func grow() {
    clear((mask + 1) * 2)
    for number in members.indices {
      var slot = Int(truncatingIfNeeded: members[number].hash) & mask
      while slots[slot] != 0 { slot = (slot + 1) & mask }
      slots[slot] = UInt16(truncatingIfNeeded: number + 1)
    }
  }

  /// Makes the table `count` free slots, a power of two.
  private mutating func clear(_ count: Int) {
    mask = count - 1
    for slot in 0..<min(count, slots.count) { slots[slot] = 0 }
    while slots.count < count { slots.append(0) }
  }
}

/// Hashes of member names, of their text rather than their spelling, so that escapes make no difference.
enum JSONKeyHash {
  /// Drawn once per process: names that fall into the same slot cannot be prepared.
  private static let seed = UInt64.random(in: .min ... .max)

  /// The hash of the text spelled by the string contents `range`.
  static func of(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
    var hash = seed
    var position = range.lowerBound
    let backslashes: UInt64 = 0x5C5C_5C5C_5C5C_5C5C
    let ones: UInt64 = 0x0101_0101_0101_0101
    while position <= range.upperBound - 8 {
      let word = bytes.word(at: position)
      let marks = word ^ backslashes
      if (marks &- ones) & ~marks & (ones &* 0x80) != 0 { return ofEscaped(bytes, range) }
      hash = mix(hash ^ word)
      position += 8
    }
    var rest: UInt64 = 0
    var shift: UInt64 = 0
    while position < range.upperBound {
      let byte = bytes[position]
      if byte == JSONByte.backslash { return ofEscaped(bytes, range) }
      rest |= UInt64(byte) &<< shift
      shift += 8
      position += 1
    }
    return finish(hash, rest, range.count)
  }

  @inline(never)
  private static func ofEscaped(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
    var hash = seed
    var rest: UInt64 = 0
    var count = 0
    var reader = JSONTextReader(range)
    while let byte = reader.next(bytes) {
      rest |= UInt64(byte) &<< UInt64(truncatingIfNeeded: (count & 7) * 8)
      count += 1
      if count & 7 == 0 {
        hash = mix(hash ^ rest)
        rest = 0
      }
    }
    return finish(hash, rest, count)
  }

  @inline(__always)
  private static func finish(_ hash: UInt64, _ rest: UInt64, _ count: Int) -> UInt64 {
    mix(mix(hash ^ rest) ^ UInt64(truncatingIfNeeded: count))
  }

  /// One multiplication to 128 bits, folded: every input bit reaches the low bits that choose a slot.
  @inline(__always)
  private static func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return product.high ^ product.low
  }
}
