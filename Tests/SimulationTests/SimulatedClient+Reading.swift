// A simulated client, reading side: decodes what comes, checks its syntax and its place, and tells the oracle.

@testable import Gateway

extension SimulatedClient {
  func read(_ session: Session) {
    let socket = session.socket
    let limit = world.hasFaults && world.random.perMille(500) ? 1 + world.random.skewed(8_192) : 1 << 20
    let bytes = socket.down.read(limit, now: world.now)
    if !bytes.isEmpty {
      socket.noteRoom()
      world.note(23, session.id, bytes.count)
      session.incoming += bytes
      decode(session)
    }
    if self.session === session && socket.down.count == 0 && (socket.down.hasEndArrived || socket.isBrokenForClient) {
      ended(session)
    }
  }

  private func decode(_ session: Session) {
    var offset = 0
    if session.phase == .handshake { offset = readHead(session) }
    while session.phase != .handshake && !isRefused && self.session === session && offset < session.incoming.count {
      if session.phase == .closed {
        world.fail("\(session): bytes after the close frame")
        return
      }
      switch ClientWire.read(session.incoming, at: offset, session.deflate) {
      case .incomplete:
        session.incoming.removeFirst(offset)
        return
      case .wrong(let what):
        world.fail("\(session): the gateway sent \(what)")
        return
      case .frame(let frame, let length):
        offset += length
        receive(session, frame)
      }
    }
    if isRefused { offset = session.incoming.count }
    session.incoming.removeFirst(min(offset, session.incoming.count))
  }

  /// Reads the answer to the request; returns where the frames begin, 0 while it is incomplete.
  private func readHead(_ session: Session) -> Int {
    let bytes = session.incoming
    guard
      let end = (3..<max(3, bytes.count)).first(where: { bytes[$0] == 10 && bytes[$0 - 1] == 13 && bytes[$0 - 2] == 10 }
      )
    else { return 0 }
    let head = String(decoding: bytes[...end], as: UTF8.self)
    let status = Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
    switch status {
    case 101:
      if session.excuses.contains(.badRequest) { world.fail("\(session): a bad request got 101") }
      if !head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") { world.fail("\(session): wrong accept key in \(head)") }
      session.phase = session.phase == .handshake ? .open : session.phase
      if let line = head.split(separator: "\r\n").first(where: { $0.hasPrefix("Sec-WebSocket-Extensions: ") }) {
        session.deflate = ClientDeflate(answer: line.dropFirst(26), level: world.random.pick([1, 6, 9]))
        session.socket.isCompressing = true
      }
      if (session.deflate != nil) != (session.offersDeflate && plan.configuration.compression.enabled) {
        world.fail("\(session): compression is not what was agreed on in \(head)")
      }
      return end + 1
    case 503 where session.excuses.contains(.crowded): break
    case 408 where isLate(session): break
    case 400...426 where session.excuses.contains(.badRequest): break
    default: world.fail("\(session): unexpected answer \(head)")
    }
    isRefused = true
    session.excuses.insert(.left)
    session.phase = .closed
    return bytes.count
  }

  private func receive(_ session: Session, _ frame: ClientWire.Frame) {
    switch frame.opcode {
    case 1:
      receiveText(session, frame.payload)
    case 9:
      if session.phase == .open && !session.excuses.contains(.left) {
        session.compose(ClientWire.frame(10, frame.payload[...], mask: 0x0102_0304), now: world.now)
      }
    case 10:
      guard let index = session.pings.firstIndex(of: frame.payload) else {
        world.fail(
          "\(session): a pong that nobody asked for: \(String(decoding: frame.payload, as: UTF8.self)), open \(session.pings.map { String(decoding: $0, as: UTF8.self) })"
        )
        return
      }
      session.pings.removeSubrange(...index)
    default:
      receiveClose(session, frame.payload)
    }
  }

  private func receiveClose(_ session: Session, _ payload: [UInt8]) {
    let code = payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil
    world.note(24, session.id, code ?? 0)
    switch code {
    case 3008 where session.socket.wasSlow == true: break
    case 3008:
      let reader = session.socket.isGreedy ? ", which reads all the time," : ""
      world.fail("\(session)\(reader) was closed as slow, untried")
    case 1008 where session.pings.count > plan.pingsBacklogMax: break
    case 1001 where session.excuses.contains(.stopping): break
    case .some(let code) where code == session.violationCode:
      session.processed(upTo: session.lastSerial, now: world.nextSequence())
    case sentCloseCode where session.phase == .closing:
      session.processed(upTo: session.lastSerial, now: world.nextSequence())
    default: world.fail("\(session): closed with \(code.map(String.init) ?? "no code") for no reason")
    }
    if session.phase == .open && !session.excuses.contains(.left) && world.random.perMille(800) {
      session.compose(ClientWire.frame(8, payload.prefix(2), mask: 1), now: world.now)
    }
    session.excuses.insert(.left)
    session.phase = .closed
  }

  /// The stream is over, or broken.
  private func ended(_ session: Session) {
    let isOrderly = !session.socket.isBrokenForClient
    world.note(25, session.id, isOrderly ? 1 : 0)
    if session.phase != .closed {
      let isExcused =
        !session.excuses.isDisjoint(with: [.left, .stopping, .badRequest]) || session.socket.isFaulted
        || isTimedOut(session)
        || (session.excuses.contains(.crowded) && session.phase == .handshake)
      if !isExcused {
        let reasons = session.socket.closedFor.map(\.label.description).sorted().joined(separator: ", ")
        world.fail(
          "\(session): the connection ended in phase \(session.phase) for no reason; the gateway says: \(reasons)")
      }
    } else if isOrderly && !session.incoming.isEmpty {
      world.fail("\(session): an orderly end in the middle of a frame")
    }
    session.excuses.insert(.left)
    leave(session, mayLinger: true)
  }

