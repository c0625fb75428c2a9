// Digests of JSON values: equal values have equal ones, however they are spelled. What filters compare; the reactor's
// thread.

import Buffers

/// 128 bits that stand for a JSON value: numbers by value, strings by text, objects in any order of their members (of
/// members with the same name the last one counts), arrays in order.
///
/// The multipliers are drawn once per process, so values that share a digest cannot be prepared, and by accident two
/// different ones do so once in 2^64 comparisons of 2^32 values each.
struct JSONDigest: Equatable, BitwiseCopyable {
  private(set) var high: UInt64
  private(set) var low: UInt64

  private struct Key {
    let first = UInt64.random(in: .min ... .max) | 1
    let second = UInt64.random(in: .min ... .max) | 1
    let start = UInt64.random(in: .min ... .max)
    let step = UInt64.random(in: .min ... .max)
  }
  private static let key = Key()

  /// The digest of nothing, for a value of this kind.
  init(_ kind: UInt64) {
    high = Self.key.start
    low = ~Self.key.start
    mix(kind)
  }

  /// Takes in one more word.
  @inline(__always)
  mutating func mix(_ word: UInt64) {
    let key = Self.key
    high = Self.fold(high ^ word, key.first)
    low = Self.fold((low ^ (word &<< 32 | word &>> 32)) &+ key.step, key.second)
  }

  /// Takes in another digest.
  mutating func mix(_ other: JSONDigest) {
    mix(other.high)
    mix(other.low)
  }

  /// Adds one of several whose order does not matter.
  mutating func add(_ other: JSONDigest) {
    high &+= other.high
    low &+= other.low
  }

  /// Takes away what was added.
  mutating func subtract(_ other: JSONDigest) {
    high &-= other.high
    low &-= other.low
  }

  @inline(__always)
  private static func fold(_ value: UInt64, _ factor: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: factor)
    return product.high ^ product.low
  }
}

/// Bytes on their way into a digest, eight to a word; their number goes in last.
private struct JSONDigestBytes {
  private var word: UInt64 = 0
  private var count: UInt64 = 0

  /// Eight bytes at once, while no single ones have come.
  @inline(__always)
  mutating func take(word: UInt64, into digest: inout JSONDigest) {
    digest.mix(word)
    count += 8
  }

  @inline(__always)
  mutating func take(_ byte: UInt8, into digest: inout JSONDigest) {
    word |= UInt64(byte) &<< (8 * (count & 7))
    count += 1
    if count & 7 != 0 { return }
    digest.mix(word)
    word = 0
  }

  func finish(into digest: inout JSONDigest) {
    digest.mix(word)
    digest.mix(count)
  }
}

/// Computes digests in one pass over a value's text. It keeps a table of member names between values, so that the
/// steady state allocates nothing.
struct JSONDigester: ~Copyable {
  private struct Entry: BitwiseCopyable {
    /// Of the object and the name: all zero while the entry is free.
    var name: JSONDigest
    /// What the member has added to its object.
    var member: JSONDigest
    var isTaken: Bool
  }

  /// Entries of the smallest table, and of the largest that is kept for the next value.
  private static let entriesMin = 64
  private static let entriesKeptMax = 4_096

  private var entries: [Entry] = []
  private var used = 0
  /// Objects of this value so far, to tell their members apart.
  private var objects: UInt64 = 0

  /// The digest of one valid value. Linear in its text.
  mutating func digest(_ bytes: Span<UInt8>, _ value: JSONValue) -> JSONDigest {
    let digest = digest(bytes, value, depth: 0)
    if used > 0 { clear() }
    objects = 0
    return digest
  }

  private mutating func digest(_ bytes: Span<UInt8>, _ value: JSONValue, depth: Int) -> JSONDigest {
    switch value.kind {
    case .null: return JSONDigest(1)
    case .false: return JSONDigest(2)
    case .true: return JSONDigest(3)
    case .string: return Self.text(bytes, value.contents)
    case .number: return Self.number(bytes, value.range)
    // A value that the scanner has accepted is no deeper than this.
    case .array: return depth > JSONScanner.depthMax ? JSONDigest(0) : array(bytes, value, depth: depth)
    case .object: return depth > JSONScanner.depthMax ? JSONDigest(0) : object(bytes, value, depth: depth)
    }
  }

