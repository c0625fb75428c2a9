// Socket.IO clients over HTTP alone: each has joined the namespace and keeps one poll waiting (PROTOCOLS 3.5). One thread.
import Buffers
import EventLoop

/// Polling sessions, each on one kept-alive connection.
struct PollingCrowd: ~Copyable, IdleCrowd {
  private enum Phase {
    case unused, connecting
    /// The first GET, which opens the session.
    case opening
    /// The POST with the token.
    case joining
    /// GETs until namespace and welcome have come.
    case greeting
    /// A GET that the server holds.
    case holding
    /// The POST of a pong.
    case ponging
    case closed
  }

  private struct Session {
    var fd: Int32 = -1
    var phase = Phase.unused
    var id = ""
    var hasNamespace = false
    var hasWelcome = false
    var received: [UInt8] = []
  }

  /// Packets of a payload are joined by it.
  private static let separator: Character = "\u{1E}"

  private(set) var openCount = 0
  private(set) var closedCount = 0
  private var poller: Poller
  private var sessions: [Session]
  private var access: Access
  private var target: Target?
  private var buffer = ByteBuffer(capacity: 4096)

  init(count: Int, access: Access) throws(BenchError) {
    let limit = System.raiseFileLimit()
    guard count <= limit - 32 else {
      throw .usage("\(count) connections need more than the \(limit) files that this process may open")
    }
    poller = try Poller()
    sessions = [Session](repeating: Session(), count: count)
    self.access = access
  }

  deinit { for session in sessions where session.fd >= 0 { System.close(session.fd) } }

  mutating func open(_ plan: IdlePlan, _ progress: inout Progress) throws(BenchError) {
    target = plan.target
    if plan.sessions > 0 { access.tokens = try HTTPClient.acquireSessions(plan.sessions, plan.target, &progress) }
    let deadline = System.monotonicNanoseconds() + ClientPool.openingNanoseconds
    var next = 0
    while openCount < sessions.count {
      while next < sessions.count && next - openCount < ClientPool.openingMax {
        let fd = try Kernel.connect(plan.target, source: access.source(next, plan.target))
        sessions[next].fd = fd
        sessions[next].phase = .connecting
        poller.add(fd, token: UInt64(next), writing: true)
        next += 1
      }
      progress.show("opening", openCount, sessions.count)
      if progress.interrupted { throw .server("interrupted while opening sessions") }
      let now = System.monotonicNanoseconds()
      if now > deadline { throw .server("only \(openCount) of \(sessions.count) sessions opened in 60 s") }
      try idle(until: now + ClientPool.glanceNanoseconds)
      if closedCount > 0 { throw .server("a connection was closed while sessions were opened") }
    }
  }

  mutating func idle(until deadline: UInt64) throws(BenchError) {
    for event in 0..<poller.wait(until: deadline) {
      let index = Int(truncatingIfNeeded: poller.token(event))
      if sessions[index].phase == .connecting {
        guard System.connectionError(sessions[index].fd) == 0 else { throw .server("connection \(index) was refused") }
        sessions[index].phase = .opening
        poller.modify(sessions[index].fd, token: UInt64(index), writing: false)
        ask(index, nil)
      } else if sessions[index].phase != .closed && poller.isReadable(event) {
        try read(index)
      }
    }
  }

  /// Sends a GET, or a POST with a body. Requests are small, so a socket takes them whole.
  private mutating func ask(_ index: Int, _ body: String?) {
    guard let target else { return }
    let id = sessions[index].id
    let path = target.target + (id.isEmpty ? "" : (target.target.contains("?") ? "&" : "?") + "sid=" + id)
    let request = HTTPReply.request(target, path: path, body: body)
    if System.send(sessions[index].fd, request.span) != .moved(request.count) { close(index) }
  }

  private mutating func close(_ index: Int) {
    System.close(sessions[index].fd)
    sessions[index] = Session(phase: .closed)
    closedCount += 1
  }

  private mutating func read(_ index: Int) throws(BenchError) {
    buffer.removeAll()
    switch System.receive(sessions[index].fd, into: &buffer, atMost: 4096) {
    case .wouldBlock: return
    case .end, .failed:
      close(index)
      return
    case .moved:
      let bytes = buffer.bytes.array
      sessions[index].received += bytes
    }
    while let reply = HTTPReply(sessions[index].received) {
      sessions[index].received.removeFirst(reply.length)
      // An idle session shall not keep the memory of its answers here either.
      if sessions[index].received.isEmpty { sessions[index].received = [] }
      try take(index, reply)
    }
  }

  /// Goes on with what an answer allows.
  private mutating func take(_ index: Int, _ reply: HTTPReply) throws(BenchError) {
    func unexpected() -> BenchError {
      .server("session \(index) got what it did not expect: \(reply.status) \(reply.body.prefix(200))")
    }
    guard reply.status == 200 else { throw unexpected() }
    switch sessions[index].phase {
    case .opening:
      guard reply.body.hasPrefix(#"0{"sid":""#), let id = reply.text(of: "sid") else { throw unexpected() }
      sessions[index].id = id
      sessions[index].phase = .joining
      ask(index, #"40{"token":"\#(access.token(index) ?? "")"}"#)
    case .joining, .ponging:
      guard reply.body == "ok" else { throw unexpected() }
      sessions[index].phase = sessions[index].phase == .joining ? .greeting : .holding
      ask(index, nil)
    case .greeting:
      for packet in reply.body.split(separator: Self.separator) {
        if packet.hasPrefix(#"40{"sid":""#) {
          sessions[index].hasNamespace = true
        } else if sessions[index].hasNamespace && packet.hasPrefix(#"42["connected",{"#) {
          sessions[index].hasWelcome = true
        } else {
          throw unexpected()
        }
      }
      if sessions[index].hasWelcome {
        sessions[index].phase = .holding
        openCount += 1
      }
      ask(index, nil)
    case .holding:
      if reply.body != "2" { throw unexpected() }
      sessions[index].phase = .ponging
      ask(index, "3")
    case .unused, .connecting, .closed: throw unexpected()
    }
  }
}
