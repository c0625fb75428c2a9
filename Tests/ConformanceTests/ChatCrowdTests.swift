// `ai:chat` from two hundred clients of every kind at once, whose service breaks off in the middle: what each of them gets,
// and what is left of it in the gateway (PROTOCOLS 3.6). The release binary.

import Foundation
import TestSupport
import Testing

/// A client that chats, natively or over Socket.IO, and sorts what it gets by the answers it belongs to.
private final class ChatClient {
  private enum Wire {
    case native(WebSocketClient)
    case socketIO(SocketIOTestClient)
  }
  private let wire: Wire
  let isPolling: Bool
  /// By message id.
  private(set) var answers: [String: AIAnswer] = [:]
  /// Errors do not say to which answer they belong (PROTOCOLS 3.6).
  private(set) var errors: [String] = []

  /// A client past its welcome; nil for a native one.
  init(_ gateway: ConformanceGateway, _ transport: SocketIOTransport?, token: String) throws {
    isPolling = transport != nil && transport != .webSocket
    if let transport {
      let client = try SocketIOTestClient(gateway, transport)
      try client.join(token)
      wire = .socketIO(client)
    } else {
      let client = try gateway.connect("/events?token=" + token)
      #expect(try ReceivedEvent(client).name == "connected")
      wire = .native(client)
    }
  }

