// The names that the configuration uses for what is served: dialects, mount targets and profiles. Immutable values.

/// A client protocol, or the development echo.
public enum Dialect: UInt8, Sendable, CaseIterable {
  /// Typed request handlers (PROTOCOLS 1).
  case handlers
  /// Subscribe and publish with filters (PROTOCOLS 2).
  case channels
  /// Named events, natively and over Socket.IO (PROTOCOLS 3).
  case events
  /// Text commands and session-isolated topics (PROTOCOLS 4).
  case sessions
  /// Walkers, users, channels, clients (PROTOCOLS 5).
  case walkers
  /// Raw WebSocket echo for conformance suites; mounted in development only.
  case echo

  /// The name in the configuration and on the command line.
  public var name: String {
    switch self {
    case .handlers: "handlers"
    case .channels: "channels"
    case .events: "events"
    case .sessions: "sessions"
    case .walkers: "walkers"
    case .echo: "echo"
    }
  }

  /// The dialect of a name, or nil.
  public init?(name: String) {
    guard let match = Dialect.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }
}

/// Who answers a request that a mount matched.
public enum MountTarget: Sendable, Equatable {
  /// One dialect.
  case dialect(Dialect)
  /// Both on one path: a request with `Sec-WebSocket-Protocol` is for handlers, any other for channels (PROTOCOLS 6.3).
  case handlersAndChannels

  /// The name in the configuration.
  public var name: String {
    switch self {
    case .dialect(let dialect): dialect.name
    case .handlersAndChannels: "handlers+channels"
    }
  }

  /// The target of a name, or nil.
  public init?(name: String) {
    if name == "handlers+channels" {
      self = .handlersAndChannels
    } else if let dialect = Dialect(name: name) {
      self = .dialect(dialect)
    } else {
      return nil
    }
  }

  /// The dialects it stands for.
  public var dialects: [Dialect] {
    switch self {
    case .dialect(let dialect): [dialect]
    case .handlersAndChannels: [.handlers, .channels]
    }
  }
}

/// A ready-made set of listeners and mounts (PROTOCOLS 6.3).
public enum Profile: String, Sendable, CaseIterable {
  /// Everything on one address, under canonical paths.
  case onePort = "one-port"
  /// Every dialect on the port that its clients know.
  case seedPorts = "seed-ports"
}
