// The connections of a workload: opened a few at a time, upgraded, read through one buffer. Owned by one workload on one thread.
import Buffers
import EventLoop
import Glibc

/// One connection.
struct Client {
  enum Phase: UInt8 {
    case unused, connecting, upgrading, open, closed
  }
  var fd: Int32 = -1
  var phase = Phase.unused
  /// Bytes kept in the pool's slab until the next read.
  var kept = 0
  /// Bytes of a long frame still to be passed over.
  var skip = 0
  /// When the connection was started, monotonic nanoseconds.
  var started: UInt64 = 0
  /// What the socket did not take. Empty, and then without memory of its own, except under back-pressure.
  var unsent: [UInt8] = []
}

/// What an event meant for a connection.
enum PoolEvent {
  case nothing
  /// The 101 has come; messages may be sent.
  case opened(Int)
  /// Bytes wait: read them with `receive`.
  case readable(Int)
  /// The upgrade was refused with an HTTP status; 0 when the connection broke before one came.
  case refused(Int, status: Int)
}

/// All connections, their poller and the one receive buffer.
struct ClientPool: ~Copyable {
  /// Connections being opened at one time: below any listen backlog in use.
  static let openingMax = 128
  /// Bytes taken in one read: more than a socket on loopback holds of small frames.
  static let receiveMax = 256 * 1024
  /// Bytes kept per connection between reads: a frame's header and window, or the head of a 101.
  static let keptMax = 1024
  /// Opening all connections may take this long in total: 60 s, in nanoseconds.
  static let openingNanoseconds: UInt64 = 60_000_000_000
  /// How often a wait returns to look for Ctrl-C: 50 ms.
  static let glanceNanoseconds: UInt64 = 50_000_000

  var clients: [Client]
  var buffer = ByteBuffer(capacity: ClientPool.receiveMax + ClientPool.keptMax)
  /// Connections that stood and were closed by the other side or broke.
  private(set) var closedCount = 0
  private(set) var openCount = 0
  private var poller: Poller
  private var slab: [UInt8]
  /// Who the connections are that are opened next.
  var access: Access
  /// Whether Engine.IO's pings are answered.
  var answersEngine = false

  init(count: Int, access: Access) throws(BenchError) {
    let limit = System.raiseFileLimit()
    guard count <= limit - 32 else {
      throw .usage("\(count) connections need more than the \(limit) files that this process may open")
    }
    poller = try Poller()
    clients = [Client](repeating: Client(), count: count)
    slab = [UInt8](repeating: 0, count: count * ClientPool.keptMax)
    self.access = access
  }

  deinit { for client in clients where client.fd >= 0 { System.close(client.fd) } }

  // MARK: Opening

  /// Starts connection `index` to `target`.
  mutating func start(_ index: Int, _ target: Target) throws(BenchError) {
    let fd = try Kernel.connect(target, source: access.source(index, target))
    clients[index] = Client(fd: fd, phase: .connecting, started: System.monotonicNanoseconds())
    clients[index].unsent = access.request(index, target)
    poller.add(fd, token: UInt64(index), writing: true)
  }

  /// Waits for events until `deadline`; 0 when none came.
  mutating func wait(until deadline: UInt64) -> Int { poller.wait(until: deadline) }

  /// Takes event number `event` of the last wait one step further.
  @inline(__always)
  mutating func step(_ event: Int) -> PoolEvent {
    let index = Int(truncatingIfNeeded: poller.token(event))
    switch clients[index].phase {
    case .open:
      if poller.isWritable(event) { flush(index) }
      return poller.isReadable(event) ? .readable(index) : .nothing
    case .connecting, .upgrading: return open(index, isReadable: poller.isReadable(event))
    case .unused, .closed: return .nothing
    }
  }

