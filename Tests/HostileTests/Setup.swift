// The settings of a gateway that rows of the table need. Constants.

import TestSupport

/// One gateway process serves all rows of a setup, one after the other.
enum Setup: String, CaseIterable, Sendable {
  /// The default limits, a list of origins, and every line of the log.
  case standard
  /// Deadlines of a second or less.
  case deadlines
  /// A backlog that is soon full.
  case backlog
  /// A backlog that is soon too old.
  case age
  /// A backlog that is soon full, of which the rest is dropped.
  case drop
  case connectionLimit
  case addressLimit
  case addressRate
  case trustedProxy
  case proxyProtocol
  /// Fewer descriptors than connections that are allowed.
  case descriptors
  /// Shorter deadlines, for thousands of clients.
  case storm
  /// Little room for what clients have not completed, a heartbeat a second, and clients by X-Forwarded-For.
  case received
  /// A backlog of some seconds, of which the rest is dropped, a heartbeat a second, and as many pings as can be set.
  case steady
  /// Two event loops, for what one of them does to the other.
  case twoReactors

  /// One, since gateway and bystander have one processor: two would wait for each other there, which is not what is
  /// measured. Two where the rows are about what they do to each other.
  var reactors: Int { self == .twoReactors ? 2 : 1 }

  /// Where the gateway, its twin and their bystanders run: the first processor, unless several event loops are to run at
  /// the same time.
  func runGateway<Value>(_ body: () throws -> Value) throws -> Value {
    try reactors == 1 ? Processor.first.run(body) : body()
  }

  /// Where the attackers run: on the other processors, or on all of them where the gateway does.
  func runAttackers<Value>(_ body: () throws -> Value) throws -> Value {
    try reactors == 1 ? Processor.others.run(body) : body()
  }

  /// Microseconds that the bystander's 99th percentile may be in any case. Where two event loops share a processor, the
  /// one that has nothing to do waits for time slices of the one that has, and one that is given more than it can do is
  /// to go on serving, not to be as fast as at rest: no turn over 100 ms, as line 33 of HOSTILE has it. Nothing elsewhere.
  var unnoticedMicroseconds: Int { reactors == 1 ? 0 : 100_000 }

  /// The limit of open files of the process; nil for that of the tests.
  var descriptors: Int? { self == .descriptors ? 96 : nil }

  /// The flags of `serve`.
  var arguments: [String] {
    settings.flatMap { ["--set", $0] } + flags
  }

  /// Milliseconds between two passes over all rows. The log has ten lines of a reason in a second and some rows look for
  /// theirs; and a rate that is used up fills again.
  var pauseMilliseconds: UInt32 {
    switch self {
    case .trustedProxy, .addressRate: 1_100
    default: 150
    }
  }

  /// What every connection sends first.
  var preamble: String { self == .proxyProtocol ? "PROXY TCP4 198.51.100.7 127.0.0.1 40000 8080\r\n" : "" }

  private var settings: [String] {
    switch self {
    case .standard: ["corsOrigins=https://allowed.com,*.allowed.org"]
    case .deadlines:
      [
        "limits.handshakeTimeoutMilliseconds=800", "limits.closeTimeoutMilliseconds=500",
        "heartbeatIntervalMilliseconds=1000", "events.joinTimeoutMilliseconds=1000",
        "limits.bodyTimeoutMilliseconds=800", "limits.keepAliveMilliseconds=800",
      ]
    // Readers with small buffers, read one after the other, take their time to come to the close frame.
    case .backlog: ["limits.outboundBytesMax=65536", "limits.closeTimeoutMilliseconds=30000"]
    case .drop: ["slowConsumerPolicy=drop", "limits.outboundBytesMax=65536"]
    case .age: ["limits.outboundAgeMillisecondsMax=1000", "limits.outboundBytesMax=1073741824"]
    case .addressLimit:
      ["exemptsLocalAddresses=false", "limits.connectionsPerAddressMax=10", "events.joinTimeoutMilliseconds=1000"]
    case .addressRate: ["exemptsLocalAddresses=false", "limits.acceptsPerAddressPerSecondMax=10"]
    case .trustedProxy: ["trustedProxies=127.0.0.0/8,10.0.0.0/8", "limits.connectionsPerAddressMax=4"]
    // Thousands who say nothing must not take long to go; nor may those who speak be too late, which a gateway with a
    // sanitizer makes them.
    case .storm:
      ["limits.handshakeTimeoutMilliseconds", "events.joinTimeoutMilliseconds"].map {
        "\($0)=\(ReleaseBinary.isJudged ? 3_000 : 10_000)"
      }
    // Those within the limit who say nothing are waited for.
    case .connectionLimit: ["limits.handshakeTimeoutMilliseconds=1500", "events.joinTimeoutMilliseconds=1500"]
    case .received:
      [
        "limits.receivedBytesMax=16777216", "heartbeatIntervalMilliseconds=1000", "trustedProxies=127.0.0.0/8",
      ]
    case .steady:
      [
        "slowConsumerPolicy=drop", "limits.outboundBytesMax=1048576", "heartbeatIntervalMilliseconds=1000",
        "limits.pingsBacklogMax=65536",
      ]
    case .proxyProtocol, .descriptors, .twoReactors: []
    }
  }

  private var flags: [String] {
    switch self {
    case .standard: ["--log-level", "debug"]
    case .connectionLimit: ["--max-connections", "12"]
    case .descriptors: ["--max-connections", "1000"]
    case .proxyProtocol: ["--proxy-protocol"]
    default: []
    }
  }
}
