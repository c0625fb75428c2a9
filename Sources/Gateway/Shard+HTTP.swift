// Requests: routing, the WebSocket handshake, and the few plain answers of the public listeners. The reactor's thread.
import Auth
import Buffers
import Compression
import Dialects
import EventLoop
import Wire

extension Shard where Kernel: ~Copyable {
  /// Parses a request head and answers it; false when more bytes are needed or the rest is to be thrown away.
  mutating func receiveHead(
    _ slot: UInt32, _ buffer: inout ByteBuffer, _ offset: inout Int, _ inbound: inout Inbound
  ) -> Bool {
    let bytes = buffer.bytes.extracting(offset..<buffer.count)
    switch inbound.head.parse(bytes, limits: httpLimits()) {
    case .incomplete:
      noteHeadBegan(slot, bytes)
      inbound.tail.append(bytes)
      offset = buffer.count
      return false
    case .failure(let status):
      respond(slot, HTTPResponse(status, contentType: "text/plain"), body: status.reason)
      return false
    case .complete(let head):
      connections[slot].flags.remove(.idle)
      let routed = route(slot, head, bytes)
      if case .gone = routed { return false }
      var pending: PendingRequest?
      if case .pending(let request) = routed { pending = request }
      offset += head.length
      inbound.head = HTTPHeadParser()
      if head.hasBody {
        guard beginBody(slot, head, pending, &inbound) else { return false }
      } else if let pending {
        answer(slot, pending)
      }
      return connections[slot].phase != .closing
    }
  }

  /// The first bytes of a further request have come: from here on it has the time of any other. Empty lines are no
  /// beginning: old clients end a body with one.
  private mutating func noteHeadBegan(_ slot: UInt32, _ bytes: Span<UInt8>) {
    guard connections[slot].flags.contains(.idle) else { return }
    var isEmpty = true
    for index in bytes.indices where bytes[index] != 0x0D && bytes[index] != 0x0A { isEmpty = false }
    if isEmpty { return }
    connections[slot].flags.remove(.idle)
    setDeadline(slot, after: limits.handshakeTimeoutMilliseconds)
  }

  /// A head with a body behind it has been routed. False when nothing of the connection is read any more.
  ///
  /// Whatever answers the request, its body is never the next request: it is read for whoever wants it, or read past
  /// where the answer is queued already, or the connection has come to its end.
  private mutating func beginBody(
    _ slot: UInt32, _ head: HTTPRequestHead, _ pending: PendingRequest?, _ inbound: inout Inbound
  ) -> Bool {
    switch connections[slot].phase {
    case .head: break
    case .closing, .lingering: return false
    // Who waits, and what is a WebSocket, was refused for its body.
    case .proxy, .body, .answering, .polling, .open:
      drop(slot, .internalError)
      return false
    }
    let body = HTTPBodyDecoder(head, limits: httpLimits(pending))
    connections[slot].phase = .body
    connections[slot].flags.remove(.idle)
    inbound.body = body
    inbound.bodyStartMilliseconds = now
    inbound.bodyBytes = 0
    inbound.request = pending
    if let status = body.refusal {
      refuseBody(slot, status, &inbound)
      return false
    }
    setDeadline(slot, after: min(limits.bodyTimeoutMilliseconds, limits.bodyTimeoutMillisecondsMax))
    if pending != nil && head.expectContinue { sendContinue(slot) }
    return true
  }

  /// Reads a body: for an endpoint, or past it where the request has been answered.
  mutating func receiveBody(
    _ slot: UInt32, _ buffer: inout ByteBuffer, _ offset: inout Int, _ inbound: inout Inbound
  ) -> Bool {
    guard var body = inbound.body else {
      connections[slot].phase = .head
      return true
    }
    while true {
      switch body.next(buffer.bytes, from: offset) {
      case .data(let range):
        inbound.request?.body.append(contentsOf: buffer.bytes.extracting(range).array)
        inbound.bodyBytes += range.count
        offset = range.upperBound
      case .needMore(let consumed):
        offset = consumed
        inbound.body = body
        return false
      case .end(let consumed):
        offset = consumed
        inbound.body = nil
        connections[slot].phase = .head
        if let pending = inbound.request {
          inbound.request = nil
          answer(slot, pending)
        } else {
          becomeIdle(slot)
        }
        return connections[slot].phase != .closing
      case .failure(let status):
        refuseBody(slot, status, &inbound)
        return false
      }
    }
  }

