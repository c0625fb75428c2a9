// The world that simulated reactors and clients live in: time, chance, connections, descriptors, faults. One thread.
import Buffers
import EventLoop
import Glibc

/// What a run may do wrong to the gateway, and how large its buffers are.
struct WorldProfile {
  /// Largest capacity of a pipe.
  var upCapacityMax = 65_536
  var downCapacityMax = 65_536
  /// Whether every connection takes megabytes.
  var isWide = false
  /// Longest ordinary delay on the way, in nanoseconds.
  var delayMax: UInt64 = 2_000_000
  /// Writes in a thousand that find less room than there is.
  var shortWrites = 60
  /// What things cost.
  var prices = WorldPrices()
}

final class SimulatedWorld {
  /// What a descriptor is.
  enum Descriptor {
    case socket(SimulatedSocket)
    case listener(queue: Int)
    case reserve
  }

  /// Readiness as collected for one turn.
  struct Collected {
    var events: [(token: SlabToken, readiness: Readiness)?] = []
    var wokeNanoseconds: UInt64 = 0
  }

  var random: SimulationRandom
  var hash = EventHash()
  /// The monotonic clock in nanoseconds.
  private(set) var now: UInt64 = 1_000_000_000_000
  /// Counts everything that clients do or see: the order that the oracle reasons with.
  private(set) var sequence = 0
  let profile: WorldProfile
  /// Nothing takes any time on its way.
  var isSwift = false
  /// Whether faults are on.
  var hasFaults = true
  private(set) var failure: String?

  var sockets: [SimulatedSocket] = []
  private var socketCount = 0
  /// By number, the lowest free one given out first, as the kernel does.
  private var descriptors: [Descriptor?] = [nil, nil, nil]
  private(set) var openDescriptors = 0
  /// Whether the system lets no reactor watch a listener.
  var refusesListeners = false
  /// Descriptors that the process may have.
  var descriptorsMax = Int.max
  /// Connections waiting to be accepted: one queue for each reactor, and one that all share.
  var backlogs: [[SimulatedSocket]]
  private let reactorCount: Int
  /// Listening descriptors registered by each reactor, with their listener numbers.
  private var listening: [[(fd: Int32, number: UInt32)]]

  /// The real ones, one for each reactor: other threads' commands ring them too.
  let doorbells: [Doorbell]
  var collected: [Collected]
  /// The turn that each reactor is in or was last in, and its mail.
  var turns: [SimulatedTurn]
  var mail: [SimulatedMail] = []
  /// Connections that reactors have closed since somebody last looked.
  var closed: [SimulatedSocket] = []
  /// Lets other reactors run in the middle of what one does about its doorbell.
  var interleave: ((_ except: Int, _ preferred: Int?) -> Void)?
  /// Gives a reactor work that makes it late.
  var company: ((_ reactor: Int) -> Void)?
  /// What the next turn of a reactor is to be, where chance does not decide it.
  var moods: [TurnMood?]

  init(reactorCount: Int, profile: WorldProfile, random: SimulationRandom) throws {
    self.random = random
    self.profile = profile
    self.reactorCount = reactorCount
    backlogs = Array(repeating: [], count: reactorCount + 1)
    listening = Array(repeating: [], count: reactorCount)
    doorbells = try (0..<reactorCount).map { _ in try Doorbell() }
    collected = Array(repeating: Collected(), count: reactorCount)
    turns = Array(repeating: SimulatedTurn(), count: reactorCount)
    moods = Array(repeating: nil, count: reactorCount)
  }

  /// Records what went wrong first.
  func fail(_ text: @autoclosure () -> String) {
    if failure == nil { failure = text() }
  }

  func nextSequence() -> Int {
    sequence += 1
    return sequence
  }

  /// Notes an event for the hash.
  func note(_ kind: Int, _ first: Int, _ second: Int = 0) {
    hash.mix(kind)
    hash.mix(first)
    hash.mix(second)
  }

