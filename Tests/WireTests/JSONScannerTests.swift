// The scanner against RFC 8259: what it accepts, what it refuses and where, and which members it finds.

import Testing

@testable import Wire

@Suite("JSON scanner")
struct JSONScannerTests {
  @Test("documents of RFC 8259 are accepted whole", arguments: accepted)
  func accepts(text: String) throws {
    let bytes = Array(text.utf8)
    let value = try JSONScanner.validate(bytes.span)
    let spaces: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
    let trimmed = Array(bytes.drop { spaces.contains($0) }.reversed().drop { spaces.contains($0) }.reversed())
    #expect(Array(bytes[value.range]) == trimmed)
  }

  @Test("anything else is refused as a syntax error", arguments: refused)
  func refuses(text: String) {
    guard case .syntax(let at)? = jsonError(text) else {
      Issue.record("\(text.debugDescription): \(String(describing: jsonError(text)))")
      return
    }
    #expect(at >= 0 && at <= text.utf8.count)
  }

  @Test(
    "the kind of a document is reported",
    arguments: [
      ("{}", JSONKind.object), (" [1]", .array), ("\"s\"", .string), ("-1", .number), ("true", .true),
      ("false ", .false),
      ("null", .null),
    ])
  func kinds(text: String, kind: JSONKind) throws {
    #expect(try jsonScan(text, JSONKeySet()).kind == kind)
    #expect(try jsonScan(text, Self.keys).kind == kind)
  }

  @Test(
    "errors name the byte that is wrong",
    arguments: [
      ("", JSONError.syntax(at: 0)), ("[1,]", .syntax(at: 3)), ("{\"a\"}", .syntax(at: 4)), ("[1 2]", .syntax(at: 3)),
      ("\"a\u{1}\"", .controlCharacter(at: 2)), ("\"a\0\"", .controlCharacter(at: 2)),
      ("\"a\nb\"", .controlCharacter(at: 2)), ("[\"\\ud800\"]", .loneSurrogate(at: 2)),
      ("\"\\udc00\"", .loneSurrogate(at: 1)), ("\"\\ud800\\ud800\"", .loneSurrogate(at: 1)),
      ("\"\\ud800x\"", .loneSurrogate(at: 1)), ("\"\\ud83d\\u0041\"", .loneSurrogate(at: 1)),
      ("\"\\ud83d\\n\"", .loneSurrogate(at: 1)), ("[1e999]", .numberRange(at: 1)), ("\"\\u12g4\"", .syntax(at: 5)),
      ("[1]x", .syntax(at: 3)), ("[1]\0", .syntax(at: 3)), ("\u{FEFF}[]", .syntax(at: 0)),
      ("{\"\u{1f}\":1}", .controlCharacter(at: 2)),
    ])
  func errorPositions(text: String, error: JSONError) {
    #expect(jsonError(text) == error)
  }

