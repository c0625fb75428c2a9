// What an operator reads when a gateway cannot start: one line, and what to do about it.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("Starts that fail")
  struct Starts {
    /// Runs `martlet serve` and returns the text of its one line.
    private func failure(_ arguments: [String], environment: [String: String] = [:]) throws -> String {
      let end = try GatewayProcess.run(
        ["serve", "--log-format", "json", "--reactors", "2", "--host", "127.0.0.1"] + arguments,
        environment: environment)
      #expect(end.status == 1, "\(end.log)")
      let lines = end.log.split(separator: "\n").filter { $0.contains("start-failed") }
      #expect(lines.count == 1 && !end.log.contains("Fatal error"), "\(end.log)")
      return lines.first.flatMap { JSON(String($0))?["error"]?.text } ?? end.log
    }

    @Test("an address in use is named with the flag that changes it")
    func inUse() throws {
      try withGateway { gateway throws in
        #expect(
          try failure(["--port", "0", "--admin-port", "\(gateway.port)"])
            == "cannot listen on 127.0.0.1:\(gateway.port) (admin listener): address in use; --admin-port or --no-admin"
        )
        #expect(
          try failure(["--port", "\(gateway.adminPort)", "--no-admin"])
            == "cannot listen on 127.0.0.1:\(gateway.adminPort): address in use; --port takes another port")
      }
    }

    @Test("an address that the machine does not have is named")
    func noSuchAddress() throws {
      #expect(
        try failure(["--port", "0", "--admin-host", "192.0.2.7", "--admin-port", "0"])
          == "cannot listen on 192.0.2.7:0 (admin listener): this machine has no such address; --admin-host takes another"
      )
    }

    @Test("a Unix path with something in its way is named, and what is there stays")
    func unixPath() throws {
      let directory = try GatewayProcess.temporaryDirectory()
      defer { try? FileManager.default.removeItem(at: directory) }
      let path = directory.appendingPathComponent("gateway.sock").path
      try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
      let arguments = ["--port", "0", "--admin-port", "0", "--unix", path]
      #expect(
        try failure(arguments)
          == "cannot listen on unix:\(path): there is something else than a socket; remove it, or take another path with "
          + "--unix")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
      try FileManager.default.removeItem(atPath: path)
      let missing = directory.appendingPathComponent("no/gateway.sock").path
      #expect(
        try failure(["--port", "0", "--admin-port", "0", "--unix", missing])
          == "cannot listen on unix:\(missing): the directory does not exist")
      try withGateway(["--unix", path]) { _ throws in
        #expect(
          try failure(arguments)
            == "cannot listen on unix:\(path): address in use: another process answers there; --unix takes another path"
        )
      }
    }

    @Test("a reactor that cannot have its share of a Unix-domain socket is a start error, and the socket's file goes")
    func tooFewDescriptors() throws {
      let directory = try GatewayProcess.temporaryDirectory()
      defer { try? FileManager.default.removeItem(at: directory) }
      let path = directory.appendingPathComponent("gateway.sock").path
      let end = try GatewayProcess.run(
        ["serve", "--reactors", "64", "--no-admin", "--unix", path], descriptors: 64)
      #expect(end.status == 1)
      let reason = "cannot listen on unix:\(path): fcntl: Too many open files"
      #expect(end.log.contains("start-failed") && end.log.contains(reason), "\(end.log)")
      #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test("what Kubernetes sets for a service of this name is passed over in one line")
    func kubernetes() throws {
      let environment = [
        "MARTLET_SERVICE_HOST": "10.0.0.1", "MARTLET_SERVICE_PORT": "80", "MARTLET_PORT": "tcp://10.0.0.1:80",
        "MARTLET_PORT_80_TCP": "tcp://10.0.0.1:80",
      ]
      try withGateway(environment: environment) { gateway throws in
        let lines = gateway.logLines.filter { $0.contains("environment-ignored") }
        #expect(lines.count == 1)
        #expect(
          lines.first?.contains(
            "names=\"MARTLET_PORT MARTLET_PORT_80_TCP MARTLET_SERVICE_HOST MARTLET_SERVICE_PORT\"") == true)
      }
    }
  }
}
