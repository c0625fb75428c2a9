// The system calls as values, over loopback and Unix-domain sockets.
import Buffers
import CLinux
import Foundation
import Glibc
import Testing

@testable import EventLoop

@Suite("System: TCP")
struct SystemTCPTests {
  @Test("bytes go both ways, and an empty socket would block")
  func transfer() throws {
    let pair = try Connected()
    let nothing = send(pair.client.fd, [1, 2, 3])
    #expect(nothing == .moved(3))
    #expect(receive(pair.server.fd, 3) == [1, 2, 3])
    var buffer = ByteBuffer(capacity: 10)
    let empty = System.receive(pair.server.fd, into: &buffer, atMost: 10)
    let count = buffer.count
    #expect(empty == .wouldBlock && count == 0)
    #expect(send(pair.server.fd, [9]) == .moved(1))
    #expect(receive(pair.client.fd, 1) == [9])
    #expect(System.connectionError(pair.client.fd) == 0)
  }

  @Test("receiving takes no more than the limit and appends behind what is there")
  func limits() throws {
    let pair = try Connected()
    #expect(send(pair.client.fd, Array(0..<10)) == .moved(10))
    _ = waitReadable(pair.server.fd)
    var buffer = ByteBuffer(capacity: 8)
    buffer.append(UInt8(99))
    let first = System.receive(pair.server.fd, into: &buffer, atMost: 4)
    let second = System.receive(pair.server.fd, into: &buffer, atMost: 100)
    let bytes = buffer.bytes
    let found = bytes.indices.map { bytes[$0] }
    #expect(first == .moved(4) && second == .moved(3) && found == [99, 0, 1, 2, 3, 4, 5, 6])
  }

  @Test("a connection shows the address it came from")
  func peers() throws {
    let pair = try Connected(source: "127.0.0.2")
    #expect(pair.peer.description == "127.0.0.2")
    #expect(pair.peer.port == System.boundPort(pair.client.fd) && pair.peer.port != 0)
    #expect(!pair.peer.isLocal)
  }

  @Test("after the peer's last byte comes the end, while the other direction goes on")
  func shutdown() throws {
    let pair = try Connected()
    #expect(send(pair.client.fd, [5]) == .moved(1))
    System.shutdownWrite(pair.client.fd)
    #expect(receive(pair.server.fd, 1) == [5])
    #expect(receiveOutcome(pair.server.fd) == .end)
    #expect(send(pair.server.fd, [6, 7]) == .moved(2))
    #expect(receive(pair.client.fd, 2) == [6, 7])
  }

  @Test("a reset is an error for the peer, in receiving and in sending, and no signal")
  func reset() throws {
    let listener = Socket(try System.listen(host: "127.0.0.1", port: 0, backlog: 8))
    let client = try System.connect(host: "127.0.0.1", port: System.boundPort(listener.fd), source: nil)
    let server = try acceptOne(listener.fd)
    System.reset(client)
    #expect(receiveOutcome(server.fd) == .failed(ECONNRESET))
    #expect(send(server.fd, [1]) == .failed(EPIPE))
  }

  @Test("a full socket would block, and takes the rest once the peer has read")
  func backPressure() throws {
    let pair = try Connected()
    let chunk = [UInt8](repeating: 7, count: 65_536)
    var sent = 0
    while case .moved(let count) = send(pair.server.fd, chunk) { sent += count }
    #expect(send(pair.server.fd, chunk) == .wouldBlock)
    #expect(sent > 0)
    let bytes = receive(pair.client.fd, sent)
    #expect(bytes.count == sent && bytes.allSatisfy { $0 == 7 })
    #expect(wait(pair.server.fd, Int32(POLLOUT)))
    #expect(send(pair.server.fd, [1]) == .moved(1))
  }

  @Test("gathered pieces arrive in one piece and in order")
  func gathered() throws {
    let pair = try Connected()
    let pieces = (0..<GatherList.piecesMax).map { [UInt8](repeating: UInt8($0), count: $0 + 1) }
    var list = GatherList()
    for piece in pieces { list.append(piece.span) }
    let total = list.byteCount
    let outcome = System.send(pair.client.fd, gathered: list)
    #expect(outcome == .moved(total))
    #expect(receive(pair.server.fd, total) == pieces.flatMap { $0 })
    withExtendedLifetime(pieces) {}
  }

