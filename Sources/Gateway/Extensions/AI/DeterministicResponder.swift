// The responder that is there before a real one is configured: no model, the same sentence every time. A value, any
// thread.

/// Answers every question with one fixed sentence that says what it is, in words, so that a client can be tried without
/// an AI service (PROTOCOLS 3.6).
public struct DeterministicResponder: ChatResponder {
  /// What it says.
  public static let sentence =
    "This is Martlet's built-in responder. It asks no AI service and answers every message with this sentence, word by "
    + "word."

  /// Milliseconds between two words.
  public let pauseMilliseconds: Int
  /// What it says, if not `sentence`.
  private let text: String

  /// A responder that pauses for `pauseMilliseconds` between two words of `text`.
  public init(_ text: String = DeterministicResponder.sentence, pauseMilliseconds: Int = 50) {
    self.text = text
    self.pauseMilliseconds = pauseMilliseconds
  }

  public var name: String { "built-in" }

  /// The words of a text, each but the last with the space behind it.
  static func words(of text: String) -> [String] {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    return words.enumerated().map { $0.offset < words.count - 1 ? $0.element + " " : String($0.element) }
  }

  /// Says the text.
  public func respond(to request: ChatRequest, emit: @Sendable (String) async throws -> Void) async throws {
    for (index, word) in Self.words(of: text).enumerated() {
      if index > 0 { try await Task.sleep(for: .milliseconds(pauseMilliseconds)) }
      try await emit(word)
    }
  }
}
