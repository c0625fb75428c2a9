// A simulated client: connects, talks, misbehaves, and comes back. Its extensions read and act. One thread.

final class SimulatedClient {
  let number: Int
  let world: SimulatedWorld
  let oracle: Oracle
  let plan: SimulationPlan
  var session: Session?
  /// Reads nothing before this time.
  var stalledUntil: UInt64 = 0
  /// Topics that the gateway has it subscribed to once everything composed is processed.
  var topicsWanted: Set<Int> = []
  /// Code of the close frame that it sent.
  var sentCloseCode: Int?
  /// The answer to its request was no 101: what follows is text for people.
  var isRefused = false
  /// It reads all the time, wants everything and never leaves.
  var isWatcher: Bool { number < plan.watcherCount }
  /// Connections that ended and that it is slow to close from its side.
  private var zombies: [(socket: SimulatedSocket, until: UInt64)] = []

  init(number: Int, world: SimulatedWorld, oracle: Oracle, plan: SimulationPlan) {
    self.number = number
    self.world = world
    self.oracle = oracle
    self.plan = plan
  }

  /// Hands over, reads, and perhaps does something new.
  func step(mayAct: Bool) {
    buryZombies()
    guard let session else {
      if mayAct && world.random.perMille(300) { connect() }
      return
    }
    if session.socket.isUnplugged {
      leave(session)
      return
    }
    hand(session)
    if world.now >= stalledUntil { read(session) }
    if mayAct && self.session === session { act(session) }
  }

  /// Whether a step would do anything but think of something new.
  var hasWork: Bool {
    guard let session else { return zombies.contains { world.now >= $0.until } }
    let socket = session.socket
    if socket.isUnplugged { return true }
    if !session.outgoing.isEmpty && (socket.up.room > 0 || socket.isServerClosed) { return true }
    return world.now >= stalledUntil && (socket.down.arrivedCount > 0 || isOver(socket))
  }

  private func isOver(_ socket: SimulatedSocket) -> Bool {
    socket.down.count == 0 && (socket.down.hasEndArrived || socket.isBrokenForClient)
  }

  /// Faults are off from now on: it reads, and closes what it kept.
  func calmDown() {
    stalledUntil = 0
    for zombie in zombies { world.endClient(of: zombie.socket) }
    zombies = []
  }

  private func buryZombies() {
    for zombie in zombies where world.now >= zombie.until { world.endClient(of: zombie.socket) }
    zombies.removeAll { world.now >= $0.until }
  }

  /// The client has no more to do with this connection.
  func leave(_ session: Session, mayLinger: Bool = false) {
    session.phase = .ended
    self.session = nil
    if mayLinger && world.hasFaults && world.random.perMille(100) {
      zombies.append((session.socket, world.now + UInt64(world.random.below(4_000_000_000))))
    } else {
      world.endClient(of: session.socket)
    }
  }

  /// Ends the connection with a reset; what is on its way may be lost.
  func vanish(_ session: Session) {
    session.excuses.insert(.left)
    let socket = session.socket
    if world.random.perMille(500) { socket.up.dropFlying() }
    socket.resetArrivesAt = world.now + world.delay()
    socket.isClientGone = true
    session.phase = .ended
    self.session = nil
    world.note(20, session.id)
  }

  private func connect() {
    let socket = world.connect(to: isWatcher && number < plan.reactorCount ? number : nil)
    if isWatcher {
      socket.isGreedy = true
      socket.down.capacity = 4_194_304
      socket.up.capacity = max(socket.up.capacity, 16_384)
    }
    let session = Session(id: oracle.nextSession, user: SimulationPlan.user(number), socket: socket, now: world.now)
    oracle.enter(session)
    self.session = session
    topicsWanted = []
    sentCloseCode = nil
    isRefused = false
    stalledUntil = 0
    if plan.isCrowded || world.descriptorsMax != .max { session.excuses.insert(.crowded) }
    world.note(21, number, session.id)
    var prefix = ProxyPrefix.make(for: socket, plan, world)
    var request =
      "GET \(plan.path)?token=\(SimulationPlan.token(number)) HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\n"
    if isWatcher ? !plan.isHeavy : world.random.perMille(700) {
      session.offersDeflate = true
      request += "Sec-WebSocket-Extensions: \(world.random.pick(ClientDeflate.offers))\r\n"
    }
    request += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    request += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    if !prefix.isEmpty && world.hasFaults && !isWatcher && world.random.perMille(40) {
      session.excuses.insert(.badRequest)
      prefix = world.random.pick(ProxyPrefix.wrong)
    } else if world.hasFaults && !isWatcher && world.random.perMille(40) {
      session.excuses.insert(.badRequest)
      request = world.random.pick([
        "GET \(plan.path)?token=\(SimulationPlan.wrongToken) HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET \(plan.path) HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 10\r\n\r\n0123456789",
        "GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nHost: gate",
      ])
    }
    session.compose(prefix + Array(request.utf8), now: world.now)
  }

  /// Gives the network what it takes of what was composed.
  private func hand(_ session: Session) {
    if session.outgoing.isEmpty { return }
    session.lateness = max(session.lateness, world.now - session.outgoingSince)
    let socket = session.socket
    if socket.isServerClosed {
      // The other side answers with a reset.
      socket.isBrokenForClient = true
      session.outgoing = []
      return
    }
    if socket.up.isEnded { return }
    var count = min(socket.up.room, session.outgoing.count)
    if world.hasFaults && count > 1 && world.random.perMille(500) { count = 1 + world.random.skewed(count - 1) }
    if count == 0 { return }
    let bytes = Array(session.outgoing[..<count])
    session.outgoing.removeFirst(count)
    while let first = session.waiting.first, first.start < session.handedBytes + count {
      first.publish.handedAt = world.nextSequence()
      session.waiting.removeFirst()
    }
    session.handedBytes += count
    socket.up.send(bytes, now: world.now, delay: world.delay())
    world.note(22, session.id, count)
  }
}
