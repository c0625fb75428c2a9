// The commands and their flags: one table for the parser, the help and the suggestions. Constants.

import Gateway

/// What the first argument can be.
enum Command: String, CaseIterable {
  case serve
  case token
  case checkConfig = "check-config"
  case defaultConfig = "default-config"
  case version
  case help

  /// What follows the name.
  var usage: String {
    switch self {
    case .serve: "[--dev] [--config FILE] [--set KEY=VALUE] [FLAGS]"
    case .token: "--dialect DIALECT --user USER [--ttl SECONDS] [--claim NAME=VALUE] [--dev] [--config FILE]"
    case .checkConfig: "FILE"
    case .defaultConfig, .version: ""
    case .help: "[COMMAND]"
    }
  }

  var summary: String {
    switch self {
    case .serve: "Run the gateway until SIGTERM or SIGINT."
    case .token: "Print a token for a client of a dialect (channels, handlers, sessions), signed with its secret."
    case .checkConfig: "Print every mistake in a configuration file; exit status 1 if there is one."
    case .defaultConfig: "Print a commented configuration file with every default."
    case .version: "Print the version."
    case .help: "Print this, or the help of a command."
    }
  }

  /// The operands that it takes.
  var operandsMax: Int {
    switch self {
    case .checkConfig, .help: 1
    case .serve, .token, .defaultConfig, .version: 0
    }
  }

  /// The flags that it takes, besides `--help`.
  var flags: [FlagRule] {
    switch self {
    case .serve: Command.sourceFlags + Command.settingFlags
    case .token: Command.tokenFlags + Command.sourceFlags + Command.settingFlags.filter { $0.name == "--dev" }
    case .checkConfig, .defaultConfig, .version, .help: []
    }
  }

  private static let sourceFlags = [
    FlagRule(name: "--config", placeholder: "FILE", summary: "Configuration file, JSON5."),
    FlagRule(
      name: "--set", placeholder: "KEY=VALUE",
      summary: "Any setting by its key; may be repeated. Example: limits.fragmentsMax=64."),
  ]

  private static let tokenFlags = [
    FlagRule(name: "--dialect", placeholder: "DIALECT", summary: "channels, handlers or sessions."),
    FlagRule(name: "--user", placeholder: "USER", summary: "Whom the token is for."),
    FlagRule(
      name: "--ttl", placeholder: "SECONDS", summary: "How long it is valid. Default \(TokenCommand.ttlSecondsDefault)."
    ),
    FlagRule(
      name: "--claim", placeholder: "NAME=VALUE",
      summary: "Another claim; may be repeated. Numbers, true and false are taken as such."),
  ]

  private static let settingFlags: [FlagRule] = Setting.all.compactMap { setting in
    setting.flag.map {
      FlagRule(
        name: $0.name, placeholder: $0.placeholder, summary: setting.summary,
        setting: (setting.key, $0.constant))
    }
  }
}
