// What a gateway of one's own program is started with. A value, any thread.
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

  /// Settings from a command line: `--dev`, `--config FILE`, `--host H`, `--port P` and `--set KEY=VALUE`, as
  /// `martlet serve` knows them, with the process's environment.
  ///
  /// - Parameter arguments: without the program's name: `CommandLine.arguments.dropFirst()`.
  public static func load(arguments: some Sequence<String>) throws(SettingsError) -> GatewaySettings {
    var flags: [(key: String, text: String, origin: String)] = []
    var file: String?
    var words = Array(arguments)[...]
    while let word = words.popFirst() {
      if word == "--dev" {
        flags.append((key: "development", text: "true", origin: word))
        continue
      }
      guard let value = words.popFirst() else { throw SettingsError(reasons: ["\(word): a value is missing"]) }
      switch word {
      case "--config": file = value
      case "--host": flags.append((key: "host", text: value, origin: word))
      case "--port": flags.append((key: "port", text: value, origin: word))
      case "--set":
        let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { throw SettingsError(reasons: ["--set needs KEY=VALUE"]) }
        flags.append((key: parts[0], text: parts[1], origin: word))
      default: throw SettingsError(reasons: ["\(word) is not known"])
      }
    }
    return try load(file: file, ProcessInfo.processInfo.environment, flags)
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
