// Which endpoint a path means: one table for the router, the preflight and the OpenAPI document. Constants.
import Wire

/// An endpoint.
enum Endpoint: Sendable, Equatable, CaseIterable {
  case getToken
  case acquireSession, session, logout, health, websocketInfo, info
  case authToken
  case register, login, healthz, walker

  /// The path; that of walkers goes on with a name.
  var path: String {
    switch self {
    case .getToken: "/get-token"
    case .acquireSession: "/api/auth/acquire-session"
    case .session: "/api/auth/session"
    case .logout: "/api/auth/logout"
    case .health: "/health"
    case .websocketInfo: "/websocket-info"
    case .info: "/"
    case .authToken: "/auth/token"
    case .register: "/user/register"
    case .login: "/user/login"
    case .healthz: "/healthz"
    case .walker: "/walker/"
    }
  }

  /// The dialect whose listeners serve it.
  var dialect: Dialect {
    switch self {
    case .getToken: .handlers
    case .acquireSession, .session, .logout, .health, .websocketInfo, .info: .events
    case .authToken: .sessions
    case .register, .login, .healthz, .walker: .walkers
    }
  }

  /// Whether it is for POST; the others are for GET and HEAD.
  var isPost: Bool {
    switch self {
    case .acquireSession, .logout, .authToken, .register, .login, .walker: true
    case .getToken, .session, .health, .websocketInfo, .info, .healthz: false
    }
  }

  /// Whether any origin is answered, as the seeds do (PROTOCOLS G14).
  var isOpen: Bool { self == .getToken || self == .authToken }

  /// Whether the method is the endpoint's own.
  func takes(_ method: HTTPMethod) -> Bool { isPost ? method == .post : method == .get || method == .head }

  /// What `Allow` says.
  var allow: String { isPost ? "POST, OPTIONS" : "GET, HEAD, OPTIONS" }

  /// The endpoint that a path means on a listener with these dialects, whatever the method.
  static func find(path: String, dialects: [Dialect]) -> Endpoint? {
    let found = allCases.first { endpoint in
      endpoint == .walker
        ? path.hasPrefix(endpoint.path) && path.utf8.count > endpoint.path.utf8.count : path == endpoint.path
    }
    return found.flatMap { dialects.contains($0.dialect) ? $0 : nil }
  }
}
