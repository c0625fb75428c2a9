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

/// The AI service that answers `ai:chat`: any server that speaks OpenAI's chat completions.
public struct AIConfiguration: Sendable, Equatable {
  /// Where the service is, without `/v1/chat/completions`; nil for none, the default: then the built-in responder
  /// answers.
  public var baseURL: String?
  /// The model to ask. Non-nil after loading wherever `baseURL` is.
  public var model: String?
  /// What the service knows the operator by, or nil for none.
  public var key: Secret?
  /// What the model is told before anything else, or nil for nothing.
  public var systemPrompt: String?
  /// Milliseconds from the question to the end of its answer, waiting included. Default 120 000.
  public var timeoutMilliseconds = 120_000
  /// Milliseconds of silence, before an answer begins and within it. Default 30 000.
  public var idleTimeoutMilliseconds = 30_000
  /// Answers under way at a time. Default 32.
  public var concurrencyMax = 32
  /// Messages of a conversation's history that go along. Default 32.
  public var historyMessagesMax = 32
  /// Bytes of those messages together. Default 32 768.
  public var historyBytesMax = 32_768

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
