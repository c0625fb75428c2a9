// A courier's limit on silence: it ends back ends that stop in the middle, and not those that are slow.
import Foundation
import TestSupport
import Testing

@testable import Backends

@Suite("Courier: silence", OwnThreads())
struct CourierIdleTests {
  @Test("a back end that is silent before or within its answer is given up; what came before is delivered")
  func silent() async throws {
    let server = try BackendServer()
    let courier = Courier(patient { $0.idleTimeoutMilliseconds = 300 })
    let first = await failure { () throws(CourierError) in _ = try await fetch(courier, server.url("/slow")) }
    #expect(first == .timedOut)
    #expect(try await number(server, "gone", reaches: 1) == 1)
    let response = try await courier.send(CourierRequest(url: server.url("/gate")))
    var seen: [UInt8] = []
    let second = await failure { () throws(CourierError) in for try await piece in response.body { seen += piece } }
    #expect(second == .timedOut)
    #expect(seen == Array("{\"line\":0}\n".utf8))
  }

  @Test("an answer that keeps coming may take longer than that, and so may its reader")
  func slow() async throws {
    let server = try BackendServer()
    let courier = Courier(patient { $0.idleTimeoutMilliseconds = 5_000 })
    #expect(try await fetch(courier, server.url("/lines/60/100")).body.split(separator: "\n").count == 60)
    let response = try await courier.send(CourierRequest(url: server.url("/flood/1000000")))
    var count = 0
    for try await piece in response.body {
      // More lies ready than the courier takes, so it hears nothing meanwhile.
      if count == 0 { try await Task.sleep(for: .milliseconds(8_000)) }
      count += piece.count
    }
    #expect(count > 900_000)
  }
}
