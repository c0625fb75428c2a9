import Auth
import FoundationEssentials
import Gateway
import Testing

@testable import martlet

/// One invocation.
func invoke(_ words: [String], environment: [String: String] = [:]) -> Outcome {
  Tool(environment: environment, nowSeconds: 1_795_000_000).run(words)
}

/// The report of an invocation that does not serve.
func report(_ words: [String], environment: [String: String] = [:]) -> Report {
  guard case .finished(let report) = invoke(words, environment: environment) else {
    Issue.record("\(words) would serve")
    return Report(status: -1)
  }
  return report
}

/// Runs `body` with a file of this text.
func withFile(_ text: String, _ body: (String) throws -> Void) throws {
  let path = "/tmp/martlet-file-\(UUID().uuidString).json5"
  defer { try? FileManager.default.removeItem(atPath: path) }
  try Data(text.utf8).write(to: URL(filePath: path))
  try body(path)
}

/// Runs `body` with a runtime directory of its own for development secrets.
func withRuntimeDirectory(_ body: ([String: String]) throws -> Void) throws {
  let path = "/tmp/martlet-runtime-\(UUID().uuidString)"
  defer { try? FileManager.default.removeItem(atPath: path) }
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  try body(["XDG_RUNTIME_DIR": path])
}

let goodSecret = "6f1c0e9b7a5d4832c1b0a9f8e7d6c5b4"

@Suite("The command line")
struct ToolTests {
  @Test(
    "wrong usage ends with status 2, a message on standard error and a suggestion where one is near",
    arguments: [
      (["serv"], "unknown command \"serv\", did you mean \"serve\"?"),
      (["check_config"], "unknown command \"check_config\", did you mean \"check-config\"?"),
      (["zzzzzz"], "unknown command \"zzzzzz\"\n"),
      (["serve", "--prot", "1"], "unknown flag \"--prot\", did you mean \"--port\"?"),
      (["serve", "--port"], "--port needs a value: --port PORT"),
      (["serve", "--port", "--dev"], "--port needs a value: --port PORT"),
      (["serve", "--dev=1"], "--dev takes no value"),
      (["serve", "extra"], "unexpected \"extra\""),
      (["serve", "--set", "port"], "--set needs KEY=VALUE"),
      (["check-config"], "which FILE?"),
      (["check-config", "a", "b"], "unexpected \"b\""),
      (["version", "--port", "1"], "unknown flag \"--port\""),
      (["help", "tokn"], "unknown command \"tokn\", did you mean \"token\"?"),
      (["token", "--user", "a"], "--dialect is missing"),
      (["token", "--dialect", "channels"], "--user is missing"),
      (["token", "--dialect", "chanels", "--user", "a"], "unknown dialect \"chanels\", did you mean \"channels\"?"),
      (
        ["token", "--dialect", "channels", "--user", "a", "--ttl", "0"],
        "--ttl: expected 1...315360000 seconds, got \"0\""
      ),
      (["token", "--dialect", "channels", "--user", "a", "--claim", "x"], "--claim needs NAME=VALUE"),
    ] as [([String], String)])
  func misuse(_ words: [String], _ expected: String) {
    let result = report(words)
    #expect(result.status == 2)
    #expect(result.output.isEmpty)
    #expect(result.complaint.contains(expected), "got \(result.complaint)")
  }

  @Test("no command prints the help on standard error and ends with status 2")
  func nothing() {
    let result = report([])
    #expect(result.status == 2 && result.complaint.contains("Usage: martlet COMMAND"))
  }

  @Test("every command has help, and the help of serve lists every setting")
  func help() {
    let overview = report(["help"])
    #expect(overview == report(["--help"]))
    for command in Command.allCases {
      #expect(overview.output.contains(command.rawValue))
      let result = report([command.rawValue, "--help"])
      #expect(result.status == 0 && result.output.hasPrefix("Usage: martlet \(command.rawValue)"))
      #expect(result == report(["help", command.rawValue]))
    }
    let serve = report(["serve", "--help"]).output
    for setting in Setting.all { #expect(serve.contains(setting.key) && serve.contains(setting.environment)) }
  }

  @Test("the version is printed")
  func version() {
    #expect(report(["version"]).output == "martlet \(martletVersion)\n")
    #expect(report(["--version"]) == report(["version"]))
  }

  @Test("check-config prints every mistake and ends with status 1, or says ok")
  func checkConfig() throws {
    try withFile("{ prot: 1, limits: { fragmentsMax: 0 }, }") { path in
      let result = report(["check-config", path])
      #expect(result.status == 1)
      #expect(
        result.output == "\(path): line 1, column 22: limits.fragmentsMax: expected 1...1048576, got 0\n"
          + "\(path): line 1, column 3: prot: unknown key, did you mean \"port\"?\n"
      )
    }
    try withFile("{ channels: { jwtSecret: 'your-secret-key' } }") { path in
      #expect(report(["check-config", path]).status == 1)
    }
    let missing = report(["check-config", "/no/such/file"])
    #expect(missing == Report(complaint: "martlet: /no/such/file: No such file or directory\n", status: 1))
  }