  /// A body is broken, too long or too slow: whoever waits for the answer gets the status, and the connection ends.
  private mutating func refuseBody(_ slot: UInt32, _ status: HTTPStatus, _ inbound: inout Inbound) {
    inbound.body = nil
    guard let pending = inbound.request else {
      // The answer has gone out already; all that is left is to end the connection.
      if let refusal = Refusal(status) { countRefusal(slot, refusal) }
      finish(slot, .httpRefused)
      return
    }
    inbound.request = nil
    if case .post(let session, let exchange) = pending.target {
      postAborted(session)
      refuseEngine(slot, status, status.reason, exchange)
    } else {
      respond(slot, HTTPResponse(status, contentType: "text/plain"), body: status.reason)
    }
  }

  /// The time of a body has come: true when it is let go on, because it keeps its pace (HOSTILE 2). At first it may
  /// come as it likes; then as many bytes must have come as the time since its beginning asks for; and in the end it is
  /// too late for any.
  mutating func bodyGoesOn(_ slot: UInt32) -> Bool {
    guard let inbound = inbounds.take(connections[slot].inbound) else { return false }
    let (start, count) = (inbound.bodyStartMilliseconds, UInt64(clamping: inbound.bodyBytes))
    inbounds.putBack(inbound, at: connections[slot].inbound)
    let pace = UInt64(clamping: limits.bodyBytesPerSecondMin)
    // What has come is bounded by `bodyBytesMax` and `payloadBytesMax`, far below a thousandth of 2^64.
    let earned = pace == 0 ? UInt64.max : count &* 1_000 / pace
    let allowed = min(earned, UInt64(clamping: limits.bodyTimeoutMillisecondsMax))
    guard start &+ allowed > now else { return false }
    // Looked at once a second at most, or a body just at its pace would keep the timer busy.
    let next = max(start &+ allowed, now + Limits.bodyCheckMilliseconds)
    connections[slot].deadlineMilliseconds = min(next, start &+ UInt64(clamping: limits.bodyTimeoutMillisecondsMax))
    return true
  }

  /// A request's time is over before it was whole: 408 when it had begun and has no answer yet, else just the end
  /// (HOSTILE 2, 14).
  mutating func requestTimedOut(_ slot: UInt32) {
    if connections[slot].flags.contains(.idle) {
      endIdle(slot)
      return
    }
    let index = connections[slot].inbound
    if index == Pool<Inbound>.none || connections[slot].phase == .proxy {
      logClose(slot, .handshakeTimeout)
      drop(slot, .handshakeTimeout)
      return
    }
    guard connections[slot].phase == .body else {
      respond(slot, HTTPResponse(.requestTimeout, contentType: "text/plain"), body: "Request Timeout")
      connections[slot].reason = .handshakeTimeout
      return
    }
    guard var inbound = inbounds.take(index) else { return }
    if inbound.request == nil { logClose(slot, .handshakeTimeout) }
    refuseBody(slot, .requestTimeout, &inbound)
    inbounds.putBack(inbound, at: index)
    connections[slot].reason = .handshakeTimeout
  }

  /// A connection had no further request in time. Its answer may not have been taken yet.
  private mutating func endIdle(_ slot: UInt32) {
    if connections[slot].outbound.isEmpty {
      logClose(slot, .idle)
      drop(slot, .idle)
    } else {
      logClose(slot, .slow)
      finish(slot, .slow)
    }
  }

  private mutating func setDeadline(_ slot: UInt32, after milliseconds: Int) {
    connections[slot].deadlineMilliseconds = now + UInt64(milliseconds)
    timers.schedule(slot, at: connections[slot].deadlineMilliseconds)
  }

  /// A request is over; the next has its time.
  private mutating func becomeIdle(_ slot: UInt32) {
    connections[slot].flags.insert(.idle)
    setDeadline(slot, after: limits.keepAliveMilliseconds)
  }

