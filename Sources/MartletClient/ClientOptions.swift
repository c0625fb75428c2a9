// Every limit and time of a client, with its default and the reason for it. Values; any thread.

/// How a client behaves. All times are in milliseconds.
public struct ClientOptions: Sendable {
  /// The longest wait before the first repeated attempt; it doubles with each failure. The wait itself is drawn evenly
  /// between zero and that ("full jitter"), so that clients of a gateway that fell over do not come back in step.
  public var backoffInitialMilliseconds: UInt64 = 1_000
  /// What the doubling stops at: half a minute on average 15 s is what a user still waits for.
  public var backoffMaxMilliseconds: UInt64 = 30_000
  /// A connection that stood this long counts as success, and the doubling starts over.
  public var backoffResetMilliseconds: UInt64 = 60_000
  /// After close code 1001 ("reconnect at once") the wait is drawn between zero and this, because all clients of the
  /// gateway got the same code in the same moment.
  public var restartSpreadMilliseconds: UInt64 = 1_000
  /// Attempts in a row that may fail before the client ends; nil goes on for ever.
  public var attemptsMax: Int?
  /// Name lookup, TCP and WebSocket handshake together; the gateway itself allows 10 s for a request.
  public var connectTimeoutMilliseconds: UInt64 = 10_000
  /// How long a silent connection is trusted before it is asked with a WebSocket ping. Below the 30 s of the gateway's
  /// own heartbeat and the 60 s after which proxies drop idle connections.
  public var pingIntervalMilliseconds: UInt64 = 20_000
  /// How long the answer to that ping may take before the connection counts as broken. Anything received is an answer.
  public var pingTimeoutMilliseconds: UInt64 = 10_000
  /// How long `close()` waits for queued messages to leave and for the gateway's own close frame.
  public var closeTimeoutMilliseconds: UInt64 = 5_000
  /// How long `subscribe` and `roundTrip` wait for the answer once the connection stands.
  public var answerTimeoutMilliseconds: UInt64 = 10_000
  /// Messages that wait to be sent. While connected, `publish` waits for room; while not, it throws `queueFull`.
  public var queuedMessagesMax = 1_000
  /// Their bytes: as much as the gateway lets wait in the other direction.
  public var queuedBytesMax = 4 * 1_048_576
  /// Bytes of one message to the gateway, envelope included: its own default (PROTOCOLS G4).
  public var messageBytesMax = 1_048_576
  /// Bytes of one message from the gateway: its largest payload, four times over for what the envelope adds and for
  /// gateways that were configured to allow more.
  public var incomingBytesMax = 4 * 1_048_576
  /// Fragments of one message from the gateway: its own limit in the other direction.
  public var incomingFragmentsMax = 1_024
  /// Messages received for one subscription that its handler or stream has not taken yet. At the limit the client stops
  /// reading from the socket, so that the gateway's own limits for slow subscribers apply (close code 3008) and nothing
  /// is dropped silently. One slow subscription therefore holds up the others of the same client.
  public var inboxMessagesMax = 1_024
  /// Subscriptions of one client: what the gateway allows to one connection.
  public var subscriptionsMax = 1_000
  /// Draws the random factor of a wait, from 0 up to 1. Only tests replace it.
  var jitter: @Sendable () -> Double = { Double.random(in: 0..<1) }

  /// The defaults.
  public init() {}
}