  @Test("check-config accepts what default-config prints")
  func roundTrip() throws {
    let printed = report(["default-config"])
    #expect(printed.status == 0 && printed.complaint.isEmpty)
    try withFile(printed.output) { path in
      #expect(report(["check-config", path]) == Report(output: "\(path): ok\n"))
    }
  }
}

@Suite("Names that are empty")
struct EmptyNameTests {
  @Test(
    "a name that is empty is refused by a sentence that names what it is",
    arguments: [
      (["token", "--dialect", "channels", "--user", ""], 2, "--user: the name is empty"),
      (["token", "--dialect", "channels", "--user="], 2, "--user: the name is empty"),
      (["token", "--dialect", "", "--user", "a"], 2, "--dialect: the name is empty"),
      (["token", "--dialect", "walkers", "--user", "a", "--email", ""], 2, "--email: the address is empty"),
      (["token", "--dialect", "sessions", "--user", "a", "--session", ""], 2, "--session: the name is empty"),
      (["token", "--dialect", "channels", "--user", "a", "--claim", "=1"], 2, "--claim needs NAME=VALUE"),
      (["user", "add", "", "--user-file", "/tmp/x"], 1, "the name is empty"),
      (["user", "", "--user-file", "/tmp/x"], 2, "unknown action \"\""),
      (["serve", "--config", ""], 2, "--config: the name of the file is empty"),
      (["serve", "--set", "=1"], 2, "--set needs KEY=VALUE"),
      (["serve", "--unix", ""], 1, "unixPath: expected an absolute path of a socket, got \"\" (from --unix)"),
      (["serve", "--host", ""], 1, "host: expected a numeric address such as 127.0.0.1, 0.0.0.0 or ::, got \"\""),
      (["check-config", ""], 2, "which FILE?"),
      (["help", ""], 2, "unknown command \"\""),
      ([""], 2, "unknown command \"\""),
    ] as [([String], Int32, String)])
  func empty(_ words: [String], _ status: Int32, _ expected: String) {
    let result = report(words)
    #expect(result.status == status)
    #expect(result.complaint.contains(expected), "got \(result.complaint)")
  }

  @Test("a key or a name in a file that is empty is a mistake with its place")
  func inFile() throws {
    for (text, expected) in [
      ("{ '': 1 }", "line 1, column 3: \"\": unknown key"),
      ("{ handlers: { requests: { '': 'http://a/' } } }", "handlers.requests.\"\": expected a name of 1..."),
      ("{ walkers: { walkers: { '': {} } } }", "walkers.walkers.\"\": expected a name of letters"),
    ] {
      try withFile(text) { path in
        let result = report(["check-config", path])
        #expect(result.status == 1 && result.output.contains(expected), "got \(result.output)")
      }
    }
  }
}

@Suite("martlet serve")
struct ServeCommandTests {
  @Test("flags, --set, environment and file come together")
  func sources() throws {
    try withFile("{ port: 1, logLevel: 'error', reactorCount: 4 }") { path in
      let outcome = invoke(
        [
          "serve", "--config", path, "--port=2", "--host", "127.0.0.1", "--pin", "--no-admin", "--max-connections", "9",
          "--set", "channels.welcomeMessage=a=b", "--log-format", "json",
        ],
        environment: [
          "NEXUS_JWT_SECRET": goodSecret, "HANDLERS_JWT_SECRET": goodSecret, "JWT_SECRET_KEY": goodSecret,
          "TOKEN_SECRET": goodSecret, "MARTLET_REACTOR_COUNT": "2",
        ])
      guard case .serve(let configuration, let notice) = outcome else {
        Issue.record("refused: \(outcome)")
        return
      }
      #expect(configuration.listeners.map(\.address) == [.tcp(host: "127.0.0.1", port: 2)])
      #expect(configuration.logLevel == .error && configuration.logFormat == .json)
      #expect(configuration.reactorCount == 2 && configuration.pinsReactors)
      #expect(configuration.admin == nil && configuration.connectionsMax == 9)
      #expect(configuration.channels.welcomeMessage == "a=b")
      #expect(notice.isEmpty)
    }
  }

  @Test("without a secret it refuses to start and says what to set")
  func noSecret() {
    let result = report(["serve"])
    #expect(result.status == 1)
    #expect(result.complaint.contains("set NEXUS_JWT_SECRET to at least 32 random bytes"))
  }

  @Test("every mistake is printed at once, with status 1")
  func mistakes() {
    let result = report(["serve", "--port", "x", "--set", "nope=1", "--config", "/dev/null"])
    #expect(result.status == 1)
    #expect(result.complaint.split(separator: "\n").count == 3)
  }

  @Test("development mode shows the made-up secret once and mounts the echo")
  func development() throws {
    try withRuntimeDirectory { environment in
      guard case .serve(let configuration, let notice) = invoke(["serve", "--dev"], environment: environment) else {
        Issue.record("refused")
        return
      }
      let secret = try #require(configuration.channels.jwtSecret)
      #expect(notice.split(separator: secret.text).count == 2)
      #expect(notice.contains("NEXUS_JWT_SECRET="))
      #expect(configuration.servedDialects.contains(.echo))
    }
  }
}
