import Testing

@testable import Auth

@Suite("Typing a password")
struct PasswordInputTests {
  @Test(
    "keys make a line, and the usual ones correct it",
    arguments: [
      ("abc\n", "abc", PasswordLine.State.done), ("abc\r", "abc", .done), ("\n", "", .done),
      ("ab\u{7F}c\n", "ac", .done), ("a\u{8}\u{8}b\n", "b", .done), ("aé\u{7F}b\n", "ab", .done),
      ("\u{1F426}\u{7F}x\n", "x", .done), ("abc\u{15}d\n", "d", .done), ("ab\u{4}", "ab", .done),
      ("\u{4}", "", .cancelled), ("ab\u{3}", "ab", .cancelled), ("a\u{1C}", "a", .cancelled),
      ("a b\tc", "a b\tc", .typing),
    ])
  func keys(_ typed: String, _ expected: String, _ end: PasswordLine.State) {
    var line = PasswordLine()
    var state = PasswordLine.State.typing
    for byte in typed.utf8 { state = line.feed(byte) }
    #expect(String(decoding: line.bytes, as: UTF8.self) == expected && state == end)
  }
}
