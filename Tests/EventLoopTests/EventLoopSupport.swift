// What the tests of EventLoop share: waiting for a descriptor, and sockets that close themselves.
import Buffers
import CLinux
import Glibc

@testable import EventLoop

/// Longest wait for something that must happen, in milliseconds. Only a broken test waits so long.
let patience: Int32 = 20_000

/// Waits until `fd` is ready for `events`; false when it never was.
func wait(_ fd: Int32, _ events: Int32) -> Bool {
  var entry = pollfd(fd: fd, events: Int16(events), revents: 0)
  // SAFETY: one whole entry, and the count says so.
  return unsafe poll(&entry, 1, patience) == 1
}

func waitReadable(_ fd: Int32) -> Bool { wait(fd, Int32(POLLIN)) }

/// A descriptor that is closed at the end of its life.
struct Socket: ~Copyable {
  let fd: Int32
  init(_ fd: Int32) { self.fd = fd }
  deinit { System.close(fd) }
}

/// The two ends of a TCP connection over loopback.
struct Connected: ~Copyable {
  /// The end that connected.
  let client: Socket
  /// The end that was accepted.
  let server: Socket
  /// The peer as `accept` told it.
  let peer: PeerAddress

  init(source: String? = nil) throws {
    let listener = Socket(try System.listen(host: "127.0.0.1", port: 0, backlog: 8))
    let connecting = Socket(try System.connect(host: "127.0.0.1", port: System.boundPort(listener.fd), source: source))
    let accepted = try acceptOne(listener.fd)
    client = connecting
    peer = accepted.peer
    server = accepted.takeSocket()
  }
}

struct TestFailure: Error, CustomStringConvertible {
  let description: String
}

/// An accepted connection.
struct Accepted: ~Copyable {
  private let socket: Socket
  let peer: PeerAddress

  init(_ socket: consuming Socket, _ peer: PeerAddress) {
    self.socket = socket
    self.peer = peer
  }

  var fd: Int32 { socket.fd }
  consuming func takeSocket() -> Socket { socket }
}

/// Accepts a connection that is on its way.
func acceptOne(_ listener: Int32) throws -> Accepted {
  guard waitReadable(listener) else { throw TestFailure(description: "nobody connected") }
  guard case .accepted(let fd, let peer) = System.accept(listener) else { throw TestFailure(description: "no accept") }
  return Accepted(Socket(fd), peer)
}

/// Receives until `count` bytes are there.
func receive(_ fd: Int32, _ count: Int) -> [UInt8] {
  var buffer = ByteBuffer(capacity: count)
  while buffer.count < count {
    guard waitReadable(fd), case .moved = System.receive(fd, into: &buffer, atMost: count - buffer.count) else { break }
  }
  let bytes = buffer.bytes
  return bytes.indices.map { bytes[$0] }
}

/// What one receive comes to once there is something to know.
func receiveOutcome(_ fd: Int32, atMost limit: Int = 100) -> Transfer {
  _ = waitReadable(fd)
  var buffer = ByteBuffer(capacity: 100)
  return System.receive(fd, into: &buffer, atMost: limit)
}

func send(_ fd: Int32, _ bytes: [UInt8]) -> Transfer { System.send(fd, bytes.span) }
