// deploy/nginx/martlet.conf in a real nginx, where there is one: no token in any of its log files while the gateway is
// away, and a way through once it is there.

import Foundation
import TestSupport
import Testing

/// The nginx of this machine; nil where there is none.
private let nginx = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].first {
  FileManager.default.isExecutableFile(atPath: $0)
}

extension EndToEnd {
  @Suite("Behind nginx", .enabled(if: nginx != nil, "nginx is not installed"))
  struct Nginx {
    @Test("with the gateway away no log file holds a token; with it there a client gets through")
    func noTokenInLogs() throws {
      let directory = try GatewayProcess.temporaryDirectory()
      defer { try? FileManager.default.removeItem(at: directory) }
      // Workers run as another user.
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory.path)
      let path = directory.path + "/gateway.sock"
      let port = try freePort()
      let server = try start(in: directory, port: port, upstream: path)
      defer { server.terminate() }
      #expect(eventually { (try? Socket(port: port)) != nil })

      let token = Tokens.channels(user: "alice")
      for target in ["/channels", "/ws", "/socket.io/", "/%zz", "/" + String(repeating: "x", count: 9_000)] {
        let request = WebSocketClient.request("\(target)?token=\(token)")
        let answer = try HTTPExchange.perform(request, on: Socket(port: port))
        #expect([400, 414, 502].contains(answer.status), "\(target): \(answer.status)")
      }
      let gateway = try GatewayProcess(["--unix", path, "--set", "unixMode=0666"], standardAddress: false)
      let client = try WebSocketClient(on: Socket(port: port), target: "/channels?token=\(token)")
      #expect(try client.nextText().contains("connected"))
      // The gateway goes in the middle of a conversation.
      expectCleanEnd(gateway.stop())
      _ = client.readToEnd()

      var read = 0
      #expect(
        eventually {
          ((try? String(contentsOfFile: directory.path + "/martlet.access.log", encoding: .utf8)) ?? "")
            .split(separator: "\n").count >= 6
        })
      for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) where name.hasSuffix(".log") {
        let text = try String(contentsOfFile: directory.path + "/" + name, encoding: .utf8)
        #expect(!text.contains("eyJ"), "\(name): \(text)")
        read += 1
      }
      #expect(read >= 2)
    }

    /// Runs nginx with the example, its paths and its port changed.
    private func start(in directory: URL, port: UInt16, upstream: String) throws -> Process {
      let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("deploy/nginx/martlet.conf")
      var example = try String(contentsOf: file, encoding: .utf8)
      for (old, new) in [
        ("/run/martlet/gateway.sock", upstream), ("/var/log/nginx", directory.path),
        ("listen 80;", "listen 127.0.0.1:\(port);"),
      ] {
        #expect(example.contains(old))
        example = example.replacingOccurrences(of: old, with: new)
      }
      let main = """
        daemon off; pid \(directory.path)/nginx.pid; error_log \(directory.path)/main.log warn;
        events { worker_connections 64; }
        http { access_log \(directory.path)/access.log; \(example) }
        """
      let configuration = directory.appendingPathComponent("nginx.conf")
      try main.write(to: configuration, atomically: true, encoding: .utf8)
      let process = Process()
      process.executableURL = URL(fileURLWithPath: try #require(nginx))
      process.arguments = ["-c", configuration.path, "-p", directory.path]
      process.standardError = FileHandle.nullDevice
      try process.run()
      return process
    }

    /// A port that was free a moment ago: of a gateway that has ended.
    private func freePort() throws -> UInt16 {
      let gateway = try GatewayProcess()
      let port = gateway.port
      _ = gateway.stop()
      return port
    }
  }
}
