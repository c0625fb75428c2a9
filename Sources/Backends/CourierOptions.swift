// What a courier is told and what it tells: options, a request, the errors. Values, any thread.

/// The limits that one `Courier` keeps. Every value below 1 counts as 1, except `retriesMax` and `queueMax`, which may
/// be 0.
public struct CourierOptions: Sendable {
  /// Milliseconds from `send` to the last byte of the answer, waiting in the queue and retries included. What a person
  /// waits for an answer before trying again.
  public var timeoutMilliseconds = 10_000
  /// Milliseconds that a back end may be silent, from the beginning of an attempt to the first byte of the answer and
  /// from one byte to the next; nil for no such limit. Does not run while the reader has enough to read.
  public var idleTimeoutMilliseconds: Int?
  /// Milliseconds for one attempt to connect, name look-up and TLS handshake included. Back ends are near.
  public var connectTimeoutMilliseconds = 2_000
  /// Bytes of one answer's body. As much as a message to a client can hold.
  public var responseBytesMax = 1_048_576
  /// Transfers at the same time to one back end (scheme, host, port). As many workers as a back end commonly has; one
  /// that hangs does not take the places of another.
  public var concurrencyMax = 64
  /// Requests that wait for a place, for each back end. With the default concurrency and answers of 50 ms the last
  /// one waits less than a second.
  public var queueMax = 1_024
  /// Further attempts when the back end could not be connected to, so that nothing of the request was sent: it may be
  /// restarting.
  public var retriesMax = 2

  public init() {}

  public init(
    timeoutMilliseconds: Int, connectTimeoutMilliseconds: Int, responseBytesMax: Int, concurrencyMax: Int,
    queueMax: Int, retriesMax: Int
  ) {
    self.timeoutMilliseconds = timeoutMilliseconds
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.responseBytesMax = responseBytesMax
    self.concurrencyMax = concurrencyMax
    self.queueMax = queueMax
    self.retriesMax = retriesMax
  }
}

/// One HTTP request.
public struct CourierRequest: Sendable {
  /// An absolute `http:` or `https:` URL; anything else is `CourierError.cannotConnect`.
  public var url: String
  /// `GET` is sent without a body, everything else with one (perhaps empty).
  public var method = "POST"
  /// Names and values; neither may hold a line break.
  public var headers: [(String, String)]
  public var body: [UInt8]
  /// Milliseconds for this request instead of `CourierOptions.timeoutMilliseconds`.
  public var timeoutMilliseconds: Int?

  public init(
    url: String, method: String = "POST", headers: [(String, String)] = [], body: [UInt8] = [],
    timeoutMilliseconds: Int? = nil
  ) {
    self.url = url
    self.method = method
    self.headers = headers
    self.body = body
    self.timeoutMilliseconds = timeoutMilliseconds
  }
}

/// Why a request has no answer, or only the beginning of one. The texts are for logs, not for clients: they can name
/// hosts.
public enum CourierError: Error, Sendable, Equatable {
  /// Too many requests to this back end wait already. Nothing was sent.
  case queueFull
  /// No connection came about: refused, no route, no such host, TLS not verified, timed out, not an HTTP URL. Nothing
  /// was sent.
  case cannotConnect(String)
  /// The time for the whole exchange is over, or the back end was silent for too long. It may or may not have acted.
  case timedOut
  /// The head or the body of the answer is longer than its limit.
  case tooLarge
  /// The connection ended, or the system failed, before the answer was complete.
  case interrupted(String)
  /// The task that waited was cancelled.
  case cancelled
  /// An answer with a status that the caller has no use for. The courier itself never throws it.
  case status(Int)
  /// What came is not HTTP, or not what the caller expects.
  case badResponse(String)
  /// The courier was stopped.
  case stopped
}

extension CourierError: CustomStringConvertible {
  /// A clause for a log.
  public var description: String {
    switch self {
    case .queueFull: "too many requests to this back end wait already"
    case .cannotConnect(let why): "no connection: \(why)"
    case .timedOut: "no whole answer in time"
    case .tooLarge: "the answer is longer than it may be"
    case .interrupted(let why): "the answer broke off: \(why)"
    case .cancelled: "nobody waits for the answer any more"
    case .status(let status): "it answered with status \(status)"
    case .badResponse(let why): "not an answer that can be used: \(why)"
    case .stopped: "the gateway is stopping"
    }
  }
}

/// What is fixed, with reasons.
enum CourierLimits {
  /// Bytes that lie ready for a reader before the connection is left alone: four of libcurl's buffers.
  static let readyBytesMax = 65_536
  /// Bytes of all header lines of an answer. Servers send one or two thousand.
  static let headBytesMax = 65_536
  /// Longest sleep of the courier's thread when nothing is due; whatever happens wakes it.
  static let sleepMillisecondsMax: UInt64 = 60_000
  /// Seconds after which a kept connection without a request is not used again. Common servers close theirs after 5 s;
  /// a request that meets such a close is lost, because it is not sent twice.
  static let idleSeconds = 3
  /// Milliseconds before the first repeated attempt to connect; doubled for each further one.
  static let backoffMilliseconds: UInt64 = 50
  /// Where the doubling ends, as a number of doublings: 1.6 s.
  static let backoffDoublingsMax = 5
}