  private func httpLimits(_ pending: PendingRequest? = nil) -> HTTPLimits {
    var limits = HTTPLimits()
    limits.bodyBytesMax = pending?.isPost == true ? shared.engineSettings.payloadBytesMax : self.limits.bodyBytesMax
    return limits
  }

  // MARK: Routing

  /// Decides who answers a request, and answers it; or returns it for an endpoint, which needs the body first.
  private mutating func route(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>
  ) -> Routed {
    // It asks and asks and does not read.
    if connections[slot].outbound.byteCount > Limits.httpBacklogBytesMax {
      logClose(slot, .slow)
      finish(slot, .slow)
      return .done
    }
    let listener = Int(connections[slot].listener)
    identifyClient(slot, head, bytes)
    if connections[slot].flags.contains(.refused) || connections[slot].flags.contains(.limited) {
      let status: HTTPStatus = connections[slot].flags.contains(.limited) ? .tooManyRequests : .serviceUnavailable
      if isEngineRequest(slot, head, bytes) {
        refuseSession(slot, status, EngineExchange(head, bytes, withOrigin: isAllowedOrigin(head, bytes)))
        return .done
      }
      var response = HTTPResponse(status, contentType: "text/plain")
      response.retryAfterSeconds = Limits.retryAfterSeconds
      respond(slot, response, body: "Too many connections")
      return .done
    }
    if head.method == .other {
      refuse(slot, head, .notImplemented)
      return .done
    }
    if shared.listeners[listener].isAdmin {
      answerAdmin(slot, head, bytes)
      return .done
    }
    if isEngineRequest(slot, head, bytes) { return routeEngine(slot, head, bytes) }
    if let pending = endpointRequest(slot, head, bytes) { return .pending(pending) }
    let path = bytes.extracting(head.path)
    guard let mount = shared.listeners[listener].mounts.findMount(path: path) else {
      answer(slot, head, .notFound, "Not Found")
      return .done
    }
    switch mount.target {
    case .dialect(.channels): upgrade(slot, head, bytes, to: .channels, mount)
    case .dialect(.echo): upgrade(slot, head, bytes, to: .echo, mount)
    case .dialect(.handlers): upgrade(slot, head, bytes, to: .handlers, mount)
    case .dialect(.sessions): upgrade(slot, head, bytes, to: .sessions, mount)
    case .dialect(.walkers): upgrade(slot, head, bytes, to: .walkers, mount)
    case .dialect(.events): upgrade(slot, head, bytes, to: .events, mount)
    case .handlersAndChannels:
      upgrade(slot, head, bytes, to: head.secWebSocketProtocol == nil ? .channels : .handlers, mount)
    }
    return .done
  }

  /// Answers a plain request; the connection goes on if the client wants that.
  private mutating func answer(_ slot: UInt32, _ head: HTTPRequestHead, _ status: HTTPStatus, _ body: StaticString) {
    var response = HTTPResponse(
      status, contentType: "text/plain", keepsAlive: head.keepsAliveUnread && !head.hasUpgradeWebSocket)
    response.omitsBody = head.method == .head
    respond(slot, response, body: body)
  }

  /// Checks an upgrade in the order method, form, origin, credential, and accepts it. Nothing but a valid one gets a
  /// 101.
  private mutating func upgrade(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>, to role: Role, _ mount: MountMatch
  ) {
    let key: Range<Int>
    switch WebSocketUpgrade.check(head, bytes) {
    case .accept(let range):
      key = range
    case .notUpgrade:
      if mount.target.dialects.contains(.handlers) && answerUnknown(slot, head) { return }
      if head.method == .get || head.method == .head {
        answer(slot, head, .upgradeRequired, "Upgrade Required")
      } else {
        refuse(slot, head, .methodNotAllowed)
      }
      return
    case .refuse(let status):
      refuse(slot, head, status)
      return
    }
    if let origin = head.origin {
      let host = bytes.extracting(head.host ?? 0..<0)
      if !shared.origins.allows(origin: bytes.extracting(origin), host: host) {
        refuse(slot, head, .forbidden, as: .forbiddenOrigin)
        return
      }
    }
    let verdict = authenticate(slot, head, bytes, role, mount)
    if case .refuse(let status, let body) = verdict {
      refuse(slot, head, status, body)
      return
    }
    // RFC 9110 7.8: in this order, although there is no body to wait for.
    if head.expectContinue { sendContinue(slot) }
    let deflate = mount.compression ? negotiateDeflate(head, bytes) : nil
    acceptUpgrade(slot, bytes.extracting(key), role, deflate, verdict.subprotocol.map { bytes.extracting($0).array })
    if let deflate { enableDeflate(slot, deflate) }
    if case .acceptThenClose(_, let reason, let text) = verdict {
      close(slot, reason, text)
      return
    }
    welcome(slot, role)
    announce(slot)
  }

