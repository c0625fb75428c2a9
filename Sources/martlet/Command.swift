// The commands and their flags: one table for the parser, the help and the suggestions. Constants.

import Gateway

/// What the first argument can be.
enum Command: String, CaseIterable {
  case serve
  case token
  case user
  case checkConfig = "check-config"
  case defaultConfig = "default-config"
  case version
  case help

  /// What follows the name.
  var usage: String {
    switch self {
    case .serve: "[--dev] [--config FILE] [--set KEY=VALUE] [FLAGS]"
    case .token:
      "--dialect DIALECT --user USER [--ttl SECONDS] [--session NAME] [--email ADDRESS] [--root HEX] "
        + "[--claim NAME=VALUE] [--dev] [--config FILE]"
    case .user: "add NAME | list | remove NAME [--user-file FILE] [--config FILE]"
    case .checkConfig: "FILE"
    case .defaultConfig, .version: ""
    case .help: "[COMMAND]"
    }
  }

  var summary: String {
    switch self {
    case .serve: "Run the gateway until SIGTERM or SIGINT."
    case .token:
      "Print a token for a client of a dialect (handlers, channels, sessions, walkers), signed with its secret."
    case .user:
      "Keep the file of users who may log in. The password is asked for twice, or is a line of standard input."
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
    case .user: 2
    case .serve, .token, .defaultConfig, .version: 0
    }
  }

  /// The flags that it takes, besides `--help`.
  var flags: [FlagRule] {
    switch self {
    case .serve: Command.sourceFlags + Command.settingFlags
    case .token: Command.tokenFlags + Command.sourceFlags + Command.settingFlags.filter { $0.name == "--dev" }
    case .user: Command.settingFlags.filter { $0.name == "--user-file" } + Command.sourceFlags
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
    FlagRule(name: "--dialect", placeholder: "DIALECT", summary: "handlers, channels, sessions or walkers."),
    FlagRule(name: "--user", placeholder: "USER", summary: "Whom the token is for."),
    FlagRule(
      name: "--ttl", placeholder: "SECONDS",
      summary: "How long it is valid. Default what the dialect's endpoint gives, "
        + "and \(TokenCommand.ttlSecondsDefault) for channels."),
    FlagRule(name: "--session", placeholder: "NAME", summary: "sessions: the session that the client is bound to."),
    FlagRule(name: "--email", placeholder: "ADDRESS", summary: "walkers: the user's address. Default USER."),
    FlagRule(
      name: "--root", placeholder: "HEX",
      summary: "walkers: the 24 digits of the user's root. Default: the one that a login of the address gives."),
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
