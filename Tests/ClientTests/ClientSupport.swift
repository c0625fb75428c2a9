// What drives the JavaScript client: a gateway that dies and comes back, and scripts that tell what they found.

import Foundation
import TestSupport
import Testing

/// A gateway on a port that stays its own, to be killed and started again under its clients.
final class RestartableGateway {
  /// Below the ports that the system gives to clients: nobody takes one while the gateway is away.
  private static let ports: ClosedRange<UInt16> = 28_000...28_999
  private static let attemptsMax = 20

  let port: UInt16
  private let arguments: [String]
  private var process: GatewayProcess?
  private var endedLogs = ""

  /// - Parameter development: with it, localhost origins, open token endpoints and anonymous sessions.
  init(_ arguments: [String] = [], development: Bool = true) throws {
    var last: any Error = GatewayFailure(description: "no attempt")
    for _ in 0..<Self.attemptsMax {
      let port = UInt16.random(in: Self.ports)
      let all = (development ? ["--dev"] : []) + ["--host", "127.0.0.1", "--port", "\(port)"] + arguments
      do {
        process = try GatewayProcess(all, reactors: 2, standardAddress: false)
        self.port = port
        self.arguments = all
        return
      } catch { last = error }
    }
    throw last
  }

  /// What all its processes have written.
  var log: String { endedLogs + (process?.log ?? "") }

  /// Does what a script asks for.
  func obey(_ command: String) throws {
    switch command {
    case "kill": end(signal: 9)
    case "start": try start()
    case "restart":
      end(signal: 15)
      try start()
    default: throw GatewayFailure(description: "unknown command \(command)")
    }
  }

  /// Ends it gracefully, and says with which status.
  func stop() -> Int32 {
    guard let process else { return 0 }
    let status = process.stop().status
    endedLogs += process.log
    self.process = nil
    return status
  }

  private func start() throws {
    process = try GatewayProcess(arguments, reactors: 2, standardAddress: false)
  }

  private func end(signal: Int32) {
    guard let process else { return }
    ThisProcess.signal(process.id, signal)
    endedLogs += process.waitForEnd().log
    self.process = nil
  }
}

/// Where the scenarios run.
enum Platform: String, CaseIterable, Sendable {
  /// Node's own WebSocket class, behind a flag in Node 20.
  case node
  /// Node with the `ws` package.
  case package
  /// A page in a headless Chromium.
  case browser

  /// The platforms to test: the package only where it is installed.
  static var present: [Platform] {
    FileManager.default.fileExists(atPath: "/usr/share/nodejs/ws") ? allCases : [.node, .browser]
  }
}

/// The scripts in Tests/ClientTests/Scripts and the conversation with them: `lines.js`.
enum Scenarios {
  private struct Task: Encodable {
    var scenarios: [String]
    var config: Config
  }

  private struct Config: Encodable {
    var url: String
    var channelTokens: [String: String]
    var closeCodes: [[CloseCodeField]]
    var webSocket: String?
    var browser: String?
    var socketIO: String?
    var transports: [String]?
  }

  private struct Line: Decodable {
    var control: String?
    var scenario: String?
    var checks: Int?
    var error: String?
    var done: Bool?
  }

  static func path(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Scripts/\(name)").path
  }