  @Test("an empty listener would block; a port that nobody listens on refuses")
  func refused() throws {
    let listener = try System.listen(host: "localhost", port: 0, backlog: 8)
    let port = System.boundPort(listener)
    guard case .wouldBlock = System.accept(listener) else {
      Issue.record("nobody connected, and yet something was accepted")
      return
    }
    System.close(listener)
    do {
      let client = Socket(try System.connect(host: "127.0.0.1", port: port, source: nil))
      _ = wait(client.fd, Int32(POLLOUT))
      #expect(System.connectionError(client.fd) == ECONNREFUSED)
    } catch {
      // Loopback may tell at once.
      #expect(error.number == ECONNREFUSED)
    }
  }

  @Test("two listeners share a port, and every connection reaches one of them")
  func reusePort() throws {
    let first = Socket(try System.listen(host: "127.0.0.1", port: 0, backlog: 64))
    let port = System.boundPort(first.fd)
    let second = Socket(try System.listen(host: "127.0.0.1", port: port, backlog: 64))
    #expect(System.boundPort(second.fd) == port)
    var clients: [Int32] = []
    for _ in 0..<40 {
      let client = try System.connect(host: "127.0.0.1", port: port, source: nil)
      clients.append(client)
      #expect(wait(client, Int32(POLLOUT)))
      #expect(System.connectionError(client) == 0)
    }
    var accepted = 0
    for listener in [first.fd, second.fd] {
      while case .accepted(let fd, _) = System.accept(listener) {
        accepted += 1
        System.close(fd)
      }
    }
    #expect(accepted == 40)
    for client in clients { System.close(client) }
  }

  @Test("accepted sockets do not block, do not leak into children and do not delay small writes")
  func acceptedFlags() throws {
    let pair = try Connected()
    for fd in [pair.client.fd, pair.server.fd] {
      #expect(fcntl(fd, F_GETFL) & O_NONBLOCK != 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC != 0)
      var value: Int32 = 0
      var length = socklen_t(MemoryLayout<Int32>.size)
      // SAFETY: `value` is as long as `length` says.
      #expect(unsafe getsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &value, &length) == 0 && value != 0)
    }
  }

  @Test("a host that is no numeric address is an error", arguments: ["", "example.com", "127.0.0", "256.0.0.1", "::g"])
  func badHosts(host: String) {
    #expect(throws: SystemError.self) { try System.listen(host: host, port: 0, backlog: 1) }
    #expect(throws: SystemError.self) { try System.connect(host: host, port: 1, source: nil) }
  }

  @Test("IPv6 works where the machine has it")
  func ipv6() throws {
    let listener: Socket
    do {
      listener = Socket(try System.listen(host: "::1", port: 0, backlog: 8))
    } catch {
      #expect([EADDRNOTAVAIL, EAFNOSUPPORT].contains(error.number))
      return
    }
    let client = Socket(try System.connect(host: "::1", port: System.boundPort(listener.fd), source: nil))
    let server = try acceptOne(listener.fd)
    let peer = server.peer
    #expect(peer.description == "[0:0:0:0:0:0:0:1]" && peer.port == System.boundPort(client.fd))
    #expect(send(server.fd, [1]) == .moved(1))
    #expect(receive(client.fd, 1) == [1])
  }

  @Test(
    "addresses in text",
    arguments: [
      (0, 0, "unix"), (0, 0xFFFF_7F00_0001, "127.0.0.1"), (0, 0xFFFF_FFFF_FFFF, "255.255.255.255"),
      (0, 0xFFFF_0000_0000, "0.0.0.0"), (0, 1, "[0:0:0:0:0:0:0:1]"),
      (0x2001_0DB8_0000_0000, 0xABCD, "[2001:db8:0:0:0:0:0:abcd]"),
      (.max, .max, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]"),
      (0, 0xFFFE_7F00_0001, "[0:0:0:0:0:fffe:7f00:1]"), (1, 0xFFFF_7F00_0001, "[0:0:0:1:0:ffff:7f00:1]"),
    ] as [(UInt64, UInt64, String)])
  func addressText(high: UInt64, low: UInt64, text: String) {
    #expect(PeerAddress(high: high, low: low, port: 80).description == text)
    #expect(MemoryLayout<PeerAddress>.size <= 20)
  }

  @Test("an error tells its call and its meaning")
  func errors() {
    let error = SystemError(call: "bind", number: EADDRINUSE)
    #expect("\(error)" == "bind: Address already in use")
    #expect("\(SystemError(call: "x", number: 99_999))".hasPrefix("x: "))
  }

