// Every maximum and every deadline of the gateway, with its reason and its allowed range. Read at start-up, then
// constant.

/// The limits of one gateway. An operator may change each within the range that `Limits.table` gives.
public struct Limits: Sendable, Equatable {
  /// Longest client message in bytes, whole or summed over its fragments; longer closes with 1009 (PROTOCOLS G4).
  public var messageBytesMax = 1_048_576
  /// Most fragments of one message; more closes with 1008 (HOSTILE 18).
  public var fragmentsMax = 1_024
  /// Longest HTTP request body in bytes; longer is answered 413.
  public var bodyBytesMax = 65_536
  /// Bytes that may wait for one subscriber that does not read, before `slowConsumerPolicy` applies.
  public var outboundBytesMax = 4 * 1_048_576
  /// Milliseconds that the oldest waiting byte of a subscriber may age, before `slowConsumerPolicy` applies.
  public var outboundAgeMillisecondsMax = 30_000
  /// Subscriptions that one connection may hold at a time.
  public var subscriptionsPerConnectionMax = 1_000
  /// Longest channel name in bytes of UTF-8.
  public var channelNameBytesMax = 255
  /// Longest `filters` value of one subscription in bytes of JSON.
  public var filterBytesMax = 4_096
  /// Milliseconds from accept, or from the first byte of a further request, to the end of the request head; and to
  /// authentication where it comes later (HOSTILE 2).
  public var handshakeTimeoutMilliseconds = 10_000
  /// Milliseconds in which a request body may come at any pace (HOSTILE 2).
  public var bodyTimeoutMilliseconds = 10_000
  /// Bytes in a second, on average from its first to its last, that a body must bring when it takes longer; 0 for no
  /// such pace.
  public var bodyBytesPerSecondMin = 4_096
  /// Milliseconds that a body may take at most, whatever its pace.
  public var bodyTimeoutMillisecondsMax = 120_000
  /// Milliseconds that a plain HTTP connection may be kept open between two requests.
  public var keepAliveMilliseconds = 75_000
  /// Milliseconds between our CLOSE and the reset of a peer that does not close.
  public var closeTimeoutMilliseconds = 5_000
  /// Milliseconds that a stopping gateway waits for its connections to flush and go.
  public var drainTimeoutMilliseconds = 10_000

  /// Connections of one client address (an IPv6 /64 is one) at a time, past which 429 is answered (HOSTILE 13); 0 for
  /// no limit.
  public var connectionsPerAddressMax = 0
  /// Connections that one client address may open in a second, and save up for a second; 0 for no limit (HOSTILE 13).
  public var acceptsPerAddressPerSecondMax = 0
  /// Messages that one connection may send in a second over time; 0 for no limit.
  public var messagesPerSecondMax = 0
  /// Messages that one connection may send at once, if `messagesPerSecondMax` is set.
  public var messagesBurstMax = 200
  /// Bytes of messages that one connection may send in a second over time; 0 for no limit.
  public var bytesPerSecondMax = 0
  /// Bytes of messages that one connection may send at once, if `bytesPerSecondMax` is set. At least `messageBytesMax`.
  public var bytesBurstMax = 4 * 1_048_576
  /// Pings that a client may send while a pong waits for it to read; more close with 1008 (HOSTILE 20).
  public var pingsBacklogMax = 64

  /// Calls of the application's handlers that one connection may have under way, waiting ones included.
  public var callsPerConnectionMax = 32
  /// Calls of the application's handlers that the gateway may have under way, waiting ones included.
  public var callsMax = 4_096
  /// Bytes of messages that those calls were started with.
  public var callBytesMax = 268_435_456
  /// Bytes that all clients together have sent and that are kept, because a message or a request is not whole yet; past
  /// it the client address that has the most of them pays (HOSTILE 36).
  public var receivedBytesMax = 268_435_456
  /// Sessions of the events dialect that are kept at a time; past it the oldest anonymous one gives way.
  public var eventSessionsMax = 100_000
  /// Engine.IO sessions that are in no namespace, in percent of the connections that the gateway may hold; past it the
  /// oldest give way (HOSTILE 36).
  public var unjoinedSessionsPercentMax = 25
  /// The same of one client address.
  public var unjoinedSessionsPerAddressMax = 4_096
  /// Users of the walkers dialect that may be registered, all kept in memory; more are answered 503.
  public var accountsMax = 100_000
  /// Attempts to log in or to register that one client address may make in a minute, and save up; 0 for no limit.
  public var loginAttemptsPerAddressPerMinuteMax = 10
  /// Targets that one notification of the walkers dialect may name.
  public var notifyTargetsMax = 1_000

