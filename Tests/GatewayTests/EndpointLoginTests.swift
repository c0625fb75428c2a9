import Auth
import EventLoop
import FoundationEssentials
import Testing

@testable import Gateway

@Suite("Logging in over HTTP")
struct EndpointLoginTests {
  /// Runs `body` with a user file that holds alice, whose password is "wonderland".
  private func withUsers(_ body: (String) async throws -> Void) async throws {
    let path = "/tmp/martlet-users-\(UUID().uuidString)"
    defer { removeDirectory(path) }
    try set("alice", "wonderland", in: path)
    try await body(path)
  }

  private func set(_ name: String, _ password: String, in path: String) throws {
    let hash = try PasswordHasher.hash(password.utf8Span.span)
    try UserFile.update(path: path) { users throws(UserFileError) in
      users.set(name, hash: hash)
      return true
    }
  }

  private func ask(
    _ endpoints: Endpoints, _ path: String, _ body: String, contentType: String? = "application/json",
    client: UInt64 = 1
  ) async -> HTTPAnswer {
    await endpoints.ask(
      makeRequest(
        "POST", path, body: body, contentType: contentType, client: PeerAddress(low: 0xFFFF_0A00_0000 | client)))
  }

  // MARK: POST /auth/token

  @Test(
    "a body that cannot be used is refused as the table says",
    arguments: [
      ("{}", "text/plain", 415), ("{}", nil, 415), ("{}", "application/jsonx", 415), ("", "application/json", 400),
      ("{", "application/json", 400), ("{\"username\":\"a\"", "application/json", 400),
      ("{\"username\":\u{FEFF}\"a\"}", "application/json", 400), ("[]", "application/json", 422),
      ("null", "application/json", 422), ("{}", "Application/JSON; charset=utf-8", 422),
      ("{}", "application/vnd.api+json", 422), (#"{"username":"a"}"#, "application/json", 422),
      (#"{"password":"a"}"#, "application/json", 422), (#"{"username":1,"password":"a"}"#, "application/json", 422),
      (#"{"username":"a","password":null}"#, "application/json", 422),
      (#"{"username":"a","password":"b","session_id":7}"#, "application/json", 422),
      (#"{"username":"a","username":"b","password":"b"}"#, "application/json", 422),
      (#"{"username":"","password":"b"}"#, "application/json", 401),
      (#"{"username":"a","password":""}"#, "application/json", 401),
    ] as [(String, String?, Int)])
  func unusable(_ body: String, _ type: String?, _ status: Int) async throws {
    let answer = await ask(try makeEndpoints(flags: [("development", "true")]), "/auth/token", body, contentType: type)
    #expect(answer.status == status)
    #expect(answer.header("Access-Control-Allow-Origin") == "*")
    if status == 401 {
      #expect(answer.text == #"{"error":"Invalid credentials"}"# && answer.contentType == "application/json")
    } else {
      #expect(answer.contentType == "text/plain" && !answer.body.isEmpty)
    }
  }

  @Test(
    "development accepts any password, and the token says who and which session",
    arguments: [
      (#"{"username":"al\"ice","password":"x","session_id":"s1"}"#, #""sid":"s1","#),
      (#"{"username":"al\"ice","password":"x","session_id":null,"more":[]}"#, ""),
      (#"{"username":"al\"ice","password":"x","session_id":""}"#, ""),
    ])
  func development(_ body: String, _ sid: String) async throws {
    let endpoints = try makeEndpoints("{sessions:{tokenTtlSeconds:120}}", flags: [("development", "true")])
    let answer = await ask(endpoints, "/auth/token", body)
    let token = answer.member("token")
    #expect(answer.status == 200 && answer.text == #"{"token":"\#(token)","expires_in":120}"#)
    let expected = #"{"sub":"al\"ice",\#(sid)"iat":\#(testSeconds),"exp":\#(testSeconds + 120)}"#
    #expect(claims(token, .sessions, at: testSeconds) == expected)
  }

  @Test("without a user file nobody logs in outside development")
  func noFile() async throws {
    let answer = await ask(try makeEndpoints(), "/auth/token", #"{"username":"alice","password":"x"}"#)
    #expect(answer.status == 401)
  }

  @Test("the user file decides, in development too, and a change is noticed")
  func userFile() async throws {
    try await withUsers { path in
      for flags in [[("accounts.file", path)], [("accounts.file", path), ("development", "true")]] {
        let endpoints = try makeEndpoints(flags: flags)
        func status(_ name: String, _ password: String) async -> Int {
          await ask(endpoints, "/auth/token", #"{"username":"\#(name)","password":"\#(password)"}"#).status
        }
        #expect(await status("alice", "wonderland") == 200)
        #expect(await status("alice", "Wonderland") == 401)
        #expect(await status("bob", "wonderland") == 401)
      }
    }
  }

  @Test("the file is looked at once a second: a new user, a spoilt file, a file that has gone")
  func reloading() async throws {
    try await withUsers { path in
      let reports = Lock([String]())
      let directory = UserDirectory(path: path) { text in reports.withLock { $0.append(text) } }
      #expect(directory.hash(of: "alice", nowMilliseconds: 1_000) != nil)
      try set("bob", "builder", in: path)
      #expect(directory.hash(of: "bob", nowMilliseconds: 1_999) == nil)
      #expect(directory.hash(of: "bob", nowMilliseconds: 2_000) != nil)
      let good = try Data(contentsOf: URL(filePath: path))
      try Data("spoilt\n".utf8).write(to: URL(filePath: path))
      for time in [UInt64(3_000), 4_000, 5_000] { #expect(directory.hash(of: "bob", nowMilliseconds: time) != nil) }
      try good.write(to: URL(filePath: path))
      #expect(directory.hash(of: "alice", nowMilliseconds: 6_000) != nil)
      removeDirectory(path)
      #expect(directory.hash(of: "alice", nowMilliseconds: 7_000) == nil)
      #expect(directory.hash(of: "alice", nowMilliseconds: 8_000) == nil)
      #expect(reports.withLock { $0.count } == 2)
    }
  }

  @Test("a file that others may read now holds no users, though nothing in it has changed, until that is mended")
  func permissions() async throws {
    try await withUsers { path in
      let reports = Lock([String]())
      let directory = UserDirectory(path: path) { text in reports.withLock { $0.append(text) } }
      #expect(directory.hash(of: "alice", nowMilliseconds: 1_000) != nil)
      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
      #expect(directory.hash(of: "alice", nowMilliseconds: 2_000) == nil)
      #expect(directory.hash(of: "alice", nowMilliseconds: 3_000) == nil)
      #expect(reports.withLock { $0.count == 1 && $0[0].contains("others may read it") })
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
      #expect(directory.hash(of: "alice", nowMilliseconds: 4_000) != nil)
    }
  }

  // MARK: Rates

  @Test("attempts of one address are limited, those of others and of this machine are not")
  func rates() async throws {
    let endpoints = try makeEndpoints(
      "{limits:{loginAttemptsPerAddressPerMinuteMax:3},walkers:{allowsRegistration:true}}")
    let body = #"{"username":"a","password":"b"}"#
    #expect(await ask(endpoints, "/auth/token", body).status == 401)
    #expect(await ask(endpoints, "/auth/token", body).status == 401)
    #expect(await ask(endpoints, "/auth/token", "{").status == 400)
    #expect(await ask(endpoints, "/user/login", #"{"email":"a@b.c","password":"b"}"#).status == 400)
    for path in ["/auth/token", "/user/login", "/user/register"] {
      let body = #"{"username":"a","email":"a@b.c","password":"b"}"#
      let answer = await ask(endpoints, path, body)
      #expect(answer.status == 429 && answer.header("Retry-After") == "20", "\(path)")
    }
    #expect(await ask(endpoints, "/auth/token", body, client: 2).status == 401)
    for _ in 0..<5 {
      let local = makeRequest("POST", "/auth/token", body: body, client: PeerAddress(low: 0xFFFF_7F00_0001))
      #expect(await endpoints.ask(local).status == 401)
    }
  }

  @Test("attempts come back with the time")
  func rateReturns() {
    let rate = LoginRate(attemptsPerMinuteMax: 10, exemptsLocal: false)
    let address = PeerAddress(low: 0xFFFF_0A00_0001)
    for _ in 0..<10 { #expect(rate.take(address, nowMilliseconds: 1_000)) }
    #expect(!rate.take(address, nowMilliseconds: 1_000) && !rate.take(address, nowMilliseconds: 6_999))
    #expect(rate.take(address, nowMilliseconds: 7_000) && !rate.take(address, nowMilliseconds: 7_001))
    #expect(rate.retryAfterSeconds == 6)
    let none = LoginRate(attemptsPerMinuteMax: 0, exemptsLocal: false)
    for _ in 0..<100 { #expect(none.take(address, nowMilliseconds: 1)) }
  }

  // MARK: Walkers

  @Test("a user registers once, logs in, and gets a token that is listed")
  func walkers() async throws {
    let endpoints = try makeEndpoints("{walkers:{allowsRegistration:true}}")
    let body = #"{"email":"me@Example.com","password":"secret"}"#
    let registered = await ask(endpoints, "/user/register", body)
    #expect(registered.status == 201 && registered.text == #"{"message":"Successfully Registered!"}"#)
    let again = await ask(endpoints, "/user/register", #"{"email":"me@example.COM","password":"other"}"#)
    #expect(again.status == 409 && again.text == #"{"detail":"Already Exists!"}"#)
    for wrong in [
      #"{"email":"me@example.com","password":"Secret"}"#, #"{"email":"you@example.com","password":"secret"}"#,
      #"{"email":"me@example.com","password":""}"#,
    ] {
      let answer = await ask(endpoints, "/user/login", wrong)
      #expect(answer.status == 400 && answer.text == #"{"message":"Invalid Email/Password!"}"#)
    }
    let answer = await ask(endpoints, "/user/login", body)
    let token = answer.member("token")
    let end = testSeconds + 43_200
    let user =
      #"{"id":"\#(answer.member("id"))","email":"me@example.com","root_id":"\#(answer.member("root_id"))","#
      + #""is_activated":true,"is_admin":false,"expiration":\#(end),"state":"\#(answer.member("state"))"}"#
    #expect(answer.status == 200 && answer.text == #"{"token":"\#(token)","user":\#(user)}"#)
    #expect(claims(token, .walkers, at: testSeconds) == user)
    for name in ["id", "root_id"] {
      #expect(answer.member(name).utf8.count == 24 && answer.member(name).allSatisfy { $0.isHexDigit })
    }
    #expect(accepts(endpoints, token, at: testSeconds) && !accepts(endpoints, token, at: end))
    let other = await ask(endpoints, "/user/login", body)
    #expect(other.member("token") != token && other.member("root_id") == answer.member("root_id"))
    // Another gateway with the same secret has not issued it.
    #expect(!accepts(try makeEndpoints(), token, at: testSeconds))
  }

  private func accepts(_ endpoints: Endpoints, _ token: String, at seconds: Int64) -> Bool {
    guard let key = JWTKey(secret: endpointSecret) else { return false }
    var claims = JWTClaims()
    try? JWTVerifier(key: key, policy: .walkers).verify(token.utf8Span.span, nowSeconds: seconds, into: &claims)
    return endpoints.accounts.accepts(token: token.utf8Span.span, claims: claims, nowSeconds: seconds)
  }

  @Test("a token of the command line counts by its signature alone")
  func standalone() throws {
    let endpoints = try makeEndpoints()
    let key = try #require(JWTKey(secret: endpointSecret))
    let user = WalkerUser(name: "alice", secret: Secret(endpointSecret))
    #expect(user == WalkerUser(name: "alice", secret: Secret(endpointSecret)))
    #expect(user.rootId != user.id && user.rootId.utf8.count == 24)
    #expect(user.rootId != WalkerUser(name: "alice", secret: Secret("other")).rootId)
    let end = testSeconds + 60
    let token = JWTSigner.sign(claims: user.standaloneClaims(expirationSeconds: end), key: key)
    #expect(accepts(endpoints, token, at: testSeconds))
    let unlisted = JWTSigner.sign(claims: user.members(expirationSeconds: end, state: "x"), key: key)
    #expect(!accepts(endpoints, unlisted, at: testSeconds))
  }

  @Test("a user of the file logs in by name, with the root that the command line gives it too")
  func fileUser() async throws {
    try await withUsers { path in
      let endpoints = try makeEndpoints("{walkers:{allowsRegistration:true}}", flags: [("accounts.file", path)])
      let answer = await ask(endpoints, "/user/login", #"{"email":"alice","password":"wonderland"}"#)
      #expect(answer.status == 200)
      #expect(answer.member("root_id") == WalkerUser(name: "alice", secret: Secret(endpointSecret)).rootId)
      #expect(await ask(endpoints, "/user/login", #"{"email":"alice","password":"x"}"#).status == 400)
      try set("in@the.file", "x", in: path)
      let taken = try makeEndpoints("{walkers:{allowsRegistration:true}}", flags: [("accounts.file", path)])
      #expect(await ask(taken, "/user/register", #"{"email":"in@the.file","password":"y"}"#).status == 409)
    }
  }

  @Test(
    "a body that cannot be used is refused with what and where",
    arguments: [
      ("", "missing", #"["body"]"#, "null"), ("{", "json_invalid", #"["body",1]"#, "{}"),
      (#"{"email":"a@b.c","email":"d@b.c","password":"a"}"#, "json_invalid", #"["body",0]"#, "{}"),
      // What is no object may be a password as a whole.
      ("[]", "model_attributes_type", #"["body"]"#, "null"),
      (#""secret""#, "model_attributes_type", #"["body"]"#, "null"),
      ("{}", "missing", #"["body","email"]"#, "{}"),
      (#"{"password":"secret","x":1}"#, "missing", #"["body","email"]"#, #"{"password":"**********"}"#),
      (#"{"email":7.50,"password":"a"}"#, "string_type", #"["body","email"]"#, "7.50"),
      (#"{"email":{"a":[1]},"password":"a"}"#, "string_type", #"["body","email"]"#, #"{"a":[1]}"#),
      (#"{"email":"a@b.c"}"#, "missing", #"["body","password"]"#, #"{"email":"a@b.c"}"#),
      (#"{"email":"a@b.c","password":null}"#, "string_type", #"["body","password"]"#, "null"),
      (#"{"email":"a@b.c","password":12345}"#, "string_type", #"["body","password"]"#, #""**********""#),
      (#"{"email":"a@b.c","password":""}"#, "string_too_short", #"["body","password"]"#, #""""#),
      (#"{"email":"a","password":"a"}"#, "value_error", #"["body","email"]"#, #""a""#),
      (#"{"email":"a@b","password":"a"}"#, "value_error", #"["body","email"]"#, #""a@b""#),
      (#"{"email":"a@b@c.d","password":"a"}"#, "value_error", #"["body","email"]"#, #""a@b@c.d""#),
      (#"{"email":"a b@c.d","password":"a"}"#, "value_error", #"["body","email"]"#, #""a b@c.d""#),
      (#"{"email":"\"@.d","password":"a"}"#, "value_error", #"["body","email"]"#, #""\"@.d""#),
      (#"{"email":"a@b.c","password":"a\u0000b"}"#, "value_error", #"["body","password"]"#, #""**********""#),
    ])
  func unusableUser(_ body: String, _ type: String, _ place: String, _ input: String) async throws {
    let answer = await ask(try makeEndpoints("{walkers:{allowsRegistration:true}}"), "/user/register", body)
    #expect(answer.status == 422)
    #expect(answer.text.hasPrefix(#"{"detail":[{"type":"\#(type)","loc":\#(place),"msg":""#), "got \(answer.text)")
    #expect(answer.text.hasSuffix(#"","input":\#(input)}]}"#), "got \(answer.text)")
    #expect(!answer.text.contains("secret") && !answer.text.contains("12345"))
  }

  @Test("no more users than allowed are kept")
  func full() async throws {
    let endpoints = try makeEndpoints("{walkers:{allowsRegistration:true},limits:{accountsMax:1}}")
    #expect(await ask(endpoints, "/user/register", #"{"email":"a@b.c","password":"x"}"#).status == 201)
    let answer = await ask(endpoints, "/user/register", #"{"email":"d@b.c","password":"x"}"#)
    #expect(answer.status == 503 && answer.header("Retry-After") == "5")
  }
}

@Suite("The queue of password checks")
struct HashQueueTests {
  @Test("two run at a time, so many wait, and more are refused at once")
  func bounds() async {
    let queue = HashQueue()
    let gate = WakeSignal()
    let state = Lock((running: 0, most: 0))
    let outcomes = await withTaskGroup(of: Bool.self) { group in
      let count = HashQueue.runningMax + HashQueue.waitingMax + 10
      for _ in 0..<count {
        group.addTask {
          await queue.run {
            state.withLock {
              $0.running += 1
              $0.most = max($0.most, $0.running)
            }
            gate.wait()
            state.withLock { $0.running -= 1 }
            return true
          } ?? false
        }
      }
      var outcomes: [Bool] = []
      // Those over the bound come back though nothing has been let go.
      for _ in 0..<10 { outcomes.append(await group.next() ?? true) }
      for _ in 0..<count { gate.post() }
      for await outcome in group { outcomes.append(outcome) }
      return outcomes
    }
    #expect(outcomes.prefix(10).allSatisfy { !$0 } && outcomes.dropFirst(10).allSatisfy { $0 })
    #expect(state.withLock { $0.most } == HashQueue.runningMax)
    #expect(await queue.run { 7 } == 7)
  }

  @Test("work that nobody waits for any more when its turn comes is left out")
  func abandoned() async {
    let queue = HashQueue()
    let gate = WakeSignal()
    let done = Lock(0)
    let running = (0..<HashQueue.runningMax).map { _ in
      Task {
        await queue.run {
          done.withLock { $0 += 1 }
          gate.wait()
        }
      }
    }
    while done.withLock({ $0 }) < HashQueue.runningMax { await Task.yield() }
    let waiting = (0..<10).map { _ in Task { await queue.run { done.withLock { $0 += 100 } } } }
    for task in waiting { task.cancel() }
    for _ in running { gate.post() }
    for task in running { _ = await task.value }
    for task in waiting { #expect(await task.value == nil) }
    #expect(done.withLock { $0 } == HashQueue.runningMax)
  }
}
