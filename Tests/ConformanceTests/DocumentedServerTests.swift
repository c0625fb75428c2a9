// The back end in docs/HANDLERS.md, run as it is printed, behind a gateway configured as the README prints it.

import Foundation
import TestSupport
import Testing

@Suite("Conformance: the documented back end")
struct DocumentedServerTests {
  /// The block of a page that begins with a line like `open` and holds `marker`.
  private func block(_ page: String, _ open: String, _ marker: String) throws -> String {
    let path = ClientRuntime.packageDirectory.appendingPathComponent(page)
    let parts = try String(contentsOf: path, encoding: .utf8).components(separatedBy: "```" + open + "\n").dropFirst()
    let blocks = parts.compactMap { $0.components(separatedBy: "\n```\n").first }
    return try #require(blocks.first { $0.contains(marker) }, "\(open) with \(marker) in \(page)")
  }

  /// The server of the page on a free port, with the tests' secret; it ends with its standard input.
  private func server(in directory: URL) throws -> BackendServer {
    let listens = #"ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()"#
    let program = try block("docs/HANDLERS.md", "python", "do_POST")
    #expect(program.hasSuffix(listens))
    let script = """
      import os, sys, threading
      os.environ["MARTLET_BACKENDS_SECRET"] = "\(Tokens.secret)"
      threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
      \(program.replacing(listens, with: """
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_port, flush=True)
        server.serve_forever()
        """))
      """
    let file = directory.appendingPathComponent("server.py")
    try script.write(to: file, atomically: true, encoding: .utf8)
    // A script is named below the package's directory, and this path begins at the root.
    return try BackendServer(script: String(repeating: "../", count: 32) + file.path.dropFirst())
  }

  @Test(
    "it answers what the README names, and what its own page names",
    arguments: [("README.md", "connected"), ("docs/HANDLERS.md", "disconnected")])
  func serves(page: String, marker: String) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let server = try server(in: directory)
    let configuration = try block(page, "json5", marker)
    #expect(configuration.contains("http://127.0.0.1:8000/weather"))
    let file = directory.appendingPathComponent("martlet.json5")
    try configuration.replacing(":8000/", with: ":\(server.port)/").write(to: file, atomically: true, encoding: .utf8)
    let gateway = try GatewayProcess(
      ["--config", file.path, "--set", "development=true"], environment: ["MARTLET_BACKENDS_SECRET": Tokens.secret],
      executable: ReleaseBinary.executable())

    let handlers = try WebSocketClient(
      on: Socket(port: gateway.port), target: "/handlers?token=" + Tokens.make(payload: #"{"username":"ann"}"#))
    try handlers.send(#"{"type":"weather","city":"Bern"}"#)
    #expect(JSON(try handlers.nextText()) == JSON(#"{"type":"weather","city":"Bern","celsius":7}"#))

    let acquired = try HTTPExchange.perform(
      "POST /api/auth/acquire-session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
      on: Socket(port: gateway.port))
    let start = try #require(acquired.text.range(of: "\"token\":\"")).upperBound
    let events = try WebSocketClient(
      on: Socket(port: gateway.port), target: "/events?token=\(acquired.text[start...].prefix { $0 != "\"" })")
    #expect(try events.nextText().contains("\"connected\""))
    for (data, points) in [(#"{"player":"ann","points":7}"#, "7"), ("{}", "null"), (#""odd""#, "null")] {
      try events.send(#"{"event":"score","data":\#(data)}"#)
      #expect(JSON(try events.nextText()) == JSON(#"{"event":"thanks","data":{"points":\#(points),"user":null}}"#))
    }
    // Two connections were told of, and the back end was content with that.
    #expect(
      eventually {
        let samples = (try? Metrics(of: gateway).samples) ?? [:]
        return samples["hooks_total{outcome=\"done\"}"] == 2 && samples["hooks_total{outcome=\"failed\"}"] == 0
      })
    if page != "README.md" {
      let walkers = try WalkersClient(WebSocketClient(on: Socket(port: gateway.port), target: "/websocket"))
      try walkers.run("greet", #"{"name":"Ann","times":2}"#)
      try expectText(walkers.socket, #"{"status":200,"reports":["Hello, Ann! Hello, Ann!"]}"#)
    }
    let end = gateway.stop()
    #expect(end.status == 0 && !end.log.contains("backend-call-failed") && !end.log.contains("hook-failed"))
  }
}
