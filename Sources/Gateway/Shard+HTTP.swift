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
    switch inbound.head.parse(bytes, limits: httpLimits) {
    case .incomplete:
      inbound.tail.append(bytes)
      offset = buffer.count
      return false
    case .failure(let status):
      respond(slot, HTTPResponse(status, contentType: "text/plain"), body: status.reason)
      return false
    case .complete(let head):
      route(slot, head, bytes)
      offset += head.length
      inbound.head = HTTPHeadParser()
      if connections[slot].phase == .head && head.hasBody {
        connections[slot].phase = .body
        inbound.body = HTTPBodyDecoder(head, limits: httpLimits)
      }
      return connections[slot].phase != .closing
    }
  }

  /// Reads past the body of a request that has been answered.
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
        offset = range.upperBound
      case .needMore(let consumed):
        offset = consumed
        inbound.body = body
        return false
      case .end(let consumed):
        offset = consumed
        inbound.body = nil
        connections[slot].phase = .head
        return true
      case .failure(let status):
        // The answer has gone out already; all that is left is to end the connection.
        inbound.body = nil
        if let refusal = Refusal(status) { countRefusal(slot, refusal) }
        finish(slot, .httpRefused)
        return false
      }
    }
  }

  private var httpLimits: HTTPLimits {
    var limits = HTTPLimits()
    limits.bodyBytesMax = self.limits.bodyBytesMax
    return limits
  }

  // MARK: Routing

  /// Decides who answers a request.
  private mutating func route(_ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>) {
    // It asks and asks and does not read.
    if connections[slot].outbound.byteCount > Limits.httpBacklogBytesMax {
      logClose(slot, .slow)
      finish(slot, .slow)
      return
    }
    let listener = Int(connections[slot].listener)
    if let forwarded = head.xForwardedFor, !shared.trustedProxies.isEmpty, !shared.listeners[listener].isAdmin {
      identifyClient(slot, bytes.extracting(forwarded))
    }
    if connections[slot].flags.contains(.refused) || connections[slot].flags.contains(.limited) {
      let isLimited = connections[slot].flags.contains(.limited)
      var response = HTTPResponse(isLimited ? .tooManyRequests : .serviceUnavailable, contentType: "text/plain")
      response.retryAfterSeconds = Limits.retryAfterSeconds
      respond(slot, response, body: "Too many connections")
      return
    }
    if shared.listeners[listener].isAdmin {
      answerAdmin(slot, head, bytes)
      return
    }
    let path = bytes.extracting(head.path)
    guard let mount = shared.listeners[listener].mounts.findMount(path: path) else {
      answer(slot, head, .notFound, "Not Found")
      return
    }
    switch mount.target {
    case .dialect(.channels): upgrade(slot, head, bytes, to: .channels, mount)
    case .dialect(.echo): upgrade(slot, head, bytes, to: .echo, mount)
    case .handlersAndChannels where head.secWebSocketProtocol == nil: upgrade(slot, head, bytes, to: .channels, mount)
    case .dialect, .handlersAndChannels: answer(slot, head, .notImplemented, "Not Implemented")
    }
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
    if role == .channels, let status = authenticateChannels(slot, head, bytes) {
      refuse(slot, head, status)
      return
    }
    let deflate = mount.compression ? negotiateDeflate(head, bytes) : nil
    acceptUpgrade(slot, bytes.extracting(key), role, deflate)
    if let deflate { enableDeflate(slot, deflate) }
    if role == .channels { welcomeChannels(slot) }
  }

  /// Answers with a refusal and closes.
  private mutating func refuse(
    _ slot: UInt32, _ head: HTTPRequestHead, _ status: HTTPStatus, as refusal: Refusal? = nil
  ) {
    var response = HTTPResponse(status, contentType: "text/plain")
    response.omitsBody = head.method == .head
    if status == .methodNotAllowed { response.allow = "GET" }
    respond(slot, response, body: status.reason, as: refusal)
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
  private mutating func acceptUpgrade(
    _ slot: UInt32, _ key: Span<UInt8>, _ role: Role, _ deflate: DeflateParameters?
  ) {
    nameScratch.removeAll()
    WebSocketAcceptKey.append(key: key, to: &nameScratch)
    scratch.removeAll()
    Self.compose(nameScratch, &scratch) { key, out in
      guard let deflate else {
        WebSocketUpgrade.appendAcceptance(acceptKey: key, to: &out)
        return
      }
      var answer = ByteBuffer(capacity: 128)
      DeflateNegotiation.appendResponse(deflate, to: &answer)
      WebSocketUpgrade.appendAcceptance(acceptKey: key, extensions: answer.bytes, to: &out)
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

  private mutating func sendResponse(_ slot: UInt32, _ response: HTTPResponse) {
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
  private mutating func enqueueRaw(_ slot: UInt32) {
    closeRun()
    let segment = outbox.append(scratch)
    outbox.enqueue(segment, on: &connections[slot].outbound)
    markDirty(slot)
  }
}
