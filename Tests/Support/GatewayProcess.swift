// A martlet process of a test's own, on free ports, with secrets that only the tests know. Owned by the test; any one thread.

import Foundation

/// Why a gateway did not come up, or did not do what a test needs it to.
public struct GatewayFailure: Error, CustomStringConvertible {
  public let description: String

  public init(description: String) { self.description = description }
}

/// How a martlet process ended, and what it said.
public struct ProcessEnd {
  /// The exit status; 128 and the signal's number when a signal ended it.
  public let status: Int32
  /// What it wrote to standard error.
  public let log: String
}

/// A running `martlet serve`. Killed on `deinit` if it was not stopped before.
public final class GatewayProcess {
  /// The address of the public TCP listener; 0 when there is none.
  public private(set) var port: UInt16 = 0
  /// The port of the admin listener; 0 when there is none.
  public private(set) var adminPort: UInt16 = 0

  private let process = Process()
  private let directory: URL
  private let errors: URL

  /// Starts `martlet serve` in production mode on free loopback ports and waits until it listens.
  ///
  /// - Parameters:
  ///   - arguments: more flags for `serve`.
  ///   - descriptors: the limit of open files to start it with.
  ///   - standardAddress: whether to ask for a free TCP port; without it, `arguments` say where to listen.
  ///   - executable: the martlet to start; nil for `GatewayProcess.executable`.
  public init(
    _ arguments: [String] = [], reactors: Int = 1, environment: [String: String] = [:], descriptors: Int? = nil,
    standardAddress: Bool = true, executable: URL? = nil
  ) throws {
    directory = try Self.temporaryDirectory()
    errors = directory.appendingPathComponent("log")
    var words = ["serve", "--reactors", "\(reactors)", "--admin-port", "0"]
    if standardAddress { words += ["--host", "127.0.0.1", "--port", "0"] }
    try Self.launch(
      process, words + arguments, environment, errors: errors, descriptors: descriptors, executable: executable)
    guard eventually({ !process.isRunning || readAddresses() }), process.isRunning else {
      let text = log
      kill()
      throw GatewayFailure(description: "martlet did not start; it said:\n\(text)")
    }
  }

  /// Starts another program that runs a gateway and logs as martlet does, with these arguments and no others.
  public init(executable: URL, _ arguments: [String], environment: [String: String] = [:]) throws {
    directory = try Self.temporaryDirectory()
    errors = directory.appendingPathComponent("log")
    try Self.launch(process, arguments, environment, errors: errors, descriptors: nil, executable: executable)
    guard eventually({ !process.isRunning || readAddresses() }), process.isRunning else {
      let text = log
      kill()
      throw GatewayFailure(description: "\(executable.path) did not start; it said:\n\(text)")
    }
  }

  deinit {
    kill()
    try? FileManager.default.removeItem(at: directory)
  }

  /// The process id.
  public var id: Int32 { process.processIdentifier }

  public var isRunning: Bool { process.isRunning }

  /// What it has written to standard error so far.
  public var log: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

  /// What it has written to standard error so far, by line.
  public var logLines: [String] { log.split(separator: "\n").map(String.init) }

  /// User and system time that it has spent, in clock ticks of 10 ms.
  public var processorTicks: Int { Self.processorTicks(of: "\(id)") }

  /// The same for any process by its name in /proc.
  public static func processorTicks(of process: String) -> Int {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
      let name = text.lastIndex(of: ")")
    else { return 0 }
    // After the name: state is the third field of proc(5), utime the 14th and stime the 15th.
    let fields = text[name...].split(separator: " ")
    return (Int(fields[12]) ?? 0) + (Int(fields[13]) ?? 0)
  }

  /// Asks it to stop, without waiting.
  public func terminate() { ThisProcess.signal(id, 15) }

  /// Waits for the end. One that does not end is killed, which its status then shows.
  public func waitForEnd() -> ProcessEnd {
    if !eventually({ !process.isRunning }) { kill() }
    return Self.end(of: process, errors: errors)
  }

