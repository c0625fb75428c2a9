// Member filters of PROTOCOLS 2.3: which published data a subscriber's filter admits.

import TestSeeds
import Testing

@testable import Wire

@Suite("JSON filters")
struct JSONFilterTests {
  static func matches(_ filter: String, _ data: String) -> Bool {
    var index = JSONMemberIndex()
    return matches(filter, data, &index)
  }

  static func matches(_ filter: String, _ data: String, _ index: inout JSONMemberIndex) -> Bool {
    let filterBytes = Array(filter.utf8)
    let dataBytes = Array(data.utf8)
    _ = index.build(dataBytes.span)
    return JSONFilter.matches(filter: filterBytes.span, data: dataBytes.span, index: &index)
  }

  @Test(
    "filters that admit the data",
    arguments: [
      ("{}", "{}"), ("{ }", "{\"a\":1}"), ("{}", "[1]"), ("{}", "7"), ("{\"a\":1}", "{\"a\":1}"),
      ("{\"a\":1}", "{\"b\":2,\"a\":1}"),
      ("{\"a\":1,\"b\":\"x\"}", "{\"c\":[],\"b\":\"x\",\"a\":1}"), ("{ \"a\" : 1 }", " { \"a\" :\n1 } "),
      ("{\"agent_id\":\"agent_1\"}", "{\"agent_id\":\"agent_1\",\"v\":{\"agent_id\":\"agent_2\"}}"),
      // Names and strings by text.
      ("{\"\\u0061\":1}", "{\"a\":1}"), ("{\"a\":1}", "{\"\\u0061\":1}"), ("{\"a\":\"é\"}", "{\"a\":\"\\u00E9\"}"),
      ("{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"😀\"}"), ("{\"a\":\"x/y\"}", "{\"a\":\"x\\/y\"}"),
      ("{\"a long name \\u00e9\":null}", "{\"a long name é\":null}"), ("{\"\":\"\"}", "{\"\":\"\"}"),
      ("{\"a\":\"\\u0000b\"}", "{\"a\":\"\\u0000\\u0062\"}"), ("{\"12345678\":1}", "{\"1234567\\u0038\":1}"),
      // Numbers by value.
      ("{\"a\":1}", "{\"a\":1.0}"), ("{\"a\":1}", "{\"a\":1e0}"), ("{\"a\":1}", "{\"a\":10e-1}"),
      ("{\"a\":100}", "{\"a\":1E+2}"),
      ("{\"a\":0.5}", "{\"a\":5e-1}"), ("{\"a\":0}", "{\"a\":-0.0}"), ("{\"a\":0}", "{\"a\":0e999}"),
      ("{\"a\":-1.50}", "{\"a\":-15e-1}"),
      ("{\"a\":0.001}", "{\"a\":1e-3}"), ("{\"a\":120}", "{\"a\":1.2e2}"),
      ("{\"a\":1e-99999999999999999999}", "{\"a\":1.0e-99999999999999999999}"),
      ("{\"a\":12345678901234567890123}", "{\"a\":1.2345678901234567890123e22}"),
      // Literals.
      ("{\"a\":true,\"b\":false,\"c\":null}", "{\"a\":true,\"b\":false,\"c\":null}"),
      // Nested values.
      ("{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":2.0,\"x\":1}}"), ("{\"a\":{}}", "{\"a\":{ }}"),
      ("{\"a\":[]}", "{\"a\":[ ]}"),
      ("{\"a\":[1,2]}", "{\"a\":[1.0,2]}"),
      ("{\"a\":{\"b\":[{\"c\":\"d\"},[]]}}", "{\"a\":{ \"b\" : [ {\"c\":\"\\u0064\"} , [] ] }}"),
      ("{\"a\":{\"x\":1}}", "{\"a\":{\"x\":2,\"x\":1}}"), ("{\"a\":{\"x\":2,\"x\":1}}", "{\"a\":{\"x\":1}}"),
      // One of.
      ("{\"a\":[1,2,3]}", "{\"a\":2}"), ("{\"a\":[\"x\",\"y\"]}", "{\"a\":\"y\"}"),
      ("{\"a\":[null,true]}", "{\"a\":null}"),
      ("{\"a\":[[1,2],{\"b\":1}]}", "{\"a\":[1,2]}"), ("{\"a\":[[1,2],{\"b\":1}]}", "{\"a\":{\"b\":1e0}}"),
      ("{\"a\":[[]]}", "{\"a\":[]}"),
      // The last duplicate in the data counts.
      ("{\"a\":2}", "{\"a\":1,\"a\":2}"), ("{\"a\":2}", "{\"a\":1,\"\\u0061\":2}"),
    ])
  func admits(filter: String, data: String) {
    #expect(jsonError(filter) == nil && jsonError(data) == nil)
    #expect(Self.matches(filter, data))
  }

