// What the conformance tests share: a gateway inside the test's own process, clients on reactors of one's choice, and
// comparisons that say what they saw. A gateway belongs to one test.

import Auth
import EventLoop
import Foundation
import Gateway
import TestSupport
import Testing

/// Every conformance test runs with one reactor and with two, where publishers and subscribers then sit apart.
let reactorCounts = [1, 2]

/// A gateway in development mode on free loopback ports; every dialect's secret is `Tokens.secret`.
final class ConformanceGateway {
  let port: UInt16
  let adminPort: UInt16
  let reactors: Int
  /// With the profile seed-ports: the ports that it listens on, by those that its clients know. They are free ones instead.
  let knownPorts: [UInt16: UInt16]
  private let server: GatewayServer
  /// Connections that came out on a reactor where none was wanted, kept open so that counts stay what they are.
  private var parked: [WebSocketClient] = []

  /// - Parameters:
  ///   - settings: keys of the configuration and their values, as `--set` takes them.
  ///   - extensions: handlers of an application.
  init(reactors: Int, settings: [(String, String)] = [], extensions: Extensions = Extensions()) throws {
    System.ignoreBrokenPipes()
    var sources = ConfigurationSources()
    for name in ["NEXUS_JWT_SECRET", "HANDLERS_JWT_SECRET", "JWT_SECRET_KEY", "TOKEN_SECRET"] {
      sources.environment[name] = Tokens.secret
    }
    var always = [("development", "true"), ("admin.port", "0"), ("reactorCount", "\(reactors)")]
    let isSeedPorts = settings.contains { $0 == ("profile", Profile.seedPorts.rawValue) }
    if isSeedPorts {
      always.append(("host", "127.0.0.1"))
    } else if !settings.contains(where: { $0.0 == "listeners" }) {
      always += [("host", "127.0.0.1"), ("port", "0")]
    }
    sources.flags = (always + settings).map { (key: $0.0, text: $0.1, origin: "test") }
    var configuration = try Configuration.load(sources)
    let known = isSeedPorts ? Self.freePorts(&configuration) : []
    // Tests block the threads that handlers would run on.
    var extensions = extensions
    extensions.executor = HandlerThreads.shared
    server = try GatewayServer(configuration, logger: Logger(format: .text, level: .error), extensions: extensions)
    self.reactors = reactors
    let ports = server.addresses.map { UInt16($0.split(separator: ":").last ?? "") ?? 0 }
    guard let first = ports.first, let last = ports.last, ports.count >= 2, first > 0, last > 0 else {
      throw GatewayFailure(description: "no ports in \(server.addresses)")
    }
    port = first
    adminPort = last
    knownPorts = Dictionary(zip(known, ports)) { first, _ in first }
  }

  /// Has every listener on a free port, and returns the ports that they had.
  private static func freePorts(_ configuration: inout Configuration) -> [UInt16] {
    configuration.listeners.indices.map { index in
      guard case .tcp(let host, let port) = configuration.listeners[index].address else { return 0 }
      configuration.listeners[index].address = .tcp(host: host, port: 0)
      return port
    }
  }

  /// Ends every connection and all threads. Once.
  func stop() {
    parked = []
    server.stop()
    server.join()
  }

  /// The token of a session of the events dialect in which a user is logged in.
  func eventsSession(user: String) -> String? {
    server.eventSessions.create(userId: user, nowMilliseconds: System.wallMilliseconds())?.token
  }

  // MARK: Connecting

  /// A client of whatever is mounted on the path of `target`.
  func connect(_ target: String, headers: [String] = []) throws -> WebSocketClient {
    try WebSocketClient(on: Socket(port: port), target: target, headers: headers)
  }

  /// The answer to an upgrade request, whatever it is.
  func upgrade(_ target: String, headers: [String] = []) throws -> TestSupport.HTTPAnswer {
    try HTTPExchange.perform(WebSocketClient.request(target, headers: headers), on: Socket(port: port))
  }

  /// The numbers of the gateway. They are at most a tenth of a second old.
  func metrics() throws -> Metrics {
    Metrics(page: try HTTPExchange.get("/metrics", port: adminPort).text)
  }

