// A simulated client, acting side: what it thinks of next, in whole messages cut anywhere.

extension SimulatedClient {
  /// Bytes composed and not handed over beyond which a client waits.
  private static var outgoingMax: Int { 32_768 }

  /// Perhaps something new.
  func act(_ session: Session) {
    guard world.hasFaults else { return }
    if isWatcher {
      watch(session)
      return
    }
    if session.phase == .handshake {
      // Some do not wait for the answer before they talk.
      if !session.excuses.contains(.badRequest) && world.random.perMille(20) { subscribe(session) }
      if world.random.perMille(5) { vanish(session) }
      return
    }
    guard session.phase == .open, session.isWelcome, !session.excuses.contains(.left),
      session.outgoing.count < Self.outgoingMax
    else { return }
    switch world.random.below(1000) {
    case 0..<110: subscribe(session)
    case 110..<160: unsubscribe(session)
    case 160..<460: for _ in 0..<(1 + world.random.skewed(12)) { publish(session, topic: nil) }
    case 460..<480: for _ in 0..<world.random.within(10...60) { publish(session, topic: world.random.below(2)) }
    case 480..<520: ping(session)
    case 520..<540: protocolPing(session)
    case 540..<560: mistake(session)
    case 560..<563: violate(session)
    case 563..<570: close(session)
    case 570..<574: vanish(session)
    case 574..<577: halfClose(session)
    case 577..<580: unplug(session)
    case 580..<595: stalledUntil = world.now + UInt64(world.random.skewed(500_000_000))
    case 595..<598: stalledUntil = world.now + UInt64(world.random.skewed(8_000_000_000))
    case 598..<602 where plan.isBursty: flood(session)
    case 602..<650: bomb(session)
    default: break
    }
  }

  /// A watcher subscribes to everything, and pings at times.
  private func watch(_ session: Session) {
    guard session.phase == .open, session.isWelcome else { return }
    if topicsWanted.count < min(plan.topics.count, plan.subscriptionsMax) {
      subscribe(session, topic: topicsWanted.count)
    } else if world.random.perMille(30) {
      ping(session)
    }
  }

  // MARK: Requests

  func subscribe(_ session: Session, topic wanted: Int? = nil) {
    // Where bursts meet filters, most of both are on the first topic.
    let topic = wanted ?? (plan.isBursty && world.random.perMille(400) ? 0 : world.random.below(plan.topics.count))
    let channel = world.random.pick(plan.topics[topic].spellings)
    var kind: Int?
    var filters: String?
    switch wanted == nil ? world.random.below(plan.isBursty ? 6 : 10) : 9 {
    case 0: filters = "{}"
    case 1: filters = "null"
    case 2...4:
      kind = world.random.below(3)
      filters = #"{"k":\#(world.random.below(3) == 0 ? "\(kind!).0" : "\(kind!)")}"#
    default: break
    }
    let isFull = topicsWanted.count >= plan.subscriptionsMax && !topicsWanted.contains(topic)
    let text = #"{"action":"subscribe","channel":\#(channel)\#(filters.map { #","filters":\#($0)"# } ?? "")}"#
    if isFull {
      expect(session, .error("Too many subscriptions"))
    } else {
      let subscription = Subscription(topic: topic, kind: kind, composedAt: world.nextSequence())
      session.subscriptions.append(subscription)
      topicsWanted.insert(topic)
      expect(session, .subscribed(subscription, channel: channel, filters: filters))
    }
    send(session, text)
  }

