// The signing secrets: which are needed, and which are too weak to start with. Start-up only.

extension Configuration {
  /// One secret: where it lives and how an operator sets it.
  struct SecretField: Sendable {
    /// Whose it is; nil for that of the backends.
    let dialect: Dialect?
    let key: String
    let environment: String
    let field: any WritableKeyPath<Configuration, Secret?> & Sendable
  }

  /// Every secret, in the order of the dialects, that of the backends last.
  static let secretFields = [
    SecretField(
      dialect: .handlers, key: "handlers.jwtSecret", environment: "HANDLERS_JWT_SECRET", field: \.handlers.jwtSecret),
    SecretField(
      dialect: .channels, key: "channels.jwtSecret", environment: "NEXUS_JWT_SECRET", field: \.channels.jwtSecret),
    SecretField(
      dialect: .sessions, key: "sessions.jwtSecret", environment: "JWT_SECRET_KEY", field: \.sessions.jwtSecret),
    SecretField(
      dialect: .walkers, key: "walkers.tokenSecret", environment: "TOKEN_SECRET", field: \.walkers.tokenSecret),
    SecretField(
      dialect: nil, key: "backends.secret", environment: "MARTLET_BACKENDS_SECRET", field: \.backends.secret),
  ]

  /// The secret of a dialect, or nil where none is set or the dialect has none.
  public func secret(of dialect: Dialect) -> Secret? {
    Configuration.secretFields.first { $0.dialect == dialect }.flatMap { self[keyPath: $0.field] }
  }

  /// The dialects that are mounted on some listener.
  public var servedDialects: [Dialect] {
    Dialect.allCases.filter { dialect in
      listeners.contains { $0.mounts.contains { $0.target.dialects.contains(dialect) } }
    }
  }

  /// What is wrong with the secrets of `dialects`. One that is missing is a mistake only where they are required: a
  /// file by itself may leave them to the environment.
  ///
  /// In development everything goes, because the documented defaults are what the seeds' own clients use (PROTOCOLS
  /// G13). Else a secret is refused when it is missing, shorter than `Limits.secretBytesMin`, or one that documents and
  /// tutorials print.
  public func checkSecrets(of dialects: [Dialect], areRequired: Bool = true) -> [ConfigurationMistake] {
    Configuration.secretFields
      .filter { field in field.dialect.map { dialects.contains($0) } ?? false }
      .compactMap { check($0, isRequired: areRequired) }
  }

  /// What is wrong with the secret that signs calls of backends: it is needed where some URL is named.
  public func checkBackendsSecret(isRequired: Bool = true) -> [ConfigurationMistake] {
    Configuration.secretFields.filter { $0.dialect == nil }
      .compactMap { check($0, isRequired: isRequired && namesBackends) }
  }

  private func check(_ field: SecretField, isRequired: Bool) -> ConfigurationMistake? {
    let advice = "set \(field.environment) to at least \(Limits.secretBytesMin) random bytes: openssl rand -hex 32"
    guard let secret = self[keyPath: field.field] else {
      if !isRequired { return nil }
      let hint = development ? "" : ", or use --dev to try things out"
      return ConfigurationMistake(field.key, "not set; \(advice)\(hint)")
    }
    if development { return nil }
    if secret.isPlaceholder {
      return ConfigurationMistake(field.key, "is a default that everybody knows; \(advice)")
    }
    if secret.text.utf8.count < Limits.secretBytesMin {
      return ConfigurationMistake(field.key, "is \(secret.text.utf8.count) bytes long; \(advice)")
    }
    return nil
  }
}

extension Secret {
  /// What documented secrets are made of, longer words first. `your-secret-key` and `your_secret_key` are the seeds'
  /// own.
  private static let placeholderWords = [
    "environment", "development", "production", "openssl", "default", "example", "replace", "change", "string",
    "random",
    "please", "secret", "martlet", "output", "nexus", "super", "least", "token", "bytes", "chars", "walker", "this",
    "your",
    "with", "long", "very", "must", "safe", "rand", "test", "prod", "here", "jwt", "key", "jac", "the", "hex", "dev",
    "env",
    "at", "be", "in", "me", "my", "of", "to",
  ]
  /// Letters and digits that a secret must have besides such words: half of what is asked of it.
  private static let ownBytesMin = 16

  /// Whether it is a documented default or made like one: hardly anything but words such as "your", "secret" and "key",
  /// or the same two characters over and over. A word in front of random text does no harm.
  var isPlaceholder: Bool {
    if Set(text.utf8).count <= 2 { return true }
    var rest = text.lowercased().filter { $0.isLetter || $0.isNumber }
    let before = rest.utf8.count
    for word in Secret.placeholderWords { rest = rest.replacing(word, with: " ") }
    rest = rest.replacing(" ", with: "")
    return rest.utf8.count < Secret.ownBytesMin && rest.utf8.count * 2 <= before
  }
}
