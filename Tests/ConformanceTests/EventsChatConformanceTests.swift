// `ai:chat` over native WebSockets: PROTOCOLS 3.6, with the built-in responder and with others.

import EventLoop
import Gateway
import TestSupport
import Testing

@Suite("Conformance: ai:chat, natively")
struct EventsChatConformanceTests {
  /// Reads the events of one chat up to its end; others are returned beside.
  static func collect(_ client: WebSocketClient) throws -> (chat: [ReceivedEvent], others: [ReceivedEvent]) {
    var chat: [ReceivedEvent] = []
    var others: [ReceivedEvent] = []
    while true {
      let event = try ReceivedEvent(client)
      if event.name.hasPrefix("ai:response:") { chat.append(event) } else { others.append(event) }
      if event.name == "ai:response:complete" || event.name == "ai:response:error" { return (chat, others) }
    }
  }

  @Test("an answer starts, comes in chunks, and ends with all of them", arguments: reactorCounts)
  func stream(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"ai:chat","data":{"message":"Hello, AI!","conversationHistory":[],"locale":"fa"}}"#)
      let chat = try Self.collect(client).chat
      let start = try #require(chat.first)
      #expect(start.name == "ai:response:start" && start.members == ["messageId"])
      let id = try #require(start.data["messageId"]?.text)
      #expect(id.wholeMatch(of: /ai-\d{13}-[0-9a-z]{9}/) != nil, "\(id)")
      let chunks = chat.dropFirst().dropLast()
      #expect(chunks.count > 5)
      for chunk in chunks {
        #expect(chunk.name == "ai:response:chunk" && chunk.members == ["messageId", "chunk"])
        #expect(chunk.data["messageId"] == .string(id))
      }
      let texts = chunks.compactMap { $0.data["chunk"]?.text }
      #expect(texts.dropLast().allSatisfy { $0.hasSuffix(" ") && $0.count(where: { $0 == " " }) == 1 })
      #expect(texts.last?.contains(" ") == false)
      let end = try #require(chat.last)
      #expect(end.name == "ai:response:complete" && end.members == ["messageId", "fullResponse"])
      #expect(end.data["messageId"] == .string(id))
      #expect(end.data["fullResponse"] == .string(texts.joined()))
      #expect(texts.joined() == DeterministicResponder.sentence)
    }
  }

  @Test("a chat without a message is an error and nothing else", arguments: reactorCounts)
  func noMessage(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.connectEvents()
      for data in [
        "", #","data":null"#, #","data":{}"#, #","data":"hi""#, #","data":["hi"]"#, #","data":{"message":""}"#,
        #","data":{"message":7}"#, #","data":{"message":null}"#, #","data":{"message":["hi"]}"#,
        #","data":{"Message":"hi"}"#, #","data":true"#,
      ] {
        try client.send(#"{"event":"ai:chat""# + data + "}")
        try expectEvent(client, "ai:response:error", #"{"error":"Message is required"}"#)
      }
      try expectOnlyPong(client)
    }
  }

  @Test(
    "while answers are on their way other events are answered, and answers are told apart", arguments: reactorCounts)
  func interleaving(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.connectEvents()
      for _ in 0..<3 { try client.send(#"{"event":"ai:chat","data":{"message":"Hello"}}"#) }
      try client.send(#"{"event":"ping"}"#)
      var events: [ReceivedEvent] = []
      while events.count(where: { $0.name == "ai:response:complete" }) < 3 { events.append(try ReceivedEvent(client)) }
      let firstEnd = try #require(events.firstIndex { $0.name == "ai:response:complete" })
      let pong = try #require(events.firstIndex { $0.name == "pong" })
      #expect(pong < firstEnd)
      let starts = events.indices.filter { events[$0].name == "ai:response:start" }
      #expect(starts.count == 3 && starts.allSatisfy { $0 < firstEnd })
      let ids = Set(starts.compactMap { events[$0].data["messageId"]?.text })
      #expect(ids.count == 3)
      for id in ids {
        let own = events.filter { $0.data["messageId"] == .string(id) }
        let text = own.compactMap { $0.data["chunk"]?.text }.joined()
        #expect(own.last?.data["fullResponse"] == .string(text))
      }
    }
  }

  @Test("a client that goes ends its answer, and other clients keep theirs", arguments: reactorCounts)
  func cancellation(reactors: Int) throws {
    let endless = EndlessResponder()
    var extensions = Extensions()
    extensions.chatResponder = endless
    try withGateway(reactors: reactors, extensions: extensions) { gateway throws in
      let (one, other) = try gateway.pair { _ throws in try gateway.connectEvents() }
      for client in [one, other] {
        try client.send(#"{"event":"ai:chat","data":{"message":"Hello"}}"#)
        #expect(try ReceivedEvent(client).name == "ai:response:start")
        #expect(try ReceivedEvent(client).name == "ai:response:chunk")
      }
      one.socket.close()
      #expect(eventually { endless.ended == 1 })
      #expect(try ReceivedEvent(other).name == "ai:response:chunk")
      other.socket.close()
      #expect(eventually { endless.ended == 2 })
    }
  }

  @Test("a responder of the application's gets the question and answers in its own pieces")
  func ownResponder() throws {
    var extensions = Extensions()
    extensions.chatResponder = RepeatingResponder()
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(
        #"{"event":"ai:chat","data":{"message":"a\u0062","conversationHistory":[{"role": "user"}],"locale":"fa"}}"#)
      let chat = try Self.collect(client).chat
      #expect(chat.compactMap { $0.data["chunk"]?.text } == ["ab", #"[{"role": "user"}]"#, "fa", "nobody"])
      #expect(chat.last?.data["fullResponse"] == .string(#"ab[{"role": "user"}]fanobody"#))
    }
  }

  @Test(
    "a responder that fails ends the answer with an error",
    arguments: [
      ("plain", "AI service failed"), ("rejected", "Ask something else"), ("timed out", "AI service timed out"),
      ("too long", "AI response is too long"),
    ])
  func failures(kind: String, text: String) throws {
    var extensions = Extensions()
    extensions.chatResponder = FailingResponder(kind: kind)
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"ai:chat","data":{"message":"Hello"}}"#)
      let chat = try Self.collect(client).chat
      #expect(chat.first?.name == "ai:response:start" && chat.dropFirst().first?.name == "ai:response:chunk")
      let id = try #require(chat.first?.data["messageId"])
      #expect(
        chat.last?.name == "ai:response:error" && chat.last?.data == .object(["error": .string(text), "messageId": id]))
      try expectOnlyPong(client)
    }
  }

  @Test(
    "a chat handler of the application's that fails is told of like any chat, by the name that it gave",
    arguments: [true, false])
  func ownHandler(begins: Bool) throws {
    var extensions = Extensions()
    extensions.events["ai:chat"] = { call in
      if begins { call.reply(event: "ai:response:start", Array(#"{"messageId":"own-\u0031"}"#.utf8)) }
      throw HandlerError.rejected("Away")
    }
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"ai:chat","data":{"message":"Hello"}}"#)
      let chat = try Self.collect(client).chat
      let expected: [String: JSON] = begins ? ["messageId": .string("own-1")] : [:]
      #expect(chat.count == (begins ? 2 : 1) && chat.last?.name == "ai:response:error")
      #expect(chat.last?.data == .object(expected.merging(["error": .string("Away")]) { $1 }))
      try expectOnlyPong(client)
    }
  }

  @Test("one chat more than allowed is refused at once, and the others go on")
  func tooMany() throws {
    try withGateway(reactors: 1, settings: [("limits.callsPerConnectionMax", "2")]) { gateway throws in
      let client = try gateway.connectEvents()
      for _ in 0..<3 { try client.send(#"{"event":"ai:chat","data":{"message":"Hello"}}"#) }
      var names: [String] = []
      while names.count(where: { $0 == "ai:response:complete" }) < 2 {
        let event = try ReceivedEvent(client)
        names.append(event.name)
        if event.name == "ai:response:error" { #expect(event.data["error"] == .string("Too many requests")) }
      }
      #expect(names.count { $0 == "ai:response:error" } == 1)
    }
  }
}

/// Answers for ever, and counts the answers that were cut short.
private final class EndlessResponder: ChatResponder {
  let name = "endless"
  private let count = Lock(0)

  var ended: Int { count.withLock { $0 } }

  func respond(to request: ChatRequest, emit: @Sendable (String) async throws -> Void) async throws {
    defer { count.withLock { $0 += 1 } }
    while true {
      try await emit("more ")
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}

/// Says what it was asked.
private struct RepeatingResponder: ChatResponder {
  let name = "repeating"

  func respond(to request: ChatRequest, emit: @Sendable (String) async throws -> Void) async throws {
    try await emit(request.message)
    try await emit("")
    try await emit(String(decoding: request.history ?? [], as: UTF8.self))
    try await emit(request.locale ?? "-")
    try await emit(request.user ?? "nobody")
  }
}

private struct FailingResponder: ChatResponder {
  struct Failure: Error {}

  let name = "failing"
  let kind: String

  func respond(to request: ChatRequest, emit: @Sendable (String) async throws -> Void) async throws {
    try await emit("so far ")
    switch kind {
    case "rejected": throw HandlerError.rejected("Ask something else")
    case "timed out": throw HandlerError.timedOut
    case "too long": while true { try await emit(String(repeating: "x", count: 60_000)) }
    default: throw Failure()
    }
  }
}
