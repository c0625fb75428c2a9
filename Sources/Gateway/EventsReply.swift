// What handlers of the application say to clients of the events dialect, as whole messages. Any thread.
import Buffers
import Dialects

/// Native messages of the events dialect that are put together off the reactors.
enum EventsReply {
  /// A whole native event with a name and a body of the application's.
  static func event(_ event: String, _ body: [UInt8]) -> [UInt8] {
    var text = ByteBuffer(capacity: body.count + event.utf8.count + 32)
    EventsEncoder.append(event.utf8.span, body: body.span, .native, to: &text)
    return text.bytes.array
  }

  /// Why a handler failed, in the words that a client is told; nil when there is nobody to tell.
  static func failureText(_ error: any Error) -> String? {
    switch error as? HandlerError {
    case .disconnected: nil
    case .rejected(let reason): reason
    case .timedOut: "Handler timed out"
    case nil: error is CancellationError ? nil : "Handler failed"
    }
  }

  /// What a client is told when the handler of `call` has thrown: an event's name and data. Nil when there is nobody to
  /// tell. Only what the handler meant for the client goes out.
  static func failure(_ error: any Error, of call: Call) -> (event: String, body: [UInt8])? {
    guard let reason = failureText(error) else { return nil }
    if call.name == ChatHandler.event {
      return (ChatFailure.event, ChatFailure.body(reason, messageId: call.messageId))
    }
    var body = ByteBuffer(capacity: 64)
    EventsEncoder.appendError(reason.utf8.span, to: &body)
    return ("error", body.bytes.array)
  }
}
