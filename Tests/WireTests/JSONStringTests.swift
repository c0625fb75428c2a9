// Quoting text into JSON and reading it back.

import Buffers
import Foundation
import TestSeeds
import Testing

@testable import Wire

@Suite("JSON strings")
struct JSONStringTests {
  @Test(
    "escapes decode to the text they stand for",
    arguments: [
      (#""""#, ""), (#""plain""#, "plain"), (#""a\nb""#, "a\nb"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
      (#""\u0041\u00e9\u6F22""#, "Aé漢"), (#""\ud83d\ude00!""#, "😀!"), (#""\u0000x""#, "\0x"), (#""é漢😀""#, "é漢😀"),
      (#""\uFFFF\u07ff\u0800""#, "\u{FFFF}\u{7FF}\u{800}"), (#""\uDBFF\uDFFF""#, "\u{10FFFF}"),
      (#""more than sixteen bytes \t then""#, "more than sixteen bytes \t then"),
    ])
  func decodes(raw: String, text: String) {
    #expect(jsonError(raw) == nil)
    #expect(jsonDecoded(raw) == text)
  }

  @Test(
    "quoting escapes quotes, backslashes and control characters, and nothing else",
    arguments: [
      ("", #""""#), ("a", #""a""#), ("\"", #""\"""#), ("\\", #""\\""#), ("/", #""/""#),
      ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#),
      ("\0\u{1}\u{B}\u{1F}", #""\u0000\u0001\u000b\u001f""#), ("\u{7F}é漢😀\u{2028}", "\"\u{7F}é漢😀\u{2028}\""),
      ("a \"long\" text of more than sixteen bytes\n", #""a \"long\" text of more than sixteen bytes\n""#),
    ])
  func quotes(text: String, quoted: String) {
    #expect(jsonQuoted(text) == quoted)
    #expect(jsonDecoded(quoted) == text)
  }

  @Test("any text survives quoting and decoding, and Foundation reads the same")
  func roundTrip() throws {
    var random = SeededRandom("JSON strings")
    for _ in 0..<1_000 {
      var text = ""
      for _ in 0..<random.below(20) {
        let scalar = [0x20, 0x80, 0x800, 0x10000, 0x11_0000].randomElement(using: &random)!
        if let unicode = Unicode.Scalar(UInt32(random.below(scalar))) { text.unicodeScalars.append(unicode) }
      }
      let quoted = jsonQuoted(text)
      #expect(jsonError(quoted) == nil, "seed \(random.seed)")
      #expect(Array(jsonDecoded(quoted).utf8) == Array(text.utf8), "seed \(random.seed)")
      let theirs = try JSONDecoder().decode(String.self, from: Data(quoted.utf8))
      #expect(Array(theirs.utf8) == Array(text.utf8), "seed \(random.seed)")
    }
  }

  @Test("a string is plain when it has no escapes; other values are not")
  func plain() throws {
    let cases: [(String, Bool)] = [
      ("\"\"", true), ("\"abc\"", true), ("\"é漢\"", true), ("\"a\\n\"", false), ("\"\\u0041\"", false),
      ("\"sixteen or more \\\"\"", false),
      ("12", false), ("null", false), ("{}", false),
    ]
    for (text, expected) in cases {
      let bytes = Array(" \(text) ".utf8)
      let value = try JSONScanner.validate(bytes.span)
      let answer = JSONString.isPlain(bytes.span, value)
      #expect(answer == expected, "\(text)")
    }
  }

  @Test("decoding something that is not a string appends nothing")
  func notAString() {
    let bytes = Array("[1]".utf8)
    var buffer = ByteBuffer()
    JSONString.decode(bytes.span, JSONValue(kind: .array, start: 0, end: 3), into: &buffer)
    let isEmpty = buffer.isEmpty
    #expect(isEmpty)
  }
}
