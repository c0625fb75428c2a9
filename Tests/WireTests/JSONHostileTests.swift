// HOSTILE 26: documents made to exhaust, overflow or confuse a parser. Every case ends with an answer.

import TestSeeds
import Testing

@testable import Wire

@Suite("Hostile JSON")
struct JSONHostileTests {
  @Test("a hundred thousand nested containers are refused for their depth")
  func nesting() {
    for open in ["[", "{\"a\":", "[{\"a\":", "[[],", " [ "] {
      #expect(jsonError(String(repeating: open, count: 100_000)) == .depth)
    }
    #expect(jsonError(String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)) == .depth)
  }

  @Test("a hundred thousand siblings are no depth")
  func siblings() {
    #expect(jsonError("[" + String(repeating: "[],{},", count: 50_000) + "0]") == nil)
  }

  @Test("a key and a string of one megabyte are scanned like any other")
  func longStrings() throws {
    let long = String(repeating: "k", count: 1 << 20)
    let keys = JSONKeySet("a")
    let bytes = Array("{\"\(long)\":\"\(long)\",\"a\":1}".utf8)
    #expect(try jsonText(bytes, jsonScan(bytes, keys)[0]) == "1")
    #expect(jsonError("\"\(long)") == .syntax(at: long.utf8.count + 1))
    let escaped = String(repeating: "\\u006b", count: 1 << 18)
    #expect(try jsonScan("{\"\(escaped)\":1}", keys)[0] == nil)
    #expect(JSONFilterTests.matches("{\"\(escaped)\":1}", "{\"\(String(repeating: "k", count: 1 << 18))\":1}"))
  }

  @Test(
    "raw control characters, a byte order mark and trailing garbage are refused",
    arguments: [
      "\"\0\"", "{\"\0\":1}", "\0", "[1]\0", "[\0]", "\u{FEFF}[1]", "[1]\u{FEFF}", "[1] [", "[1];", "{}a",
      "\"\u{1B}[2J\"",
    ])
  func controls(text: String) {
    #expect(jsonError(text) != nil)
  }

  @Test(
    "numbers that overflow a double are refused, however they are written",
    arguments: [
      "1e999", "-1e999", "1e309", "1.8e308", "1.7976931348623159e308", "1e99999999999999999999999999", "0.1e310",
      "179769313486231580793e289", "0.0000000001e319", "1" + String(repeating: "0", count: 309),
      String(repeating: "9", count: 400),
      "1" + String(repeating: "0", count: 1_000_000), "1" + String(repeating: "0", count: 400) + "e-91",
      "0." + String(repeating: "0", count: 1_000_000) + "1e1000310", JSONHostileTests.halfwayToInfinity,
      JSONHostileTests.halfwayToInfinity + ".0", JSONHostileTests.halfwayToInfinity + "00e-2",
      JSONHostileTests.halfwayToInfinity + ".000000000000000000001",
    ])
  func overflows(text: String) {
    #expect(jsonError("[\(text)]") == .numberRange(at: 1))
  }

  @Test(
    "numbers within a double's range are accepted, however they are written",
    arguments: [
      "1e308", "1.7976931348623157e308", "1.7976931348623158e308", "17.97e307", "0.17976931348623157e309",
      "0.00017976931348623157e312", "1e-999", "1e-99999999999999999999", "0e99999999999999999999", "0.000e999",
      "-0e999",
      String(repeating: "1", count: 309), "1" + String(repeating: "0", count: 308),
      "1" + String(repeating: "0", count: 400) + "e-92",
      "1" + String(repeating: "0", count: 1_000_000) + "e-1000000",
      "0." + String(repeating: "0", count: 1_000_000) + "1e1000309",
      JSONHostileTests.justBelowHalfway, JSONHostileTests.justBelowHalfway + ".9999999999999999999",
      "3." + String(repeating: "3", count: 100_000),
    ])
  func withinRange(text: String) {
    #expect(jsonError("[\(text)]") == nil)
  }

  /// 2^1024 - 2^970, the least integer that rounds to infinity.
  static let halfwayToInfinity =
    "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641"
    + "66928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555713669"
    + "59622842914819860834936475292719074168444365510704342711559699508093042880177904174497792"
  static let justBelowHalfway = String(halfwayToInfinity.dropLast()) + "1"

