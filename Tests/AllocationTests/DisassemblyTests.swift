// What the compiler made of the data path: the disassembly of the release binary. Any thread.

import Foundation
import TestSupport
import Testing

@Suite("The release binary's data path")
struct DisassemblyTests {
  @Test(
    "the way of a message has no retain, release, allocation or exclusivity check in its code",
    .enabled(if: ReleaseBinary.isJudged))
  func hotPath() throws {
    let script = ClientRuntime.packageDirectory.appendingPathComponent("deploy/hot-path.sh").path
    let (status, text) = try Shell.run([script, ReleaseBinary.executable().path])
    #expect(status == 0, "\(text)")
    // One line for each function that it looked at.
    #expect(text.components(separatedBy: ": clean").count > 20, "\(text)")
  }
}
