// The one file that speaks to the kernel: every call retries EINTR, reads `errno` at once and returns a value. Any
// thread.
import Buffers
import CLinux
import Glibc

/// An error number from the system, with the call that gave it.
public struct SystemError: Error, Sendable, CustomStringConvertible {
  /// The C name of the call.
  public let call: StaticString
  /// `errno` as the call left it.
  public let number: Int32

  public init(call: StaticString, number: Int32) {
    self.call = call
    self.number = number
  }

  public var description: String { "\(call): \(reason)" }

  /// What the system says of the number: `Address already in use`.
  public var reason: String {
    var text = [CChar](repeating: 0, count: 128)
    // SAFETY: the POSIX form writes a terminated string of at most `text.count` bytes.
    guard unsafe strerror_r(number, &text, text.count) == 0 else { return "error \(number)" }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// What a read or write on a non-blocking socket came to.
public enum Transfer: Sendable, Equatable {
  /// This many bytes moved; never zero.
  case moved(Int)
  /// The kernel's buffer is empty (reading) or full (writing); the next edge will say so.
  case wouldBlock
  /// The peer has finished sending. Only when reading.
  case end
  /// The connection is broken; the error number.
  case failed(Int32)
}

/// What an `accept` came to.
public enum Acceptance: Sendable {
  case accepted(fd: Int32, peer: PeerAddress)
  case wouldBlock
  /// EMFILE, ENFILE, ENOBUFS or ENOMEM: the system is out of something.
  case exhausted
  /// This one connection failed before it was accepted; the next may be fine.
  case aborted
}

/// The address of a peer, kept in 20 bytes: an IPv6 address (IPv4 mapped into it) and a port; zero for Unix-domain
/// peers.
public struct PeerAddress: Sendable, Equatable, BitwiseCopyable {
  /// The first eight bytes of the IPv6 address, in network order read as a big-endian integer.
  public var high: UInt64
  /// The last eight bytes likewise. An IPv4 address is `::ffff:a.b.c.d`.
  public var low: UInt64
  /// The peer's port in host order; 0 for a Unix-domain socket.
  public var port: UInt16

  @inlinable
  public init(high: UInt64 = 0, low: UInt64 = 0, port: UInt16 = 0) {
    self.high = high
    self.low = low
    self.port = port
  }

  /// Whether this is no internet address at all (a Unix-domain peer).
  public var isLocal: Bool { high == 0 && low == 0 }

  /// The usual text form; IPv4 dotted, IPv6 in groups, `unix` for a Unix-domain peer.
  public var description: String {
    if isLocal { return "unix" }
    if high == 0 && low >> 32 == 0xFFFF {
      return "\(low >> 24 & 255).\(low >> 16 & 255).\(low >> 8 & 255).\(low & 255)"
    }
    let groups = (0..<8).map { index in
      let word = index < 4 ? high : low
      return String(word >> UInt64((3 - index % 4) * 16) & 0xFFFF, radix: 16)
    }
    return "[" + groups.joined(separator: ":") + "]"
  }
}

/// System calls as values. Descriptors are plain integers here; whoever calls owns them.
public enum System {
  // MARK: Sockets

  /// Receives at most `limit` bytes behind what `buffer` holds. recv(2).
  @inline(__always)
  public static func receive(_ fd: Int32, into buffer: inout ByteBuffer, atMost limit: Int) -> Transfer {
    var failure: Int32 = 0
    // SAFETY: `fill` hands out memory it owns and checks the count that comes back.
    let count = unsafe buffer.fill(atMost: limit) { room in
      while true {
        let got = unsafe recv(fd, room.baseAddress, room.count, 0)
        if got >= 0 { return got }
        failure = clinux_errno()
        if failure != EINTR { return -1 }
      }
    }
    if count > 0 { return .moved(count) }
    if count == 0 { return .end }
    return failure == EAGAIN || failure == EWOULDBLOCK ? .wouldBlock : .failed(failure)
  }

  /// Sends a prefix of `bytes`. send(2) without SIGPIPE.
  @inline(__always)
  public static func send(_ fd: Int32, _ bytes: Span<UInt8>) -> Transfer {
    // SAFETY: the span outlives the call, and the kernel only reads it.
    unsafe bytes.withUnsafeBufferPointer { source in
      while true {
        let sent = unsafe Glibc.send(fd, source.baseAddress, source.count, Int32(MSG_NOSIGNAL))
        if sent >= 0 { return .moved(sent) }
        let failure = clinux_errno()
        if failure == EINTR { continue }
        return failure == EAGAIN || failure == EWOULDBLOCK ? .wouldBlock : .failed(failure)
      }
    }
  }

  /// Sends a prefix of the gathered pieces. sendmsg(2) without SIGPIPE.
  @inline(__always)
  public static func send(_ fd: Int32, gathered pieces: borrowing GatherList) -> Transfer {
    // SAFETY: the list's pieces are alive while it is borrowed, and the kernel only reads them.
    unsafe pieces.withVectors { vectors, count in
      var message = unsafe msghdr()
      unsafe message.msg_iov = UnsafeMutableRawPointer(vectors).assumingMemoryBound(to: iovec.self)
      unsafe message.msg_iovlen = count
      while true {
        let sent = unsafe sendmsg(fd, &message, Int32(MSG_NOSIGNAL))
        if sent >= 0 { return .moved(sent) }
        let failure = clinux_errno()
        if failure == EINTR { continue }
        return failure == EAGAIN || failure == EWOULDBLOCK ? .wouldBlock : .failed(failure)
      }
    }
  }

  /// Accepts one connection, non-blocking and close-on-exec. accept4(2).
  public static func accept(_ listener: Int32) -> Acceptance {
    var storage = sockaddr_storage()
    while true {
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      // SAFETY: `storage` is as long as `length` says.
      let fd = unsafe clinux_accept(listener, &storage, &length)
      if fd >= 0 { return .accepted(fd: fd, peer: peerAddress(storage)) }
      let failure = clinux_errno()
      switch failure {
      case EINTR: continue
      case EAGAIN: return .wouldBlock
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted
      default: return .aborted
      }
    }
  }

  /// Ends the sending side: the peer reads to the end of what was sent and then sees the end. shutdown(2).
  public static func shutdownWrite(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_WR)) }

