// A hundred thousand clients, one after the other: what each leaves behind. Runs with MARTLET_LONG=1. One thread.

import MallocCounter
import TestSupport
import Testing

@Suite("Connect and disconnect", .serialized)
struct CycleTests {
  /// How a client goes.
  enum Ending: String, CaseIterable, Sendable {
    case close, disconnect, reset, refused
  }

  private static var cycles: Int { Rows.isLong ? 100_000 : 2_000 }
  /// Cycles before the size is taken for the first time: slabs, chunks and the allocator have found theirs by then.
  private static let warmUpCycles = 500

  @Test("clients that come and go leave no memory behind")
  func cycles() throws {
    // The clients go to several addresses, or the machine runs out of ports: each keeps one for a minute after its end.
    let listeners = ["--host", "0.0.0.0", "--port", "0"]
    let gateway = try GatewayProcess(listeners, reactors: 2, standardAddress: false)
    try Self.run(Self.warmUpCycles, gateway)
    let before = try Self.resident(gateway)
    let start = ContinuousClock.now
    try Self.run(Self.cycles, gateway)
    let duration = start.duration(to: .now)
    let after = try Self.resident(gateway)
    print("cycles: \(Self.cycles) in \(duration), resident \(before >> 10) KiB before, \(after >> 10) KiB after")
    if malloc_counter_works() { #expect(after <= before + before / 10) }
    let metrics = try Metrics(of: gateway)
    #expect(metrics.sum("websockets") == 0)
    #expect(metrics.sum("subscriptions") == 0)
    #expect(metrics.sum("topics") == 0)
    #expect(gateway.stop().status == 0)
  }

  /// The resident size once all clients have gone.
  private static func resident(_ gateway: GatewayProcess) throws -> Int {
    var open = 0
    let isAtRest = try eventually {
      open = try Metrics(of: gateway).sum("connections")
      return open == 0
    }
    #expect(isAtRest, "\(open) connections are open")
    return Resident(of: gateway).bytes
  }

  private static func run(_ count: Int, _ gateway: GatewayProcess) throws {
    // Signing is not what this is about: a hundred users in turn.
    let targets = (0..<100).map { "/channels?token=" + Tokens.channels(user: "cycle-\($0)") }
    for number in 0..<count {
      let ending = Ending.allCases[number % Ending.allCases.count]
      let socket = try Socket(host: "127.0.0.\(1 + number % 8)", port: gateway.port)
      if ending == .refused {
        let answer = try HTTPExchange.perform(WebSocketClient.request("/channels?token=none"), on: socket)
        guard answer.status == 403 else { throw GatewayFailure(description: "cycle \(number): \(answer.status)") }
        continue
      }
      let client = try WebSocketClient(on: socket, target: targets[number % targets.count])
      _ = try client.nextText()
      try client.subscribe("cycle-\(number)")
      switch ending {
      case .close:
        try client.send(ClientFrame(ClientFrame.close, [3, 232]))
        guard client.next() == .close(1000, "") else { throw GatewayFailure(description: "cycle \(number): no close") }
      case .reset: socket.reset()
      case .disconnect, .refused: break
      }
    }
  }
}