  @Test(
    "filters that do not admit the data",
    arguments: [
      ("{\"a\":1}", "{}"), ("{\"a\":1}", "{\"b\":1}"), ("{\"a\":1}", "{\"A\":1}"), ("{\"a\":1}", "{\"a\":2}"),
      ("{\"a\":1}", "{\"a\":-1}"),
      ("{\"a\":1}", "{\"a\":10}"), ("{\"a\":1}", "{\"a\":\"1\"}"), ("{\"a\":\"1\"}", "{\"a\":1}"),
      ("{\"a\":1}", "{\"a\":true}"),
      ("{\"a\":true}", "{\"a\":false}"), ("{\"a\":null}", "{}"), ("{\"a\":null}", "{\"a\":0}"),
      ("{\"a\":\"x\"}", "{\"a\":\"X\"}"),
      ("{\"a\":\"x\"}", "{\"a\":\"xy\"}"), ("{\"a\":\"xy\"}", "{\"a\":\"x\"}"), ("{\"a\":\"\\u0000\"}", "{\"a\":\"\"}"),
      ("{\"a\":1,\"b\":2}", "{\"a\":1}"), ("{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":3}"),
      ("{\"a\":1,\"a\":2}", "{\"a\":2}"),
      ("{\"a\":1}", "{\"b\":{\"a\":1}}"), ("{\"a\":1}", "{\"a\":2,\"a\":{\"a\":1}}"),
      ("{\"a\":1}", "{\"a\":1,\"a\":2}"),
      ("{\"a\":0.1}", "{\"a\":0.10000000000000000001}"), ("{\"a\":1e1}", "{\"a\":1e-1}"), ("{\"a\":1.5}", "{\"a\":15}"),
      ("{\"a\":9007199254740993}", "{\"a\":9007199254740992}"), ("{\"a\":0}", "{\"a\":1e-999}"),
      ("{\"a\":{}}", "{\"a\":{\"b\":1}}"), ("{\"a\":{\"b\":1}}", "{\"a\":{}}"),
      ("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1,\"c\":2}}"),
      ("{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1}}"), ("{\"a\":{\"x\":1}}", "{\"a\":{\"x\":1,\"x\":2}}"),
      ("{\"a\":{}}", "{\"a\":[]}"),
      ("{\"a\":[1,2]}", "{\"a\":[2,1]}"), ("{\"a\":[1,2]}", "{\"a\":[1]}"), ("{\"a\":[1]}", "{\"a\":[1,2]}"),
      ("{\"a\":[]}", "{\"a\":1}"),
      ("{\"a\":1}", "{\"a\":[1]}"), ("{\"a\":[1,2]}", "{\"a\":3}"), ("{\"a\":[1,2]}", "{}"),
      ("{\"a\":[[1]]}", "{\"a\":1}"),
      ("{\"a\":1}", "[1]"), ("{\"a\":1}", "\"a\""), ("{\"a\":1}", "null"), ("{\"0\":1}", "[1]"), ("[1]", "{\"a\":1}"),
      ("null", "{}"),
    ])
  func refuses(filter: String, data: String) {
    #expect(jsonError(filter) == nil && jsonError(data) == nil)
    #expect(!Self.matches(filter, data))
  }