  /// Closes a descriptor. Never retried: Linux frees the number even when the call is interrupted.
  public static func close(_ fd: Int32) { _ = Glibc.close(fd) }

  /// Closes with a reset instead of the orderly end, so that no unread data or lingering state stays behind.
  public static func reset(_ fd: Int32) {
    var linger = linger(l_onoff: 1, l_linger: 0)
    // SAFETY: the option's value is a whole `linger`.
    unsafe _ = setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    close(fd)
  }

  /// Sets an integer socket option; false when the system refuses.
  @discardableResult
  public static func setOption(_ fd: Int32, level: Int32, name: Int32, value: Int32) -> Bool {
    var value = value
    // SAFETY: the option's value is a whole Int32.
    return unsafe setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
  }

  /// The port a socket is bound to, in host order; 0 when it has none.
  public static func boundPort(_ fd: Int32) -> UInt16 {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    // SAFETY: `storage` is as long as `length` says.
    guard unsafe clinux_getsockname(fd, &storage, &length) == 0 else { return 0 }
    return peerAddress(storage).port
  }

  /// The port that the system chose for a socket, in host order.
  public static func boundPort(of fd: Int32) throws(SystemError) -> UInt16 {
    let port = boundPort(fd)
    if port == 0 { throw SystemError(call: "getsockname", number: clinux_errno()) }
    return port
  }

