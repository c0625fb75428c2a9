// The seam between a shard and the kernel: sockets, readiness, clocks. One conformer for real sockets, one for
// simulation.
import Buffers
import EventLoop

/// What a shard needs from the world. Real sockets are `SocketNetwork`; the simulation has its own, with a network that
/// splits, delays and breaks connections by a seed. The shard is generic over it, so real sockets cost no indirection.
protocol Network: ~Copyable {
  /// As the calls of `System` of the same names.
  func receive(_ fd: Int32, into buffer: inout ByteBuffer, atMost limit: Int) -> Transfer
  func send(_ fd: Int32, _ bytes: Span<UInt8>) -> Transfer
  func send(_ fd: Int32, gathered pieces: borrowing GatherList) -> Transfer
  func accept(_ listener: Int32) -> Acceptance
  func shutdownWrite(_ fd: Int32)
  func close(_ fd: Int32)
  func reset(_ fd: Int32)
  func openReserve() -> Int32

  /// As the calls of `Reactor` of the same names.
  func register(socket fd: Int32, token: SlabToken) -> Bool
  func reregister(socket fd: Int32, token: SlabToken) -> Bool
  func register(listener fd: Int32, number: UInt32, isShared: Bool) -> Bool
  func unregister(_ fd: Int32)
  mutating func wait(timeoutMilliseconds: Int) -> Int
  func event(_ index: Int) -> (token: SlabToken, readiness: Readiness)?

  /// The monotonic clock at the last wake-up, in nanoseconds.
  var wokeNanoseconds: UInt64 { get }
  /// The monotonic clock now, in nanoseconds.
  var nowNanoseconds: UInt64 { get }
  /// The wall clock now, in milliseconds since 1970.
  var wallMilliseconds: Int64 { get }

  /// As the calls of `Doorbell` of the same names, for this reactor's own.
  func arm()
  func disarm()
  /// Wakes another reactor if it sleeps; true when that took a system call.
  func wake(_ reactor: Int) -> Bool
}

/// Real sockets and clocks.
struct SocketNetwork: Network, ~Copyable {
  private var reactor: Reactor
  private let doorbells: [Doorbell]

  init(number: Int, doorbells: [Doorbell]) throws(SystemError) {
    reactor = try Reactor(doorbell: doorbells[number])
    self.doorbells = doorbells
  }

  @inline(__always)
  func receive(_ fd: Int32, into buffer: inout ByteBuffer, atMost limit: Int) -> Transfer {
    System.receive(fd, into: &buffer, atMost: limit)
  }
  @inline(__always)
  func send(_ fd: Int32, _ bytes: Span<UInt8>) -> Transfer { System.send(fd, bytes) }
  @inline(__always)
  func send(_ fd: Int32, gathered pieces: borrowing GatherList) -> Transfer { System.send(fd, gathered: pieces) }
  func accept(_ listener: Int32) -> Acceptance { System.accept(listener) }
  func shutdownWrite(_ fd: Int32) { System.shutdownWrite(fd) }
  func close(_ fd: Int32) { System.close(fd) }
  func reset(_ fd: Int32) { System.reset(fd) }
  func openReserve() -> Int32 { System.openReserve() }

  func register(socket fd: Int32, token: SlabToken) -> Bool { reactor.register(socket: fd, token: token) }
  func reregister(socket fd: Int32, token: SlabToken) -> Bool { reactor.reregister(socket: fd, token: token) }
  func register(listener fd: Int32, number: UInt32, isShared: Bool) -> Bool {
    reactor.register(listener: fd, number: number, isShared: isShared)
  }
  func unregister(_ fd: Int32) { reactor.unregister(fd) }
  mutating func wait(timeoutMilliseconds: Int) -> Int { reactor.wait(timeoutMilliseconds: timeoutMilliseconds) }
  @inline(__always)
  func event(_ index: Int) -> (token: SlabToken, readiness: Readiness)? { reactor.event(index) }

  var wokeNanoseconds: UInt64 { reactor.wokeNanoseconds }
  var nowNanoseconds: UInt64 { System.monotonicNanoseconds() }
  var wallMilliseconds: Int64 { System.wallMilliseconds() }

  func arm() { reactor.doorbell.arm() }
  func disarm() { reactor.doorbell.disarm() }
  func wake(_ reactor: Int) -> Bool { doorbells[reactor].ringIfSleeping() }
}
