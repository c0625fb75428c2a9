// Contexts of walkers against their fields, and the server's messages; the verdicts are those of pydantic 2.
import Buffers
import Testing
import Wire

@testable import Dialects

@Suite("Walkers contexts and messages")
struct WalkersContextTests {
  private static let val = [WalkersField("val", .integer)]

  @Test("a context for a walker with an integer", arguments: WalkersGolden.contexts)
  func contexts(row: WalkersRow) {
    #expect(Walkers.context(row.message, Self.val) == row.outcome)
  }

  @Test("a body for a walker with an integer", arguments: WalkersGolden.bodies)
  func bodies(row: WalkersRow) {
    #expect(Walkers.body(row.message, Self.val) == row.outcome)
  }

  @Test(
    "a body that is no context says why",
    arguments: [
      ("", Walkers.error("missing", #"["body"]"#, "Field required", "null")),
      (" ", Walkers.error("json_invalid", #"["body",1]"#, "JSON decode error", "{}")),
      (#"{"val":1"#, Walkers.error("json_invalid", #"["body",8]"#, "JSON decode error", "{}")),
      (
        " [1] ",
        Walkers.error(
          "model_attributes_type", #"["body"]"#,
          "Input should be a valid dictionary or object to extract fields from", "[1]")
      ),
    ])
  func wrongBodies(text: String, error: String) {
    #expect(Walkers.body(text, Self.val) == #"{"detail":[\#(error)]}"#)
  }

  @Test("a walker without required fields needs no body")
  func emptyBodies() {
    #expect(Walkers.body("", []) == "{}")
    #expect(Walkers.body("", [WalkersField("val", .integer, isRequired: false)]) == "{}")
    #expect(Walkers.body(#" {"val":"7"} "#, Self.val) == #"{"val":7}"#)
  }

  @Test("a context that was left out is an empty one")
  func absent() {
    #expect(Walkers.context(nil, []) == "{}")
    let missing = Walkers.error("missing", #"["val"]"#, "Field required", "{}")
    #expect(Walkers.context(nil, Self.val) == #"{"error":[\#(missing)]}"#)
    #expect(Walkers.context(nil, [WalkersField("val", .integer, isRequired: false)]) == "{}")
  }

  @Test(
    "integers come in many spellings",
    arguments: [
      ("1", "1"), ("-0", "-0"), ("123456789012345678901234567890", "123456789012345678901234567890"), ("7.0", "7"),
      ("1e3", "1000"), ("-0.0", "0"), ("true", "1"), ("false", "0"), (#""7""#, "7"), (#"" 7 ""#, "7"),
      (#""\n7\t""#, "7"), (#""+7""#, "7"), (#""-7""#, "-7"), (#""7.0""#, "7"), (#""7.00""#, "7"), (#""00.0""#, "0"),
      (#""-0""#, "0"), (#""007""#, "7"), (#""1_000""#, "1000"), (#""1_000.0""#, "1000"), (#""\u0037""#, "7"),
      (#""1234567890123456789012345678901234567890""#, "1234567890123456789012345678901234567890"),
    ])
  func integers(text: String, value: String) {
    #expect(Walkers.context(#"{"val":\#(text)}"#, Self.val) == #"{"val":\#(value)}"#)
  }

  @Test(
    "what is no integer says why",
    arguments: [
      ("7.5", "int_from_float"), ("1e-3", "int_from_float"), ("1e20", "int_parsing_size"),
      ("-1e300", "int_parsing_size"), ("null", "int_type"), ("[]", "int_type"), ("{}", "int_type"),
      (#""""#, "int_parsing"), (#""abc""#, "int_parsing"), (#""7.5""#, "int_parsing"), (#""7.""#, "int_parsing"),
      (#"".0""#, "int_parsing"), (#""_1""#, "int_parsing"), (#""1_""#, "int_parsing"), (#""1__0""#, "int_parsing"),
      (#""0x7""#, "int_parsing"), (#""1e3""#, "int_parsing"), (#""-""#, "int_parsing"), (#""+ 7""#, "int_parsing"),
      (#""--7""#, "int_parsing"), (#""٣""#, "int_parsing"), (#""7 7""#, "int_parsing"),
    ])
  func wrongIntegers(text: String, type: String) {
    #expect(Walkers.faults(Walkers.context(#"{"val":\#(text)}"#, Self.val)) == ["\(type) val"])
  }

  @Test("an integer in a string may have as many digits as a number")
  func digits() {
    let most = String(repeating: "9", count: 308)
    #expect(Walkers.context("{\"val\":\"0\(most)\"}", Self.val) == "{\"val\":\(most)}")
    #expect(Walkers.faults(Walkers.context("{\"val\":\"9\(most)\"}", Self.val)) == ["int_parsing_size val"])
  }

  @Test(
    "numbers come in many spellings",
    arguments: [
      ("1", "1"), ("1.5", "1.5"), ("1E5", "1E5"), ("true", "1.0"), ("false", "0.0"), (#""1.5""#, "1.5"),
      (#"" 1.5 ""#, "1.5"), (#""+1.5""#, "1.5"), (#"".5""#, "0.5"), (#""5.""#, "5.0"), (#""1e5""#, "100000.0"),
      (#""1_0.5""#, "10.5"), (#""-1e-400""#, "-0.0"), (#""1e300""#, "1e+300"),
    ])
  func numbers(text: String, value: String) {
    #expect(Walkers.context(#"{"a":\#(text)}"#, [WalkersField("a", .number)]) == #"{"a":\#(value)}"#)
  }

  @Test(
    "what is no number says why",
    arguments: [
      ("null", "float_type"), ("[]", "float_type"), ("{}", "float_type"), (#""abc""#, "float_parsing"),
      (#""""#, "float_parsing"), (#""0x1p3""#, "float_parsing"), (#""1_""#, "float_parsing"),
      (#""1 2""#, "float_parsing"), (#""e5""#, "float_parsing"), (#""nan""#, "finite_number"),
      (#""-iNf""#, "finite_number"), (#""Infinity""#, "finite_number"), (#""1e400""#, "finite_number"),
    ])
  func wrongNumbers(text: String, type: String) {
    #expect(Walkers.faults(Walkers.context(#"{"a":\#(text)}"#, [WalkersField("a", .number)])) == ["\(type) a"])
  }

  @Test(
    "the other kinds take their own",
    arguments: [
      (WalkersField.Kind.string, #""x""#, ""), (.string, "1", "string_type"), (.string, "null", "string_type"),
      (.object, "{}", ""), (.object, "[]", "dict_type"), (.object, #""x""#, "dict_type"), (.list, "[1]", ""),
      (.list, "{}", "list_type"), (.list, "null", "list_type"), (.boolean, "true", ""), (.boolean, "2", "bool_parsing"),
      (.boolean, "null", "bool_type"), (.any, "null", ""), (.any, "[{}]", ""),
    ])
  func kinds(kind: WalkersField.Kind, text: String, type: String) {
    let answer = Walkers.context(#"{"a":\#(text)}"#, [WalkersField("a", kind)])
    if type.isEmpty {
      #expect(answer == #"{"a":\#(text)}"#)
    } else {
      #expect(Walkers.faults(answer) == ["\(type) a"])
    }
  }

  @Test("booleans reach the walker as such")
  func booleans() {
    let fields = [WalkersField("a", .boolean), WalkersField("b", .boolean)]
    #expect(Walkers.context(#"{"a":"yes", "b":0}"#, fields) == #"{"a":true,"b":false}"#)
  }

  @Test("all faults of a context are listed in the order of the fields")
  func allFaults() {
    let fields = [WalkersField("a", .string), WalkersField("b", .list, isRequired: false), WalkersField("c", .integer)]
    let answer = Walkers.context(#"{"c":null,"b":null}"#, fields)
    #expect(Walkers.faults(answer) == ["missing a", "list_type b", "int_type c"])
  }

  @Test("of members with the same name the last counts, and is the only one that the walker sees")
  func duplicates() {
    let context = #"{"val":"x","y":1,"y":2,"v\u0061l":"7"}"#
    #expect(Walkers.context(context, Self.val) == #"{"y":1,"y":2,"v\u0061l":7}"#)
    #expect(Walkers.faults(Walkers.context(#"{"val":1,"val":"x"}"#, Self.val)) == ["int_parsing val"])
  }

  @Test("names of fields are compared by text, whatever they hold")
  func names() {
    let fields = [WalkersField(#"a"\b"#, .integer), WalkersField("é", .integer)]
    #expect(Walkers.context(#"{"a\"\\b":"1","\u00e9":"2"}"#, fields) == #"{"a\"\\b":1,"\u00e9":2}"#)
    let missing = Walkers.faults(Walkers.context(#"{"a":1,"e":2,"":3}"#, fields))
    #expect(missing == [#"missing a"\b"#, "missing é"])
  }

  @Test("a walker reads a string of its context")
  func strings() {
    var text = ByteBuffer()
    let found = WalkersContext.string("id", in: Array(#"{"x":1,"id":"a\u00e9"}"#.utf8).span, into: &text)
    #expect(found && text.bytes.string == "aé")
    let absent = WalkersContext.string("id", in: Array(#"{"id":1}"#.utf8).span, into: &text)
    #expect(!absent && text.bytes.string == "aé")
  }

  // MARK: Messages

  private static let client = "1730887348:f46d85203c704c099e9f44e948322a20"

  @Test("the connection message names client, root and channel")
  func connection() {
    let answer = Channels.written { out in
      WalkersEncoder.appendConnection(
        client: Array(Self.client.utf8).span, root: Array("n::000000000000000000000001".utf8).span,
        channel: Array("any\"string".utf8).span, to: &out)
    }
    let data =
      #"{"client_id":"\#(Self.client)","root_id":"n::000000000000000000000001","channel_id":"any\"string"}"#
    #expect(answer == #"{"type":"connection","data":\#(data)}"#)
  }

  @Test("ids are the time and 32 hexadecimal digits")
  func ids() {
    let random: [UInt8] = [
      0xF4, 0x6D, 0x85, 0x20, 0x3C, 0x70, 0x4C, 0x09, 0x9E, 0x9F, 0x44, 0xE9, 0x48, 0x32, 0x2A, 0x20,
    ]
    let id = Channels.written { WalkersEncoder.appendId(seconds: 1_730_887_348, random: random.span, to: &$0) }
    #expect(id == Self.client)
  }

  @Test("results, denials and failures")
  func walkers() {
    let one = Array(#""Do something!""#.utf8)
    #expect(
      Channels.written { WalkersEncoder.appendResult(reports: [one], to: &$0) }
        == #"{"status":200,"reports":["Do something!"]}"#)
    #expect(
      Channels.written { WalkersEncoder.appendResult(reports: [one, Array("{}".utf8)], to: &$0) }
        == #"{"status":200,"reports":["Do something!",{}]}"#)
    #expect(Channels.written { WalkersEncoder.appendResult(reports: [], to: &$0) } == #"{"status":200,"reports":[]}"#)
    let name = Array("a\"b".utf8)
    #expect(
      Channels.written { WalkersEncoder.appendDenial(.unknown, walker: name.span, to: &$0) }
        == #"{"type":"walker","error":"Invalid request! Please use valid walker event!"}"#)
    #expect(
      Channels.written { WalkersEncoder.appendDenial(.needsAuthentication, walker: name.span, to: &$0) }
        == #"{"type":"walker","error":"Event a\"b requires to be authenticated!"}"#)
    #expect(Channels.written { WalkersEncoder.appendFailure("no \"x\"", to: &$0) } == #"{"error":["no \"x\""]}"#)
  }
}
