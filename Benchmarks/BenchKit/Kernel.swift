// What the load generator asks of Linux beyond EventLoop's calls: its own epoll loop, /proc, signals. One thread.
import Buffers
import CLinux
import EventLoop
import Glibc

/// An epoll instance and the events of its last wait. Owned by one pool; level-triggered, so nothing is lost between waits.
///
/// Safe although `epoll_event` has a pointer in its union: only the union's integer is ever stored and read.
@safe
struct Poller: ~Copyable {
  /// Events taken per wait; a thousand subscribers that wake together fit.
  static let eventsMax = 1024

  private let fd: Int32
  // SAFETY: all-zero events are valid values.
  private var events = unsafe [epoll_event](repeating: epoll_event(), count: Poller.eventsMax)

  init() throws(BenchError) {
    fd = epoll_create1(Int32(EPOLL_CLOEXEC))
    if fd < 0 { throw .system("epoll_create1", clinux_errno()) }
  }

  deinit { System.close(fd) }

  func add(_ socket: Int32, token: UInt64, writing: Bool) {
    _ = clinux_epoll_add(fd, socket, Poller.interest(writing), token)
  }

  func modify(_ socket: Int32, token: UInt64, writing: Bool) {
    _ = clinux_epoll_modify(fd, socket, Poller.interest(writing), token)
  }

  private static func interest(_ writing: Bool) -> UInt32 {
    UInt32(clinux_epollin) | (writing ? UInt32(clinux_epollout) : 0)
  }

  /// Waits until something is ready or `deadline` (monotonic nanoseconds) has come; returns the number of events.
  mutating func wait(until deadline: UInt64) -> Int {
    let now = System.monotonicNanoseconds()
    let rest = deadline > now ? deadline - now : 0
    var time = timespec(tv_sec: Int(rest / 1_000_000_000), tv_nsec: Int(rest % 1_000_000_000))
    let epoll = fd
    // SAFETY: the kernel writes at most `count` events into the array; `time` is read during the call only.
    let count = unsafe events.withUnsafeMutableBufferPointer { room in
      unsafe epoll_pwait2(epoll, room.baseAddress, Int32(room.count), &time, nil)
    }
    return max(0, Int(count))
  }

  /// The token of event number `index` of the last wait.
  // SAFETY: tokens are only ever stored as u64 (clinux_epoll_add), so that is the union's live member.
  func token(_ index: Int) -> UInt64 { unsafe events[index].data.u64 }

  /// Whether event number `index` says that the socket takes bytes again.
  // SAFETY: `events` of an event is a plain integer.
  func isWritable(_ index: Int) -> Bool { unsafe events[index].events & UInt32(clinux_epollout) != 0 }

  /// Whether event number `index` says anything else: bytes, the end, an error.
  // SAFETY: as `isWritable`.
  func isReadable(_ index: Int) -> Bool { unsafe events[index].events & ~UInt32(clinux_epollout) != 0 }
}

/// The few other calls. Cold paths: they may use String.
enum Kernel {
  /// A file in /proc is read up to this many bytes; the longest, `smaps_rollup`, has under 1 KiB.
  static let procFileMax = 16384
  /// A list of tokens may be this long.
  static let tokenFileMax = 64 << 20

  /// The text of a file, up to `limit` bytes; nil when it cannot be read.
  static func text(of path: String, limit: Int = procFileMax) -> String? {
    // SAFETY: `path` is a terminated string for the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    if file < 0 { return nil }
    defer { System.close(file) }
    var buffer = ByteBuffer()
    while buffer.count < limit {
      buffer.reserve(4096)
      // SAFETY: `fill` hands out memory it owns and checks the count that comes back.
      let count = unsafe buffer.fill(atMost: 4096) { room in unsafe read(file, room.baseAddress, room.count) }
      if count < 0 { return nil }
      if count == 0 { break }
    }
    return buffer.bytes.string
  }

  /// The names in a directory that are numbers: thread ids.
  static func numbers(in path: String) -> [Int] {
    // SAFETY: the stream is open until `closedir`; `readdir` returns an entry that is valid until the next call.
    guard let directory = unsafe opendir(path) else { return [] }
    defer { unsafe _ = closedir(directory) }
    var found: [Int] = []
    while let entry = unsafe readdir(directory) {
      var name = 0
      var isNumber = unsafe entry.pointee.d_name.0 != 0
      // SAFETY: `d_name` is a terminated string inside the entry.
      unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        for index in 0..<bytes.count {
          let byte = unsafe bytes[index]
          if byte == 0 { break }
          isNumber = isNumber && byte >= 0x30 && byte <= 0x39 && name < 1 << 40
          if isNumber { name = name * 10 + Int(byte - 0x30) }
        }
      }
      if isNumber { found.append(name) }
    }
    return found
  }

  /// Starts a connection to a target.
  static func connect(_ target: Target, source: String?) throws(BenchError) -> Int32 {
    switch target.address {
    case .unix(let path): return try connect(unixPath: path)
    case .tcp(let host, let port):
      do { return try System.connect(host: host, port: port, source: source) } catch {
        throw .system(error.call, error.number)
      }
    }
  }

  /// Starts a connection to a Unix-domain listener. Such a connect is immediate, or EAGAIN when the backlog is full.
  static func connect(unixPath path: String) throws(BenchError) -> Int32 {
    let bytes = Array(path.utf8)
    guard bytes.count > 0 && bytes.count < 108 else { throw .system("connect", ENAMETOOLONG) }
    var storage = sockaddr_storage()
    storage.ss_family = sa_family_t(AF_UNIX)
    // SAFETY: two bytes of family and under 108 of path are within the 128 of sockaddr_storage.
    unsafe withUnsafeMutableBytes(of: &storage) { raw in
      for index in 0..<bytes.count { unsafe raw[2 + index] = bytes[index] }
    }
    let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    if fd < 0 { throw .system("socket", clinux_errno()) }
    // SAFETY: the length covers the family and the terminated path.
    if unsafe clinux_connect(fd, &storage, socklen_t(2 + bytes.count + 1)) != 0 {
      let failure = clinux_errno()
      System.close(fd)
      throw .system("connect", failure)
    }
    return fd
  }

  /// Whether SIGINT or SIGTERM, blocked at the start, has arrived.
  static func interrupted() -> Bool {
    var pending = sigset_t()
    // SAFETY: sigpending writes the whole set before it is read.
    return unsafe sigpending(&pending) == 0
      && (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1)
  }

  /// Whether a person watches standard error.
  static let watched = isatty(2) == 1

  /// Writes a whole text to standard output (1) or standard error (2).
  static func write(_ text: String, to file: Int32 = 1) {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      // SAFETY: the array's bytes are alive during the call.
      let count = unsafe bytes.withUnsafeBytes { all in
        unsafe Glibc.write(file, all.baseAddress! + sent, all.count - sent)
      }
      if count <= 0 { return }
      sent += count
    }
  }
}

/// Why a run cannot go on.
public enum BenchError: Error, CustomStringConvertible {
  /// The command line is wrong: exit status 2.
  case usage(String)
  /// A call failed; its name and `errno`.
  case system(StaticString, Int32)
  /// The server did not do what the workload needs.
  case server(String)

  public var description: String {
    switch self {
    case .usage(let text), .server(let text): text
    case .system(let call, let number): SystemError(call: call, number: number).description
    }
  }
}