  /// Asks it to stop and waits for the end.
  public func stop() -> ProcessEnd {
    terminate()
    return waitForEnd()
  }

  private func kill() {
    guard process.isRunning else { return }
    ThisProcess.signal(id, 9)
    process.waitUntilExit()
  }

  /// Reads the lines that announce the listeners. The admin listener comes last.
  private func readAddresses() -> Bool {
    for line in logLines where line.contains("listening") {
      if let range = line.range(of: "admin http://") {
        adminPort = Self.port(line[range.upperBound...])
      } else if let range = line.range(of: "ws://") {
        if port == 0 { port = Self.port(line[range.upperBound...]) }
      }
    }
    return adminPort != 0
  }

  private static func port(_ text: Substring) -> UInt16 {
    let address = text.prefix { $0 != "\"" && $0 != " " }
    return address.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
  }
}

extension GatewayProcess {
  /// Runs martlet with any arguments to its end: for what is refused at the start.
  public static func run(
    _ arguments: [String], environment: [String: String] = [:], descriptors: Int? = nil
  ) throws -> ProcessEnd {
    let directory = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let process = Process()
    let errors = directory.appendingPathComponent("log")
    try launch(process, arguments, environment, errors: errors, descriptors: descriptors)
    if !eventually({ !process.isRunning }) {
      ThisProcess.signal(process.processIdentifier, 9)
      process.waitUntilExit()
    }
    return end(of: process, errors: errors)
  }

  /// The executable under test: MARTLET_BINARY, or the one that was built with the tests.
  public static var executable: URL {
    if let path = ProcessInfo.processInfo.environment["MARTLET_BINARY"], !path.isEmpty {
      return URL(fileURLWithPath: path)
    }
    return builtExecutable("martlet")
  }

  /// An executable that was built with the tests.
  public static func builtExecutable(_ name: String) -> URL {
    let bundle = URL(fileURLWithPath: CommandLine.arguments.first ?? "").resolvingSymlinksInPath()
    return bundle.deletingLastPathComponent().appendingPathComponent(name)
  }

  /// A fresh directory for one test.
  public static func temporaryDirectory() throws -> URL {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url
  }

  private static func launch(
    _ process: Process, _ arguments: [String], _ environment: [String: String], errors: URL, descriptors: Int?,
    executable: URL? = nil
  ) throws {
    let executable = executable ?? Self.executable
    guard FileManager.default.isExecutableFile(atPath: executable.path) else {
      throw GatewayFailure(description: "no martlet at \(executable.path): run `swift build`, or set MARTLET_BINARY")
    }
    if let descriptors {
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      let script = "ulimit -n \(descriptors) && exec \"$0\" \"$@\""
      process.arguments = ["-c", script, executable.path] + arguments
    } else {
      process.executableURL = executable
      process.arguments = arguments
    }
    process.environment = Self.environment().merging(environment) { $1 }
    guard FileManager.default.createFile(atPath: errors.path, contents: nil) else {
      throw GatewayFailure(description: "cannot write \(errors.path)")
    }
    let handle = try FileHandle(forWritingTo: errors)
    process.standardError = handle
    process.standardOutput = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    try handle.close()
  }

  private static func end(of process: Process, errors: URL) -> ProcessEnd {
    let signal: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
    let log = (try? String(contentsOf: errors, encoding: .utf8)) ?? ""
    return ProcessEnd(status: process.terminationStatus + signal, log: log)
  }

  /// The environment of the tests without what would change a gateway, and with the secrets of every dialect.
  private static func environment() -> [String: String] {
    let changing = ["PORT", "WEBSOCKET_PORT", "CORS_ORIGIN", "JWT_EXPIRATION_SECONDS", "REDIS_URL"]
    var environment = ProcessInfo.processInfo.environment.filter { name, _ in
      !name.hasPrefix("MARTLET_") && !changing.contains(name)
    }
    for name in ["NEXUS_JWT_SECRET", "HANDLERS_JWT_SECRET", "JWT_SECRET_KEY", "TOKEN_SECRET"] {
      environment[name] = Tokens.secret
    }
    return environment
  }
}
