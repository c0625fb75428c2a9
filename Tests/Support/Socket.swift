// One stream socket with time-outs, owned by whoever opened it and used by one thread at a time. The only file here with system calls.

import Foundation
import Glibc

/// A system call that failed, or one that did not finish in time (`number` 0).
public struct SocketError: Error, CustomStringConvertible {
  public let call: String
  /// The value of `errno`.
  public let number: Int32

  public var description: String { number == 0 ? "\(call): timed out" : "\(call): errno \(number)" }
}

/// What came out of a read.
public enum Received: Equatable {
  case bytes([UInt8])
  /// The peer has shut its sending side.
  case end
  /// The peer has reset the connection.
  case reset
  case timedOut
}

/// A connected TCP or Unix-domain socket. Closed on `deinit`.
public final class Socket {
  /// How long any one call may wait: far longer than a correct gateway ever takes, on a busy machine under a sanitizer too.
  public static let patienceMilliseconds = 20_000
  /// Bytes of one read.
  public static let receiveBytes = 262_144

  private var fd: Int32

  /// Connects to `host` (an IPv4 address). `receiveBufferBytes` limits what the kernel takes in for a socket that is not read.
  public init(host: String = "127.0.0.1", port: UInt16, receiveBufferBytes: Int32? = nil) throws {
    fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard fd >= 0 else { throw SocketError(call: "socket", number: errno) }
    // Before connecting, or the window that was announced is already larger.
    if let receiveBufferBytes { set(SOL_SOCKET, SO_RCVBUF, receiveBufferBytes) }
    set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    // SAFETY: the destination is an in_addr, as AF_INET asks for.
    guard unsafe inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
      throw SocketError(call: "inet_pton", number: EINVAL)
    }
    try unsafe connect(&address, socklen_t(MemoryLayout<sockaddr_in>.size))
  }

  /// Connects to a Unix-domain socket.
  public init(unixPath: String) throws {
    fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard fd >= 0 else { throw SocketError(call: "socket", number: errno) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = [UInt8](unixPath.utf8)
    // SAFETY: the copy ends before the last byte of sun_path, which stays zero.
    try unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
      guard path.count < target.count else { throw SocketError(call: "sun_path", number: ENAMETOOLONG) }
      unsafe target.copyBytes(from: path)
    }
    try unsafe connect(&address, socklen_t(MemoryLayout<sockaddr_un>.size))
  }

  deinit { close() }

  // SAFETY of callers: `address` points to a socket address of `length` bytes.
  private func connect(_ address: UnsafeRawPointer, _ length: socklen_t) throws {
    // SAFETY: a socket address of any family may be passed as the generic one.
    let result = unsafe Glibc.connect(fd, address.assumingMemoryBound(to: sockaddr.self), length)
    if result == 0 { return }
    guard errno == EINPROGRESS else { throw SocketError(call: "connect", number: errno) }
    guard wait(Int16(POLLOUT), Self.patienceMilliseconds) else { throw SocketError(call: "connect", number: 0) }
    var failure: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    // SAFETY: the option is an Int32, as long as `size` says.
    _ = unsafe getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size)
    if failure != 0 { throw SocketError(call: "connect", number: failure) }
  }

  /// Waits for readiness; false when the time is over first.
  private func wait(_ events: Int16, _ milliseconds: Int) -> Bool {
    let deadline = Deadline(milliseconds: milliseconds)
    while true {
      var entry = pollfd(fd: fd, events: events, revents: 0)
      // SAFETY: one entry, as the count says.
      let count = unsafe poll(&entry, 1, Int32(deadline.remainingMilliseconds))
      if count > 0 { return true }
      if count == 0 || errno != EINTR { return false }
    }
  }

  /// Sends everything.
  public func send(_ bytes: [UInt8], patienceMilliseconds: Int = Socket.patienceMilliseconds) throws {
    var offset = 0
    while offset < bytes.count {
      offset += try sendSome(bytes, from: offset)
      if offset == bytes.count { return }
      guard wait(Int16(POLLOUT), patienceMilliseconds) else { throw SocketError(call: "send", number: 0) }
    }
  }

  /// Sends what fits without waiting, and says how much that was.
  public func sendSome(_ bytes: [UInt8], from offset: Int) throws -> Int {
    // SAFETY: the array outlives the call, and the kernel only reads it.
    let count = unsafe bytes[offset...].withUnsafeBytes { source in
      unsafe Glibc.send(fd, source.baseAddress, source.count, Int32(MSG_NOSIGNAL))
    }
    if count >= 0 { return count }
    guard errno == EAGAIN || errno == EINTR else { throw SocketError(call: "send", number: errno) }
    return 0
  }

  /// Reads what is there, waiting for the first byte.
  public func receive(
    patienceMilliseconds: Int = Socket.patienceMilliseconds, atMost receiveBytes: Int = Socket.receiveBytes
  ) -> Received {
    let deadline = Deadline(milliseconds: patienceMilliseconds)
    while true {
      var failure: Int32 = 0
      // SAFETY: recv writes at most `buffer.count` bytes, and what it wrote is counted as initialised.
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: receiveBytes) { buffer, count in
        let got = unsafe recv(fd, buffer.baseAddress, buffer.count, 0)
        failure = got < 0 ? errno : 0
        count = max(0, got)
      }
      switch failure {
      case 0: return bytes.isEmpty ? .end : .bytes(bytes)
      case EINTR: continue
      case EAGAIN: if !wait(Int16(POLLIN), deadline.remainingMilliseconds) { return .timedOut }
      default: return .reset
      }
    }
  }

  /// Says that no more will be sent.
  public func shutdownWrite() { _ = shutdown(fd, Int32(SHUT_WR)) }

  /// Closes, in the orderly way.
  public func close() {
    if fd >= 0 { _ = Glibc.close(fd) }
    fd = -1
  }

  /// Closes with a reset: what was not sent or read is thrown away.
  public func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    // SAFETY: the option is a `linger`, as long as the size says.
    _ = unsafe setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    close()
  }

  private func set(_ level: Int32, _ name: Int32, _ value: Int32) {
    var value = value
    // SAFETY: the option is an Int32, as long as the size says.
    _ = unsafe setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
  }
}

