// One socket of the I/O thread: opened, read, written and closed there only. Guarded by its owner's lock.
import Buffers
import EventLoop

/// A non-blocking stream socket and what is known of it.
struct ClientSocket {
  private(set) var fd: Int32 = -1
  /// Names this socket among those that its owner has had: an event of an older one is stale.
  private(set) var generation: UInt32 = 0
  private(set) var isConnecting = false
  /// Addresses still to be tried.
  private var addresses: ArraySlice<SocketAddress> = []

  var isOpen: Bool { fd >= 0 }

  /// What a step of connecting came to.
  enum Step: Equatable {
    case underWay
    case connected
    case failed(String)
  }

  /// Starts to connect to the first of `addresses`.
  mutating func open(_ addresses: [SocketAddress], _ reactor: borrowing Reactor, slot: UInt32) -> Step {
    close()
    self.addresses = addresses[...]
    return openNext(reactor, slot, failure: "no address")
  }

  private mutating func openNext(_ reactor: borrowing Reactor, _ slot: UInt32, failure: String) -> Step {
    var failure = failure
    while let address = addresses.popFirst() {
      do throws(SystemError) {
        fd = try System.connect(to: address)
        generation &+= 1
        isConnecting = true
        if reactor.register(socket: fd, token: SlabToken(index: slot, generation: generation)) { return .underWay }
        failure = "epoll_ctl"
      } catch { failure = error.description }
      close()
    }
    return .failed(failure)
  }

  /// An event has come while connecting.
  mutating func proceed(_ reactor: borrowing Reactor, slot: UInt32) -> Step {
    let number = System.connectionError(fd)
    if number == 0 {
      isConnecting = false
      addresses = []
      return .connected
    }
    close()
    return openNext(reactor, slot, failure: SystemError(call: "connect", number: number).description)
  }

  mutating func close() {
    if fd >= 0 { System.close(fd) }
    fd = -1
    isConnecting = false
  }
}

/// Finds the addresses of a place.
enum Resolver {
  /// The addresses, where no name has to be looked up; empty when there can be none.
  static func addresses(of place: ClientURL.Place) -> [SocketAddress]? {
    switch place {
    case .unix(let path): (try? SocketAddress(unixPath: path)).map { [$0] } ?? []
    case .tcp(let host, let port): SocketAddress(host: host, port: port).map { [$0] }
    }
  }

  /// Looks a name up on a thread of its own, because getaddrinfo blocks and has no deadline, and calls `done` there.
  /// False when the system gives no thread.
  static func lookUp(_ place: ClientURL.Place, _ done: @escaping @Sendable ([SocketAddress]) -> Void) -> Bool {
    guard case .tcp(let host, let port) = place,
      let thread = try? ReactorThread(
        name: "martlet-lookup", { done(SocketAddress.resolve(host: host, port: port)) })
    else { return false }
    thread.detach()
    return true
  }
}
