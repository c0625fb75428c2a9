// The endpoints of the events dialect: sessions, health, and pages that tell clients what is here. Any thread.

extension Endpoints {
  /// `POST /api/auth/acquire-session` (PROTOCOLS 3.1); the body is ignored.
  func acquireSession(_ request: EndpointRequest) -> HTTPAnswer {
    guard let (token, session) = sessions.create(nowMilliseconds: request.nowMilliseconds) else {
      return Endpoints.busy(["success": false, "error": "Too many sessions"])
    }
    return .json([
      "success": true,
      "data": [
        "token": .string(token), "expiresAt": .string(WallClock.iso(session.expiresAtMilliseconds)),
      ],
    ]).adding([("Cache-Control", "no-store")])
  }

  /// `GET /api/auth/session` (PROTOCOLS 3.1).
  func showSession(_ request: EndpointRequest) -> HTTPAnswer {
    guard let token = sessionToken(request) else { return Self.noToken }
    guard let session = sessions.lookup(token: token.utf8Span.span, nowMilliseconds: request.nowMilliseconds) else {
      return .json([
        "success": false, "error": "Invalid or expired session",
        "message": "The session token is unknown, or its time is over",
      ])
    }
    return .json([
      "success": true,
      "data": [
        "token": .string(token), "userId": session.userId.map { .string($0) } ?? .null,
        "isLoggedIn": .boolean(session.isLoggedIn),
        "expiresAt": .string(WallClock.iso(session.expiresAtMilliseconds)),
      ],
    ]).adding([("Cache-Control", "no-store")])
  }

  /// `POST /api/auth/logout` (PROTOCOLS 3.1): the same answer whether there was a session or not.
  func logout(_ request: EndpointRequest) -> HTTPAnswer {
    guard let token = sessionToken(request) else { return Self.noToken }
    sessions.revoke(token: token.utf8Span.span)
    return .json(["success": true, "message": "Logged out successfully"])
  }

  /// By query, then header, then cookie (PROTOCOLS 3.1).
  private func sessionToken(_ request: EndpointRequest) -> String? {
    request.parameter("token") ?? request.bearer(takesBare: true) ?? request.cookie("token")
  }

  private static let noToken = HTTPAnswer.json([
    "success": false, "error": "No token provided", "message": "A session token is needed",
  ])

  /// `GET /`, and where events owns everything every other path too (PROTOCOLS 3.1).
  func infoPage(_ request: EndpointRequest) -> HTTPAnswer {
    let path = nativePath(request)
    let host = request.host ?? "localhost"
    return .json([
      "message": .string(configuration.events.infoMessage), "version": .string(configuration.events.version),
      "status": "running",
      "protocols": [
        "socketio": [
          "path": "/socket.io/", "description": "Socket.IO protocol, version 5 over Engine.IO 4",
          "transports": ["websocket", "polling"],
        ],
        "websocket": [
          "path": .string(path), "description": "Native WebSocket with JSON messages",
          "authentication": "A session token in the query parameter token or in the Authorization header",
        ],
      ],
      "usage": [
        "socketio": .string("io('http://\(host)', { auth: { token: 'YOUR_TOKEN' } })"),
        "websocket": .string("ws://\(host)\(path)?token=YOUR_TOKEN"),
      ],
      "features": ["rest": true, "websocket": true, "sessionAcquisition": true],
    ])
  }

  /// `GET /websocket-info` (PROTOCOLS 3.1).
  func websocketInfo(_ request: EndpointRequest) -> HTTPAnswer {
    .json([
      "path": "/socket.io/", "nativePath": .string(nativePath(request)), "transports": ["websocket", "polling"],
      "authentication": "POST /api/auth/acquire-session gives a session token",
      "events": [
        "client": ["ping", "status", "echo", "info", "message", "ai:chat"],
        "server": [
          "connected", "pong", "status_response", "echo_response", "info_response", "message_received",
          "ai:response:start", "ai:response:chunk", "ai:response:complete", "ai:response:error", "error",
        ],
      ],
    ])
  }

  /// Where native clients connect: anywhere on a listener of their own, else the first path that is mounted for them.
  private func nativePath(_ request: EndpointRequest) -> String {
    if request.dialects == [.events] { return "/" }
    for mount in configuration.listeners.flatMap(\.mounts) where mount.target == .dialect(.events) {
      if case .exact(let path) = mount.rule, path != "/socket.io" { return path }
    }
    return "/"
  }
}
