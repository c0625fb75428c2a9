// What an AI service answers: the pieces of a stream of OpenAI's chat completions, or a whole answer. Pure; a value.
import Backends
import Buffers
import Wire

/// Reads the JSON of an answer and remembers whether the model has finished.
struct OpenAIAnswer {
  /// The model said that it has finished, or the stream that it is over.
  private(set) var isFinished = false
  /// The stream said that nothing more comes.
  private(set) var isOver = false

  private static let keys = JSONKeySet("choices", "error")

  /// The text that an event of the stream adds; empty for none.
  mutating func text(of event: ServerSentEvent) throws(CourierError) -> String {
    if event.data.span.equals("[DONE]") {
      isFinished = true
      isOver = true
      return ""
    }
    return try text(event.data.span, part: "delta")
  }

  /// The text of a whole answer: of a service that does not stream.
  mutating func text(ofWhole json: [UInt8]) throws(CourierError) -> String {
    let text = try text(json.span, part: "message")
    isFinished = true
    isOver = true
    return text
  }

  private mutating func text(_ json: Span<UInt8>, part: StaticString) throws(CourierError) -> String {
    guard UTF8Validator.isValid(json), let members = try? JSONScanner.scan(json, keys: Self.keys),
      members.kind == .object
    else { throw .badResponse("not JSON") }
    if let error = members[1], error.kind != .null { throw .badResponse("the service reports an error") }
    // A last event may only count what was used.
    guard let choices = members[0], choices.kind == .array else { return "" }
    var children = JSONChildren(of: choices, in: json)
    guard let choice = children.next(json)?.value else { return "" }
    if let reason = JSONMember.value("finish_reason", of: choice, in: json), reason.kind == .string {
      isFinished = true
    }
    guard let message = JSONMember.value(part, of: choice, in: json),
      let content = JSONMember.value("content", of: message, in: json), content.kind == .string
    else { return "" }
    var text = ByteBuffer(capacity: content.range.count)
    JSONString.decode(json, content, into: &text)
    return text.bytes.string
  }
}
