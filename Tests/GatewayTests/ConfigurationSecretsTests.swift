import FoundationEssentials
import Testing

@testable import Gateway

@Suite("Secrets")
struct ConfigurationSecretsTests {
  private static let good = "6f1c0e9b7a5d4832c1b0a9f8e7d6c5b4"

  @Test(
    "outside development a secret is refused when it is missing, short or a documented default",
    arguments: [
      (nil, "channels.jwtSecret: not set; set NEXUS_JWT_SECRET to at least 32 random bytes"),
      ("abcdefgh12345", "channels.jwtSecret: is 13 bytes long; set NEXUS_JWT_SECRET"),
      ("your-secret-key", "channels.jwtSecret: is a default that everybody knows"),
      ("your_secret_key", "channels.jwtSecret: is a default that everybody knows"),
      ("YOUR-SUPER-SECRET-JWT-KEY-CHANGE-IN-PRODUCTION", "channels.jwtSecret: is a default that everybody knows"),
      ("your-256-bit-secret-key-change-this-please", "channels.jwtSecret: is a default that everybody knows"),
      ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "channels.jwtSecret: is a default that everybody knows"),
      ("6f1c0e9b7a5d4832c1b0a9f8e7d6c5b", "channels.jwtSecret: is 31 bytes long"),
      (good, nil), ("prod-secret-key-" + good, nil), ("0123456789abcdefghijklmnopqrstuv", nil),
    ] as [(String?, String?)])
  func production(_ secret: String?, _ expected: String?) throws {
    let environment = secret.map { ["NEXUS_JWT_SECRET": $0] } ?? [:]
    let found = try load(environment: environment).checkSecrets(of: [.channels]).map(\.description)
    if let expected {
      #expect(found.count == 1 && found[0].hasPrefix(expected), "found \(found)")
      if let secret { #expect(!found[0].contains(secret)) }
    } else {
      #expect(found.isEmpty)
    }
  }

  @Test("in development any secret goes, but one is needed")
  func development() throws {
    var configuration = try load(environment: ["NEXUS_JWT_SECRET": "your-secret-key"], flags: [("development", "true")])
    #expect(configuration.checkSecrets(of: [.channels]).isEmpty)
    configuration.channels.jwtSecret = nil
    #expect(configuration.checkSecrets(of: [.channels]).count == 1)
  }

  @Test("only the dialects that are mounted and answered need a secret")
  func served() throws {
    #expect(try load().servedDialects.contains(.channels))
    let echoOnly = try load(file: "{ listeners: [{ port: 1, mounts: [{ path: '*', dialect: 'echo' }] }] }")
    #expect(echoOnly.servedDialects == [.echo])
    #expect(echoOnly.checkSecrets(of: echoOnly.servedDialects).isEmpty)
  }

  @Test("a secret does not show in a description, an interpolation or a dump")
  func hidden() throws {
    let configuration = try load(environment: ["NEXUS_JWT_SECRET": Self.good])
    var dumped = ""
    dump(configuration, to: &dumped)
    for text in ["\(configuration)", String(reflecting: configuration), dumped] {
      #expect(!text.contains(Self.good))
    }
  }

  /// A directory for one test, gone after it.
  private func withDirectory(_ body: (String) throws -> Void) throws {
    let path = "/tmp/martlet-test-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }

  private func permissions(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    let value = try #require(attributes[.posixPermissions])
    return try #require(Int("\(value)"))
  }

  @Test("development secrets are random, private and the same at the next start")
  func kept() throws {
    try withDirectory { path in
      let store = DevelopmentSecrets(directory: path)
      var first = Configuration()
      var second = Configuration()
      #expect(try store.fill(&first).count == 4)
      _ = try store.fill(&second)
      #expect(first.channels.jwtSecret == second.channels.jwtSecret)
      #expect(first.channels.jwtSecret != first.handlers.jwtSecret)
      #expect(first.channels.jwtSecret?.text.utf8.count == 64)
      #expect(try permissions(path) == 0o700)
      #expect(try permissions(store.path) == 0o600)
    }
  }

  @Test("a secret that is set is not replaced")
  func notReplaced() throws {
    try withDirectory { path in
      var configuration = Configuration()
      configuration.channels.jwtSecret = Secret("mine")
      let filled = try DevelopmentSecrets(directory: path).fill(&configuration)
      #expect(configuration.channels.jwtSecret == Secret("mine"))
      #expect(filled.map(\.dialect) == [.handlers, .sessions, .walkers])
    }
  }

  @Test("a spoilt file is replaced")
  func spoilt() throws {
    try withDirectory { path in
      let store = DevelopmentSecrets(directory: path)
      var configuration = Configuration()
      _ = try store.fill(&configuration)
      try Data("not json".utf8).write(to: URL(filePath: store.path))
      var again = Configuration()
      _ = try store.fill(&again)
      #expect(again.channels.jwtSecret != nil && again.channels.jwtSecret != configuration.channels.jwtSecret)
    }
  }

  @Test("a directory or file that others may read, or that is a link, is refused")
  func untrusted() throws {
    let files = FileManager.default
    try withDirectory { path in
      var configuration = Configuration()
      try files.createDirectory(atPath: path, withIntermediateDirectories: false)
      try files.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
      #expect(throws: FileError.self) { try DevelopmentSecrets(directory: path).fill(&configuration) }
      #expect(configuration.channels.jwtSecret == nil)

      try files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
      let store = DevelopmentSecrets(directory: path)
      _ = try store.fill(&configuration)
      try files.setAttributes([.posixPermissions: 0o644], ofItemAtPath: store.path)
      var second = Configuration()
      #expect(throws: FileError.self) { try store.fill(&second) }

      try files.removeItem(atPath: store.path)
      try files.createSymbolicLink(atPath: store.path, withDestinationPath: "/etc/hostname")
      #expect(throws: FileError.self) { try store.fill(&second) }

      let link = path + "-link"
      defer { try? files.removeItem(atPath: link) }
      try files.createSymbolicLink(atPath: link, withDestinationPath: path)
      #expect(throws: FileError.self) { try DevelopmentSecrets(directory: link).fill(&second) }
      #expect(second.channels.jwtSecret == nil)
    }
  }

  @Test("the place is the runtime directory where there is one")
  func place() {
    #expect(DevelopmentSecrets(environment: ["XDG_RUNTIME_DIR": "/tmp"]).path == "/tmp/martlet/dev-secrets.json")
    for environment in [[:], ["XDG_RUNTIME_DIR": "relative"], ["XDG_RUNTIME_DIR": "/no/such/place"]] {
      #expect(DevelopmentSecrets(environment: environment).directory.hasPrefix("/tmp/martlet-"))
    }
  }
}
