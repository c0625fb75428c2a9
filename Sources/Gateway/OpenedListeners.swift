// Opens the listening sockets of a gateway: one for each reactor and address, one in all for a Unix-domain path. At
// start-up.
import EventLoop

/// Listening sockets and what is served on them.
struct OpenedListeners {
  /// Connections that the system queues for a listener before they are accepted.
  static let backlog: Int32 = 4096

  let reactorCount: Int
  private(set) var states: [ListenerState] = []
  /// By listener and reactor; -1 where a reactor does not listen.
  private(set) var fds: [[Int32]] = []
  private(set) var addresses: [String] = []
  private(set) var unixSockets: [UnixSocketFile] = []

  init(reactorCount: Int) { self.reactorCount = reactorCount }

  /// Opens a public listener.
  mutating func open(_ listener: ListenerConfiguration) throws {
    let mounts: MountTable
    do {
      mounts = try MountTable.build(listener.mounts)
    } catch {
      throw GatewayError.mounts("\(listener.address)", error)
    }
    var isShared = false
    if case .unix = listener.address { isShared = true }
    let state = ListenerState(
      mounts: mounts, isAdmin: false, isShared: isShared, readsProxyHeader: listener.proxyProtocol)
    switch listener.address {
    case .tcp(let host, let port):
      try openTCP(host, port, state: state, on: reactorCount)
    case .unix(let path, let mode):
      try openUnix(listener.address, path, mode, state: state)
    }
  }

  /// The path is one socket; every reactor waits on a duplicate of its descriptor.
  private mutating func openUnix(
    _ address: ListenerAddress, _ path: String, _ mode: UInt32, state: ListenerState
  ) throws(GatewayError) {
    var own: [Int32] = []
    defer { add(own, state, "\(address)") }
    do throws(SystemError) {
      own.append(try System.listen(unixPath: path, mode: mode, backlog: Self.backlog))
      if let file = UnixSocketFile(path: path) { unixSockets.append(file) }
      while own.count < reactorCount { own.append(try System.duplicate(own[0])) }
    } catch {
      throw .listener(address, isAdmin: false, error)
    }
  }

  /// Opens the admin listener, on reactor 0 alone.
  mutating func openAdmin(_ admin: AdminConfiguration) throws {
    let mounts = try MountTable.build([])
    let state = ListenerState(mounts: mounts, isAdmin: true, isShared: false, readsProxyHeader: false)
    try openTCP(admin.host, admin.port, state: state, on: 1)
  }

  private mutating func openTCP(
    _ host: String, _ port: UInt16, state: ListenerState, on count: Int
  ) throws(GatewayError) {
    var bound = port
    var own: [Int32] = []
    defer {
      add(own, state, (state.isAdmin ? "admin http://" : "ws://") + "\(ListenerAddress.tcp(host: host, port: bound))")
    }
    do throws(SystemError) {
      try System.checkUnused(host: host, port: port)
      for _ in 0..<count {
        let fd = try System.listen(host: host, port: bound, backlog: Self.backlog)
        own.append(fd)
        // Port 0 is chosen by the first reactor's socket; the others join it there.
        if bound == 0 { bound = try System.boundPort(of: fd) }
      }
    } catch {
      throw .listener(.tcp(host: host, port: bound), isAdmin: state.isAdmin, error)
    }
  }

  /// Remembers a listener, whole or not: then `closeAll` follows.
  private mutating func add(_ own: [Int32], _ state: ListenerState, _ address: String) {
    fds.append(own + [Int32](repeating: -1, count: reactorCount - own.count))
    states.append(state)
    addresses.append(address)
  }

  /// Closes everything again when the start failed half-way.
  func closeAll() {
    for file in unixSockets { file.remove() }
    for fd in fds.joined() where fd >= 0 { System.close(fd) }
  }
}
