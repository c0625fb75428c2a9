// Every seed and every past finding of the fuzz targets, and a short run of mutations of them, inside `swift test`.

import Foundation
import FuzzTargets
import TestSeeds
import Testing

@Suite("Fuzz targets")
struct FuzzReplayTests {
  /// Mutated inputs of each target; enough to notice a broken target, not to find much.
  private static let mutationsPerTarget = 400

  private static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fuzz")

  /// The files of one target, in the order of their names.
  private static func inputs(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
    var inputs: [(name: String, bytes: [UInt8])] = []
    for kind in ["Corpus", "Regressions"] {
      let folder = directory.appending(path: "\(kind)/\(target.rawValue)")
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
      for name in names.sorted() {
        inputs.append(("\(kind)/\(target.rawValue)/\(name)", Array(try Data(contentsOf: folder.appending(path: name)))))
      }
    }
    return inputs
  }

  /// What does not hold for `bytes`, or nil.
  private static func fault(_ target: FuzzTarget, _ bytes: [UInt8]) -> String? {
    do {
      try target.run(bytes.span, isThorough: true)
      return nil
    } catch {
      return error.description
    }
  }

  @Test("every seed and every past finding passes", arguments: FuzzTarget.allCases)
  func replay(_ target: FuzzTarget) throws {
    let inputs = try Self.inputs(target)
    #expect(inputs.count >= 20, "\(target.rawValue) has hardly any seeds")
    for (name, bytes) in inputs {
      let fault = Self.fault(target, bytes)
      #expect(fault == nil, "\(name)")
    }
  }

  @Test("mutations of the seeds pass", arguments: FuzzTarget.allCases)
  func mutations(_ target: FuzzTarget) throws {
    var random = SeededRandom("fuzz mutations of \(target.rawValue)")
    let inputs = try Self.inputs(target).map(\.bytes).filter { $0.count <= 512 }
    try #require(!inputs.isEmpty)
    for _ in 0..<Self.mutationsPerTarget {
      var bytes = inputs[random.below(inputs.count)]
      for _ in 0...random.below(3) { Self.mutate(&bytes, inputs[random.below(inputs.count)], &random) }
      let fault = Self.fault(target, bytes)
      #expect(fault == nil, "seed \(random.seed): \(bytes)")
    }
  }

  /// Changes, removes, repeats or takes over from another input a few bytes.
  private static func mutate(_ bytes: inout [UInt8], _ other: [UInt8], _ random: inout SeededRandom) {
    let place = random.below(bytes.count + 1)
    let end = min(place + 1 + random.below(8), bytes.count)
    switch random.below(5) {
    case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(random.below(8))
    case 1 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: random.next())
    case 2 where place < end: bytes.removeSubrange(place..<end)
    case 3 where place < end: bytes.insert(contentsOf: bytes[place..<end], at: place)
    default:
      let start = random.below(other.count + 1)
      bytes.insert(contentsOf: other[start..<min(start + 1 + random.below(16), other.count)], at: place)
    }
  }
}