  /// Runs scenarios one after the other on a platform, and records an issue for each that failed.
  ///
  /// - Parameters:
  ///   - transports: those of the official Socket.IO client, for scenarios that use it.
  ///   - version: that of this client.
  static func run(
    _ scenarios: [String], on platform: Platform, gateway: RestartableGateway, transports: [String]? = nil,
    version: String = ClientRuntime.newestSocketIO, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var config = Config(
      url: "ws://127.0.0.1:\(gateway.port)",
      channelTokens: ["alice": Tokens.channels(user: "alice"), "bob": Tokens.channels(user: "bob")],
      closeCodes: try CloseCodes.rows())
    if platform == .package { config.webSocket = "ws" }
    if platform == .browser { config.browser = try browser() }
    if let transports {
      config.socketIO = try ClientRuntime.socketIOBundle(version: version)
      config.transports = transports
    }
    let file = platform == .browser ? "run-browser.js" : "run-node.js"
    let script = try ClientScript(ClientRuntime.node(), path: path(file))
    let task = try JSONEncoder().encode(Task(scenarios: scenarios, config: config))
    try script.send(String(decoding: task, as: UTF8.self))
    var passed: [String] = []
    while true {
      let text = try script.answer()
      let line = try JSONDecoder().decode(Line.self, from: Data(text.utf8))
      if line.done == true { break }
      if let command = line.control {
        try gateway.obey(command)
        try script.send(#"{"ok":true}"#)
      } else if let name = line.scenario {
        if line.error == nil, line.checks ?? 0 > 0 { passed.append(name) }
        if let error = line.error {
          Issue.record("\(name) on \(platform): \(error)\n\(gateway.log)", sourceLocation: sourceLocation)
        }
      }
    }
    #expect(passed == scenarios, sourceLocation: sourceLocation)
  }

  /// A Chromium, or what MARTLET_TEST_BROWSER names.
  private static func browser() throws -> String {
    let environment = ProcessInfo.processInfo.environment
    if let named = environment["MARTLET_TEST_BROWSER"], !named.isEmpty { return named }
    let directories = (environment["PATH"] ?? "").split(separator: ":")
    for name in ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"] {
      for directory in directories {
        let path = "\(directory)/\(name)"
        if FileManager.default.isExecutableFile(atPath: path) { return path }
      }
    }
    throw GatewayFailure(description: "no Chromium: install it (deploy/deps.sh test does), or set MARTLET_TEST_BROWSER")
  }
}

/// A number or a text in the table of close codes that scripts get.
enum CloseCodeField: Encodable {
  case code(Int)
  case text(String)

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .code(let code): try container.encode(code)
    case .text(let text): try container.encode(text)
    }
  }
}

/// The table of docs/CLOSE_CODES.md, with the text that the gateway's sources send along.
enum CloseCodes {
  static let advice = ["stop": "stop", "back off, then reconnect": "backOff", "reconnect at once": "atOnce"]

  /// `[code, reason, advice]` for each row that has a code.
  static func rows() throws -> [[CloseCodeField]] {
    let root = ClientRuntime.packageDirectory
    let page = try String(contentsOf: root.appendingPathComponent("docs/CLOSE_CODES.md"), encoding: .utf8)
    let texts = try sentTexts(root.appendingPathComponent("Sources/Gateway"))
    return page.split(separator: "\n").compactMap { line in
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      guard cells.count == 5, let code = Int(cells[1]), let advice = advice[cells[4]] else { return nil }
      let label = cells[0].trimmingCharacters(in: ["`"])
      let reason = texts[camelCase(label)] ?? label.replacingOccurrences(of: "_", with: " ")
      return [.code(code), .text(reason), .text(advice)]
    }
  }

  /// Reason → text, from places like `close(slot, .rateLimited, "rate limit")`.
  private static func sentTexts(_ directory: URL) throws -> [String: String] {
    var texts: [String: String] = [:]
    let paths = FileManager.default.enumerator(atPath: directory.path)?.compactMap { $0 as? String } ?? []
    for path in paths where path.hasSuffix(".swift") {
      let source = try String(contentsOf: directory.appendingPathComponent(path), encoding: .utf8)
      for match in source.matches(of: /close\(slot, \.(\w+), "([^"]+)"\)/) {
        texts[String(match.output.1)] = String(match.output.2)
      }
    }
    return texts
  }

  private static func camelCase(_ label: String) -> String {
    let words = label.split(separator: "_").map(String.init)
    return words.prefix(1).joined() + words.dropFirst().map(\.capitalized).joined()
  }
}
