// Puts one value into a draft, or says why it does not fit. Start-up only.

extension Setting {
  /// Why a value was refused: where inside it (`[0].port`), and what was expected.
  struct Refusal: Error {
    var place = ""
    let text: String
  }

  /// Sets the field to `value`, or leaves it and returns every reason why not.
  func apply(_ value: ConfigurationValue, to draft: inout Draft) -> [Refusal] {
    switch form {
    case .listeners:
      var reader = ListenerReader()
      draft.listeners = reader.read(value)
      return reader.refusals
    case .urls(let kind, let field):
      var reader = BackendReader()
      draft[keyPath: field] = reader.readURLs(value, kind)
      return reader.refusals
    case .walkers(let field):
      var reader = BackendReader()
      draft[keyPath: field] = reader.readWalkers(value)
      return reader.refusals
    default: break
    }
    do {
      try set(value, in: &draft)
      return []
    } catch {
      return [error]
    }
  }

  private func set(_ value: ConfigurationValue, in draft: inout Draft) throws(Refusal) {
    switch form {
    case .limit(let range, let field):
      draft.configuration.limits[keyPath: field] = try integer(value, range)
    case .integer(let range, let field):
      draft[keyPath: field] = try integer(value, range)
    case .optionalInteger(let range, let field):
      draft[keyPath: field] = value == .null ? nil : try integer(value, range)
    case .boolean(let field):
      guard case .boolean(let flag) = value else { throw expected("true or false", value) }
      draft[keyPath: field] = flag
    case .optionalBoolean(let field):
      switch value {
      case .boolean(let flag): draft[keyPath: field] = flag
      case .null: draft[keyPath: field] = nil
      default: throw expected("true or false", value)
      }
    case .choice(let names, let set):
      guard case .text(let name) = value, names.contains(name) else {
        throw expected(names.map { "\"\($0)\"" }.joined(separator: " or "), value)
      }
      set(&draft, name)
    case .text(let check, let field):
      guard case .text(let text) = value else { throw expected("a text", value) }
      if let problem = check(text) { throw Refusal(text: "\(problem), got \(value.excerpt)") }
      draft[keyPath: field] = text
    case .url(let field):
      switch value {
      case .null: draft[keyPath: field] = nil
      case .text(let text) where Check.url(text) == nil: draft[keyPath: field] = text
      case .text(let text): throw Refusal(text: Check.url(text) ?? "")
      default: throw expected("a URL", value)
      }
    case .greeting(let field):
      guard case .text(let text) = value, text.utf8.count <= Limits.logValueBytesMax else {
        throw expected("a text of at most \(Limits.logValueBytesMax) bytes", value)
      }
      draft[keyPath: field] = text
    case .texts(let kind, let check, let field):
      draft[keyPath: field] = try texts(value, kind, check)
    case .tokens(let field):
      draft[keyPath: field] = try tokens(value)
    case .fileMode(let field):
      guard case .text(let text) = value, let mode = Check.fileMode(text) else {
        throw expected("an octal mode in a string, such as \"0660\"", value)
      }
      draft[keyPath: field] = mode
    case .secret(let field):
      guard case .text(let text) = value else { throw Refusal(text: "expected a text") }
      draft[keyPath: field] = text.isEmpty ? nil : Secret(text)
    case .listeners, .urls, .walkers:
      break
    }
  }

  /// Reads what a flag or an environment variable says into a value of the setting's type.
  func value(ofText text: String) throws(Refusal) -> ConfigurationValue {
    switch form {
    case .integer, .optionalInteger, .limit:
      return Int(text).map { .integer($0) } ?? .text(text)
    case .boolean, .optionalBoolean:
      return text == "true" ? .boolean(true) : text == "false" ? .boolean(false) : .text(text)
    case .texts:
      let entries = text.split(separator: ",").map { $0.trimmed }
      return .list(entries.filter { !$0.isEmpty }.map { .text($0) })
    case .tokens, .listeners, .urls, .walkers:
      do {
        return try JSON5Parser.parse(Array(text.utf8))
      } catch {
        // The parser's sentence may quote what it read, and that may be a token.
        throw Refusal(text: form.isSecret ? "expected JSON5" : "column \(error.column): \(error.reason)")
      }
    case .choice, .text, .url, .greeting, .fileMode, .secret:
      return .text(text)
    }
  }

  private func integer(_ value: ConfigurationValue, _ range: ClosedRange<Int>) throws(Refusal) -> Int {
    guard case .integer(let number) = value, range.contains(number) else {
      throw expected("\(range.lowerBound)...\(range.upperBound)", value)
    }
    return number
  }

  private func expected(_ what: String, _ value: ConfigurationValue) -> Refusal {
    Refusal(text: form.isSecret ? "expected \(what)" : "expected \(what), got \(value.excerpt)")
  }

  private func texts(
    _ value: ConfigurationValue, _ kind: String, _ check: ([String]) -> String?
  ) throws(Refusal) -> [String] {
    guard case .list(let items) = value else { throw expected("a list of \(kind)", value) }
    var entries: [String] = []
    for (index, item) in items.enumerated() {
      guard case .text(let text) = item else {
        throw Refusal(place: "[\(index)]", text: "expected a text, got \(item.excerpt)")
      }
      if let problem = check([text]) { throw Refusal(place: "[\(index)]", text: problem) }
      entries.append(text)
    }
    if let problem = check(entries) { throw Refusal(text: problem) }
    return entries
  }

  private func tokens(_ value: ConfigurationValue) throws(Refusal) -> [String: String] {
    guard case .object(let members) = value else { throw expected("an object of tokens and users", value) }
    var table: [String: String] = [:]
    for (token, user) in members {
      guard case .text(let user) = user else { throw Refusal(text: "expected the user of each token as a text") }
      table[token] = user
    }
    if let problem = Check.tokens(table) { throw Refusal(text: problem) }
    return table
  }
}

extension Substring {
  /// Without spaces and tabs at either end.
  var trimmed: String {
    var part = self
    while let first = part.first, first == " " || first == "\t" { part.removeFirst() }
    while let last = part.last, last == " " || last == "\t" { part.removeLast() }
    return String(part)
  }
}
