// A back end of a test's own: Tests/BackendsTests/Servers/backend.py on a free loopback port. Owned by the test.

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
  public init(_ mode: Mode = .open) throws {
    let script = ClientRuntime.packageDirectory.appendingPathComponent("Tests/BackendsTests/Servers/backend.py").path
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    let output = Pipe()
    switch mode {
    case .open: process.arguments = ["python3", script, "open"]
    case .late: process.arguments = ["python3", script, "late"]
    case .deaf: process.arguments = ["python3", script, "deaf"]
    case .tls(let certificate, let key): process.arguments = ["python3", script, "tls", certificate, key]
    }
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
