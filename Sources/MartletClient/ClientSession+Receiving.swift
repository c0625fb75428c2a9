// What a client's session does with bytes from the gateway. Guarded by its client's lock.
import Buffers
import Wire

extension ClientSession {
  /// Bytes have been appended to the transport's input.
  mutating func received(_ now: UInt64) {
    lastHeard = now
    pingSentAt = nil
    process(now)
  }

  /// An inbox that was full has room again.
  mutating func roomMade(_ now: UInt64) {
    guard isPaused else { return }
    isPaused = subscriptions.values.contains { $0.inbox.isStopping }
    if isPaused { return }
    // What lies in the kernel's buffer is as good as heard.
    lastHeard = now
    pingSentAt = nil
    process(now)
  }

  /// Takes apart what has arrived.
  mutating func process(_ now: UInt64) {
    if phase == .handshaking { readHead(now) }
    while (phase == .open || phase == .closing) && !isDeaf && !isHeld {
      guard let frame = transport.next() else { return }
      handle(frame, now)
    }
    if isDeaf { transport.discardInput() }
  }

  private mutating func readHead(_ now: UInt64) {
    let head: ResponseHead
    do throws(ResponseHead.Failure) {
      guard let whole = try transport.takeHead() else { return }
      head = whole
    } catch { return end(.stop(.protocolViolation("the answer to the handshake is not HTTP")), now) }
    if head.status != 101 { return refused(head, now) }
    if let mistake = handshake.mistake(in: head) { return end(.stop(.protocolViolation(mistake)), now) }
    phase = .open
    phaseDeadline = nil
    openedAt = now
    lastHeard = now
    var commands = dialect.greeting.map { QueuedText(text: $0, isPublish: false) }
    for (id, subscription) in subscriptions.sorted(by: { $0.key < $1.key }) {
      commands += dialect.subscribe(subscription.topic, filters: subscription.filters).map {
        QueuedText(text: $0, isPublish: false)
      }
      expect(dialect.subscribeAnswer, subscription: id, ticket: subscription.ticket, now)
    }
    queue.prepend(commands)
    actions.append(.state(.open))
    for ticket in connectTickets { actions.append(.resume(ticket, nil)) }
    connectTickets = []
  }

  private mutating func refused(_ head: ResponseHead, _ now: UInt64) {
    if (head.status == 401 || head.status == 403) && !isTokenFresh && !isCloseRequested {
      // The kept token may have died with the secret of a gateway that has been restarted: once with a new one.
      end(.retry(.atOnce, failure: "the token was refused"), now)
      if phase == .waiting { beginAttempt(isTokenRefused: true) }
      return
    }
    let advice = CloseAdvice(status: head.status)
    if advice == .stop { return end(.stop(.handshakeRefused(status: head.status)), now) }
    let seconds = min(head.retryAfterSeconds ?? 0, Self.retryAfterSecondsMax)
    end(.retry(advice, failure: "status \(head.status)", atLeastMilliseconds: seconds * 1_000), now)
  }

  /// The longest `Retry-After` that is obeyed: a mistyped one must not keep a client away for a day.
  static var retryAfterSecondsMax: UInt64 { 300 }

  mutating func expect(_ answer: Answer, subscription: UInt64?, ticket: Ticket?, _ now: UInt64) {
    expectations.append(
      Expectation(
        answer: answer, subscription: subscription, ticket: ticket,
        deadline: now + options.answerTimeoutMilliseconds))
  }

  private mutating func handle(_ frame: IncomingFrame, _ now: UInt64) {
    switch frame {
    case .text:
      switch dialect.read(transport.message.bytes) {
      case .message(let topic, let message): deliver(topic, message)
      case .answer(let answer): answered(answer)
      case .failure(let text): failed(text)
      case .other: break
      }
    // Neither dialect sends binary frames.
    case .binary, .pong: break
    case .ping:
      // A gateway that pings without reading gets no pongs beyond what is sensible to keep.
      if phase == .open && transport.unsentCount < 4 * FrameTransport.sendBytes { transport.appendPong() }
    case .close(let code, let reason): closed(code, reason, now)
    case .violation(let violation):
      isDeaf = true
      if phase == .closing { return }
      transport.cutUnsentFrames()
      transport.appendClose(violation.closeCode, violation.text)
      beginClosing(.stop(.protocolViolation("\(violation.text)")), now)
    }
  }

  private mutating func closed(_ code: UInt16, _ reason: String, _ now: UInt64) {
    isDeaf = true
    // The echo of our own: the gateway ends the connection next.
    if phase == .closing { return }
    transport.cutUnsentFrames()
    transport.appendClose(code)
    let advice = CloseAdvice(code: code, reason: reason)
    let failure = "closed with \(code) \(reason)"
    beginClosing(
      advice == .stop
        ? .stop(.closedByServer(code: code, reason: reason)) : .retry(advice, failure: failure), now)
  }

  private mutating func beginClosing(_ verdict: Verdict, _ now: UInt64) {
    phase = .closing
    self.verdict = verdict
    phaseDeadline = now + Self.lingerMilliseconds
  }

  // MARK: Messages

  private mutating func deliver(_ topic: String, _ message: Dialect.Message) {
    for id in byTopic[topic] ?? [] {
      guard let subscription = subscriptions[id] else { continue }
      // The gateway may send more than this one asked for: what another of the same topic wants, or wanted.
      if let filters = subscription.filters, !dialect.admits(filters, message) { continue }
      // A client that is being closed reads to the end, whoever has stopped taking messages.
      if isCloseRequested && subscription.inbox.isStopping { continue }
      if subscription.inbox.push(message) { isPaused = true }
    }
  }

  private mutating func answered(_ answer: Answer) {
    guard let expected = expectations.first, expected.answer == answer else { return }
    expectations.removeFirst()
    if let id = expected.subscription { subscriptions[id]?.ticket = nil }
    if let ticket = expected.ticket { actions.append(.resume(ticket, nil)) }
  }

  private mutating func failed(_ text: String) {
    actions.append(.serverError(text))
    // Names and payloads are checked before they are sent, so what can be refused is the oldest open subscribe.
    guard let expected = expectations.first, expected.answer == .subscribed, let id = expected.subscription else {
      return
    }
    expectations.removeFirst()
    forget(id)
    if let ticket = expected.ticket { actions.append(.resume(ticket, .refused(text))) }
  }
}
