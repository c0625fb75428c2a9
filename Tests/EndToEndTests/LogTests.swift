// The log of a running gateway: lines that programs can read, and nothing in them that must stay secret (DESIGN 7, HOSTILE 11).

import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("Logs")
  struct Logs {
    @Test("the start says in one line what is open without a token")
    func doors() throws {
      for (arguments, expected, others) in [
        (
          ["--set", "walkers.anonymous=no"], "events=", ["walkers.anonymous", "handlers.openTokens", "sessions.allows"]
        ),
        ([], #"walkers.anonymous="receive:"#, ["handlers.openTokens", "echo="]),
        (["--set", "sessions.allowsAnonymous=true"], "sessions.allowsAnonymous=", ["accounts.file"]),
        (["--dev"], #"walkers.anonymous="full:"#, ["walkers.walkers"]),
      ] {
        let gateway = try GatewayProcess(arguments)
        let lines = gateway.logLines.filter { $0.contains("open-without-token") }
        #expect(lines.count == 1 && lines[0].contains(expected), "\(lines)")
        for other in others { #expect(lines.first?.contains(other) == false, "\(lines)") }
        if arguments == ["--dev"] {
          for door in [
            "handlers.openTokens", "sessions.allows", "accounts.file", "walkers.allowsReg", "events", "echo",
          ] {
            #expect(lines.first?.contains(door) == true, "\(lines)")
          }
        }
        expectCleanEnd(gateway.stop())
      }
    }

    @Test("in either format no token, secret or payload stands in the log", arguments: ["text", "json"])
    func secrets(format: String) throws {
      let mark = "payload-6f1d2c"
      let bad = Tokens.make(payload: #"{"userId":"u"}"#, secret: "wrong-wrong-wrong-wrong-wrong-wrong")
      let arguments = [
        "--log-format", format, "--log-level", "debug", "--max-connections", "3",
        "--set", #"channels.staticTokens={"static-token-81c2":"usr_1"}"#,
      ]
      var log = ""
      let gateway = try GatewayProcess(arguments)
      let client = try WebSocketClient(gateway)
      try client.subscribe(mark)
      try client.publish(mark, #""\#(mark)""#)
      _ = try client.nextText()
      for token in [bad, "static-token-81c2", "static-token-81c2x"] {
        let request = WebSocketClient.request("/channels?token=" + token, headers: ["Origin: https://evil.example"])
        _ = try HTTPExchange.perform(request, on: Socket(port: gateway.port))
        _ = try HTTPExchange.perform(
          WebSocketClient.request("/channels?token=" + token), on: Socket(port: gateway.port))
        _ = try HTTPExchange.perform(WebSocketClient.request("/nowhere?token=" + token), on: Socket(port: gateway.port))
      }
      // Makes lines: a violation, a refused connection.
      try client.socket.send([0xFF, 0xFF])
      _ = client.readToEnd()
      let end = gateway.stop()
      expectCleanEnd(end)
      log = end.log
      #expect(!log.contains("static-token"))
      #expect(!log.contains(mark))
      // A user stands in the line of its connection's end, and nowhere else.
      #expect(log.split(separator: "\n").allSatisfy { !$0.contains("alice") || $0.contains("connection-closed") })
      #expect(log.contains("connection-closed"))
      #expect(log.hasSuffix("\n"))
      if format == "text" { return }
      for line in log.split(separator: "\n") {
        let value = JSON(String(line))
        #expect(isTimestamp(value?["time"]?.text ?? ""), "\(line)")
        #expect(["debug", "info", "warning", "error"].contains(value?["level"]?.text), "\(line)")
        #expect(value?["event"]?.text?.isEmpty == false, "\(line)")
      }
    }
  }
}
