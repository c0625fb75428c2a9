// The martlet as it is in service: the release binary, which is built when it is not there or not up to date. One build
// per test run; any thread.

import Foundation
import MallocCounter

public enum ReleaseBinary {
  /// What MARTLET_BINARY names; under a sanitizer the martlet that was built with the tests; else the release build of the
  /// same sources, beside the debug build in the same scratch directory.
  public static func executable() throws -> URL { try result.get() }

  /// Whether times and sizes say something about a gateway in service.
  public static var isJudged: Bool { malloc_counter_works() }

  private static let result = Result { try find() }

  private static func find() throws -> URL {
    let isNamed = ProcessInfo.processInfo.environment["MARTLET_BINARY"]?.isEmpty == false
    let built = GatewayProcess.executable
    let directory = built.deletingLastPathComponent()
    if isNamed || !isJudged || directory.lastPathComponent == "release" { return built }
    // .build/TRIPLE/debug/martlet
    let triple = directory.deletingLastPathComponent()
    // `swift test` holds the lock of the scratch directory; a build of another configuration shares no product with it.
    let build = try Shell.run([
      "swift", "build", "--ignore-lock", "-c", "release", "--product", "martlet", "--scratch-path",
      triple.deletingLastPathComponent().path, "--package-path", ClientRuntime.packageDirectory.path,
    ])
    guard build.status == 0 else {
      throw GatewayFailure(description: "no release build of martlet: \(build.output.suffix(4_000))")
    }
    return triple.appendingPathComponent("release/martlet")
  }
}
