// The HTTP endpoints of all dialects: which requests they own and what they answer. One for the gateway, any thread.
import Auth
import EventLoop
import Wire

/// The HTTP endpoints of a gateway (PROTOCOLS 1.1, 3.1, 4.1, 5.3, 5.4), each on the listeners where its dialect is
/// mounted (PROTOCOLS 6.3).
public struct Endpoints: Sendable {
  /// Runs a walker for `POST /walker/NAME`, of which it is given the name; nil answers 404 to all.
  typealias WalkerRunner = @Sendable (_ request: EndpointRequest, _ name: String) -> EndpointOutcome

  let configuration: Configuration
  /// Who may log in.
  let accounts: Accounts
  /// The sessions of the events dialect.
  public let sessions: SessionStore
  /// Runs walkers. Set before the first request.
  var runWalker: WalkerRunner?
  private let origins: OriginPolicy
  private let loginRate: LoginRate
  /// Milliseconds that only grow, by which attempts are counted.
  private let monotonicMilliseconds: @Sendable () -> UInt64

  /// The endpoints of a gateway with these settings. `report` is told when the user file cannot be used any more.
  public init(
    _ configuration: Configuration, origins: OriginPolicy, report: @escaping @Sendable (String) -> Void = { _ in },
    monotonicMilliseconds: @escaping @Sendable () -> UInt64 = { System.monotonicNanoseconds() / 1_000_000 }
  ) {
    self.monotonicMilliseconds = monotonicMilliseconds
    self.configuration = configuration
    self.origins = origins
    accounts = Accounts(configuration, report: report)
    sessions = SessionStore(
      countMax: configuration.limits.eventSessionsMax, ttlSeconds: configuration.events.sessionTtlSeconds)
    loginRate = LoginRate(
      attemptsPerMinuteMax: configuration.limits.loginAttemptsPerAddressPerMinuteMax,
      exemptsLocal: configuration.exemptsLocalAddresses)
  }

  /// Whether an endpoint answers such a request, which is no WebSocket upgrade; its body is then read, up to
  /// `limits.bodyBytesMax`. `path` is undecoded and without the query; `ownsEverything` says that events is mounted on
  /// `*`.
  ///
  /// Owned are the endpoints' paths, whatever the method; where events owns everything, every path but Socket.IO's; and
  /// a preflight of what belongs to handlers.
  public func owns(method: HTTPMethod, path: String, dialects: [Dialect], ownsEverything: Bool) -> Bool {
    if let endpoint = Endpoint.find(path: path, dialects: dialects) {
      // On a shared listener the page is all that events has at `/`; the rest is the mount's.
      return endpoint != .info || ownsEverything || method == .options || endpoint.takes(method)
    }
    if ownsEverything && path != "/socket.io" && !path.hasPrefix("/socket.io/") { return true }
    return method == .options && isOfHandlers(path, dialects)
  }

  /// Answers a request that `owns` has taken. On the reactor's thread: does not wait.
  public func answer(_ request: EndpointRequest) -> EndpointOutcome {
    let endpoint = Endpoint.find(path: request.path, dialects: request.dialects)
    let isOfHandlers = endpoint == .getToken || (endpoint == nil && self.isOfHandlers(request.path, request.dialects))
    let isOpen = isOfHandlers || endpoint?.isOpen == true
    if !isOpen, let origin = request.origin, !allows(origin, request.host) {
      return .now(.text(403, "Forbidden").because(.origin))
    }

    let headers: [(String, String)]
    if isOfHandlers {
      headers = CrossOrigin.handlers
    } else {
      headers = isOpen ? CrossOrigin.anyone : CrossOrigin.allowing(request.origin)
    }
    if request.method == .options {
      let preflight = isOfHandlers ? [] : CrossOrigin.preflight(endpoint, request.requestHeaders)
      return .now(HTTPAnswer(status: 204, headers: headers + preflight))
    }
    return run(endpoint, request).adding(headers)
  }

  private func run(_ endpoint: Endpoint?, _ request: EndpointRequest) -> EndpointOutcome {
    guard let endpoint else { return .now(infoPage(request)) }
    guard endpoint.takes(request.method) else { return .now(wrongMethod(endpoint, request)) }
    switch endpoint {
    case .getToken: return .now(getToken(request))
    case .acquireSession: return .now(acquireSession(request))
    case .session: return .now(showSession(request))
    case .logout: return .now(logout(request))
    case .health:
      return .now(.json(["status": "healthy", "timestamp": .string(WallClock.iso(request.nowMilliseconds))]))
    case .websocketInfo: return .now(websocketInfo(request))
    case .info: return .now(infoPage(request))
    case .authToken: return authToken(request)
    case .register: return register(request)
    case .login: return login(request)
    case .healthz: return .now(HTTPAnswer(status: 200))
    case .walker:
      let name = String(request.path.dropFirst(Endpoint.walker.path.count))
      return runWalker?(request, name) ?? .now(.json(404, ["detail": "Not Found"]))
    }
  }

  /// The wrong method on an endpoint's path, said as its dialect says it.
  private func wrongMethod(_ endpoint: Endpoint, _ request: EndpointRequest) -> HTTPAnswer {
    let allow = [("Allow", endpoint.allow)]
    switch endpoint.dialect {
    case .handlers: return .text(404, "Not Found")
    // On a listener of its own every other request gets the page (PROTOCOLS 3.1).
    case .events where request.dialects == [.events]: return infoPage(request)
    case .walkers: return .json(405, ["detail": "Method Not Allowed"]).adding(allow)
    default: return .text(405, "Method Not Allowed").adding(allow)
    }
  }

  /// Whether a path that is no endpoint's belongs to handlers, which answers any preflight (PROTOCOLS 1.1): everything
  /// where nobody else but channels is mounted, which has no plain HTTP, else its own paths.
  private func isOfHandlers(_ path: String, _ dialects: [Dialect]) -> Bool {
    guard dialects.contains(.handlers) else { return false }
    let isDedicated = dialects.allSatisfy { $0 == .handlers || $0 == .channels || $0 == .echo }
    return isDedicated || path == "/handlers" || path.hasPrefix("/handlers/")
  }

  private func allows(_ origin: String, _ host: String?) -> Bool {
    origins.allows(origin: origin.utf8Span.span, host: (host ?? "").utf8Span.span)
  }

  /// Counts an attempt to log in; the answer where the address has had as many as it may.
  func limitLogins(_ request: EndpointRequest, _ tree: JSONTree) -> HTTPAnswer? {
    if loginRate.take(request.client, nowMilliseconds: monotonicMilliseconds()) { return nil }
    return .json(429, tree).adding([("Retry-After", String(loginRate.retryAfterSeconds))])
  }

  /// What is said while too many passwords wait to be checked.
  static func busy(_ tree: JSONTree) -> HTTPAnswer {
    .json(503, tree).adding([("Retry-After", String(Limits.retryAfterSeconds))])
  }
}
