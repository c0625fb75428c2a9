// `ai:chat` with an AI service behind it that speaks OpenAI's chat completions: answers, every way to fail, and many
// clients at once (PROTOCOLS 3.6, docs/AI.md).

import Foundation
import TestSupport
import Testing

@Suite("Conformance: ai:chat with an AI service")
struct OpenAIConformanceTests {
  @Test("the pieces of the service's stream are the chunks, in order", arguments: reactorCounts)
  func stream(reactors: Int) throws {
    let service = try AIService()
    try withGateway(reactors: reactors, settings: service.settings()) { gateway throws in
      let client = try gateway.connectEvents()
      for message in ["stream 20", "stream 3 50", "nodone 5"] {
        let chat = try AIAnswer(client, message)
        let count = Int(message.split(separator: " ")[1]) ?? 0
        #expect(
          chat.chunks == AIService.words(count) && chat.full == AIService.words(count).joined() && chat.error == nil,
          "\(message)")
      }
      #expect(try AIAnswer(client, "whole").chunks == ["all at once"])
      let bytes = try AIAnswer(client, "bytes")
      #expect(bytes.chunks == ["a 😀 é", "b"] && bytes.full == "a 😀 éb")
      #expect(try service.isQuiet(gateway))
      #expect(try gateway.metrics().samples["ai_calls_total{outcome=\"answered\"}"] == 5)
    }
  }

  @Test("the service is asked with the operator's key, model and prompt, the history and the question")
  func request() throws {
    let service = try AIService()
    let more = [("ai.systemPrompt", "Be brief."), ("ai.baseURL", service.server.url("/proxy/v1/"))]
    try withGateway(reactors: 1, settings: service.settings(more)) { gateway throws in
      let client = try gateway.connectEvents()
      let history =
        #"[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"},{"message":"no","isUser":true}]"#
      try client.send(
        #"{"event":"ai:chat","data":{"message":"stream 1","conversationHistory":\#(history),"locale":"fa"}}"#)
      #expect(try AIAnswer(reading: client).full == "0 ")
    }
    let seen = try service.stats()
    #expect(seen["paths"] as? [String] == ["/proxy/v1/chat/completions"])
    let fields = try #require((seen["headers"] as? [[String: String]])?.first)
    #expect(fields["authorization"] == "Bearer sk-test" && fields["content-type"] == "application/json")
    let expected =
      #"{"model":"test-model","stream":true,"messages":["#
      + #"{"role":"system","content":"Be brief.\n\nAnswer in the language of the locale fa."},"#
      + #"{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"},{"role":"user","content":"stream 1"}]}"#
    #expect(seen["bodies"] as? [String] == [expected])
  }

  @Test(
    "a service that fails ends the answer with a short error, after the chunks so far", arguments: reactorCounts)
  func failures(reactors: Int) throws {
    let service = try AIService()
    try withGateway(reactors: reactors, settings: service.settings()) { gateway throws in
      let client = try gateway.connectEvents()
      for (message, count, text) in [
        ("status 429", 0, "The AI service is busy"), ("status 503", 0, "The AI service is busy"),
        ("status 500", 0, "AI service failed"), ("status 401", 0, "AI service failed"),
        ("status 302", 0, "AI service failed"), ("garbage", 0, "AI service failed"), ("html", 0, "AI service failed"),
        ("stream 0", 0, "AI service failed"), ("cut 0", 0, "AI service failed"), ("cut 4", 4, "AI service failed"),
        ("quiet 3", 3, "AI service failed"),
        ("error 2", 2, "AI service failed"), ("nojson 2", 2, "AI service failed"),
        ("notutf8 1", 1, "AI service failed"), ("long", 0, "AI service failed"),
      ] {
        let chat = try AIAnswer(client, message)
        #expect(chat.chunks == AIService.words(count) && chat.full == nil && chat.error == text, "\(message): \(chat)")
      }
      let flood = try AIAnswer(client, "flood")
      #expect(flood.error == "AI response is too long" && flood.chunks.count == 64)
      // The connection is as good as before, and so is the service.
      try expectOnlyPong(client)
      #expect(try AIAnswer(client, "stream 2").full == "0 1 ")
      #expect(try service.isQuiet(gateway))
    }
  }

  @Test("streams as services really write them are answers", arguments: reactorCounts)
  func habits(reactors: Int) throws {
    let service = try AIService()
    try withGateway(reactors: reactors, settings: service.settings()) { gateway throws in
      let client = try gateway.connectEvents()
      func piece(_ delta: String, _ finish: String = "null") -> String {
        #"data: {"choices":[{"delta":\#(delta),"finish_reason":\#(finish)}]}"# + "\n"
      }
      let hel = piece(#"{"content":"Hel"}"#, #""""#) + "\n"
      let lo = piece(#"{"content":"lo"}"#, #""stop""#)
      for (what, text, expected) in [
        ("heartbeats", hel + "data:\n\ndata: \n\nevent: ping\ndata: now\n\n" + lo + "\ndata: [DONE] \n\n", "Hello"),
        ("no empty line at the end", hel + lo, "Hello"),
        ("no line end at the end", hel + String(lo.dropLast()), "Hello"),
        ("a last event that is cut behind the end", hel + lo + "\ndata: {\"usage\":{\"tot", "Hello"),
        ("half pairs", piece(#"{"content":"a\ud83d"}"#) + "\n" + piece(#"{"content":"\ude00b"}"#, #""stop""#), "a😀b"),
        ("half a pair at the end", piece(#"{"content":"a\ud83d"}"#, #""stop""#), "a\u{FFFD}"),
        ("parts", piece(#"{"content":[{"type":"text","text":"Hi"},"!"]}"#, #""stop""#), "Hi!"),
        ("a refusal", piece(#"{"content":null,"refusal":"No."}"#, #""stop""#), "No."),
      ] {
        let chat = try AIAnswer(client, asking: "raw " + text)
        #expect(chat.full == expected && chat.chunks.joined() == expected && chat.error == nil, "\(what): \(chat)")
      }
      let whole = #"rawjson {"choices":[{"message":{"content":null,"refusal":"I can't."},"finish_reason":"stop"}]}"#
      #expect(try AIAnswer(client, asking: whole).full == "I can't.")
      #expect(try service.isQuiet(gateway))
    }
  }

  @Test("failures that services report in the middle, or not at all, are never taken for answers")
  func hiddenFailures() throws {
    let service = try AIService()
    try withGateway(reactors: 1, settings: service.settings()) { gateway throws in
      let client = try gateway.connectEvents()
      let hel = #"data: {"choices":[{"delta":{"content":"Hel"},"finish_reason":null}]}"# + "\n\n"
      let done = "data: [DONE]\n\n"
      for text in [
        "raw " + hel + #"data: {"error":{"message":"secret"}}"# + "\n\n" + done,
        "raw " + hel + #"error: {"message":"secret"}"# + "\n\n" + done,
        "raw " + hel + #"error: {"message":"secret"}"#,
        "raw " + hel + "event: error\ndata: {}\n\n" + done, "raw " + hel + "event: error\n\n" + done,
        "raw " + hel + #"data: {"object":"error","message":"secret"}"# + "\n\n" + done,
        "raw " + hel + #"data: {"choices":[{"delta":{},"finish_reason":"error"}]}"# + "\n\n" + done,
        "raw " + hel + #"data: {"choices":[{"delta":{},"finish_reason":"abort"}]}"# + "\n\n" + done,
        "raw " + hel + #"data: {"choices":[{"delta":{},"error":{"code":502}}]}"# + "\n\n" + done,
        "raw " + hel + #"data: {"choices":[{"delta":{},"finish_reason":""}]}"# + "\n\n",
        "raw " + done, "raw data: {}\n\n" + done, #"rawjson {"choices":[]}"#, #"rawjson {"detail":"secret"}"#,
        #"rawjson {"object":"error","message":"secret","choices":[{"message":{"content":"x"}}]}"#,
      ] {
        let chat = try AIAnswer(client, asking: text)
        #expect(chat.error == "AI service failed" && chat.full == nil, "\(text): \(chat)")
        #expect(chat.id != nil && chat.failedId == chat.id, "\(text): \(chat)")
      }
      #expect(try service.isQuiet(gateway))
    }
  }

  @Test("nobody there is a failure too")
  func unreachable() throws {
    let service = AIService(try BackendServer(.late))
    try withGateway(reactors: 1, settings: service.settings()) { gateway throws in
      let client = try gateway.connectEvents()
      #expect(try AIAnswer(client, "stream 1").error == "AI service failed")
      #expect(try gateway.metrics().samples["ai_calls_total{outcome=\"unreachable\"}"] == 1)
    }
  }

  @Test("a service that is silent before or within its answer, or takes too long, is given up")
  func timeouts() throws {
    let service = try AIService()
    try withGateway(
      reactors: 1, settings: service.settings([("ai.idleTimeoutMilliseconds", "700")])
    ) { gateway throws in
      let client = try gateway.connectEvents()
      #expect(try AIAnswer(client, "never").error == "AI service timed out")
      let chat = try AIAnswer(client, "hang 3")
      #expect(chat.chunks == AIService.words(3) && chat.error == "AI service timed out")
      #expect(try service.isQuiet(gateway))
      #expect(try service.number("gone") == 2)
    }
    try withGateway(reactors: 1, settings: service.settings([("ai.timeoutMilliseconds", "1500")])) { gateway throws in
      let chat = try AIAnswer(gateway.connectEvents(), "stream 1000 100")
      #expect(chat.chunks == AIService.words(chat.chunks.count) && chat.chunks.count < 100)
      #expect(chat.error == "AI service timed out")
      #expect(try service.isQuiet(gateway))
    }
  }

  @Test("no more answers are under way than allowed; the others wait for their turn")
  func concurrency() throws {
    let service = try AIService()
    try withGateway(reactors: 2, settings: service.settings([("ai.concurrencyMax", "2")])) { gateway throws in
      let clients = try (0..<9).map { _ throws in try gateway.connectEvents() }
      for client in clients { try client.send(#"{"event":"ai:chat","data":{"message":"stream 4 20"}}"#) }
      for client in clients { #expect(try AIAnswer(reading: client).full == "0 1 2 3 ") }
      #expect(try service.number("streamsMax") == 2)
      #expect(try service.isQuiet(gateway))
    }
  }

  @Test("a client that goes ends its request: the service sees its connection closed", arguments: reactorCounts)
  func cancellation(reactors: Int) throws {
    let service = try AIService()
    try withGateway(
      reactors: reactors, settings: service.settings([("ai.concurrencyMax", "2")])
    ) { gateway throws in
      // The third waits for a place and never gets one.
      let clients = try (0..<3).map { _ throws in try gateway.connectEvents() }
      for (client, message) in zip(clients, ["never", "hang 1", "stream 1"]) {
        let before = try service.number("requests")
        try client.send(#"{"event":"ai:chat","data":{"message":"\#(message)"}}"#)
        #expect(try ReceivedEvent(client).name == "ai:response:start")
        if message == "hang 1" { #expect(try ReceivedEvent(client).name == "ai:response:chunk") }
        if message != "stream 1" { #expect(try eventually { try service.number("requests") == before + 1 }) }
      }
      #expect(try eventually { try gateway.metrics().samples["ai_calls"] == 3 })
      // The one that waits goes first, before a place is free.
      for (count, client) in zip(1...3, clients.reversed()) {
        client.socket.close()
        #expect(
          try eventually { try gateway.metrics().samples["ai_calls_total{outcome=\"cancelled\"}"] == Double(count) })
      }
      #expect(try service.isQuiet(gateway))
      #expect(try eventually { try service.number("gone") == 2 })
    }
  }

  @Test("two hundred answers at once whose service breaks off: each ends, in order, and nothing is left behind")
  func crowd() throws {
    let service = try AIService()
    let more = [("ai.concurrencyMax", "150"), ("limits.callsMax", "4096")]
    try withGateway(reactors: 2, settings: service.settings(more)) { gateway throws in
      let clients = try (0..<200).map { _ throws in try gateway.connectEvents() }
      // Every fourth answer is short and ends well; the others would go on for ever. Fifty wait for a place at first.
      for (index, client) in clients.enumerated() {
        let message = index % 4 == 0 ? "stream 6 30" : "live"
        try client.send(#"{"event":"ai:chat","data":{"message":"\#(message)"}}"#)
      }
      #expect(try eventually { try service.number("streams") >= 100 })
      // Two clients go in the middle as well.
      for index in [1, 2] {
        #expect(try ReceivedEvent(clients[index]).name == "ai:response:start")
        clients[index].socket.close()
      }
      try service.tell("cut")
      for (index, client) in clients.enumerated() where index != 1 && index != 2 {
        let chat = try AIAnswer(reading: client)
        #expect(chat.chunks == AIService.words(chat.chunks.count), "client \(index)")
        if index % 4 == 0 {
          #expect(chat.full == "0 1 2 3 4 5 " && chat.error == nil, "client \(index)")
        } else {
          #expect(chat.error == "AI service failed" && chat.full == nil && chat.chunks.count >= 3, "client \(index)")
        }
      }
      #expect(try service.isQuiet(gateway))
      #expect(try service.number("streams") == 0)
      #expect(try service.number("streamsMax") <= 150)
      // Everything goes on.
      #expect(try AIAnswer(clients[0], "stream 2").full == "0 1 ")
    }
  }

  @Test("a Socket.IO client gets the same answer", arguments: reactorCounts)
  func socketIO(reactors: Int) throws {
    let service = try AIService()
    try withGateway(reactors: reactors, settings: service.settings()) { gateway throws in
      let client = try gateway.connect("/socket.io/?EIO=4&transport=websocket")
      #expect(try client.nextText().hasPrefix("0{"))
      try client.send(#"40{"token":"\#(try gateway.acquireSession())"}"#)
      #expect(try client.nextText().hasPrefix("40{"))
      #expect(try client.nextText().hasPrefix("42[\"connected\","))
      for (message, end) in [("stream 3", "complete"), ("cut 2", "error")] {
        try client.send(#"42["ai:chat",{"message":"\#(message)"}]"#)
        var texts: [String] = []
        repeat { texts.append(try client.nextText()) } while !texts.last!.hasPrefix("42[\"ai:response:\(end)\",")
        #expect(texts.first?.hasPrefix("42[\"ai:response:start\",") == true)
        let chunks = texts.dropFirst().dropLast()
        #expect(chunks.count == (end == "complete" ? 3 : 2))
        for (index, text) in chunks.enumerated() {
          #expect(text.hasPrefix("42[\"ai:response:chunk\",") && text.contains("\"chunk\":\"\(index) \""), "\(text)")
        }
        #expect(texts.last?.contains(end == "complete" ? #""fullResponse":"0 1 2 ""# : "AI service failed") == true)
        let start = try #require(JSON(String(texts[0].dropFirst(#"42["ai:response:start","#.utf8.count).dropLast())))
        let id = try #require(start["messageId"]?.text)
        #expect(texts.last?.contains(#""messageId":"\#(id)""#) == true)
      }
    }
  }
}
