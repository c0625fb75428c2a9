// The list of all settings. Constants.

extension Setting {
  /// Every setting, in the order of `default-config` and the help.
  public static let all: [Setting] =
    general + listening + proxies + behaviour + compression + dialects + application + limits

  /// The setting of a key, or nil.
  static func named(_ key: String) -> Setting? { all.first { $0.key == key } }

  private static let general: [Setting] = [
    Setting(
      "development", .boolean(\.configuration.development), "false", flag: .constant("--dev", "true"),
      "Development mode: generated secrets, localhost origins, open token endpoints, an echo at /echo."),
    Setting(
      "profile", .choice(Profile.allCases.map(\.rawValue)) { $0.configuration.profile = Profile(rawValue: $1)! },
      "\"one-port\"", flag: .value("--profile", "NAME"),
      "one-port: every dialect on one address; seed-ports: each on the port that its clients know."),
  ]

  private static let listening: [Setting] = [
    Setting(
      "host", .text(Check.host, \.host), "\"0.0.0.0\"", exampleIsDefault: false, flag: .value("--host", "ADDRESS"),
      "Numeric address to listen on. Default 0.0.0.0, and 127.0.0.1 in development."),
    Setting(
      "port", .optionalInteger(0...65_535, \.port), "8080", exampleIsDefault: false, environment: "PORT",
      otherEnvironment: "MARTLET_PORT", flag: .value("--port", "PORT"),
      "TCP port to listen on, default 8080; 0 lets the system choose a free one. In seed-ports: instead of 3000."),
    Setting(
      "websocketPort", .optionalInteger(0...65_535, \.websocketPort), "3500", exampleIsDefault: false,
      environment: "WEBSOCKET_PORT", "In the seed-ports profile, the second port of events, instead of 3500."),
    Setting(
      "unixPath", .text(Check.unixPath, \.unixPath), "\"/run/martlet/gateway.sock\"", exampleIsDefault: false,
      flag: .value("--unix", "PATH"),
      "Unix-domain socket to listen on, instead of TCP unless host or port is set too."),
    Setting(
      "unixMode", .fileMode(\.unixMode), "\"0660\"", "Permissions of the socket file, octal in a string."),
    Setting(
      "rootOwner", .choice(owners + ["handlers+channels"]) { $0.configuration.rootOwner = MountTarget(name: $1)! },
      "\"handlers+channels\"", "Who answers / in the one-port profile."),
    Setting(
      "wsOwner", .choice(owners) { $0.configuration.wsOwner = MountTarget(name: $1)! }, "\"sessions\"",
      "Who answers /ws in the one-port profile."),
    Setting(
      "listeners", .listeners,
      "[{ host: \"0.0.0.0\", port: 8080, mounts: [{ path: \"/chat/*\", dialect: \"channels\" }] }]",
      exampleIsDefault: false,
      "Listeners with mounts of your own, instead of a profile. An address is host and port, or unix and mode; "
        + "a listener may say proxyProtocol: true, a mount compression: false."),
    Setting(
      "admin.enabled", .boolean(\.adminEnabled), "true", flag: .constant("--no-admin", "false"),
      "Whether /livez, /readyz and /metrics are served, on a listener of their own."),
    Setting(
      "admin.host", .text(Check.host, \.adminHost), "\"127.0.0.1\"", flag: .value("--admin-host", "ADDRESS"),
      "Numeric address of the admin listener. It has no authentication."),
    Setting(
      "admin.port", .integer(0...65_535, \.adminPort), "9090", flag: .value("--admin-port", "PORT"),
      "Port of the admin listener; 0 lets the system choose one."),
  ]

