// One TCP connection of a simulated Socket.IO client: requests and their answers, or a WebSocket. One thread.

final class EngineWire {
  let socket: SimulatedSocket
  private let world: SimulatedWorld
  private(set) var outgoing: [UInt8] = []
  private var outgoingSince: UInt64 = 0
  private var incoming: [UInt8] = []
  /// The longest time that something waited here for room, in nanoseconds.
  private var latenessMax: UInt64 = 0
  /// When the last answer was read, for a connection that is kept.
  private(set) var idleSince: UInt64
  /// Whether it carries frames from now on.
  var isWebSocket = false
  private(set) var isEnded = false
  /// What came of asking for compression.
  private(set) var deflate: ClientDeflate?

  init(world: SimulatedWorld) {
    self.world = world
    socket = world.connect()
    idleSince = world.now
  }

  /// Whether there is something to do for it now.
  var hasWork: Bool {
    if isEnded { return false }
    if !outgoing.isEmpty && (socket.up.room > 0 || socket.isServerClosed) { return true }
    return socket.down.arrivedCount > 0 || isOver
  }

  /// Everything was read, and nothing comes any more.
  var isOver: Bool { socket.down.count == 0 && (socket.down.hasEndArrived || socket.isBrokenForClient) }

  /// The longest time that anything has waited on this connection, in nanoseconds.
  var lateness: UInt64 {
    max(
      latenessMax, socket.up.latencyMax, socket.down.latencyMax, socket.up.age(now: world.now),
      socket.down.age(now: world.now))
  }

  func compose(_ text: String) {
    if outgoing.isEmpty { outgoingSince = world.now }
    outgoing += Array(text.utf8)
  }

  /// What a proxy writes before everything else.
  func compose(prefix bytes: [UInt8]) { outgoing += bytes }

  /// A text frame, or several, compressed or not. A text that is random in itself is not compressed: how long it would
  /// be is not the seed's.
  func compose(frame text: String, isRandom: Bool = false, isDense: Bool = false, odds: Int = 600) {
    if outgoing.isEmpty { outgoingSince = world.now }
    var bytes = Array(text.utf8)
    var isCompressed = false
    if let deflate, !isRandom, isDense || world.random.perMille(odds) {
      bytes = deflate.compress(bytes, cuts: world.random.perMille(200) ? [world.random.below(bytes.count)] : [])
      isCompressed = true
    }
    let mask = UInt32(truncatingIfNeeded: world.random.next())
    let cut = world.random.perMille(150) ? world.random.below(bytes.count) : bytes.count
    outgoing += ClientWire.frame(
      1, bytes[..<cut], isFinal: cut == bytes.count, isCompressed: isCompressed, mask: mask)
    if cut < bytes.count { outgoing += ClientWire.frame(0, bytes[cut...], mask: ~mask) }
  }

  /// Gives the network what it takes, and takes what it has.
  func move() {
    if isEnded { return }
    hand()
    let limit = world.hasFaults && world.random.perMille(500) ? 1 + world.random.skewed(2_048) : 1 << 20
    let bytes = socket.down.read(limit, now: world.now)
    if !bytes.isEmpty {
      socket.noteRoom()
      incoming += bytes
    }
  }

  /// Gives the network what it takes.
  func hand() {
    if outgoing.isEmpty || socket.up.isEnded { return }
    latenessMax = max(latenessMax, world.now - outgoingSince)
    if socket.isServerClosed {
      socket.isBrokenForClient = true
      outgoing = []
      return
    }
    var count = min(socket.up.room, outgoing.count)
    if world.hasFaults && count > 1 && world.random.perMille(500) { count = 1 + world.random.skewed(count - 1) }
    if count == 0 { return }
    socket.up.send(Array(outgoing[..<count]), now: world.now, delay: world.delay())
    outgoing.removeFirst(count)
  }

  /// A whole answer that has come: 101 has no body, and what follows it are frames.
  func takeAnswer() -> (status: Int, body: String)? {
    guard let end = headEnd else { return nil }
    let head = String(decoding: incoming[..<end], as: UTF8.self)
    let status = Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
    var length = 0
    for line in head.split(separator: "\r\n") {
      if line.hasPrefix("Content-Length: ") { length = Int(line.dropFirst(16)) ?? 0 }
      if line.hasPrefix("Sec-WebSocket-Extensions: ") {
        deflate = ClientDeflate(answer: line.dropFirst(26), level: world.random.pick([1, 6, 9]))
        socket.isCompressing = true
      }
    }
    guard incoming.count >= end + length else { return nil }
    let body = String(decoding: incoming[end..<end + length], as: UTF8.self)
    incoming.removeFirst(end + length)
    idleSince = world.now
    return (status, body)
  }

  /// Where the body begins.
  private var headEnd: Int? {
    (3..<max(3, incoming.count)).first { incoming[$0] == 10 && incoming[$0 - 1] == 13 && incoming[$0 - 2] == 10 }
      .map { $0 + 1 }
  }

  /// The next frame that has come.
  func takeFrame() -> ClientWire.Frame? {
    switch ClientWire.read(incoming, at: 0, deflate) {
    case .incomplete: return nil
    case .wrong(let what):
      world.fail("a Socket.IO client got \(what)")
      return nil
    case .frame(let frame, let length):
      incoming.removeFirst(length)
      return frame
    }
  }

  /// Ends it in peace.
  func end() {
    if isEnded { return }
    isEnded = true
    world.endClient(of: socket)
  }

  /// Ends it with a reset; what is on its way may be lost.
  func vanish() {
    if isEnded { return }
    isEnded = true
    if world.random.perMille(500) { socket.up.dropFlying() }
    socket.resetArrivesAt = world.now + world.delay()
    socket.isClientGone = true
  }
}
