// The table of close reasons, and the page that is generated from it.
import Foundation
import Testing

@testable import Gateway

@Suite("Close reasons")
struct CloseReasonTests {
  @Test("docs/CLOSE_CODES.md is what the table says; MARTLET_UPDATE_DOCS=1 writes it anew")
  func page() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let file = root.appendingPathComponent("docs/CLOSE_CODES.md")
    if ProcessInfo.processInfo.environment["MARTLET_UPDATE_DOCS"] == "1" {
      try CloseReason.page.write(to: file, atomically: true, encoding: .utf8)
    }
    let written = try String(contentsOf: file, encoding: .utf8)
    #expect(written == CloseReason.page)
  }

  @Test("labels are distinct, and every code may be sent in a close frame")
  func table() {
    let labels = CloseReason.allCases.map { $0.label.description }
    #expect(Set(labels).count == labels.count)
    for reason in CloseReason.allCases {
      guard let code = reason.closeCode else { continue }
      #expect((1000...1014).contains(code) || (3000...4999).contains(code), "\(reason)")
    }
    #expect(CloseReason.allCases.count <= 32, "the published counters have room for 32")
    #expect(Refusal.allCases.count <= 32, "the published counters have room for 32")
    #expect(Denial.allCases.count <= 32, "the published counters have room for 32")
    #expect(Set(Denial.allCases.map { $0.label.description }).count == Denial.allCases.count)
  }

  @Test("what a connection keeps for its last log line lies in room that it had anyway")
  func connectionSize() {
    #expect(MemoryLayout<Connection>.stride == 120)
  }
}
