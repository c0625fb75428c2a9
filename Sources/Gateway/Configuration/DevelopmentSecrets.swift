// Random secrets for development mode, kept so that `martlet token --dev` signs with those of the running server.
// Start-up only.

import Auth
import FoundationEssentials

/// Fills in the secrets that nobody set, in development mode.
public struct DevelopmentSecrets: Sendable {
  /// The file's name inside its directory.
  static let fileName = "dev-secrets.json"
  /// The directory that holds the file: mode 0700, the user's own.
  public let directory: String

  /// The place for this user: `$XDG_RUNTIME_DIR/martlet` where that is a directory, else `/tmp/martlet-<user id>`.
  public init(environment: [String: String]) {
    if let runtime = environment["XDG_RUNTIME_DIR"], runtime.utf8.first == 0x2F,
      FileManager.default.fileExists(atPath: runtime)
    {
      directory = runtime + "/martlet"
    } else {
      directory = "/tmp/martlet-\(ProcessOwner.userId)"
    }
  }

  /// The file, for messages.
  public var path: String { "\(directory)/\(DevelopmentSecrets.fileName)" }

  /// A place of the caller's choice.
  public init(directory: String) { self.directory = directory }

  /// A secret that was filled in, for the one message at start that shows it.
  public struct Filled: Sendable {
    /// Whose secret it is; nil for that of the backends.
    public let dialect: Dialect?
    /// The environment variable that would set it.
    public let environment: String
    /// The secret.
    public let secret: Secret
  }

  /// Gives every dialect without a secret, and the backends where a URL is named, a random one: from the file where it
  /// has one, else new and added to the file.
  ///
  /// - Returns: what was filled in.
  /// - Throws: when the directory or the file is not this user's alone, or cannot be written.
  public func fill(_ configuration: inout Configuration) throws(FileError) -> [Filled] {
    let missing = Configuration.secretFields.filter {
      configuration[keyPath: $0.field] == nil && ($0.dialect != nil || configuration.namesBackends)
    }
    if missing.isEmpty { return [] }
    let store = try PrivateDirectory.open(path: directory)
    var known = try read(store)
    var isChanged = false
    var filled: [Filled] = []
    for field in missing {
      if (known[field.key] ?? "").utf8.count < Limits.secretBytesMin {
        known[field.key] = DevelopmentSecrets.random()
        isChanged = true
      }
      let secret = Secret(known[field.key] ?? "")
      configuration[keyPath: field.field] = secret
      filled.append(Filled(dialect: field.dialect, environment: field.environment, secret: secret))
    }
    if isChanged { try write(known, store) }
    return filled
  }

  private func read(_ store: borrowing PrivateDirectory) throws(FileError) -> [String: String] {
    guard let bytes = try store.read(DevelopmentSecrets.fileName) else { return [:] }
    // A file that a crash or an editor spoilt is replaced: development secrets are worth nothing.
    return (try? JSONDecoder().decode([String: String].self, from: Data(bytes))) ?? [:]
  }

  private func write(_ secrets: [String: String], _ store: borrowing PrivateDirectory) throws(FileError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    guard let data = try? encoder.encode(secrets) else {
      throw FileError(store.path, "cannot encode the secrets")
    }
    try store.write(DevelopmentSecrets.fileName, Array(data))
  }

  /// 32 random bytes in hexadecimal.
  private static func random() -> String {
    let digits = Array("0123456789abcdef")
    var text = ""
    for byte in SecureRandom.bytes(Limits.secretBytesMin) {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return text
  }
}
