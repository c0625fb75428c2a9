// The small collections of plain values: each against what the standard library's would do, and its edges.
import Buffers
import TestSeeds
import Testing

@Suite("GrowableArray")
struct GrowableArrayTests {
  @Test("random edits leave what they leave in an array")
  func model() {
    var random = SeededRandom("GrowableArray model")
    for _ in 0..<200 {
      var list = GrowableArray<Int>(capacity: random.below(3))
      var model: [Int] = []
      for step in 0..<200 {
        switch random.below(9) {
        case 0...3:
          list.append(step)
          model.append(step)
        case 4:
          let popped = list.popLast()
          #expect(popped == model.popLast())
        case 5 where !model.isEmpty:
          let index = random.below(model.count)
          list.swapRemove(at: index)
          model.swapAt(index, model.count - 1)
          model.removeLast()
        case 6 where random.once(in: 8):
          let count = random.below(20)
          list.truncate(to: count)
          model = Array(model.prefix(count))
        case 7 where random.once(in: 4):
          let count = random.below(8)
          list.removeFirst(count)
          model = Array(model.dropFirst(count))
        case 8 where !model.isEmpty:
          let index = random.below(model.count)
          list[index] += 1_000
          model[index] += 1_000
        default: break
        }
        let elements = array(list.span)
        let (count, isEmpty) = (list.count, list.isEmpty)
        #expect(elements == model && count == model.count && isEmpty == model.isEmpty, "seed \(random.seed)")
      }
    }
  }

  @Test("shrinking gives back a large allocation and keeps what is used")
  func shrink() {
    var list = GrowableArray<Int>(repeating: 7, count: 5_000)
    list.truncate(to: 100)
    list.shrink()
    let capacity = list.capacity
    let elements = array(list.span)
    #expect(capacity == 100 && elements == [Int](repeating: 7, count: 100))
    list.append(8)
    let last = list[100]
    #expect(last == 8)
    list.removeAll()
    list.shrink()
    let kept = list.capacity
    #expect(kept < 1_024)
  }
}

@Suite("PackedList")
struct PackedListTests {
  struct Owner: ~Copyable {
    var list = PackedList<UInt32>()
    deinit {
      var list = list
      list.deallocate()
    }
    var elements: [UInt32] { array(list.span(owner: self)) }
  }

  @Test("random appends and removals leave what they leave in an array, and report who moved")
  func model() {
    var random = SeededRandom("PackedList model")
    var owner = Owner()
    var model: [UInt32] = []
    for step in 0..<40_000 {
      // Long stretches of growing and of shrinking, so that every size of allocation is passed both ways.
      let grows = step / 2_000 % 2 == 0 ? 6 : 4
      if random.below(10) < grows || model.isEmpty {
        let position = owner.list.append(UInt32(step))
        #expect(Int(position) == model.count)
        model.append(UInt32(step))
      } else {
        let position = random.below(model.count)
        let moved = owner.list.swapRemove(UInt32(position))
        let expected = position == model.count - 1 ? nil : model[model.count - 1]
        #expect(moved == expected, "seed \(random.seed)")
        model.swapAt(position, model.count - 1)
        model.removeLast()
      }
      let count = owner.list.count
      #expect(count == model.count)
      if step % 97 == 0 {
        let elements = owner.elements
        #expect(elements == model, "seed \(random.seed)")
      }
      if let position = model.indices.randomElement(using: &random) {
        let element = owner.list[UInt32(position)]
        #expect(element == model[position])
      }
    }
  }

  @Test("an empty list takes 16 bytes and no allocation, and is empty again after it was freed")
  func edges() {
    #expect(MemoryLayout<PackedList<UInt64>>.size == 16)
    var owner = Owner()
    var elements = owner.elements
    #expect(elements.isEmpty)
    _ = owner.list.append(1)
    owner.list.deallocate()
    elements = owner.elements
    #expect(elements.isEmpty)
    let position = owner.list.append(2)
    elements = owner.elements
    #expect(position == 0 && elements == [2])
  }
}

