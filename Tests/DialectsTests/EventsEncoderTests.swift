// What the events dialect sends: every body of PROTOCOLS 3.3, 3.4 and 3.6, natively and as Socket.IO has it (3.5).
import Buffers
import Foundation
import Testing
import Wire

@testable import Dialects

@Suite("Events: sending")
struct EventsEncoderTests {
  static func welcome(_ transport: EventsTransport, isLoggedIn: Bool = false) -> String {
    Channels.written { out in
      EventsEncoder.appendWelcome(
        EventsProduct(), socketId: Events.bytes(Events.socketId).span, isLoggedIn: isLoggedIn, transport, to: &out)
    }
  }

  static func status(_ transport: EventsTransport, user: String = "", rooms: [String] = []) -> String {
    Channels.written { out in
      EventsEncoder.appendStatus(
        EventsProduct(), socketId: Events.bytes("S").span, token: Events.bytes("T").span,
        userId: Events.bytes(user).span, isLoggedIn: !user.isEmpty, transport,
        rooms: rooms.map { Events.bytes($0) }, timestamp: Events.bytes(Events.timestamp).span, to: &out)
    }
  }

  static func info(_ transport: EventsTransport, user: String = "", token: String = Events.token) -> String {
    Channels.written { out in
      EventsEncoder.appendInfo(
        EventsProduct(), token: Events.bytes(token).span, userId: Events.bytes(user).span, isLoggedIn: !user.isEmpty,
        transport, connections: 12, timestamp: Events.bytes(Events.timestamp).span, to: &out)
    }
  }

  @Test("the native welcome names the protocol, the one of Socket.IO does not")
  func welcomes() {
    #expect(
      Self.welcome(.native)
        == #"{"message":"Connected to YektaYar server via native-websocket","socketId":"ws-1763698505602-k3j9x0a7q","#
        + #""isLoggedIn":false,"protocol":"native-websocket"}"#)
    for transport in [EventsTransport.webSocket, .polling] {
      #expect(
        Self.welcome(transport, isLoggedIn: true)
          == #"{"message":"Connected to YektaYar server","socketId":"ws-1763698505602-k3j9x0a7q","isLoggedIn":true}"#)
    }
  }

  @Test("the status tells the protocol natively, and the rooms over Socket.IO")
  func statuses() {
    let server =
      #"{"server":{"name":"YektaYar API Server","version":"0.1.0","status":"running","#
      + #""timestamp":"2026-11-21T04:15:05.602Z"},"connection":{"socketId":"S","sessionToken":"T","#
    #expect(
      Self.status(.native) == server + #""userId":null,"isLoggedIn":false,"protocol":"native-websocket"}}"#)
    #expect(
      Self.status(.native, user: "u\"1") == server
        + #""userId":"u\"1","isLoggedIn":true,"protocol":"native-websocket"}}"#)
    #expect(
      Self.status(.polling, rooms: ["S", "session:T"]) == server
        + #""userId":null,"isLoggedIn":false,"rooms":["S","session:T"]}}"#)
    #expect(
      Self.status(.webSocket, user: "7", rooms: ["S", "session:T", "user:7", "a\"b"]) == server
        + #""userId":"7","isLoggedIn":true,"rooms":["S","session:T","user:7","a\"b"]}}"#)
  }

  @Test("the info of a native connection, key by key")
  func nativeInfo() {
    #expect(
      Self.info(.native)
        == #"{"server":{"name":"YektaYar API","version":"0.1.0","#
        + #""description":"YektaYar API Server with native WebSocket support","#
        + #""features":{"rest":true,"websocket":true,"authentication":true,"realtime":true,"#
        + #""protocol":"native-websocket"}},"websocket":{"connected":true,"protocol":"native-websocket"},"#
        + #""session":{"authenticated":false,"userId":"anonymous","sessionToken":"***FZ4k"},"#
        + #""timestamp":"2026-11-21T04:15:05.602Z"}"#)
  }

