// The OpenAPI document of the HTTP endpoints, for the admin listener. Made from the configuration; any thread.

/// Describes the endpoints as OpenAPI 3.1.
public enum OpenAPI {
  /// The document, JSON in UTF-8, of what a gateway with this configuration serves.
  public static func json(for configuration: Configuration) -> [UInt8] {
    let dialects = configuration.servedDialects
    var paths: [(String, [(String, JSONTree)])] = []
    for endpoint in Endpoint.allCases where dialects.contains(endpoint.dialect) {
      let operation = OpenAPIOperation(endpoint, configuration)
      let path = endpoint == .walker ? "/walker/{name}" : endpoint.path
      paths.append((path, [(endpoint.isPost ? "post" : "get", operation.tree)]))
    }
    if configuration.admin != nil { paths += adminPaths(configuration) }
    let document: JSONTree = [
      "openapi": "3.1.0",
      "info": [
        "title": "Martlet", "version": .string(configuration.events.version),
        "description": .string(
          "The HTTP endpoints of the gateway. Each is served on the listeners where its dialect, its tag, is mounted; "
            + "those of the tag admin on the admin listener alone."),
      ],
      "tags": .array((dialects.filter { $0 != .echo }.map(\.name) + ["admin"]).map { ["name": .string($0)] }),
      "paths": .object(paths.map { ($0.0, .object($0.1)) }),
      "components": ["securitySchemes": securitySchemes, "schemas": schemas],
    ]
    return document.bytes
  }

  private static let securitySchemes: JSONTree = [
    "bearer": ["type": "http", "scheme": "bearer"],
    "sessionQuery": ["type": "apiKey", "in": "query", "name": "token"],
    "sessionCookie": ["type": "apiKey", "in": "cookie", "name": "token"],
  ]

  /// The listener of operators (DESIGN 7). Its address stands for itself, because it is another one.
  private static func adminPaths(_ configuration: Configuration) -> [(String, [(String, JSONTree)])] {
    let admin = configuration.admin ?? AdminConfiguration()
    let host = admin.host.utf8.contains(0x3A) ? "[\(admin.host)]" : admin.host
    let servers: JSONTree = [["url": .string("http://\(host):\(admin.port)")]]
    let pages: [(String, String, String, [(Int, String)])] = [
      ("/livez", "Whether the process is alive", "text/plain", [(200, "It is")]),
      (
        "/readyz", "Whether it accepts connections", "text/plain",
        [(200, "It does"), (503, "It is starting or stopping")]
      ),
      ("/metrics", "Metrics in the text format of Prometheus", "text/plain", [(200, "The metrics")]),
      ("/openapi.json", "This document", "application/json", [(200, "The document")]),
    ]
    return pages.map { path, summary, type, responses in
      let tree: JSONTree = [
        "tags": ["admin"], "summary": .string(summary),
        "operationId": .string(String(path.dropFirst().prefix { $0 != "." })),
        "responses": .object(
          responses.map { status, text in
            (String(status), ["description": .string(text), "content": .object([(type, .object([]))])])
          }),
      ]
      return (path, [("servers", servers), ("get", tree)])
    }
  }

  // MARK: Schemas

  static let schemas: JSONTree = [
    "Token": object(["token": string]),
    "TokenRequest": object(["username": string, "password": string], optional: ["session_id": string]),
    "TokenAnswer": object(["token": string, "expires_in": ["type": "integer"]]),
    "Error": object(["error": string]),
    "Detail": object(["detail": string]),
    "Message": object(["message": string]),
    "Invalid": object([
      "detail": [
        "type": "array",
        "items": object([
          "type": string, "loc": ["type": "array", "items": ["type": ["string", "integer"]]], "msg": string,
        ]),
      ]
    ]),
    "AcquiredSession": object([
      "success": ["const": true], "data": object(["token": string, "expiresAt": time]),
    ]),
    "Session": [
      "oneOf": [
        object([
          "success": ["const": true],
          "data": object([
            "token": string, "userId": ["type": ["string", "null"]], "isLoggedIn": boolean, "expiresAt": time,
          ]),
        ]),
        object(["success": ["const": false], "error": string, "message": string]),
      ]
    ],
    "Logout": object(["success": boolean, "message": string], optional: ["error": string]),
    "Health": object(["status": ["const": "healthy"], "timestamp": time]),
    "WebSocketInfo": object([
      "path": string, "nativePath": string, "transports": strings,
      "events": object(["client": strings, "server": strings]),
    ]),
    "Info": object([
      "message": string, "version": string, "status": ["const": "running"], "protocols": ["type": "object"],
      "usage": ["type": "object"], "features": ["type": "object"],
    ]),
    "Credentials": object(["email": string, "password": string]),
    "Login": object([
      "token": string,
      "user": object([
        "id": string, "email": string, "root_id": string, "is_activated": boolean, "is_admin": boolean,
        "expiration": ["type": "integer"], "state": string,
      ]),
    ]),
    "Walked": object(["status": ["const": .integer(200)], "reports": ["type": "array"]]),
    "Context": ["type": "object", "description": "The walker's context: its fields, and others that are ignored."],
  ]

  private static let string: JSONTree = ["type": "string"]
  private static let boolean: JSONTree = ["type": "boolean"]
  private static let time: JSONTree = ["type": "string", "format": "date-time"]
  private static let strings: JSONTree = ["type": "array", "items": ["type": "string"]]