  /// Checks who wants a WebSocket, and remembers it.
  private mutating func authenticate(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ role: Role, _ mount: MountMatch
  ) -> UpgradeVerdict {
    switch role {
    case .none, .echo: .accept(subprotocol: nil)
    case .channels: authenticateChannels(slot, head, bytes).map { .refuse($0) } ?? .accept(subprotocol: nil)
    case .events: authenticateEvents(slot, head, bytes)
    case .handlers: authenticateHandlers(slot, head, bytes, isAlone: mount.target == .dialect(.handlers))
    case .sessions: authenticateSessions(slot, head, bytes)
    case .walkers: authenticateWalkers(slot, head, bytes)
    case .socketIO, .engineProbe: .refuse(.notFound)
    }
  }

  /// Sends the first message of a dialect that has one.
  private mutating func welcome(_ slot: UInt32, _ role: Role) {
    switch role {
    case .channels: welcomeChannels(slot)
    case .events: welcomeEvents(slot)
    case .walkers: welcomeWalkers(slot)
    case .none, .echo, .handlers, .sessions, .socketIO, .engineProbe: break
    }
  }

  /// Answers what is no upgrade where the handlers dialect owns the path: a preflight, or nothing there (PROTOCOLS
  /// 1.1).
  private mutating func answerUnknown(_ slot: UInt32, _ head: HTTPRequestHead) -> Bool {
    let isPreflight = head.method == .options
    var response = HTTPResponse(
      isPreflight ? .noContent : .notFound, contentType: "text/plain", keepsAlive: head.keepsAliveUnread)
    response.omitsBody = head.method == .head
    response.headerLines = """
      Access-Control-Allow-Origin: *\r
      Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r
      Access-Control-Allow-Headers: Content-Type, Authorization\r

      """
    respond(slot, response, body: isPreflight ? "" : "Not Found")
    return true
  }

  /// Answers with a refusal and closes.
  private mutating func refuse(
    _ slot: UInt32, _ head: HTTPRequestHead, _ status: HTTPStatus, _ body: StaticString? = nil,
    as refusal: Refusal? = nil
  ) {
    var response = HTTPResponse(status, contentType: "text/plain")
    response.omitsBody = head.method == .head
    if status == .methodNotAllowed { response.allow = "GET" }
    respond(slot, response, body: body ?? status.reason, as: refusal)
  }

  /// Verifies the token of the channels dialect (PROTOCOLS 2.1) and interns the user's id; the status when it is
  /// refused.
  private mutating func authenticateChannels(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>
  ) -> HTTPStatus? {
    let refusal = ChannelsAuthenticator.identify(
      head, bytes, shared, nowSeconds: clock.milliseconds / 1000, &claims, token: &nameScratch, identity: &scratch)
    if let refusal { return refusal }
    connections[slot].user = users.intern(scratch)
    return nil
  }

  /// Sends the 101 and makes the connection a WebSocket.
  mutating func acceptUpgrade(
    _ slot: UInt32, _ key: Span<UInt8>, _ role: Role, _ deflate: DeflateParameters?, _ subprotocol: [UInt8]?
  ) {
    nameScratch.removeAll()
    WebSocketAcceptKey.append(key: key, to: &nameScratch)
    scratch.removeAll()
    Self.compose(nameScratch, &scratch) { key, out in
      var answer = ByteBuffer(capacity: deflate == nil ? 0 : 128)
      if let deflate { DeflateNegotiation.appendResponse(deflate, to: &answer) }
      Self.appendAcceptance(key, subprotocol, answer, to: &out)
    }
    enqueueRaw(slot)
    // The client's own from now on.
    leaveProxied(slot)
    connections[slot].phase = .open
    connections[slot].role = role
    connections[slot].flags.insert(.counted)
    webSocketCount += 1
    // The development echo has no heartbeat: conformance suites hold connections as they please.
    let interval = role == .echo ? Limits.echoIdleMilliseconds : shared.configuration.heartbeatIntervalMilliseconds
    connections[slot].deadlineMilliseconds = now + UInt64(interval)
    timers.schedule(slot, at: connections[slot].deadlineMilliseconds)
  }

