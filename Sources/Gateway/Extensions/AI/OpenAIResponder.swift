// The responder that asks an AI service over HTTP: any that speaks OpenAI's chat completions. Tasks off the reactors.
import Backends
import EventLoop

/// Asks the service of the configuration and hands its answer on as it comes (docs/AI.md).
///
/// It has a courier of its own, so that models that think for minutes take no place of the application's endpoints.
struct OpenAIResponder: ChatResponder {
  private let service: OpenAIService
  private let courier: Courier
  private let counters: BackendCounters
  private let log: SharedLog

  init(_ service: OpenAIService, counters: BackendCounters, log: SharedLog) {
    self.service = service
    self.counters = counters
    self.log = log
    courier = Courier(CourierOptions(service.configuration))
  }

  var name: String { "openai" }

  /// Ends every answer under way. Waits for the courier's thread.
  func stop() { courier.stop() }

  func respond(to request: ChatRequest, emit: @Sendable (String) async throws -> Void) async throws {
    counters.countAsking(1)
    defer { counters.countAsking(-1) }
    do {
      try await ask(request, emit)
      counters.countAI(.answered)
    } catch let error as CourierError {
      counters.countAI(BackendCounters.Outcome(error))
      throw failure(error)
    } catch {
      // The client has gone, or its answer became too long for it.
      counters.countAI(.cancelled)
      throw error
    }
  }

  private func ask(_ request: ChatRequest, _ emit: @Sendable (String) async throws -> Void) async throws {
    let response = try await courier.send(
      CourierRequest(url: service.url, headers: service.headers, body: service.body(for: request)))
    guard (200..<300).contains(response.status) else { throw CourierError.status(response.status) }
    switch (response.contentType ?? "").prefix(while: { $0 != ";" }).filter({ $0 != " " }).lowercased() {
    case "text/event-stream":
      try await stream(response.body, emit)
    case "application/json":
      var answer = OpenAIAnswer()
      let text = try answer.text(ofWhole: try await whole(response.body)) + answer.end()
      try await emit(text)
    default:
      throw CourierError.badResponse("neither an event stream nor JSON")
    }
  }

  /// Hands the pieces of a stream on. Nothing is read while the client takes nothing, so the answer stays with the
  /// service.
  private func stream(_ body: CourierBody, _ emit: @Sendable (String) async throws -> Void) async throws {
    var events = EventStream(eventBytesMax: Limits.aiEventBytesMax)
    var answer = OpenAIAnswer()
    reading: for try await piece in body {
      let complete: [ServerSentEvent]
      do { complete = try events.feed(piece) } catch { throw CourierError.tooLarge }
      for event in complete {
        let text = try answer.text(of: event)
        if !text.isEmpty { try await emit(text) }
        if answer.isOver { break reading }
      }
    }
    if !answer.isOver, let last = events.finish() {
      let text = try answer.text(ofLast: last)
      if !text.isEmpty { try await emit(text) }
    }
    let rest = try answer.end()
    if !rest.isEmpty { try await emit(rest) }
  }

  private func whole(_ body: CourierBody) async throws(CourierError) -> [UInt8] {
    var all: [UInt8] = []
    for try await piece in body {
      all += piece
      if all.count > Limits.aiEventBytesMax { throw .tooLarge }
    }
    return all
  }

  /// What a failure becomes for the client. The log says more, but never the key or what the service wrote.
  private func failure(_ error: CourierError) -> any Error {
    let outcome = BackendCounters.Outcome(error)
    if outcome == .cancelled { return CancellationError() }
    log.write("ai-call-failed", outcome.label, [("model", .text(service.model)), ("error", .text("\(error)"))])
    return Self.told(error)
  }

  /// The error whose text the client sees.
  static func told(_ error: CourierError) -> any Error {
    switch error {
    case .timedOut: return HandlerError.timedOut
    case .queueFull, .status(429), .status(503): return HandlerError.rejected("The AI service is busy")
    default: return error
    }
  }
}

extension CourierOptions {
  /// What an operator decided about an AI service.
  fileprivate init(_ ai: AIConfiguration) {
    self.init()
    timeoutMilliseconds = ai.timeoutMilliseconds
    idleTimeoutMilliseconds = ai.idleTimeoutMilliseconds
    connectTimeoutMilliseconds = Limits.aiConnectMilliseconds
    responseBytesMax = Limits.aiStreamBytesMax
    concurrencyMax = ai.concurrencyMax
    queueMax = Limits.aiQueueMax
    retriesMax = Limits.aiRetriesMax
  }
}
