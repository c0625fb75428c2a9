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
    #expect(gateway.stop().status == 0)
  }
}
