// A configuration file as a tree of plain values, so that keys nobody knows can be found and named. Start-up only.

/// A JSON5 value.
enum ConfigurationValue: Equatable {
  case null
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case list([ConfigurationValue])
  case object([String: ConfigurationValue])

  /// How a mistake shows the value: short, on one line.
  var excerpt: String {
    switch self {
    case .null: "null"
    case .boolean(let flag): String(flag)
    case .integer(let number): String(number)
    case .number(let number): String(number)
    case .text(let text): LogLine.quoted(String(text.prefix(64)))
    case .list: "a list"
    case .object: "an object"
    }
  }
}