  /// The defaults.
  public init() {}

  /// Connections that may be configured: more descriptors than any Linux process gets by default.
  public static let connectionsMaxRange = 1...16_777_216
  /// Reactors that may be configured; the interest table keeps one bit for each in a 64-bit word.
  public static let reactorCountRange = 0...64
  /// Milliseconds between heartbeats: under a second they are the load, over an hour proxies have long dropped the
  /// connection.
  public static let heartbeatRange = 1_000...3_600_000
  /// Milliseconds between telemetry broadcasts; 0 switches them off.
  public static let telemetryRange = 0...3_600_000
  /// Milliseconds between Engine.IO pings: tests want them fast, and over an hour proxies have long dropped the
  /// connection.
  public static let enginePingIntervalRange = 300...3_600_000
  /// Milliseconds in which an Engine.IO ping must be answered: under 200 a slow network is an outage.
  public static let enginePingTimeoutRange = 200...3_600_000
  /// Milliseconds in which an Engine.IO session must be joined or upgraded: under 100 nobody manages.
  public static let engineTimeoutRange = 100...3_600_000
  /// Bytes of an Engine.IO payload: a connect packet with a long token fits, and 64 MiB are no message any more.
  public static let enginePayloadRange = 1_024...67_108_864
  /// Seconds that a token or a session may be valid: from one to ten years.
  public static let tokenTtlRange = 1...315_360_000
  /// Milliseconds for a call of a backend: under ten none is answered, and nobody waits ten minutes.
  public static let backendTimeoutRange = 10...600_000
  /// Bytes of a backend's answer: a small error fits, and 64 MiB are no message any more.
  public static let backendResponseBytesRange = 1_024...67_108_864
  /// Calls of backends under way at a time: each takes a descriptor.
  public static let backendConcurrencyRange = 1...4_096
  /// Calls of backends that wait: each keeps its context.
  public static let backendQueueRange = 0...1_048_576
  /// Attempts beyond the first: more would outlast any timeout.
  public static let backendRetriesRange = 0...10
  /// Messages of a conversation that an AI service is sent: no model follows a thousand.
  public static let historyMessagesRange = 0...1_024
  /// Bytes of those messages: what the longest client message can hold.
  public static let historyBytesRange = 0...1_048_576
  /// Sizes from which messages may be compressed: under 16 bytes deflate only adds, and over a mebibyte few messages
  /// are.
  public static let compressionThresholdRange = 16...1_048_576
  /// Efforts that zlib knows; its 0 stores.
  public static let compressionLevelRange = 1...9
  /// Window sizes that zlib can compress with: RFC 7692 has 8 too, which zlib does not.
  public static let compressionWindowBitsRange = 9...15
  /// Shortest secret in bytes that is accepted outside development: the size of the HMAC-SHA-256 key it becomes.
  public static let secretBytesMin = 32
  /// Longest message in bytes on the development echo: what the Autobahn suite sends.
  public static let echoMessageBytesMax = 16 * 1_048_576
  /// Most fragments of one message on the development echo: what the Autobahn suite sends, and one.
  public static let echoFragmentsMax = 65_537
  /// Longest configuration file in bytes; one written by hand is a thousandth of this.
  public static let configurationFileBytesMax = 1_048_576
  /// Listeners that may be configured: each takes one descriptor and one epoll registration per reactor.
  public static let listenersMax = 64
  /// Mounts of one listener: the look-up is a linear scan.
  public static let mountsPerListenerMax = 64
  /// Longest path rule in bytes: longer than any path a proxy would forward to a WebSocket.
  public static let pathRuleBytesMax = 255
  /// Longest path of a Unix-domain socket in bytes: `sun_path` less its terminating zero.
  public static let unixPathBytesMax = 107
  /// Longest URL of a backend in bytes: what every HTTP server takes.
  public static let urlBytesMax = 2_048
  /// Longest name of a request, an event, a walker or a member of its context, in bytes.
  public static let handlerNameBytesMax = 255
  /// Names in one table of the application's endpoints. Hand-written tables have tens.
  public static let handlersMax = 1_024
  /// Members of a walker's context that are checked.
  public static let walkerFieldsMax = 64
  /// Log lines that may wait for the writer thread, about a megabyte; more are dropped and counted.
  public static let logLinesQueuedMax = 4_096
  /// Longest log value in bytes of UTF-8 before escaping; the rest is cut.
  public static let logValueBytesMax = 1_024
  /// Log lines of one event name that one reactor writes in a second; the rest are counted.
  public static let logLinesPerSecondMax = 10
}

