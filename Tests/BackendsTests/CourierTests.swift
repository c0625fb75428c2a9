// The courier against a real back end: what arrives, what is refused, what is kept alive.
import Foundation
import TestSupport
import Testing

@testable import Backends

@Suite("Courier: requests and answers", OwnThreads())
struct CourierTests {
  @Test("method, header fields and body arrive as they were given, and nothing is added that was not asked for")
  func echo() async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    let answer = try await fetch(
      courier, server.url("/echo"), headers: [("Content-Type", "application/json"), ("X-Empty", "")], body: "{\"ä\":1}")
    #expect(answer.status == 200)
    #expect(answer.type == "application/json")
    let seen = try object(answer.body)
    #expect(seen["method"] as? String == "POST")
    #expect(seen["body"] as? String == "{\"ä\":1}")
    let headers = seen["headers"] as? [String: String] ?? [:]
    #expect(headers["content-type"] == "application/json")
    #expect(headers["x-empty"] == "")
    #expect(Set(headers.keys) == ["host", "user-agent", "accept", "content-type", "content-length", "x-empty"])
  }

  @Test("other methods, long bodies and empty ones work")
  func methods() async throws {
    let server = try BackendServer()
    let courier = Courier(patient { $0.responseBytesMax = 8_000_000 })
    for method in ["GET", "PUT", "DELETE", "POST"] {
      let seen = try object(try await fetch(courier, server.url("/echo"), method: method).body)
      #expect(seen["method"] as? String == method)
      #expect((seen["headers"] as? [String: String])?["content-type"] == nil)
    }
    let long = String(repeating: "0123456789abcdef", count: 200_000)
    #expect(try await fetch(courier, server.url("/mirror"), body: long).body == long)
  }

  @Test("every status is handed over, redirects are not followed and interim answers are passed by")
  func statuses() async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    for status in [200, 204, 400, 404, 500, 503] {
      #expect(try await fetch(courier, server.url("/status/\(status)")).status == status)
    }
    #expect(try await fetch(courier, server.url("/redirect")).status == 302)
    let interim = try await fetch(courier, server.url("/interim"))
    #expect(interim == (200, "application/json", "{}"))
    #expect(try await stats(server)["paths"] as? [String] ?? [] != [])
    #expect((try await stats(server)["paths"] as? [String])?.contains("/echo") == false)
  }

  @Test("requests one after the other share a connection")
  func keepAlive() async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    for index in 0..<20 {
      #expect(try await fetch(courier, server.url("/mirror"), body: "\(index)").body == "\(index)")
    }
    let seen = try await stats(server)
    #expect(seen["requests"] as? Int == 20)
    // One for the requests and one for this look; a few more where the machine paused for longer than one is kept.
    #expect(seen["connections"] as? Int ?? 20 < 10)
  }

  @Test("many requests at once are all answered, each with its own answer, over no more connections than allowed")
  func concurrency() async throws {
    let server = try BackendServer()
    let courier = Courier(patient { $0.concurrencyMax = 5 })
    let right = try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<300 {
        group.addTask { try await fetch(courier, server.url("/mirror"), body: "n\(index)").body == "n\(index)" }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(right == 300)
    let connections = try await stats(server)["connections"] as? Int ?? 0
    #expect(connections >= 2 && connections <= 6)
  }

  @Test("a stream arrives line by line while the back end is still writing")
  func stream() async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    let response = try await courier.send(CourierRequest(url: server.url("/gate")))
    #expect(response.contentType == "application/x-ndjson")
    var splitter = LineSplitter()
    var lines: [String] = []
    for try await piece in response.body {
      // The back end writes the second line only after this request.
      if lines.isEmpty { #expect(try await fetch(courier, server.url("/open")).status == 200) }
      lines += splitter.feed(piece).map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(splitter.finish() == nil)
    #expect(lines == ["{\"line\":0}", "{\"line\":1}"])
  }

  @Test("a reader that is behind holds the back end back, and then gets every byte")
  func backPressure() async throws {
    let server = try BackendServer()
    let size = 32 * 1_048_576
    let courier = Courier(
      patient {
        $0.responseBytesMax = size
        $0.timeoutMilliseconds = 120_000
      })
    let response = try await courier.send(CourierRequest(url: server.url("/flood/\(size)")))
    // What fits into the buffers of two sockets can leave at once; tens of megabytes cannot.
    try await Task.sleep(for: .milliseconds(500))
    let sent = try await stats(server)["floodSent"] as? Int ?? 0
    #expect(sent < size / 2)
    var received = 0
    var isRight = true
    for try await piece in response.body {
      received += piece.count
      isRight = isRight && piece.count <= 2 * CourierLimits.readyBytesMax && piece.first == 0x7A && piece.last == 0x7A
    }
    #expect(received == size)
    #expect(isRight)
  }
}
