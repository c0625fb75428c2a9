// What the conformance tests share: the release binary, or a gateway inside the test's own process, clients on reactors
// of one's choice, and comparisons that say what they saw. A gateway belongs to one test.

import Auth
import EventLoop
import Foundation
import Gateway
import TestSupport
import Testing

/// Every conformance test runs with one reactor and with two, where publishers and subscribers then sit apart.
let reactorCounts = [1, 2]

/// A gateway in development mode on free loopback ports; every dialect's secret is `Tokens.secret`.
///
/// It is the release binary in a process of its own, unless a test brings handlers of its own in Swift or has the profile
/// seed-ports, whose ports are changed.
final class ConformanceGateway {
  let port: UInt16
  let adminPort: UInt16
  let reactors: Int
  /// With the profile seed-ports: the ports that it listens on, by those that its clients know. They are free ones instead.
  let knownPorts: [UInt16: UInt16]
  private let running: Running
  /// Connections that came out on a reactor where none was wanted, kept open so that counts stay what they are.
  private var parked: [WebSocketClient] = []
  /// The id of an Engine.IO session on each reactor, whose requests bring connections there.
  var anchors: [Int: String] = [:]

  private enum Running {
    case here(GatewayServer)
    case process(GatewayProcess)
  }

  /// - Parameters:
  ///   - settings: keys of the configuration and their values, as `--set` takes them.
  ///   - extensions: handlers of an application; nil for the release binary.
  init(reactors: Int, settings: [(String, String)] = [], extensions: Extensions? = nil) throws {
    self.reactors = reactors
    // Only here can the ports of that profile be others than its clients know, which may be taken.
    if extensions != nil || Self.isSeedPorts(settings) {
      let (server, known) = try Self.server(reactors, settings, extensions ?? Extensions())
      running = .here(server)
      let ports = server.addresses.map { UInt16($0.split(separator: ":").last ?? "") ?? 0 }
      (port, adminPort) = (ports.first ?? 0, ports.count > 1 ? ports.last ?? 0 : 0)
      knownPorts = Dictionary(zip(known, ports)) { first, _ in first }
    } else {
      let gateway = try Self.process(reactors, settings)
      running = .process(gateway)
      (port, adminPort) = (gateway.port, gateway.adminPort)
      knownPorts = [:]
    }
    if port == 0 || adminPort == 0 { throw GatewayFailure(description: "ports \(port) and \(adminPort)") }
  }

  private static func process(_ reactors: Int, _ settings: [(String, String)]) throws -> GatewayProcess {
    let words = settings.flatMap { ["--set", "\($0.0)=\($0.1)"] }
    return try GatewayProcess(
      ["--set", "development=true"] + words, reactors: reactors,
      standardAddress: !settings.contains { $0.0 == "listeners" }, executable: ReleaseBinary.executable())
  }

  private static func server(
    _ reactors: Int, _ settings: [(String, String)], _ extensions: Extensions
  ) throws -> (GatewayServer, known: [UInt16]) {
    System.ignoreBrokenPipes()
    var sources = ConfigurationSources()
    for name in ["NEXUS_JWT_SECRET", "HANDLERS_JWT_SECRET", "JWT_SECRET_KEY", "TOKEN_SECRET"] {
      sources.environment[name] = Tokens.secret
    }
    var always = [("development", "true"), ("admin.port", "0"), ("reactorCount", "\(reactors)")]
    if isSeedPorts(settings) {
      always.append(("host", "127.0.0.1"))
    } else if !settings.contains(where: { $0.0 == "listeners" }) {
      always += [("host", "127.0.0.1"), ("port", "0")]
    }
    sources.flags = (always + settings).map { (key: $0.0, text: $0.1, origin: "test") }
    var configuration = try Configuration.load(sources)
    let known = isSeedPorts(settings) ? freePorts(&configuration) : []
    // Tests block the threads that handlers would run on.
    var extensions = extensions
    extensions.executor = HandlerThreads.shared
    let server = try GatewayServer(
      configuration, logger: Logger(format: .text, level: .error), extensions: extensions)
    return (server, known)
  }

  private static func isSeedPorts(_ settings: [(String, String)]) -> Bool {
    settings.contains { $0 == ("profile", Profile.seedPorts.rawValue) }
  }

  /// Has every listener on a free port, and returns the ports that they had.
  private static func freePorts(_ configuration: inout Configuration) -> [UInt16] {
    configuration.listeners.indices.map { index in
      guard case .tcp(let host, let port) = configuration.listeners[index].address else { return 0 }
      configuration.listeners[index].address = .tcp(host: host, port: 0)
      return port
    }
  }

  /// Ends every connection and all threads, or the process, which must have been well. Once.
  func stop(sourceLocation: SourceLocation = #_sourceLocation) {
    parked = []
    switch running {
    case .here(let server):
      server.stop()
      server.join()
    case .process(let gateway):
      let end = gateway.stop()
      #expect(end.status == 0, "\(end.log.suffix(4_000))", sourceLocation: sourceLocation)
    }
  }

  /// The token of a session of the events dialect in which a user is logged in: only an application makes those, so nil
  /// for the release binary.
  func eventsSession(user: String) -> String? {
    guard case .here(let server) = running else { return nil }
    return server.eventSessions.create(userId: user, nowMilliseconds: System.wallMilliseconds())?.token
  }

  /// Anonymous resident bytes of the process: heap, stacks, and data that was written to. 0 for a gateway in the tests.
  var anonymousBytes: Int {
    guard case .process(let gateway) = running,
      let text = try? String(contentsOfFile: "/proc/\(gateway.id)/smaps_rollup", encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Anonymous:") })
    else { return 0 }
    return (Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0) << 10
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
  reactors: Int = 2, settings: [(String, String)] = [], extensions: Extensions? = nil,
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
