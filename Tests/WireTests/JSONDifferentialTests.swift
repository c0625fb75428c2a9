// The scanner against Foundation's parser on random and on mutated documents.

import Foundation
import TestSeeds
import Testing

@testable import Wire

@Suite("JSON scanner against Foundation")
struct JSONDifferentialTests {
  /// Whether Foundation takes `bytes` for JSON.
  static func foundationAccepts(_ bytes: [UInt8]) -> Bool {
    (try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])) != nil
  }

  /// Whether Foundation's verdict on `bytes` says something about RFC 8259: it guesses the encoding of documents that
  /// begin with a byte order mark or hold a NUL near their start, which this scanner refuses.
  static func isComparable(_ bytes: [UInt8]) -> Bool {
    !bytes.starts(with: [0xEF, 0xBB, 0xBF]) && !bytes.prefix(4).contains(0)
  }

  /// Whether the fault at `position` is a comma before a closing bracket, which Foundation forgives.
  static func isTrailingComma(_ bytes: [UInt8], _ position: Int) -> Bool {
    guard position < bytes.count, bytes[position] == UInt8(ascii: "}") || bytes[position] == UInt8(ascii: "]") else {
      return false
    }
    return bytes[..<position].last { $0 > 0x20 } == UInt8(ascii: ",")
  }

  @Test("generated documents are accepted, and spell what Foundation reads from them")
  func generated() throws {
    var random = SeededRandom("JSON generated")
    for _ in 0..<2_000 {
      var text = ""
      JSONDocumentSource.appendValue(to: &text, depth: 4, &random)
      #expect(jsonError(text) == nil, "\(text) seed \(random.seed)")
    }
    for _ in 0..<2_000 {
      var text = ""
      JSONDocumentSource.appendString(to: &text, &random)
      let expected = try JSONDecoder().decode(String.self, from: Data(text.utf8))
      #expect(Array(jsonDecoded(text).utf8) == Array(expected.utf8), "\(text) seed \(random.seed)")
    }
  }

  @Test("mutated documents are accepted and refused as Foundation does, apart from the documented exceptions")
  func mutated() {
    var random = SeededRandom("JSON mutated")
    var refusals = 0
    var wrong: [String] = []
    for _ in 0..<20_000 {
      var text = ""
      JSONDocumentSource.appendValue(to: &text, depth: 3, &random)
      var bytes = Array(text.utf8)
      for _ in 0...random.below(3) { JSONDocumentSource.mutate(&bytes, &random) }
      guard utf8IsValid(bytes), Self.isComparable(bytes) else { continue }
      let error = jsonError(bytes)
      refusals += error == nil ? 0 : 1
      switch error {
      case .depth, .numberRange, .loneSurrogate: continue
      case .syntax(let at) where Self.isTrailingComma(bytes, at): continue
      case nil: if Self.foundationAccepts(bytes) { continue }
      default: if !Self.foundationAccepts(bytes) { continue }
      }
      wrong.append("\(String(decoding: bytes, as: UTF8.self).debugDescription): \(String(describing: error))")
    }
    #expect(wrong.isEmpty, "seed \(random.seed)")
    #expect(refusals > 1_000)
  }

  @Test("random bytes never trap the scanner, the index or the filters")
  func garbage() {
    var random = SeededRandom("JSON garbage")
    let keys = JSONKeySet("a", "b")
    var index = JSONMemberIndex()
    var accepted = 0
    for _ in 0..<20_000 {
      var bytes = (0..<random.below(40)).map { _ in JSONDocumentSource.alphabet.randomElement(using: &random)! }
      if random.below(2) == 0 { bytes.insert(UInt8(ascii: "{"), at: 0) }
      if (try? jsonScan(bytes, keys)) != nil { accepted += 1 }
      _ = index.build(bytes.span)
      _ = JSONFilter.matches(filter: bytes.span, data: bytes.span, index: &index)
      _ = jsonDecoded(String(decoding: bytes, as: UTF8.self))
    }
    #expect(accepted < 20_000)
  }
}

/// Random documents and random damage to them.
enum JSONDocumentSource {
  static let alphabet: [UInt8] =
    Array("{}[]{}[]\"\"\"\\\\,,::  \t\n\r0123456789-+.eEuUtrufalsn/abcdDfF".utf8) + [0, 1, 0x1F, 0x7F]
  static let scalars: [String] = [
    "a", "B", "7", " ", "/", "'", "\u{7F}", "é", "漢", "😀", "\u{FFFF}", "longer than eight",
  ]
  static let escapes: [String] = [
    "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0041", "\\u00e9", "\\u6F22", "\\ud83d\\ude00",
    "\\u0000",
  ]
  static let numbers: [String] = [
    "0", "-0", "1", "-12", "3.25", "0.001", "1e5", "1E-5", "-2.5e+3", "12345678901234567890", "1e308", "0e5", "0.1e-7",
  ]

  static func appendValue(to text: inout String, depth: Int, _ random: inout SeededRandom) {
    appendSpace(to: &text, &random)
    switch random.below(depth > 0 ? 8 : 5) {
    case 0: text += numbers.randomElement(using: &random)!
    case 1: text += ["true", "false", "null"].randomElement(using: &random)!
    case 2...4: appendString(to: &text, &random)
    case 5: appendList(to: &text, "[", "]", &random) { appendValue(to: &$0, depth: depth - 1, &$1) }
    default:
      appendList(to: &text, "{", "}", &random) {
        appendSpace(to: &$0, &$1)
        appendString(to: &$0, &$1)
        appendSpace(to: &$0, &$1)
        $0 += ":"
        appendValue(to: &$0, depth: depth - 1, &$1)
      }
    }
    appendSpace(to: &text, &random)
  }

  static func appendString(to text: inout String, _ random: inout SeededRandom) {
    text += "\""
    for _ in 0..<random.below(6) {
      text += (random.below(4) == 0 ? escapes : scalars).randomElement(using: &random)!
    }
    text += "\""
  }

  private static func appendList(
    to text: inout String, _ open: String, _ close: String, _ random: inout SeededRandom,
    _ item: (inout String, inout SeededRandom) -> Void
  ) {
    text += open
    for number in 0..<random.below(4) {
      if number > 0 { text += "," }
      item(&text, &random)
    }
    appendSpace(to: &text, &random)
    text += close
  }

  private static func appendSpace(to text: inout String, _ random: inout SeededRandom) {
    if random.below(6) == 0 { text += [" ", "\n", "\t", "\r", "  "].randomElement(using: &random)! }
  }

  /// Replaces, inserts, removes or repeats something somewhere.
  static func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
    let byte = alphabet.randomElement(using: &random)!
    guard !bytes.isEmpty else { return bytes.append(byte) }
    let place = random.below(bytes.count)
    switch random.below(5) {
    case 0: bytes[place] = byte
    case 1: bytes.insert(byte, at: place)
    case 2: bytes.remove(at: place)
    case 3: bytes.removeSubrange(place..<min(place + 1 + random.below(4), bytes.count))
    default:
      bytes.insert(
        contentsOf: bytes[place..<min(place + 1 + random.below(6), bytes.count)], at: random.below(bytes.count))
    }
  }
}