  private mutating func array(_ bytes: Span<UInt8>, _ value: JSONValue, depth: Int) -> JSONDigest {
    var result = JSONDigest(6)
    var count: UInt64 = 0
    var children = JSONWalk.Children(bytes, value.start)
    while let child = children.next(bytes) {
      result.mix(digest(bytes, child.value, depth: depth + 1))
      count += 1
    }
    result.mix(count)
    return result
  }

  private mutating func object(_ bytes: Span<UInt8>, _ value: JSONValue, depth: Int) -> JSONDigest {
    objects += 1
    let number = objects
    var sum = JSONDigest(7)
    var count: UInt64 = 0
    var children = JSONWalk.Children(bytes, value.start)
    while let child = children.next(bytes) {
      let name = Self.text(bytes, child.key)
      var member = name
      member.mix(digest(bytes, child.value, depth: depth + 1))
      if let former = replace(name, of: number, by: member) {
        sum.subtract(former)
      } else {
        count += 1
      }
      sum.add(member)
    }
    var result = JSONDigest(8)
    result.mix(sum)
    result.mix(count)
    return result
  }

  /// The digest of the text that the string contents `range` spell.
  private static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> JSONDigest {
    var result = JSONDigest(4)
    var rest = JSONDigestBytes()
    var position = range.lowerBound
    // Up to the first escape the text is its own spelling.
    while position <= range.upperBound - 8 {
      let next = bytes.word(at: position)
      let marks = next ^ 0x5C5C_5C5C_5C5C_5C5C
      if (marks &- 0x0101_0101_0101_0101) & ~marks & 0x8080_8080_8080_8080 != 0 { break }
      rest.take(word: next, into: &result)
      position += 8
    }
    var reader = JSONTextReader(position..<range.upperBound)
    while let byte = reader.next(bytes) { rest.take(byte, into: &result) }
    rest.finish(into: &result)
    return result
  }

  /// The digest of a number's value.
  private static func number(_ bytes: Span<UInt8>, _ range: Range<Int>) -> JSONDigest {
    let decimal = JSONDecimal(bytes, range)
    var result = JSONDigest(decimal.isNegative ? 9 : 5)
    result.mix(UInt64(bitPattern: Int64(decimal.exponent)))
    var digits = JSONDigestBytes()
    for position in decimal.digits where bytes[position] != JSONByte.point {
      digits.take(bytes[position], into: &result)
    }
    digits.finish(into: &result)
    return result
  }

  // MARK: Names of members

  /// Notes what a member adds to its object; returns what the last member of the same name had added.
  private mutating func replace(_ name: JSONDigest, of object: UInt64, by member: JSONDigest) -> JSONDigest? {
    if entries.count < 2 * (used + 1) { grow() }
    var key = name
    key.mix(object)
    let mask = entries.count - 1
    var slot = Int(truncatingIfNeeded: key.low) & mask
    while entries[slot].isTaken {
      if entries[slot].name == key {
        let former = entries[slot].member
        entries[slot].member = member
        return former
      }
      slot = (slot + 1) & mask
    }
    entries[slot] = Entry(name: key, member: member, isTaken: true)
    used += 1
    return nil
  }

  private static var free: Entry { Entry(name: JSONDigest(0), member: JSONDigest(0), isTaken: false) }

  private mutating func grow() {
    let former = entries
    entries = Array(repeating: Self.free, count: max(Self.entriesMin, former.count * 2))
    let mask = entries.count - 1
    for entry in former where entry.isTaken {
      var slot = Int(truncatingIfNeeded: entry.name.low) & mask
      while entries[slot].isTaken { slot = (slot + 1) & mask }
      entries[slot] = entry
    }
  }

  /// Empties the table for the next value.
  private mutating func clear() {
    used = 0
    if entries.count > Self.entriesKeptMax {
      entries = []
      return
    }
    for slot in entries.indices { entries[slot].isTaken = false }
  }
}
