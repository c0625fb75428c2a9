// What an operator decided: plain values, made once at start-up and shared read-only by every reactor.

/// Every setting of a gateway, each with its default. `Configuration.load` fills it from flags, environment and file.
public struct Configuration: Sendable {
  /// Development mode: open token endpoints, localhost origins, the echo mount, generated secrets. Default off.
  public var development = false
  /// Which set of mounts is served where `listeners` is not written out. Default `onePort`.
  public var profile = Profile.onePort
  /// Who answers `/` in the one-port profile. Default the handlers and channels pair (PROTOCOLS 6.3).
  public var rootOwner = MountTarget.handlersAndChannels
  /// Who answers `/ws` in the one-port profile. Default sessions (PROTOCOLS 6.3).
  public var wsOwner = MountTarget.dialect(.sessions)
  /// What is listened on, with its mounts, already expanded from the profile. At least one.
  public var listeners: [ListenerConfiguration] = []
  /// The listener of `/livez`, `/readyz` and `/metrics`, or nil for none. Default 127.0.0.1, port 9090.
  public var admin: AdminConfiguration? = AdminConfiguration()
  /// Reactor threads, 1...64; 0 stands for one per core. Default 0.
  public var reactorCount = 0
  /// Whether each reactor stays on one core. Default off: helps only where nothing else runs on the machine.
  public var pinsReactors = false
  /// Most client connections at a time, or nil for what the descriptor limit allows. Default nil.
  public var connectionsMax: Int?
  /// Milliseconds between WebSocket pings on native connections, all dialects (PROTOCOLS G6). Default 30 000.
  public var heartbeatIntervalMilliseconds = 30_000
  /// What happens to a subscriber that reads too slowly. Default `close`.
  public var slowConsumerPolicy = SlowConsumerPolicy.close
  /// Origins that browsers may come from, besides the request's own host (PROTOCOLS G14). Default none.
  public var corsOrigins: [String] = []
  /// Peers whose `X-Forwarded-For` is believed (HOSTILE 12), as `AddressRanges` reads them. Default none.
  public var trustedProxies: [String] = []
  /// Whether loopback and Unix-domain peers are left out of the limits by address. Default on: they mostly are a proxy.
  public var exemptsLocalAddresses = true
  /// permessage-deflate (PROTOCOLS G5). A mount can switch it off for itself.
  public var compression = CompressionConfiguration()
  /// Maxima and deadlines.
  public var limits = Limits()
  /// The `handlers` dialect.
  public var handlers = HandlersConfiguration()
  /// The `channels` dialect.
  public var channels = ChannelsConfiguration()
  /// The `events` dialect.
  public var events = EventsConfiguration()
  /// The `sessions` dialect.
  public var sessions = SessionsConfiguration()
  /// The `walkers` dialect.
  public var walkers = WalkersConfiguration()
  /// Who may log in.
  public var accounts = AccountsConfiguration()
  /// How the HTTP endpoints of the application are called.
  public var backends = BackendsConfiguration()
  /// The AI service behind `ai:chat`.
  public var ai = AIConfiguration()
  /// Endpoints that are told of connections.
  public var hooks = HooksConfiguration()
  /// How a log line looks. Default `text`.
  public var logFormat = LogFormat.text
  /// The least severe level that is logged. Default `info`.
  public var logLevel = LogLevel.info

  /// Environment variables that begin like settings and were passed over, because Kubernetes sets them.
  var ignoredEnvironment: [String] = []

  /// The defaults, with no listener.
  public init() {}
}

/// One listening socket and what is served on it.
public struct ListenerConfiguration: Sendable, Equatable {
  /// Where clients connect.
  public var address: ListenerAddress
  /// What is served, in the order written. `MountTable.build` refuses rules that overlap.
  public var mounts: [MountConfiguration]
  /// Whether each connection begins with a PROXY protocol header, without which it is reset. Default off.
  public var proxyProtocol: Bool

  /// A listener with these mounts, not checked yet.
  public init(address: ListenerAddress, mounts: [MountConfiguration], proxyProtocol: Bool = false) {
    self.address = address
    self.mounts = mounts
    self.proxyProtocol = proxyProtocol
  }
}

/// Where a listener listens.
public enum ListenerAddress: Sendable, Equatable {
  /// A numeric IPv4 or IPv6 address and a port; port 0 lets the system choose one.
  case tcp(host: String, port: UInt16)
  /// A Unix-domain socket and the permission bits of its file.
  case unix(path: String, mode: UInt32)
}

extension ListenerAddress: CustomStringConvertible {
  /// `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/martlet.sock`.
  public var description: String {
    switch self {
    case .tcp(let host, let port): host.utf8.contains(0x3A) ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path, _): "unix:\(path)"
    }
  }
}

/// The listener for operators. Never one that clients reach.
public struct AdminConfiguration: Sendable, Equatable {
  /// Numeric address. Default 127.0.0.1.
  public var host = "127.0.0.1"
  /// TCP port; 0 lets the system choose one. Default 9090.
  public var port: UInt16 = 9090

  /// The defaults.
  public init() {}
}

/// What happens to a subscriber past `outboundBytesMax` or `outboundAgeMillisecondsMax`.
public enum SlowConsumerPolicy: String, Sendable, CaseIterable {
  /// Close it with 3008 `slow`.
  case close
  /// Drop the newest message for it and count it.
  case drop
}

/// How messages are compressed for clients that offer it (RFC 7692, PROTOCOLS G5).
public struct CompressionConfiguration: Sendable, Equatable {
  /// Whether the extension is negotiated at all. Default on.
  public var enabled = true
  /// Whether a connection keeps its window from message to message. Default off: a window for each connection costs
  /// memory, and without one a broadcast is compressed once for all.
  public var contextTakeover = false
  /// Shortest message in bytes that is compressed; shorter ones are sent plain. Default 256: below, little is saved.
  public var thresholdBytes = 256
  /// Effort, 1...9 as zlib counts. Default 1: on half a kilobyte of JSON, 9 takes a sixth longer to save 1.5 % more.
  public var level = 1
  /// Base-two logarithm of the largest window, 9...15. Default 15, the largest there is.
  public var windowBits = 15

  /// The defaults.
  public init() {}
}

/// A signing secret. Its description never shows it, so that it cannot reach a log by accident.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The secret itself; its UTF-8 is the key.
  public let text: String

  /// The secret that `text` is; nothing is trimmed.
  public init(_ text: String) { self.text = text }

  /// A stand-in, never the secret.
  public var description: String { "<secret>" }
  /// A stand-in, never the secret.
  public var debugDescription: String { "<secret>" }
  /// Nothing to look into.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