  private static func object(_ required: [(String, JSONTree)], optional: [(String, JSONTree)] = []) -> JSONTree {
    [
      "type": "object", "required": .array(required.map { .string($0.0) }),
      "properties": .object(required + optional),
    ]
  }

  private static func object(_ required: JSONTree, optional: JSONTree = [:]) -> JSONTree {
    guard case .object(let needed) = required, case .object(let others) = optional else { return ["type": "object"] }
    return object(needed, optional: others)
  }
}

/// One operation of the document.
private struct OpenAPIOperation {
  var summary = ""
  /// Name of the schema of the request's body.
  var body: String?
  var parameters: [JSONTree] = []
  /// Names of security schemes, any one of which will do; "" for none at all.
  var security: [String] = []
  /// Status, what it means, and the name of the body's schema: nil for no body, "" for a text.
  var responses: [(Int, String, String?)] = []
  private let endpoint: Endpoint

  init(_ endpoint: Endpoint, _ configuration: Configuration) {
    self.endpoint = endpoint
    switch endpoint {
    case .getToken:
      summary = "A token for anyone who asks, where that is switched on"
      parameters = [Self.parameter("username", in: "query")]
      responses = [(200, "The token", "Token"), (400, "No username", ""), (403, "Switched off", "Error")]
    case .acquireSession:
      summary = "A new anonymous session"
      responses = [(200, "The session's token", "AcquiredSession"), (503, "Too many sessions", "Error")]
    case .session:
      summary = "What a session's token stands for"
      security = ["sessionQuery", "bearer", "sessionCookie"]
      responses = [(200, "The session, or why there is none", "Session")]
    case .logout:
      summary = "End a session"
      security = ["sessionQuery", "bearer", "sessionCookie"]
      responses = [(200, "It has ended", "Logout")]
    case .health:
      summary = "Whether the gateway is well"
      responses = [(200, "It is", "Health")]
    case .websocketInfo:
      summary = "Paths, transports and events"
      responses = [(200, "What there is", "WebSocketInfo")]
    case .info:
      summary = "What this server is"
      responses = [(200, "The page", "Info")]
    case .authToken:
      summary = "A token for a name and a password"
      body = "TokenRequest"
      responses = [
        (200, "The token", "TokenAnswer"), (400, "Not JSON", ""), (401, "Wrong name or password", "Error"),
        (415, "Not application/json", ""), (422, "A member is missing or no string", ""),
        (429, "Too many attempts", "Error"), (503, "Too many logins at the moment", "Error"),
      ]
    case .register:
      summary = "Register a user, where that is switched on"
      body = "Credentials"
      responses = [
        (201, "Registered", "Message"), (403, "Switched off", "Detail"), (409, "There is such a user", "Detail"),
        (422, "The body cannot be used", "Invalid"), (429, "Too many attempts", "Detail"),
        (503, "Too many users or logins", "Detail"),
      ]
    case .login:
      summary = "Log a user in"
      body = "Credentials"
      responses = [
        (200, "The token and its user", "Login"), (400, "Wrong email or password", "Message"),
        (422, "The body cannot be used", "Invalid"), (429, "Too many attempts", "Detail"),
        (503, "Too many logins at the moment", "Detail"),
      ]
    case .healthz:
      summary = "Whether the gateway is well"
      responses = [(200, "It is", nil)]
    case .walker:
      summary = "Run a walker"
      body = "Context"
      parameters = [Self.parameter("name", in: "path")]
      security = ["bearer", ""]
      responses = [
        (200, "What it reported", "Walked"), (401, "The token does not count", "Detail"),
        (403, "It needs a token, for itself or to send to others", "Detail"),
        (404, "No such walker, or not for HTTP", "Detail"),
        (422, "The context cannot be used", "Invalid"), (500, "The walker failed", "Detail"),
        (503, "Too many walkers at the moment", "Detail"), (504, "The walker took too long", "Detail"),
      ]
    }
    if !endpoint.isOpen && !responses.contains(where: { $0.0 == 403 }) {
      responses.append((403, "The origin is not allowed", ""))
    }
  }

  private static func parameter(_ name: String, in place: String) -> JSONTree {
    ["name": .string(name), "in": .string(place), "required": true, "schema": ["type": "string"]]
  }

  var tree: JSONTree {
    var members: [(String, JSONTree)] = [
      ("tags", [.string(endpoint.dialect.name)]), ("summary", .string(summary)),
      ("operationId", .string("\(endpoint)")),
    ]
    if !parameters.isEmpty { members.append(("parameters", .array(parameters))) }
    if let body {
      members.append(("requestBody", ["required": true, "content": Self.content(body)]))
    }
    if !security.isEmpty {
      members.append(
        ("security", .array(security.map { $0.isEmpty ? JSONTree.object([]) : .object([($0, .array([]))]) })))
    }
    let answers = responses.sorted { $0.0 < $1.0 }.map { status, text, schema -> (String, JSONTree) in
      var answer: [(String, JSONTree)] = [("description", .string(text))]
      if let schema { answer.append(("content", Self.content(schema))) }
      return (String(status), .object(answer))
    }
    members.append(("responses", .object(answers)))
    return .object(members)
  }

  private static func content(_ schema: String) -> JSONTree {
    if schema.isEmpty { return ["text/plain": ["schema": ["type": "string"]]] }
    return ["application/json": ["schema": ["$ref": .string("#/components/schemas/\(schema)")]]]
  }
}
