// What the sessions dialect takes from clients: every row of PROTOCOLS 4.3.
import Buffers
import Testing
import Wire

@testable import Dialects

@Suite("Sessions: commands")
struct SessionsSessionTests {
  /// What a message asks for, with its slices as text.
  static func action(_ message: String) -> String {
    let bytes = Array(message.utf8)
    func text(_ range: Range<Int>?) -> String {
      range.map { "'" + String(decoding: bytes[$0], as: UTF8.self) + "'" } ?? "-"
    }
    switch SessionsSession.receive(bytes.span) {
    case .registerName(let name): return "name \(text(name))"
    case .registerSession(let session): return "session \(text(session))"
    case .subscribe(let topic, let session): return "subscribe \(text(topic)) \(text(session))"
    case .unsubscribe(let topic, let session): return "unsubscribe \(text(topic)) \(text(session))"
    case .publish(let members):
      let values = [members.publisher, members.topic, members.payload, members.timestamp, members.session]
      return "publish " + values.map { text($0?.range) }.joined(separator: " ")
    case .ping: return "ping"
    case .ignore(let refusal): return "\(refusal)"
    }
  }

  @Test(
    "each command asks for its action",
    arguments: [
      ("register-name:Client1", "name 'Client1'"), ("register-name:  a b\t", "name 'a b'"),
      ("register-name:", "name ''"), ("register-name:a:b|c", "name 'a:b|c'"),
      ("register-session:session-A", "session 'session-A'"), ("register-session:\r\n s \u{B}\u{C}", "session 's'"),
      ("register-session:a|b", "session 'a|b'"), ("register-session:", "session ''"),
      ("subscribe:T|S", "subscribe 'T' 'S'"), ("subscribe:T", "subscribe 'T' -"),
      ("subscribe: T|S ", "subscribe 'T' 'S'"), ("subscribe:T |\tS", "subscribe 'T ' '\tS'"),
      ("subscribe:T|S|U", "subscribe 'T' 'S'"), ("subscribe:T|S|U|V", "subscribe 'T' 'S'"),
      ("subscribe:T|", "subscribe 'T' ''"), ("subscribe:T||S", "subscribe 'T' ''"),
      ("subscribe:|S", "subscribe '' 'S'"),
      ("subscribe:", "subscribe '' -"), ("subscribe:|", "subscribe '' ''"),
      ("subscribe:a:b|c:d", "subscribe 'a:b' 'c:d'"),
      ("subscribe:ü 漢|😀", "subscribe 'ü 漢' '😀'"), ("subscribe:subscribe:T", "subscribe 'subscribe:T' -"),
      ("unsubscribe:T|S", "unsubscribe 'T' 'S'"), ("unsubscribe:T", "unsubscribe 'T' -"),
      ("unsubscribe:\nT|S|U\n", "unsubscribe 'T' 'S'"), ("unsubscribe:", "unsubscribe '' -"),
      ("ping", "ping"),
    ])
  func commands(message: String, expected: String) {
    #expect(Self.action(message) == expected)
  }

  @Test(
    "anything else is no command",
    arguments: [
      "", " ", "ping ", " ping", "PING", "Ping", "ping\n", "ping:", "pong", "hello", "subscribe", "subscribe T", ":",
      ":T", "Subscribe:T", "SUBSCRIBE:T", " subscribe:T", "subscribe :T", "subscribes:T", "subscrib:T", "publish:{}",
      "publish-json", "Publish-json:{}", "publish-json {}", "register:x", "register-nam:x", "register-names:x",
      "register-sessions:x", "unsubscrib:x", "{\"action\":\"ping\"}", "null", "register-session",
      String(repeating: "x", count: 100_000) + ":", "subscribe\u{0}:T", "sübscribe:T", "\u{FEFF}ping",
    ])
  func unknown(message: String) {
    #expect(Self.action(message) == "unknownCommand")
  }