/// One adjustable limit: what it is called, where it lives, what it may be and why it is what it is.
public struct LimitRule: Sendable {
  /// The key below `limits.` in the configuration.
  public let name: String
  /// The field of `Limits`.
  public let field: any WritableKeyPath<Limits, Int> & Sendable
  /// The allowed values.
  public let range: ClosedRange<Int>
  /// Why the default is what it is, in one sentence for `default-config`.
  public let reason: String
}

extension Limits {
  /// Every adjustable limit, in the order of `default-config`.
  public static let table: [LimitRule] = [
    LimitRule(
      name: "messageBytesMax", field: \.messageBytesMax, range: 1_024...268_435_456,
      reason: "Longest client message in bytes (close 1009). 1 MiB is what the protocols promise."),
    LimitRule(
      name: "fragmentsMax", field: \.fragmentsMax, range: 1...1_048_576,
      reason: "Most fragments of one message (close 1008). 1 MiB in 1 KiB pieces fits."),
    LimitRule(
      name: "bodyBytesMax", field: \.bodyBytesMax, range: 256...16_777_216,
      reason: "Longest HTTP request body in bytes (status 413). The endpoints take small JSON objects."),
    LimitRule(
      name: "outboundBytesMax", field: \.outboundBytesMax, range: 16_384...1_073_741_824,
      reason: "Bytes that may wait for one slow subscriber. Four of the longest messages."),
    LimitRule(
      name: "outboundAgeMillisecondsMax", field: \.outboundAgeMillisecondsMax, range: 100...3_600_000,
      reason: "Age of the oldest byte waiting for one slow subscriber. One heartbeat."),
    LimitRule(
      name: "subscriptionsPerConnectionMax", field: \.subscriptionsPerConnectionMax, range: 1...1_000_000,
      reason: "Subscriptions of one connection. A page shows tens of channels, not thousands."),
    LimitRule(
      name: "channelNameBytesMax", field: \.channelNameBytesMax, range: 1...4_096,
      reason: "Longest channel name in bytes. Names are interned per reactor."),
    LimitRule(
      name: "filterBytesMax", field: \.filterBytesMax, range: 2...65_536,
      reason: "Longest filters object in bytes. It is compared against every message of its channel."),
    LimitRule(
      name: "handshakeTimeoutMilliseconds", field: \.handshakeTimeoutMilliseconds, range: 100...600_000,
      reason: "From accept to a complete request head. A slow mobile link needs two or three seconds."),
    LimitRule(
      name: "bodyTimeoutMilliseconds", field: \.bodyTimeoutMilliseconds, range: 100...600_000,
      reason: "For a request body at any pace (status 408). Then bodyBytesPerSecondMin counts."),
    LimitRule(
      name: "bodyBytesPerSecondMin", field: \.bodyBytesPerSecondMin, range: 0...1_073_741_824,
      reason: "Bytes in a second of a body that takes longer, on average. A tenth of a poor mobile link."),
    LimitRule(
      name: "bodyTimeoutMillisecondsMax", field: \.bodyTimeoutMillisecondsMax, range: 100...3_600_000,
      reason: "For a request body at most, whatever its pace (status 408)."),
    LimitRule(
      name: "keepAliveMilliseconds", field: \.keepAliveMilliseconds, range: 100...3_600_000,
      reason: "Between two requests of a plain HTTP connection. Longer than the 60 s for which proxies keep theirs."),
    LimitRule(
      name: "closeTimeoutMilliseconds", field: \.closeTimeoutMilliseconds, range: 100...600_000,
      reason: "From our CLOSE to the reset of a peer that stays silent."),
    LimitRule(
      name: "drainTimeoutMilliseconds", field: \.drainTimeoutMilliseconds, range: 0...3_600_000,
      reason: "How long a stopping gateway waits for connections to flush. Service managers kill after 30 to 90 s."),
    LimitRule(
      name: "connectionsPerAddressMax", field: \.connectionsPerAddressMax, range: 0...16_777_216,
      reason: "Connections of one client address (status 429), 0 for no limit. Off: an office can share one address."),
    LimitRule(
      name: "acceptsPerAddressPerSecondMax", field: \.acceptsPerAddressPerSecondMax, range: 0...1_000_000,
      reason: "Connections that one address may open in a second (status 429), 0 for no limit. Off likewise."),
    LimitRule(
      name: "messagesPerSecondMax", field: \.messagesPerSecondMax, range: 0...1_000_000,
      reason: "Messages of one connection in a second over time, 0 for no limit. The protocols promise none."),
    LimitRule(
      name: "messagesBurstMax", field: \.messagesBurstMax, range: 1...1_000_000,
      reason: "Messages at once where messagesPerSecondMax is set. A page that opens subscribes to tens of channels."),
    LimitRule(
      name: "bytesPerSecondMax", field: \.bytesPerSecondMax, range: 0...1_073_741_824,
      reason: "Bytes of messages of one connection in a second over time, 0 for no limit. The protocols promise none."),
    LimitRule(
      name: "bytesBurstMax", field: \.bytesBurstMax, range: 1_024...1_073_741_824,
      reason: "Bytes at once where bytesPerSecondMax is set, at least messageBytesMax. Four of the longest messages."),
    LimitRule(
      name: "pingsBacklogMax", field: \.pingsBacklogMax, range: 1...65_536,
      reason: "Pings while a pong waits for the client to read (close 1008). A client has one on its way, not tens."),
    LimitRule(
      name: "callsPerConnectionMax", field: \.callsPerConnectionMax, range: 1...4_096,
      reason: "Calls of handlers that one connection has under way. A page waits for a few answers, not for tens."),
    LimitRule(
      name: "callsMax", field: \.callsMax, range: 1...1_000_000,
      reason: "Calls of handlers under way in the gateway. Each keeps its message in memory."),
    LimitRule(
      name: "callBytesMax", field: \.callBytesMax, range: 1_048_576...1_099_511_627_776,
      reason: "Bytes of the messages of handlers' calls under way. 256 of the longest at a time."),
    LimitRule(
      name: "receivedBytesMax", field: \.receivedBytesMax, range: 1_048_576...1_099_511_627_776,
      reason: "Bytes of unfinished messages of all clients (close 1013). 256 of the longest at a time."),
    LimitRule(
      name: "eventSessionsMax", field: \.eventSessionsMax, range: 1...10_000_000,
      reason: "Sessions of events clients; past it the oldest anonymous one gives way. About 20 MB."),
    LimitRule(
      name: "unjoinedSessionsPercentMax", field: \.unjoinedSessionsPercentMax, range: 1...100,
      reason: "Socket.IO sessions in no namespace, in percent of connectionsMax; past it the oldest give way."),
    LimitRule(
      name: "unjoinedSessionsPerAddressMax", field: \.unjoinedSessionsPerAddressMax, range: 64...16_777_216,
      reason: "The same of one client address. Even an office that comes back at once joins within a second."),
    LimitRule(
      name: "accountsMax", field: \.accountsMax, range: 1...10_000_000,
      reason: "Registered users of walkers, kept in memory (status 503). About 40 MB."),
    LimitRule(
      name: "loginAttemptsPerAddressPerMinuteMax", field: \.loginAttemptsPerAddressPerMinuteMax, range: 0...100_000,
      reason: "Logins and registrations of one address in a minute (status 429), 0 for no limit. People mistype thrice."
    ),
    LimitRule(
      name: "notifyTargetsMax", field: \.notifyTargetsMax, range: 1...100_000,
      reason: "Targets of one walkers notification. Each is looked up on every event loop."),
  ]
}
