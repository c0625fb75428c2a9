// The settings of the dialects and of the application behind the gateway. Constants.

extension Setting {
  static let dialects: [Setting] = [
    Setting(
      "handlers.jwtSecret", .secret(\.configuration.handlers.jwtSecret), secretExample, exampleIsDefault: false,
      environment: "HANDLERS_JWT_SECRET", "Signs the tokens of handlers clients, at least 32 bytes."),
    Setting(
      "handlers.openTokens", .optionalBoolean(\.openTokens), "false", exampleIsDefault: false,
      "Whether GET /get-token gives a token to anyone who asks. Default false, and true in development."),
    Setting(
      "handlers.tokenTtlSeconds", .integer(Limits.tokenTtlRange, \.configuration.handlers.tokenTtlSeconds), "3600",
      "How long a token of GET /get-token is valid."),
    Setting(
      "handlers.requests", .urls("request types", \.configuration.handlers.requests), "{}",
      "Request types that an HTTP endpoint answers: { \"order\": \"http://127.0.0.1:8000/order\" }."),
    Setting(
      "channels.jwtSecret", .secret(\.configuration.channels.jwtSecret), secretExample, exampleIsDefault: false,
      environment: "NEXUS_JWT_SECRET", "Signs the tokens of channels clients, at least 32 bytes."),
    Setting(
      "channels.staticTokens", .tokens(\.configuration.channels.staticTokens), "{}",
      "Literal tokens and the user each stands for, for tests: { \"test-token\": \"usr_123\" }."),
    Setting(
      "channels.welcomeMessage", .greeting(\.configuration.channels.welcomeMessage),
      "\"Welcome to Nexus WebSocket\"", "The message of the first message that a client gets."),
    Setting(
      "channels.telemetryIntervalMilliseconds",
      .integer(Limits.telemetryRange, \.configuration.channels.telemetryIntervalMilliseconds), "5000",
      "Between system_health broadcasts on the channel telemetry; 0 for none."),
    Setting(
      "events.sessionTtlSeconds", .integer(Limits.tokenTtlRange, \.configuration.events.sessionTtlSeconds),
      "2592000", "How long a session of POST /api/auth/acquire-session is valid. 30 days."),
    Setting(
      "events.serverName", .greeting(\.configuration.events.serverName), "\"YektaYar API Server\"",
      "The server's name in status_response."),
    Setting(
      "events.productName", .greeting(\.configuration.events.productName), "\"YektaYar API\"",
      "The product's name in info_response."),
    Setting(
      "events.infoMessage", .greeting(\.configuration.events.infoMessage), "\"YektaYar WebSocket Server\"",
      "The message of the page at GET /."),
    Setting("events.version", .greeting(\.configuration.events.version), "\"0.1.0\"", "The version in all of these."),
    Setting(
      "events.welcomeMessage", .greeting(\.configuration.events.welcomeMessage),
      "\"Connected to YektaYar server\"", "How the message of the first event, connected, begins."),
    Setting(
      "events.handlers", .urls("events", \.configuration.events.handlers), "{}",
      "Events that an HTTP endpoint answers: { \"order\": \"http://127.0.0.1:8000/order\" }."),
    Setting(
      "events.pingIntervalMilliseconds",
      .integer(Limits.enginePingIntervalRange, \.configuration.events.pingIntervalMilliseconds), "25000",
      "Between two pings to a Socket.IO client, which is told so."),
    Setting(
      "events.pingTimeoutMilliseconds",
      .integer(Limits.enginePingTimeoutRange, \.configuration.events.pingTimeoutMilliseconds), "20000",
      "In which a Socket.IO client must answer a ping."),
    Setting(
      "events.joinTimeoutMilliseconds",
      .integer(Limits.engineTimeoutRange, \.configuration.events.joinTimeoutMilliseconds), "45000",
      "In which a Socket.IO client must have joined a namespace."),
    Setting(
      "events.upgradeTimeoutMilliseconds",
      .integer(Limits.engineTimeoutRange, \.configuration.events.upgradeTimeoutMilliseconds), "10000",
      "In which a Socket.IO client that polls must have gone over to its WebSocket, once it has opened one."),
    Setting(
      "events.payloadBytesMax", .integer(Limits.enginePayloadRange, \.configuration.events.payloadBytesMax),
      "1000000", "Largest payload and packet in bytes that a Socket.IO client may send, which is told so."),
    Setting(
      "sessions.jwtSecret", .secret(\.configuration.sessions.jwtSecret), secretExample, exampleIsDefault: false,
      environment: "JWT_SECRET_KEY", "Signs the tokens of sessions clients, at least 32 bytes."),
    Setting(
      "sessions.allowsAnonymous", .optionalBoolean(\.allowsAnonymous), "false", exampleIsDefault: false,
      "Whether clients may connect without a token. Default false, and true in development."),
    Setting(
      "sessions.tokenTtlSeconds", .integer(Limits.tokenTtlRange, \.configuration.sessions.tokenTtlSeconds), "3600",
      environment: "JWT_EXPIRATION_SECONDS", "How long a token of POST /auth/token is valid."),
    Setting(
      "walkers.tokenSecret", .secret(\.configuration.walkers.tokenSecret), secretExample, exampleIsDefault: false,
      environment: "TOKEN_SECRET", "Signs the tokens of walkers clients, at least 32 bytes."),
    Setting(
      "walkers.allowsRegistration", .optionalBoolean(\.allowsRegistration), "false", exampleIsDefault: false,
      "Whether POST /user/register makes a user of anyone who asks. Default false, and true in development."),
    Setting(
      "walkers.anonymous",
      .choice(WalkersAnonymous.allCases.map(\.rawValue)) { $0.walkersAnonymous = WalkersAnonymous(rawValue: $1)! },
      "\"receive\"", exampleIsDefault: false,
      "Clients without a token: full (send to others too), receive, no (refused). Default receive; full in development "
        + "and in seed-ports."),
    Setting(
      "walkers.tokenTtlSeconds", .integer(Limits.tokenTtlRange, \.configuration.walkers.tokenTtlSeconds), "43200",
      "How long a token of POST /user/login is valid. 12 hours."),
    Setting(
      "walkers.walkers", .walkers(\.configuration.walkers.walkers), "{}",
      "Walkers that an HTTP endpoint runs: { \"greet\": { url: \"http://127.0.0.1:8000/greet\", fields: { \"name\": "
        + "\"string\", \"times\": \"integer?\" }, requiresAuthentication: true, methods: [\"websocket\", \"post\"] } }."
    ),
  ]

