// Puts a gateway together: limits, listeners, reactors, signals; and takes it apart again. The main thread.
import Buffers
import EventLoop

/// Why a gateway could not start.
public enum GatewayError: Error, CustomStringConvertible {
  /// A listener could not be opened.
  case listener(ListenerAddress, isAdmin: Bool, SystemError)
  /// The mounts of a listener are ambiguous.
  case mounts(String, MountError)
  /// A reactor could not be set up; the log says why.
  case reactor
  /// The system gave no thread.
  case thread(SystemError)
  /// The descriptor limit is too low to serve anyone.
  case descriptors(Int)
  /// URLs of the application are configured and `backends.secret`, which signs calls, is not.
  case backendsSecret

  public var description: String {
    switch self {
    case .listener(let address, let isAdmin, let error):
      "cannot listen on \(address)\(isAdmin ? " (admin listener)" : ""): "
        + ListenerAdvice.sentence(address, isAdmin: isAdmin, error)
    case .reactor: "a reactor could not be set up"
    case .thread(let error): "the system gives no more threads (\(error.reason))"
    case .backendsSecret: "backends.secret is not set, but URLs of the application are"
    case .mounts(let address, let error): "\(address): \(error)"
    case .descriptors(let count):
      "only \(count) open files are allowed; at least \(GatewayServer.descriptorsMin) are needed"
    }
  }
}

/// A running gateway.
public final class GatewayServer: Sendable {
  /// Descriptors below which a gateway does not start.
  public static let descriptorsMin = 64

  let shared: SharedState
  private let application: Application
  private let threads: Lock<Threads>
  /// Where it listens, with the ports that the system chose; in the order of the configuration, the admin listener
  /// last.
  public let addresses: [String]
  /// Unix-domain sockets to remove in the end, until they have been.
  private let unixSockets: Lock<[UnixSocketFile]>

  private struct Threads: ~Copyable {
    var first = Pool<ReactorThread>()
    var count: UInt32 = 0
  }

  /// The sessions of the events dialect, where an application makes one for a user who has logged in. Any thread.
  public var eventSessions: SessionStore { shared.eventSessions }

  /// Runs a gateway until SIGTERM or SIGINT; returns the exit status of the process.
  public static func run(_ configuration: Configuration, extensions: Extensions = Extensions()) -> Int32 {
    System.ignoreBrokenPipes()
    System.mapBlocks(from: Limits.mappedBlockBytes)
    // Before any thread starts, so that all of them inherit it and only this one is told.
    System.blockTerminationSignals()
    let logger = Logger(format: configuration.logFormat, level: configuration.logLevel)
    let server: GatewayServer
    do {
      server = try GatewayServer(configuration, logger: logger, extensions: extensions)
    } catch {
      logger.log(.error, "start-failed", [("error", .text(ErrorText.of(error)))])
      logger.flush()
      return 1
    }
    server.announce()
    let signal = System.waitForTerminationSignal { server.reportIgnored(signal: $0) }
    server.stop(signal: signal)
    // A second signal is for someone who does not want to wait. Where there is no thread to be had, it waits too.
    let impatience = try? ReactorThread(name: "signals") {
      server.endAtOnce(signal: System.waitForTerminationSignal { server.reportIgnored(signal: $0) })
    }
    impatience?.detach()
    server.join()
    server.reportStopped()
    return 0
  }

  /// Logs that a signal has no effect.
  public func reportIgnored(signal: Int32) {
    shared.logger.log(.warning, "signal-ignored", [("signal", .integer(Int(signal)))])
  }

  /// Begins to stop because of a signal, and logs it.
  public func stop(signal: Int32) {
    shared.logger.log(
      .info, "stopping", [("signal", .integer(Int(signal))), ("connections", .integer(shared.connections))])
    stop()
  }

  /// Logs that everything has ended, and waits for the log.
  public func reportStopped() {
    shared.logger.log(.info, "stopped", [("connectionsLeft", .integer(shared.connectionsLeft))])
    shared.logger.flush()
  }

  /// Ends the process by a signal that came while it was stopping: clients are not waited for any more.
  public func endAtOnce(signal: Int32) -> Never {
    shared.logger.log(
      .warning, "stopped-at-once",
      [("signal", .integer(Int(signal))), ("connectionsLeft", .integer(shared.connections))])
    shared.logger.flush(timeoutMilliseconds: Limits.lastWordsMilliseconds)
    System.end(bySignal: signal)
  }