  static func peerAddress(_ storage: sockaddr_storage) -> PeerAddress {
    let family = Int32(storage.ss_family)
    // SAFETY: sockaddr_storage is large and aligned enough for every address family.
    return unsafe withUnsafeBytes(of: storage) { raw in
      switch family {
      case AF_INET:
        let address = unsafe raw.loadUnaligned(as: sockaddr_in.self)
        return PeerAddress(
          high: 0, low: 0xFFFF_0000_0000 | UInt64(UInt32(bigEndian: address.sin_addr.s_addr)),
          port: UInt16(bigEndian: address.sin_port))
      case AF_INET6:
        let high = unsafe raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        let low = unsafe raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        let port = unsafe raw.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
        return PeerAddress(
          high: UInt64(bigEndian: high), low: UInt64(bigEndian: low), port: UInt16(bigEndian: port))
      default:
        return PeerAddress()
      }
    }
  }

  // MARK: Listening and connecting

  /// Bytes that the kernel takes for a socket ahead of what the peer's window and the network let it send. What a slow
  /// peer is owed then waits in shared chunks, once for all, and not in megabytes of each socket's buffer; and when it
  /// reads again, a single send does not move all of them. In flight may be any amount.
  private static let unsentBytesMax: Int32 = 131_072

  /// A listening TCP socket, non-blocking, with SO_REUSEPORT so that every reactor can have its own, with TCP_NODELAY
  /// and `unsentBytesMax`, which accepted sockets inherit. `host` is a numeric IPv4 or IPv6 address or `localhost`;
  /// port 0 takes a free one.
  public static func listen(host: String, port: UInt16, backlog: Int32) throws(SystemError) -> Int32 {
    let (address, length) = try socketAddress(host: host, port: port)
    let fd = socket(Int32(address.ss_family), Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard fd >= 0 else { throw SystemError(call: "socket", number: clinux_errno()) }
    setOption(fd, level: SOL_SOCKET, name: SO_REUSEADDR, value: 1)
    guard setOption(fd, level: SOL_SOCKET, name: SO_REUSEPORT, value: 1) else { throw closing(fd, "setsockopt") }
    setOption(fd, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, value: 1)
    setOption(fd, level: Int32(IPPROTO_TCP), name: TCP_NOTSENT_LOWAT, value: unsentBytesMax)
    if Int32(address.ss_family) == AF_INET6 {
      let isRestricted: Int32 = host == "::" ? 0 : 1
      guard setOption(fd, level: Int32(IPPROTO_IPV6), name: IPV6_V6ONLY, value: isRestricted) else {
        throw closing(fd, "setsockopt")
      }
    }
    var copy = address
    // SAFETY: `length` is the size of the address family stored in `copy`.
    guard unsafe clinux_bind(fd, &copy, length) == 0 else { throw closing(fd, "bind") }
    guard Glibc.listen(fd, backlog) == 0 else { throw closing(fd, "listen") }
    return fd
  }

  /// Fails with EADDRINUSE where another process listens on the address. SO_REUSEPORT alone would let two gateways of
  /// one user share a port without either noticing, and clients would meet one or the other.
  public static func checkUnused(host: String, port: UInt16) throws(SystemError) {
    if port == 0 { return }
    var (address, length) = try socketAddress(host: host, port: port)
    let fd = socket(Int32(address.ss_family), Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    guard fd >= 0 else { throw SystemError(call: "socket", number: clinux_errno()) }
    setOption(fd, level: SOL_SOCKET, name: SO_REUSEADDR, value: 1)
    // SAFETY: `length` is the size of the address family stored in `address`.
    guard unsafe clinux_bind(fd, &address, length) == 0 else { throw closing(fd, "bind") }
    close(fd)
  }

  /// A listening Unix-domain socket at `path` with permission bits `mode`. A stale socket that nobody answers is
  /// replaced; a live one, or anything that is not a socket, is an error.
  public static func listen(unixPath path: String, mode: UInt32, backlog: Int32) throws(SystemError) -> Int32 {
    let (address, length) = try unixAddress(path)
    var status = stat()
    // SAFETY: `path` is a terminated string for the call; `status` is written whole.
    if unsafe lstat(path, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFSOCK else { throw SystemError(call: "bind", number: EEXIST) }
      let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
      var copy = address
      // SAFETY: as for bind below.
      let answer = unsafe clinux_connect(probe, &copy, length)
      let failure = clinux_errno()
      close(probe)
      // A full queue of a listener that is there says EAGAIN.
      if answer == 0 || failure == EAGAIN { throw SystemError(call: "bind", number: EADDRINUSE) }
      guard failure == ECONNREFUSED else { throw SystemError(call: "connect", number: failure) }
      let code = unlink(path: path)
      if code != 0 && code != ENOENT { throw SystemError(call: "unlink", number: code) }
    }
    let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard fd >= 0 else { throw SystemError(call: "socket", number: clinux_errno()) }
    var copy = address
    // SAFETY: `length` covers the family and the terminated path.
    guard unsafe clinux_bind(fd, &copy, length) == 0 else { throw closing(fd, "bind") }
    // SAFETY: `path` is a terminated string for the call.
    guard unsafe chmod(path, mode) == 0 else { throw closing(fd, "chmod", andRemoving: path) }
    guard Glibc.listen(fd, backlog) == 0 else { throw closing(fd, "listen", andRemoving: path) }
    return fd
  }

  /// Starts a non-blocking connection from `source` (a numeric address, any port) to `host`:`port`; the descriptor
  /// becomes writable when it is done. IP_BIND_ADDRESS_NO_PORT leaves the port choice to connect(2), so one source
  /// address serves 28 000 connections to each destination.
  public static func connect(host: String, port: UInt16, source: String?) throws(SystemError) -> Int32 {
    let (address, length) = try socketAddress(host: host, port: port)
    let fd = socket(Int32(address.ss_family), Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard fd >= 0 else { throw SystemError(call: "socket", number: clinux_errno()) }
    setOption(fd, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, value: 1)
    if let source {
      setOption(fd, level: Int32(IPPROTO_IP), name: IP_BIND_ADDRESS_NO_PORT, value: 1)
      var (local, localLength) = try socketAddress(host: source, port: 0)
      // SAFETY: `localLength` is the size of the family stored in `local`.
      guard unsafe clinux_bind(fd, &local, localLength) == 0 else { throw closing(fd, "bind") }
    }
    var copy = address
    // SAFETY: `length` is the size of the family stored in `copy`.
    if unsafe clinux_connect(fd, &copy, length) != 0 {
      let failure = clinux_errno()
      guard failure == EINPROGRESS else {
        close(fd)
        throw SystemError(call: "connect", number: failure)
      }
    }
    return fd
  }

  /// The pending error of a socket whose connection was started; 0 when it stands.
  public static func connectionError(_ fd: Int32) -> Int32 {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // SAFETY: `value` is as long as `length` says.
    guard unsafe getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length) == 0 else { return clinux_errno() }
    return value
  }

  static func closing(_ fd: Int32, _ call: StaticString, andRemoving path: String? = nil) -> SystemError {
    let failure = clinux_errno()
    close(fd)
    if let path { unlink(path: path) }
    return SystemError(call: call, number: failure)
  }

  static func socketAddress(host: String, port: UInt16) throws(SystemError) -> (sockaddr_storage, socklen_t) {
    let numeric = host == "localhost" ? "127.0.0.1" : host
    var storage = sockaddr_storage()
    var four = sockaddr_in()
    var six = sockaddr_in6()
    // SAFETY: inet_pton writes one whole in_addr or in6_addr; sockaddr_storage holds either structure.
    if unsafe inet_pton(AF_INET, numeric, &four.sin_addr) == 1 {
      four.sin_family = sa_family_t(AF_INET)
      four.sin_port = port.bigEndian
      unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: four, as: sockaddr_in.self) }
      return (storage, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
    if unsafe inet_pton(AF_INET6, numeric, &six.sin6_addr) == 1 {
      six.sin6_family = sa_family_t(AF_INET6)
      six.sin6_port = port.bigEndian
      unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: six, as: sockaddr_in6.self) }
      return (storage, socklen_t(MemoryLayout<sockaddr_in6>.size))
    }
    throw SystemError(call: "inet_pton", number: EINVAL)
  }

