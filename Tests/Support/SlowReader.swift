// A TCP client that reads as little as it is told to, down to a byte. Owned by one test, used by one thread at a time.

import Glibc

/// A connection with a small receive buffer, for what a slow subscriber does.
public final class SlowReader {
  private let fd: Int32

  /// Connects to a port of 127.0.0.1 and sends `bytes`.
  public init(port: UInt16, sending bytes: [UInt8], receiveBufferBytes: Int32 = 4_096) throws {
    fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    guard fd >= 0 else { throw SocketError(call: "socket", number: errno) }
    var size = receiveBufferBytes
    // SAFETY: the option is an Int32, as long as the size says.
    _ = unsafe setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    // A gateway that never answers must not hang the test.
    var patience = timeval(tv_sec: Socket.patienceMilliseconds / 1_000, tv_usec: 0)
    // SAFETY: the option is a timeval, as long as the size says.
    _ = unsafe setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    // SAFETY: a socket address of any family may be passed as the generic one, with its own length.
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        unsafe connect(fd, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw SocketError(call: "connect", number: errno) }
    try send(bytes)
  }

  deinit { close(fd) }

  /// Sends everything; for the few bytes that a subscriber has to say.
  public func send(_ bytes: [UInt8]) throws {
    // SAFETY: the array outlives the call, and the kernel only reads it.
    let sent = unsafe bytes.withUnsafeBytes { source in
      unsafe Glibc.send(fd, source.baseAddress, source.count, Int32(MSG_NOSIGNAL))
    }
    guard sent == bytes.count else { throw SocketError(call: "send", number: errno) }
  }

  /// From here on the receive buffer is a large one: the slow reader has woken up.
  public func hurry() {
    var size: Int32 = 4 << 20
    // SAFETY: the option is an Int32, as long as the size says.
    _ = unsafe setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Reads at most `count` bytes; empty at the end of the connection, however it ends, and when nothing comes: at once if
  /// not `waiting`.
  public func read(atMost count: Int, waiting: Bool = true) -> [UInt8] {
    // SAFETY: recv writes at most `buffer.count` bytes, and what it wrote is counted as initialised.
    unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = max(0, unsafe recv(fd, buffer.baseAddress, count, waiting ? 0 : Int32(MSG_DONTWAIT)))
    }
  }

  /// Reads byte by byte until `text` has come; false when it never does.
  public func read(through text: String) -> Bool {
    let wanted = [UInt8](text.utf8)
    var last: [UInt8] = []
    while last != wanted {
      let byte = read(atMost: 1)
      if byte.isEmpty { return false }
      last = (last + byte).suffix(wanted.count)
    }
    return true
  }
}