  @Test("the info over Socket.IO tells the transport and the number of connections")
  func socketIOInfo() throws {
    for (transport, name) in [(EventsTransport.webSocket, "websocket"), (.polling, "polling")] {
      let text = Self.info(transport, user: "7")
      #expect(
        text.contains(
          #""features":{"rest":true,"websocket":true,"authentication":true,"realtime":true}},"#
            + "\"websocket\":{\"connected\":true,\"transport\":\"\(name)\",\"protocol\":4,\"activeConnections\":12},"))
      #expect(text.contains(#""session":{"authenticated":true,"userId":"7","sessionToken":"***FZ4k"},"#))
      let members = try #require(Channels.parsed(text))
      let server = members["server"] as? [String: Any]
      #expect(server?["description"] as? String == EventsProduct().socketIODescription)
    }
  }

  @Test(
    "of a token only the last four characters are shown",
    arguments: [("abcdefgh", "***efgh"), ("abcd", "***abcd"), ("ab", "***ab"), ("", "***"), ("abéé\"", "***é\"")])
  func hiddenToken(token: String, shown: String) {
    let session = Channels.parsed(Self.info(.native, token: token))?["session"] as? [String: Any]
    // Four bytes back from the end of the last one lies the middle of a character.
    #expect(session?["sessionToken"] as? String == shown)
  }

  @Test("pong carries the time")
  func pong() {
    let body = Channels.written { EventsEncoder.appendPong(timestamp: Events.bytes(Events.timestamp).span, to: &$0) }
    #expect(body == #"{"timestamp":"2026-11-21T04:15:05.602Z"}"#)
  }

  @Test(
    "echo and message give the data back as it was sent, or nothing",
    arguments: [#""Hello World""#, #"{"message": "x" }"#, "null", "[1,2.50,\"\\u0041\"]", "1e5", "false", "\"\"", ""])
  func splices(data: String) {
    let echo = Channels.written { out in
      EventsEncoder.appendEcho(
        Events.bytes(data).span, socketId: Events.bytes("S").span, timestamp: Events.bytes("t").span, to: &out)
    }
    #expect(echo == "{" + (data.isEmpty ? "" : "\"received\":\(data),") + #""timestamp":"t","socketId":"S"}"#)
    let received = Channels.written {
      EventsEncoder.appendReceived(Events.bytes(data).span, timestamp: Events.bytes("t").span, to: &$0)
    }
    #expect(
      received == #"{"success":true,"message":"Message received successfully","#
        + (data.isEmpty ? "" : "\"data\":\(data),") + #""timestamp":"t"}"#)
  }

  @Test(
    "refusals have their texts",
    arguments: [
      (EventsRefusal.notProcessed, "Failed to process message"), (.unknownEvent(nil), "Unknown event type: undefined"),
      (.tooManyRequests, "Too many requests"),
    ])
  func refusals(refusal: EventsRefusal, text: String) {
    let body = Channels.written { EventsEncoder.appendError(refusal, in: Span(), to: &$0) }
    #expect(body == "{\"error\":\"\(text)\"}")
  }

  @Test("a chat has a start, chunks and an end, or an error")
  func chat() {
    let id = Events.bytes("ai-1-abc")
    #expect(
      Channels.written { EventsEncoder.appendChatStart(messageId: id.span, to: &$0) } == #"{"messageId":"ai-1-abc"}"#)
    #expect(
      Channels.written {
        EventsEncoder.appendChatChunk(messageId: id.span, Events.bytes("a \"b\"\n").span, to: &$0)
      } == #"{"messageId":"ai-1-abc","chunk":"a \"b\"\n"}"#)
    #expect(
      Channels.written { EventsEncoder.appendChatComplete(messageId: id.span, Events.bytes("سلام").span, to: &$0) }
        == #"{"messageId":"ai-1-abc","fullResponse":"سلام"}"#)
    #expect(
      Channels.written { EventsEncoder.appendError(Events.bytes("Message is required").span, to: &$0) }
        == #"{"error":"Message is required"}"#)
  }

  @Test("the same body stands in either envelope")
  func envelopes() {
    let body = Events.bytes(#"{"a":1}"#)
    for (envelope, expected) in [
      (EventsEnvelope.native, #"{"event":"pong","data":{"a":1}}"#), (.socketIO, #"["pong",{"a":1}]"#),
    ] {
      let fixed = Channels.written { out in
        EventsEncoder.open("pong", envelope, to: &out)
        out.append(body.span)
        EventsEncoder.close(envelope, to: &out)
      }
      #expect(fixed == expected)
      let own = Channels.written { out in
        EventsEncoder.append(Events.bytes("pong").span, body: body.span, envelope, to: &out)
      }
      #expect(own == expected)
    }
    let quoted = Channels.written { out in
      EventsEncoder.append(Events.bytes("a\"b").span, body: body.span, .native, to: &out)
    }
    #expect(quoted == #"{"event":"a\"b","data":{"a":1}}"#)
  }

  @Test(
    "identifiers have a prefix, a time, and nine digits in base 36",
    arguments: [
      (0, "ws-5-000000000"), (35, "ws-5-00000000z"), (36, "ws-5-000000010"), (EventsID.endings - 1, "ws-5-zzzzzzzzz"),
      (EventsID.endings, "ws-5-000000000"), (UInt64.max, "ws-5-" + String(UInt64.max % EventsID.endings, radix: 36)),
    ])
  func identifiers(random: UInt64, expected: String) {
    let ending = expected.dropFirst(5)
    #expect(
      Channels.written { EventsID.append("ws", milliseconds: 5, random: random, to: &$0) }
        == "ws-5-" + String(repeating: "0", count: 9 - ending.count) + ending)
  }
}
