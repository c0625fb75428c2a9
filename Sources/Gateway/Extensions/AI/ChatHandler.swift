// The handler of `ai:chat`: checks the question, streams the responder's answer. Each call is a task of its connection.
import Buffers
import Dialects
import EventLoop
import Synchronization
import Wire

/// Serves `ai:chat` with a responder (PROTOCOLS 3.6).
struct ChatHandler: Sendable {
  /// The event's name.
  static let event = "ai:chat"
  /// Bytes of one answer; a responder that goes on is cut off. A model's longest answer is a tenth of that, and each
  /// chat under way keeps its answer until the end.
  static let responseBytesMax = 262_144

  let responder: any ChatResponder

  /// The handler to register.
  var handler: Handler {
    { call in try await run(call) }
  }

  private func run(_ call: Call) async throws {
    guard let request = Self.request(call) else {
      call.reply(event: ChatFailure.event, ChatFailure.body("Message is required", messageId: nil))
      return
    }
    let answer = Answer(call)
    answer.start()
    do {
      try await responder.respond(to: request) { try await answer.add($0) }
    } catch {
      // Nobody is there to be told.
      if Task.isCancelled || error is CancellationError { return }
      if let error = error as? HandlerError, error == .disconnected { return }
      if responder is OpenAIResponder { call.noteLogged() }
      call.noteTold(error)
      answer.fail(Self.text(of: error))
      return
    }
    answer.complete()
  }

  /// The question that the call's data asks; nil without a message.
  private static func request(_ call: Call) -> ChatRequest? {
    let data = call.context
    guard let chat = EventsChat(data.span) else { return nil }
    return ChatRequest(
      message: text(of: chat.message, in: data), history: chat.history.map { Array(data[$0.range]) },
      locale: chat.locale.map { text(of: $0, in: data) }, user: call.user)
  }

  private static func text(of value: JSONValue, in data: [UInt8]) -> String {
    var out = ByteBuffer(capacity: value.range.count)
    JSONString.decode(data.span, value, into: &out)
    return out.bytes.string
  }

  /// What the client is told of a failure. A responder's own errors may hold addresses or keys and stay inside.
  private static func text(of error: any Error) -> String {
    switch error as? HandlerError {
    case .rejected(let text): text
    case .timedOut: "AI service timed out"
    default: "AI service failed"
    }
  }

  /// One answer on its way.
  private final class Answer: Sendable {
    private let call: Call
    private let id: [UInt8]
    /// All pieces so far.
    private let text = Lock([UInt8]())

    init(_ call: Call) {
      self.call = call
      var id = ByteBuffer(capacity: 32)
      EventsID.append(
        "ai", milliseconds: System.wallMilliseconds(), random: .random(in: .min ... .max), to: &id)
      self.id = id.bytes.array
    }

    func start() {
      let id = id
      var body = ByteBuffer(capacity: 64)
      EventsEncoder.appendChatStart(messageId: id.span, to: &body)
      call.reply(event: ChatFailure.startEvent, body.bytes.array)
    }

    func add(_ chunk: String) async throws {
      if chunk.isEmpty { return }
      let isWithin = text.withLock { text in
        if text.count + chunk.utf8.count > ChatHandler.responseBytesMax { return false }
        text.append(contentsOf: chunk.utf8)
        return true
      }
      guard isWithin else { throw HandlerError.rejected("AI response is too long") }
      try await call.drain()
      let id = id
      var body = ByteBuffer(capacity: 64 + chunk.utf8.count)
      EventsEncoder.appendChatChunk(messageId: id.span, chunk.utf8.span, to: &body)
      call.reply(event: "ai:response:chunk", body.bytes.array)
    }

    func complete() {
      let id = id
      let text = text.withLock { $0 }
      var body = ByteBuffer(capacity: 64 + text.count)
      EventsEncoder.appendChatComplete(messageId: id.span, text.span, to: &body)
      call.reply(event: "ai:response:complete", body.bytes.array)
    }

    /// The answer ends here; its start has given it a name.
    func fail(_ text: String) {
      call.reply(event: ChatFailure.event, ChatFailure.body(text, messageId: call.messageId))
    }
  }
}

extension Extensions {
  /// The same with `ai:chat` served by the responder, unless the application serves the event itself.
  var servingChat: Extensions {
    var served = self
    if served.events[ChatHandler.event] == nil {
      served.events[ChatHandler.event] = ChatHandler(responder: chatResponder ?? DeterministicResponder()).handler
    }
    return served
  }
}