  /// Moves the clock, and everything that is on its way.
  func advance(by nanoseconds: UInt64) {
    now += nanoseconds
    for socket in sockets { socket.advance(to: now) }
  }

  /// When something next arrives anywhere.
  var nextArrival: UInt64? {
    var next: UInt64?
    for socket in sockets { if let time = socket.nextArrival { next = min(next ?? .max, time) } }
    return next
  }

  /// How long the next piece is on its way.
  func delay() -> UInt64 {
    guard hasFaults && !isSwift else { return 0 }
    if random.perMille(3) { return UInt64(random.below(300_000_000)) }
    return random.perMille(400) ? 0 : UInt64(random.skewed(Int(profile.delayMax)))
  }

  /// The client closes its end of a connection: in peace, or with a reset where something is still on its way to it.
  func endClient(of socket: SimulatedSocket) {
    if socket.isClientGone || socket.isUnplugged { return }
    socket.isClientGone = true
    if socket.isServerClosed { return }
    if socket.down.count > 0 {
      socket.resetArrivesAt = now + delay()
    } else {
      socket.up.end(now: now, delay: delay())
    }
  }

  // MARK: Descriptors

  func open(_ descriptor: Descriptor) -> Int32? {
    if openDescriptors >= descriptorsMax { return nil }
    openDescriptors += 1
    for number in 3..<descriptors.count where descriptors[number] == nil {
      descriptors[number] = descriptor
      return Int32(number)
    }
    descriptors.append(descriptor)
    return Int32(descriptors.count - 1)
  }

  func free(_ fd: Int32, _ call: StaticString) {
    guard fd >= 0, Int(fd) < descriptors.count, descriptors[Int(fd)] != nil else {
      fail("\(call) of descriptor \(fd), which is not open")
      return
    }
    descriptors[Int(fd)] = nil
    openDescriptors -= 1
  }

  /// A listener may be muted, and is unregistered again when it is closed.
  func isListener(_ fd: Int32) -> Bool {
    if fd >= 0, Int(fd) < descriptors.count, case .listener = descriptors[Int(fd)] { return true }
    return false
  }

  func isReserve(_ fd: Int32) -> Bool {
    if fd >= 0, Int(fd) < descriptors.count, case .reserve = descriptors[Int(fd)] { return true }
    return false
  }

  /// Closes a listener, as a stopping reactor does; false when the descriptor is none. Whoever waits where nobody
  /// listens any more is refused.
  func closeListener(_ fd: Int32) -> Bool {
    guard fd >= 0, Int(fd) < descriptors.count, case .listener(let queue) = descriptors[Int(fd)] else { return false }
    if listening.joined().contains(where: { $0.fd == fd }) { fail("close of listener \(fd), which is registered") }
    free(fd, "close")
    let isOpen = descriptors.contains {
      if case .listener(queue) = $0 { return true }
      return false
    }
    if isOpen { return true }
    for socket in backlogs[queue] {
      socket.isServerClosed = true
      socket.isBrokenForClient = true
      socket.isFaulted = true
    }
    backlogs[queue] = []
    return true
  }

  func socket(_ fd: Int32, _ call: StaticString) -> SimulatedSocket? {
    if fd >= 0, Int(fd) < descriptors.count, case .socket(let socket) = descriptors[Int(fd)] { return socket }
    fail("\(call) on descriptor \(fd), which is no open socket")
    return nil
  }

  /// The connection behind a descriptor, if there is one.
  func peek(_ fd: Int32) -> SimulatedSocket? {
    if fd >= 0, Int(fd) < descriptors.count, case .socket(let socket) = descriptors[Int(fd)] { return socket }
    return nil
  }

  func backlog(_ fd: Int32) -> Int? {
    if fd >= 0, Int(fd) < descriptors.count, case .listener(let queue) = descriptors[Int(fd)] { return queue }
    fail("accept on descriptor \(fd), which is no listener")
    return nil
  }

