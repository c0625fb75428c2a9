// Where a client connects to: numeric addresses, names and Unix-domain paths, as values. Any thread; `resolve` blocks.
import CLinux
import Glibc

/// An address that a stream socket can connect to.
public struct SocketAddress: Sendable {
  let storage: sockaddr_storage
  let length: socklen_t

  init(_ pair: (sockaddr_storage, socklen_t)) { (storage, length) = pair }

  /// A numeric IPv4 or IPv6 address, or `localhost`, and a port; nil when `host` is a name.
  public init?(host: String, port: UInt16) {
    guard let pair = try? System.socketAddress(host: host, port: port) else { return nil }
    self.init(pair)
  }

  /// A Unix-domain path of at most 107 bytes.
  public init(unixPath: String) throws(SystemError) { self.init(try System.unixAddress(unixPath)) }

  /// The addresses of a name, in the system's order of preference. getaddrinfo(3); it may block for as long as the
  /// resolver takes, so never call it on a reactor or on a thread of Swift's concurrency pool. Empty when there is
  /// none.
  public static func resolve(host: String, port: UInt16) -> [SocketAddress] {
    // SAFETY: a structure of zeros is valid, and only `ai_socktype` is set.
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    // SAFETY: both strings are terminated for the call; `list` is freed below and nothing keeps a pointer into it.
    guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
    defer { unsafe freeaddrinfo(list) }
    var found: [SocketAddress] = []
    var next = unsafe list
    while let entry = unsafe next {
      if let address = unsafe SocketAddress(entry.pointee) { found.append(address) }
      unsafe next = entry.pointee.ai_next
    }
    return found
  }

  @safe
  private init?(_ entry: addrinfo) {
    var copy = sockaddr_storage()
    // SAFETY: getaddrinfo gives `ai_addrlen` readable bytes behind `ai_addr`; they are copied if the target holds them.
    guard let source = unsafe entry.ai_addr, unsafe Int(entry.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size else {
      return nil
    }
    unsafe withUnsafeMutableBytes(of: &copy) { target in
      unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: source, count: Int(entry.ai_addrlen)))
    }
    storage = copy
    length = unsafe entry.ai_addrlen
  }
}

extension System {
  /// Starts a non-blocking stream connection; the descriptor becomes writable when it is done.
  public static func connect(to address: SocketAddress) throws(SystemError) -> Int32 {
    let family = Int32(address.storage.ss_family)
    let fd = socket(family, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard fd >= 0 else { throw SystemError(call: "socket", number: clinux_errno()) }
    if family != AF_UNIX { setOption(fd, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, value: 1) }
    var copy = address.storage
    // SAFETY: `length` is the size of the family stored in `copy`.
    if unsafe clinux_connect(fd, &copy, address.length) != 0 {
      let failure = clinux_errno()
      guard failure == EINPROGRESS else {
        close(fd)
        throw SystemError(call: "connect", number: failure)
      }
    }
    return fd
  }
}
