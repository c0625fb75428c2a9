// A simulated Socket.IO client: polls, posts, upgrades, and comes back. It does what the common clients do, on as many
// connections as it likes. One thread.

/// One Engine.IO session, as its client sees it.
final class EngineVisit: CustomStringConvertible {
  enum Upgrade {
    case none
    /// The WebSocket was asked for.
    case connecting
    /// `2probe` was sent.
    case probing
    /// `3probe` has come: `5` follows when no request is under way.
    case pausing
  }

  let number: Int
  var sid = ""
  /// Every connection that it ever had.
  var wires: [EngineWire] = []
  var poll: EngineWire?
  var post: EngineWire?
  /// The transport, or what probes to become it.
  var webSocket: EngineWire?
  var isOnWebSocket = false
  var upgrade = Upgrade.none
  /// How many upgrades were begun.
  var probes = 0
  /// Packets that wait for a request or for the WebSocket.
  var queue: [String] = []
  /// Whether the namespace was joined, and the welcome has come.
  var isJoined = false
  /// The id of its socket, by which it is told what was carried out in its name.
  var socketId = ""
  var isWelcome = false
  var echoesSent = 0
  var echoesAnswered = 0
  /// Broadcasts that it must get, and the last that it got.
  var newsExpected: [Int] = []
  var newsReceived: [Int] = []
  /// The client has done something that ends the session.
  var isLeaving = false
  var isStopping = false
  var isOver = false
  var lastStep: UInt64
  var gapMax: UInt64 = 0

  init(number: Int, now: UInt64) {
    self.number = number
    lastStep = now
  }

  var description: String {
    "engine visit \(number), \(isOnWebSocket ? "WebSocket" : "polling"), upgrade \(upgrade), "
      + "\(echoesAnswered) of \(echoesSent) echoes"
  }

  /// Joined, and nothing done that would end it.
  var isAlive: Bool { isWelcome && !isOver && !isLeaving && !isStopping }
  var isPolling: Bool { !isOnWebSocket && !sid.isEmpty && upgrade != .pausing }
}

final class EngineClient {
  private let number: Int
  private let world: SimulatedWorld
  private let plan: SimulationPlan
  /// A session token of the events dialect.
  private let token: String
  private(set) var visit: EngineVisit?
  private(set) var visits = 0
  private(set) var upgrades = 0
  private(set) var echoes = 0
  private(set) var broadcasts = 0

  /// Echoes that are under way at a time: a backlog that the gateway calls slow would be the client's own doing.
  private static let echoesMax = 8

  init(number: Int, world: SimulatedWorld, plan: SimulationPlan, token: String) {
    self.number = number
    self.world = world
    self.plan = plan
    self.token = token
  }

  /// Whether a step would do anything but think of something new.
  var hasWork: Bool {
    guard let visit else { return false }
    return visit.wires.contains(where: \.hasWork) || hasDuty(visit)
  }

  private func hasDuty(_ visit: EngineVisit) -> Bool {
    if visit.upgrade == .pausing { return visit.poll == nil && visit.post == nil }
    if visit.isOnWebSocket { return !visit.queue.isEmpty }
    return visit.isPolling && (visit.poll == nil || (visit.post == nil && !visit.queue.isEmpty))
  }

  func step(mayAct: Bool) {
    guard let visit else {
      if mayAct && world.random.perMille(300) { begin() }
      return
    }
    // In the quiet part it is its turn whenever there is something to do.
    if world.hasFaults { visit.gapMax = max(visit.gapMax, world.now - visit.lastStep) }
    for wire in visit.wires { wire.move() }
    readAnswers(visit)
    if !visit.isOver { readFrames(visit) }
    noticeEnds(visit)
    if !visit.isOver && mayAct { act(visit) }
    if !visit.isOver { doDuties(visit) }
    visit.lastStep = world.now
    if visit.isOver { self.visit = nil }
  }

  // MARK: Requests

  private func begin() {
    visits += 1
    let visit = EngineVisit(number: visits, now: world.now)
    self.visit = visit
    if world.random.perMille(250) {
      visit.isOnWebSocket = true
      visit.webSocket = open(visit, upgrade: "")
    } else {
      let wire = connect(visit)
      wire.compose(request("GET", ""))
      visit.poll = wire
    }
  }