  // MARK: Readiness

  func listen(reactor: Int, fd: Int32, number: UInt32) { listening[reactor].append((fd, number)) }
  /// False when the descriptor is no listener of the reactor.
  func stopListening(reactor: Int, fd: Int32) -> Bool {
    let count = listening[reactor].count
    listening[reactor].removeAll { $0.fd == fd }
    return listening[reactor].count < count
  }

  /// Whether the reactor's doorbell has rung since it last woke.
  func isRung(_ reactor: Int) -> Bool {
    var entry = pollfd(fd: doorbells[reactor].fd, events: Int16(POLLIN), revents: 0)
    // SAFETY: one entry, as the count says.
    return unsafe poll(&entry, 1, 0) > 0
  }

  /// Whether epoll_wait would return at once.
  func isReady(_ reactor: Int) -> Bool {
    if isRung(reactor) { return true }
    if listening[reactor].contains(where: { backlog($0.fd).map { !backlogs[$0].isEmpty } ?? false }) { return true }
    return sockets.contains { $0.reactor == reactor && $0.token != nil && $0.hasEdge && !$0.isServerClosed }
  }

  /// epoll_wait: collects readiness, in any order, sometimes only a few at a time.
  func collect(_ reactor: Int) -> Int {
    var batch = Collected(events: [], wokeNanoseconds: now)
    var edges = sockets.filter { $0.reactor == reactor && $0.token != nil && $0.hasEdge && !$0.isServerClosed }
    shuffle(&edges)
    let limit = hasFaults && random.perMille(200) ? random.within(1...4) : Reactor.eventsMax
    for socket in edges.prefix(limit) {
      socket.hasEdge = false
      let state = socket.readiness
      var readiness: Readiness = []
      if state.readable { readiness.insert(.readable) }
      if state.writable {
        readiness.insert(.writable)
        socket.isRoomNews = false
      }
      if state.readEnd { readiness.insert(.readEnd) }
      if state.broken { readiness.insert(.broken) }
      if let token = socket.token, !readiness.isEmpty { batch.events.append((token, readiness)) }
    }
    for listener in listening[reactor] {
      guard let queue = backlog(listener.fd), !backlogs[queue].isEmpty else { continue }
      let event = (SlabToken(index: listener.number, generation: 0), Readiness.readable)
      batch.events.insert(event, at: random.below(batch.events.count + 1))
    }
    if isRung(reactor) {
      var value: UInt64 = 0
      // SAFETY: an eventfd gives exactly eight bytes.
      _ = unsafe read(doorbells[reactor].fd, &value, 8)
      batch.events.insert(nil, at: random.below(batch.events.count + 1))
    }
    collected[reactor] = batch
    beginTurn(reactor)
    note(1, reactor, batch.events.count)
    return batch.events.count
  }

  private func shuffle(_ list: inout [SimulatedSocket]) {
    var index = list.count - 1
    while index > 0 {
      list.swapAt(index, random.below(index + 1))
      index -= 1
    }
  }

  // MARK: Connections

  /// A client connects to one of the reactors' listeners, or to the shared one.
  func connect(to queue: Int? = nil) -> SimulatedSocket {
    socketCount += 1
    let queue = queue ?? random.below(backlogs.count)
    let socket = SimulatedSocket(
      id: socketCount, listener: queue < reactorCount ? 0 : 1,
      upCapacity: profile.isWide ? 4_194_304 : 64 + random.skewed(profile.upCapacityMax),
      downCapacity: profile.isWide ? 2_097_152 : 64 + random.skewed(profile.downCapacityMax))
    sockets.append(socket)
    backlogs[queue].append(socket)
    return socket
  }

  /// Forgets connections that are over at both ends.
  func sweep() { sockets.removeAll { $0.isOver } }
}
