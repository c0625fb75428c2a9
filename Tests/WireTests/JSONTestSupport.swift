// What the JSON and UTF-8 tests share: documents as bytes, and outcomes as text.

import Buffers

@testable import Wire

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
