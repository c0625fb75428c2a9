// What the courier makes of back ends that are slow, deaf, broken, or not there.
import Foundation
import TestSupport
import Testing

@testable import Backends

@Suite("Courier: failures", OwnThreads())
struct CourierFailureTests {
  @Test("a back end that does not answer in time is given up, and sees its connection closed")
  func slow() async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    let clock = ContinuousClock()
    let start = clock.now
    let error = await failure { () throws(CourierError) in
      _ = try await fetch(courier, server.url("/slow"), timeout: 300)
    }
    #expect(error == .timedOut)
    #expect(clock.now - start < generous)
    #expect(try await number(server, "gone", reaches: 1) == 1)
  }

  @Test("the time runs while a stream is being read and while a request waits for its turn")
  func deadlines() async throws {
    let server = try BackendServer()
    let courier = Courier(patient { $0.concurrencyMax = 1 })
    let response = try await courier.send(CourierRequest(url: server.url("/gate")))
    // The stream has the only place.
    let queued = await failure { () throws(CourierError) in
      _ = try await fetch(courier, server.url("/echo"), timeout: 200)
    }
    #expect(queued == .timedOut)
    #expect(try await stats(server)["requests"] as? Int == 1)
    #expect(response.status == 200)
    let other = Courier(patient())
    let streamed = await failure { () throws(CourierError) in
      _ = try await fetch(other, server.url("/lines/100/500"), timeout: 1_000)
    }
    #expect(streamed == .timedOut)
  }

  @Test("a back end that accepts no connection is given up after the time to connect")
  func deaf() async throws {
    let server = try BackendServer(.deaf)
    let courier = Courier(
      patient {
        $0.connectTimeoutMilliseconds = 200
        $0.retriesMax = 1
      })
    let clock = ContinuousClock()
    let start = clock.now
    let error = await failure { () throws(CourierError) in _ = try await fetch(courier, server.url("/echo")) }
    guard case .cannotConnect = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(clock.now - start < generous)
  }

  @Test("nobody there: an error at once without retries, and an answer when the back end comes up during them")
  func refused() async throws {
    let server = try BackendServer(.late)
    let hasty = Courier(patient { $0.retriesMax = 0 })
    let error = await failure { () throws(CourierError) in _ = try await fetch(hasty, server.url("/echo")) }
    guard case .cannotConnect = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    let courier = Courier(patient { $0.retriesMax = 15 })
    async let answer = fetch(courier, server.url("/mirror"), body: "here")
    try await Task.sleep(for: .milliseconds(150))
    try server.listen()
    #expect(try await answer.body == "here")
    #expect(try await stats(server)["requests"] as? Int == 1)
  }

  @Test("an answer that breaks off gives what came, then the error")
  func breakOff() async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    let response = try await courier.send(CourierRequest(url: server.url("/breakoff")))
    var seen: [UInt8] = []
    let error = await failure { () throws(CourierError) in for try await piece in response.body { seen += piece } }
    #expect(seen == Array("{}\n".utf8))
    guard case .interrupted = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("a request that meets the end of a kept connection is not sent a second time")
  func notTwice() async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    #expect(try await fetch(courier, server.url("/mirror"), body: "a").body == "a")
    let error = await failure { () throws(CourierError) in
      _ = try await fetch(courier, server.url("/hangup"), body: "b")
    }
    guard case .interrupted = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try await stats(server)["paths"] as? [String] == ["/mirror", "/hangup"])
    #expect(try await fetch(courier, server.url("/mirror"), body: "c").body == "c")
  }

  @Test("an answer longer than allowed is refused, announced or not, and so is an endless head")
  func tooLarge() async throws {
    let server = try BackendServer()
    let courier = Courier(patient { $0.responseBytesMax = 100_000 })
    for path in ["/long/100001", "/flood/1048576", "/headers"] {
      let error = await failure { () throws(CourierError) in _ = try await fetch(courier, server.url(path)) }
      #expect(error == .tooLarge, "\(path)")
    }
    #expect(try await fetch(courier, server.url("/long/100000")).body.utf8.count == 100_000)
  }

  @Test("what is not HTTP is a bad response")
  func garbage() async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    let error = await failure { () throws(CourierError) in _ = try await fetch(courier, server.url("/garbage")) }
    guard case .badResponse = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("cancelling the task ends the transfer, and the back end sees the connection closed", arguments: [false, true])
  func cancellation(isStreaming: Bool) async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    let path = isStreaming ? "/lines/200/100" : "/slow"
    let task = Task(executorPreference: TestThreads.shared) { () -> CourierError? in
      await failure { () throws(CourierError) in _ = try await fetch(courier, server.url(path)) }
    }
    #expect(try await number(server, "requests", reaches: 1) == 1)
    task.cancel()
    #expect(await task.value == .cancelled)
    if !isStreaming { #expect(try await number(server, "gone", reaches: 1) == 1) }
    #expect(await courier.isIdle())
  }

  @Test("a task that is cancelled before it asks sends nothing")
  func cancelledBefore() async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    let task = Task(executorPreference: TestThreads.shared) { () -> CourierError? in
      while !Task.isCancelled { await Task.yield() }
      return await failure { () throws(CourierError) in _ = try await fetch(courier, server.url("/echo")) }
    }
    task.cancel()
    #expect(await task.value == .cancelled)
    #expect(try await stats(server)["requests"] as? Int == 0)
  }

  @Test("letting go of an answer that is not read to its end ends the transfer")
  func letGo() async throws {
    let server = try BackendServer()
    let courier = Courier(patient { $0.responseBytesMax = 1 << 30 })
    _ = try await courier.send(CourierRequest(url: server.url("/flood/536870912"))).status
    #expect(await courier.isIdle())
  }

  @Test("a full queue refuses at once, one back end's queue is not another's, and places come free")
  func queue() async throws {
    let (hanging, healthy) = (try BackendServer(), try BackendServer())
    let courier = Courier(
      patient {
        $0.concurrencyMax = 2
        $0.queueMax = 3
      })
    let tasks = (0..<5).map { _ in
      Task(executorPreference: TestThreads.shared) {
        await failure { () throws(CourierError) in _ = try await fetch(courier, hanging.url("/slow")) }
      }
    }
    // Two hang, three wait.
    #expect(try await number(hanging, "requests", reaches: 2) == 2)
    while courier.admitted(hanging.url("")) < 5 { await Task.yield() }
    let error = await failure { () throws(CourierError) in _ = try await fetch(courier, hanging.url("/echo")) }
    #expect(error == .queueFull)
    #expect(try await fetch(courier, healthy.url("/mirror"), body: "well").body == "well")
    for task in tasks { task.cancel() }
    for task in tasks { #expect(await task.value == .cancelled) }
    // The callers are told at once; the places come free when the courier's thread has seen to it.
    #expect(await courier.isIdle())
    #expect(try await fetch(courier, hanging.url("/mirror"), body: "again").body == "again")
    // One that waited may have got the place of one that was cancelled before it.
    #expect(try await stats(hanging)["requests"] as? Int ?? 0 >= 3)
  }

  @Test("stopping ends what is under way, what waits, and what comes later")
  func stop() async throws {
    let server = try BackendServer()
    let courier = Courier(patient { $0.concurrencyMax = 1 })
    let response = try await courier.send(CourierRequest(url: server.url("/lines/100/200")))
    async let waiting = failure { () throws(CourierError) in _ = try await fetch(courier, server.url("/echo")) }
    while courier.admitted(server.url("")) < 2 { await Task.yield() }
    courier.stop()
    #expect(await waiting == .stopped)
    #expect(await failure { () throws(CourierError) in _ = try await response.body.bytes() } == .stopped)
    #expect(await failure { () throws(CourierError) in _ = try await fetch(courier, server.url("/echo")) } == .stopped)
    courier.stop()
  }

  @Test("what is no http or https URL, and what would break the head, is not sent")
  func refusedRequests() async throws {
    let server = try BackendServer()
    let courier = Courier(patient())
    for url in ["ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1", "http://", "http:/x", "http://a b/", ""] {
      let error = await failure { () throws(CourierError) in _ = try await fetch(courier, url) }
      guard case .cannotConnect = error else {
        Issue.record("\(url): \(String(describing: error))")
        continue
      }
    }
    for header in [("X-A", "a\r\nX-B: b"), ("X A", "b"), ("X:A", "b"), ("", "b"), ("X-A", "\u{0}")] {
      let error = await failure { () throws(CourierError) in
        _ = try await fetch(courier, server.url("/echo"), headers: [header])
      }
      guard case .cannotConnect = error else {
        Issue.record("\(header): \(String(describing: error))")
        continue
      }
    }
    #expect(try await stats(server)["requests"] as? Int == 0)
  }

  @Test("a certificate that nobody vouches for is not accepted")
  func tls() async throws {
    let directory = try GatewayProcess.temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let (certificate, key) = (directory.appendingPathComponent("c").path, directory.appendingPathComponent("k").path)
    let openssl = Process()
    openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    openssl.arguments = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x"]
    openssl.arguments? += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key]
    openssl.standardError = FileHandle.nullDevice
    try openssl.run()
    openssl.waitUntilExit()
    let server = try BackendServer(.tls(certificate: certificate, key: key))
    let courier = Courier(patient { $0.retriesMax = 0 })
    let error = await failure { () throws(CourierError) in
      _ = try await fetch(courier, "https://127.0.0.1:\(server.port)/echo")
    }
    guard case .cannotConnect(let text) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(text.contains("certificate"))
  }
}

extension Courier {
  /// Waits until nothing is under way; false when that does not come to pass.
  func isIdle() async -> Bool {
    for _ in 0..<800 {
      if admittedTotal == 0 { return true }
      try? await Task.sleep(for: .milliseconds(25))
    }
    return false
  }

  /// Exchanges under way and waiting for a back end.
  func admitted(_ url: String) -> Int { core.admitted(Core.origin(of: url) ?? "") }

  var admittedTotal: Int { core.admittedTotal }
}
