// Writes the commented file of `martlet default-config` from the list of settings. A pure function.

extension Configuration {
  /// A JSON5 file with every setting at its default, each with what it does and its environment variable. Settings
  /// whose default is "none" are commented out. `check-config` accepts it as it is.
  public static func defaultFile() -> String {
    var lines = [
      "// The configuration of martlet, JSON5: comments and trailing commas are welcome.",
      "// Every value below is the default.",
      "// Flags win over the environment, which wins over this file. Check it with: martlet check-config FILE",
      "{",
    ]
    var section = ""
    for setting in Setting.all {
      let parts = setting.key.split(separator: ".").map(String.init)
      let next = parts.count > 1 ? parts[0] : ""
      if next != section {
        if !section.isEmpty { lines.append("  },") }
        lines.append("")
        if !next.isEmpty { lines.append("  \(next): {") }
        section = next
      } else if !lines.last!.hasSuffix("{") {
        lines.append("")
      }
      let indent = section.isEmpty ? "  " : "    "
      lines += comment(setting).map { indent + "// " + $0 }
      let value = "\(parts.last!): \(setting.example),"
      lines.append(indent + (setting.exampleIsDefault ? value : "// " + value))
    }
    if !section.isEmpty { lines.append("  },") }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func comment(_ setting: Setting) -> [String] {
    var facts: [String] = []
    if let range = setting.rangeText { facts.append(range) }
    facts.append(setting.environment)
    if let flag = setting.flag { facts.append(flag.name) }
    return [setting.summary, "(" + facts.joined(separator: ", ") + ")"]
  }
}

extension Setting {
  /// The allowed values of a setting that has a list or a range of them.
  public var rangeText: String? {
    switch form {
    case .integer(let range, _), .limit(let range, _), .optionalInteger(let range, _):
      "\(range.lowerBound)...\(range.upperBound)"
    case .choice(let names, _): names.joined(separator: " | ")
    case .boolean, .optionalBoolean: "true | false"
    default: nil
    }
  }

  /// Every setting with its key, its environment variable, its range and its default, for a program's help.
  public static var help: String {
    var text = "\nSettings (key in the file and of --set, environment variable, values, default):\n"
    for setting in all {
      var facts = [setting.environment]
      if let range = setting.rangeText { facts.append(range) }
      if let value = setting.defaultText { facts.append("default \(value)") }
      text += "  \(setting.key)\n      \(facts.joined(separator: ", "))\n      \(setting.summary)\n"
    }
    return text
  }

  /// The default as the help shows it, or nil where there is none.
  public var defaultText: String? { exampleIsDefault ? example : nil }
}