  private static let proxies: [Setting] = [
    Setting(
      "proxyProtocol", .boolean(\.proxyProtocol), "false", flag: .constant("--proxy-protocol", "true"),
      "Every connection begins with a PROXY protocol header. For listeners that proxies alone can reach."),
    Setting(
      "trustedProxies", .texts("addresses and ranges", Check.addressRanges, \.configuration.trustedProxies), "[]",
      "Peers whose X-Forwarded-For is believed: \"10.0.0.0/8\", \"::1\", \"unix\" for Unix-domain peers."),
    Setting(
      "exemptsLocalAddresses", .boolean(\.configuration.exemptsLocalAddresses), "true",
      "Leave loopback and Unix-domain peers out of the limits by address; they mostly are a proxy."),
  ]

  private static let compression: [Setting] = [
    Setting(
      "compression.enabled", .boolean(\.configuration.compression.enabled), "true",
      "Compress messages for clients that offer permessage-deflate. A mount can say compression: false."),
    Setting(
      "compression.contextTakeover", .boolean(\.configuration.compression.contextTakeover), "false",
      "Keep a window for each connection: smaller messages for much memory, and no broadcast compressed once for all."),
    Setting(
      "compression.thresholdBytes",
      .integer(Limits.compressionThresholdRange, \.configuration.compression.thresholdBytes), "256",
      "Messages shorter than this are sent plain."),
    Setting(
      "compression.level", .integer(Limits.compressionLevelRange, \.configuration.compression.level), "1",
      "Effort, as zlib counts. On short JSON more of it saves next to nothing."),
    Setting(
      "compression.windowBits", .integer(Limits.compressionWindowBitsRange, \.configuration.compression.windowBits),
      "15", "Base-two logarithm of the largest window. A smaller one takes less memory."),
  ]

  private static let behaviour: [Setting] = [
    Setting(
      "reactorCount", .integer(Limits.reactorCountRange, \.configuration.reactorCount), "0",
      flag: .value("--reactors", "N"), "Event loops, each with its own thread; 0 for one per core."),
    Setting(
      "pinsReactors", .boolean(\.configuration.pinsReactors), "false", flag: .constant("--pin", "true"),
      "Keep each event loop on one core. Helps only where nothing else runs on the machine."),
    Setting(
      "connectionsMax", .optionalInteger(Limits.connectionsMaxRange, \.connectionsMax), "10000",
      exampleIsDefault: false, flag: .value("--max-connections", "N"),
      "Most client connections at a time. Default: what the limit of open files allows."),
    Setting(
      "heartbeatIntervalMilliseconds", .integer(Limits.heartbeatRange, \.configuration.heartbeatIntervalMilliseconds),
      "30000", "Between pings to a client; one that has not answered by the next is dropped."),
    Setting(
      "slowConsumerPolicy",
      .choice(SlowConsumerPolicy.allCases.map(\.rawValue)) {
        $0.configuration.slowConsumerPolicy = SlowConsumerPolicy(rawValue: $1)!
      }, "\"close\"", "A subscriber that reads too slowly: close it with 3008, or drop its newest messages."),
    Setting(
      "corsOrigins", .texts("origins", Check.origins, \.configuration.corsOrigins), "[]", environment: "CORS_ORIGIN",
      "Origins browsers may come from besides the own host: \"https://app.example.com\", \"*.example.com\", \"*\"."),
    Setting(
      "logFormat",
      .choice(LogFormat.allCases.map(\.rawValue)) { $0.configuration.logFormat = LogFormat(rawValue: $1)! },
      "\"text\"", flag: .value("--log-format", "FORMAT"), "text or json, one line an event on standard error."),
    Setting(
      "logLevel",
      .choice(LogLevel.allCases.map(\.name)) { draft, name in
        draft.configuration.logLevel = LogLevel.allCases.first { $0.name == name }!
      }, "\"info\"", flag: .value("--log-level", "LEVEL"), "debug, info, warning or error."),
  ]

  private static let limits: [Setting] = Limits.table.map { rule in
    Setting(
      "limits.\(rule.name)", .limit(rule.range, rule.field), String(Limits()[keyPath: rule.field]), rule.reason)
  }

  private static let owners = ["handlers", "channels", "events", "sessions", "walkers"]
  static let secretExample = "\"the output of: openssl rand -hex 32\""
}
