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
      inbound.tail.append(bytes)
      offset = buffer.count
      return false
    case .failure(let status):
      respond(slot, HTTPResponse(status, contentType: "text/plain"), body: status.reason)
      return false
    case .complete(let head):
      let routed = route(slot, head, bytes)
      if case .gone = routed { return false }
      var pending: PendingRequest?
      if case .pending(let request) = routed { pending = request }
      offset += head.length
      inbound.head = HTTPHeadParser()
      if connections[slot].phase == .head && head.hasBody {
        connections[slot].phase = .body
        inbound.body = HTTPBodyDecoder(head, limits: httpLimits(pending))
        inbound.request = pending
        if pending != nil && head.expectContinue { sendContinue(slot) }
      } else if let pending {
        answer(slot, pending)
      }
      return connections[slot].phase != .closing
    }
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
        }
        return connections[slot].phase != .closing
      case .failure(let status):
        inbound.body = nil
        if let pending = inbound.request {
          inbound.request = nil
          if case .post(let session, let exchange) = pending.target {
            postAborted(session)
            refuseEngine(slot, status, status.reason, exchange)
          } else {
            respond(slot, HTTPResponse(status, contentType: "text/plain"), body: status.reason)
          }
          return false
        }
        // The answer has gone out already; all that is left is to end the connection.
        if let refusal = Refusal(status) { countRefusal(slot, refusal) }
        finish(slot, .httpRefused)
        return false
      }
    }
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
    if let forwarded = head.xForwardedFor, !shared.trustedProxies.isEmpty, !shared.listeners[listener].isAdmin {
      identifyClient(slot, bytes.extracting(forwarded))
    }
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

  /// The client behind a trusted proxy, who is counted by address now (HOSTILE 12).
  private mutating func identifyClient(_ slot: UInt32, _ forwarded: Span<UInt8>) {
    let peer = connections[slot].client
    if connections[slot].flags.contains(.admitted) { return }
    connections[slot].client = ForwardedFor.client(forwarded, peer: peer, trusted: shared.trustedProxies)
    if shared.trustedProxies.contains(high: peer.high, low: peer.low) { countAddress(slot) }
  }

  /// Answers a plain request; the connection goes on if the client wants that.
  private mutating func answer(_ slot: UInt32, _ head: HTTPRequestHead, _ status: HTTPStatus, _ body: StaticString) {
    var response = HTTPResponse(
      status, contentType: "text/plain", keepsAlive: head.keepsAlive && !head.hasUpgradeWebSocket)
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
    let deflate = negotiateDeflate(head, bytes, mount)
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
      isPreflight ? .noContent : .notFound, contentType: "text/plain", keepsAlive: head.keepsAlive)
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
    scratch.removeAll()
    response.append(body: body, to: &scratch)
    sendResponse(slot, response)
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
    scratch.removeAll()
    Self.compose(nameScratch, &scratch) { body, out in response.append(body: body, to: &out) }
    sendResponse(slot, response)
  }

  mutating func sendResponse(_ slot: UInt32, _ response: HTTPResponse) {
    enqueueRaw(slot)
    if response.keepsAlive {
      connections[slot].deadlineMilliseconds = now + UInt64(limits.handshakeTimeoutMilliseconds)
      timers.schedule(slot, at: connections[slot].deadlineMilliseconds)
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
