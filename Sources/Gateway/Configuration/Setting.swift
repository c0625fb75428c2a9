// One setting as the outside sees it: key, environment variable, flag, allowed values. Constants, used at start-up.

/// A setting and every way to write it. `Setting.all` is the one list from which the file's keys, the environment, the
/// flags, the help and `default-config` come.
public struct Setting: Sendable {
  /// The key path in the file and of `--set`: `limits.messageBytesMax`.
  public let key: String
  /// The environment variable: a name that the protocols' own documents use, else `MARTLET_LIMITS_MESSAGE_BYTES_MAX`.
  public let environment: String
  /// Another variable, one that other programs read too, where there is one. The first comes before it.
  public let otherEnvironment: String?
  /// The flag of `serve` beside the generic `--set`, where there is one.
  public let flag: Flag?
  /// What it does, in one or two short sentences.
  public let summary: String
  /// The default as JSON5, or what a value could look like where the default is none.
  let example: String
  /// Whether `example` is the default; else `default-config` comments it out.
  let exampleIsDefault: Bool
  let form: Form

  /// A flag of `serve`.
  public struct Flag: Sendable {
    /// With its dashes: `--port`.
    public let name: String
    /// What the help calls the value (`PORT`); nil for a flag without one.
    public let placeholder: String?
    /// The value that a flag without one stands for.
    public let constant: String

    static func value(_ name: String, _ placeholder: String) -> Flag {
      Flag(name: name, placeholder: placeholder, constant: "")
    }

    static func constant(_ name: String, _ constant: String) -> Flag {
      Flag(name: name, placeholder: nil, constant: constant)
    }
  }

  typealias Field<Value> = any WritableKeyPath<Draft, Value> & Sendable

  /// What values a setting takes and where they go.
  enum Form: Sendable {
    case integer(ClosedRange<Int>, Field<Int>)
    case limit(ClosedRange<Int>, any WritableKeyPath<Limits, Int> & Sendable)
    /// An integer that may be `null`, the default.
    case optionalInteger(ClosedRange<Int>, Field<Int?>)
    case boolean(Field<Bool>)
    /// A boolean whose default depends on something else; `null` stands for that.
    case optionalBoolean(Field<Bool?>)
    /// One of the names; the closure is given one of them only.
    case choice([String], @Sendable (inout Draft, String) -> Void)
    /// A text for which the check says nothing, else what was expected.
    case text(@Sendable (String) -> String?, Field<String?>)
    /// A URL, of which mistakes show nothing: its query may hold a key.
    case url(Field<String?>)
    case greeting(Field<String>)
    /// A list of texts of a kind that its mistakes name, each checked by itself and then all together.
    case texts(String, @Sendable ([String]) -> String?, Field<[String]>)
    case tokens(Field<[String: String]>)
    /// An object of URLs, by the kind of name that they have.
    case urls(String, Field<[String: String]>)
    case walkers(Field<[WalkerConfiguration]>)
    case fileMode(Field<Int>)
    case secret(Field<Secret?>)
    case listeners

    /// Whether a value must never be shown.
    var isSecret: Bool {
      switch self {
      case .secret, .tokens: true
      default: false
      }
    }
  }

  init(
    _ key: String, _ form: Form, _ example: String, exampleIsDefault: Bool = true, environment: String? = nil,
    otherEnvironment: String? = nil, flag: Flag? = nil, _ summary: String
  ) {
    self.key = key
    self.environment = environment ?? Setting.environmentName(of: key)
    self.otherEnvironment = otherEnvironment
    self.flag = flag
    self.summary = summary
    self.example = example
    self.exampleIsDefault = exampleIsDefault
    self.form = form
  }

  /// `limits.messageBytesMax` → `MARTLET_LIMITS_MESSAGE_BYTES_MAX`.
  static func environmentName(of key: String) -> String {
    var name = "MARTLET_"
    for letter in key {
      if letter == "." {
        name += "_"
      } else {
        if letter.isUppercase { name += "_" }
        name += letter.uppercased()
      }
    }
    return name
  }
}
