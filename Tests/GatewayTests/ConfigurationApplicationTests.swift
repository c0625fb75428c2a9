import Testing

@testable import Gateway

@Suite("The application in a configuration")
struct ConfigurationApplicationTests {
  @Test("by default every door is closed, nothing is called and no user can log in")
  func defaults() throws {
    let configuration = try load()
    #expect(!configuration.handlers.openTokens && !configuration.sessions.allowsAnonymous)
    #expect(!configuration.walkers.allowsRegistration && !configuration.namesBackends)
    #expect(configuration.walkers.anonymous == .receive)
    #expect(configuration.accounts.file == nil)
    #expect(configuration.backends == BackendsConfiguration() && configuration.hooks == HooksConfiguration())
    #expect(configuration.handlers.tokenTtlSeconds == 3_600 && configuration.sessions.tokenTtlSeconds == 3_600)
    #expect(configuration.walkers.tokenTtlSeconds == 43_200 && configuration.events.sessionTtlSeconds == 2_592_000)
    #expect(configuration.events.serverName == "YektaYar API Server" && configuration.events.version == "0.1.0")
    #expect(configuration.events.productName == "YektaYar API")
    #expect(configuration.events.welcomeMessage == "Connected to YektaYar server")
    let limits = configuration.limits
    #expect(limits.callsPerConnectionMax == 32 && limits.callsMax == 4_096 && limits.eventSessionsMax == 100_000)
    #expect(limits.accountsMax == 100_000 && limits.loginAttemptsPerAddressPerMinuteMax == 10)
    #expect(limits.notifyTargetsMax == 1_000)
  }

  @Test("development opens the doors that nobody has closed")
  func development() throws {
    let open = try load(flags: [("development", "true")])
    #expect(open.handlers.openTokens && open.sessions.allowsAnonymous && open.walkers.allowsRegistration)
    let closed = try load(
      file: "{handlers:{openTokens:false},sessions:{allowsAnonymous:false},walkers:{allowsRegistration:false}}",
      flags: [("development", "true")])
    #expect(!closed.handlers.openTokens && !closed.sessions.allowsAnonymous && !closed.walkers.allowsRegistration)
    let written = try load(
      file: "{handlers:{openTokens:true},sessions:{allowsAnonymous:true},walkers:{allowsRegistration:true}}")
    #expect(written.handlers.openTokens && written.sessions.allowsAnonymous && written.walkers.allowsRegistration)
    #expect(try load(file: "{handlers:{openTokens:null}}", flags: [("development", "true")]).handlers.openTokens)
  }

