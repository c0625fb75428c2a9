// URLs, the upgrade request and its answer, and the flags.
import Testing

@testable import BenchKit

@Suite struct TargetTests {
  @Test(
    "URLs are taken apart",
    arguments: [
      ("ws://127.0.0.1:8080/a/b?c=d", Target.Address.tcp(host: "127.0.0.1", port: 8080), "/a/b?c=d"),
      ("ws://localhost:1", .tcp(host: "localhost", port: 1), "/"),
      ("ws://127.0.0.1", .tcp(host: "127.0.0.1", port: 80), "/"),
      ("ws://127.0.0.1:99?x=1", .tcp(host: "127.0.0.1", port: 99), "/?x=1"),
      ("ws://[::1]:8080/sub", .tcp(host: "::1", port: 8080), "/sub"),
      ("ws+unix:/run/m.sock:/channels?x=1:2", .unix(path: "/run/m.sock"), "/channels?x=1:2"),
      ("ws+unix:/run/m.sock", .unix(path: "/run/m.sock"), "/"),
    ])
  func parsing(_ url: String, _ address: Target.Address, _ target: String) throws {
    let parsed = try Target(url)
    #expect(parsed.address == address)
    #expect(parsed.target == target)
  }

  @Test(
    "what is no such URL is refused",
    arguments: [
      "", "127.0.0.1:80", "wss://127.0.0.1/", "http://127.0.0.1/", "ws://", "ws://:80/", "ws://h:/", "ws://h:0/",
      "ws://h:65536/",
      "ws://h:x/", "ws://[::1", "ws://[::1]80/", "ws+unix:run", "ws://h:80/a b", "ws://h:80/a\r\nX: y",
    ])
  func refusal(_ url: String) {
    #expect(throws: BenchError.self) { try Target(url) }
  }

  @Test("a token joins the query that is there, or starts one")
  func token() throws {
    #expect(try Target("ws://h:1/p").withToken("t") == "/p?token=t")
    #expect(try Target("ws://h:1/p?a=b").withToken("t") == "/p?a=b&token=t")
  }

  @Test("the request has one line per field and ends with an empty one")
  func request() throws {
    let bytes = try Target("ws://[::1]:5/p").request(token: "t", headers: ["Origin: http://x"])
    let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
    #expect(lines.first == "GET /p?token=t HTTP/1.1")
    #expect(lines.contains("Host: [::1]:5"))
    #expect(lines.contains("Origin: http://x"))
    #expect(lines.suffix(2) == ["", ""])
  }

  @Test("an answer counts as an upgrade only with the right accept value, and a refusal by its status line")
  func answers() {
    let accept = "Sec-WebSocket-Accept: \(Target.accept)"
    #expect(answer("HTTP/1.1 101 S\r\n\(accept)\r\n\r\nrest")?.isUpgrade == true)
    #expect(answer("HTTP/1.1 101 S\r\n\(accept)\r\n\r\nrest")?.length == 16 + accept.utf8.count + 4)
    #expect(answer("HTTP/1.1 101 S\r\n\(accept)\r\n") == nil)
    #expect(answer("HTTP/1.1 101 S\r\nSec-WebSocket-Accept: x\r\n\r\n")?.isUpgrade == false)
    #expect(answer("HTTP/1.1 4") == nil)
    #expect(answer("HTTP/1.1 403 Forbidden\r\n")?.status == 403)
    #expect(answer("SSH-2.0-OpenSSH")?.status == 0)
  }

  private func answer(_ text: String) -> (status: Int, isUpgrade: Bool, length: Int)? {
    let bytes = Array(text.utf8)
    return UpgradeAnswer(bytes.span).map { ($0.status, $0.isUpgrade, $0.length) }
  }

  @Test(
    "a wrong command line is refused",
    arguments: [
      "", "fly ws://h:1/", "fanout", "fanout ws://h:1/ --nonsense", "fanout ws://h:1/ --pipeline 3",
      "fanout ws://h:1/ ws://h:2/",
      "echo ws://h:1/ --payload", "echo ws://h:1/ --payload 31", "echo ws://h:1/ --payload many",
      "fanout ws://h:1/ --rate 5 --closed", "fanout ws://h:1/ --publish {seq}", "fanout ws://h:1/ --dialect morse",
      "fanout ws://h:1/ --subscribers 5 --channels 6", "idle ws://h:1/", "echo ws://h:1/ --header nothing",
    ])
  func flags(_ line: String) {
    #expect(BenchCommand.run(line.split(separator: " ").map(String.init)) == 2)
  }
}

extension String {
  fileprivate func components(separatedBy separator: String) -> [String] {
    var parts: [String] = []
    var part: [UInt8] = []
    let ending = Array(separator.utf8)
    for byte in utf8 {
      part.append(byte)
      if part.suffix(ending.count) == ending[...] {
        parts.append(String(decoding: part.dropLast(ending.count), as: UTF8.self))
        part = []
      }
    }
    return parts + [String(decoding: part, as: UTF8.self)]
  }
}
