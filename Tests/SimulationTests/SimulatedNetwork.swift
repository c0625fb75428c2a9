// The kernel as one simulated reactor sees it: sockets that split, stall and break, and a doorbell that can be missed.
import Buffers
import EventLoop

@testable import Gateway

/// The simulation's conformer of the seam between shard and kernel.
struct SimulatedNetwork: Network, ~Copyable {
  let world: SimulatedWorld
  let reactor: Int

  /// A system call, and what it has the reactor do with so many bytes. What was done before is paid first.
  private func spend(_ bytes: Int = 0, _ picoseconds: UInt64 = 0) {
    world.settleMail(reactor)
    world.spend(reactor, world.profile.prices.call + UInt64(bytes) * picoseconds / 1_000)
  }

  // MARK: Bytes

  func receive(_ fd: Int32, into buffer: inout ByteBuffer, atMost limit: Int) -> Transfer {
    spend()
    guard let socket = world.socket(fd, "recv") else { return .failed(9) }
    check(socket)
    let room = min(limit, buffer.capacity - buffer.count)
    if room == 0 { world.fail("recv without room would be taken for the end of the stream") }
    if socket.up.arrivedCount == 0 {
      if socket.isBrokenForServer { return .failed(104) }
      return socket.up.hasEndArrived ? .end : .wouldBlock
    }
    // A shorter read than there is, as if the rest had come a moment later: then it makes an edge of its own.
    var wanted = room
    if world.hasFaults && socket.up.arrivedCount > 1 && world.random.perMille(150) {
      wanted = min(room, world.random.within(1...(socket.up.arrivedCount - 1)))
      if wanted < room { socket.hasEdge = true }
    }
    let bytes = socket.up.read(wanted, now: world.now)
    buffer.append(bytes.span)
    world.note(2, socket.id, bytes.count)
    spend(bytes.count, world.profile.prices.receivedByte * (socket.isCompressing ? 4 : 1))
    return .moved(bytes.count)
  }

  func send(_ fd: Int32, _ bytes: Span<UInt8>) -> Transfer {
    // SAFETY: the buffer is only read during the call.
    let copy = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
    return send(fd, copy)
  }

  func send(_ fd: Int32, gathered pieces: borrowing GatherList) -> Transfer {
    var copy: [UInt8] = []
    // SAFETY: the pieces are alive while the list is borrowed.
    unsafe pieces.withVectors { vectors, count in
      for index in 0..<count {
        let (base, length) = unsafe vectors[index]
        unsafe copy.append(contentsOf: UnsafeRawBufferPointer(start: base, count: length))
      }
    }
    return send(fd, copy)
  }

  private func send(_ fd: Int32, _ bytes: [UInt8]) -> Transfer {
    spend()
    guard let socket = world.socket(fd, "send") else { return .failed(9) }
    check(socket)
    if bytes.isEmpty { world.fail("send of nothing") }
    if socket.isServerWriteShut { world.fail("send after the sending side was shut") }
    if socket.isBrokenForServer { return .failed(32) }
    if socket.isClientGone && !socket.isUnplugged {
      // The peer's system answers with a reset. Until that is here, sending seems to work.
      socket.resetArrivesAt = socket.resetArrivesAt ?? world.now + world.delay()
      return .moved(bytes.count)
    }
    var room = socket.down.room
    let isSteady = socket.isGreedy && world.now < socket.steadyUntil
    if world.hasFaults && room > 1 && !isSteady
      && world.random.perMille(world.profile.shortWrites * (socket.isGreedy ? 3 : 1))
    {
      if socket.isGreedy { socket.steadyUntil = world.now + 200_000 }
      // A full buffer is never empty: only what is still in it can make room again.
      room = world.random.within((socket.down.count == 0 ? 1 : 0)...(room - 1))
    }
    let count = min(room, bytes.count)
    if count < bytes.count {
      socket.needsRoom = true
      socket.wasBlocked = true
      socket.shortAt = world.now
    }
    world.note(3, socket.id, count)
    if count == 0 { return .wouldBlock }
    spend(count, world.profile.prices.sentByte)
    let delay = socket.isGreedy ? UInt64(world.random.below(20_000)) : world.delay()
    socket.down.send(count == bytes.count ? bytes : Array(bytes[..<count]), now: world.now, delay: delay)
    return .moved(count)
  }

  // MARK: Connections

  func accept(_ listener: Int32) -> Acceptance {
    spend()
    // The kernel looks for a free descriptor before it looks for a connection.
    if world.openDescriptors >= world.descriptorsMax { return .exhausted }
    guard let queue = world.backlog(listener), !world.backlogs[queue].isEmpty else { return .wouldBlock }
    let socket = world.backlogs[queue].removeFirst()
    socket.acceptedAt = world.now
    if world.hasFaults && world.random.perMille(5) {
      socket.isFaulted = true
      socket.isServerClosed = true
      socket.isBrokenForClient = true
      return .aborted
    }
    guard let fd = world.open(.socket(socket)) else { return .exhausted }
    socket.fd = fd
    socket.reactor = reactor
    world.note(4, socket.id, Int(fd))
    return .accepted(fd: fd, peer: PeerAddress(high: 0, low: 0xFFFF_0A00_0000 + UInt64(socket.id), port: 1024))
  }

