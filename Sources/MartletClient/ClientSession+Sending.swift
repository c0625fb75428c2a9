// What a client's session does with calls of its user, and what it has to send. Guarded by its client's lock.
import Buffers
import Wire

extension ClientSession {
  /// What became of a message.
  enum Acceptance {
    case accepted
    /// There is no room now; the ticket is resumed when there may be.
    case wait
    case refused(ClientError)
  }

  /// Queues a message to be published, on this connection or the next.
  mutating func publish(_ text: [UInt8], ticket: Ticket) -> Acceptance {
    if let reason = closedReason { return .refused(.closed(reason)) }
    if isCloseRequested { return .refused(.closed(.requested)) }
    guard text.count <= options.messageBytesMax else { return .refused(.messageTooBig(bytes: text.count)) }
    let hasRoom =
      queue.publishCount < options.queuedMessagesMax
      && (queue.publishCount == 0 || queue.publishBytes + text.count <= options.queuedBytesMax)
    guard hasRoom else {
      guard phase == .open else { return .refused(.queueFull) }
      roomTickets.append(ticket)
      return .wait
    }
    queue.append(QueuedText(text: text, isPublish: true))
    return .accepted
  }

  /// Registers a subscription for this connection and all later ones. True when the ticket will be resumed; otherwise
  /// nothing is known of the gateway yet and there is nothing to wait for.
  mutating func subscribe(
    _ topic: String, filters: [UInt8]?, inbox: Inbox<Dialect.Message>, id: UInt64, ticket: Ticket, _ now: UInt64
  ) throws(ClientError) -> Bool {
    if let reason = closedReason { throw .closed(reason) }
    if isCloseRequested { throw .closed(.requested) }
    guard subscriptions.count < options.subscriptionsMax else { throw .tooManySubscriptions }
    let waits = phase != .idle
    subscriptions[id] = SubscriptionState(
      topic: topic, filters: filters, inbox: inbox, ticket: waits ? ticket : nil)
    byTopic[topic, default: []].append(id)
    if phase == .open {
      for text in dialect.subscribe(topic, filters: filters) { queue.append(QueuedText(text: text, isPublish: false)) }
      expect(dialect.subscribeAnswer, subscription: id, ticket: ticket, now)
    }
    return waits
  }

  /// Ends a subscription; the gateway hears of it when it was the last one of its topic. What its inbox holds is
  /// dropped.
  mutating func unsubscribe(_ id: UInt64, _ now: UInt64) {
    guard let topic = subscriptions[id]?.topic else { return }
    forget(id)
    if byTopic[topic] == nil && phase == .open && !isCloseRequested {
      queue.append(QueuedText(text: dialect.unsubscribe(topic), isPublish: false))
      if let answer = dialect.unsubscribeAnswer { expect(answer, subscription: nil, ticket: nil, now) }
    }
    roomMade(now)
  }

  /// Forgets a subscription here.
  mutating func forget(_ id: UInt64) {
    guard let subscription = subscriptions.removeValue(forKey: id) else { return }
    subscription.inbox.finish(discarding: true)
    let rest = (byTopic[subscription.topic] ?? []).filter { $0 != id }
    byTopic[subscription.topic] = rest.isEmpty ? nil : rest
  }

  /// Asks for an answer to everything sent so far. False when there is no connection.
  mutating func askRoundTrip(ticket: Ticket, _ now: UInt64) -> Bool {
    guard phase == .open, !isCloseRequested else { return false }
    queue.append(QueuedText(text: dialect.ping, isPublish: false))
    expect(.pong, subscription: nil, ticket: ticket, now)
    return true
  }

  /// A waiting call is not to wait any longer. One that had subscribed has then not.
  mutating func giveUp(_ ticket: Ticket, _ error: ClientError?) {
    if let error { actions.append(.resume(ticket, error)) }
    connectTickets.removeAll { $0 == ticket }
    roomTickets.removeAll { $0 == ticket }
    closeTickets.removeAll { $0 == ticket }
    for index in expectations.indices where expectations[index].ticket == ticket { expectations[index].ticket = nil }
    if let id = subscriptions.first(where: { $0.value.ticket == ticket })?.key { unsubscribe(id, lastHeard) }
  }

  /// Ends the client: at once where there is no connection, else after what is queued has left.
  mutating func close(_ now: UInt64) {
    guard phase != .closed, !isCloseRequested else { return }
    isCloseRequested = true
    switch phase {
    case .idle, .authenticating, .connecting, .handshaking, .waiting: end(.stop(.requested), now)
    case .open:
      phaseDeadline = now + options.closeTimeoutMilliseconds
      lastHeard = now
      process(now)
    case .closing, .closed: break
    }
  }

  /// Encodes as much of the queue as should be on its way to the socket.
  mutating func fill(_ now: UInt64) {
    guard phase == .open else { return }
    while transport.unsentCount < FrameTransport.sendBytes, let entry = queue.popFirst() {
      transport.append(.text, entry.text.span)
      if entry.isPublish { inFlight.append((transport.endPosition, entry)) }
    }
    if queue.publishCount <= options.queuedMessagesMax / 2 && queue.publishBytes <= options.queuedBytesMax / 2 {
      resumeRoomTickets()
    }
    if isCloseRequested && queue.isEmpty {
      transport.appendClose(1000)
      phase = .closing
      verdict = .stop(.requested)
    }
  }

  /// The socket has taken bytes.
  mutating func sent() {
    // What leaves after the gateway's close frame is not read any more.
    if isDeaf { return }
    let position = transport.sentPosition
    let count = inFlight.prefix { $0.end <= position }.count
    inFlight.removeFirst(count)
  }
}
