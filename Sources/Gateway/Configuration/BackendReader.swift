// Reads the endpoints of the application out of a configuration file: tables of URLs, and walkers. Start-up only.

/// Turns objects of URLs and walkers into values and collects every mistake in them.
struct BackendReader: ConfigurationReader {
  var refusals: [Setting.Refusal] = []

  private static let walkerKeys = ["url", "fields", "requiresAuthentication", "methods"]

  /// The URLs that could be read, by name. `kind` says what the names are.
  mutating func readURLs(_ value: ConfigurationValue, _ kind: String) -> [String: String] {
    guard case .object(let members) = value else {
      refuse("", "expected an object of \(kind) and URLs, got \(value.excerpt)")
      return [:]
    }
    if isTooMany(members.count) { return [:] }
    var table: [String: String] = [:]
    for name in members.keys.sorted() {
      if let problem = Check.name(name) { refuse(".\(name)", problem) }
      if let url = url(members[name], ".\(name)") { table[name] = url }
    }
    return table
  }

  /// The walkers that could be read, in the order of their names.
  mutating func readWalkers(_ value: ConfigurationValue) -> [WalkerConfiguration] {
    guard case .object(let members) = value else {
      refuse("", "expected an object of walkers by name, got \(value.excerpt)")
      return []
    }
    if isTooMany(members.count) { return [] }
    var walkers: [WalkerConfiguration] = []
    for name in members.keys.sorted() {
      let place = ".\(name)"
      if let problem = Check.walkerName(name) { refuse(place, problem) }
      guard let inner = object(members[name] ?? .null, place, keys: Self.walkerKeys) else { continue }
      let fields = fields(inner["fields"], place + ".fields")
      let methods = methods(inner["methods"], place + ".methods")
      let requiresAuthentication = flag(
        inner["requiresAuthentication"], place + ".requiresAuthentication", otherwise: true)
      guard let url = url(inner["url"], place + ".url") else { continue }
      walkers.append(
        WalkerConfiguration(
          name: name, url: url, fields: fields, requiresAuthentication: requiresAuthentication, methods: methods))
    }
    return walkers
  }

  private mutating func fields(_ value: ConfigurationValue?, _ place: String) -> [WalkerConfiguration.Field] {
    guard let value else { return [] }
    guard case .object(let members) = value, members.count <= Limits.walkerFieldsMax else {
      refuse(place, "expected an object of at most \(Limits.walkerFieldsMax) names and types, got \(value.excerpt)")
      return []
    }
    var fields: [WalkerConfiguration.Field] = []
    for name in members.keys.sorted() {
      if let problem = Check.name(name) { refuse("\(place).\(name)", problem) }
      var text = ""
      if case .text(let written)? = members[name] { text = written }
      let isRequired = !text.hasSuffix("?")
      guard let type = WalkerConfiguration.FieldType(rawValue: isRequired ? text : String(text.dropLast())) else {
        let names = WalkerConfiguration.FieldType.allCases.map(\.rawValue).joined(separator: ", ")
        refuse(
          "\(place).\(name)",
          "expected one of \(names), with a trailing ? if optional, got \(members[name]?.excerpt ?? "nothing")")
        continue
      }
      fields.append(WalkerConfiguration.Field(name: name, type: type, isRequired: isRequired))
    }
    return fields
  }

  private mutating func methods(_ value: ConfigurationValue?, _ place: String) -> Set<WalkerConfiguration.Method> {
    guard let value else { return [.websocket, .post] }
    var methods: Set<WalkerConfiguration.Method> = []
    if case .list(let items) = value {
      for item in items {
        guard case .text(let text) = item, let method = WalkerConfiguration.Method(rawValue: text) else { break }
        methods.insert(method)
      }
      if !items.isEmpty && methods.count == items.count { return methods }
    }
    refuse(place, "expected a list of \"websocket\" and \"post\", one or both")
    return methods
  }

  private mutating func url(_ value: ConfigurationValue?, _ place: String) -> String? {
    guard case .text(let text)? = value else {
      refuse(place, "expected a URL, got \(value?.excerpt ?? "nothing")")
      return nil
    }
    if let problem = Check.url(text) {
      refuse(place, problem)
      return nil
    }
    return text
  }

  private mutating func isTooMany(_ count: Int) -> Bool {
    if count <= Limits.handlersMax { return false }
    refuse("", "expected at most \(Limits.handlersMax), got \(count)")
    return true
  }
}
