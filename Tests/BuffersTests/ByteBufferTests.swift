// The growable byte buffer against a plain array, and its edges.
import Buffers
import TestSeeds
import Testing

@Suite("ByteBuffer")
struct ByteBufferTests {
  @Test("an empty buffer has no bytes and no allocation")
  func empty() {
    var buffer = ByteBuffer()
    var (count, capacity, isEmpty) = (buffer.count, buffer.capacity, buffer.isEmpty)
    #expect(count == 0 && capacity == 0 && isEmpty)
    buffer.append([UInt8]().span)
    buffer.removeFirst(3)
    buffer.truncate(to: 4)
    (count, capacity, isEmpty) = (buffer.count, buffer.capacity, buffer.isEmpty)
    #expect(count == 0 && capacity == 0 && isEmpty)
    #expect(array(buffer).isEmpty)
    let writable = buffer.mutableBytes.count
    #expect(writable == 0)
  }

  @Test("random appends, truncations and removals leave what they leave in an array")
  func model() {
    var random = SeededRandom("ByteBuffer model")
    for _ in 0..<200 {
      var buffer = ByteBuffer(capacity: random.below(3) * 10)
      var model: [UInt8] = []
      for step in 0..<60 {
        switch random.below(8) {
        case 0...2:
          let bytes = random.bytes(random.below(40))
          buffer.append(bytes.span)
          model += bytes
        case 3:
          buffer.append(UInt8(step))
          model.append(UInt8(step))
        case 4:
          buffer.append("literal é")
          model += Array("literal é".utf8)
        case 5:
          let count = random.below(30) - 5
          buffer.truncate(to: count)
          if count < model.count { model.removeSubrange(max(count, 0)...) }
        case 6:
          let count = random.below(30) - 5
          buffer.removeFirst(count)
          model.removeFirst(min(max(count, 0), model.count))
        default:
          let number = Int(truncatingIfNeeded: random.next()) >> random.below(64)
          buffer.append(decimal: number)
          model += Array(String(number).utf8)
        }
        let count = buffer.count
        #expect(array(buffer) == model && count == model.count, "seed \(random.seed)")
      }
      buffer.removeAll()
      let isEmpty = buffer.isEmpty
      #expect(isEmpty)
    }
  }

  @Test(
    "a decimal is written as the standard library writes it",
    arguments: [0, 1, -1, 9, 10, -10, 99, 100, 1_000_000, .max, .min, .max - 1, .min + 1])
  func decimals(value: Int) {
    var buffer = ByteBuffer()
    buffer.append(decimal: value)
    #expect(text(buffer) == String(value))
  }

  @Test("literals of one byte, of several and of none are appended as they stand")
  func literals() {
    var buffer = ByteBuffer()
    buffer.append("a")
    buffer.append("")
    buffer.append("\u{1F426}")
    buffer.append(string: "ß" + String(repeating: "x", count: 100))
    #expect(text(buffer) == "a\u{1F426}ß" + String(repeating: "x", count: 100))
  }

  @Test("reserved room is not reallocated by what fills it")
  func reserve() {
    var buffer = ByteBuffer()
    buffer.reserve(1_000)
    let reserved = buffer.capacity
    for _ in 0..<1_000 { buffer.append(UInt8(7)) }
    let capacity = buffer.capacity
    #expect(reserved >= 1_000 && capacity == reserved)
    buffer.append(UInt8(8))
    let grown = buffer.capacity
    #expect(grown >= 2 * reserved)
  }

