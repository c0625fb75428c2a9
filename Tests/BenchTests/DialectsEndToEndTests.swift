// Every dialect's clients against a gateway over real sockets: counts, never times.
import Foundation
import Testing

@Suite(.serialized) struct DialectsEndToEndTests {
  private static let products = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
  private static let application = products.appendingPathComponent("martlet-bench-app")
  /// Secrets of this run only, so that no file of the user's is touched.
  private static let environment = ProcessInfo.processInfo.environment.merging([
    "HANDLERS_JWT_SECRET": "0f9c1d7a5b3e4f60817263544536271809",
    "NEXUS_JWT_SECRET": "1f9c1d7a5b3e4f60817263544536271809",
    "JWT_SECRET_KEY": "2f9c1d7a5b3e4f60817263544536271809", "TOKEN_SECRET": "3f9c1d7a5b3e4f60817263544536271809",
  ]) { $1 }

  /// Starts a gateway with the benchmark's handlers, gives its address to `body`, and ends it.
  private func withGateway(_ body: (String, Int32) throws -> Void) throws {
    let server = Process()
    let output = Pipe()
    server.executableURL = Self.application
    server.arguments = ["serve", "reactorCount=2"]
    server.environment = Self.environment
    server.standardError = output
    server.standardOutput = FileHandle.nullDevice
    try server.run()
    defer {
      kill(server.processIdentifier, SIGKILL)
      server.waitUntilExit()
    }
    var log = ""
    while !log.contains("admin http") {
      let chunk = output.fileHandleForReading.availableData
      try #require(!chunk.isEmpty, "the gateway ended before it listened: \(log)")
      log += String(decoding: chunk, as: UTF8.self)
    }
    let address = try #require(log.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("address=ws://") })
    try body(String(address.dropFirst("address=".count)), server.processIdentifier)
  }

  private func run(_ program: URL, _ words: [String]) throws -> (status: Int32, output: Data) {
    let process = Process()
    let output = Pipe()
    process.executableURL = program
    process.arguments = words
    process.environment = Self.environment
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, data)
  }

  private func bench(_ command: String, _ url: String, _ words: [String]) throws -> (
    status: Int32, object: [String: Any]
  ) {
    let outcome = try run(Self.products.appendingPathComponent("martlet-bench"), [command, url] + words + ["--json"])
    let object = try? JSONSerialization.jsonObject(with: outcome.output) as? [String: Any]
    return (outcome.status, object ?? [:])
  }

  /// A file with tokens of 20 users; the caller removes it.
  private func tokens(_ dialect: String) throws -> URL {
    let outcome = try run(Self.application, ["tokens", dialect, "20"])
    try #require(outcome.status == 0)
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-bench-\(UUID().uuidString)")
    try outcome.output.write(to: file)
    return file
  }

  @Test("20 clients of each dialect get in, and are refused without a good token")
  func idle() throws {
    try withGateway { address, process in
      for (dialect, path) in [("channels", "/channels"), ("handlers", ""), ("sessions", ""), ("walkers", "")] {
        let file = try tokens(dialect)
        defer { try? FileManager.default.removeItem(at: file) }
        let words = ["--dialect", dialect, "--connections", "20", "--pid", "\(process)"]
        let good = try bench("idle", address + path, words + ["--token-list", file.path])
        #expect(good.status == 0, "\(dialect)")
        #expect(good.object["connections"] as? Int == 20)
        let bad = try bench("idle", address + path, words + ["--token", "nonsense"])
        #expect(bad.status == 3, "\(dialect)")
      }
      for dialect in ["events", "socketio", "polling"] {
        let words = ["--dialect", dialect, "--connections", "20", "--pid", "\(process)"]
        #expect(try bench("idle", address, words).status == 0, "\(dialect)")
        #expect(try bench("idle", address, words + ["--token", "nonsense"]).status == 3, "\(dialect)")
      }
    }
  }

  @Test(
    "what a handler broadcasts reaches 20 clients of each kind, each exactly once",
    arguments: [(1, []), (16, []), (16, ["--apart"])])
  func fanout(_ burst: Int, _ flags: [String]) throws {
    try withGateway { address, process in
      let file = try tokens("channels")
      defer { try? FileManager.default.removeItem(at: file) }
      for dialect in ["broadcast", "events", "socketio"] {
        let token = dialect == "broadcast" ? ["--token-list", file.path] : []
        let words = ["--dialect", dialect, "--subscribers", "20", "--burst", "\(burst)", "--bursts", "5"]
        let outcome = try bench("fanout", address, words + token + flags)
        #expect(outcome.status == 0, "\(dialect)")
        #expect(outcome.object["received"] as? Int == 20 * 5 * burst, "\(dialect)")
        #expect(outcome.object["lost"] as? Int == 0)
      }
    }
  }
}
