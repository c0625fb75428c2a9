// What an operator decided about each dialect: plain values, made once at start-up and shared read-only by every
// reactor.

/// Settings of the `handlers` dialect (PROTOCOLS 1).
public struct HandlersConfiguration: Sendable {
  /// The HS256 secret, `HANDLERS_JWT_SECRET`. Non-nil after loading wherever the dialect is mounted and served.
  public var jwtSecret: Secret?
  /// Whether `GET /get-token` gives a token to anyone who asks. Default off; on in development.
  public var openTokens = false
  /// Seconds that a token of `GET /get-token` is valid. Default 3 600 (PROTOCOLS 1.1).
  public var tokenTtlSeconds = 3_600
  /// Request types that an HTTP endpoint answers, each with its URL. Default none.
  public var requests: [String: String] = [:]

  /// The defaults.
  public init() {}
}

/// Settings of the `channels` dialect (PROTOCOLS 2).
public struct ChannelsConfiguration: Sendable {
  /// The HS256 secret, `NEXUS_JWT_SECRET`. Non-nil after loading wherever the dialect is mounted and served.
  public var jwtSecret: Secret?
  /// Literal tokens and the user id each stands for. Default none (off).
  public var staticTokens: [String: String] = [:]
  /// The `message` of the first message that the server sends. Default "Welcome to Nexus WebSocket".
  public var welcomeMessage = "Welcome to Nexus WebSocket"
  /// Milliseconds between `system_health` broadcasts on the channel `telemetry`; 0 for none. Default 5 000.
  public var telemetryIntervalMilliseconds = 5_000

  /// The defaults.
  public init() {}
}

/// Settings of the `events` dialect (PROTOCOLS 3).
public struct EventsConfiguration: Sendable {
  /// Seconds that a session of `POST /api/auth/acquire-session` is valid. Default 2 592 000, which is 30 days.
  public var sessionTtlSeconds = 2_592_000
  /// The server's name in `status_response`. Default "YektaYar API Server".
  public var serverName = "YektaYar API Server"
  /// The product's name in `info_response`. Default "YektaYar API".
  public var productName = "YektaYar API"
  /// The `message` of the page at `GET /`. Default "YektaYar WebSocket Server".
  public var infoMessage = "YektaYar WebSocket Server"
  /// The version that clients are told. Default "0.1.0".
  public var version = "0.1.0"
  /// How the `message` of `connected` begins. Default "Connected to YektaYar server".
  public var welcomeMessage = "Connected to YektaYar server"
  /// Events that an HTTP endpoint answers, each with its URL. Default none.
  public var handlers: [String: String] = [:]
  /// Milliseconds between two Engine.IO pings to a Socket.IO client. Default 25 000 (PROTOCOLS 3.5).
  public var pingIntervalMilliseconds = 25_000
  /// Milliseconds in which such a ping must be answered. Default 20 000.
  public var pingTimeoutMilliseconds = 20_000
  /// Milliseconds in which a Socket.IO client must have joined a namespace. Default 45 000.
  public var joinTimeoutMilliseconds = 45_000
  /// Milliseconds in which an upgrade from polling to a WebSocket must be finished. Default 10 000.
  public var upgradeTimeoutMilliseconds = 10_000
  /// Bytes of the largest payload and packet that a Socket.IO client may send. Default 1 000 000.
  public var payloadBytesMax = 1_000_000

  /// The defaults.
  public init() {}
}

/// Settings of the `sessions` dialect (PROTOCOLS 4).
public struct SessionsConfiguration: Sendable {
  /// The HS256 secret, `JWT_SECRET_KEY`. Non-nil after loading wherever the dialect is mounted and served.
  public var jwtSecret: Secret?
  /// Whether a client may connect without a token. Default off; on in development.
  public var allowsAnonymous = false
  /// Seconds that a token of `POST /auth/token` is valid, `JWT_EXPIRATION_SECONDS`. Default 3 600 (PROTOCOLS 4.1).
  public var tokenTtlSeconds = 3_600

  /// The defaults.
  public init() {}
}

/// Settings of the `walkers` dialect (PROTOCOLS 5).
public struct WalkersConfiguration: Sendable {
  /// The HS256 secret, `TOKEN_SECRET`. Non-nil after loading wherever the dialect is mounted and served.
  public var tokenSecret: Secret?
  /// Whether `POST /user/register` makes a user of anyone who asks. Default off; on in development.
  public var allowsRegistration = false
  /// What clients without a token may do. Default `receive`; `full` in development and in the seed-ports profile.
  public var anonymous = WalkersAnonymous.receive
  /// Seconds that a token of `POST /user/login` is valid. Default 43 200, which is 12 hours (PROTOCOLS 5.4).
  public var tokenTtlSeconds = 43_200
  /// Walkers that an HTTP endpoint runs, in the order of their names. Default none.
  public var walkers: [WalkerConfiguration] = []

  /// The defaults.
  public init() {}
}

/// What the public user of the `walkers` dialect may do (PROTOCOLS 9 on 5.2).
public enum WalkersAnonymous: String, Sendable, CaseIterable {
  /// Everything but walkers that ask for a user: whoever reaches the gateway can send to everyone whose id is known.
  case full
  /// Connect and receive; run walkers that are open to all. Nothing of it reaches others.
  case receive
  /// Nothing: a token is needed to connect and to run any walker.
  case no
}

/// A walker that an HTTP endpoint runs (PROTOCOLS 5.3).
public struct WalkerConfiguration: Sendable, Equatable {
  /// How a walker may be reached.
  public enum Method: String, Sendable, CaseIterable {
    /// By a `walker` event on a socket.
    case websocket
    /// By `POST /walker/NAME`.
    case post
  }

  /// What a member of the context must be.
  public enum FieldType: String, Sendable, CaseIterable {
    case string, integer, number, boolean, object, list, any
  }

  /// A member of the context.
  public struct Field: Sendable, Equatable {
    /// The member's name.
    public var name: String
    /// What its value must be.
    public var type: FieldType
    /// Whether it must be there. Default yes; written with a trailing `?` otherwise.
    public var isRequired: Bool

    /// A member of the context.
    public init(name: String, type: FieldType, isRequired: Bool = true) {
      self.name = name
      self.type = type
      self.isRequired = isRequired
    }
  }

  /// What clients call it.
  public var name: String
  /// Where the context is posted.
  public var url: String
  /// The members of the context that are checked, in the order of their names. Default none.
  public var fields: [Field]
  /// Whether the public user may not run it. Default yes.
  public var requiresAuthentication: Bool
  /// How it may be reached. Default both.
  public var methods: Set<Method>

  /// A walker with the defaults of the dialect.
  public init(
    name: String, url: String, fields: [Field] = [], requiresAuthentication: Bool = true,
    methods: Set<Method> = [.websocket, .post]
  ) {
    self.name = name
    self.url = url
    self.fields = fields
    self.requiresAuthentication = requiresAuthentication
    self.methods = methods
  }
}
