// Hostile clients of the admin listener, which reactor 0 serves beside its other connections. Constants.

import TestSupport
import Testing

extension Rows {
  private static func ask(_ line: String, _ headers: [String] = []) -> [UInt8] {
    [UInt8](([line + " HTTP/1.1", "Host: a"] + headers + ["", ""]).joined(separator: "\r\n").utf8)
  }

  private static func refused(
    _ line: Int, _ name: String, _ bytes: @escaping @Sendable @autoclosure () -> [UInt8], _ status: Int
  ) -> HostileRow {
    .scenario(line, "the admin listener: \(name)", .standard, .refused("http_\(status)")) { victim throws in
      let socket = try Socket(port: victim.gateway.adminPort)
      try? socket.send(bytes())
      try victim.expect(ExpectedAnswer(status: status), on: socket)
    }
  }

  /// Lines 1, 2, 3, 6, 10, 13, 14 and 23 on the admin listener.
  static let admin: [HostileRow] = [
    refused(1, "2 000 tiny headers", ask("GET /livez", Array(repeating: "a:b", count: 2_000)), 431),
    refused(3, "a POST", ask("POST /metrics", ["Connection: close"]), 405),
    refused(6, "two Content-Lengths", ask("GET /livez", ["Content-Length: 3", "Content-Length: 4"]), 400),
    refused(10, "a URL of 9 KiB", ask("GET /" + String(repeating: "u", count: 9_216)), 414),
    .scenario(2, "the admin listener: a header byte by byte", .deadlines, .refused("http_408")) { victim throws in
      let socket = try Socket(port: victim.gateway.adminPort)
      try socket.send([UInt8]("GET /livez HTTP/1.1\r\nX: ".utf8))
      let (said, ending) = dribble(socket, [0x78])
      #expect(RawAnswer(said)?.status == 408)
      #expect(ending == .end || ending == .reset)
    },
    .scenario(
      13, "the admin listener where the connection limit is reached", .connectionLimit, .refused("http_503", times: 4)
    ) { victim throws in
      let held = try (0..<30).compactMap { _ in
        let socket = try victim.connect()
        try socket.send(upgrade("GET", welcome))
        let (bytes, _) = Victim.read(socket, toEnd: false)
        return RawAnswer(bytes)?.status == 101 ? socket : nil
      }
      #expect(held.count >= 8)
      #expect(try HTTPExchange.get("/livez", port: victim.gateway.adminPort).status == 200)
    },
    .scenario(
      14, "the admin listener: 300 connections that never send a byte", .deadlines,
      .closed("handshake_timeout", times: 300)
    ) { victim throws in
      let sockets = try (0..<300).map { _ in try Socket(port: victim.gateway.adminPort) }
      for socket in sockets {
        let (said, ending) = Victim.read(socket, toEnd: true)
        guard said.isEmpty, ending == .end || ending == .reset else {
          throw GatewayFailure(description: "a silent connection got \(said.count) bytes and \(ending)")
        }
      }
    },
    .scenario(
      23, "the admin listener: a client that asks for 10 000 pages and reads none", .standard, .closed("slow")
    ) { victim throws in
      let socket = try Socket(port: victim.gateway.adminPort, receiveBufferBytes: 4_096)
      askAndNeverRead(socket, ask("GET /metrics"))
    },
    .scenario(23, "a client of plain HTTP that asks 10 000 times and reads nothing", .standard, .closed("slow")) {
      victim throws in
      askAndNeverRead(try victim.connect(receiveBufferBytes: 4_096), ask("GET /channels"))
    },
  ]

  /// The gateway ends what is asked like this; how much of what it says still arrives is the network's business.
  private static func askAndNeverRead(_ socket: Socket, _ request: [UInt8]) {
    try? socket.send([UInt8](Array(repeating: request, count: 10_000).joined()))
    let (said, ending) = Victim.read(socket, toEnd: true)
    #expect(said.count < 4 << 20, "\(said.count) bytes were kept for a client that did not read")
    #expect(ending == .end || ending == .reset)
  }
}