/// The process that runs the tests.
public enum ThisProcess {
  /// Raises the limit of open files to the hard one, for tests with thousands of clients, and returns it.
  @discardableResult
  public static func raiseFileLimit() -> Int {
    var limit = rlimit()
    // SAFETY: both calls take an rlimit.
    _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: limit.rlim_cur)
  }

  /// Sends a signal to a process that a test started.
  public static func signal(_ process: Int32, _ number: Int32) { _ = kill(process, number) }

  /// Sleeps.
  public static func pause(milliseconds: UInt32) { usleep(milliseconds * 1_000) }

  /// The same to the microsecond, as far as the kernel's timers go.
  public static func pause(microseconds: UInt32) { usleep(microseconds) }

  /// Whether something is to be read from standard input, or it has ended.
  public static var hasInput: Bool {
    var entry = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
    // SAFETY: one entry, as the count says.
    return unsafe poll(&entry, 1, 0) > 0
  }
}

/// A moment up to which something may last.
public struct Deadline {
  private let moment: ContinuousClock.Instant

  public init(milliseconds: Int) { moment = .now + .milliseconds(milliseconds) }

  /// Never negative.
  public var remainingMilliseconds: Int {
    let left = ContinuousClock.now.duration(to: moment)
    return max(0, Int(left / .milliseconds(1)))
  }

  public var isOver: Bool { remainingMilliseconds == 0 }
}

/// Whether `condition` becomes true. Tests wait for facts with this, never for a time.
public func eventually(milliseconds: Int = Socket.patienceMilliseconds, _ condition: () throws -> Bool) rethrows -> Bool
{
  let deadline = Deadline(milliseconds: milliseconds)
  while true {
    if try condition() { return true }
    if deadline.isOver { return false }
    ThisProcess.pause(milliseconds: 20)
  }
}
