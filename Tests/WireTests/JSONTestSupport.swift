// What the JSON and UTF-8 tests share: documents as bytes, outcomes as text, and a seeded random source.

import Buffers
import Foundation

@testable import Wire

/// A small reproducible random source (SplitMix64), so that a failure can be repeated from its printed seed.
struct JSONTestRandom: RandomNumberGenerator {
  private var state: UInt64
  let seed: UInt64

  /// Seeded from MARTLET_SEED, else at random; prints what it took.
  init(_ purpose: String) {
    let given = ProcessInfo.processInfo.environment["MARTLET_SEED"].flatMap { UInt64($0) }
    seed = given ?? UInt64.random(in: 0...999_999_999)
    state = seed
    print("\(purpose): MARTLET_SEED=\(seed)")
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
}

/// The error of validating `text`; nil when it is accepted.
func jsonError(_ text: String) -> JSONError? { jsonError(Array(text.utf8)) }

func jsonError(_ bytes: [UInt8]) -> JSONError? {
  do {
    _ = try JSONScanner.validate(bytes.span)
    return nil
  } catch {
    return error
  }
}

/// The raw text of `value` in `bytes`.
func jsonText(_ bytes: [UInt8], _ value: JSONValue?) -> String? {
  value.map { String(decoding: bytes[$0.range], as: UTF8.self) }
}

/// The text that a JSON string spells, by `JSONString.decode`.
func jsonDecoded(_ text: String) -> String {
  let bytes = Array(text.utf8)
  var buffer = ByteBuffer()
  JSONString.decode(bytes.span, JSONValue(kind: .string, start: 0, end: bytes.count), into: &buffer)
  return buffer.bytes.string
}

/// `text` as a JSON string, by `JSONString.appendQuoted`.
func jsonQuoted(_ text: String) -> String {
  var buffer = ByteBuffer()
  JSONString.appendQuoted(text, to: &buffer)
  return buffer.bytes.string
}

// `#expect` cannot take a `Span` apart, so the tests ask through functions over arrays.

func jsonScan(_ bytes: [UInt8], _ keys: JSONKeySet) throws(JSONError) -> JSONTopLevel {
  try JSONScanner.scan(bytes.span, keys: keys)
}

func jsonScan(_ text: String, _ keys: JSONKeySet) throws(JSONError) -> JSONTopLevel {
  try jsonScan(Array(text.utf8), keys)
}

func utf8IsValid(_ bytes: [UInt8]) -> Bool { UTF8Validator.isValid(bytes.span) }

func utf8IsValid(_ bytes: [UInt8], _ range: Range<Int>) -> Bool { UTF8Validator.isValid(bytes.span, range) }

func jsonNextSpecial(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int {
  JSONLexer.nextSpecial(bytes.span, start, end)
}
