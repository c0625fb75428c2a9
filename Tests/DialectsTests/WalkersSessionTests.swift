// The walkers dialect's receiving side against the tables of the protocol and against what breaks parsers.
import Buffers
import Testing
import Wire

@testable import Dialects

@Suite("Walkers session")
struct WalkersSessionTests {
  @Test("events ask for what the protocol says", arguments: WalkersGolden.events)
  func events(row: WalkersRow) {
    #expect(Walkers.outcome(row.message) == row.outcome)
  }

  @Test("messages that are no events get the protocol's errors", arguments: WalkersGolden.envelopes)
  func envelopes(row: WalkersRow) {
    #expect(Walkers.outcome(row.message) == row.outcome)
  }

  @Test("wrong members get the protocol's errors, all of a message at once", arguments: WalkersGolden.members)
  func members(row: WalkersRow) {
    #expect(Walkers.outcome(row.message) == row.outcome)
  }

  @Test(
    "refusals are told apart for the metrics",
    arguments: [
      ("", WalkersRefusal.invalidJSON), ("[]", .unknownType), ("{}", .unknownType), (#"{"type":"x"}"#, .unknownType),
      (#"{"type":"user"}"#, .invalidMember), (#"{"type":"user","root_ids":["z"],"data":{}}"#, .invalidMember),
      (#"{"type":"channel","channel_ids":["a","b","c"],"data":{}}"#, .tooManyTargets),
      (#"{"type":"walker","walker":1}"#, .invalidMember), (#"{"type":"change_user","token":1}"#, .invalidMember),
    ])
  func refusals(message: String, refusal: WalkersRefusal) {
    let found = Walkers.refusal(message, limits: WalkersLimits(targetsMax: 2, bytesMax: 1_000))
    #expect(found == refusal)
  }

  @Test(
    "response takes the usual spellings of true and false",
    arguments: [
      ("true", true), ("false", false), ("1", true), ("0", false), ("1.0", true), ("0.0", false), ("-0", false),
      ("10e-1", true), ("1E0", true), ("0e9", false), (#""true""#, true), (#""TRUE""#, true), (#""t""#, true),
      (#""yes""#, true), (#""Yes""#, true), (#""y""#, true), (#""on""#, true), (#""1""#, true),
      (#""\u0079es""#, true), (#""false""#, false), (#""F""#, false), (#""no""#, false), (#""N""#, false),
      (#""off""#, false), (#""0""#, false),
    ])
  func responses(text: String, value: Bool) {
    let outcome = Walkers.outcome(#"{"type":"walker","walker":"w","response":\#(text)}"#)
    #expect(outcome == #"walker "w" \#(value) - -"#)
  }

  @Test(
    "response refuses everything else",
    arguments: [
      ("2", "bool_parsing"), ("-1", "bool_parsing"), ("0.5", "bool_type"), ("null", "bool_type"), ("[]", "bool_type"),
      ("{}", "bool_type"), (#""""#, "bool_parsing"), (#"" yes""#, "bool_parsing"), (#""yes ""#, "bool_parsing"),
      (#""ja""#, "bool_parsing"), (#""2""#, "bool_parsing"), (#""1.0""#, "bool_parsing"),
      (#""truetruetruetruetruetruetruetrue""#, "bool_parsing"), ("1e300", "bool_type"),
    ])
  func wrongResponses(text: String, type: String) {
    let outcome = Walkers.outcome(#"{"type":"walker","walker":"w","response":\#(text)}"#)
    #expect(Walkers.faults(outcome) == ["\(type) event.walker.response"])
  }

  @Test("an event may name as many ids as the limit, and one more is refused alone")
  func targets() {
    func message(_ count: Int) -> String {
      let ids = Array(repeating: #""a""#, count: count).joined(separator: ",")
      return #"{"type":"client","client_ids":[\#(ids)],"data":{}}"#
    }
    let limits = WalkersLimits(targetsMax: 3, bytesMax: 1_000)
    #expect(Walkers.outcome(message(3), limits: limits) == #"clients ["a","a","a"] {}"#)
    let text = "List should have at most 3 items after validation, not 4"
    let error = Walkers.error("too_long", #"["event","client","client_ids"]"#, text, #"["a","a","a","a"]"#)
    #expect(Walkers.outcome(message(4), limits: limits) == #"{"error":[\#(error)]}"#)
    let wrong = #"{"type":"client","client_ids":[1,2,3,4],"data":{}}"#
    #expect(Walkers.faults(Walkers.outcome(wrong, limits: limits)) == ["too_long event.client.client_ids"])
  }

  @Test("the more data an event has, the fewer ids it may name, but always one")
  func targetsByData() {
    func outcome(_ count: Int, _ bytes: Int) -> [String] {
      let ids = Array(repeating: #""a""#, count: count).joined(separator: ",")
      let data = #"{"a":"\#(String(repeating: "x", count: bytes - 8))"}"#
      let limits = WalkersLimits(targetsMax: 10, bytesMax: 1_000)
      return Walkers.faults(
        Walkers.outcome(#"{"type":"client","data":\#(data),"client_ids":[\#(ids)]}"#, limits: limits))
    }
    #expect(outcome(10, 100) == [] && outcome(10, 101) == ["too_long event.client.client_ids"])
    #expect(outcome(9, 101) == [] && outcome(1, 5_000) == [])
    #expect(outcome(2, 5_000) == ["too_long event.client.client_ids"])
  }

  private static let zeros = String(repeating: "0", count: 24)
  private static let most = String(repeating: "0", count: 23)

  private static let rootIds: [(id: String, isValid: Bool)] = [
    ("n::672b35cec309e5ef8469c372", true), ("n:root:672b35cec309e5ef8469c372", true),
    ("n::672B35CEC309E5EF8469C372", true), ("N::000000000000000000000001", true), ("n:a b/é:\(zeros)", true),
    ("", false), ("n", false), ("n::", false), ("\(zeros)", false), ("n:\(zeros)", false), ("e::\(zeros)", false),
    ("n::\(zeros)0", false), ("n::\(most)", false), ("n:a:b:\(zeros)", false), ("n::\(most)g", false),
    (" n::\(zeros)", false), ("n::\(zeros) ", false), ("n::\(zeros)\\u0000", false), ("n\\u003a:\(zeros)", true),
  ]

  @Test("root ids have a name and 24 hexadecimal digits", arguments: rootIds)
  func roots(id: String, isValid: Bool) {
    let outcome = Walkers.outcome(#"{"type":"user","root_ids":["\#(id)"],"data":{}}"#)
    #expect(outcome.hasPrefix("users") == isValid, "\(outcome)")
    if !isValid { #expect(outcome.contains("is not a valid reference!")) }
  }

  @Test(
    "root ids compare without their name and in lower case",
    arguments: [
      "n::672b35cec309e5ef8469c372", "N:root:672B35CEC309E5EF8469C372", "n:a:672b35cec309e5ef8469c372",
    ])
  func normalRoots(id: String) {
    var text = ByteBuffer()
    text.append(string: id)
    let isNormal = WalkersRoot.normalize(&text)
    #expect(isNormal && text.bytes.string == "n::672b35cec309e5ef8469c372")
  }

  private static let tokenIds: [(id: String, root: String)] = [
    ("672B35CEC309E5EF8469C372", "n::672b35cec309e5ef8469c372"), ("", ""), ("672b", ""), ("n::\(zeros)", ""),
    ("\(zeros)0", ""), ("\(most)g", ""),
  ]

  @Test("a token's root id becomes a root, and what is none is refused", arguments: tokenIds)
  func tokenRoots(id: String, root: String) {
    var text = ByteBuffer()
    let isRoot = WalkersRoot.append(id: Array(id.utf8).span, to: &text)
    #expect(isRoot == !root.isEmpty && text.bytes.string == root)
  }

  @Test("a message full of mistakes gets a bounded answer")
  func boundedAnswers() {
    let many = #"{"type":"user","root_ids":["# + Array(repeating: "1", count: 1_000).joined(separator: ",") + "]}"
    let answer = Walkers.outcome(many)
    #expect(Walkers.faults(answer).count == WalkersErrors.listedMax)
    let long = #"{"type":"user","x":"\#(String(repeating: "é", count: 100_000))"}"#
    let cut = Walkers.outcome(long)
    #expect(Walkers.faults(cut) == ["missing event.user.root_ids", "missing event.user.data"])
    #expect(cut.utf8.count < 2 * (WalkersErrors.inputBytesMax + 256))
    let inputs = (Channels.parsed(cut)?["error"] as? [[String: Any]] ?? []).compactMap { $0["input"] as? String }
    #expect(inputs.count == 2 && inputs.allSatisfy { $0.hasPrefix(#"{"type":"user","x":"é"#) && $0.hasSuffix("é…") })
  }

  @Test("a long unknown type or reference is cut at a character, and the error stays valid")
  func longNames() throws {
    for text in ["a", "é", "漢", "😀", "\\u00e9", "\\\""] {
      for shift in 0..<4 {
        let name = String(repeating: "x", count: shift) + String(repeating: text, count: 4_096 / text.utf8.count)
        let decoded = try #require(Channels.parsed("{\"a\":\"\(name)\"}")?["a"] as? String)
        let reference = Walkers.outcome("{\"type\":\"user\",\"root_ids\":[\"\(name)\"],\"data\":{}}")
        let found = try #require((Channels.parsed(reference)?["error"] as? [String])?.first)
        let kept = found.dropFirst().prefix { $0 != "]" }
        // A text of escapes only that is too long to be decoded whole is repeated as it was written.
        #expect(decoded.hasPrefix(kept) || name.hasPrefix(kept), "\(text)")
        #expect(kept.utf8.count <= WalkersErrors.quotedBytesMax && kept.utf8.count > 250, "\(text)")
        let unknown = Walkers.outcome("{\"type\":\"\(name)\"}")
        #expect(Walkers.faults(unknown) == ["union_tag_invalid event"], "\(text)")
      }
    }
  }

  @Test(
    "what is not JSON is invalid",
    arguments: [
      " ", "nul", "{", "[1,]", "{'type':'user'}", "{\"type\":\"user\",}", "\u{FEFF}{\"type\":\"connection\"}", "NaN",
      "{\"a\":01}", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\u{1}\"}",
      String(repeating: "[", count: 100_000),
    ])
  func invalidJSON(message: String) {
    #expect(Walkers.outcome(message) == #"{"error":["Invalid JSON"]}"#)
  }
}