  /// Opens the listeners and starts the reactors. When this returns, clients can connect. Each reactor's thread is
  /// called `threadName` and its number, at most 15 bytes in all: a process with several gateways can tell them apart.
  public init(
    _ configuration: Configuration, logger: Logger, extensions: Extensions = Extensions(),
    threadName: String = "reactor"
  ) throws {
    let descriptors = System.raiseFileLimit()
    guard descriptors >= Self.descriptorsMin else { throw GatewayError.descriptors(descriptors) }
    let reactors = configuration.reactorCount > 0 ? configuration.reactorCount : min(64, System.processorCount())
    let connectionsMax = Self.connectionsMax(configuration, descriptors: descriptors)
    application = try Application(configuration, extensions, logger: logger)
    var opened = OpenedListeners(reactorCount: reactors)
    do {
      for listener in configuration.listeners { try opened.open(listener) }
      if let admin = configuration.admin { try opened.openAdmin(admin) }
      var doorbells: [Doorbell] = []
      for _ in 0..<reactors { doorbells.append(try Doorbell()) }
      shared = try SharedState(
        configuration: configuration, logger: logger, listeners: opened.states, doorbells: doorbells,
        connectionsMax: connectionsMax, extensions: application.extensions)
    } catch {
      opened.closeAll()
      throw error
    }
    application.open(shared.outlet())
    addresses = opened.addresses
    unixSockets = Lock(opened.unixSockets)
    threads = Lock(Threads())
    logger.log(
      .info, "starting",
      [
        ("reactors", .integer(reactors)), ("descriptors", .integer(descriptors)),
        ("connectionsMax", .integer(connectionsMax)),
      ])
    let ignored = configuration.ignoredEnvironment
    if !ignored.isEmpty {
      logger.log(.info, "environment-ignored", [("names", .text(ignored.joined(separator: " ")))])
    }
    try start(opened.fds, pinned: configuration.pinsReactors, threadName)
  }

  /// What the descriptor limit allows: a twentieth is kept for listeners, logs and connections that are being refused.
  private static func connectionsMax(_ configuration: Configuration, descriptors: Int) -> Int {
    let allowed = max(1, min(descriptors - descriptors / 20, 1 << 24))
    return min(configuration.connectionsMax ?? allowed, allowed)
  }

  private func start(_ fds: [[Int32]], pinned: Bool, _ threadName: String) throws {
    let count = shared.reactorCount
    var links = ReactorLinks(count: count)
    for number in 0..<count {
      let seed = ShardSeed(links.take(number))
      let shared = self.shared
      let own = fds.map { $0[number] }
      let body: @Sendable () -> Void = {
        // Reactor 0 serves the admin listener until everybody else has left.
        defer { shared.leaveServing() }
        var listenerFds = GrowableArray<Int32>()
        for fd in own { listenerFds.append(fd) }
        do {
          if pinned && !System.pinThread(core: number) {
            shared.logger.log(.warning, "pin-failed", [("reactor", .integer(number)), ("core", .integer(number))])
          }
          let network = try SocketNetwork(number: number, doorbells: shared.doorbells)
          var shard = Shard(
            number: number, shared: shared, network: network, links: seed.take(), listenerFds: listenerFds)
          try shard.serve()
        } catch {
          for fd in own where fd >= 0 { System.close(fd) }
          shared.logger.log(
            .error, "reactor-failed", [("reactor", .integer(number)), ("error", .text(ErrorText.of(error)))])
          // Half a gateway would serve some clients and not others.
          shared.stop()
        }
      }
      do {
        keep(try ReactorThread(name: "\(threadName)-\(number)", body))
      } catch {
        for fds in fds { for fd in fds[number...] where fd >= 0 { System.close(fd) } }
        for _ in number..<count { shared.leaveServing() }
        stop()
        join()
        throw GatewayError.thread(error)
      }
    }
    while !shared.isReady && !shared.isStopping { System.pause(milliseconds: 1) }
    if shared.isStopping {
      join()
      throw GatewayError.reactor
    }
  }

  private func keep(_ thread: consuming ReactorThread) {
    var thread: ReactorThread? = thread
    threads.withLock {
      _ = $0.first.insert(thread.take()!)
      $0.count += 1
    }
  }

  /// Logs one line for each listener, once they accept connections, and one for what is open to everyone.
  public func announce() {
    let doors = OpenDoors(shared.configuration, walkers: shared.extensions.walkers)
    if !doors.fields.isEmpty { shared.logger.log(.info, "open-without-token", doors.fields) }
    for address in addresses { shared.logger.log(.info, "listening", [("address", .text(address))]) }
  }

  /// The way to clients from any thread.
  public var outlet: Outlet { shared.outlet() }

  /// Tells the reactors to stop: no new connections, 1001 to every WebSocket. Returns at once; any thread.
  ///
  /// The Unix-domain sockets go first, while their listeners still are open: a file keeps its inode number for as long
  /// as its socket lives, so another gateway's socket of the same path cannot be taken for ours.
  public func stop() {
    removeSockets()
    shared.stop()
  }

  private func removeSockets() {
    let sockets = unixSockets.withLock { sockets in
      let taken = sockets
      sockets = []
      return taken
    }
    for socket in sockets { socket.remove() }
  }

  /// Waits until the reactors have ended. Once.
  public func join() {
    threads.withLock {
      while $0.count > 0 {
        $0.count -= 1
        if let thread = $0.first.take($0.count) { thread.join() }
      }
    }
    removeSockets()
    application.close()
  }
}
