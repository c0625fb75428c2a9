// Reads a configuration from its sources, flags over environment over file over defaults. Start-up only.

/// What an operator wrote, before it is checked.
public struct ConfigurationSources: Sendable {
  /// Flags and `--set`, in order: the key of a setting, its text, and how the flag was written.
  public var flags: [(key: String, text: String, origin: String)] = []
  /// The process's environment.
  public var environment: [String: String] = [:]
  /// The name of the configuration file, for messages.
  public var fileName: String?
  /// What the file holds, JSON5.
  public var file: [UInt8]?

  /// Nothing written: all defaults.
  public init() {}
}

extension Configuration {
  /// Environment variables that begin like settings and are none: the seed of the random tests.
  private static let foreignVariables = ["MARTLET_SEED"]

  /// Reads, checks and puts together a configuration. Secrets are checked separately, by `checkSecrets`.
  ///
  /// - Throws: every mistake in all sources at once.
  public static func load(_ sources: ConfigurationSources) throws(ConfigurationError) -> Configuration {
    var reader = SourceReader()
    reader.readFile(sources)
    reader.readEnvironment(sources.environment, ignoring: foreignVariables)
    reader.readFlags(sources.flags)
    let configuration = reader.draft.finished(&reader.mistakes)
    if !reader.mistakes.isEmpty { throw ConfigurationError(mistakes: reader.mistakes) }
    return configuration
  }
}

/// The sources read so far.
private struct SourceReader {
  var draft = Draft()
  var mistakes: [ConfigurationMistake] = []

  mutating func readFile(_ sources: ConfigurationSources) {
    guard let bytes = sources.file else { return }
    let name = sources.fileName ?? "configuration"
    if bytes.count > Limits.configurationFileBytesMax {
      mistakes.append(ConfigurationMistake(name, "longer than \(Limits.configurationFileBytesMax) bytes"))
      return
    }
    do {
      let tree = try JSON5Parser.parse(bytes)
      guard case .object(let members) = tree else {
        mistakes.append(ConfigurationMistake(name, "expected an object, got \(tree.excerpt)"))
        return
      }
      readObject(members, below: "")
    } catch {
      let place = "line \(error.line), column \(error.column)"
      mistakes.append(ConfigurationMistake(name, "\(place): \(error.reason)"))
    }
  }

  /// Walks the members in the order of their names: a file's own order is not kept by the decoder.
  private mutating func readObject(_ members: [String: ConfigurationValue], below prefix: String) {
    for name in members.keys.sorted() {
      let key = prefix + name
      let value = members[name] ?? .null
      if let setting = Setting.named(key) {
        apply(setting, value, origin: nil)
      } else if Setting.all.contains(where: { $0.key.hasPrefix(key + ".") }) {
        if case .object(let inner) = value {
          readObject(inner, below: key + ".")
        } else {
          mistakes.append(ConfigurationMistake(key, "expected an object, got \(value.excerpt)"))
        }
      } else {
        mistakes.append(ConfigurationMistake(key, "unknown key" + suggestion(for: name, below: prefix)))
      }
    }
  }

  /// A key beside the unknown one, else one of that very name elsewhere.
  private func suggestion(for name: String, below prefix: String) -> String {
    let keys = Setting.all.map(\.key)
    let beside = keys.filter { $0.hasPrefix(prefix) }.map {
      String($0.dropFirst(prefix.count).split(separator: ".")[0])
    }
    let clause = Suggestion.clause(for: name, among: beside)
    if !clause.isEmpty { return clause }
    guard let elsewhere = keys.first(where: { $0.hasSuffix("." + name) || $0 == name }) else { return "" }
    return ", did you mean \"\(elsewhere)\"?"
  }

  mutating func readEnvironment(_ environment: [String: String], ignoring foreign: [String]) {
    for setting in Setting.all {
      // An empty variable is how a shell or a service file says "not set".
      for name in [setting.environment, setting.otherEnvironment] {
        guard let name, let text = environment[name], !text.isEmpty else { continue }
        read(setting, text, origin: name)
        break
      }
    }
    let names = Setting.all.map(\.environment)
    for name in environment.keys.sorted()
    where name.hasPrefix("MARTLET_") && !names.contains(name) && !foreign.contains(name) {
      // The prefix is the same for all, so the rest decides what is near; `MARTLET_PORT` is meant as `PORT`.
      let rests = names.map { $0.hasPrefix("MARTLET_") ? String($0.dropFirst(8)) : $0 }
      let near = Suggestion.nearest(to: String(name.dropFirst(8)), among: rests)
      let meant = near.flatMap { rests.firstIndex(of: $0) }.map { names[$0] }
      let clause = meant.map { ", did you mean \"\($0)\"?" } ?? ""
      mistakes.append(ConfigurationMistake(name, "unknown environment variable" + clause))
    }
  }

  mutating func readFlags(_ flags: [(key: String, text: String, origin: String)]) {
    for (key, text, origin) in flags {
      if let setting = Setting.named(key) {
        read(setting, text, origin: origin)
      } else {
        let clause = Suggestion.clause(for: key, among: Setting.all.map(\.key))
        mistakes.append(ConfigurationMistake(key, "unknown key" + clause + " (from \(origin))"))
      }
    }
  }

  private mutating func read(_ setting: Setting, _ text: String, origin: String) {
    do {
      apply(setting, try setting.value(ofText: text), origin: origin)
    } catch {
      mistakes.append(ConfigurationMistake(setting.key, "\(error.text) (from \(origin))"))
    }
  }

  private mutating func apply(_ setting: Setting, _ value: ConfigurationValue, origin: String?) {
    for refusal in setting.apply(value, to: &draft) {
      let source = origin.map { " (from \($0))" } ?? ""
      mistakes.append(ConfigurationMistake(setting.key + refusal.place, refusal.text + source))
    }
  }
}
