// The texts of `--help`, made from the table of commands and the list of settings. Pure functions.

import Gateway

enum Help {
  /// Every command in a line.
  static func overview() -> String {
    var text = "martlet, a WebSocket gateway\n\nUsage: martlet COMMAND [ARGUMENTS]\n\n"
    text += columns(Command.allCases.map { ($0.rawValue, $0.summary) })
    text += "\nFlags win over the environment, which wins over the configuration file.\n"
    text += "\"martlet serve --help\" lists every flag and environment variable.\n"
    return text
  }

  /// One command with its flags.
  static func text(for command: Command) -> String {
    let tail = command.usage.isEmpty ? "" : " " + command.usage
    var text = "Usage: martlet \(command.rawValue)\(tail)\n\n\(command.summary)\n"
    if !command.flags.isEmpty {
      text += "\nFlags:\n"
      text += columns(command.flags.map { ($0.name + ($0.placeholder.map { " " + $0 } ?? ""), $0.summary) })
    }
    if command == .serve { text += Setting.help }
    return text
  }

  private static func columns(_ rows: [(String, String)]) -> String {
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { "  \($0.0)\(String(repeating: " ", count: width - $0.0.count))  \($0.1)\n" }.joined()
  }
}
