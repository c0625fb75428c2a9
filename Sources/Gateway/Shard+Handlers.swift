// The handlers dialect on a live connection: starts the application's handlers, gives the built-in answers. The
// reactor's thread.
import Buffers
import Dialects
import EventLoop
import Wire

extension Shard where Kernel: ~Copyable {
  /// Checks the token of a client (PROTOCOLS 1.2) and interns the user's name.
  mutating func authenticateHandlers(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>, isAlone: Bool
  ) -> UpgradeVerdict {
    let verdict = HandlersAuthenticator.identify(
      head, bytes, shared, isAlone: isAlone, nowSeconds: clock.milliseconds / 1000, &claims, token: &nameScratch,
      identity: &scratch)
    if case .accept = verdict { connections[slot].user = users.intern(scratch) }
    return verdict
  }

  /// Carries out one message. Text has been validated as it arrived; a binary message has not.
  @inline(never)
  mutating func receiveHandlers(_ slot: UInt32, _ opcode: Opcode, _ message: Span<UInt8>) {
    if opcode == .binary && !UTF8Validator.isValid(message) {
      answerHandlers(slot, .invalidJSON)
      return
    }
    switch HandlersSession.receive(message) {
    case .request(let type):
      if shared.hasRequestHandlers && callHandler(slot, message, type) { return }
      answerHandlers(slot, HandlersSession.builtInReply(message, type: type))
    case .reply(let reply):
      answerHandlers(slot, reply)
    }
  }

  /// Starts the handler that the application registered for a request's type; false when there is none.
  private mutating func callHandler(_ slot: UInt32, _ message: Span<UInt8>, _ type: JSONValue) -> Bool {
    if type.end - type.start > Limits.handlerNameBytesMax * 6 + 2 { return false }
    nameScratch.removeAll()
    JSONString.decode(message, type, into: &nameScratch)
    let name = nameScratch.bytes.string
    guard let handler = shared.extensions.requests[name] else { return false }
    let id = connectionID(slot)
    let outlet = shared.outlet(home: number)
    let call = Call(
      dialect: .handlers, name: name, connection: id, user: userText(slot), context: message.array, outlet: outlet
    ) { _, json in outlet.send(json, to: id) }
    let runs = shared.handlerRuns
    let isStarted = startCall(slot, ordered: true, bytes: message.count) {
      do {
        try await runs.run(handler, call)
      } catch {
        outlet.send(HandlersText.text(of: error), to: id)
      }
    }
    if !isStarted { sendHandlersReply(slot, .tooManyRequests) }
    return true
  }

  /// Gives an answer of the gateway's own. While handlers are at work it waits for its turn behind them.
  private mutating func answerHandlers(_ slot: UInt32, _ reply: HandlersReply) {
    guard hasOrderedCalls(slot) else {
      sendHandlersReply(slot, reply)
      return
    }
    if let refusal = Refusal(reply) { countRefusal(slot, refusal) }
    let id = connectionID(slot)
    let outlet = shared.outlet(home: number)
    let text = HandlersText.text(of: reply)
    let isStarted = startCall(slot, ordered: true, bytes: text.count) { outlet.send(text, to: id) }
    if !isStarted { sendHandlersReply(slot, .tooManyRequests) }
  }

  private mutating func sendHandlersReply(_ slot: UInt32, _ reply: HandlersReply) {
    if let refusal = Refusal(reply) { countRefusal(slot, refusal) }
    scratch.removeAll()
    HandlersEncoder.append(reply, to: &scratch)
    replyWithScratch(slot)
  }
}

/// The texts that go out from a handler's task.
enum HandlersText {
  /// What a client is told of a handler that ended with an error: no more than that, unless the handler says so.
  static func text(of error: any Error) -> [UInt8] {
    switch error as? HandlerError {
    case .timedOut: return text(of: HandlersReply.handlerTimedOut)
    case .rejected(let reason):
      var out = ByteBuffer(capacity: 128)
      HandlersEncoder.appendError(reason.utf8.span, to: &out)
      return out.bytes.array
    case .disconnected, nil: return text(of: HandlersReply.handlerFailed)
    }
  }

  /// An answer of the gateway's own.
  static func text(of reply: HandlersReply) -> [UInt8] {
    var out = ByteBuffer(capacity: 64)
    HandlersEncoder.append(reply, to: &out)
    return out.bytes.array
  }
}
