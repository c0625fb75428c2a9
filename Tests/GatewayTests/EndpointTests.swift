import Auth
import Testing
import Wire

@testable import Gateway

@Suite("HTTP endpoints")
struct EndpointTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let method: String
    let target: String
    let dialects: [Dialect]
    let owns: Bool
    let status: Int
    let type: String?
    let body: String?
    init(
      _ method: String, _ target: String, on dialects: [Dialect] = allDialects, _ status: Int, _ type: String? = nil,
      _ body: String? = nil
    ) {
      (self.method, self.target, self.dialects, owns) = (method, target, dialects, true)
      (self.status, self.type, self.body) = (status, type, body)
    }
    /// A request that no endpoint owns.
    init(notOwned method: String, _ target: String, on dialects: [Dialect] = allDialects) {
      (self.method, self.target, self.dialects, owns) = (method, target, dialects, false)
      (status, type, body) = (0, nil, nil)
    }
    var testDescription: String { "\(method) \(target) \(dialects.map(\.name))" }
  }

  private static let notFound = "Not Found"

  static let table: [Case] = [
    // PROTOCOLS 1.1
    Case("GET", "/get-token", 400, "text/plain", "Missing username parameter"),
    Case("GET", "/get-token?username=", 400, "text/plain", "Missing username parameter"),
    Case("GET", "/get-token?user=a", 400, "text/plain", "Missing username parameter"),
    Case("GET", "/get-token?username=%FF", 400, "text/plain", "Missing username parameter"),
    Case("POST", "/get-token?username=a", 404, "text/plain", notFound),
    Case("DELETE", "/get-token", 404, "text/plain", notFound),
    Case("OPTIONS", "/get-token", 204, nil, ""),
    Case("OPTIONS", "/handlers", 204, nil, ""), Case("OPTIONS", "/handlers/ws", 204, nil, ""),
    Case("OPTIONS", "/any/thing", on: [.handlers, .channels], 204, nil, ""),
    Case("OPTIONS", "/", on: [.handlers], 204, nil, ""),
    Case(notOwned: "OPTIONS", "/any/thing"), Case(notOwned: "OPTIONS", "/handlersx"),
    Case(notOwned: "GET", "/get-token?username=a", on: [.channels, .events, .sessions, .walkers]),
    Case(notOwned: "GET", "/", on: [.handlers, .channels]), Case(notOwned: "GET", "/other", on: [.handlers]),
    // PROTOCOLS 3.1
    Case("GET", "/health", 200, "application/json", #"{"status":"healthy","timestamp":"2026-11-18T22:26:40.123Z"}"#),
    Case("HEAD", "/health", 200, "application/json"),
    Case(
      "GET", "/api/auth/session", 200, "application/json",
      #"{"success":false,"error":"No token provided","message":"A session token is needed"}"#),
    Case(
      "GET", "/api/auth/session?token=nobody", 200, "application/json",
      #"{"success":false,"error":"Invalid or expired session","#
        + #""message":"The session token is unknown, or its time is over"}"#),
    Case(
      "POST", "/api/auth/logout?token=nobody", 200, "application/json",
      #"{"success":true,"message":"Logged out successfully"}"#),
    Case("POST", "/api/auth/acquire-session", 200, "application/json"),
    Case("GET", "/websocket-info", 200, "application/json"), Case("GET", "/", 200, "application/json"),
    Case("POST", "/health", 405, "text/plain", "Method Not Allowed"),
    Case("GET", "/api/auth/acquire-session", 405, "text/plain", "Method Not Allowed"),
    Case("OPTIONS", "/api/auth/acquire-session", 204, nil, ""), Case("OPTIONS", "/", 204, nil, ""),
    Case(notOwned: "POST", "/"), Case(notOwned: "GET", "/health/"), Case(notOwned: "GET", "/unknown"),
    Case(notOwned: "GET", "/health", on: [.handlers, .channels, .sessions, .walkers]),
    Case(notOwned: "GET", "/", on: [.channels]),
    // PROTOCOLS 4.1
    Case("GET", "/auth/token", 405, "text/plain", "Method Not Allowed"),
    Case("PUT", "/auth/token", 405, "text/plain", "Method Not Allowed"),
    Case("OPTIONS", "/auth/token", 204, nil, ""),
    Case(notOwned: "POST", "/auth/token", on: [.handlers, .channels, .events, .walkers]),
    // PROTOCOLS 5.3, 5.4
    Case("GET", "/healthz", 200, nil, ""), Case("POST", "/healthz", 405, "application/json"),
    Case("GET", "/user/login", 405, "application/json", #"{"detail":"Method Not Allowed"}"#),
    Case("OPTIONS", "/user/register", 204, nil, ""), Case("OPTIONS", "/walker/x", 204, nil, ""),
    Case("POST", "/walker/x", 404, "application/json", #"{"detail":"Not Found"}"#),
    Case(notOwned: "POST", "/walker/"), Case(notOwned: "POST", "/walker"),
    Case(notOwned: "POST", "/user/login", on: [.handlers, .channels, .events, .sessions]),
    Case("POST", "/user/register", 403, "application/json", #"{"detail":"Registration is closed"}"#),
    Case(
      "GET", "/get-token?username=a", 403, "application/json",
      #"{"error":"This server does not give tokens to anyone who asks"}"#),
  ]

  @Test(
    "each row of the tables is answered as it says, on the listeners of its dialect", arguments: EndpointTests.table)
  func rows(_ entry: Case) async throws {
    let isOpen = entry.status != 403
    let endpoints = try makeEndpoints("{handlers:{openTokens:\(isOpen)},walkers:{allowsRegistration:\(isOpen)}}")
    let request = makeRequest(entry.method, entry.target, dialects: entry.dialects)
    let owns = endpoints.owns(
      method: request.method, path: request.path, dialects: entry.dialects, ownsEverything: false)
    #expect(owns == entry.owns)
    guard entry.owns else { return }
    let answer = await endpoints.ask(request)
    #expect(answer.status == entry.status && answer.contentType == entry.type, "got \(answer.status)")
    if let body = entry.body { #expect(answer.text == body) }
    if answer.status == 405 { #expect(answer.header("Allow")?.hasSuffix("OPTIONS") == true) }
  }

  @Test("where events owns everything, every other request gets the page, except those of Socket.IO")
  func everything() async throws {
    let endpoints = try makeEndpoints()
    for (method, path) in [
      ("GET", "/"), ("GET", "/unknown"), ("POST", "/"), ("DELETE", "/a/b"), ("POST", "/health"), ("GET", "/socket.iox"),
    ] {
      let request = makeRequest(method, path, dialects: [.events])
      #expect(endpoints.owns(method: request.method, path: path, dialects: [.events], ownsEverything: true))
      let answer = await endpoints.ask(request)
      #expect(answer.status == 200 && answer.member("message") == "YektaYar WebSocket Server", "\(method) \(path)")
    }
    for path in ["/socket.io", "/socket.io/", "/socket.io/x"] {
      #expect(!endpoints.owns(method: .get, path: path, dialects: [.events], ownsEverything: true))
    }
  }

  @Test("the page tells both protocols, what they can do, and where they are")
  func infoPage() async throws {
    let endpoints = try makeEndpoints("{events:{infoMessage:'M',version:'9'}}")
    let shared = await endpoints.ask(makeRequest("GET", "/")).text
    #expect(
      shared.hasPrefix(
        #"{"message":"M","version":"9","status":"running","protocols":{"socketio":{"path":"/socket.io/","#))
    #expect(shared.contains(#""transports":["websocket","polling"]"#))
    #expect(shared.contains(#""websocket":{"path":"/events","#))
    #expect(shared.contains(#""websocket":"ws://gateway.example:8080/events?token=YOUR_TOKEN""#))
    #expect(shared.hasSuffix(#""features":{"rest":true,"websocket":true,"sessionAcquisition":true}}"#))
    let alone = await endpoints.ask(makeRequest("GET", "/", dialects: [.events])).text
    #expect(alone.contains(#""websocket":{"path":"/","#))
    let info = await endpoints.ask(makeRequest("GET", "/websocket-info")).text
    #expect(info.contains(#""transports":["websocket","polling"]"#) && info.contains("ai:response:chunk"))
  }

  @Test("handlers' answers carry its headers, whatever the status and the origin")
  func handlersHeaders() async throws {
    let endpoints = try makeEndpoints("{handlers:{openTokens:true}}")
    for (method, target) in [
      ("GET", "/get-token?username=a"), ("GET", "/get-token"), ("POST", "/get-token"), ("OPTIONS", "/get-token"),
    ] {
      for origin in [nil, "https://anywhere.example", "null"] {
        let answer = await endpoints.ask(makeRequest(method, target, origin: origin))
        #expect(answer.status != 403)
        #expect(answer.header("Access-Control-Allow-Origin") == "*")
        #expect(answer.header("Access-Control-Allow-Methods") == "GET, POST, PUT, DELETE, OPTIONS")
        #expect(answer.header("Access-Control-Allow-Headers") == "Content-Type, Authorization")
      }
    }
  }

  @Test("a token for anyone holds the name and an hour, or what was configured")
  func getToken() async throws {
    for (file, ttl) in [("{handlers:{openTokens:true}}", 3_600), ("{handlers:{openTokens:true,tokenTtlSeconds:5}}", 5)]
    {
      let answer = try await makeEndpoints(file).ask(makeRequest("GET", "/get-token?username=J%C3%B6+%22x"))
      let token = answer.member("token")
      #expect(answer.status == 200 && answer.text == #"{"token":"\#(token)"}"#)
      #expect(
        claims(token, .handlers, at: testSeconds)
          == #"{"username":"Jö \"x","iat":\#(testSeconds),"exp":\#(testSeconds + Int64(ttl))}"#)
    }
    let long = String(repeating: "a", count: Limits.accountNameBytesMax + 1)
    let answer = try await makeEndpoints("{handlers:{openTokens:true}}").ask(
      makeRequest("GET", "/get-token?username=\(long)"))
    #expect(answer.status == 400)
  }

  @Test("an origin that is not allowed is refused before anything else, except by the two that answer all")
  func foreignOrigin() async throws {
    let endpoints = try makeEndpoints("{corsOrigins:['https://app.example'],walkers:{allowsRegistration:true}}")
    for (method, target) in [
      ("POST", "/api/auth/acquire-session"), ("GET", "/health"), ("GET", "/"), ("OPTIONS", "/api/auth/session"),
      ("POST", "/user/login"), ("OPTIONS", "/user/register"), ("GET", "/healthz"), ("POST", "/walker/x"),
      ("PUT", "/health"),
    ] {
      for origin in ["https://evil.example", "null", "https://app.example.evil", "http://app.example", "nonsense"] {
        let answer = await endpoints.ask(makeRequest(method, target, origin: origin))
        #expect(answer.status == 403 && answer.header("Access-Control-Allow-Origin") == nil, "\(method) \(target)")
        #expect(answer.text == "Forbidden")
      }
      for origin in ["https://app.example", "http://gateway.example:8080"] {
        let answer = await endpoints.ask(makeRequest(method, target, origin: origin))
        #expect(answer.status != 403 && answer.header("Access-Control-Allow-Origin") == origin)
        #expect(answer.header("Access-Control-Allow-Credentials") == "true" && answer.header("Vary") == "Origin")
      }
      let answer = await endpoints.ask(makeRequest(method, target))
      #expect(answer.status != 403 && answer.header("Access-Control-Allow-Origin") == nil)
    }
    #expect(endpoints.sessions.count == 3)
    for method in ["POST", "OPTIONS", "GET"] {
      let answer = await endpoints.ask(makeRequest(method, "/auth/token", origin: "https://evil.example"))
      #expect(answer.status != 403 && answer.header("Access-Control-Allow-Origin") == "*")
      #expect(answer.header("Access-Control-Allow-Credentials") == nil)
    }
  }

  @Test("a preflight allows the endpoint's method and the headers that were asked for, if they are names")
  func preflight() async throws {
    let endpoints = try makeEndpoints()
    for (target, methods) in [
      ("/auth/token", "POST, OPTIONS"), ("/user/login", "POST, OPTIONS"), ("/health", "GET, HEAD, OPTIONS"),
      ("/walker/x", "POST, OPTIONS"),
    ] {
      let origin = "http://gateway.example:8080"
      let answer = await endpoints.ask(
        makeRequest("OPTIONS", target, origin: origin, requestHeaders: "content-type, x-custom"))
      #expect(answer.status == 204 && answer.body.isEmpty)
      #expect(answer.header("Access-Control-Allow-Methods") == methods && answer.header("Allow") == methods)
      #expect(answer.header("Access-Control-Allow-Headers") == "content-type, x-custom")
    }
    for asked in ["a\r\nb: c", "a;b", String(repeating: "a", count: 2_000), "é", ""] {
      let answer = await endpoints.ask(makeRequest("OPTIONS", "/auth/token", requestHeaders: asked))
      #expect(answer.header("Access-Control-Allow-Headers") == "Content-Type, Authorization")
    }
  }

  @Test("a session is acquired, shown by query, header or cookie, and ended")
  func session() async throws {
    let endpoints = try makeEndpoints()
    let acquired = await endpoints.ask(
      makeRequest("POST", "/api/auth/acquire-session", body: "anything", contentType: nil))
    let token = acquired.member("token")
    let end = "2026-12-18T22:26:40.123Z"
    #expect(acquired.text == #"{"success":true,"data":{"token":"\#(token)","expiresAt":"\#(end)"}}"#)
    #expect(token.utf8.count == 43)
    let shown = #"{"success":true,"data":{"token":"\#(token)","userId":null,"isLoggedIn":false,"expiresAt":"\#(end)"}}"#
    for request in [
      makeRequest("GET", "/api/auth/session?token=\(token)", authorization: "Bearer x", cookie: "token=x"),
      makeRequest("GET", "/api/auth/session", authorization: "bearer \(token)", cookie: "token=x"),
      makeRequest("GET", "/api/auth/session?token=", authorization: token),
      makeRequest("GET", "/api/auth/session", cookie: "a=b; token=\(token); c"),
    ] {
      #expect(await endpoints.ask(request).text == shown)
    }
    let wrongFirst = makeRequest("GET", "/api/auth/session?token=x", authorization: "Bearer \(token)")
    #expect(await endpoints.ask(wrongFirst).text.contains("Invalid or expired session"))
    let later = testMilliseconds + 2_592_000_000
    let expired = makeRequest("GET", "/api/auth/session?token=\(token)", nowMilliseconds: later)
    #expect(await endpoints.ask(expired).text.contains("Invalid or expired session"))
    let out = makeRequest("POST", "/api/auth/logout", authorization: "Bearer \(token)")
    #expect(await endpoints.ask(out).text == #"{"success":true,"message":"Logged out successfully"}"#)
    #expect(await endpoints.ask(makeRequest("GET", "/api/auth/session?token=\(token)")).text.contains("Invalid or"))
    #expect(await endpoints.ask(makeRequest("POST", "/api/auth/logout")).text.contains("No token provided"))
  }

  @Test("a user's session says who it is")
  func userSession() async throws {
    let endpoints = try makeEndpoints()
    let (token, _) = try #require(endpoints.sessions.create(userId: "u\"1", nowMilliseconds: testMilliseconds))
    let text = await endpoints.ask(makeRequest("GET", "/api/auth/session?token=\(token)")).text
    #expect(text.contains(#""userId":"u\"1","isLoggedIn":true"#))
  }
}