  /// Writes the 101 with the lines that were agreed on; an empty `extensions` leaves that line out. Spans do not go
  /// into optionals from different owners, hence the cases.
  private static func appendAcceptance(
    _ key: Span<UInt8>, _ subprotocol: [UInt8]?, _ extensions: borrowing ByteBuffer, to out: inout ByteBuffer
  ) {
    if let subprotocol {
      if extensions.isEmpty {
        WebSocketUpgrade.appendAcceptance(acceptKey: key, subprotocol: subprotocol.span, to: &out)
      } else {
        WebSocketUpgrade.appendAcceptance(
          acceptKey: key, subprotocol: subprotocol.span, extensions: extensions.bytes, to: &out)
      }
    } else if extensions.isEmpty {
      WebSocketUpgrade.appendAcceptance(acceptKey: key, to: &out)
    } else {
      WebSocketUpgrade.appendAcceptance(acceptKey: key, extensions: extensions.bytes, to: &out)
    }
  }

  // MARK: Responses

  /// Queues a response; unless it keeps the connection alive, that is the last thing sent.
  mutating func respond(
    _ slot: UInt32, _ response: HTTPResponse, body: StaticString, as refusal: Refusal? = nil
  ) {
    if let refusal = refusal ?? Refusal(response.status) { countRefusal(slot, refusal) }
    var response = response
    prepare(&response, slot)
    scratch.removeAll()
    response.append(body: body, to: &scratch)
    sendResponse(slot, response)
  }

  /// What every response says: the time (RFC 9110 6.6.1), and that a gateway which stops keeps no connection open.
  mutating func prepare(_ response: inout HTTPResponse, _ slot: UInt32) {
    httpDate.set(milliseconds: clock.milliseconds)
    response.date = httpDate
    if drainDeadline > 0 && !shared.listeners[Int(connections[slot].listener)].isAdmin { response.keepsAlive = false }
  }

  /// Counts a refusal, and logs it if it is among the first of its kind in the second.
  @inline(never)
  mutating func countRefusal(_ slot: UInt32, _ refusal: Refusal) {
    counters.countRefusal(refusal)
    let client = connections[slot].client
    log.log(
      .info, "refused", reason: refusal.label, nowMilliseconds: Int(now), [("client", .text(client.description))])
  }

  /// Queues a response with a body that was put together in `nameScratch`.
  mutating func respondWithScratch(_ slot: UInt32, _ response: HTTPResponse) {
    var response = response
    prepare(&response, slot)
    scratch.removeAll()
    Self.compose(nameScratch, &scratch) { body, out in response.append(body: body, to: &out) }
    sendResponse(slot, response)
  }

  mutating func sendResponse(_ slot: UInt32, _ response: HTTPResponse) {
    enqueueRaw(slot)
    forgetClient(slot)
    if response.keepsAlive {
      becomeIdle(slot)
    } else {
      finish(slot, response.status.rawValue < 400 ? .httpDone : .httpRefused)
    }
  }

  /// Lends the bytes of one buffer to something that writes into another. The compiler does not let two fields of one
  /// struct be used so directly once a span is involved.
  private static func compose(
    _ source: borrowing ByteBuffer, _ target: inout ByteBuffer, _ body: (Span<UInt8>, inout ByteBuffer) -> Void
  ) {
    body(source.bytes, &target)
  }

  /// Queues the bytes of `scratch` as they are.
  mutating func enqueueRaw(_ slot: UInt32) {
    closeRun()
    let segment = outbox.append(scratch)
    outbox.enqueue(segment, on: &connections[slot].outbound)
    markDirty(slot)
  }
}
