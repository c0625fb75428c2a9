// Interpreters for clients in other languages, and scripts run with them. Used by one thread at a time.

import Foundation

/// An interpreter with what a client script needs, found or prepared once per test run.
public struct ClientRuntime: Sendable {
  let executable: String
  let arguments: [String]
  let environment: [String: String]

  /// Python with the packages of the test clients, in `.build/test-python`; `deploy/deps.sh test` prepares it too.
  public static func python() throws -> ClientRuntime { try prepared.python.get() }

  /// Node with a `WebSocket`: its own from version 22 (behind a flag from 20 on), else that of Debian's `node-ws`.
  public static func node() throws -> ClientRuntime { try prepared.node.get() }

  /// The path of an official Socket.IO client for JavaScript, in `.build/test-socketio`; `deploy/deps.sh test` prepares it
  /// too. Never a file of this project.
  public static func socketIOBundle(version: String = newestSocketIO) throws -> String {
    let made = try Shell.run(["bash", packageDirectory.appendingPathComponent("deploy/test-socketio.sh").path, version])
    guard made.status == 0, let path = made.output.split(separator: "\n").last else {
      throw GatewayFailure(description: "no Socket.IO client: let pip reach PyPI. \(made.output)")
    }
    return String(path)
  }

  /// The version that is tested most.
  public static let newestSocketIO = "4.8.1"

  private static let prepared = (python: Result { try findPython() }, node: Result { try findNode() })

  /// The package's directory: this file lies in Tests/Support.
  public static var packageDirectory: URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  }

  private static func findPython() throws -> ClientRuntime {
    let script = packageDirectory.appendingPathComponent("deploy/test-python.sh").path
    let made = try Shell.run(["bash", script])
    guard made.status == 0 else {
      throw GatewayFailure(
        description: "no Python with websockets: install python3 and python3-venv (make deps does), "
          + "and let pip reach PyPI. \(made.output)")
    }
    let executable = made.output.split(separator: "\n").last.map(String.init) ?? ""
    return ClientRuntime(executable: executable, arguments: [], environment: [:])
  }

  private static func findNode() throws -> ClientRuntime {
    let probe = "process.exit(typeof WebSocket === 'function' ? 0 : (require('ws'), 0))"
    for (arguments, path) in [([], ""), (["--experimental-websocket"], ""), ([], "/usr/share/nodejs")] {
      let environment = path.isEmpty ? [:] : ["NODE_PATH": path]
      if try Shell.run(["node"] + arguments + ["-e", probe], environment).status == 0 {
        return ClientRuntime(executable: "/usr/bin/env", arguments: ["node"] + arguments, environment: environment)
      }
    }
    throw GatewayFailure(
      description: "no Node with a WebSocket: install Node 20 or later, or Debian's nodejs and node-ws "
        + "(deploy/deps.sh test does)")
  }
}

/// A script that answers every line on its standard input with one on its standard output. Ended on `deinit`.
public final class ClientScript {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var buffered: [UInt8] = []
  private let name: String

  /// Starts the script at `path`. What it writes to standard error goes to that of the tests.
  public convenience init(_ runtime: ClientRuntime, path: String) throws {
    try self.init(
      executable: URL(fileURLWithPath: runtime.executable), arguments: runtime.arguments + [path],
      environment: runtime.environment, name: URL(fileURLWithPath: path).lastPathComponent)
  }

  /// Starts a program that answers lines as a script does.
  public init(
    executable: URL, arguments: [String], environment: [String: String] = [:], name: String? = nil
  ) throws {
    self.name = name ?? executable.lastPathComponent
    process.executableURL = executable
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = input
    process.standardOutput = output
    try process.run()
  }

  deinit {
    try? input.fileHandleForWriting.close()
    if process.isRunning { process.terminate() }
  }

  /// Sends a line without waiting for the answer.
  public func send(_ line: String) throws { try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8)) }

  /// The next line of output.
  public func answer() throws -> String {
    while true {
      if let end = buffered.firstIndex(of: 0x0A) {
        let line = String(decoding: buffered[..<end], as: UTF8.self)
        buffered.removeSubrange(...end)
        return line
      }
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { throw GatewayFailure(description: "\(name) ended without an answer") }
      buffered += more
    }
  }

  /// Sends a line and returns the answer.
  public func ask(_ line: String) throws -> String {
    try send(line)
    return try answer()
  }
}
