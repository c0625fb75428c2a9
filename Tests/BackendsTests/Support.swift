// What the tests of Backends share.
import Foundation
import TestSupport
import Testing

@testable import Backends

/// Options for tests: patient, so that only what is meant to time out does.
func patient(_ change: (inout CourierOptions) -> Void = { _ in }) -> CourierOptions {
  var options = CourierOptions()
  options.timeoutMilliseconds = 30_000
  options.connectTimeoutMilliseconds = 20_000
  change(&options)
  return options
}

/// Sends and reads the whole answer.
func fetch(
  _ courier: Courier, _ url: String, method: String = "POST", headers: [(String, String)] = [], body: String = "",
  timeout: Int? = nil
) async throws(CourierError) -> (status: Int, type: String?, body: String) {
  let request = CourierRequest(
    url: url, method: method, headers: headers, body: Array(body.utf8), timeoutMilliseconds: timeout)
  let response = try await courier.send(request)
  let bytes = try await response.body.bytes()
  return (response.status, response.contentType, String(decoding: bytes, as: UTF8.self))
}

/// The error that `work` ends with.
func failure(_ work: () async throws(CourierError) -> Void) async -> CourierError? {
  do {
    try await work()
    return nil
  } catch {
    return error
  }
}

func object(_ text: String) throws -> [String: Any] {
  try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
}

/// What a back end has counted.
func stats(_ server: BackendServer) async throws -> [String: Any] {
  let courier = Courier(patient())
  defer { courier.stop() }
  return try object(try await fetch(courier, server.url("/stats"), method: "GET").body)
}

/// Asks until a number that a back end counts is what it should become; the last answer.
func number(_ server: BackendServer, _ name: String, reaches goal: Int) async throws -> Int {
  var value = 0
  for _ in 0..<400 {
    value = try await stats(server)[name] as? Int ?? 0
    if value >= goal { break }
    try await Task.sleep(for: .milliseconds(25))
  }
  return value
}

/// Less than this means that a time-out of some hundred milliseconds worked; the back end would have taken 30 s.
let generous = Duration.seconds(15)

/// Runs the tests of a suite on threads of their own: their time-outs are meant to measure the code, not the crowd.
struct OwnThreads: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(TestThreads.shared) { try await function() }
  }
}