  @Test("the border of the double range is where the standard library has it")
  func rangeBorder() {
    #expect(Double(Self.halfwayToInfinity)?.isInfinite == true)
    #expect(Double(Self.justBelowHalfway) == Double.greatestFiniteMagnitude)
    #expect(Self.halfwayToInfinity.utf8.count == 309)
    var random = SeededRandom("JSON number range")
    for _ in 0..<2_000 {
      var text = String(Self.halfwayToInfinity.prefix(1 + random.below(40))) + String(random.below(1_000))
      let point = random.below(text.count)
      let exponent = 308 + random.below(3) - 1 - point
      text.insert(".", at: text.index(text.startIndex, offsetBy: point + 1))
      if text.hasSuffix(".") { text += "0" }
      text += "e\(exponent)"
      if point > 0 && text.hasPrefix("0") { continue }
      #expect((jsonError(text) == nil) == (Double(text)?.isFinite == true), "\(text) seed \(random.seed)")
    }
  }

  @Test("a nested data value over 64 KiB matches no filter, not even itself")
  func largeNestedValues() {
    func list(_ bytes: Int) -> String { "[\"" + String(repeating: "x", count: bytes - 4) + "\"]" }
    for (size, expected) in [(JSONFilter.nestedValueBytesMax, true), (JSONFilter.nestedValueBytesMax + 1, false)] {
      let document = "{\"a\":\(list(size))}"
      #expect(JSONFilterTests.matches(document, document) == expected)
    }
  }

  @Test("objects match in any order of their members, whatever their size, and of equal names the last one counts")
  func anyOrder() {
    func object(_ numbers: [Int], _ more: String = "") -> String {
      "{\"a\":{" + numbers.map { "\"member\($0)\":\($0)" }.joined(separator: ",") + more + "}}"
    }
    for count in [1, 60, 3_000] {
      let up = object(Array(0..<count))
      #expect(JSONFilterTests.matches(up, object((0..<count).reversed())))
      #expect(!JSONFilterTests.matches(up, object(Array(0..<count), ",\"one more\":0")))
      #expect(!JSONFilterTests.matches(up, object(Array(0..<count), ",\"member0\":-1")))
      #expect(JSONFilterTests.matches(up, object(Array(0..<count), ",\"member0\":-1,\"member\\u0030\":0")))
    }
  }

  @Test("a value is looked at once for all elements of a filter, however much white space is in it")
  func emptyElements() {
    for element in ["[]", "{}", "[0]", "{\"k\":0}"] {
      let filter = "{\"a\":[" + String(repeating: element + ",", count: 50_000) + "0]}"
      let space = String(repeating: " ", count: 60_000)
      for content in [space + "\"z\"", "\"z\(space)\"", "\"z\"" + space] {
        let value = element.hasPrefix("[") ? "[\(content)]" : "{\(content):1}"
        let isAdmitted = JSONFilterTests.matches(filter, "{\"a\":\(value)}")
        #expect(!isAdmitted, "\(element)")
      }
      let isAdmitted = JSONFilterTests.matches(filter, "{\"a\":\(element.replacing("0", with: space + "0.0"))}")
      #expect(isAdmitted, "\(element)")
    }
  }

  @Test("hostile pairs of filter and data end within the work that is allowed")
  func boundedWork() {
    let deep = String(repeating: "{\"a\":[", count: 31) + "1" + String(repeating: "]}", count: 31)
    let otherDeep = String(repeating: "{\"a\":[ ", count: 31) + "1" + String(repeating: "]}", count: 31)
    #expect(JSONFilterTests.matches("{\"x\":\(deep)}", "{\"x\":\(otherDeep)}"))
    // Each of many elements against a nested value of nearly the longest allowed kind.
    let large = "[" + String(repeating: "{\"k\":0},", count: 8_000) + "1]"
    let nearly = "[" + String(repeating: "{\"k\": 0},", count: 1_000) + "2]"
    let many = "[" + String(repeating: nearly + ",", count: 100) + "0]"
    #expect(!JSONFilterTests.matches("{\"x\":\(many)}", "{\"x\":\(large)}"))
    // Many short numbers are one pass over the filter, however many they are.
    let numbers = "[" + (0..<60_000).map { "\($0).0" }.joined(separator: ",") + "]"
    #expect(JSONFilterTests.matches("{\"x\":\(numbers)}", "{\"x\":59999}"))
    // A number of a megabyte against many elements.
    let digits = String(repeating: "7", count: 1 << 20)
    let ones = "[" + String(repeating: "1,", count: 200_000) + "1]"
    #expect(!JSONFilterTests.matches("{\"x\":\(ones)}", "{\"x\":0.\(digits)}"))
    // Duplicate names inside of nested objects, each level asking for the last one.
    let twice = String(repeating: "{\"a\":0,\"a\":", count: 60) + "1" + String(repeating: "}", count: 60)
    #expect(JSONFilterTests.matches("{\"x\":\(twice)}", "{\"x\":\(twice)}"))
    #expect(!JSONFilterTests.matches("{\"x\": \(twice)}", "{\"x\":\(twice.replacing("1", with: "2"))}"))
  }
}
