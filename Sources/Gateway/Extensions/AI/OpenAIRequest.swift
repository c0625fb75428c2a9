// What an AI service is asked: OpenAI's chat completions, from a question of a client's. Pure; any thread.
import Buffers
import Wire

/// An AI service as the configuration names it.
struct OpenAIService: Sendable {
  /// Where questions are posted.
  let url: String
  let model: String
  let configuration: AIConfiguration

  /// Nil where no service is configured.
  init?(_ configuration: AIConfiguration) {
    guard let base = configuration.baseURL, let model = configuration.model else { return nil }
    var path = Substring(base)
    while path.hasSuffix("/") { path = path.dropLast() }
    // Many programs want `/v1` in this setting, so people write it.
    url = path + (path.hasSuffix("/v1") ? "/chat/completions" : "/v1/chat/completions")
    self.model = model
    self.configuration = configuration
  }

  /// The fields of a request. One connection carries one answer: nothing is lost on a kept one that the service closes,
  /// and a stream that was broken off leaves nothing behind.
  var headers: [(String, String)] {
    var fields = [
      ("Content-Type", "application/json"), ("Accept", "text/event-stream, application/json"), ("Connection", "close"),
    ]
    if let key = configuration.key { fields.append(("Authorization", "Bearer " + key.text)) }
    return fields
  }

  /// The JSON that is posted: the operator's system prompt, the language, the newest of what was said before, the
  /// question.
  func body(for request: ChatRequest) -> [UInt8] {
    let history = request.history ?? []
    var out = ByteBuffer(capacity: 512 + request.message.utf8.count + configuration.historyBytesMax)
    out.append("{\"model\":")
    JSONString.appendQuoted(model, to: &out)
    out.append(",\"stream\":true,\"messages\":[")
    if let system = systemMessage(request.locale) {
      Self.append("system", system.utf8.span, to: &out)
      out.append(",")
    }
    for message in said(history.span) {
      var text = ByteBuffer(capacity: message.content.range.count)
      JSONString.decode(history.span, message.content, into: &text)
      Self.append(message.role, text.bytes, to: &out)
      out.append(",")
    }
    Self.append("user", request.message.utf8.span, to: &out)
    out.append("]}")
    return out.bytes.array
  }

  private static func append(_ role: StaticString, _ content: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"role\":\"")
    out.append(role)
    out.append("\",\"content\":")
    JSONString.appendQuoted(content, to: &out)
    out.append("}")
  }

  private func systemMessage(_ locale: String?) -> String? {
    let parts = [configuration.systemPrompt, locale.flatMap(Self.hint)].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: "\n\n")
  }

  /// What the model is told of a client's locale; nil for what is none: a sentence would become an order to the model.
  private static func hint(_ locale: String) -> String? {
    let isTag =
      (2...Limits.localeBytesMax).contains(locale.utf8.count)
      && locale.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
        default: false
        }
      }
    return isTag ? "Answer in the language of the locale \(locale)." : nil
  }

  // MARK: History

  private struct Said {
    let role: StaticString
    let content: JSONValue
  }

  /// The newest messages of a history that fit, oldest first. What is not `{"role":R,"content":TEXT}` is left out.
  private func said(_ history: Span<UInt8>) -> [Said] {
    guard UTF8Validator.isValid(history), let list = try? JSONScanner.validate(history), list.kind == .array else {
      return []
    }
    var all: [Said] = []
    var children = JSONChildren(of: list, in: history)
    while let child = children.next(history) {
      if let message = message(child.value, history) { all.append(message) }
    }
    var bytes = 0
    var first = all.count
    while first > 0 && all.count - first < configuration.historyMessagesMax {
      // Escapes make the text shorter than this, never longer.
      bytes += all[first - 1].content.range.count - 2
      if bytes > configuration.historyBytesMax { break }
      first -= 1
    }
    return Array(all[first...])
  }

  private func message(_ value: JSONValue, _ bytes: Span<UInt8>) -> Said? {
    guard let role = JSONMember.value("role", of: value, in: bytes),
      let content = JSONMember.value("content", of: value, in: bytes), content.kind == .string
    else { return nil }
    for name in ["user", "assistant", "system"] as [StaticString] where role.equals(name, bytes) {
      // With a prompt of the operator's, clients do not get to add to it.
      if configuration.systemPrompt != nil && role.equals("system", bytes) { return nil }
      return Said(role: name, content: content)
    }
    return nil
  }
}

extension JSONValue {
  /// Whether it is a string that spells `text`.
  fileprivate func equals(_ text: StaticString, _ bytes: Span<UInt8>) -> Bool {
    var wanted = ByteBuffer(capacity: text.utf8CodeUnitCount)
    wanted.append(text)
    return JSONString.equals(bytes, self, wanted.bytes)
  }
}