  private mutating func open(_ index: Int, isReadable: Bool) -> PoolEvent {
    if clients[index].phase == .connecting {
      guard System.connectionError(clients[index].fd) == 0 else { return refuse(index, status: 0) }
      clients[index].phase = .upgrading
    }
    // The request waits in `unsent` until the socket is connected.
    if !clients[index].unsent.isEmpty { flush(index) }
    if !isReadable { return .nothing }
    switch receive(index) {
    case .wouldBlock: return .nothing
    case .end, .failed: return refuse(index, status: 0)
    case .moved: break
    }
    let subprotocol = access.place == .subprotocol ? access.token(index) : nil
    guard let head = UpgradeAnswer(buffer.bytes, subprotocol: subprotocol) else {
      if buffer.count > ClientPool.keptMax { return refuse(index, status: 0) }
      keep(index, from: 0)
      return .nothing
    }
    guard head.isUpgrade, buffer.count - head.length <= ClientPool.keptMax else {
      return refuse(index, status: head.status)
    }
    keep(index, from: head.length)
    clients[index].phase = .open
    openCount += 1
    return .opened(index)
  }

  private mutating func refuse(_ index: Int, status: Int) -> PoolEvent {
    close(index)
    return .refused(index, status: status)
  }

  // MARK: Bytes

  /// Reads into `buffer`, behind what was kept of this connection. A standing connection that ends is closed and counted.
  @inline(__always)
  mutating func receive(_ index: Int) -> Transfer {
    buffer.removeAll()
    let kept = clients[index].kept
    if kept > 0 {
      ClientPool.append(slab, index * ClientPool.keptMax, kept, to: &buffer)
      clients[index].kept = 0
    }
    let result = System.receive(clients[index].fd, into: &buffer, atMost: ClientPool.receiveMax)
    switch result {
    case .moved: break
    case .wouldBlock: keep(index, from: 0)
    case .end, .failed: if clients[index].phase == .open { lose(index) }
    }
    return result
  }

  /// The next frame in `buffer` from `offset`; see `FrameReader.next`.
  @inline(__always)
  mutating func nextFrame(_ index: Int, _ offset: inout Int) -> ServerFrame? {
    var skip = clients[index].skip
    let frame = FrameReader.next(buffer.bytes, offset: &offset, skip: &skip)
    clients[index].skip = skip
    return frame
  }

  /// Keeps the bytes of `buffer` behind `offset` for the next read.
  @inline(__always)
  mutating func keep(_ index: Int, from offset: Int) {
    let count = buffer.count - offset
    if count == 0 { return }
    precondition(count <= ClientPool.keptMax)
    ClientPool.copy(buffer, from: offset, to: &slab, at: index * ClientPool.keptMax)
    clients[index].kept = count
  }

  private static func append(_ slab: [UInt8], _ start: Int, _ count: Int, to buffer: inout ByteBuffer) {
    buffer.append(slab.span.extracting(start..<start + count))
  }

  private static func copy(_ buffer: borrowing ByteBuffer, from offset: Int, to slab: inout [UInt8], at start: Int) {
    let bytes = buffer.bytes
    for position in offset..<bytes.count { slab[start + position - offset] = bytes[position] }
  }

  /// Sends the first `count` bytes, or keeps for later what the socket does not take; false when the connection is broken.
  @discardableResult
  mutating func send(_ index: Int, _ source: borrowing ByteBuffer, count: Int) -> Bool {
    let bytes = source.bytes.extracting(0..<count)
    var sent = 0
    if clients[index].unsent.isEmpty {
      switch System.send(clients[index].fd, bytes) {
      case .moved(let count): sent = count
      case .wouldBlock: break
      case .end, .failed: return false
      }
      if sent == bytes.count { return true }
      poller.modify(clients[index].fd, token: UInt64(index), writing: true)
    }
    for position in sent..<bytes.count { clients[index].unsent.append(bytes[position]) }
    return true
  }

  /// Whether everything sent has left.
  func hasSent(_ index: Int) -> Bool { clients[index].unsent.isEmpty }

  private mutating func flush(_ index: Int) {
    let waiting = clients[index].unsent
    guard case .moved(let count) = System.send(clients[index].fd, waiting.span) else { return }
    if count < clients[index].unsent.count {
      clients[index].unsent.removeFirst(count)
    } else {
      clients[index].unsent = []
      poller.modify(clients[index].fd, token: UInt64(index), writing: false)
    }
  }