@Suite("Slab")
struct SlabTests {
  @Test("a token is current for one life of its slot only")
  func staleTokens() throws {
    var slab = Slab<Int>(capacity: 4)
    let firstInserted = slab.insert(10)
    let first = try #require(firstInserted)
    #expect(first.generation & 1 == 1)
    var isCurrent = slab.isCurrent(first)
    #expect(isCurrent)
    slab.remove(first.index)
    isCurrent = slab.isCurrent(first)
    let isLive = slab.isLive(first.index)
    #expect(!isCurrent && !isLive)
    let secondInserted = slab.insert(20)
    let second = try #require(secondInserted)
    #expect(second.index == first.index, "the most recently freed slot comes first")
    #expect(second != first)
    isCurrent = slab.isCurrent(first)
    let isSecondCurrent = slab.isCurrent(second)
    let token = slab.token(of: second.index)
    #expect(!isCurrent && isSecondCurrent && token == second)
    // The token of a free slot, and one of a slot that was never used.
    slab.remove(second.index)
    let free = slab.token(of: second.index)
    let isFreeCurrent = slab.isCurrent(free)
    let isUnusedCurrent = slab.isCurrent(SlabToken(index: 3, generation: 1))
    let isOutsideCurrent = slab.isCurrent(SlabToken(rawValue: .max))
    #expect(!isFreeCurrent && !isUnusedCurrent && !isOutsideCurrent)
  }

  @Test("a full slab refuses, removing twice frees once")
  func full() throws {
    var slab = Slab<Int>(capacity: 3)
    for value in 0..<3 {
      let isIn = slab.insert(value) != nil
      #expect(isIn)
    }
    var refused = slab.insert(3) == nil
    #expect(refused)
    slab.remove(1)
    slab.remove(1)
    slab.remove(77)
    var count = slab.count
    #expect(count == 2)
    let tokenInserted = slab.insert(4)
    let token = try #require(tokenInserted)
    refused = slab.insert(5) == nil
    count = slab.count
    let value = slab[token.index]
    #expect(token.index == 1 && refused && count == 3 && value == 4)
  }

  @Test("a token carries its two halves")
  func tokens() {
    let token = SlabToken(index: 0xDEAD_BEEF, generation: 0x1234_5678)
    #expect(token.rawValue == 0x1234_5678_DEAD_BEEF)
    #expect(token.index == 0xDEAD_BEEF && token.generation == 0x1234_5678)
  }

  @Test("random insertions and removals keep every live value, and every dead token dead")
  func model() {
    var random = SeededRandom("Slab model")
    var slab = Slab<Int>(capacity: 50)
    var live: [SlabToken: Int] = [:]
    var dead: [SlabToken] = []
    for step in 0..<20_000 {
      if random.below(2) == 0 {
        let token = slab.insert(step)
        #expect((token == nil) == (live.count == 50))
        if let token { live[token] = step }
      } else if let (token, _) = live.randomElement(using: &random) {
        slab.remove(token.index)
        live[token] = nil
        dead.append(token)
      }
      if let (token, value) = live.randomElement(using: &random) {
        let found = slab[token.index]
        let isCurrent = slab.isCurrent(token)
        #expect(found == value && isCurrent, "seed \(random.seed)")
        slab[token.index] = value + 1
        live[token] = value + 1
      }
      if let token = dead.randomElement(using: &random) {
        let isCurrent = slab.isCurrent(token)
        #expect(!isCurrent, "seed \(random.seed)")
      }
      let (count, end) = (slab.count, slab.indexEnd)
      #expect(count == live.count && end <= 50)
    }
  }
}

@Suite("Pool")
struct PoolTests {
  /// Counts its own ends.
  struct Owned: ~Copyable {
    final class Tally { var ended = 0 }
    let value: Int
    let tally: Tally
    deinit { tally.ended += 1 }
  }

  @Test("a value is taken out, put back and discarded under one number")
  func lifeCycle() {
    let tally = Owned.Tally()
    var pool = Pool<Owned>()
    let first = pool.insert(Owned(value: 1, tally: tally))
    let second = pool.insert(Owned(value: 2, tally: tally))
    var count = pool.count
    #expect(first != second && count == 2)
    var isIn = pool.isIn(first)
    #expect(isIn)
    if let taken = pool.take(first) {
      let value = taken.value
      isIn = pool.isIn(first)
      let again = pool.take(first) == nil
      count = pool.count
      #expect(value == 1 && !isIn && again && count == 2)
      pool.putBack(taken, at: first)
    }
    isIn = pool.isIn(first)
    #expect(isIn && tally.ended == 0)
    pool.discard(first)
    isIn = pool.isIn(first)
    count = pool.count
    #expect(!isIn && count == 1 && tally.ended == 1)
    let reused = pool.insert(Owned(value: 3, tally: tally))
    #expect(reused == first)
    let outside = pool.isIn(99)
    let none = pool.take(Pool<Owned>.none) == nil
    #expect(!outside && none)
    pool.discard(99)
  }

