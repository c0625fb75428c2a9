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
    var together: [ConfigurationMistake] = []
    var configuration = reader.draft.finished(&together)
    configuration.ignoredEnvironment = reader.ignored
    reader.mistakes += together.map { reader.placed($0) }
    if !reader.mistakes.isEmpty { throw ConfigurationError(mistakes: reader.mistakes) }
    return configuration
  }
}

/// The sources read so far.
private struct SourceReader {
  var draft = Draft()
  var mistakes: [ConfigurationMistake] = []
  /// Variables that are not for this program.
  var ignored: [String] = []
  private var fileName = "configuration"
  private var places = JSON5Parser.Places()
  /// Settings that the environment or a flag has given another value than the file.
  private var overridden: Set<String> = []

  mutating func readFile(_ sources: ConfigurationSources) {
    guard let bytes = sources.file else { return }
    let name = sources.fileName ?? fileName
    fileName = name
    if bytes.count > Limits.configurationFileBytesMax {
      mistakes.append(ConfigurationMistake(name, "longer than \(Limits.configurationFileBytesMax) bytes"))
      return
    }
    do {
      let tree = try JSON5Parser.parse(bytes, &places)
      guard case .object(let members) = tree else {
        mistakes.append(ConfigurationMistake(name, "expected an object, got \(tree.excerpt)"))
        return
      }
      readObject(members, below: "")
    } catch {
      mistakes.append(ConfigurationMistake(name, error.description))
    }
  }

  /// The mistake with its place, where the file has its key and nothing came after the file.
  func placed(_ mistake: ConfigurationMistake) -> ConfigurationMistake {
    let isOverridden = overridden.contains { key in
      mistake.key == key || mistake.key.hasPrefix(key + ".") || mistake.key.hasPrefix(key + "[")
    }
    var placed = mistake
    if !isOverridden, let place = places.place(of: mistake.key) { placed.place = "\(fileName): \(place)" }
    return placed
  }

  private mutating func refuse(_ key: String, _ text: String) {
    mistakes.append(placed(ConfigurationMistake(key, text)))
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
          refuse(key, "expected an object, got \(value.excerpt)")
        }
      } else {
        refuse(key, "unknown key" + suggestion(for: name, below: prefix))
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
        guard let name, let text = environment[name], !text.isEmpty, !isOfKubernetes(name, text) else { continue }
        read(setting, text, origin: name)
        break
      }
    }
    let names = Setting.all.map(\.environment)
    let others = Setting.all.compactMap(\.otherEnvironment) + foreign
    for name in environment.keys.sorted()
    where name.hasPrefix("MARTLET_") {
      if isOfKubernetes(name, environment[name] ?? "") {
        ignored.append(name)
        continue
      }
      if names.contains(name) || others.contains(name) { continue }
      // The prefix is the same for all, so the rest decides what is near; `MARTLET_PORT` is meant as `PORT`.
      let rests = names.map { $0.hasPrefix("MARTLET_") ? String($0.dropFirst(8)) : $0 }
      let near = Suggestion.nearest(to: String(name.dropFirst(8)), among: rests)
      let meant = near.flatMap { rests.firstIndex(of: $0) }.map { names[$0] }
      let clause = meant.map { ", did you mean \"\($0)\"?" } ?? ""
      mistakes.append(ConfigurationMistake(name, "unknown environment variable" + clause))
    }
  }

  /// Whether a variable is one of those that Kubernetes gives every container for a service called `martlet` or
  /// `martlet-…`: `…_SERVICE_HOST`, `…_SERVICE_PORT`, `…_PORT=tcp://10.0.0.1:8080`, `…_PORT_8080_TCP_ADDR`. A number in
  /// `…_PORT` is a setting.
  private func isOfKubernetes(_ name: String, _ value: String) -> Bool {
    guard name.hasPrefix("MARTLET_") else { return false }
    if Setting.all.contains(where: { $0.environment == name }) && !name.hasSuffix("_PORT") { return false }
    let isAddress = ["tcp://", "udp://", "sctp://"].contains { value.hasPrefix($0) }
    if name.hasSuffix("_PORT") && isAddress { return true }
    if name.hasSuffix("_SERVICE_HOST") || name.hasSuffix("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
      return true
    }
    let words = name.split(separator: "_")
    guard let port = words.firstIndex(of: "PORT"), port + 2 < words.count, Int(words[port + 1]) != nil else {
      return false
    }
    let rest = words[(port + 2)...].map(String.init)
    return ["TCP", "UDP", "SCTP"].contains(rest[0])
      && (rest.count == 1 || (rest.count == 2 && ["PROTO", "PORT", "ADDR"].contains(rest[1])))
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
    if origin != nil { overridden.insert(setting.key) }
    for refusal in setting.apply(value, to: &draft) {
      let source = origin.map { " (from \($0))" } ?? ""
      refuse(setting.key + refusal.place, refusal.text + source)
    }
  }
}