  static let application: [Setting] = [
    Setting(
      "accounts.file", .text(Check.filePath, \.configuration.accounts.file), "\"/var/lib/martlet/users\"",
      exampleIsDefault: false, flag: .value("--user-file", "FILE"),
      "The users who may log in, kept with: martlet user add NAME. Default none."),
    Setting(
      "backends.secret", .secret(\.configuration.backends.secret), secretExample, exampleIsDefault: false,
      "Signs the calls of the application's endpoints, at least 32 bytes. Needed where a URL is named."),
    Setting(
      "backends.timeoutMilliseconds",
      .integer(Limits.backendTimeoutRange, \.configuration.backends.timeoutMilliseconds), "10000",
      "From the beginning of a call to the end of its answer."),
    Setting(
      "backends.connectTimeoutMilliseconds",
      .integer(Limits.backendTimeoutRange, \.configuration.backends.connectTimeoutMilliseconds), "2000",
      "To connect in."),
    Setting(
      "backends.responseBytesMax",
      .integer(Limits.backendResponseBytesRange, \.configuration.backends.responseBytesMax), "1048576",
      "Longest body of an answer in bytes."),
    Setting(
      "backends.concurrencyMax", .integer(Limits.backendConcurrencyRange, \.configuration.backends.concurrencyMax),
      "64", "Calls under way at a time, to each back end (scheme, host and port)."),
    Setting(
      "backends.queueMax", .integer(Limits.backendQueueRange, \.configuration.backends.queueMax), "1024",
      "Calls that may wait for one of those to end; more fail at once."),
    Setting(
      "backends.retriesMax", .integer(Limits.backendRetriesRange, \.configuration.backends.retriesMax), "2",
      "Further attempts of a call that could not be made."),
    Setting(
      "ai.baseURL", .url(\.configuration.ai.baseURL), "\"https://api.openai.com\"", exampleIsDefault: false,
      environment: "MARTLET_AI_BASE_URL",
      "AI service that answers ai:chat: a server with OpenAI's /v1/chat/completions. Default none: a built-in sentence."
    ),
    Setting(
      "ai.model", .text(Check.model, \.configuration.ai.model), "\"gpt-4o-mini\"", exampleIsDefault: false,
      "The model that is asked. Needed where ai.baseURL is set."),
    Setting(
      "ai.key", .secret(\.configuration.ai.key), "\"sk-...\"", exampleIsDefault: false,
      otherEnvironment: "OPENAI_API_KEY",
      "Sent to the AI service as a bearer token. Default none. Also read from OPENAI_API_KEY."),
    Setting(
      "ai.systemPrompt", .text(Check.systemPrompt, \.configuration.ai.systemPrompt),
      "\"You are the assistant of our shop.\"", exampleIsDefault: false,
      "What the model is told before anything else. With it, system messages of clients are left out."),
    Setting(
      "ai.timeoutMilliseconds", .integer(Limits.backendTimeoutRange, \.configuration.ai.timeoutMilliseconds), "120000",
      "From a question to the end of its answer, waiting for a place included."),
    Setting(
      "ai.idleTimeoutMilliseconds",
      .integer(Limits.backendTimeoutRange, \.configuration.ai.idleTimeoutMilliseconds), "30000",
      "Silence of the AI service, before an answer begins and within it."),
    Setting(
      "ai.concurrencyMax", .integer(Limits.backendConcurrencyRange, \.configuration.ai.concurrencyMax), "32",
      "Answers under way at a time; further questions wait."),
    Setting(
      "ai.historyMessagesMax", .integer(Limits.historyMessagesRange, \.configuration.ai.historyMessagesMax), "32",
      "Messages of conversationHistory that go along, the newest; 0 for none."),
    Setting(
      "ai.historyBytesMax", .integer(Limits.historyBytesRange, \.configuration.ai.historyBytesMax), "32768",
      "Bytes of those messages together."),
    Setting(
      "hooks.connected", .url(\.configuration.hooks.connected), "\"http://127.0.0.1:8000/connected\"",
      exampleIsDefault: false, "Endpoint that is told of each client that connects. Default none."),
    Setting(
      "hooks.disconnected", .url(\.configuration.hooks.disconnected), "\"http://127.0.0.1:8000/disconnected\"",
      exampleIsDefault: false, "Endpoint that is told of each client that goes. Default none."),
    Setting(
      "hooks.subscribed", .url(\.configuration.hooks.subscribed), "\"http://127.0.0.1:8000/subscribed\"",
      exampleIsDefault: false, "Endpoint that is told of each subscription. Default none."),
  ]
}
