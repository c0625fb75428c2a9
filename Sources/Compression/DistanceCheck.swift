// Tells whether deflated bytes refer further back than the window allows. Owned by one inflater; its thread only.

/// Follows the blocks and symbols of a deflate stream (RFC 1951 3.2) for the distances in it, and inflates nothing.
///
/// zlib refuses a distance beyond its window only where the bytes referred to are not in the output of the call under
/// way, so what it accepts depends on how the input is cut. RFC 7692 7.2.1 forbids such distances once a smaller window
/// is agreed on; this finds each, bit by bit, in time linear in the compressed bytes. Whatever else is wrong with a
/// stream is left to zlib: behind that fault the check may find anything or nothing.
struct DistanceCheck: ~Copyable {
  private enum Phase {
    /// Plain bits: BFINAL and BTYPE, LEN and NLEN, the sizes of the tables, one length of the code length code.
    case header, storedLength, tableSizes, codeLengthLength
    /// Whole bytes of a stored block.
    case stored
    /// A symbol of one of the three codes.
    case codeLength, literalOrLength, distance
    /// The bits behind a symbol.
    case repeatCount, lengthExtra, distanceExtra
    /// Behind a fault.
    case lost
  }

  /// Where each code begins in `tables`: 16 counts of codes by length, then the symbols in the order of their codes.
  private enum Table {
    static let codeLengths = 0
    static let fixedLiterals = codeLengths + countsSize + 19
    static let fixedDistances = fixedLiterals + countsSize + literalsMax
    static let literals = fixedDistances + countsSize + distancesMax
    static let distances = literals + countsSize + literalsMax
    static let end = distances + countsSize + distancesMax
    static let countsSize = 16
  }