  @Test("a number that is discarded twice is given out once")
  func discardedTwice() {
    let tally = Owned.Tally()
    var pool = Pool<Owned>()
    let first = pool.insert(Owned(value: 1, tally: tally))
    let second = pool.insert(Owned(value: 2, tally: tally))
    pool.discard(first)
    pool.discard(first)
    var count = pool.count
    #expect(count == 1 && tally.ended == 1)
    let third = pool.insert(Owned(value: 3, tally: tally))
    let fourth = pool.insert(Owned(value: 4, tally: tally))
    count = pool.count
    #expect(third == first && fourth != first && fourth != second && count == 3 && tally.ended == 1)
    // One that was taken out is not free yet.
    let isTaken = pool.take(second) != nil
    pool.discard(second)
    pool.discard(second)
    count = pool.count
    #expect(isTaken && count == 2 && tally.ended == 2)
  }

  @Test("values survive growth, and end with the pool")
  func growth() {
    let tally = Owned.Tally()
    do {
      var pool = Pool<Owned>()
      for value in 0..<1_000 {
        let number = pool.insert(Owned(value: value, tally: tally))
        #expect(number == UInt32(value))
      }
      for value in stride(from: 0, to: 1_000, by: 7) {
        guard let taken = pool.take(UInt32(value)) else {
          Issue.record("\(value) is missing")
          continue
        }
        let found = taken.value
        #expect(found == value)
        pool.putBack(taken, at: UInt32(value))
      }
      #expect(tally.ended == 0)
    }
    #expect(tally.ended == 1_000)
  }
}

@Suite("FixedArray, AtomicWords and GatherList")
struct FixedStructureTests {
  @Test("a fixed array makes each element once and changes it in place")
  func fixedArray() {
    var list = FixedArray<GrowableArray<Int>>(count: 3) { GrowableArray(repeating: $0, count: $0) }
    list[1].append(10)
    let counts = [list[0].count, list[1].count, list[2].count]
    #expect(counts == [0, 2, 2])
    let count = FixedArray<Int>(count: 0) { $0 }.count
    #expect(count == 0)
  }

  @Test("atomic words begin at zero; bits and values stay where they were put")
  func atomicWords() {
    let words = AtomicWords(count: 3)
    #expect((0..<3).allSatisfy { words.load($0) == 0 })
    words.setBit(1, 0)
    words.setBit(1, 63)
    words.setBit(1, 63)
    words.store(2, 5)
    #expect(words.load(0) == 0 && words.load(1) == 1 << 63 | 1 && words.load(2) == 5)
    words.clearBit(1, 63)
    words.clearBit(2, 1)
    #expect(words.load(1) == 1 && words.load(2) == 5 && words.count == 3)
  }

  @Test("a gather list holds its pieces in order and ignores what does not fit")
  func gatherList() {
    let pieces = (0..<(GatherList.piecesMax + 3)).map { [UInt8](repeating: UInt8($0), count: $0 + 1) }
    var list = GatherList()
    var expected: [UInt8] = []
    for (index, piece) in pieces.enumerated() {
      list.append(piece.span)
      if index < GatherList.piecesMax { expected += piece }
    }
    let (count, isFull, byteCount) = (list.count, list.isFull, list.byteCount)
    #expect(count == GatherList.piecesMax && isFull && byteCount == expected.count)
    #expect(gathered(list) == expected)
    list.removeAll()
    let (none, stillFull, noBytes) = (list.count, list.isFull, list.byteCount)
    #expect(none == 0 && !stillFull && noBytes == 0)
    withExtendedLifetime(pieces) {}
  }
}

/// The bytes that a gathered write would send.
func gathered(_ list: borrowing GatherList) -> [UInt8] {
  // SAFETY: the pieces point into memory that the caller keeps alive.
  unsafe list.withVectors { vectors, count in
    var bytes: [UInt8] = []
    for index in 0..<count {
      let (start, length) = unsafe vectors[index]
      unsafe bytes += UnsafeRawBufferPointer(start: start, count: length)
    }
    return bytes
  }
}