  @Test("every proper beginning of a document is refused")
  func truncations() {
    let text = ##"{"a":[1,-2.5e+3,true,false,null,"x\u00e9\ud83d\ude00\n"],"b":{"c":{},"d":[]},"long key here":"漢字"}"##
    let bytes = Array(text.utf8)
    #expect(jsonError(bytes) == nil)
    for length in 0..<bytes.count { #expect(jsonError(Array(bytes[..<length])) != nil, "\(length)") }
  }

  @Test("a special byte is found at every offset of a long string", arguments: [0x00, 0x1F, 0x22, 0x5C] as [UInt8])
  func specialsEverywhere(special: UInt8) {
    // Neighbours of the special bytes, and their likes over 0x80, that word arithmetic could mistake.
    let neighbours: [UInt8] = [0x21, 0x23, 0x5B, 0x5D, 0x7F, 0x80, 0xA2, 0xDC, 0xFF, 0x20]
    for length in 1...70 {
      for offset in 0..<length {
        var text = (0..<length).map { neighbours[$0 % neighbours.count] }
        #expect(jsonNextSpecial(text, 0, length) == length)
        text[offset] = special
        #expect(jsonNextSpecial(text, 0, length) == offset)
        #expect(jsonNextSpecial(text, offset, length) == offset)
        #expect(jsonNextSpecial(text, 0, offset) == offset)
        #expect(jsonNextSpecial(text, offset + 1, length) == length)
      }
    }
  }

  static let keys = JSONKeySet("action", "channel", "payload", "x", "sixteen_bytes_ok")

  @Test("top-level members that are looked for are found, however they are spelled and spaced")
  func members() throws {
    let text = #"""
       { "channel" : "news" , "other":{"action":"no","deep":{"channel":1}},"p\u0061yload" :[1, {"payload":2}] ,
         "\u0061ction":"publish","sixteen_bytes_ok":-0.5e1}
      """#
    let bytes = Array(text.utf8)
    let top = try jsonScan(bytes, Self.keys)
    #expect(top.kind == .object)
    #expect(jsonText(bytes, top[0]) == "\"publish\"" && top[0]?.kind == .string)
    #expect(jsonText(bytes, top[1]) == "\"news\"")
    #expect(jsonText(bytes, top[2]) == "[1, {\"payload\":2}]" && top[2]?.kind == .array)
    #expect(top[3] == nil)
    #expect(jsonText(bytes, top[4]) == "-0.5e1" && top[4]?.kind == .number)
    #expect(top[5] == nil && top[8] == nil && top[-1] == nil)
  }

  @Test("names that only resemble a looked-for one are not it")
  func nearMisses() throws {
    let text = #"{"actio":1,"actionn":2,"Action":3,"action\u0000":4,"":5,"sixteen_bytes_okay":6,"\u0078\u0078":7}"#
    let top = try jsonScan(text, Self.keys)
    for index in 0..<5 { #expect(top[index] == nil, "\(index)") }
  }

  @Test("members of nested containers and of arrays are not top-level")
  func nestedMembers() throws {
    for text in [#"[{"action":1}]"#, #"{"a":{"action":1}}"#, #"{"a":[{"action":1},{"action":1}]}"#, #""action""#] {
      #expect(try jsonScan(text, Self.keys)[0] == nil)
    }
  }

  @Test(
    "every member kind is sliced exactly",
    arguments: [
      "1", "-12.5E-3", "true", "false", "null", "\"\"", "\"a\\\"b\"", "{}", "[]", "{\"x\":[{}]}", "[[],[[ ]]]",
      "[ 1 , 2 ]",
    ])
  func slices(value: String) throws {
    for text in ["{\"x\":\(value)}", " { \"y\" : 1 , \"x\" : \(value) , \"z\" : [] } "] {
      let bytes = Array(text.utf8)
      #expect(jsonText(bytes, try jsonScan(bytes, Self.keys)[3]) == value)
    }
  }

  @Test("a second occurrence of a looked-for member is refused, of any other member it is not")
  func duplicates() throws {
    for text in [#"{"x":1,"x":1}"#, #"{"x":1,"y":2,"\u0078":{}}"#, #"{"action":"a","x":[],"action":"a"}"#] {
      #expect(throws: JSONError.duplicateMember) { _ = try jsonScan(text, Self.keys) }
      #expect(jsonError(text) == nil)
    }
    let top = try JSONScanner.scan(Array(#"{"y":1,"y":2,"x":3,"z":{"x":4,"x":5}}"#.utf8).span, keys: Self.keys)
    #expect(top[3]?.range == 17..<18)
  }

  @Test("a set of eight names finds all eight, at either end of the document")
  func eightNames() throws {
    let set = JSONKeySet("a", "bb", "ccc", "dddddddd", "eeeeeeeee", "ffffffffffffffff", "é", "h")
    let text = #"{"h":8,"é":7,"ffffffffffffffff":6,"eeeeeeeee":5,"dddddddd":4,"ccc":3,"bb":2,"a":1}"#
    let bytes = Array(text.utf8)
    let top = try jsonScan(bytes, set)
    for index in 0..<8 { #expect(jsonText(bytes, top[index]) == "\(index + 1)") }
  }

  @Test("64 containers inside each other are accepted, 65 are not")
  func depth() {
    for (open, close, levels) in [("[", "]", 1), ("{\"a\":", "}", 1), ("[{\"a\":", "}]", 2)] {
      let inner = open.hasSuffix(":") ? "1" : ""
      func nested(_ count: Int) -> String {
        String(repeating: open, count: count) + inner + String(repeating: close, count: count)
      }
      #expect(jsonError(nested(64 / levels)) == nil)
      #expect(jsonError(nested(64 / levels + 1)) == .depth)
    }
    #expect(jsonError(String(repeating: "[", count: 64) + "{}" + String(repeating: "]", count: 64)) == .depth)
  }
}
