// The endpoints of the walkers dialect for its users: registering and logging in. Any thread.
import Auth
import Wire

extension Endpoints {
  private static let userKeys = JSONKeySet("email", "password")

  /// Email and password of a body.
  private struct Credentials: Sendable {
    let email: String
    let password: [UInt8]
  }

  private struct Invalid: Error {
    let answer: HTTPAnswer
  }

  /// `POST /user/register` (PROTOCOLS 5.4).
  func register(_ request: EndpointRequest) -> EndpointOutcome {
    guard configuration.walkers.allowsRegistration else {
      return .now(.json(403, ["detail": "Registration is closed"]).because(.switchedOff))
    }
    let credentials: Credentials
    do {
      credentials = try Self.credentials(request.body, isNew: true)
    } catch {
      return .now(error.answer)
    }
    if let answer = limitLogins(request, ["detail": "Too many attempts"]) { return .now(answer) }
    let accounts = accounts
    return .later {
      switch await accounts.register(email: credentials.email, password: credentials.password) {
      case .registered: .json(201, ["message": "Successfully Registered!"])
      case .exists: .json(409, ["detail": "Already Exists!"])
      case .full: Self.busy(["detail": "No more users"])
      case .unusable(let reason): Self.unprocessable("value_error", ["body", "password"], reason, Self.hidden)
      case .busy: Self.busy(["detail": "Too many logins at the moment"])
      }
    }
  }

  /// `POST /user/login` (PROTOCOLS 5.4).
  func login(_ request: EndpointRequest) -> EndpointOutcome {
    let credentials: Credentials
    do {
      credentials = try Self.credentials(request.body, isNew: false)
    } catch {
      return .now(error.answer)
    }
    if let answer = limitLogins(request, ["detail": "Too many attempts"]) { return .now(answer) }
    let accounts = accounts
    let now = request.nowSeconds
    return .later {
      switch await accounts.login(email: credentials.email, password: credentials.password, nowSeconds: now) {
      case .token(let token, let members):
        .json(["token": .string(token), "user": JSONTree(members)]).adding([("Cache-Control", "no-store")])
      case .refused: .json(400, ["message": "Invalid Email/Password!"]).because(.badCredentials)
      case .full, .busy: Self.busy(["detail": "Too many logins at the moment"])
      }
    }
  }

  private static func credentials(_ bytes: [UInt8], isNew: Bool) throws(Invalid) -> Credentials {
    if bytes.isEmpty { throw Invalid(answer: unprocessable("missing", ["body"], "Field required")) }
    let body: EndpointBody
    do {
      body = try EndpointBody(bytes, userKeys)
    } catch {
      switch error {
      case .malformed(let offset):
        throw Invalid(
          answer: unprocessable("json_invalid", ["body", .integer(Int64(offset))], "JSON decode error", [:]))
      case .notObject:
        let text = "Input should be a valid dictionary or object to extract fields from"
        throw Invalid(answer: unprocessable("model_attributes_type", ["body"], text))
      case .duplicate:
        throw Invalid(
          answer: unprocessable("json_invalid", ["body", .integer(0)], "A member stands there twice", [:]))
      }
    }
    let email = try text(body, 0, "email")
    let password = try text(body, 1, "password")
    if isNew {
      guard isEmail(email) else {
        let text = "value is not a valid email address"
        throw Invalid(answer: unprocessable("value_error", ["body", "email"], text, .string(email)))
      }
      if password.isEmpty {
        let text = "String should have at least 1 character"
        throw Invalid(answer: unprocessable("string_too_short", ["body", "password"], text, ""))
      }
    }
    // Longer than any user's name: left as it is, it is nobody's.
    return Credentials(email: normalized(email), password: Array(password.utf8))
  }

  private static func text(_ body: EndpointBody, _ index: Int, _ name: String) throws(Invalid) -> String {
    switch body.member(index) {
    case .text(let text): return text
    case .absent:
      throw Invalid(answer: unprocessable("missing", ["body", .string(name)], "Field required", shown(body)))
    case .null, .other:
      // A password that is a number is one all the same.
      let input = name == "password" && body.member(index) != .null ? nil : body.raw(index)
      let text = "Input should be a valid string"
      throw Invalid(
        answer: unprocessable("string_type", ["body", .string(name)], text, input.map { .raw($0) } ?? hidden))
    }
  }

  /// What stands for a password that was sent.
  private static let hidden: JSONTree = "**********"

  /// The members of a body that count, its password hidden.
  private static func shown(_ body: EndpointBody) -> JSONTree {
    var members: [(String, JSONTree)] = []
    if let email = body.raw(0) { members.append(("email", .raw(email))) }
    if body.raw(1) != nil { members.append(("password", hidden)) }
    return .object(members)
  }

  /// A local part, an @, a domain with a dot, and nothing that no mail would go to.
  private static func isEmail(_ text: String) -> Bool {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, text.utf8.count <= Limits.accountNameBytesMax, !parts[0].isEmpty,
      text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != 0x3A })
    else { return false }
    let labels = parts[1].split(separator: ".", omittingEmptySubsequences: false)
    return labels.count >= 2 && labels.allSatisfy { !$0.isEmpty && $0.first != "-" && $0.last != "-" }
  }

  /// An address with its domain in lower case, as domains are compared; another name as it is.
  private static func normalized(_ text: String) -> String {
    guard let at = text.lastIndex(of: "@") else { return text }
    return text[...at] + text[text.index(after: at)...].lowercased()
  }

  /// A refusal of a body. `input` is what was sent at `place`, as the dialect's clients expect; but no password is
  /// repeated, nor a body that may be one.
  private static func unprocessable(
    _ type: String, _ place: JSONTree, _ message: String, _ input: JSONTree = .null
  ) -> HTTPAnswer {
    .json(422, ["detail": [["type": .string(type), "loc": place, "msg": .string(message), "input": input]]])
  }
}
