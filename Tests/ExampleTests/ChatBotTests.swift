// The example under Examples/ChatBot is built as its readers would build it, run, and talked to.
import Foundation
import TestSupport
import Testing

@Suite("Example: ChatBot", .serialized)
struct ChatBotTests {
  /// Builds the example into a directory of its own and returns the program's path. The first build takes minutes.
  private func build() throws -> String {
    let root = ClientRuntime.packageDirectory.path
    let build = try Shell.run([
      "swift", "build", "--package-path", root + "/Examples/ChatBot", "--scratch-path", root + "/.build/examples",
    ])
    guard build.status == 0 else {
      throw GatewayFailure(description: "the example does not build:\n\(build.output)")
    }
    return root + "/.build/examples/debug/ChatBot"
  }

  @Test("it builds, greets over HTTP, scores over a WebSocket, and stops when it is told to")
  func conversation() throws {
    let gateway = try GatewayProcess(
      executable: URL(fileURLWithPath: build()),
      ["--dev", "--port", "0", "--set", "admin.port=0", "--set", "host=127.0.0.1", "--set", "reactorCount=1"])
    let scores = try WebSocketClient(
      on: Socket(port: gateway.port), target: "/channels?token=" + Tokens.channels(user: "ann"), headers: [])
    #expect(try scores.nextText().contains("connected"))
    try scores.send(#"{"action":"subscribe","channel":"scores"}"#)
    #expect(try scores.nextText().contains("subscribed"))
    let session = try HTTPExchange.perform(
      "POST /api/auth/acquire-session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
      on: Socket(port: gateway.port)
    ).text
    let start = try #require(session.range(of: "\"token\":\"")).upperBound
    let events = try WebSocketClient(
      on: Socket(port: gateway.port), target: "/events?token=\(session[start...].prefix { $0 != "\"" })", headers: [])
    #expect(try events.nextText().contains("connected"))
    try events.send(#"{"event":"score","data":{"player":"ann","points":7}}"#)
    #expect(
      JSON(try events.nextText())
        == JSON(#"{"event":"score_response","data":{"type":"answer","message":"ann has 7"}}"#))
    #expect(try scores.nextText().contains(#""points":7"#))
    try events.send(#"{"event":"score","data":{"player":"ann","points":-7}}"#)
    #expect(try events.nextText().contains("Points cannot be negative"))
    let walker = try WebSocketClient(on: Socket(port: gateway.port), target: "/walkers?channel_id=lobby", headers: [])
    #expect(try walker.nextText().contains("client_id"))
    try walker.send(#"{"type":"walker","walker":"greet","response":true,"context":{"name":"Bo"}}"#)
    #expect(JSON(try walker.nextText()) == JSON(#"{"type":"chat","text":"Bo is here"}"#))
    #expect(JSON(try walker.nextText()) == JSON(#"{"status":200,"reports":["Hello, Bo!"]}"#))
    ThisProcess.signal(gateway.id, 10)
    #expect(eventually { gateway.log.contains("signal-ignored signal=10") })
    // Clients that read do not close by themselves here: a second signal does not wait for them.
    gateway.terminate()
    #expect(eventually { gateway.log.contains("stopping signal=15 connections=3") })
    #expect(scores.next() == .close(1001, "server stopping"))
    ThisProcess.signal(gateway.id, 2)
    let end = gateway.waitForEnd()
    #expect(end.status == 130 && end.log.contains("stopped-at-once signal=2"), "\(end.log)")
  }

  @Test("one signal stops it in order")
  func stop() throws {
    let gateway = try GatewayProcess(
      executable: URL(fileURLWithPath: build()), ["--dev", "--port=0", "--admin-port=0", "--reactors", "1"])
    let end = gateway.stop()
    #expect(end.status == 0 && end.log.contains("stopped connectionsLeft=0"), "\(end.log)")
  }

  @Test("a mistake is one line on standard error and status 1; --help is help and status 0")
  func mistakes() throws {
    let program = try build()
    let secrets = ["NEXUS_JWT_SECRET", "HANDLERS_JWT_SECRET", "JWT_SECRET_KEY", "TOKEN_SECRET"]
    let none = Dictionary(uniqueKeysWithValues: secrets.map { ($0, "") })
    let all = Dictionary(uniqueKeysWithValues: secrets.map { ($0, Tokens.secret) })
    let other = try GatewayProcess()
    let rows: [(words: [String], environment: [String: String], expected: String)] = [
      (["--prot", "1"], all, "ChatBot: unknown flag \"--prot\", did you mean \"--port\"?"),
      (["--port"], all, "ChatBot: --port needs a value"), (["extra"], all, "ChatBot: unexpected \"extra\""),
      (["--port", "x", "--dev"], all, "ChatBot: port: expected 0...65535, got \"x\" (from --port)"),
      (["--config", "/no/such"], all, "ChatBot: /no/such: No such file or directory"),
      (
        ["--host", "127.0.0.1", "--port=0", "--admin-port=\(other.port)"], all,
        "cannot listen on 127.0.0.1:\(other.port) (admin listener): address in use; --admin-port or --no-admin"
      ),
    ]
    for row in rows {
      let end = try Shell.run([program] + row.words, row.environment)
      #expect(end.status == 1, "\(row)")
      let lines = end.output.split(separator: "\n").filter { !$0.contains(" info ") }
      #expect(lines.count == 1 && end.output.contains(row.expected), "\(end.output)")
    }
    let missing = try Shell.run([program], none)
    #expect(missing.status == 1 && missing.output.contains("ChatBot: channels.jwtSecret: "), "\(missing.output)")
    #expect(missing.output.split(separator: "\n").allSatisfy { $0.hasPrefix("ChatBot: ") })
    let help = try Shell.run([program, "--dev", "--help"], none)
    #expect(help.status == 0 && help.output.hasPrefix("Usage: ChatBot ") && help.output.contains("--max-connections"))
    #expect(help.output.contains("limits.messageBytesMax"))
  }
}
