// Walkers over plain HTTP, `POST /walker/<name>`. One for the gateway, any thread.
import Auth
import Buffers
import Dialects
import Wire

/// Runs walkers for requests (PROTOCOLS 5.3), those that allow it.
struct WalkerEndpoint: Sendable {
  private let walkers: [String: Walker]
  private let authenticator: WalkersAuthenticator
  private let outlet: Outlet
  private let runs: HandlerRuns
  private let anonymous: WalkersAnonymous

  /// The endpoint for `walkers`, which reach clients through `outlet`.
  init(
    walkers: [String: Walker], authenticator: WalkersAuthenticator, anonymous: WalkersAnonymous, outlet: Outlet,
    runs: HandlerRuns
  ) {
    self.anonymous = anonymous
    self.runs = runs
    self.walkers = walkers
    self.authenticator = authenticator
    self.outlet = outlet
  }

  /// Runs the walker called `name`, which is percent-encoded as in the path. Whether there is one comes first, then who
  /// asks, then what is asked.
  func answer(_ request: EndpointRequest, name: String) -> EndpointOutcome {
    guard let name = Self.decoded(name), let walker = walkers[name], walker.methods.contains(.post) else {
      return .now(Self.detail(404, "Not Found"))
    }
    var root = ByteBuffer(capacity: 32)
    if let refusal = identify(request, walker, &root) { return .now(refusal) }
    var errors = WalkersErrors()
    var checked = ByteBuffer()
    WalkersContext.check(
      body: request.body.span, fields: walker.checkedFields, errors: &errors, into: &checked)
    if !errors.isEmpty {
      var text = ByteBuffer(capacity: 256)
      WalkersEncoder.appendDetail(errors, to: &text)
      return .now(Self.json(422, text))
    }
    let call = WalkerCall(
      walker, name: name, connection: nil, root: root.isEmpty ? nil : root.bytes.string,
      context: checked.bytes.array, outlet: outlet,
      mayNotify: !root.isEmpty || anonymous == .full, runs: runs)
    return .later { Self.answer(await call.run()) }
  }

  /// Finds out who asks, and leaves the root in `root`; empty for nobody in particular. The answer when that is not
  /// enough for the walker, or when a credential is offered that is no good.
  private func identify(_ request: EndpointRequest, _ walker: Walker, _ root: inout ByteBuffer) -> HTTPAnswer? {
    var claims = JWTClaims()
    let credential = request.authorization ?? ""
    switch authenticator.identify(
      credential.utf8Span.span, nowSeconds: request.nowMilliseconds / 1_000, &claims, root: &root)
    {
    case .user: return nil
    case .absent:
      let isWanted = walker.requiresAuthentication || anonymous == .no
      return isWanted ? Self.detail(403, "Not authenticated").because(.tokenMissing) : nil
    case .invalid(let denial): return Self.detail(401, "Unauthorized").because(denial)
    }
  }

  private static func answer(_ outcome: WalkerCall.Outcome) -> HTTPAnswer {
    switch outcome {
    case .reports(let reports):
      var text = ByteBuffer(capacity: 128)
      WalkersEncoder.appendResult(reports: reports, to: &text)
      return json(200, text)
    case .failed(let sentence): return detail(500, sentence)
    case .denied: return detail(403, WalkerCall.denied)
    case .timedOut: return detail(504, WalkerCall.timeout)
    case .abandoned: return detail(503, WalkerCall.failure)
    }
  }

  private static func decoded(_ name: String) -> String? {
    if name.utf8.count > Limits.handlerNameBytesMax * 3 { return nil }
    var text = ByteBuffer(capacity: 64)
    PercentCoding.append(name.utf8Span.span, plusIsSpace: false, to: &text)
    return UTF8Validator.isValid(text.bytes) ? text.bytes.string : nil
  }

  private static func detail(_ status: Int, _ sentence: String) -> HTTPAnswer {
    var text = ByteBuffer(capacity: 64)
    text.append("{\"detail\":")
    JSONString.appendQuoted(sentence, to: &text)
    text.append("}")
    return json(status, text)
  }

  private static func json(_ status: Int, _ text: borrowing ByteBuffer) -> HTTPAnswer {
    HTTPAnswer(status: status, contentType: "application/json", body: text.bytes.array)
  }
}