  static func unixAddress(_ path: String) throws(SystemError) -> (sockaddr_storage, socklen_t) {
    let bytes = Array(path.utf8)
    // 108 bytes of sun_path, the last one the terminator.
    guard bytes.count > 0 && bytes.count < 108 else { throw SystemError(call: "bind", number: ENAMETOOLONG) }
    var storage = sockaddr_storage()
    storage.ss_family = sa_family_t(AF_UNIX)
    // SAFETY: two bytes of family and at most 108 of path are within the 128 of sockaddr_storage.
    unsafe withUnsafeMutableBytes(of: &storage) { raw in
      for index in 0..<bytes.count { unsafe raw[2 + index] = bytes[index] }
    }
    return (storage, socklen_t(2 + bytes.count + 1))
  }

  /// Removes a file; the error number, 0 when it is gone.
  @discardableResult
  public static func unlink(path: String) -> Int32 {
    // SAFETY: `path` is a terminated string for the call.
    unsafe Glibc.unlink(path) == 0 ? 0 : clinux_errno()
  }

  // MARK: Clocks

  /// Nanoseconds on the monotonic clock.
  @inline(__always)
  public static func monotonicNanoseconds() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

  /// Milliseconds since 1970 on the wall clock.
  @inline(__always)
  public static func wallMilliseconds() -> Int64 { Int64(nanoseconds(CLOCK_REALTIME) / 1_000_000) }

