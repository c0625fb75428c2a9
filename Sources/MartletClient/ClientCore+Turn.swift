// The I/O thread's part of a client: its socket is opened, read, written and closed here, under the client's lock.
import Buffers
import EventLoop

extension ClientCore {
  /// Reads of one turn, so that a busy connection does not keep the thread from the others.
  private static var readsMax: Int { 16 }

  func turn(
    _ reactor: borrowing Reactor, slot: UInt32, readiness: (generation: UInt32, Readiness)?, now: UInt64
  ) -> IOTurn {
    let (result, cancelled) = state.withLock { state in
      state.isWoken = false
      state.session.tick(now)
      settle(&state)
      openAndClose(&state, reactor, slot, now)
      if let readiness, readiness.generation == state.socket.generation, state.socket.isConnecting {
        step(state.socket.proceed(reactor, slot: slot), &state, now)
      }
      let again = pump(&state, now)
      settle(&state)
      // What happened may have ended the connection, or begun an attempt that needs no waiting.
      openAndClose(&state, reactor, slot, now)
      settle(&state)
      let result = IOTurn(
        deadline: state.session.nextDeadline, again: again,
        isDone: state.session.phase == .closed && !state.socket.isOpen)
      return (result, state.cancelled.take())
    }
    cancelled?.cancel()
    return result
  }

  private func openAndClose(_ state: inout State, _ reactor: borrowing Reactor, _ slot: UInt32, _ now: UInt64) {
    if state.session.wantsClose {
      state.session.wantsClose = false
      state.socket.close()
    }
    if state.session.wantsOpen {
      state.session.wantsOpen = false
      let attempt = state.session.attempt
      state.lookup = attempt
      state.found = nil
      state.found = Resolver.addresses(of: url.place)
      if state.found == nil {
        let isStarted = Resolver.lookUp(url.place) { [weak self] in self?.resolved(attempt, $0) }
        if !isStarted { state.found = [] }
      }
    }
    if let addresses = state.found, state.lookup == state.session.attempt, state.session.phase == .connecting {
      state.found = nil
      let failure = addresses.isEmpty ? "no address for the host" : nil
      if let failure { return state.session.socketEnded(failure, now) }
      step(state.socket.open(addresses, reactor, slot: slot), &state, now)
    }
  }

  private func resolved(_ attempt: UInt64, _ addresses: [SocketAddress]) {
    change { state in
      if state.lookup == attempt { state.found = addresses }
    }
  }

  private func step(_ step: ClientSocket.Step, _ state: inout State, _ now: UInt64) {
    switch step {
    case .underWay: break
    case .connected: state.session.socketOpened()
    case .failed(let failure): state.session.socketEnded(failure, now)
    }
  }

  /// Reads and writes until the socket has no more; true when this turn's share was used up first.
  private func pump(_ state: inout State, _ now: UInt64) -> Bool {
    guard state.socket.isOpen, !state.socket.isConnecting else { return false }
    flush(&state, now)
    for _ in 0..<Self.readsMax {
      // A session that wants its socket closed has already forgotten it.
      if state.session.wantsClose || state.session.isHeld { return false }
      let fd = state.socket.fd
      let transfer = state.session.transport.receive { input in
        System.receive(fd, into: &input, atMost: FrameTransport.receiveBytes)
      }
      switch transfer {
      case .moved: state.session.received(now)
      case .wouldBlock: return false
      case .end: state.session.socketEnded("the connection ended", now)
      case .failed(let number):
        state.session.socketEnded(SystemError(call: "recv", number: number).description, now)
      }
      settle(&state)
      flush(&state, now)
    }
    return true
  }

  private func flush(_ state: inout State, _ now: UInt64) {
    guard !state.session.wantsClose else { return }
    while true {
      state.session.fill(now)
      if state.session.transport.unsentCount == 0 { return }
      let fd = state.socket.fd
      var transfer = Transfer.wouldBlock
      state.session.transport.send { bytes in
        transfer = System.send(fd, bytes)
        if case .moved(let count) = transfer { return count }
        return 0
      }
      guard case .moved = transfer else {
        // A broken connection is reported by the next read, with what the gateway still said before it.
        return
      }
      state.session.sent()
    }
  }
}
