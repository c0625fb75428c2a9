// Keeps tests with time-outs away from the threads that blocking tests take.
import TestSupport
import Testing

/// Runs the tests of a suite on threads of their own: their time-outs are meant to measure the code, not the crowd.
struct OwnThreads: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(TestThreads.shared) { try await function() }
  }
}