  private func connect(_ visit: EngineVisit) -> EngineWire {
    let wire = EngineWire(world: world)
    wire.compose(prefix: ProxyPrefix.make(for: wire.socket, plan, world))
    visit.wires.append(wire)
    return wire
  }

  /// A connection for a request: a fresh one, or one that is kept and has not been idle for long.
  private func idleWire(_ visit: EngineVisit) -> EngineWire {
    let kept = visit.wires.filter {
      $0 !== visit.poll && $0 !== visit.post && $0 !== visit.webSocket && !$0.isEnded && !$0.isWebSocket
        && !$0.isOver && world.now - $0.idleSince < latenessLimit / 2
    }
    if kept.isEmpty || world.random.perMille(400) { return connect(visit) }
    return world.random.pick(kept)
  }

  private func request(_ method: String, _ sid: String, body: String? = nil) -> String {
    var text = "\(method) /socket.io/?EIO=4&transport=polling" + (sid.isEmpty ? "" : "&sid=" + sid)
    text += " HTTP/1.1\r\nHost: gateway\r\n"
    if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
    return text + "\r\n" + (body ?? "")
  }

  private func open(_ visit: EngineVisit, upgrade sid: String) -> EngineWire {
    let wire = connect(visit)
    wire.compose(
      "GET /socket.io/?EIO=4&transport=websocket" + (sid.isEmpty ? "" : "&sid=" + sid)
        + " HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + (world.random.perMille(900) ? "Sec-WebSocket-Extensions: \(world.random.pick(ClientDeflate.offers))\r\n" : "")
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    return wire
  }

  /// What the protocol wants to be done next.
  private func doDuties(_ visit: EngineVisit) {
    if visit.upgrade == .pausing, visit.poll == nil, visit.post == nil, let webSocket = visit.webSocket {
      webSocket.compose(frame: "5", odds: 900)
      visit.upgrade = .none
      visit.isOnWebSocket = true
      upgrades += 1
      // What lies behind the packet in the same bytes, while others keep the reactor busy.
      if world.hasFaults { for _ in 0..<world.random.below(4) { echo(visit) } }
      compose(visit.queue, on: webSocket)
      visit.queue = []
      if world.hasFaults { crowd(webSocket) }
    }
    if visit.isOnWebSocket, let webSocket = visit.webSocket, webSocket.isWebSocket {
      compose(visit.queue, on: webSocket)
      visit.queue = []
      return
    }
    guard visit.isPolling else { return }
    if visit.poll == nil && (!world.hasFaults || world.random.perMille(700)) {
      let wire = idleWire(visit)
      wire.compose(request("GET", visit.sid))
      visit.poll = wire
    }
    if visit.post == nil && !visit.queue.isEmpty {
      let count = world.random.within(1...visit.queue.count)
      let body = visit.queue.prefix(count).joined(separator: "\u{1E}")
      visit.queue.removeFirst(count)
      let wire = idleWire(visit)
      wire.compose(request("POST", visit.sid, body: body))
      visit.post = wire
    }
  }

  /// Hands over what a connection has composed together with what keeps its reactor busy.
  private func crowd(_ wire: EngineWire) {
    world.isSwift = true
    defer { world.isSwift = false }
    world.company?(wire.socket.reactor)
    if wire.socket.reactor >= 0 { world.moods[wire.socket.reactor] = .unsteady }
    wire.hand()
  }

  /// Packets as frames; some are large once they are decompressed.
  private func compose(_ packets: [String], on wire: EngineWire) {
    for packet in packets {
      if packet.hasPrefix("42"), wire.deflate != nil, world.random.perMille(80) {
        let spaces = String(repeating: " ", count: world.random.within(20_000...60_000))
        wire.compose(frame: packet.dropLast() + spaces + "]", isDense: true)
      } else {
        wire.compose(frame: packet, isRandom: packet.hasPrefix("40"))
      }
    }
  }

  // MARK: Reading

  private func readAnswers(_ visit: EngineVisit) {
    if let wire = visit.post, let answer = wire.takeAnswer() {
      visit.post = nil
      if answer.status != 200 || answer.body != "ok" { over(visit, "a post got \(answer)") }
    }
    if let wire = visit.poll, let answer = wire.takeAnswer() {
      visit.poll = nil
      if answer.status != 200 {
        over(visit, "a poll got \(answer)")
        return
      }
      let packets = answer.body.unicodeScalars.split(separator: "\u{1E}", omittingEmptySubsequences: false)
      if packets.count > 16 { world.fail("\(visit): \(packets.count) packets in one answer") }
      for packet in packets where !visit.isOver { receive(visit, String(packet)) }
    }
    if let wire = visit.webSocket, !wire.isWebSocket, let answer = wire.takeAnswer() {
      if answer.status != 101 {
        over(visit, "an upgrade got \(answer)")
        return
      }
      wire.isWebSocket = true
      if visit.upgrade == .connecting {
        visit.upgrade = .probing
        wire.compose(frame: "2probe")
      }
    }
  }

  private func readFrames(_ visit: EngineVisit) {
    guard let wire = visit.webSocket, wire.isWebSocket else { return }
    while !visit.isOver, let frame = wire.takeFrame() {
      let text = String(decoding: frame.payload, as: UTF8.self)
      switch frame.opcode {
      case 1 where visit.upgrade == .probing:
        if text != "3probe" { world.fail("\(visit): \(text) answers a probe") }
        visit.upgrade = .pausing
      case 1 where visit.isOnWebSocket: receive(visit, text)
      case 8 where visit.upgrade != .none:
        // The probe was too slow, or its session has ended, which polling will tell.
        abandonProbe(visit)
        // The gateway may not have heard yet of the end of the one before: then this is a second one.
        if visit.probes == 1 && !isExcused(visit) { world.fail("\(visit): a probe was closed for no reason") }
        return
      case 8: over(visit, "closed with \(frame.payload)")
      default: world.fail("\(visit): a frame of opcode \(frame.opcode) out of place: \(text)")
      }
    }
  }

  private func receive(_ visit: EngineVisit, _ packet: String) {
    switch packet.first {
    case "0" where visit.sid.isEmpty:
      guard let start = packet.firstRange(of: #""sid":""#) else { return }
      visit.sid = String(packet[start.upperBound...].prefix(20))
      visit.queue.append(#"40{"token":"\#(token)"}"#)
    case "1": over(visit, "the gateway ended it")
    case "2": visit.queue.append("3")
    case "6": break
    case "4": receive(visit, message: packet.dropFirst())
    default: world.fail("\(visit): an unexpected packet: \(packet)")
    }
  }

  private func receive(_ visit: EngineVisit, message: Substring) {
    let expected = echo(visit.number, visit.echoesAnswered)
    if message.hasPrefix(#"0{"sid":""#) && !visit.isJoined {
      visit.isJoined = true
      visit.socketId = String(message.dropFirst(9).prefix { $0 != "\"" })
    } else if message.hasPrefix(#"2["connected",{"#) && visit.isJoined && !visit.isWelcome {
      visit.isWelcome = true
    } else if message.hasPrefix(#"2["echo_response",{"received":\#(expected),"#) && visit.isWelcome {
      if message.firstRange(of: #""socketId":"\#(visit.socketId)""#) == nil {
        world.fail("\(visit): an echo in another one's name: \(message)")
      }
      visit.echoesAnswered += 1
      echoes += 1
      if visit.echoesAnswered > visit.echoesSent { world.fail("\(visit): more echoes than were sent") }
    } else if message.hasPrefix(#"2["news",{"n":"#), let serial = Int(message.dropFirst(14).prefix { $0 != "," }) {
      if let last = visit.newsReceived.last, serial != last + 1 { world.fail("\(visit): news \(serial) after \(last)") }
      visit.newsReceived.append(serial)
      broadcasts += 1
    } else {
      world.fail("\(visit): out of place: \(message)")
    }
  }

  /// Connections that are over. What was under way on them is lost, and the session with it.
  private func noticeEnds(_ visit: EngineVisit) {
    for wire in visit.wires where !wire.isEnded && wire.isOver {
      wire.end()
      if wire === visit.webSocket && visit.upgrade != .none {
        if visit.probes == 1 && !isExcused(visit) {
          world.fail("\(visit): the probe's connection ended for no reason")
        }
        abandonProbe(visit)
      } else if wire === visit.poll || wire === visit.post || wire === visit.webSocket {
        over(visit, "a connection ended")
      }
    }
    // A connection that is over stays in the list: how late it was excuses what comes later.
  }

  private func abandonProbe(_ visit: EngineVisit) {
    visit.webSocket?.end()
    visit.webSocket = nil
    visit.upgrade = .none
  }

  /// The session has ended. Whoever did nothing for it has been wronged.
  private func over(_ visit: EngineVisit, _ what: @autoclosure () -> String) {
    if visit.isOver { return }
    if !isExcused(visit) { world.fail("\(visit): \(what()), for no reason") }
    visit.isOver = true
    for wire in visit.wires { wire.end() }
  }

  private func isExcused(_ visit: EngineVisit) -> Bool {
    visit.isLeaving || visit.isStopping || isLate(visit) || visit.wires.contains { $0.socket.isFaulted }
  }

  /// Nanoseconds of latency from which on a time-out is the client's own fault: several may add up to one.
  private var latenessLimit: UInt64 { UInt64(plan.engineLatenessMilliseconds) * 1_000_000 }

  private func isLate(_ visit: EngineVisit) -> Bool {
    max(visit.gapMax, visit.wires.map(\.lateness).max() ?? 0) >= latenessLimit
  }

  // MARK: Acting

  private func act(_ visit: EngineVisit) {
    guard world.hasFaults else { return }
    switch world.random.below(1000) {
    case 0..<250: echo(visit)
    case 250..<330 where visit.isWelcome && visit.isPolling && visit.upgrade == .none:
      visit.upgrade = .connecting
      visit.probes += 1
      visit.webSocket = open(visit, upgrade: visit.sid)
    case 330..<360 where visit.upgrade == .connecting || visit.upgrade == .probing:
      // What the gateway has heard of it is the network's secret: polling goes on.
      abandonProbe(visit)
    case 360..<370:
      let idle = visit.wires.filter { $0 !== visit.poll && $0 !== visit.post && $0 !== visit.webSocket }
      if let wire = idle.first(where: { !$0.isEnded }) { wire.end() }
    case 370..<372: leave()
    case 372..<374: vanish()
    default: break
    }
  }

  /// Sends the next echo, if not too many are under way.
  func echo(_ visit: EngineVisit) {
    guard visit.isAlive, visit.echoesSent - visit.echoesAnswered < Self.echoesMax else { return }
    visit.queue.append(#"42["echo",\#(echo(visit.number, visit.echoesSent))]"#)
    visit.echoesSent += 1
  }

  /// What is echoed says whose it is.
  private func echo(_ visit: Int, _ serial: Int) -> String { #"{"c":\#(number),"v":\#(visit),"n":\#(serial)}"# }

  /// Ends the session by its protocol.
  func leave() {
    guard let visit, !visit.isLeaving else { return }
    visit.isLeaving = true
    visit.queue.append("1")
  }

  /// Ends all its connections, with resets or in peace.
  func vanish() {
    guard let visit else { return }
    visit.isLeaving = true
    for wire in visit.wires {
      if world.random.perMille(500) { wire.vanish() } else { wire.end() }
    }
    visit.isOver = true
    self.visit = nil
  }

  /// Fails the run when something that was due has not come.
  func checkNothingMissing() {
    // Whoever lives misses nothing, however late anything was.
    guard let visit, !visit.isLeaving, !visit.isStopping else { return }
    if !visit.isWelcome { world.fail("\(visit): not welcome") }
    if visit.upgrade != .none { world.fail("\(visit): the upgrade does not end") }
    if visit.echoesAnswered != visit.echoesSent { world.fail("\(visit): echoes are missing") }
    if let first = visit.newsExpected.first {
      let got = visit.newsReceived.filter { $0 >= first }
      if got != visit.newsExpected { world.fail("\(visit): news \(got) instead of \(visit.newsExpected)") }
    }
  }
}
