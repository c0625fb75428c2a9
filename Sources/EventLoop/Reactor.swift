// One epoll instance and its sleep: what a reactor thread waits on. Knows nothing of WebSockets. Its own thread only.
import Buffers
import CLinux
import Glibc

/// What epoll said of one descriptor.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// There may be bytes, or a connection, to take.
  public static let readable = Readiness(rawValue: UInt32(clinux_epollin))
  /// There may be room to send.
  public static let writable = Readiness(rawValue: UInt32(clinux_epollout))
  /// The peer has finished sending.
  public static let readEnd = Readiness(rawValue: UInt32(clinux_epollrdhup))
  /// The connection is broken or fully closed.
  public static let broken = Readiness(rawValue: UInt32(clinux_epollhup | clinux_epollerr))
}

/// An epoll instance with its doorbell. One `wait` is one turn; the caller then walks the events by index, so nothing
/// is called back and nothing is allocated.
@safe
public struct Reactor: ~Copyable {
  /// Events taken in one turn at most.
  public static var eventsMax: Int { 512 }
  /// The token under which the doorbell is registered; its generation is even, so it names no connection.
  static var doorbellToken: UInt64 { UInt64(UInt32.max) }

  let epoll: Int32
  let events: UnsafeMutablePointer<epoll_event>
  /// Rung by other threads when there is something in this reactor's rings.
  public let doorbell: Doorbell
  /// The monotonic clock at the last wake-up, in nanoseconds.
  public private(set) var wokeNanoseconds: UInt64

  public init(doorbell: Doorbell) throws(SystemError) {
    let fd = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard fd >= 0 else { throw SystemError(call: "epoll_create1", number: clinux_errno()) }
    let interest = UInt32(clinux_epollin) | clinux_epollet()
    if clinux_epoll_add(fd, doorbell.fd, interest, Self.doorbellToken) != 0 {
      throw System.closing(fd, "epoll_ctl")
    }
    epoll = fd
    self.doorbell = doorbell
    // SAFETY: freed in `deinit`; epoll_wait initialises what it reports.
    unsafe events = .allocate(capacity: Self.eventsMax)
    wokeNanoseconds = System.monotonicNanoseconds()
  }

  deinit {
    // SAFETY: the allocation of `init`.
    unsafe events.deallocate()
    System.close(epoll)
  }

  /// Registers a socket once and for all: edge-triggered for reading, writing and the peer's end, so that back-pressure
  /// never needs another epoll_ctl.
  public func register(socket fd: Int32, token: SlabToken) -> Bool {
    let interest = UInt32(clinux_epollin | clinux_epollout | clinux_epollrdhup)
    return clinux_epoll_add(epoll, fd, interest | clinux_epollet(), token.rawValue) == 0
  }

  /// Gives a registered socket another token; what it is ready for is announced again.
  public func reregister(socket fd: Int32, token: SlabToken) -> Bool {
    let interest = UInt32(clinux_epollin | clinux_epollout | clinux_epollrdhup)
    return clinux_epoll_modify(epoll, fd, interest | clinux_epollet(), token.rawValue) == 0
  }

  /// Registers a listening socket, level-triggered, so that connections beyond one turn's batch are announced again.
  /// With `isShared`, one of several reactors that have the same socket is woken, not all.
  public func register(listener fd: Int32, number: UInt32, isShared: Bool) -> Bool {
    let interest = UInt32(clinux_epollin) | (isShared ? clinux_epollexclusive() : 0)
    return clinux_epoll_add(epoll, fd, interest, UInt64(number)) == 0
  }

  /// Stops watching a descriptor.
  public func unregister(_ fd: Int32) { _ = clinux_epoll_remove(epoll, fd) }

  /// Waits for events, at most `timeoutMilliseconds`; returns how many there are. Takes the time once, on waking.
  public mutating func wait(timeoutMilliseconds: Int) -> Int {
    let timeout = Int32(clamping: timeoutMilliseconds)
    // SAFETY: `events` has room for `eventsMax`. An interrupted wait is a turn without events.
    let count = unsafe epoll_wait(epoll, events, Int32(Self.eventsMax), timeout)
    wokeNanoseconds = System.monotonicNanoseconds()
    return max(0, Int(count))
  }

  /// The token and readiness of one event of the last `wait`; nil for the doorbell, which is drained.
  @inline(__always)
  public func event(_ index: Int) -> (token: SlabToken, readiness: Readiness)? {
    precondition(index >= 0 && index < Self.eventsMax)
    // SAFETY: the caller stays below the count that `wait` returned.
    let event = unsafe events[index]
    let token = unsafe event.data.u64
    if token == Self.doorbellToken {
      doorbell.drain()
      return nil
    }
    return (SlabToken(rawValue: token), Readiness(rawValue: unsafe event.events))
  }
}
