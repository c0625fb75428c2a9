// The tables of PROTOCOLS 5.2 and 5.3, row by row: what is sent and what it comes to, in exact JSON.
import Testing

/// One row: a message, and its action or the answer to it.
struct WalkersRow: Sendable, CustomTestStringConvertible {
  let title: String
  let message: String
  let outcome: String

  init(_ title: String, _ message: String, _ outcome: String) {
    self.title = title
    self.message = message
    self.outcome = outcome
  }

  var testDescription: String { title }
}

enum WalkersGolden {
  static let root = "n::672b35cec309e5ef8469c372"

  /// PROTOCOLS 5.2, first table.
  static let events: [WalkersRow] = [
    WalkersRow("connection", #"{"type":"connection"}"#, "connection"),
    WalkersRow(
      "user", #"{"type":"user","root_ids":["\#(root)"],"data":{"val":1}}"#, #"users ["\#(root)"] {"val":1}"#),
    WalkersRow(
      "channel", #"{"type":"channel","channel_ids":["anystring"],"data":{ "val" : 1.0 }}"#,
      #"channels ["anystring"] { "val" : 1.0 }"#),
    WalkersRow(
      "client", #"{"type":"client","client_ids":["1730887348:f46d85203c704c099e9f44e948322a20","x"],"data":{}}"#,
      #"clients ["1730887348:f46d85203c704c099e9f44e948322a20","x"] {}"#),
    WalkersRow("change_user", #"{"type":"change_user","token":"Bearer T"}"#, #"change_user "Bearer T""#),
    WalkersRow("change_user without a token", #"{"type":"change_user"}"#, "change_user -"),
    WalkersRow("change_user with a null token", #"{"type":"change_user","token":null}"#, "change_user -"),
    WalkersRow("change_user with an empty token", #"{"type":"change_user","token":""}"#, #"change_user """#),
    WalkersRow("walker", #"{"type":"walker","walker":"w"}"#, #"walker "w" false - -"#),
    WalkersRow(
      "walker with everything", #"{"type":"walker","walker":"w","response":true,"context":{"val":1},"node":"n"}"#,
      #"walker "w" true {"val":1} "n""#),
    WalkersRow(
      "walker with a null node", #"{"type":"walker","walker":"w","node":null}"#, #"walker "w" false - -"#),
    WalkersRow("unknown members", #"{"x":[1],"type":"connection","id":7}"#, "connection"),
    WalkersRow(
      "members of other events", #"{"type":"connection","root_ids":7,"data":null,"token":[],"walker":{}}"#,
      "connection"),
    WalkersRow("escapes in names", #"{"\u0074ype":"c\u006fnnection"}"#, "connection"),
  ]

  private static let notAnObject = "Input should be a valid dictionary or object to extract fields from"
  private static let tags = "'connection', 'walker', 'user', 'channel', 'client', 'change_user'"

  private static func error(_ type: String, _ location: String, _ message: String, _ input: String) -> String {
    #"{"error":["# + Walkers.error(type, location, message, input) + "]}"
  }

  private static func unknownTag(_ tag: String, _ input: String) -> String {
    let message = "Input tag '\(tag)' found using 'type' does not match any of the expected tags: \(tags)"
    return error("union_tag_invalid", #"["event"]"#, message, input)
  }

  /// PROTOCOLS 5.2, second table: messages as a whole.
  static let envelopes: [WalkersRow] = [
    WalkersRow("not JSON", "hello", #"{"error":["Invalid JSON"]}"#),
    WalkersRow("empty", "", #"{"error":["Invalid JSON"]}"#),
    WalkersRow("two values", #"{"type":"connection"}{}"#, #"{"error":["Invalid JSON"]}"#),
    WalkersRow("a type twice", #"{"type":"user","type":"connection"}"#, #"{"error":["Invalid JSON"]}"#),
    WalkersRow(
      "a walker twice", #"{"type":"walker","walker":"a","walker":"b"}"#, #"{"error":["Invalid JSON"]}"#),
    WalkersRow("an array", "[]", error("model_attributes_type", #"["event"]"#, notAnObject, "[]")),
    WalkersRow("a number", " 7 ", error("model_attributes_type", #"["event"]"#, notAnObject, "7")),
    WalkersRow("a string", #""x""#, error("model_attributes_type", #"["event"]"#, notAnObject, #""x""#)),
    WalkersRow("null", "null", error("model_attributes_type", #"["event"]"#, notAnObject, "null")),
    WalkersRow(
      "no type", #"{"a":1}"#,
      error("union_tag_not_found", #"["event"]"#, "Unable to extract tag using discriminator 'type'", #"{"a":1}"#)),
    WalkersRow("an unknown type", #"{"type":"zzz"}"#, unknownTag("zzz", #"{"type":"zzz"}"#)),
    WalkersRow("another case", #"{"type":"User"}"#, unknownTag("User", #"{"type":"User"}"#)),
    WalkersRow("an empty type", #"{"type":""}"#, unknownTag("", #"{"type":""}"#)),
    WalkersRow("a null type", #"{"type":null}"#, unknownTag("None", #"{"type":null}"#)),
    WalkersRow("a true type", #"{"type":true}"#, unknownTag("True", #"{"type":true}"#)),
    WalkersRow("a number for a type", #"{"type":1.5}"#, unknownTag("1.5", #"{"type":1.5}"#)),
    WalkersRow("a quote in a type", #"{"type":"\""}"#, unknownTag(#"\""#, #"{"type":"\""}"#)),
  ]

  /// PROTOCOLS 5.2, second table: members.
  static let members: [WalkersRow] = [
    WalkersRow(
      "user without anything", #"{"type":"user"}"#,
      #"{"error":["#
        + Walkers.error("missing", #"["event","user","root_ids"]"#, "Field required", #"{"type":"user"}"#) + ","
        + Walkers.error("missing", #"["event","user","data"]"#, "Field required", #"{"type":"user"}"#) + "]}"),
    WalkersRow(
      "channel without data", #"{"type":"channel","channel_ids":["a"]}"#,
      error(
        "missing", #"["event","channel","data"]"#, "Field required", #"{"type":"channel","channel_ids":["a"]}"#)),
    WalkersRow(
      "client without ids", #"{"type":"client","data":{}}"#,
      error("missing", #"["event","client","client_ids"]"#, "Field required", #"{"type":"client","data":{}}"#)),
    WalkersRow(
      "an empty list", #"{"type":"user","root_ids":[],"data":{}}"#,
      error(
        "too_short", #"["event","user","root_ids"]"#, "List should have at least 1 item after validation, not 0",
        "[]")),
    WalkersRow(
      "no list", #"{"type":"channel","channel_ids":"anystring","data":{}}"#,
      error("list_type", #"["event","channel","channel_ids"]"#, "Input should be a valid list", #""anystring""#)),
    WalkersRow(
      "an element that is no string", #"{"type":"user","root_ids":[1],"data":{}}"#,
      error("string_type", #"["event","user","root_ids",0]"#, "Input should be a valid string", "1")),
    WalkersRow(
      "two elements and data that are wrong", #"{"type":"client","client_ids":["a",null,"b",[7]],"data":[]}"#,
      #"{"error":["#
        + Walkers.error("string_type", #"["event","client","client_ids",1]"#, "Input should be a valid string", "null")
        + ","
        + Walkers.error("string_type", #"["event","client","client_ids",3]"#, "Input should be a valid string", "[7]")
        + "," + Walkers.error("dict_type", #"["event","client","data"]"#, "Input should be a valid dictionary", "[]")
        + "]}"),
    WalkersRow(
      "data that is null", #"{"type":"channel","channel_ids":["a"],"data":null}"#,
      error("dict_type", #"["event","channel","data"]"#, "Input should be a valid dictionary", "null")),
    WalkersRow(
      "no root id", #"{"type":"user","root_ids":["\#(root)","zzz"],"data":{}}"#,
      #"{"error":["[zzz] is not a valid reference!"]}"#),
    WalkersRow(
      "a wrong member comes before a wrong reference", #"{"type":"user","root_ids":["zzz"],"data":1}"#,
      error("dict_type", #"["event","user","data"]"#, "Input should be a valid dictionary", "1")),
    WalkersRow(
      "a token that is no string", #"{"type":"change_user","token":7}"#,
      error("string_type", #"["event","change_user","token"]"#, "Input should be a valid string", "7")),
    WalkersRow(
      "no walker", #"{"type":"walker"}"#,
      error("missing", #"["event","walker","walker"]"#, "Field required", #"{"type":"walker"}"#)),
    WalkersRow(
      "a walker with everything wrong", #"{"type":"walker","walker":7,"response":"maybe","context":[],"node":7}"#,
      #"{"error":["#
        + Walkers.error("string_type", #"["event","walker","walker"]"#, "Input should be a valid string", "7") + ","
        + Walkers.error("string_type", #"["event","walker","node"]"#, "Input should be a valid string", "7") + ","
        + Walkers.error(
          "bool_parsing", #"["event","walker","response"]"#,
          "Input should be a valid boolean, unable to interpret input", #""maybe""#) + ","
        + Walkers.error("dict_type", #"["event","walker","context"]"#, "Input should be a valid dictionary", "[]")
        + "]}"),
  ]

  private static let notAnInteger = "Input should be a valid integer, unable to parse string as an integer"

  /// PROTOCOLS 5.3: contexts for a walker with the field `val`, an integer.
  static let contexts: [WalkersRow] = [
    WalkersRow("an integer", #"{"val":1}"#, #"{"val":1}"#),
    WalkersRow("an integer in a string", #"{"val":"7"}"#, #"{"val":7}"#),
    WalkersRow("other members", #"{"x":{"a":1}, "val" : 1}"#, #"{"x":{"a":1}, "val" : 1}"#),
    WalkersRow("nothing", "{}", error("missing", #"["val"]"#, "Field required", "{}")),
    WalkersRow(
      "another member only", #"{"Val":1}"#, error("missing", #"["val"]"#, "Field required", #"{"Val":1}"#)),
    WalkersRow("no integer", #"{"val":"abc"}"#, error("int_parsing", #"["val"]"#, notAnInteger, #""abc""#)),
    WalkersRow(
      "a fraction", #"{"val":7.5}"#,
      error(
        "int_from_float", #"["val"]"#, "Input should be a valid integer, got a number with a fractional part", "7.5")),
    WalkersRow("null", #"{"val":null}"#, error("int_type", #"["val"]"#, "Input should be a valid integer", "null")),
  ]

  /// PROTOCOLS 5.3: bodies of requests to the same walker.
  static let bodies: [WalkersRow] = [
    WalkersRow("an integer", #"{"val":1}"#, #"{"val":1}"#),
    WalkersRow(
      "nothing", "{}", #"{"detail":["# + Walkers.error("missing", #"["body","val"]"#, "Field required", "{}") + "]}"),
    WalkersRow(
      "no integer", #"{"val":"x"}"#,
      #"{"detail":["# + Walkers.error("int_parsing", #"["body","val"]"#, notAnInteger, #""x""#) + "]}"),
  ]
}
