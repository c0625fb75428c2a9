// What an operator decided about the application behind the gateway: its users and its HTTP endpoints. Plain values,
// made once at start-up.

/// Who may log in.
public struct AccountsConfiguration: Sendable, Equatable {
  /// The file that `martlet user` keeps, or nil for none. Default none: then nobody can log in outside development.
  public var file: String?

  /// The defaults.
  public init() {}
}

/// How the application's HTTP endpoints are called.
public struct BackendsConfiguration: Sendable, Equatable {
  /// The key that signs every call. Non-nil after loading wherever a URL is named.
  public var secret: Secret?
  /// Milliseconds from the beginning of a call to the end of its answer. Default 10 000.
  public var timeoutMilliseconds = 10_000
  /// Milliseconds to connect in. Default 2 000.
  public var connectTimeoutMilliseconds = 2_000
  /// Longest body of an answer in bytes. Default 1 048 576, the longest message.
  public var responseBytesMax = 1_048_576
  /// Calls under way at a time, to each back end (scheme, host and port). Default 64.
  public var concurrencyMax = 64
  /// Calls that may wait for one of those to end, for each back end; more fail at once. Default 1 024.
  public var queueMax = 1_024
  /// Further attempts of a call that could not be made. Default 2.
  public var retriesMax = 2

  /// The defaults.
  public init() {}
}

/// Endpoints that are told of connections. Each a URL, or nil for none, the default.
public struct HooksConfiguration: Sendable, Equatable {
  /// A client has connected.
  public var connected: String?
  /// A client has gone.
  public var disconnected: String?
  /// A client has subscribed.
  public var subscribed: String?

  /// The defaults.
  public init() {}
}

extension Configuration {
  /// Whether some URL of the application is named, so that calls are made and `backends.secret` is needed.
  public var namesBackends: Bool {
    !handlers.requests.isEmpty || !events.handlers.isEmpty || !walkers.walkers.isEmpty || hooks.connected != nil
      || hooks.disconnected != nil || hooks.subscribed != nil
  }
}
