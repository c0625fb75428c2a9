import Testing

@testable import Gateway

@Suite("Where a setting comes from")
struct ConfigurationPrecedenceTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let file: String?
    let environment: String?
    let flag: String?
    let expected: Int
    var testDescription: String { "file \(file ?? "-"), environment \(environment ?? "-"), flag \(flag ?? "-")" }
  }

  @Test(
    "flags win over the environment, which wins over the file, which wins over the default",
    arguments: [
      Case(file: nil, environment: nil, flag: nil, expected: 1_024),
      Case(file: "5", environment: nil, flag: nil, expected: 5),
      Case(file: nil, environment: "6", flag: nil, expected: 6),
      Case(file: nil, environment: nil, flag: "7", expected: 7),
      Case(file: "5", environment: "6", flag: nil, expected: 6),
      Case(file: "5", environment: nil, flag: "7", expected: 7),
      Case(file: nil, environment: "6", flag: "7", expected: 7),
      Case(file: "5", environment: "6", flag: "7", expected: 7),
    ])
  func precedence(_ entry: Case) throws {
    let configuration = try load(
      file: entry.file.map { "{ limits: { fragmentsMax: \($0) } }" },
      environment: entry.environment.map { ["MARTLET_LIMITS_FRAGMENTS_MAX": $0] } ?? [:],
      flags: entry.flag.map { [("limits.fragmentsMax", $0)] } ?? [])
    #expect(configuration.limits.fragmentsMax == entry.expected)
  }

  @Test("the last of several flags for one setting wins")
  func repeated() throws {
    #expect(try load(flags: [("port", "1"), ("port", "2")]).listeners[0].address == .tcp(host: "0.0.0.0", port: 2))
  }

  @Test("the variables that the protocols' documents name are read under those names")
  func wellKnownVariables() throws {
    let configuration = try load(environment: [
      "PORT": "9999", "CORS_ORIGIN": "https://a.example, *.b.example", "NEXUS_JWT_SECRET": "one",
      "HANDLERS_JWT_SECRET": "two", "JWT_SECRET_KEY": "three", "TOKEN_SECRET": "four", "HOME": "/root",
      "MARTLET_SEED": "42",
    ])
    #expect(configuration.listeners[0].address == .tcp(host: "0.0.0.0", port: 9_999))
    #expect(configuration.corsOrigins == ["https://a.example", "*.b.example"])
    #expect(configuration.channels.jwtSecret == Secret("one"))
    #expect(configuration.handlers.jwtSecret == Secret("two"))
    #expect(configuration.sessions.jwtSecret == Secret("three"))
    #expect(configuration.walkers.tokenSecret == Secret("four"))
  }

  @Test("an empty variable counts as not set")
  func emptyVariable() throws {
    #expect(try load(environment: ["PORT": ""]).listeners[0].address == .tcp(host: "0.0.0.0", port: 8_080))
  }

  @Test("every setting can be written in the environment, and no two share a variable, a key or a flag")
  func names() {
    let settings = Setting.all
    #expect(Set(settings.map(\.key)).count == settings.count)
    #expect(Set(settings.map(\.environment)).count == settings.count)
    let flags = settings.compactMap { $0.flag?.name }
    #expect(Set(flags).count == flags.count)
    #expect(Setting.named("limits.messageBytesMax")?.environment == "MARTLET_LIMITS_MESSAGE_BYTES_MAX")
  }

  @Test("each kind of value is read from a text")
  func kinds() throws {
    let configuration = try load(flags: [
      ("development", "true"), ("pinsReactors", "true"), ("reactorCount", "3"), ("connectionsMax", "100"),
      ("slowConsumerPolicy", "drop"), ("logFormat", "json"), ("logLevel", "debug"), ("admin.enabled", "false"),
      ("channels.staticTokens", "{ 'test-token': 'usr_123' }"), ("channels.welcomeMessage", "Hello = all"),
      ("channels.telemetryIntervalMilliseconds", "0"), ("rootOwner", "channels"), ("wsOwner", "channels"),
    ])
    #expect(configuration.development && configuration.pinsReactors && configuration.reactorCount == 3)
    #expect(configuration.connectionsMax == 100 && configuration.slowConsumerPolicy == .drop)
    #expect(configuration.logFormat == .json && configuration.logLevel == .debug && configuration.admin == nil)
    #expect(configuration.channels.staticTokens == ["test-token": "usr_123"])
    #expect(configuration.channels.welcomeMessage == "Hello = all")
    #expect(configuration.channels.telemetryIntervalMilliseconds == 0)
    #expect(configuration.rootOwner == .dialect(.channels) && configuration.wsOwner == .dialect(.channels))
  }

  struct AddressCase: Sendable {
    let flags: [(String, String)]
    let expected: [ListenerAddress]
  }

  @Test(
    "the address of the one-port profile follows host, port, socket path and development",
    arguments: [
      AddressCase(flags: [], expected: [.tcp(host: "0.0.0.0", port: 8_080)]),
      AddressCase(flags: [("development", "true")], expected: [.tcp(host: "127.0.0.1", port: 8_080)]),
      AddressCase(flags: [("host", "::1"), ("port", "0")], expected: [.tcp(host: "::1", port: 0)]),
      AddressCase(flags: [("unixPath", "/tmp/a")], expected: [.unix(path: "/tmp/a", mode: 0o660)]),
      AddressCase(
        flags: [("unixPath", "/tmp/a"), ("unixMode", "0600"), ("port", "81")],
        expected: [.unix(path: "/tmp/a", mode: 0o600), .tcp(host: "0.0.0.0", port: 81)]),
    ])
  func addresses(_ entry: AddressCase) throws {
    #expect(try load(flags: entry.flags).listeners.map(\.address) == entry.expected)
  }
}
