// Plain HTTP requests that an endpoint answers: gathering the request, handing it over, sending the answer. Reactor's
// thread.
import Buffers
import EventLoop
import Wire

/// A request whose body is wanted, while it is being received. Owned by its connection.
final class PendingRequest {
  /// Who gets it.
  enum Target {
    case endpoint(EndpointRequest, keepsAlive: Bool)
    /// An Engine.IO session, if it still lives.
    case post(SlabToken, EngineExchange)
  }

  let target: Target
  var body: [UInt8] = []

  init(_ request: EndpointRequest, keepsAlive: Bool) { target = .endpoint(request, keepsAlive: keepsAlive) }

  init(post exchange: EngineExchange, to session: SlabToken) { target = .post(session, exchange) }

  var isPost: Bool {
    if case .post = target { true } else { false }
  }
}

extension Shard where Kernel: ~Copyable {
  /// The request for an endpoint, where one owns its path on this listener; nil leaves it to the mounts.
  func endpointRequest(_ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>) -> PendingRequest? {
    if head.hasUpgradeWebSocket { return nil }
    let listener = shared.listeners[Int(connections[slot].listener)]
    let path = head.path.isEmpty ? "/" : bytes.extracting(head.path).string
    guard
      shared.endpoints.owns(
        method: head.method, path: path, dialects: listener.dialects, ownsEverything: listener.eventsOwnEverything)
    else { return nil }
    func text(_ range: Range<Int>?) -> String? { range.map { bytes.extracting($0).string } }
    func list(_ range: Range<Int>?, _ isRepeated: Bool, _ name: StaticString, _ separator: StaticString) -> String? {
      if !isRepeated { return text(range) }
      var lines = ByteBuffer()
      head.appendLines(named: name, separator: separator, in: bytes, to: &lines)
      return lines.bytes.string
    }
    let request = EndpointRequest(
      method: head.method, methodText: bytes.extracting(head.methodRange).string, path: path,
      query: head.query.map { bytes.extracting($0).array } ?? [], dialects: listener.dialects,
      authorization: text(head.authorization), cookie: list(head.cookie, head.repeatsCookie, "cookie", "; "),
      contentType: text(head.contentType), origin: text(head.origin), host: text(head.host),
      requestHeaders: list(
        head.accessControlRequestHeaders, head.repeatsAccessControlRequestHeaders, "access-control-request-headers",
        ", "),
      body: [], client: connections[slot].client, nowMilliseconds: clock.milliseconds)
    return PendingRequest(request, keepsAlive: head.keepsAlive)
  }

  /// A client that waits for it is told to send the body.
  mutating func sendContinue(_ slot: UInt32) {
    scratch.removeAll()
    HTTPResponse.appendContinue(to: &scratch)
    enqueueRaw(slot)
  }

  /// Hands a whole request to whoever wanted it.
  mutating func answer(_ slot: UInt32, _ pending: PendingRequest) {
    switch pending.target {
    case .endpoint(var request, let keepsAlive):
      request.body = pending.body
      answer(slot, request, keepsAlive: keepsAlive)
    case .post(let session, let exchange):
      receivePost(slot, session, exchange, pending.body)
    }
  }

  /// Hands a whole request to its endpoint. Nothing more is read until it has been answered.
  private mutating func answer(_ slot: UInt32, _ request: EndpointRequest, keepsAlive: Bool) {
    switch shared.endpoints.answer(request) {
    case .now(let answer):
      send(slot, answer, keepsAlive: keepsAlive, omitsBody: request.method == .head, path: request.path)
    case .later(let work):
      connections[slot].phase = .answering
      if keepsAlive { connections[slot].flags.insert(.keepsAlive) }
      if request.method == .head { connections[slot].flags.insert(.omitsBody) }
      connections[slot].deadlineMilliseconds = now + Limits.answerMilliseconds
      timers.schedule(slot, at: connections[slot].deadlineMilliseconds)
      let id = connectionID(slot)
      let queue = commands
      let isStarted = startCall(slot, ordered: false, bytes: request.body.count) {
        queue.push(.answer(id, await work()))
      }
      if !isStarted {
        finishAnswer(slot, HTTPAnswer(status: 503, headers: [("Retry-After", String(Limits.retryAfterSeconds))]))
      }
    }
  }

  /// The answer of an endpoint has come: sends it and reads on.
  mutating func finishAnswer(_ slot: UInt32, _ answer: HTTPAnswer) {
    guard connections[slot].phase == .answering else { return }
    let keepsAlive = connections[slot].flags.contains(.keepsAlive)
    let omitsBody = connections[slot].flags.contains(.omitsBody)
    connections[slot].flags.subtract([.keepsAlive, .omitsBody])
    connections[slot].phase = .head
    send(slot, answer, keepsAlive: keepsAlive, omitsBody: omitsBody)
    lookAgain(slot)
  }

  /// A connection was not read from, or what came was kept: it is looked at again.
  mutating func lookAgain(_ slot: UInt32) {
    guard connections[slot].phase == .head else { return }
    connections[slot].flags.insert(.resumed)
    if !connections[slot].flags.contains(.ready) {
      connections[slot].flags.insert(.ready)
      ready.append(connections.token(of: slot))
    }
  }

  /// A connection goes while a body is being received: the session for which it was is told.
  @inline(never)
  mutating func abandonRequest(_ inbound: UInt32) {
    guard let taken = inbounds.take(inbound) else { return }
    let target = taken.request?.target
    inbounds.putBack(taken, at: inbound)
    if case .post(let session, _) = target { postAborted(session) }
  }

  /// Queues an endpoint's answer.
  private mutating func send(
    _ slot: UInt32, _ answer: HTTPAnswer, keepsAlive: Bool, omitsBody: Bool, path: String? = nil
  ) {
    let status = HTTPStatus(rawValue: UInt16(clamping: answer.status)) ?? .internalServerError
    var response = HTTPResponse(status, keepsAlive: keepsAlive)
    response.omitsBody = omitsBody
    prepare(&response, slot)
    if let refusal = answer.denial == .origin ? .forbiddenOrigin : Refusal(status) {
      countRefusal(slot, refusal, answer.denial, path: refusal == .notFound ? path.map { LoggedPath.text($0) } : nil)
    }
    scratch.removeAll()
    response.appendHeadLines(bodyCount: answer.body.count, to: &scratch)
    if let type = answer.contentType { Self.appendHeader("Content-Type", type, to: &scratch) }
    for (name, value) in answer.headers { Self.appendHeader(name, value, to: &scratch) }
    scratch.append("\r\n")
    if !omitsBody && !status.forbidsBody { scratch.append(answer.body.span) }
    sendResponse(slot, response)
  }

  /// Appends a header line; one with a control character could split the response and is left out.
  private static func appendHeader(_ name: String, _ value: String, to out: inout ByteBuffer) {
    if value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return }
    out.append(string: name)
    out.append(": ")
    out.append(string: value)
    out.append("\r\n")
  }
}