  @Test(
    "a publish hands over the five members that are strings, and no others",
    arguments: [
      (
        #"{"publisher_name":"p","topic":"t","payload":"x","timestamp":"z","session_id":"s"}"#,
        #"publish '"p"' '"t"' '"x"' '"z"' '"s"'"#
      ),
      (
        #"  { "session_id" : "s" , "extra" : {"topic":"no"}, "topic":"t" }  "#, #"publish - '"t"' - - '"s"'"#
      ),
      (#"{}"#, "publish - - - - -"), (#"{"topic":"a\u002fb"}"#, #"publish - '"a\u002fb"' - - -"#),
      (#"{"t\u006fpic":"t"}"#, #"publish - '"t"' - - -"#),
      (
        #"{"publisher_name":null,"topic":7,"payload":{"a":1},"timestamp":false,"session_id":["s"]}"#,
        "publish - - - - -"
      ),
      (#"{"topic":"t","payload":[1,2]}"#, #"publish - '"t"' - - -"#),
      (#"{"topic":"","payload":"","session_id":""}"#, #"publish - '""' '""' - '""'"#),
    ])
  func publishes(json: String, expected: String) {
    #expect(Self.action("publish-json:" + json) == expected)
    #expect(Self.action("publish-json: \u{B}" + json + "\n") == expected)
  }

  @Test(
    "what is published must be a JSON object",
    arguments: [
      "", " ", "null", "x", "[]", "7", "\"t\"", "true", "{", "{\"topic\":\"t\"", "{\"topic\":\"t\"}}", "{topic:\"t\"}",
      "{\"topic\":\"t\",}", "{\"topic\":\"a\",\"topic\":\"b\"}", "{\"a\":1e999}", "{\"topic\":\"\\ud800\"}",
      "{\"topic\":\"a\nb\"}", "{}{}", String(repeating: "{\"a\":", count: 100_000),
    ])
  func malformed(json: String) {
    #expect(Self.action("publish-json:" + json) == "invalidJSON")
  }
}

@Suite("Sessions: topics")
struct SessionsTopicTests {
  static func name(_ session: String, _ topic: String) -> String {
    Channels.written {
      SessionTopic.append(session: Array(session.utf8).span, topic: Array(topic.utf8).span, to: &$0)
    }
  }

  /// The topic of a command; the connection's own session is `own`.
  static func name(of message: String, own: String = "own", bytesMax: Int = 255) -> String? {
    let bytes = Array(message.utf8)
    var name = ByteBuffer()
    let current = Array(own.utf8)
    let isValid: Bool
    switch SessionsSession.receive(bytes.span) {
    case .subscribe(let topic, let session), .unsubscribe(let topic, let session):
      isValid = SessionTopic.append(
        in: bytes.span, topic: topic, session: session, current: current.span, bytesMax: bytesMax, to: &name)
    case .publish(let publication):
      isValid = SessionTopic.append(
        in: bytes.span, publication, current: current.span, bytesMax: bytesMax, to: &name)
    default: return "no topic"
    }
    #expect(isValid || name.isEmpty)
    return isValid ? name.bytes.string : nil
  }

  @Test("two different pairs of session and topic never share a name")
  func unambiguous() {
    let texts = ["", "a", "ab", "b", "1:a", "1", ":", "1:", "0:", "a1:b", "|", "2:ab", "é", "12:"]
    var seen: Set<String> = []
    for session in texts {
      for topic in texts where topic != "" {
        let name = Self.name(session, topic)
        #expect(name == "\(session.utf8.count):\(session)\(topic)")
        #expect(seen.insert(name).inserted, "\(session) and \(topic)")
      }
    }
  }

  @Test(
    "a command and a publish name the same topic",
    arguments: [
      ("subscribe:T|S", #"{"topic":"T","session_id":"S"}"#, "1:ST"), ("subscribe:T", #"{"topic":"T"}"#, "3:ownT"),
      ("subscribe:a/b|é", #"{"topic":"a\u002fb","session_id":"\u00e9"}"#, "2:éa/b"),
      ("subscribe:T|", #"{"topic":"T","session_id":""}"#, "0:T"),
      ("unsubscribe:<none>", #"{"topic":7,"session_id":null}"#, "3:own<none>"),
      ("subscribe:<none>", "{}", "3:own<none>"),
      ("subscribe:\"\\|😀", #"{"topic":"\"\\","session_id":"\ud83d\ude00"}"#, "4:😀\"\\"),
      ("subscribe:T|default", #"{"topic":"T","session_id":"default"}"#, "7:defaultT"),
    ])
  func sameName(command: String, publish: String, expected: String) {
    #expect(Self.name(of: command) == expected)
    #expect(Self.name(of: "publish-json:" + publish) == expected)
  }

  @Test("topics are 1 to the limit in bytes, sessions up to it, and neither holds control characters")
  func limits() {
    let long = String(repeating: "x", count: 255)
    for (message, isValid) in [
      ("subscribe:", false), ("subscribe:|s", false), ("subscribe:" + long, true), ("subscribe:x" + long, false),
      ("subscribe:t|" + long, true), ("subscribe:t|x" + long, false), ("subscribe:a\u{1}b", false),
      (#"publish-json:{"topic":""}"#, false), ("publish-json:{\"topic\":\"\(long)\"}", true),
      ("publish-json:{\"topic\":\"x\(long)\"}", false), (#"publish-json:{"topic":"\u0000"}"#, false),
      (#"publish-json:{"topic":"t","session_id":"\n"}"#, false),
      ("publish-json:{\"topic\":\"\(String(repeating: "\\u0061", count: 255))\"}", true),
      ("publish-json:{\"topic\":\"\(String(repeating: "\\u0061", count: 256))\"}", false),
      ("publish-json:{\"topic\":\"t\",\"session_id\":\"\(String(repeating: "\\u0061", count: 255))\"}", true),
      ("publish-json:{\"topic\":\"t\",\"session_id\":\"\(String(repeating: "\\u0061", count: 256))\"}", false),
      ("publish-json:{\"topic\":\"\(String(repeating: "\\u0061", count: 100_000))\"}", false),
    ] {
      #expect((Self.name(of: message) != nil) == isValid, "\(message.prefix(60))")
    }
    #expect(Self.name(of: "subscribe:abcd|abcd", bytesMax: 4) == "4:abcdabcd")
    #expect(Self.name(of: "subscribe:abcde|abcd", bytesMax: 4) == nil)
  }
}
