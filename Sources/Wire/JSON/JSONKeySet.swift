// The names that a dialect looks for at the top level of its messages, packed for comparison by machine words;
// immutable.

import Buffers

/// Up to eight member names to look for in one scan. Built once, at start-up; kept in a `static let`.
public struct JSONKeySet: Sendable {
  /// Names that fit: one result slot each, and a linear search that stays within a cache line or two.
  public static let namesMax = 8
  /// Bytes of the longest name: two machine words.
  public static let nameBytesMax = 16

  private var first = InlineArray<8, UInt64>(repeating: 0)
  private var second = InlineArray<8, UInt64>(repeating: 0)
  private var lengths = InlineArray<8, UInt8>(repeating: 0)
  private(set) var count = 0

  /// The set of `names`, in the order of the result's subscript. More than `namesMax` names, or one longer than
  /// `nameBytesMax` bytes, is a programming error and traps.
  public init(_ names: StaticString...) {
    precondition(names.count <= Self.namesMax)
    for name in names {
      precondition(name.utf8CodeUnitCount <= Self.nameBytesMax)
      var text = ByteBuffer(capacity: Self.nameBytesMax)
      text.append(name)
      var word = JSONKeyWords()
      for index in 0..<text.count { word.append(text.bytes[index]) }
      first[count] = word.first
      second[count] = word.second
      lengths[count] = UInt8(truncatingIfNeeded: word.count)
      count += 1
    }
  }

  /// The index of the name that the string contents `range` (between the quotes) spell, or -1.
  @inline(__always)
  func index(_ bytes: Span<UInt8>, _ range: Range<Int>, hasEscapes: Bool) -> Int {
    if count == 0 { return -1 }
    if hasEscapes { return indexOfEscaped(bytes, range) }
    let length = range.count
    if length > Self.nameBytesMax { return -1 }
    return index(JSONKeyWords(bytes, range.lowerBound, length))
  }

  @inline(__always)
  private func index(_ words: JSONKeyWords) -> Int {
    for slot in 0..<count
    where first[slot] == words.first && second[slot] == words.second && Int(lengths[slot]) == words.count {
      return slot
    }
    return -1
  }

  @inline(never)
  private func indexOfEscaped(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    var words = JSONKeyWords()
    var reader = JSONTextReader(range)
    while let byte = reader.next(bytes) {
      if words.count == Self.nameBytesMax { return -1 }
      words.append(byte)
    }
    return index(words)
  }
}

/// Up to 16 bytes of text as two words, padded with zeros.
struct JSONKeyWords {
  var first: UInt64 = 0
  var second: UInt64 = 0
  var count = 0

  init() {}

  /// The `length` (at most 16) bytes from `start`.
  @inline(__always)
  init(_ bytes: Span<UInt8>, _ start: Int, _ length: Int) {
    if start <= bytes.count - 16 {
      first = bytes.word(at: start)
      if length <= 8 {
        if length < 8 { first &= (1 &<< UInt64(truncatingIfNeeded: length &* 8)) &- 1 }
      } else {
        second = bytes.word(at: start + 8)
        if length < 16 { second &= (1 &<< UInt64(truncatingIfNeeded: (length &- 8) &* 8)) &- 1 }
      }
      count = length
    } else {
      for offset in start..<start + length { append(bytes[offset]) }
    }
  }

  /// Appends one byte; there must be room.
  mutating func append(_ byte: UInt8) {
    if count < 8 {
      first |= UInt64(byte) << UInt64(truncatingIfNeeded: count * 8)
    } else {
      second |= UInt64(byte) << UInt64(truncatingIfNeeded: (count - 8) * 8)
    }
    count += 1
  }
}
