// The errors of the walkers dialect over real sockets: every row of PROTOCOLS 5.2's second table; the connection goes on.

import Gateway
import TestSupport
import Testing

@Suite("Walkers: errors")
struct WalkersErrorTests {
  private static func fault(_ type: String, _ location: String, _ message: String, _ input: String) -> String {
    #"{"type":"\#(type)","loc":\#(location),"msg":"\#(message)","input":\#(input)}"#
  }

  private static let expectedTags = "'connection', 'walker', 'user', 'channel', 'client', 'change_user'"

  private static let rows: [(message: String, errors: String)] = [
    ("hello", #""Invalid JSON""#), ("", #""Invalid JSON""#), ("{", #""Invalid JSON""#),
    (
      "[]",
      fault(
        "model_attributes_type", #"["event"]"#,
        "Input should be a valid dictionary or object to extract fields from", "[]")
    ),
    (
      "null",
      fault(
        "model_attributes_type", #"["event"]"#,
        "Input should be a valid dictionary or object to extract fields from", "null")
    ),
    (
      #"{"data":{}}"#,
      fault(
        "union_tag_not_found", #"["event"]"#, "Unable to extract tag using discriminator 'type'", #"{"data":{}}"#)
    ),
    (
      #"{"type":"zzz"}"#,
      fault(
        "union_tag_invalid", #"["event"]"#,
        "Input tag 'zzz' found using 'type' does not match any of the expected tags: \(expectedTags)",
        #"{"type":"zzz"}"#)
    ),
    (
      #"{"type":"user"}"#,
      fault("missing", #"["event","user","root_ids"]"#, "Field required", #"{"type":"user"}"#) + ","
        + fault("missing", #"["event","user","data"]"#, "Field required", #"{"type":"user"}"#)
    ),
    (
      #"{"type":"channel","channel_ids":[],"data":{}}"#,
      fault(
        "too_short", #"["event","channel","channel_ids"]"#,
        "List should have at least 1 item after validation, not 0", "[]")
    ),
    (
      #"{"type":"client","client_ids":"a","data":{}}"#,
      fault("list_type", #"["event","client","client_ids"]"#, "Input should be a valid list", #""a""#)
    ),
    (
      #"{"type":"user","root_ids":[7],"data":[]}"#,
      fault("string_type", #"["event","user","root_ids",0]"#, "Input should be a valid string", "7") + ","
        + fault("dict_type", #"["event","user","data"]"#, "Input should be a valid dictionary", "[]")
    ),
    (
      #"{"type":"user","root_ids":["\#(WalkersClient.publicRoot)","zzz"],"data":{}}"#,
      #""[zzz] is not a valid reference!""#
    ),
    (
      #"{"type":"change_user","token":7}"#,
      fault("string_type", #"["event","change_user","token"]"#, "Input should be a valid string", "7")
    ),
    (
      #"{"type":"walker","response":"maybe"}"#,
      fault(
        "missing", #"["event","walker","walker"]"#, "Field required", #"{"type":"walker","response":"maybe"}"#) + ","
        + fault(
          "bool_parsing", #"["event","walker","response"]"#,
          "Input should be a valid boolean, unable to interpret input", #""maybe""#)
    ),
  ]

  @Test("each mistake gets its error, and the connection goes on", arguments: reactorCounts)
  func errors(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.walkersClient()
      for (message, errors) in Self.rows {
        try client.socket.send(message)
        try expectText(client.socket, #"{"error":[\#(errors)]}"#, "\(message)")
      }
      try client.expectNothing("and nothing was delivered")
    }
  }

  @Test("a binary message is never taken for JSON")
  func binary() throws {
    try withGateway(reactors: 1) { gateway throws in
      let client = try gateway.walkersClient()
      for bytes in [Array(#"{"type":"connection"}"#.utf8), [0xFF, 0xFE], []] {
        try client.socket.send(ClientFrame(ClientFrame.binary, bytes))
        try expectText(client.socket, #"{"error":["Invalid JSON"]}"#)
      }
      try client.expectNothing()
    }
  }

  @Test("an event may name as many ids as the limit, and one more is refused whole")
  func targets() throws {
    try withGateway(reactors: 1, settings: [("limits.notifyTargetsMax", "3")]) { gateway throws in
      let client = try gateway.walkersClient()
      let id = client.client
      try client.notify("client", [id, id, id], "{}")
      for _ in 0..<3 { try expectText(client.socket, "{}") }
      try client.notify("client", [id, id, id, id], "{}")
      let text = "List should have at most 3 items after validation, not 4"
      let list = #"["\#(id)","\#(id)","\#(id)","\#(id)"]"#
      let error = Self.fault("too_long", #"["event","client","client_ids"]"#, text, list)
      try expectText(client.socket, #"{"error":[\#(error)]}"#)
      try client.expectNothing()
    }
  }

  @Test("a large event may name fewer ids")
  func largeEvents() throws {
    try withGateway(reactors: 1) { gateway throws in
      let client = try gateway.walkersClient()
      let data = #"{"text":"\#(String(repeating: "x", count: 900_000))"}"#
      try client.notify("client", Array(repeating: client.client, count: 5), data)
      let answer = JSON(try client.socket.nextText())
      guard case .array(let errors)? = answer?["error"] else { throw GatewayFailure(description: "no error") }
      #expect(errors.count == 1 && errors[0]["type"]?.text == "too_long")
      try client.expectNothing()
    }
  }
}
