// Who answers `ai:chat`: the interface to a model, whatever it is. Values, any thread.

/// One question to a responder.
public struct ChatRequest: Sendable {
  /// What the user says; not empty.
  public let message: String
  /// What was said before, as the client sent it: a raw JSON array, or nil. Nothing in it has been checked.
  public let history: [UInt8]?
  /// The language that the answer should be in, as the client names it; nil when it does not.
  public let locale: String?
  /// The identity of who asks; nil when anonymous.
  public let user: String?

  /// A question.
  public init(message: String, history: [UInt8]? = nil, locale: String? = nil, user: String? = nil) {
    self.message = message
    self.history = history
    self.locale = locale
    self.user = user
  }
}

/// Answers questions in pieces (PROTOCOLS 3.6).
public protocol ChatResponder: Sendable {
  /// What the operator calls it, for logs.
  var name: String { get }

  /// Answers `request`: hands each piece of the answer to `emit` in order, and returns after the last. `emit` waits
  /// while the client reads slowly, and throws when the client has gone; the task is cancelled then too. What is thrown
  /// here ends the answer with `ai:response:error`; a `HandlerError.rejected` says with which text.
  func respond(to request: ChatRequest, emit: @Sendable (String) async throws -> Void) async throws
}
