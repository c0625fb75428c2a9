// UTF-8 validation against the standard library's decoder, over every boundary and every split.

import Buffers
import TestSeeds
import Testing
import Wire

@Suite("UTF-8 validation")
struct UTF8ValidatorTests {
  /// Every byte where some rule of the encoding changes.
  static let boundaryBytes: [UInt8] = [
    0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
    0xF0,
    0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFF,
  ]

  static func isValid(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

  @Test("every text of one and two bytes is judged as the standard library judges it")
  func allShortTexts() {
    var wrong: [[UInt8]] = []
    for first in 0...UInt8.max {
      if utf8IsValid([first]) != Self.isValid([first]) { wrong.append([first]) }
      for second in 0...UInt8.max {
        let text = [first, second]
        if utf8IsValid(text) != Self.isValid(text) { wrong.append(text) }
      }
    }
    #expect(wrong.isEmpty)
  }

  @Test("every text of three and four boundary bytes is judged as the standard library judges it")
  func boundaryTexts() {
    var wrong: [[UInt8]] = []
    for first in Self.boundaryBytes where first >= 0xC2 {
      for second in Self.boundaryBytes {
        for third in Self.boundaryBytes {
          let three = [first, second, third]
          if utf8IsValid(three) != Self.isValid(three) { wrong.append(three) }
          for fourth in Self.boundaryBytes {
            let four = [first, second, third, fourth]
            if utf8IsValid(four) != Self.isValid(four) { wrong.append(four) }
          }
        }
      }
    }
    #expect(wrong.isEmpty)
  }

  @Test("the verdict does not depend on where a text is split")
  func splits() {
    var random = SeededRandom("UTF-8 splits")
    let scalars = Array("a~é\u{7FF}\u{800}漢\u{D7FF}\u{E000}\u{FFFF}\u{10000}😀\u{10FFFF}".utf8)
    var wrong: [[UInt8]] = []
    for _ in 0..<4_000 {
      var text: [UInt8] = []
      for _ in 0..<random.below(6) {
        switch random.below(4) {
        case 0: text.append(Self.boundaryBytes.randomElement(using: &random)!)
        case 1: text.append(UInt8.random(in: 0...255, using: &random))
        default:
          let start = random.below(scalars.count)
          text += scalars[start..<min(start + 1 + random.below(8), scalars.count)]
        }
      }
      let expected = Self.isValid(text)
      for first in 0...text.count {
        for second in first...text.count {
          var validator = UTF8Validator()
          let accepted =
            validator.consume(text.span, 0..<first) && validator.consume(text.span, first..<second)
            && validator.consume(text.span.extracting(second...))
          if (accepted && validator.isComplete) != expected { wrong.append(text) }
        }
      }
    }
    #expect(wrong.isEmpty, "seed \(random.seed)")
  }

  @Test("the first byte that no continuation can make valid is refused at once")
  func failFast() {
    var random = SeededRandom("UTF-8 fail fast")
    let tails: [UInt8] = [0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF]
    var completions: [[UInt8]] = [[]]
    for length in 0..<3 {
      for tail in completions where tail.count == length { completions += tails.map { tail + [$0] } }
    }
    for _ in 0..<2_000 {
      let text = (0..<5).map { _ in Self.boundaryBytes.randomElement(using: &random)! }
      var validator = UTF8Validator()
      for end in 1...text.count {
        let prefix = Array(text[..<end])
        let viable = completions.contains { Self.isValid(prefix + $0) }
        let accepted = validator.consume(text.span, end - 1..<end)
        #expect(accepted == viable, "\(prefix) seed \(random.seed)")
        if !viable { break }
        #expect(validator.isComplete == Self.isValid(prefix), "\(prefix) seed \(random.seed)")
      }
    }
  }

  @Test(
    "overlong forms, surrogates and values over U+10FFFF fail on the byte that shows them",
    arguments: [
      ([0xC0], 0), ([0xC1], 0), ([0xE0, 0x80], 1), ([0xE0, 0x9F], 1), ([0xED, 0xA0], 1), ([0xF0, 0x8F], 1),
      ([0xF4, 0x90], 1), ([0xF5], 0), ([0xFF], 0), ([0x80], 0), ([0xC3, 0x28], 1), ([0xE2, 0x82, 0x28], 2),
      ([0xF0, 0x9F, 0x98, 0x41], 3),
    ] as [([UInt8], Int)])
  func failPositions(text: [UInt8], position: Int) {
    var validator = UTF8Validator()
    let before = validator.consume(text.span, 0..<position)
    let at = validator.consume(text.span, position..<text.count)
    #expect(before && !at)
    // A refusal stays, whatever comes after it.
    let later = validator.consume([0x41].span) || validator.consume([0x80].span) || validator.isComplete
    #expect(!later)
    for split in 0...text.count {
      var whole = UTF8Validator()
      let accepted = whole.consume(text.span, 0..<split) && whole.consume(text.span, split..<text.count)
      #expect(!accepted)
    }
  }

  @Test("a fault at any offset of a long text is found, and none is invented")
  func longTexts() {
    for length in [1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 100] {
      let ascii = [UInt8](repeating: 0x61, count: length)
      #expect(utf8IsValid(ascii))
      for offset in 0..<length {
        var text = ascii
        text[offset] = 0xFF
        #expect(!utf8IsValid(text))
        for scalar in ["é", "漢", "😀"] {
          text = ascii
          text.replaceSubrange(offset..<offset + 1, with: scalar.utf8)
          #expect(utf8IsValid(text))
          #expect(!utf8IsValid(text, 0..<offset + 1))
          #expect(!utf8IsValid(text, offset + 1..<text.count))
        }
      }
    }
  }

  @Test("an empty piece changes nothing")
  func emptyPieces() {
    var validator = UTF8Validator()
    let pieces: [([UInt8], Bool)] = [([], true), ([0xE2], false), ([], false), ([0x82, 0xAC], true)]
    for (piece, complete) in pieces {
      let accepted = validator.consume(piece.span)
      #expect(accepted && validator.isComplete == complete)
    }
  }

  @Test("the state fits in eight bytes")
  func size() {
    #expect(MemoryLayout<UTF8Validator>.size <= 8)
  }
}