  /// Whether the gateway ended the connection for a delay, or a fault, that there was.
  private func isTimedOut(_ session: Session) -> Bool {
    let reasons = session.socket.closedFor
    if reasons.contains(.slow) && session.socket.wasSlow == true { return true }
    if reasons.contains(.pingFlood) && session.pings.count > plan.pingsBacklogMax { return true }
    return !reasons.isDisjoint(with: [.noPong, .handshakeTimeout]) && isLate(session)
  }

  /// Whether the connection was so slow that a time-out of the gateway is its own fault.
  private func isLate(_ session: Session) -> Bool {
    let socket = session.socket
    let limit = UInt64(plan.latenessMilliseconds) * 1_000_000
    let latency = max(
      max(socket.up.latencyMax, socket.down.latencyMax), session.lateness,
      max(socket.up.age(now: world.now), socket.down.age(now: world.now)))
    let age = world.now - session.connectedAt
    return latency >= limit
      || ((session.phase == .handshake || (socket.wasBlocked && !socket.isGreedy)) && age >= limit)
  }

  // MARK: Messages

  private func receiveText(_ session: Session, _ payload: [UInt8]) {
    guard String(validating: payload, as: UTF8.self) != nil, let members = ClientJSON.members(payload) else {
      world.fail("\(session): no valid JSON object: \(String(decoding: payload, as: UTF8.self))")
      return
    }
    func raw(_ key: String) -> [UInt8]? { members.first { $0.key == key }?.value }
    func text(_ key: String) -> String { raw(key).map { String(decoding: $0, as: UTF8.self) } ?? "" }
    let type = text("type")
    if session.isWelcome == (type == #""connected""#) { world.fail("\(session): \(type) out of place") }
    switch type {
    case #""connected""#:
      session.isWelcome = true
      if text("userId") != "\"\(session.user)\"" || text("message") != "\"\(SimulationPlan.welcome)\"" {
        world.fail("\(session): another one's welcome")
      }
    case #""message""#:
      if text("timestamp").utf8.count != 26 { world.fail("\(session): a message without a timestamp") }
      guard let channel = raw("channel"), let data = raw("data"), let from = raw("from"),
        let (sender, serial) = name(data)
      else {
        world.fail("\(session): a message without its members")
        return
      }
      oracle.received(session, sender: sender, serial: serial, channel: channel, data: data, from: from)
    case #""broadcast""#:
      let isWanted = session.subscriptions.contains { $0.topic == 0 && $0.kind == nil && $0.leftAt == .max }
      if !plan.hasTelemetry || !isWanted || text("channel") != #""telemetry""# {
        world.fail("\(session): an unwanted broadcast")
      }
    default:
      answered(session, type, text)
    }
  }

  /// The answer to the oldest open request.
  private func answered(_ session: Session, _ type: String, _ text: (String) -> String) {
    if plan.configuration.slowConsumerPolicy == .drop && session.mayMiss {
      // Answers before this one may have been dropped.
      let index = session.expectations.firstIndex { answers($0.what, type, text) } ?? 0
      oracle.skippedAnswers += index
      session.expectations.removeFirst(index)
    }
    guard let first = session.expectations.first else {
      world.fail("\(session): \(type) \(text("message")) that answers nothing")
      return
    }
    session.expectations.removeFirst()
    let now = world.nextSequence()
    if !answers(first.what, type, text) { world.fail("\(session): \(type) \(text("message")) answers \(first.what)") }
    switch first.what {
    case .subscribed(let subscription, _, _):
      subscription.confirmedAt = now
    case .unsubscribed(let topic, _, let before):
      for index in 0..<before where session.subscriptions[index].topic == topic {
        session.subscriptions[index].leftAt = min(session.subscriptions[index].leftAt, now)
      }
    case .pong, .error: break
    }
    session.processed(upTo: first.publishesBefore - 1, now: now)
  }

  /// Whether a message is the right answer.
  private func answers(_ what: Expectation, _ type: String, _ text: (String) -> String) -> Bool {
    switch what {
    case .subscribed(_, let channel, let filters):
      type == #""subscribed""# && text("channel") == channel && text("filters") == filters ?? ""
    case .unsubscribed(_, let channel, _): type == #""unsubscribed""# && text("channel") == channel
    case .pong: type == #""pong""# && (Int(text("timestamp")) ?? 0) > 1_795_000_000_000
    case .error(let message): type == #""error""# && text("message") == "\"\(message)\""
    }
  }

  /// Who published the data, and which of its messages it is.
  private func name(_ data: [UInt8]) -> (Int, Int)? {
    func number(_ bytes: [UInt8]?) -> Int? { bytes.flatMap { Int(String(decoding: $0, as: UTF8.self)) } }
    if data.first == 0x5B {
      guard let elements = ClientJSON.elements(data), elements.count > 1 else { return nil }
      guard let sender = number(elements[0]), let serial = number(elements[1]) else { return nil }
      return (sender, serial)
    }
    guard let members = ClientJSON.members(data), members.count > 1 else { return nil }
    guard let sender = number(members[0].value), let serial = number(members[1].value) else { return nil }
    return (sender, serial)
  }
}