  /// CPU time that the calling thread has used, in nanoseconds.
  public static func threadCPUNanoseconds() -> UInt64 { nanoseconds(CLOCK_THREAD_CPUTIME_ID) }

  @inline(__always)
  static func nanoseconds(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    // SAFETY: `time` is written whole; these clocks exist on every Linux.
    unsafe _ = clock_gettime(clock, &time)
    return UInt64(bitPattern: Int64(time.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(time.tv_nsec))
  }

  // MARK: Process

  /// Raises the soft limit of open files to the hard one and returns what the process may now open.
  public static func raiseFileLimit() -> Int {
    var limit = rlimit()
    // SAFETY: `limit` is read and written whole.
    guard unsafe clinux_getrlimit_nofile(&limit) == 0 else { return 1024 }
    if limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      unsafe _ = clinux_setrlimit_nofile(&limit)
      unsafe _ = clinux_getrlimit_nofile(&limit)
    }
    return Int(clamping: limit.rlim_cur)
  }

  /// Online processor count, at least 1.
  public static func processorCount() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// A descriptor for nothing, kept in reserve so that one connection can still be accepted and refused when the table
  /// is full.
  // SAFETY: the path is a terminated literal.
  public static func openReserve() -> Int32 { unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) }

  /// Another descriptor of the same socket.
  public static func duplicate(_ fd: Int32) throws(SystemError) -> Int32 {
    let copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)
    if copy < 0 { throw SystemError(call: "fcntl", number: clinux_errno()) }
    return copy
  }

  /// Keeps the calling thread on one core; false where the system refuses.
  public static func pinThread(core: Int) -> Bool { clinux_pin_thread(UInt32(clamping: core)) == 0 }

  /// Sleeps the calling thread. Never on a reactor.
  public static func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

  /// Gives pages that the allocator holds and nobody uses back to the system. Takes a millisecond or so.
  public static func trimHeap() { clinux_trim_heap() }

  /// Lets every block of `bytes` and more be a mapping of its own, which goes back to the system when it is freed, as
  /// does free memory of twice that at the end of a heap. Call it before there are threads.
  public static func mapBlocks(from bytes: Int32) { clinux_map_blocks_from(bytes) }

  /// Ignores SIGPIPE: a broken peer is an error value, not a signal.
  public static func ignoreBrokenPipes() { clinux_ignore_sigpipe() }
}