  @Test("fill offers no more than the limit and the room, and takes no more than it offered")
  func fill() {
    var buffer = ByteBuffer(capacity: 10)
    var offered = 0
    let four = unsafe buffer.fill(atMost: 4) { room in
      offered = room.count
      for index in 0..<room.count { unsafe room[index] = UInt8(index + 1) }
      return room.count
    }
    #expect(offered == 4 && four == 4)
    #expect(array(buffer) == [1, 2, 3, 4])
    _ = unsafe buffer.fill(atMost: 100) { room in
      offered = room.count
      unsafe room[0] = 9
      return 1
    }
    #expect(offered == 6)
    #expect(array(buffer) == [1, 2, 3, 4, 9])
    let failed = unsafe buffer.fill(atMost: 100) { _ in -1 }
    #expect(failed == -1)
    #expect(array(buffer) == [1, 2, 3, 4, 9])
    _ = unsafe buffer.fill(atMost: 100) { room in
      for index in 0..<room.count { unsafe room[index] = 5 }
      return 1_000_000
    }
    let count = buffer.count
    #expect(count == 10)
    let full = unsafe buffer.fill(atMost: 1) { _ in 77 }
    #expect(full == 0, "a full buffer does not call its filler")
  }

  @Test("bytes can be changed in place")
  func mutableBytes() {
    var buffer = ByteBuffer()
    buffer.append("hello")
    var bytes = buffer.mutableBytes
    bytes[0] = UInt8(ascii: "j")
    #expect(text(buffer) == "jello")
  }
}

@Suite("Words and masks")
struct SpanWordTests {
  @Test("a word is the eight bytes in little-endian order, at every offset")
  func words() {
    let bytes = (0..<40).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    for offset in 0...32 {
      var expected: UInt64 = 0
      for index in (0..<8).reversed() { expected = expected << 8 | UInt64(bytes[offset + index]) }
      let word = bytes.span.word(at: offset)
      #expect(word == expected)
    }
  }

  @Test("equality looks at every byte, whatever the length")
  func equality() {
    for length in 0...40 {
      let bytes = (0..<length).map { UInt8($0) }
      let same = bytes.span.equals(bytes.span)
      #expect(same)
      let longer = (bytes + [0]).span.equals(bytes.span)
      #expect(!longer)
      for index in 0..<length {
        var other = bytes
        other[index] ^= 0x80
        let differs = bytes.span.equals(other.span)
        #expect(!differs, "length \(length) index \(index)")
      }
    }
  }

  @Test(
    "a literal is matched with and without case",
    arguments: [
      ("upgrade", true, true), ("Upgrade", false, true), ("UPGRADE", false, true), ("upgrad", false, false),
      ("upgrades", false, false), ("upgr\u{0}de", false, false), ("upgr@de", false, false), ("", false, false),
    ])
  func literals(given: String, exact: Bool, folded: Bool) {
    let bytes = Array(given.utf8)
    let isExact = bytes.span.equals("upgrade")
    let isFolded = bytes.span.equalsIgnoringCase("upgrade")
    #expect(isExact == exact && isFolded == folded)
  }

  @Test("folding case touches letters only")
  func foldsLettersOnly() {
    // 0x5B is "[", which differs from "{" by the bit that makes letters small.
    let matches = [UInt8(0x5B)].span.equalsIgnoringCase("{")
    #expect(!matches)
  }

  @Test("faulty UTF-8 becomes a string with replacement characters")
  func strings() {
    let text = [0x61, 0xFF, 0x62].span.string
    #expect(text == "a\u{FFFD}b")
  }

  @Test("unmasking equals the byte by byte definition for all lengths, phases and offsets")
  func unmask() {
    var random = SeededRandom("unmask")
    for length in 0...70 {
      for phase in 0..<8 {
        for offset in 0..<9 {
          let mask = UInt32(truncatingIfNeeded: random.next())
          let original = random.bytes(offset + length + 9)
          var expected = original
          for index in 0..<length {
            let key = UInt8(truncatingIfNeeded: mask >> UInt32((phase + index) % 4 * 8))
            expected[offset + index] ^= key
          }
          var bytes = original
          var span = bytes.mutableSpan
          span.unmask(offset..<(offset + length), mask: mask, phase: phase)
          #expect(bytes == expected, "length \(length) phase \(phase) offset \(offset) seed \(random.seed)")
        }
      }
    }
  }

  @Test("unmasking nothing of an empty span does nothing")
  func unmaskNothing() {
    var buffer = ByteBuffer()
    var bytes = buffer.mutableBytes
    bytes.unmask(0..<0, mask: 0x1234_5678, phase: 0)
    let count = buffer.count
    #expect(count == 0)
  }
}