  @Test("clocks run forward, and the process knows its limits")
  func clocks() {
    let first = System.monotonicNanoseconds()
    let processor = System.threadCPUNanoseconds()
    #expect(System.monotonicNanoseconds() >= first && System.threadCPUNanoseconds() >= processor)
    #expect(System.wallMilliseconds() > 1_700_000_000_000)
    #expect(System.processorCount() >= 1 && System.raiseFileLimit() >= 256)
  }
}

@Suite("System: Unix-domain sockets")
struct SystemUnixTests {
  /// A new folder, removed afterwards.
  final class Folder {
    let path: String
    init() throws {
      path = NSTemporaryDirectory() + "martlet-\(UInt32.random(in: 0...UInt32.max))"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  static func connect(_ path: String) throws -> Socket {
    var (address, length) = try System.unixAddress(path)
    let client = Socket(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
    // SAFETY: `length` is what the path takes.
    guard unsafe clinux_connect(client.fd, &address, length) == 0 else {
      throw SystemError(call: "connect", number: clinux_errno())
    }
    return client
  }

  static func mode(_ path: String) -> Int? {
    (try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber)?.intValue
  }

  /// Listens where somebody has listened. A process that another test is just starting may hold the old listener until
  /// it runs its program.
  private static func listenAgain(_ path: String, mode: UInt32) throws -> Int32 {
    for _ in 0..<200 {
      do { return try System.listen(unixPath: path, mode: mode, backlog: 8) } catch {
        if error.number != EADDRINUSE { throw error }
        usleep(10_000)
      }
    }
    return try System.listen(unixPath: path, mode: mode, backlog: 8)
  }

  @Test("a socket has the mode asked for, and its peers are local")
  func listening() throws {
    let folder = try Folder()
    let path = folder.path + "/s"
    for mode in [0o600, 0o660, 0o666] {
      let listener = Socket(try Self.listenAgain(path, mode: UInt32(mode)))
      #expect(Self.mode(path) == mode)
      let client = try Self.connect(path)
      let server = try acceptOne(listener.fd)
      let peer = server.peer
      #expect(peer.isLocal && peer.description == "unix" && peer.port == 0)
      #expect(send(client.fd, [1, 2]) == .moved(2))
      #expect(receive(server.fd, 2) == [1, 2])
      // The listener is closed here and its file stays: the next round replaces it.
    }
  }

  @Test("a live socket is refused, and stays in service")
  func live() throws {
    let folder = try Folder()
    let path = folder.path + "/s"
    let listener = Socket(try System.listen(unixPath: path, mode: 0o600, backlog: 8))
    let error = #expect(throws: SystemError.self) { try System.listen(unixPath: path, mode: 0o666, backlog: 8) }
    #expect(error?.number == EADDRINUSE)
    #expect(Self.mode(path) == 0o600)
    // The probe of the refused listener waits in the queue before the client.
    let client = try Self.connect(path)
    #expect(send(client.fd, [3]) == .moved(1))
    _ = try acceptOne(listener.fd)
    let server = try acceptOne(listener.fd)
    #expect(receive(server.fd, 1) == [3])
  }

  @Test("what is not a socket is never removed")
  func ordinaryFile() throws {
    let folder = try Folder()
    let path = folder.path + "/s"
    #expect(FileManager.default.createFile(atPath: path, contents: Data("precious".utf8)))
    let link = folder.path + "/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
    for taken in [path, link, folder.path] {
      let error = #expect(throws: SystemError.self) { try System.listen(unixPath: taken, mode: 0o600, backlog: 8) }
      #expect(error?.number == EEXIST)
    }
    #expect(FileManager.default.contents(atPath: path) == Data("precious".utf8))
  }

  @Test("a path of 107 bytes is the longest, an empty one is none")
  func lengths() throws {
    let folder = try Folder()
    let longest = folder.path + "/" + String(repeating: "x", count: 107 - folder.path.utf8.count - 1)
    let listener = Socket(try System.listen(unixPath: longest, mode: 0o600, backlog: 8))
    #expect(FileManager.default.fileExists(atPath: longest))
    _ = try Self.connect(longest)
    _ = try acceptOne(listener.fd)
    for path in [longest + "x", ""] {
      let error = #expect(throws: SystemError.self) { try System.listen(unixPath: path, mode: 0o600, backlog: 8) }
      #expect(error?.number == ENAMETOOLONG)
    }
    System.unlink(path: longest)
    System.unlink(path: longest)
    #expect(!FileManager.default.fileExists(atPath: longest))
  }
}
