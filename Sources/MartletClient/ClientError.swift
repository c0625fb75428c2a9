// What can go wrong in a client, and the states it goes through. Values; any thread.

/// Why a call on a client failed.
public enum ClientError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The URL cannot be used; the text says why.
  case invalidURL(String)
  /// A `wss://` or `https://` URL: this client has no TLS.
  case tlsUnsupported
  /// A channel, topic, client or session name that the dialect cannot carry; the text says why.
  case invalidName(String)
  /// A payload or filter that is not JSON as the gateway accepts it.
  case invalidJSON
  /// A message over `ClientOptions.messageBytesMax`.
  case messageTooBig(bytes: Int)
  /// The connection is down, and as many messages wait for it as the options allow.
  case queueFull
  /// More subscriptions than `ClientOptions.subscriptionsMax`.
  case tooManySubscriptions
  /// The gateway answered a subscription with an error; its text.
  case refused(String)
  /// The connection broke before the answer came.
  case disconnected
  /// The answer did not come in time.
  case timedOut
  /// The token endpoint answered with this HTTP status.
  case tokenRefused(status: Int)
  /// The token endpoint could not be reached, or its answer not be read; the text says why.
  case tokenUnavailable(String)
  /// The system refused what every client needs: an epoll instance, a thread.
  case system(String)
  /// The client has ended for good; make a new one to go on.
  case closed(ClosedReason)

  public var description: String {
    switch self {
    case .invalidURL(let why): "the URL cannot be used: \(why)"
    case .tlsUnsupported:
      "wss:// and https:// are not supported by this client: terminate TLS in front (a proxy such as nginx or stunnel "
        + "beside the client, reached over ws:// on loopback or ws+unix://)"
    case .invalidName(let why): "the name cannot be used: \(why)"
    case .invalidJSON: "not JSON that the gateway accepts"
    case .messageTooBig(let bytes): "a message of \(bytes) bytes is over the limit"
    case .queueFull: "not connected, and the queue of messages that wait for a connection is full"
    case .tooManySubscriptions: "too many subscriptions"
    case .refused(let text): "the gateway refused: \(text)"
    case .disconnected: "the connection broke before the answer came"
    case .timedOut: "no answer in time"
    case .tokenRefused(let status): "the token endpoint answered \(status)"
    case .tokenUnavailable(let why): "no token: \(why)"
    case .system(let what): "the system refused: \(what)"
    case .closed(let reason): "the client is closed: \(reason)"
    }
  }
}

/// Why a client has ended for good.
public enum ClosedReason: Sendable, Equatable, CustomStringConvertible {
  /// `close()` was called, or the client was released.
  case requested
  /// The gateway refused the handshake with an HTTP status that repeating does not change: 401 and 403 (the token),
  /// 404 (the path) and other client errors.
  case handshakeRefused(status: Int)
  /// The gateway closed with a code that says that reconnecting would not help (docs/CLOSE_CODES.md).
  case closedByServer(code: UInt16, reason: String)
  /// What answers does not speak WebSocket as RFC 6455 says.
  case protocolViolation(String)
  /// The token endpoint, or the token provider, refused.
  case credentialsRefused(String)
  /// `ClientOptions.attemptsMax` attempts in a row have failed; the last failure.
  case gaveUp(String)

  public var description: String {
    switch self {
    case .requested: "requested"
    case .handshakeRefused(let status): "the gateway answered the handshake with \(status)"
    case .closedByServer(let code, let reason): "the gateway closed with \(code) \(reason)"
    case .protocolViolation(let what): "protocol violation: \(what)"
    case .credentialsRefused(let what): "credentials refused: \(what)"
    case .gaveUp(let what): "gave up: \(what)"
    }
  }
}

/// What a client is doing.
public enum ConnectionState: Sendable, Equatable {
  /// `connect()` has not been called.
  case idle
  /// Getting a token, resolving the name, connecting or shaking hands.
  case connecting
  /// The connection stands.
  case open
  /// The connection failed; the next attempt comes at this time.
  case waiting(until: ContinuousClock.Instant)
  /// Ended for good.
  case closed(ClosedReason)
}

extension ClientError {
  /// Whether trying again cannot help.
  var isFinal: Bool {
    switch self {
    case .tokenRefused(let status): CloseAdvice(status: status) == .stop
    case .invalidURL, .tlsUnsupported, .invalidName, .closed: true
    default: false
    }
  }
}
