// What a gateway of one's own program is started with. A value, any thread.
import EventLoop
import FoundationEssentials
import Gateway

/// Why a gateway's settings cannot be used: each reason names its key.
public struct SettingsError: Error, Sendable, CustomStringConvertible {
  /// One sentence each.
  public let reasons: [String]

  public var description: String { reasons.joined(separator: "\n") }
}

/// The settings of a gateway: those of `martlet serve`, checked (docs/CONFIGURATION.md).
public struct GatewaySettings: Sendable {
  let configuration: Configuration
  /// What development mode made up and has to be told; empty otherwise. Holds secrets: for the terminal, not for a log.
  public let notice: String

  /// Settings for trying things out on this machine: random secrets, open doors, an admin listener on some free port.
  ///
  /// - Parameters:
  ///   - port: where to listen on 127.0.0.1; 0 lets the system choose, see `MartletGateway.addresses`.
  ///   - set: more settings by their keys, such as `["limits.messageBytesMax": "65536"]`.
  public static func development(
    port: UInt16 = 8080, set: [String: String] = [:]
  ) throws(SettingsError) -> GatewaySettings {
    let own = ["development": "true", "host": "127.0.0.1", "port": "\(port)", "admin.port": "0"]
    return try load(file: nil, set: own.merging(set) { $1 })
  }

  /// Settings from a configuration file (JSON5) and the environment.
  ///
  /// - Parameters:
  ///   - file: the file's path; nil for none.
  ///   - environment: variables such as `MARTLET_BACKENDS_SECRET`; those of the process unless given.
  ///   - set: settings by their keys, which win over both.
  public static func load(
    file: String?, environment: [String: String] = ProcessInfo.processInfo.environment, set: [String: String] = [:]
  ) throws(SettingsError) -> GatewaySettings {
    let flags = set.sorted { $0.key < $1.key }.map { (key: $0.key, text: $0.value, origin: "set") }
    return try load(file: file, environment, flags)
  }

  /// Settings from the command line of this program and its environment: every flag that `martlet serve` knows. For the
  /// first line of a program: `--help` prints the flags and ends the process with status 0; what cannot be used is said
  /// on standard error, a line for each mistake, and the process ends with status 1.
  public static func commandLine() -> GatewaySettings {
    let words = CommandLine.arguments
    let name = words.first?.split(separator: "/").last.map(String.init) ?? "gateway"
    let arguments = words.dropFirst()
    if arguments.prefix(while: { $0 != "--" }).contains(where: { $0 == "--help" || $0 == "-h" }) {
      Console.writeOutput(help(program: name))
      System.end(status: 0)
    }
    do {
      return try load(arguments: arguments)
    } catch {
      Console.writeError(error.reasons.map { "\(name): \($0)\n" }.joined())
      System.end(status: 1)
    }
  }

  /// Settings from a command line: every flag that `martlet serve` knows, such as `--dev`, `--config FILE`, `--port P`
  /// and `--set KEY=VALUE`, with the process's environment.
  ///
  /// - Parameter arguments: without the program's name: `CommandLine.arguments.dropFirst()`.
  public static func load(arguments: some Sequence<String>) throws(SettingsError) -> GatewaySettings {
    var flags: [(key: String, text: String, origin: String)] = []
    var file: String?
    var words = Array(arguments)[...]
    while let word = words.popFirst() {
      guard word.hasPrefix("-") else { throw SettingsError(reasons: ["unexpected \"\(word)\""]) }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let name = parts[0]
      let setting = Setting.all.first { $0.flag?.name == name }
      if let setting, let flag = setting.flag, flag.placeholder == nil {
        if parts.count > 1 { throw SettingsError(reasons: ["\(name) takes no value"]) }
        flags.append((key: setting.key, text: flag.constant, origin: name))
        continue
      }
      guard setting != nil || name == "--config" || name == "--set" else {
        let known = Setting.all.compactMap { $0.flag?.name } + ["--config", "--set", "--help"]
        let clause = Suggestion.clause(for: name, among: known)
        throw SettingsError(reasons: ["unknown flag \"\(name)\"\(clause)"])
      }
      var value = parts.count > 1 ? parts[1] : nil
      if value == nil, let next = words.first, !next.hasPrefix("--") { value = words.popFirst() }
      guard let value, !value.isEmpty else { throw SettingsError(reasons: ["\(name) needs a value"]) }
      if let setting {
        flags.append((key: setting.key, text: value, origin: name))
      } else if name == "--config" {
        file = value
      } else {
        let pair = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard pair.count == 2, !pair[0].isEmpty else { throw SettingsError(reasons: ["--set needs KEY=VALUE"]) }
        flags.append((key: pair[0], text: pair[1], origin: name))
      }
    }
    return try load(file: file, ProcessInfo.processInfo.environment, flags)
  }

  /// What `--help` prints: the flags, and every setting with its key, its environment variable and its default.
  public static func help(program: String) -> String {
    var text = "Usage: \(program) [--dev] [--config FILE] [--set KEY=VALUE] [FLAGS]\n\nFlags:\n"
    text += "  --config FILE\n      Configuration file, JSON5.\n"
    text += "  --set KEY=VALUE\n      Any setting by its key; may be repeated.\n"
    for setting in Setting.all {
      guard let flag = setting.flag else { continue }
      text += "  \(flag.name)\(flag.placeholder.map { " " + $0 } ?? "")\n      \(setting.summary)\n"
    }
    return text + Setting.help
  }

  private static func load(
    file: String?, _ environment: [String: String], _ flags: [(key: String, text: String, origin: String)]
  ) throws(SettingsError) -> GatewaySettings {
    var sources = ConfigurationSources()
    sources.environment = environment
    sources.flags = flags
    do throws(FileError) {
      sources.fileName = file
      if let file { sources.file = try FileBytes.read(path: file) }
    } catch {
      throw SettingsError(reasons: ["\(error)"])
    }
    var configuration: Configuration
    do {
      configuration = try Configuration.load(sources)
    } catch {
      throw SettingsError(reasons: error.mistakes.map(\.description))
    }
    var notice = ""
    if configuration.development {
      do {
        for entry in try DevelopmentSecrets(environment: environment).fill(&configuration) {
          notice += "martlet: \(entry.environment)=\(entry.secret.text) (made up for development)\n"
        }
      } catch {
        throw SettingsError(reasons: ["development secrets: \(error)"])
      }
    }
    let mistakes = configuration.checkSecrets(of: configuration.servedDialects) + configuration.checkBackendsSecret()
    if !mistakes.isEmpty { throw SettingsError(reasons: mistakes.map(\.description)) }
    return GatewaySettings(configuration: configuration, notice: notice)
  }
}
