// The UTF-8 validator against the standard library, byte by byte and in pieces.

import Buffers
import TestSeeds
import Wire

enum UTF8Fuzz {
  /// The whole input is the text.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    let copy = bytes.array
    let isText = String(validating: copy, as: UTF8.self) != nil
    try require(UTF8Validator.isValid(bytes) == isText, "whole: standard library says \(isText)")

    // Where the text becomes impossible; past it everything is refused.
    var bytewise = UTF8Validator()
    var isPossible = true
    for index in 0..<bytes.count {
      isPossible = isPossible && ReferenceUTF8.judge(copy, 0..<index + 1).isPossible
      try require(bytewise.consume(bytes, index..<index + 1) == isPossible, "byte \(index): expected \(isPossible)")
      if index > 512 { break }
    }
    if bytes.count <= 512 { try require((isPossible && bytewise.isComplete) == isText, "bytewise end") }

    var random = SeededRandom(seed: bytes.fingerprint)
    for _ in 0..<4 where bytes.count > 0 {
      let first = random.below(bytes.count + 1)
      let second = first + random.below(bytes.count - first + 1)
      var pieces = UTF8Validator()
      let head = pieces.consume(bytes, 0..<first)
      try require(head == ReferenceUTF8.judge(copy, 0..<first).isPossible, "0..<\(first)")
      let middle = pieces.consume(bytes, first..<second)
      try require(middle == ReferenceUTF8.judge(copy, 0..<second).isPossible, "\(first)..<\(second)")
      let tail = pieces.consume(bytes, second..<bytes.count)
      try require((tail && pieces.isComplete) == isText, "split at \(first) and \(second)")
      let inside = ReferenceUTF8.judge(copy, first..<second)
      try require(UTF8Validator.isValid(bytes, first..<second) == inside.isWhole, "range \(first)..<\(second)")
    }
  }
}