  func shutdownWrite(_ fd: Int32) {
    guard let socket = world.socket(fd, "shutdown") else { return }
    if socket.isServerWriteShut { world.fail("shutdown twice") }
    socket.isServerWriteShut = true
    socket.down.end(now: world.now, delay: world.delay())
    if socket.up.hasEndArrived { socket.hasEdge = true }
    world.note(5, socket.id)
  }

  func close(_ fd: Int32) {
    guard let socket = closing(fd, "close") else { return }
    if socket.up.count > 0 {
      // Closing with unread bytes is a reset, which may overtake what was sent.
      if world.random.perMille(500) { socket.down.dropFlying() }
      socket.isBrokenForClient = true
    } else {
      socket.down.end(now: world.now, delay: world.delay())
    }
    world.note(6, socket.id)
  }

  func reset(_ fd: Int32) {
    guard let socket = closing(fd, "close after linger") else { return }
    socket.down.dropFlying()
    socket.isBrokenForClient = true
    world.note(7, socket.id)
  }

  /// The common part of both ways to close; nil for the reserve.
  private func closing(_ fd: Int32, _ call: StaticString) -> SimulatedSocket? {
    spend()
    let isReserve = world.isReserve(fd)
    if world.closeListener(fd) { return nil }
    let socket = isReserve ? nil : world.socket(fd, call)
    world.free(fd, call)
    if isReserve && world.hasFaults && world.descriptorsMax != .max && world.random.perMille(300) {
      // Something else in the process takes the descriptor first.
      world.descriptorsMax -= 1
    }
    guard let socket else { return nil }
    // On the way from one reactor to another it belongs to whoever has it.
    if socket.reactor != reactor && socket.token != nil {
      world.fail("reactor \(reactor) closes a connection of reactor \(socket.reactor)")
    }
    socket.isServerClosed = true
    socket.hasEdge = false
    world.closed.append(socket)
    return socket
  }

  func openReserve() -> Int32 { world.open(.reserve) ?? -1 }

  // MARK: Readiness

  func register(socket fd: Int32, token: SlabToken) -> Bool {
    guard let socket = world.socket(fd, "epoll_ctl") else { return false }
    if socket.token != nil { world.fail("reactor \(reactor) registers descriptor \(fd), which is registered") }
    // Accepted here, or handed over.
    socket.reactor = reactor
    if world.hasFaults && world.random.perMille(2) {
      socket.isFaulted = true
      return false
    }
    socket.token = token
    socket.hasEdge = true
    return true
  }

  func reregister(socket fd: Int32, token: SlabToken) -> Bool {
    guard let socket = world.socket(fd, "epoll_ctl") else { return false }
    socket.token = token
    socket.hasEdge = true
    return true
  }

  func register(listener fd: Int32, number: UInt32, isShared: Bool) -> Bool {
    if world.refusesListeners { return false }
    world.listen(reactor: reactor, fd: fd, number: number)
    return true
  }

  func unregister(_ fd: Int32) {
    guard !world.stopListening(reactor: reactor, fd: fd), !world.isListener(fd),
      let socket = world.socket(fd, "epoll_ctl")
    else { return }
    check(socket)
    socket.token = nil
  }

  mutating func wait(timeoutMilliseconds: Int) -> Int { world.collect(reactor) }

  func event(_ index: Int) -> (token: SlabToken, readiness: Readiness)? {
    guard let event = world.collected[reactor].events[index] else {
      return nil
    }
    return event
  }

  var wokeNanoseconds: UInt64 { world.collected[reactor].wokeNanoseconds }
  var nowNanoseconds: UInt64 { world.look(reactor) }
  var wallMilliseconds: Int64 { 1_795_000_000_000 + Int64(world.now / 1_000_000) }

  // MARK: The doorbell

  func arm() {
    world.interleave?(reactor, nil)
    world.doorbells[reactor].arm()
    world.interleave?(reactor, nil)
  }

  func disarm() { world.doorbells[reactor].disarm() }

  func wake(_ target: Int) -> Bool {
    world.settleMail(reactor)
    world.interleave?(reactor, target)
    if !world.doorbells[target].ringIfSleeping() { return false }
    world.note(8, reactor, target)
    return true
  }

  /// A shard touches only what it accepted itself.
  private func check(_ socket: SimulatedSocket) {
    if socket.reactor != reactor { world.fail("reactor \(reactor) uses a connection of reactor \(socket.reactor)") }
  }
}
