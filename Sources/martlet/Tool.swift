// Decides what an invocation means. Touches nothing but the configuration file and the development secrets; main.swift
// does the rest.

import Auth
import Gateway

/// The version that `martlet version` prints.
let martletVersion = "0.1.0"

/// What is printed, and the exit status: 0 done, 1 refused, 2 wrong usage.
struct Report: Equatable {
  var output = ""
  var complaint = ""
  var status: Int32 = 0

  /// Refused for these reasons.
  static func refused(_ reasons: [String]) -> Report {
    Report(complaint: reasons.map { "martlet: \($0)\n" }.joined(), status: 1)
  }

  /// Wrongly used.
  static func misused(_ reason: String, _ command: Command?) -> Report {
    let name = command.map { " " + $0.rawValue } ?? ""
    return Report(complaint: "martlet: \(reason)\nmartlet: see \"martlet\(name) --help\"\n", status: 2)
  }
}

/// What an invocation comes to.
enum Outcome {
  case finished(Report)
  /// Run the server; the notice goes to standard error first.
  case serve(Configuration, notice: String)
}

/// The command line, with the environment and the time of one invocation.
struct Tool {
  let environment: [String: String]
  /// Seconds since 1970.
  let nowSeconds: Int64
  /// Asks for a new password.
  var readPassword: @Sendable () throws(PasswordInputError) -> [UInt8] = {
    () throws(PasswordInputError) in try PasswordInput.readNew()
  }

  func run(_ words: [String]) -> Outcome {
    guard let first = words.first else {
      return .finished(Report(complaint: Help.overview(), status: 2))
    }
    switch first {
    case "--help", "-h": return .finished(Report(output: Help.overview()))
    case "--version", "-V": return .finished(Report(output: "martlet \(martletVersion)\n"))
    default: break
    }
    guard let command = Command(rawValue: first) else {
      let clause = Suggestion.clause(for: first, among: Command.allCases.map(\.rawValue))
      return .finished(.misused("unknown command \"\(first)\"\(clause)", nil))
    }
    do throws(UsageError) {
      let arguments = try Arguments(Array(words.dropFirst()), rules: command.flags)
      if arguments.wantsHelp { return .finished(Report(output: Help.text(for: command))) }
      if arguments.operands.count > command.operandsMax {
        throw UsageError(text: "unexpected \"\(arguments.operands[command.operandsMax])\"")
      }
      return try run(command, arguments)
    } catch {
      return .finished(.misused(error.text, command))
    }
  }

  private func run(_ command: Command, _ arguments: Arguments) throws(UsageError) -> Outcome {
    switch command {
    case .serve:
      return try ServeCommand(tool: self).run(arguments)
    case .token:
      return .finished(try TokenCommand(tool: self).run(arguments))
    case .user:
      return .finished(try UserCommand(tool: self).run(arguments))
    case .checkConfig:
      guard let path = arguments.operands.first, !path.isEmpty else { throw UsageError(text: "which FILE?") }
      return .finished(checkConfig(path))
    case .defaultConfig:
      return .finished(Report(output: Configuration.defaultFile()))
    case .version:
      return .finished(Report(output: "martlet \(martletVersion)\n"))
    case .help:
      guard let name = arguments.operands.first else { return .finished(Report(output: Help.overview())) }
      guard let topic = Command(rawValue: name) else {
        let clause = Suggestion.clause(for: name, among: Command.allCases.map(\.rawValue))
        throw UsageError(text: "unknown command \"\(name)\"\(clause)")
      }
      return .finished(Report(output: Help.text(for: topic)))
    }
  }

  /// Checks a file by itself: secrets that are not in it may come from the environment.
  private func checkConfig(_ path: String) -> Report {
    var sources = ConfigurationSources()
    sources.fileName = path
    do {
      sources.file = try FileBytes.read(path: path)
    } catch {
      return .refused([error.description])
    }
    var mistakes: [ConfigurationMistake]
    do {
      let configuration = try Configuration.load(sources)
      mistakes = configuration.checkSecrets(of: Dialect.allCases, areRequired: false)
      mistakes += configuration.checkBackendsSecret(isRequired: false)
    } catch {
      mistakes = error.mistakes
    }
    if mistakes.isEmpty { return Report(output: "\(path): ok\n") }
    return Report(output: mistakes.map { "\($0)\n" }.joined(), status: 1)
  }

  /// The configuration that flags, environment and file make, or why there is none.
  func configuration(_ arguments: Arguments) throws(UsageError) -> Result<Configuration, ConfigurationFailure> {
    var sources = ConfigurationSources()
    sources.environment = environment
    for (rule, value) in arguments.flags {
      if let setting = rule.setting {
        let text = rule.placeholder == nil ? setting.constant : value
        sources.flags.append((key: setting.key, text: text, origin: rule.name))
      } else if rule.name == "--set" {
        let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty else { throw UsageError(text: "--set needs KEY=VALUE") }
        sources.flags.append((key: parts[0], text: parts[1], origin: "--set"))
      }
    }
    if let path = arguments.value("--config") {
      if path.isEmpty { throw UsageError(text: "--config: the name of the file is empty") }
      sources.fileName = path
      do {
        sources.file = try FileBytes.read(path: path)
      } catch {
        return .failure(ConfigurationFailure(reasons: [error.description]))
      }
    }
    do {
      return .success(try Configuration.load(sources))
    } catch {
      return .failure(ConfigurationFailure(error.mistakes))
    }
  }
}

/// Why an invocation has no usable configuration.
struct ConfigurationFailure: Error {
  let reasons: [String]

  init(reasons: [String]) { self.reasons = reasons }
  init(_ mistakes: [ConfigurationMistake]) { reasons = mistakes.map(\.description) }
}