  /// Connects clients 0 to `count - 1` so that client i is on reactor i modulo the number of reactors. Which reactor the
  /// system gives a connection to cannot be chosen, so `open` may be called several times for a client; the superfluous
  /// connections stay open and idle. Nobody else may connect meanwhile.
  func spread(_ count: Int, _ open: (Int) throws -> WebSocketClient) throws -> [WebSocketClient] {
    if reactors == 1 { return try (0..<count).map(open) }
    var before = try webSockets()
    var clients: [WebSocketClient] = []
    for _ in 0..<60 * count {
      let client = try open(clients.count)
      var after = before
      let isCounted = try eventually {
        after = try webSockets()
        return after.reduce(0, +) == before.reduce(0, +) + 1
      }
      guard isCounted else { throw GatewayFailure(description: "\(before) WebSockets became \(after)") }
      if after[clients.count % reactors] > before[clients.count % reactors] {
        clients.append(client)
        if clients.count == count { return clients }
      } else {
        parked.append(client)
      }
      before = after
    }
    throw GatewayFailure(description: "\(parked.count) connections, and not one where it was wanted: \(before)")
  }

  /// Two clients, on different reactors where there are two.
  func pair(_ open: (Int) throws -> WebSocketClient) throws -> (WebSocketClient, WebSocketClient) {
    let clients = try spread(2, open)
    return (clients[0], clients[1])
  }

  private func webSockets() throws -> [Int] {
    let metrics = try metrics()
    return (0..<reactors).map { metrics.value("websockets", reactor: $0) }
  }
}

/// Runs `body` against a gateway of its own and stops it.
func withGateway(
  reactors: Int, settings: [(String, String)] = [], extensions: Extensions = Extensions(),
  _ body: (ConformanceGateway) throws -> Void
) throws {
  let gateway = try ConformanceGateway(reactors: reactors, settings: settings, extensions: extensions)
  defer { gateway.stop() }
  try body(gateway)
}

/// The next message is JSON equal to `expected`: members in any order.
func expectJSON(
  _ client: WebSocketClient, _ expected: String, _ comment: Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let text = try client.nextText()
  #expect(JSON(text) != nil && JSON(text) == JSON(expected), comment ?? "\(text)", sourceLocation: sourceLocation)
}

/// The next message is `expected`, byte for byte.
func expectText(
  _ client: WebSocketClient, _ expected: String, _ comment: Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let text = try client.nextText()
  #expect(text == expected, comment, sourceLocation: sourceLocation)
}

/// Nothing but the answer to `question` is on its way to the client: for what its own reactor would have sent before.
func expectSilence(
  _ client: WebSocketClient, question: String = "ping", answer: String = "pong", _ comment: Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  try client.send(question)
  let text = try client.nextText()
  #expect(text == answer, comment, sourceLocation: sourceLocation)
}

/// The next thing is a close frame, and then the end of the connection.
func expectClose(
  _ client: WebSocketClient, _ code: UInt16, _ reason: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let incoming = client.next()
  #expect(incoming == .close(code, reason), sourceLocation: sourceLocation)
  try client.send(ClientFrame(ClientFrame.close, [UInt8(code >> 8), UInt8(code & 0xFF)]))
  let end = client.next()
  #expect(end == .end || end == .reset, sourceLocation: sourceLocation)
}

/// Threads of their own for the handlers of all gateways.
final class HandlerThreads: TaskExecutor {
  static let shared = HandlerThreads()
  /// So that one that is waited for does not hold the others up.
  private static let threadCount = 4

  private let jobs = Lock<[UnownedJob]>([])
  private let count = DispatchSemaphore(value: 0)

  private init() {
    for _ in 0..<Self.threadCount { Thread.detachNewThread { [self] in run() } }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    jobs.withLock { $0.append(job) }
    count.signal()
  }

  private func run() {
    while true {
      count.wait()
      let job = jobs.withLock { $0.removeFirst() }
      // SAFETY: each job was enqueued once and is taken out once.
      unsafe job.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