  @Test("public walkers clients send in development and in seed-ports, unless the setting says otherwise")
  func anonymous() throws {
    let development = [("development", "true")]
    let seedPorts = [("profile", "seed-ports")]
    #expect(try load(flags: development).walkers.anonymous == .full)
    #expect(try load(flags: seedPorts).walkers.anonymous == .full)
    // With listeners of its own a gateway has no profile.
    let listeners = #"{listeners:[{host:"127.0.0.1",port:1,mounts:[{path:"/w",dialect:"walkers"}]}]}"#
    #expect(try load(file: listeners, flags: seedPorts).walkers.anonymous == .receive)
    for value in WalkersAnonymous.allCases {
      for flags in [[], development, seedPorts] {
        let written = [("walkers.anonymous", value.rawValue)]
        #expect(try load(flags: flags + written).walkers.anonymous == value)
      }
    }
    #expect(
      mistakes(flags: [("walkers.anonymous", "yes")]).first?.contains(#"expected "full" or "receive" or "no""#) == true)
  }

  @Test("doors that are open without a token are named by their setting, closed ones are not")
  func doors() throws {
    func names(_ configuration: Configuration, _ walkers: [String: Walker] = [:]) -> [String] {
      OpenDoors(configuration, walkers: walkers).fields.map { "\($0.0)" }
    }
    #expect(try names(load()) == ["walkers.anonymous", "events", "admin.host"])
    let closed = [("walkers.anonymous", "no"), ("admin.enabled", "false")]
    #expect(try names(load(flags: closed)) == ["events"])
    let open = Walker("open", requiresAuthentication: false) { _ in }
    let shut = Walker("shut") { _ in }
    #expect(
      try names(load(flags: [("development", "true")]), ["open": open, "shut": shut]) == [
        "handlers.openTokens", "sessions.allowsAnonymous", "accounts.file", "walkers.anonymous", "walkers.walkers",
        "walkers.allowsRegistration", "events", "echo", "admin.host",
      ])
    #expect(
      try names(load(flags: [("accounts.file", "users"), ("development", "true")])).contains("accounts.file") == false)
    #expect(try names(load(flags: closed), ["open": open]) == ["events"])
    let channels =
      #"{listeners:[{host:"127.0.0.1",port:1,mounts:[{path:"/c",dialect:"channels"}]}],admin:{enabled:false}}"#
    #expect(try names(load(file: channels)) == [])
  }

  @Test("the application is read from a file")
  func file() throws {
    let configuration = try load(
      file: """
        { handlers: { tokenTtlSeconds: 60, requests: { order: "http://127.0.0.1:8000/order" } },
          events: { sessionTtlSeconds: 5, serverName: "S", productName: "P", version: "2", welcomeMessage: "",
            handlers: { "order:new": "https://api.example.com/x?key=1" } },
          sessions: { tokenTtlSeconds: 61 },
          walkers: { tokenTtlSeconds: 62, walkers: {
            open: { url: "http://[::1]:1/o", requiresAuthentication: false, methods: ["post"] },
            greet: { url: "http://a/", fields: { times: "integer?", name: "string", all: "any" } } } },
          accounts: { file: "users" },
          hooks: { connected: "http://a", disconnected: "http://b/", subscribed: "http://c?d" },
          backends: { timeoutMilliseconds: 11, connectTimeoutMilliseconds: 12, responseBytesMax: 2048,
            concurrencyMax: 1, queueMax: 0, retriesMax: 0, secret: "s" },
        }
        """)
    #expect(configuration.handlers.requests == ["order": "http://127.0.0.1:8000/order"])
    #expect(configuration.handlers.tokenTtlSeconds == 60 && configuration.sessions.tokenTtlSeconds == 61)
    #expect(configuration.walkers.tokenTtlSeconds == 62 && configuration.events.sessionTtlSeconds == 5)
    #expect(configuration.events.handlers == ["order:new": "https://api.example.com/x?key=1"])
    #expect(configuration.events.serverName == "S" && configuration.events.productName == "P")
    #expect(configuration.events.version == "2" && configuration.events.welcomeMessage.isEmpty)
    #expect(configuration.walkers.walkers.map(\.name) == ["greet", "open"])
    #expect(
      configuration.walkers.walkers[0]
        == WalkerConfiguration(
          name: "greet", url: "http://a/",
          fields: [
            .init(name: "all", type: .any), .init(name: "name", type: .string),
            .init(name: "times", type: .integer, isRequired: false),
          ]))
    #expect(
      configuration.walkers.walkers[1]
        == WalkerConfiguration(
          name: "open", url: "http://[::1]:1/o", requiresAuthentication: false, methods: [.post]))
    #expect(configuration.accounts.file == "users")
    #expect(configuration.hooks.connected == "http://a" && configuration.hooks.disconnected == "http://b/")
    #expect(configuration.hooks.subscribed == "http://c?d")
    var backends = BackendsConfiguration()
    backends.timeoutMilliseconds = 11
    backends.connectTimeoutMilliseconds = 12
    backends.responseBytesMax = 2_048
    backends.concurrencyMax = 1
    backends.queueMax = 0
    backends.retriesMax = 0
    backends.secret = Secret("s")
    #expect(configuration.backends == backends)
    #expect(configuration.namesBackends)
  }

  @Test("the environment and flags reach it too, under the names that the seeds use")
  func environment() throws {
    let configuration = try load(
      environment: [
        "JWT_EXPIRATION_SECONDS": "120", "MARTLET_ACCOUNTS_FILE": "/tmp/users", "MARTLET_BACKENDS_SECRET": "x",
        "MARTLET_HANDLERS_REQUESTS": "{ a: 'http://h' }", "MARTLET_HANDLERS_OPEN_TOKENS": "true",
        "MARTLET_WALKERS_WALKERS": "{ w: { url: 'http://h' } }",
      ],
      flags: [("hooks.connected", "http://h/c"), ("events.handlers", "{ e: 'http://h/e' }")])
    #expect(configuration.sessions.tokenTtlSeconds == 120 && configuration.accounts.file == "/tmp/users")
    #expect(configuration.backends.secret == Secret("x") && configuration.handlers.openTokens)
    #expect(
      configuration.handlers.requests == ["a": "http://h"] && configuration.events.handlers == ["e": "http://h/e"])
    #expect(configuration.walkers.walkers.map(\.url) == ["http://h"] && configuration.hooks.connected == "http://h/c")
    #expect(Setting.named("accounts.file")?.flag?.name == "--user-file")
  }

  @Test("PORT and WEBSOCKET_PORT choose the ports of events among the seeds' ports")
  func ports() throws {
    let profile = [("profile", "seed-ports")]
    func ports(_ environment: [String: String]) throws -> [String] {
      try load(environment: environment, flags: profile).listeners.map { "\($0.address)" }
    }
    let fixed = ["0.0.0.0:8081", "0.0.0.0:8000"]
    #expect(try ports([:]) == ["0.0.0.0:8080", "0.0.0.0:3000", "0.0.0.0:3500"] + fixed)
    #expect(
      try ports(["PORT": "3100", "WEBSOCKET_PORT": "3600"]) == ["0.0.0.0:8080", "0.0.0.0:3100", "0.0.0.0:3600"] + fixed)
  }

  @Test(
    "a mistake is named by its key",
    arguments: [
      ("{handlers:{requests:7}}", "handlers.requests: expected an object of request types and URLs, got 7"),
      ("{handlers:{requests:{a:7}}}", "handlers.requests.a: expected a URL, got 7"),
      ("{events:{handlers:{a:'ftp://h'}}}", "events.handlers.a: expected a URL such as http://"),
      ("{handlers:{requests:{'':'http://h'}}}", "handlers.requests.\"\": expected a name of 1...255 bytes"),
      ("{handlers:{openTokens:1}}", "handlers.openTokens: expected true or false, got 1"),
      ("{handlers:{tokenTtlSeconds:0}}", "handlers.tokenTtlSeconds: expected 1...315360000, got 0"),
      ("{walkers:{walkers:[]}}", "walkers.walkers: expected an object of walkers by name, got a list"),
      ("{walkers:{walkers:{w:1}}}", "walkers.walkers.w: expected an object, got 1"),
      ("{walkers:{walkers:{w:{}}}}", "walkers.walkers.w.url: expected a URL, got nothing"),
      ("{walkers:{walkers:{'a/b':{url:'http://h'}}}}", "walkers.walkers.a/b: expected a name of letters, digits"),
      ("{walkers:{walkers:{'..':{url:'http://h'}}}}", "walkers.walkers...: expected a name of letters, digits"),
      (
        "{walkers:{walkers:{w:{url:'http://h',field:{}}}}}",
        "walkers.walkers.w.field: unknown key, did you mean \"fields\"?"
      ),
      (
        "{walkers:{walkers:{w:{url:'http://h',fields:{a:'int'}}}}}",
        "walkers.walkers.w.fields.a: expected one of string, integer, number, boolean, object, list, any, with"
      ),
      (
        "{walkers:{walkers:{w:{url:'http://h',methods:['get']}}}}",
        "walkers.walkers.w.methods: expected a list of \"websocket\" and \"post\", one or both"
      ),
      ("{walkers:{walkers:{w:{url:'http://h',methods:[]}}}}", "walkers.walkers.w.methods: expected a list"),
      (
        "{walkers:{walkers:{w:{url:'http://h',requiresAuthentication:'no'}}}}",
        "walkers.walkers.w.requiresAuthentication: expected true or false, got \"no\""
      ),
      ("{accounts:{file:''}}", "accounts.file: expected the path of a file, got \"\""),
      ("{hooks:{connected:'h'}}", "hooks.connected: expected a URL such as http://"),
      ("{backends:{retriesMax:11}}", "backends.retriesMax: expected 0...10, got 11"),
    ])
  func mistakesAreNamed(_ file: String, _ expected: String) {
    let found = mistakes(file: file)
    #expect(found.count == 1 && found[0].contains(": " + expected), "found \(found)")
  }

  @Test(
    "a URL is http or https with a host, nothing else",
    arguments: [
      ("http://a", true), ("https://api.example.com/path?x=1&y=%20", true), ("HTTP://A:1", true),
      ("http://[::1]", true), ("http://[2001:db8::1]:8080/x", true), ("http://127.0.0.1:65535/", true),
      ("http://a_b-c.d?x", true),
      ("", false), ("a", false), ("//a", false), ("http:/a", false), ("http://", false), ("http:///a", false),
      ("http://:80", false), ("ftp://a", false), ("ws://a", false), ("file:///etc/passwd", false),
      ("http://u:p@h/", false), ("http://h#f", false), ("http://h:", false), ("http://h:0", false),
      ("http://h:65536", false), ("http://h:+1", false), ("http://h:1a", false), ("http://h h", false),
      ("http://h/\u{7f}", false), ("http://h/é", false), ("http://[::1", false), ("http://[x]", false),
      ("http://[::1]x", false), ("http://a%20b", false), ("http://a\\b", false), ("unix:/a", false),
    ])
  func urls(_ text: String, _ isGood: Bool) {
    #expect((Check.url(text) == nil) == isGood)
  }

  @Test("a mistake in a URL shows nothing of it")
  func hidden() {
    let found = mistakes(file: "{hooks:{connected:'http://u:hunter2@h'},events:{handlers:{a:'x?hunter2'}}}")
    #expect(found.count == 2 && !found.joined().contains("hunter2"))
  }

  @Test("the secret of the backends is needed where a URL is named, and must be good outside development")
  func secret() throws {
    let named = "{hooks:{connected:'http://h'}}"
    #expect(try load().checkBackendsSecret().isEmpty)
    #expect(
      try load(file: named).checkBackendsSecret().map(\.key) == ["backends.secret"])
    #expect(try load(file: named).checkBackendsSecret(isRequired: false).isEmpty)
    for (secret, count) in [("short", 1), ("6f1c0e9b7a5d4832c1b0a9f8e7d6c5b4", 0)] {
      let configuration = try load(file: named, environment: ["MARTLET_BACKENDS_SECRET": secret])
      #expect(configuration.checkBackendsSecret().count == count)
    }
    #expect(try load(file: named).checkSecrets(of: Dialect.allCases).allSatisfy { $0.key != "backends.secret" })
  }

  @Test("development makes a secret up for the backends where a URL is named")
  func madeUp() throws {
    let path = "/tmp/martlet-test-\(UInt64.random(in: 0 ... .max))"
    defer { removeDirectory(path) }
    var configuration = try load(file: "{hooks:{connected:'http://h'}}", flags: [("development", "true")])
    let filled = try DevelopmentSecrets(directory: path).fill(&configuration)
    #expect(filled.last?.environment == "MARTLET_BACKENDS_SECRET" && filled.last?.dialect == nil)
    #expect(configuration.backends.secret?.text.utf8.count == 64)
  }
}