  /// Literal and length symbols that a block's header can announce, rounded up to those of the fixed code.
  private static let literalsMax = 288
  /// Distance symbols that five bits can announce.
  private static let distancesMax = 32
  /// The order in which the lengths of the code length code come (RFC 1951 3.2.7).
  private static let codeLengthOrder: [19 of UInt8] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
  ]

  private let windowBytes: Int
  private var tables = [UInt16](repeating: 0, count: Table.end)
  /// Code lengths read from a block's header: literals, then distances.
  private var lengths = [UInt8](repeating: 0, count: literalsMax + distancesMax)
  private var lengthCount = 0
  private var (literalCount, distanceCount, codeLengthCount) = (0, 0, 0)

  private var phase = Phase.header
  /// Plain bits that the phase takes, and those that it has.
  private var (bitsWanted, bitsTaken, value) = (3, 0, 0)
  /// The code read so far: its length and bits; the first code of that length, and the place of its symbol.
  private var (codeBits, code, firstCode, firstIndex) = (0, 0, 0, 0)
  private var (literalTable, distanceTable) = (Table.fixedLiterals, Table.fixedDistances)
  private var isFinal = false
  /// The rest of the byte under way is not used.
  private var skipsToByte = false
  private var storedLeft = 0
  /// The symbol whose extra bits come, and the match under way.
  private var (symbol, length) = (0, 0)
  /// Bytes that the message has given before the symbol under way.
  private var produced = 0
  private var isTooFar = false

  init(windowBits: UInt8) {
    windowBytes = 1 << Int(windowBits)
    for index in 0..<Self.literalsMax { lengths[index] = index < 144 ? 8 : index < 256 ? 9 : index < 280 ? 7 : 8 }
    build(Table.fixedLiterals, 0..<Self.literalsMax)
    for index in 0..<Self.distancesMax { lengths[index] = 5 }
    build(Table.fixedDistances, 0..<Self.distancesMax)
  }

  /// Begins a message, which begins with a block.
  mutating func reset() {
    take(3, for: .header)
    produced = 0
    isTooFar = false
  }

  /// Whether the next part of the message has a distance beyond the window before the message is longer than `limit`.
  mutating func findsDistanceTooFar(in input: Span<UInt8>, limit: Int) -> Bool {
    var index = 0
    while index < input.count && phase != .lost {
      if phase == .stored {
        let count = min(storedLeft, input.count - index)
        index += count
        storedLeft -= count
        produced += count
        if storedLeft == 0 { endBlock() }
        continue
      }
      let byte = Int(input[index])
      index += 1
      skipsToByte = false
      var bit = 0
      while bit < 8 && !skipsToByte {
        read(byte >> bit & 1)
        bit += 1
      }
    }
    return isTooFar && produced <= limit
  }

  private mutating func read(_ bit: Int) {
    switch phase {
    case .codeLength: readCode(bit, Table.codeLengths)
    case .literalOrLength: readCode(bit, literalTable)
    case .distance: readCode(bit, distanceTable)
    case .stored, .lost: break
    default:
      value |= bit << bitsTaken
      bitsTaken += 1
      if bitsTaken == bitsWanted { takeValue() }
    }
  }

  /// One more bit of a code; canonical codes of one length are consecutive numbers.
  private mutating func readCode(_ bit: Int, _ table: Int) {
    code = code << 1 | bit
    codeBits += 1
    let rank = code - firstCode
    // No code is as long, or a table has more codes than fit: the rank is below zero then.
    if codeBits >= Table.countsSize || rank < 0 {
      phase = .lost
      return
    }
    let count = Int(tables[table + codeBits])
    if rank < count {
      takeSymbol(Int(tables[table + Table.countsSize + firstIndex + rank]))
      return
    }
    firstIndex += count
    firstCode = (firstCode + count) << 1
  }

  private mutating func take(_ bits: Int, for next: Phase) {
    phase = next
    (bitsWanted, bitsTaken, value) = (bits, 0, 0)
    // A code without extra bits.
    if bits == 0 { takeValue() }
  }

  private mutating func takeCode(_ next: Phase) {
    phase = next
    (codeBits, code, firstCode, firstIndex) = (0, 0, 0, 0)
  }

  private mutating func endBlock() {
    skipsToByte = isFinal
    take(3, for: .header)
  }

  private mutating func takeValue() {
    switch phase {
    case .header: takeHeader()
    case .storedLength:
      storedLeft = value & 0xFFFF
      phase = .stored
      if storedLeft == 0 { endBlock() }
    case .tableSizes:
      literalCount = 257 + (value & 31)
      distanceCount = 1 + (value >> 5 & 31)
      codeLengthCount = 4 + (value >> 10)
      lengthCount = 0
      for index in 0..<19 { lengths[index] = 0 }
      take(3, for: .codeLengthLength)
    case .codeLengthLength:
      lengths[Int(Self.codeLengthOrder[lengthCount])] = UInt8(truncatingIfNeeded: value)
      lengthCount += 1
      if lengthCount < codeLengthCount { return take(3, for: .codeLengthLength) }
      build(Table.codeLengths, 0..<19)
      lengthCount = 0
      takeCode(.codeLength)
    case .repeatCount:
      let last = lengthCount > 0 ? lengths[lengthCount - 1] : 0
      addLengths(symbol == 16 ? last : 0, count: value + (symbol == 18 ? 11 : 3))
    case .lengthExtra:
      length += value
      takeCode(.distance)
    case .distanceExtra: takeDistance()
    default: phase = .lost
    }
  }

  private mutating func takeHeader() {
    isFinal = value & 1 == 1
    switch value >> 1 {
    case 0:
      skipsToByte = true
      take(32, for: .storedLength)
    case 1:
      (literalTable, distanceTable) = (Table.fixedLiterals, Table.fixedDistances)
      takeCode(.literalOrLength)
    case 2:
      (literalTable, distanceTable) = (Table.literals, Table.distances)
      take(14, for: .tableSizes)
    default: phase = .lost
    }
  }

  private mutating func takeSymbol(_ next: Int) {
    symbol = next
    switch (phase, next) {
    case (.codeLength, 0..<16): addLengths(UInt8(truncatingIfNeeded: next), count: 1)
    case (.codeLength, _): take(next == 16 ? 2 : next == 17 ? 3 : 7, for: .repeatCount)
    case (.literalOrLength, 0..<256):
      produced += 1
      takeCode(.literalOrLength)
    case (.literalOrLength, 256): endBlock()
    case (.literalOrLength, 257..<265):
      length = next - 254
      takeCode(.distance)
    case (.literalOrLength, 265..<285):
      let extraBits = (next - 261) >> 2
      length = 3 + ((4 + ((next - 265) & 3)) << extraBits)
      take(extraBits, for: .lengthExtra)
    case (.literalOrLength, 285):
      length = 258
      takeCode(.distance)
    case (.distance, 0..<30): take(max((next >> 1) - 1, 0), for: .distanceExtra)
    default: phase = .lost
    }
  }

  private mutating func takeDistance() {
    let base = symbol < 4 ? 1 + symbol : 1 + ((2 + (symbol & 1)) << ((symbol >> 1) - 1))
    if base + value > windowBytes {
      isTooFar = true
      phase = .lost
    } else {
      produced += length
      takeCode(.literalOrLength)
    }
  }

  /// Enters code lengths of the block under way, and begins its data behind the last one.
  private mutating func addLengths(_ bits: UInt8, count: Int) {
    let total = literalCount + distanceCount
    if lengthCount + count > total {
      phase = .lost
      return
    }
    for _ in 0..<count {
      lengths[lengthCount] = bits
      lengthCount += 1
    }
    if lengthCount < total { return takeCode(.codeLength) }
    build(Table.literals, 0..<literalCount)
    build(Table.distances, literalCount..<total)
    takeCode(.literalOrLength)
  }

  /// Fills the table at `table` with the canonical code (RFC 1951 3.2.2) whose lengths are `lengths[range]`.
  private mutating func build(_ table: Int, _ range: Range<Int>) {
    var next: [16 of Int] = .init(repeating: 0)
    for bits in 0..<Table.countsSize { tables[table + bits] = 0 }
    for index in range where lengths[index] > 0 { tables[table + Int(lengths[index])] += 1 }
    for bits in 2..<Table.countsSize { next[bits] = next[bits - 1] + Int(tables[table + bits - 1]) }
    for index in range where lengths[index] > 0 {
      let bits = Int(lengths[index])
      tables[table + Table.countsSize + next[bits]] = UInt16(truncatingIfNeeded: index - range.lowerBound)
      next[bits] += 1
    }
  }
}