  func ask(_ message: String) throws {
    switch wire {
    case .native(let client): try client.send(#"{"event":"ai:chat","data":{"message":"\#(message)"}}"#)
    case .socketIO(let client): try client.send(#"42["ai:chat",{"message":"\#(message)"}]"#)
    }
  }

  /// Takes the next event and returns its name.
  @discardableResult
  func take() throws -> String {
    let (name, data) = try next()
    if !name.hasPrefix("ai:response:") { return name }
    if name == "ai:response:error" {
      errors.append(data["error"]?.text ?? "")
      return name
    }
    guard let id = data["messageId"]?.text else {
      Issue.record("\(name) without an id")
      return name
    }
    if name == "ai:response:start" {
      #expect(answers[id] == nil, "a second start of \(id)")
      answers[id] = AIAnswer()
    } else if answers[id] == nil {
      Issue.record("\(name) of \(id), which has not begun")
    } else {
      answers[id]?.take(name, data)
    }
    return name
  }

  /// Takes events until so many answers are over; then nothing else may be on its way.
  func takeAll(_ count: Int) throws {
    while answers.values.count(where: { $0.full != nil }) + errors.count < count { try take() }
    switch wire {
    case .native(let client): try client.send(#"{"event":"ping"}"#)
    case .socketIO(let client): try client.send(#"42["ping"]"#)
    }
    let name = try take()
    #expect(name == "pong")
    #expect(answers.count == count)
  }

  /// Ends the session.
  func close() throws {
    if case .socketIO(let client) = wire { try client.send("1") }
  }

  private func next() throws -> (String, JSON) {
    switch wire {
    case .native(let client):
      let event = try ReceivedEvent(client)
      return (event.name, event.data)
    case .socketIO(let client):
      let text = try client.nextText()
      guard text.hasPrefix("42"), case .array(let parts)? = JSON(String(text.dropFirst(2))), parts.count == 2,
        let name = parts[0].text
      else { throw GatewayFailure(description: "no event but \(text)") }
      return (name, parts[1])
    }
  }
}

@Suite("Conformance: ai:chat from a crowd")
struct ChatCrowdTests {
  /// Clients at a time, half of them native; of the others half poll, and half of those on the wrong reactor.
  private static let clientCount = 200
  /// Answers under way at a time. Fewer than questions, so that some wait.
  private static let concurrency = 150
  /// Rounds after the warm-up; many with MARTLET_LONG=1, to tell slow growth from a leak.
  private static let rounds = ProcessInfo.processInfo.environment["MARTLET_LONG"] == "1" ? 40 : 6
  /// What memory may grow in beside a tenth. No block stays allocated from round to round, but those that do lie
  /// elsewhere after each, and a page of malloc's with one of them in it stays: some more pages in each of the heaps of
  /// eight threads, 64 KiB of 16 pages in each.
  private static let slackBytes = 8 * 65_536
  /// Milliseconds in which the gateway gives memory back: it looks once a second.
  private static let settlingMilliseconds: UInt32 = 2_500

  private static func transport(_ index: Int) -> SocketIOTransport? {
    switch index % 8 {
    case 1, 5: .webSocket
    case 3: .polling
    case 7: .pollingApart
    default: nil
    }
  }

  /// Every fourth answer is short and ends well; the others would go on for ever. Every tenth client asks for both.
  private static func questions(_ index: Int) -> [String] {
    if index % 10 == 9 { return ["live", "stream 6 30"] }
    return [index / 8 % 4 == 0 ? "stream 6 30" : "live"]
  }

  @Test(
    "each answer comes in order and ends once when the service breaks off, and memory is what it was before",
    // A sanitizer makes clients and gateway so slow that they give each other up.
    .enabled(if: ReleaseBinary.isJudged))
  func crowd() throws {
    ThisProcess.raiseFileLimit()
    let service = try AIService()
    let more = [("ai.concurrencyMax", "\(Self.concurrency)"), ("limits.callsMax", "4096")]
    try withGateway(settings: service.settings(more)) { gateway throws in
      // The same sessions in every round: they are kept for a month.
      let tokens = try (0..<Self.clientCount).map { _ throws in try gateway.acquireSession() }
      try round(gateway, service, tokens)
      let before = settledBytes(gateway)
      var sizes: [Int] = []
      for _ in 0..<Self.rounds {
        try round(gateway, service, tokens)
        sizes.append(settledBytes(gateway))
      }
      print("anonymous memory, KiB: \(before >> 10) after the warm-up, then \(sizes.map { $0 >> 10 })")
      guard ReleaseBinary.isJudged else { return }
      #expect(
        before > 0 && sizes.allSatisfy { $0 <= before + before / 10 + Self.slackBytes }, "\(before), then \(sizes)")
    }
  }

  private func settledBytes(_ gateway: ConformanceGateway) -> Int {
    ThisProcess.pause(milliseconds: Self.settlingMilliseconds)
    return gateway.anonymousBytes
  }

  private func round(_ gateway: ConformanceGateway, _ service: AIService, _ tokens: [String]) throws {
    try service.tell("mend")
    let clients = try tokens.enumerated().map { index, token throws in
      try ChatClient(gateway, Self.transport(index), token: token)
    }
    let requests = try service.number("requests")
    let half = clients.count / 2
    var asked = 0
    for (index, client) in clients.enumerated() {
      // The first half gets places; of the others some have to wait for one.
      if index == half { #expect(try eventually { try service.number("requests") == requests + asked }) }
      for question in Self.questions(index) {
        try client.ask(question)
        asked += 1
      }
    }
    // Those that poll do so while their answers come.
    for client in clients[..<half] where client.isPolling { for _ in 0..<4 { try client.take() } }
    try service.tell("cut")
    for (index, client) in clients.enumerated() {
      let questions = Self.questions(index)
      try client.takeAll(questions.count)
      let answers = client.answers.values
      for answer in answers {
        #expect(answer.chunks == AIService.words(answer.chunks.count), "client \(index)")
        if answer.full == nil { #expect(answer.chunks.count >= 3, "client \(index)") }
      }
      // One end for each: those that would go on for ever have failed, the others are complete.
      let failing = questions.count { $0 == "live" }
      #expect(client.errors == Array(repeating: "AI service failed", count: failing), "client \(index)")
      #expect(answers.count { $0.full == "0 1 2 3 4 5 " } == questions.count - failing, "client \(index)")
      try client.close()
    }
    #expect(try service.isQuiet(gateway) && service.number("streams") == 0)
    #expect(try service.number("streamsMax") <= Self.concurrency)
  }
}