  @Test(
    "the shape of a filters value is told from its kind",
    arguments: [
      ("null", JSONFilter.Shape.everything), ("{}", .everything), ("{ \n}", .everything), ("{\"a\":1}", .members),
      ("{ \"\":null}", .members),
      ("[]", .invalid), ("[{}]", .invalid), ("\"\"", .invalid), ("0", .invalid), ("true", .invalid),
      ("false", .invalid),
    ])
  func shapes(text: String, shape: JSONFilter.Shape) throws {
    let bytes = Array(" \(text) ".utf8)
    let answer = JSONFilter.shape(bytes.span, try JSONScanner.validate(bytes.span))
    #expect(answer == shape)
  }

  @Test("an index is reused for objects of any size, and forgets the last one")
  func reuse() {
    var index = JSONMemberIndex()
    for count in [0, 1, 15, 16, 17, 40, 1_024, 3, 500, 0, 1_024, 1] {
      let data = "{" + (0..<count).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
      for number in 0..<count where number % 7 == 0 || number == count - 1 {
        let admitted = Self.matches("{\"k\(number)\":\(number)}", data, &index)
        #expect(admitted, "\(number) of \(count)")
      }
      let ghost = Self.matches("{\"k\(count)\":\(count)}", data, &index)
      #expect(!ghost)
    }
  }

  @Test("an object of more than 1024 members is not indexed, one with so many duplicates is")
  func tooManyMembers() {
    func build(_ text: String) -> Bool {
      var index = JSONMemberIndex()
      return index.build(Array(text.utf8).span)
    }
    func object(_ count: Int) -> String { "{" + (0..<count).map { "\"k\($0)\":0" }.joined(separator: ",") + "}" }
    #expect(build(object(1_024)))
    #expect(!build(object(1_025)))
    #expect(!Self.matches("{\"k1\":0}", object(1_025)))
    #expect(Self.matches("{}", object(1_025)))
    #expect(Self.matches("{\"a\":0}", "{" + String(repeating: "\"a\":1,", count: 5_000) + "\"a\":0}"))
    for text in ["[]", "1", "", "\"{}\"", "null"] { #expect(!build(text)) }
  }

  @Test("an index of other data than the one given matches nothing")
  func wrongData() {
    var index = JSONMemberIndex()
    let long = Array("{\"aaaaaaaaaaaaaaaaaaaa\":1,\"b\":1}".utf8)
    let short = Array("{\"b\":1}".utf8)
    _ = index.build(long.span)
    let admitted = JSONFilter.matches(filter: short.span, data: short.span, index: &index)
    #expect(!admitted)
  }

  @Test("random objects equal themselves re-spelled and shuffled, and not with a member more")
  func shuffled() {
    var random = SeededRandom("JSON filters")
    let values = [
      ("1", "1.0"), ("\"é\"", "\"\\u00e9\""), ("[1,{}]", "[ 1e0, { } ]"), ("null", "null"), ("-0.5", "-5e-1"),
    ]
    for _ in 0..<300 {
      let picks = (0..<1 + random.below(20)).map { ($0, values.randomElement(using: &random)!) }
      let filter = "{" + picks.map { "\"k\($0)\":\($1.0)" }.joined(separator: ",") + "}"
      let members = picks.map { "\"\\u006b\($0)\" : \($1.1)" }
      let data = "{" + members.shuffled(using: &random).joined(separator: ",") + "}"
      #expect(Self.matches(filter, data), "\(filter) \(data) seed \(random.seed)")
      #expect(Self.matches("{\"n\":\(filter)}", "{\"n\":\(data)}"), "\(filter) \(data) seed \(random.seed)")
      var changed = members
      changed[random.below(changed.count)] += ",\"extra\":1"
      let larger = "{" + changed.shuffled(using: &random).joined(separator: ",") + "}"
      #expect(Self.matches(filter, larger), "\(filter) \(larger) seed \(random.seed)")
      #expect(!Self.matches("{\"n\":\(filter)}", "{\"n\":\(larger)}"), "\(filter) \(larger) seed \(random.seed)")
    }
  }
}