  private func unsubscribe(_ session: Session) {
    let topic = world.random.below(plan.topics.count)
    let channel = world.random.pick(plan.topics[topic].spellings)
    let now = world.nextSequence()
    for subscription in session.subscriptions where subscription.topic == topic {
      subscription.leavingAt = min(subscription.leavingAt, now)
    }
    topicsWanted.remove(topic)
    expect(session, .unsubscribed(topic: topic, channel: channel, session.subscriptions.count))
    send(session, #"{"channel":\#(channel),"action":"unsubscribe"}"#)
  }

  func publish(
    _ session: Session, topic wanted: Int?, padding: Int? = nil, isBehindEnd: Bool = false, isPlain: Bool = false
  ) {
    let topic = wanted ?? world.random.below(plan.topics.count)
    let channel = world.random.pick(plan.topics[topic].spellings)
    let serial = session.publishes.count
    let length = padding ?? (world.random.perMille(20) ? world.random.skewed(4_000) : world.random.skewed(120))
    let text = String(repeating: "x", count: length) + world.random.pick(["", "é", #"\n\u00e9"#, "}{"])
    var kind: Int?
    let data: String
    if world.random.perMille(200) {
      data = #"[\#(session.id),\#(serial),"\#(text)"]"#
    } else {
      kind = world.random.below(3)
      data = #"{"s":\#(session.id),"n":\#(serial),"k":\#(kind!),"p":"\#(text)"}"#
    }
    let publish = Publish(
      session: session.id, serial: serial, topic: topic, channel: channel, data: data, kind: kind,
      isBehindEnd: isBehindEnd, reactors: plan.reactorCount)
    session.publishes.append(publish)
    session.waiting.append((publish, session.composedBytes))
    send(session, #"{"action":"publish","channel":\#(channel),"payload":\#(data)}"#, isPlain: isPlain)
  }

  func ping(_ session: Session) {
    expect(session, .pong)
    send(session, #"{"action":"ping"}"#)
  }

  /// A request that is large once it is decompressed: the gateway takes it in pieces, and may be late meanwhile.
  func bomb(_ session: Session) {
    guard session.deflate != nil else { return }
    expect(session, .pong)
    let spaces = String(repeating: " ", count: world.random.within(20_000...100_000))
    send(session, #"{"action":"ping"\#(spaces)}"#, isDense: true)
  }

  private func protocolPing(_ session: Session) {
    let payload = Array("ping \(session.pings.count) \(world.nextSequence())".utf8)
    session.pings.append(payload)
    session.compose(ClientWire.frame(9, payload[...], mask: 0xAABB_CCDD), now: world.now)
  }

  /// A message that is answered with an error.
  private func mistake(_ session: Session) {
    let (text, answer) = world.random.pick([
      ("not json", "Invalid JSON format"), (#"{"action":"sing"}"#, "Unknown action: sing"),
      ("[1,2]", "Unknown action: undefined"), (#"{"action":"publish","payload":1}"#, "Missing channel"),
      (#"{"action":"subscribe","channel":""}"#, "Invalid channel"),
      (#"{"action":"subscribe","channel":"a","filters":7}"#, "Invalid filters"),
    ])
    expect(session, .error(answer))
    send(session, text)
  }

  private func expect(_ session: Session, _ what: Expectation) {
    session.expectations.append((what, session.publishes.count))
  }

  /// Frames a message: whole, or in fragments with pings between them.
  private func send(_ session: Session, _ text: String, isDense: Bool = false, isPlain: Bool = false) {
    var bytes = Array(text.utf8)
    var isCompressed = false
    if let deflate = session.deflate, isDense || (!isPlain && world.random.perMille(600)) {
      bytes = deflate.compress(bytes, cuts: world.random.perMille(200) ? [world.random.below(bytes.count)] : [])
      isCompressed = true
    }
    let opcode: UInt8 = world.random.perMille(50) ? 2 : 1
    // A mask of 0 spares the time for large ones.
    let mask = bytes.count > 50_000 ? 0 : UInt32(truncatingIfNeeded: world.random.next())
    if bytes.count > 50_000 || !world.random.perMille(150) {
      session.compose(ClientWire.frame(opcode, bytes[...], isCompressed: isCompressed, mask: mask), now: world.now)
      return
    }
    var start = 0
    while true {
      let end = min(bytes.count, start + world.random.skewed(bytes.count))
      let isFinal = end == bytes.count && world.random.perMille(900)
      let part = ClientWire.frame(
        start == 0 ? opcode : 0, bytes[start..<end], isFinal: isFinal, isCompressed: isCompressed && start == 0,
        mask: mask)
      // The first frame carries the opcode even when it carries nothing else.
      if start == 0 && end == 0 { continue }
      session.compose(part, now: world.now)
      if isFinal { return }
      start = end
      if world.random.perMille(200) { protocolPing(session) }
    }
  }

  // MARK: Endings and misbehaviour

  /// Breaks the protocol. What is sent after it must not be carried out.
  private func violate(_ session: Session) {
    var wrong: [([UInt8], Int)] = [
      ([0x81, 0x02, 0x7B, 0x7D], 1002), ([0x83, 0x80, 0, 0, 0, 0], 1002),
      ([0x09, 0x80, 0, 0, 0, 0], 1002), ([0x80, 0x80, 0, 0, 0, 0], 1002),
      ([0x81, 0x82, 0, 0, 0, 0, 0xC3, 0x28], 1007), ([0x81, 0xFF, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4], 1009),
      ([0x88, 0x81, 0, 0, 0, 0, 3], 1002),
    ]
    if session.deflate == nil {
      wrong.append(([0xC1, 0x80, 0, 0, 0, 0], 1002))
    } else {
      for _ in 0..<4 { wrong.append(([0xC1, 0x81, 0, 0, 0, 0, 0xFF], 1007)) }
      wrong.append(([0x01, 0x81, 0, 0, 0, 0, 0x7B, 0xC0, 0x81, 0, 0, 0, 0, 0x7D], 1002))
    }
    let (bytes, code) = world.random.pick(wrong)
    session.violationCode = code
    session.excuses.insert(.left)
    session.compose(bytes, now: world.now)
    talkOn(session)
  }

  func close(_ session: Session) {
    sentCloseCode = world.random.pick([nil, 1000, 3000, 4999])
    let body = sentCloseCode.map { [UInt8($0 >> 8), UInt8($0 & 255)] } ?? []
    session.compose(ClientWire.frame(8, body[...], mask: 5), now: world.now)
    session.excuses.insert(.left)
    session.phase = .closing
    if world.hasFaults { talkOn(session) }
  }

  /// Talks on behind the end of its connection.
  private func talkOn(_ session: Session) {
    session.publishesBeforeEnd = session.publishes.count
    if !world.random.perMille(400) { return }
    for _ in 0..<world.random.within(1...3) { publish(session, topic: nil, isBehindEnd: true) }
  }

  /// Ends its sending side, once everything composed is handed over or not.
  private func halfClose(_ session: Session) {
    session.excuses.insert(.left)
    session.socket.up.end(now: world.now, delay: world.delay())
  }

  /// The cable is pulled: no end, no reset, only silence.
  private func unplug(_ session: Session) {
    session.excuses.insert(.left)
    session.socket.isUnplugged = true
    world.note(26, session.id)
  }

  /// More publishes at once than a ring between reactors takes.
  private func flood(_ session: Session) {
    let padding = world.random.pick([0, 0, 700])
    for _ in 0..<world.random.within(1_100...1_600) {
      publish(session, topic: 0, padding: padding, isPlain: true)
    }
  }
}
