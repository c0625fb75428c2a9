// The memory that zlib takes, counted by its own allocator hooks, and that none is taken per message.
import Buffers
import CZlib
import TestSeeds
import Testing

@testable import Compression

@Suite("Compression state")
struct StateTests {
  /// What zlib keeps besides windows and tables: its stream structures.
  static let structureBytes = 4096...8192
  /// Other libraries of the same interface trade memory for speed; the figures are those of zlib itself.
  static let isZlib = ZLIB_VERSION.allSatisfy { $0.isNumber || $0 == "." }

  @Test("a deflater holds the bytes that its description gives", .enabled(if: isZlib), arguments: UInt8(9)...15)
  func deflaterBytes(bits: UInt8) {
    for memoryLevel: UInt8 in 1...9 {
      let deflater = Deflater(windowBits: bits, memoryLevel: memoryLevel)
      let tables = 1 << (Int(bits) + 2) + 1 << (Int(memoryLevel) + 9)
      #expect(Self.structureBytes.contains(deflater.stateBytes - tables), "memory level \(memoryLevel)")
    }
  }

  @Test("an inflater holds its window and 7 KiB from the start", .enabled(if: isZlib), arguments: UInt8(9)...15)
  func inflaterBytes(bits: UInt8) {
    let inflater = Inflater(windowBits: bits)
    #expect(Self.structureBytes.contains(inflater.stateBytes - 1 << Int(bits)))
  }

  @Test("the shared state of one reactor with default settings stays under 80 KiB", .enabled(if: isZlib))
  func defaults() {
    let policy = DeflatePolicy()
    var set = DeflaterSet(policy: policy)
    var out = ByteBuffer()
    set.deflate([1, 2, 3].span, for: DeflateParameters(serverMaxWindowBits: policy.windowBitsMax), into: &out)
    let inflater = Inflater()
    #expect(set.stateBytes + inflater.stateBytes < 80 * 1024)
  }

  @Test("no message makes zlib allocate, and a buffer that is used again stops growing", arguments: [false, true])
  func steadyState(keepsContext: Bool) {
    var random = SeededRandom("steady state")
    var deflater = Deflater(windowBits: 12, contextTakeover: keepsContext)
    var inflater = Inflater(windowBits: 12, contextTakeover: keepsContext)
    let (deflaterCount, inflaterCount) = (deflater.allocations, inflater.allocations)
    let (deflaterBytes, inflaterBytes) = (deflater.stateBytes, inflater.stateBytes)
    #expect(deflaterCount > 0 && inflaterCount > 1)
    var packed = ByteBuffer()
    var plain = ByteBuffer()
    // The noisiest message of the largest size comes first and sizes both buffers.
    let noise = (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    var capacities = (0, 0)
    for round in 0..<300 {
      let message = round == 0 ? noise : random.message(random.below(noise.count))
      packed.removeAll()
      plain.removeAll()
      deflater.deflate(message.span, into: &packed)
      #expect(inflater.inflate(packed.bytes, isLast: true, into: &plain, limit: noise.count) == .ok)
      if round == 0 { capacities = (packed.capacity, plain.capacity) }
    }
    #expect(capacities == (packed.capacity, plain.capacity), "seed \(random.seed)")
    #expect(deflater.allocations == deflaterCount && inflater.allocations == inflaterCount)
    #expect(deflater.stateBytes == deflaterBytes && inflater.stateBytes == inflaterBytes)
  }

  @Test("neither errors nor resets make zlib allocate")
  func errors() {
    var inflater = Inflater()
    let before = (inflater.allocations, inflater.stateBytes)
    for _ in 0..<50 {
      #expect(inflater.message([0xFF, 0xFF, 0xFF]).outcome == .corrupt)
      #expect(inflater.message(hex("f2 48 cd c9 c9 07 00"), limit: 3).outcome == .tooBig)
      inflater.reset()
      #expect(inflater.message(hex("f3 48 cd c9 c9 07 00 00")).outcome == .ok)
    }
    #expect(before == (inflater.allocations, inflater.stateBytes))
  }
}
