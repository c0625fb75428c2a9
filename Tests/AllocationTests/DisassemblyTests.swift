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
    let script = Process()
    script.executableURL = ClientRuntime.packageDirectory.appendingPathComponent("deploy/hot-path.sh")
    script.arguments = [try ReleaseBinary.executable().path]
    let output = Pipe()
    script.standardOutput = output
    script.standardError = output
    try script.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    script.waitUntilExit()
    #expect(script.terminationStatus == 0, "\(text)")
    // One line for each function that it looked at.
    #expect(text.components(separatedBy: ": clean").count > 20, "\(text)")
  }
}
