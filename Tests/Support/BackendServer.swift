// A back end of a test's own: Tests/BackendsTests/Servers/backend.py, or another script, on a free loopback port. Owned
// by the test.

import Foundation

/// The Python back end as a process. Ended on `deinit`.
public final class BackendServer: @unchecked Sendable {
  /// How it treats those that connect; see the script.
  public enum Mode {
    case open, late, deaf
    case tls(certificate: String, key: String)
  }

  public let port: UInt16
  private let process = Process()
  private let input = Pipe()

  /// Starts it and waits for its port.
  public convenience init(_ mode: Mode = .open) throws {
    let arguments =
      switch mode {
      case .open: ["open"]
      case .late: ["late"]
      case .deaf: ["deaf"]
      case .tls(let certificate, let key): ["tls", certificate, key]
      }
    try self.init(script: "Tests/BackendsTests/Servers/backend.py", arguments)
  }

  /// Starts another script of the package that prints its port and ends with its standard input.
  public init(script: String, _ arguments: [String] = []) throws {
    let path = ClientRuntime.packageDirectory.appendingPathComponent(script).path
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", path] + arguments
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    var line: [UInt8] = []
    while line.last != 0x0A {
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { throw GatewayFailure(description: "the back end ended without a port") }
      line += more
    }
    guard let port = UInt16(String(decoding: line.dropLast(), as: UTF8.self)) else {
      throw GatewayFailure(description: "the back end said no port")
    }
    self.port = port
  }

  deinit {
    try? input.fileHandleForWriting.close()
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
  }

  /// The address of a path that begins with a slash.
  public func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

  /// Makes a late one accept connections, soon.
  public func listen() throws { try input.fileHandleForWriting.write(contentsOf: Data("listen\n".utf8)) }
}
