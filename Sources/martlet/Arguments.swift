// Splits a command's arguments into flags and operands by a table of the flags that it knows. Start-up only.

import Gateway

/// A flag that a command knows.
struct FlagRule {
  /// With its dashes.
  let name: String
  /// What the help calls its value; nil for a flag without one.
  let placeholder: String?
  let summary: String
  /// The setting that it sets, and to what where it has no value of its own.
  var setting: (key: String, constant: String)?
}

/// Wrong usage: exit status 2.
struct UsageError: Error {
  let text: String
}

/// The arguments of one command, taken apart.
struct Arguments {
  /// Flags with their values (empty for a flag without one), in order.
  private(set) var flags: [(rule: FlagRule, value: String)] = []
  /// What is not a flag, in order.
  private(set) var operands: [String] = []
  /// Whether `--help` or `-h` is among them.
  private(set) var wantsHelp = false

  /// Takes `words` apart. `--name value` and `--name=value` are the same; after `--`, nothing is a flag.
  init(_ words: [String], rules: [FlagRule]) throws(UsageError) {
    var index = 0
    while index < words.count {
      let word = words[index]
      index += 1
      if word == "--" {
        operands += words[index...]
        return
      }
      if word == "--help" || word == "-h" {
        wantsHelp = true
        continue
      }
      guard word.hasPrefix("-"), word != "-" else {
        operands.append(word)
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let rule = rules.first(where: { $0.name == parts[0] }) else {
        let clause = Suggestion.clause(for: parts[0], among: rules.map(\.name) + ["--help"])
        throw UsageError(text: "unknown flag \"\(parts[0])\"\(clause)")
      }
      switch (rule.placeholder, parts.count) {
      case (nil, 1): flags.append((rule, ""))
      case (nil, _): throw UsageError(text: "\(rule.name) takes no value")
      case (_, 2): flags.append((rule, parts[1]))
      case (let placeholder?, _):
        guard index < words.count, !words[index].hasPrefix("--") else {
          throw UsageError(text: "\(rule.name) needs a value: \(rule.name) \(placeholder)")
        }
        flags.append((rule, words[index]))
        index += 1
      }
    }
  }

  /// The last value of a flag.
  func value(_ name: String) -> String? { flags.last { $0.rule.name == name }?.value }

  /// Every value of a flag that may be repeated.
  func values(_ name: String) -> [String] { flags.filter { $0.rule.name == name }.map(\.value) }
}