  /// Answers a control frame; false when the connection is over.
  mutating func control(_ index: Int, _ frame: ServerFrame) -> Bool {
    switch frame.kind {
    case .ping:
      var pong = ByteBuffer(capacity: 160)
      let payload = frame.payload.map { buffer.bytes[$0] }
      FrameWriter.append(opcode: 10, payload.span, to: &pong)
      return send(index, pong, count: pong.count)
    case .close, .broken:
      lose(index)
      return false
    case .data:
      if isEnginePing(frame) { send(index, text: "3") }
      return true
    case .pong, .rest: return true
    }
  }

  /// Whether a frame, the last one read, is a ping of Engine.IO.
  func isEnginePing(_ frame: ServerFrame) -> Bool {
    answersEngine && frame.length == 1 && frame.isWhole && buffer.bytes[frame.payload.lowerBound] == UInt8(ascii: "2")
  }

  /// Sends a text message. Cold.
  mutating func send(_ index: Int, text: String) {
    var frame = ByteBuffer()
    FrameWriter.append(opcode: 1, Array(text.utf8).span, to: &frame)
    send(index, frame, count: frame.count)
  }

  /// Reads and forgets, answering pings; for connections whose messages do not matter.
  mutating func discardFrames(_ index: Int) {
    guard case .moved = receive(index) else { return }
    var offset = 0
    while let frame = nextFrame(index, &offset) {
      if !control(index, frame) { return }
    }
    keep(index, from: offset)
  }

  private mutating func lose(_ index: Int) {
    closedCount += 1
    openCount -= 1
    close(index)
  }

  private mutating func close(_ index: Int) {
    System.close(clients[index].fd)
    clients[index] = Client(phase: .closed)
  }
}

/// Who the connections are and where they come from.
public struct Access: Sendable {
  /// One per connection, used in turn; empty for none.
  public var tokens: [String] = []
  /// Where they are shown.
  public var place = TokenPlace.query
  /// Whole header lines.
  public var headers: [String] = []
  /// Source addresses 127.0.0.2 and up; 0 leaves the choice to the system.
  public var sources = 0

  public init() {}

  /// Connections from one address stay below the 28 000 ports that it has.
  public static let connectionsPerSource = 20_000

  func source(_ index: Int, _ target: Target) -> String? {
    sources > 0 && target.isLoopback ? "127.0.0.\(2 + index % sources)" : nil
  }

  /// The token of connection `index`.
  func token(_ index: Int) -> String? { tokens.isEmpty ? nil : tokens[index % tokens.count] }

  func request(_ index: Int, _ target: Target) -> [UInt8] {
    guard let token = token(index) else { return target.request(token: nil, headers: headers) }
    switch place {
    case .query: return target.request(token: token, headers: headers)
    case .subprotocol: return target.request(token: nil, headers: headers + ["Sec-WebSocket-Protocol: \(token)"])
    case .bearer: return target.request(token: nil, headers: headers + ["Authorization: Bearer \(token)"])
    case .message: return target.request(token: nil, headers: headers)
    }
  }
}

/// The answer to an upgrade request. Cold.
struct UpgradeAnswer {
  var status: Int
  /// Whether it is a 101 with the right accept value and, where one was offered, the sub-protocol.
  var isUpgrade: Bool
  /// Bytes of the head.
  var length: Int

  /// nil while the head is incomplete; a refusal is taken from its status line at once.
  init?(_ bytes: Span<UInt8>, subprotocol: String? = nil) {
    let text = bytes.string
    guard bytes.count >= 12 else { return nil }
    status = text.hasPrefix("HTTP/1.1 ") ? Int(text.dropFirst(9).prefix(3)) ?? 0 : 0
    length = bytes.count
    isUpgrade = false
    guard status == 101 else { return }
    var end = 0
    while end + 4 <= bytes.count {
      if bytes.extracting(end..<end + 4).equals("\r\n\r\n") { break }
      end += 1
    }
    guard end + 4 <= bytes.count else { return nil }
    length = end + 4
    let head = bytes.extracting(0..<length).string
    let names = head.lowercased()
    isUpgrade = names.contains("sec-websocket-accept:") && head.contains(Target.accept)
    if let subprotocol {
      isUpgrade = isUpgrade && names.contains("sec-websocket-protocol:") && head.contains(subprotocol)
    }
  }
}
