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
  /// There was some text.
  private var hasText = false
  /// What the text of a piece ends with and the next may complete.
  private var halves = SurrogateHalves()

  private static let keys = JSONKeySet("choices", "error", "object")
  /// Events that only show that the connection lives, whatever their data.
  private static let signsOfLife: Set<String> = ["ping", "heartbeat", "keepalive", "keep-alive"]
  /// Values of `finish_reason` with which services say that they broke off: OpenRouter, vLLM, DeepSeek.
  private static let failures: Set<String> = ["error", "abort", "insufficient_system_resource"]

  /// The text that an event of the stream adds; empty for none.
  mutating func text(of event: ServerSentEvent) throws(CourierError) -> String {
    if event.isError { throw Self.reported }
    if Self.signsOfLife.contains(String(decoding: event.name, as: UTF8.self)) { return "" }
    let data = Self.trimmed(event.data)
    if data.isEmpty { return "" }
    if data.span.equals("[DONE]") {
      isFinished = true
      isOver = true
      return ""
    }
    return try text(data, part: "delta")
  }

  /// The text of the event that the stream's end left without its empty line. A cut one behind the model's end is none:
  /// only counts come there.
  mutating func text(ofLast event: ServerSentEvent) throws(CourierError) -> String {
    if isFinished && !event.isError && !Self.isJSON(Self.trimmed(event.data)) { return "" }
    return try text(of: event)
  }

  /// The text of a whole answer: of a service that does not stream.
  mutating func text(ofWhole json: [UInt8]) throws(CourierError) -> String {
    let text = try text(json, part: "message")
    isFinished = true
    isOver = true
    return text
  }

  /// The answer has ended: the text that is still missing, mostly none. Throws when it ends in the middle, or said
  /// nothing at all: that is a failure that nobody has reported.
  mutating func end() throws(CourierError) -> String {
    // Some services end without saying so.
    if !isFinished { throw .interrupted("the stream ends in the middle") }
    var rest = ByteBuffer(capacity: 4)
    halves.end(into: &rest)
    if !hasText && rest.isEmpty { throw .badResponse("an answer without text") }
    return rest.bytes.string
  }

  // MARK: Reading

  private static let reported = CourierError.badResponse("the service reports an error")

  private static func trimmed(_ data: [UInt8]) -> [UInt8] {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }
    guard let first = data.firstIndex(where: { !isBlank($0) }), let last = data.lastIndex(where: { !isBlank($0) })
    else { return [] }
    return first == 0 && last == data.count - 1 ? data : Array(data[first...last])
  }

  private static func isJSON(_ data: [UInt8]) -> Bool {
    UTF8Validator.isValid(data.span) && (try? JSONScanner.validate(data.span)) != nil
  }

  private mutating func text(_ json: [UInt8], part: StaticString) throws(CourierError) -> String {
    guard UTF8Validator.isValid(json.span) else { throw .badResponse("not JSON") }
    // Same length, so what stands where in the one stands there in the other.
    let mended = halves.mend(json) ?? json
    let bytes = mended.span
    guard let members = try? JSONScanner.scan(bytes, keys: Self.keys), members.kind == .object else {
      throw .badResponse("not JSON")
    }
    if Self.isFailure(members[1], bytes) || Self.string(members[2], bytes) == "error" { throw Self.reported }
    // A last event may only count what was used.
    guard let choices = members[0], choices.kind == .array else { return "" }
    var children = JSONChildren(of: choices, in: bytes)
    guard let choice = children.next(bytes)?.value else { return "" }
    if Self.isFailure(JSONMember.value("error", of: choice, in: bytes), bytes) { throw Self.reported }
    let reason = Self.string(JSONMember.value("finish_reason", of: choice, in: bytes), bytes)
    if Self.failures.contains(reason.lowercased()) { throw .interrupted("the service breaks off: \(reason)") }
    if !reason.isEmpty { isFinished = true }
    guard let message = JSONMember.value(part, of: choice, in: bytes) else { return "" }
    var text = ByteBuffer(capacity: 64)
    for member in ["content", "refusal"] as [StaticString] {
      if let value = JSONMember.value(member, of: message, in: bytes) { append(value, bytes, to: &text) }
    }
    if !text.isEmpty { hasText = true }
    return text.bytes.string
  }

  /// Appends what is said in a `content` or a `refusal`: a string, or a list of strings and of parts that have one.
  private mutating func append(_ value: JSONValue, _ bytes: Span<UInt8>, to text: inout ByteBuffer) {
    switch value.kind {
    case .string: halves.append(value, bytes, to: &text)
    case .object: appendPart(value, bytes, to: &text)
    case .array:
      var children = JSONChildren(of: value, in: bytes)
      while let child = children.next(bytes)?.value {
        if child.kind == .string { halves.append(child, bytes, to: &text) } else { appendPart(child, bytes, to: &text) }
      }
    default: break
    }
  }

  /// Appends the text of a part; one of another type, such as what a model thinks, has none.
  private mutating func appendPart(_ part: JSONValue, _ bytes: Span<UInt8>, to text: inout ByteBuffer) {
    let said =
      switch Self.string(JSONMember.value("type", of: part, in: bytes), bytes) {
      case "text", "output_text", "": JSONMember.value("text", of: part, in: bytes)
      case "refusal": JSONMember.value("refusal", of: part, in: bytes)
      default: nil as JSONValue?
      }
    if let said, said.kind == .string { halves.append(said, bytes, to: &text) }
  }

  /// The text of a string; empty for anything else.
  private static func string(_ value: JSONValue?, _ bytes: Span<UInt8>) -> String {
    guard let value, value.kind == .string else { return "" }
    var text = ByteBuffer(capacity: value.end - value.start)
    JSONString.decode(bytes, value, into: &text)
    return text.bytes.string
  }

  /// Whether a member `error` says that there is one: some services always write the member.
  private static func isFailure(_ error: JSONValue?, _ bytes: Span<UInt8>) -> Bool {
    guard let error else { return false }
    switch error.kind {
    case .null, .false: return false
    case .string: return !string(error, bytes).isEmpty
    default: return true
    }
  }
}
