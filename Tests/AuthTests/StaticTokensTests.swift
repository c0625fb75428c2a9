// The table of literal tokens.
import Auth
import Buffers
import Testing

@Suite struct StaticTokensTests {
  private func user(_ tokens: StaticTokens, _ token: String) -> String? {
    let bytes = [UInt8](token.utf8)
    var out = ByteBuffer()
    let isListed = tokens.userId(for: bytes.span, into: &out)
    if !isListed { #expect(out.count == 0) }
    return isListed ? out.bytes.string : nil
  }

  private func error(_ table: [(token: String, userId: String)]) -> StaticTokensError? {
    do throws(StaticTokensError) {
      _ = try StaticTokens(table)
      return nil
    } catch {
      return error
    }
  }

  @Test("a listed token gives its user, anything else nothing")
  func lookUp() throws {
    let tokens = try StaticTokens([("test-token", "usr_123"), ("other", "usr_9"), ("again", "usr_123")])
    #expect(user(tokens, "test-token") == "usr_123")
    #expect(user(tokens, "other") == "usr_9")
    #expect(user(tokens, "again") == "usr_123")
    for wrong in [
      "", "test-toke", "test-token ", "Test-token", "test-tokem", "usr_123", String(repeating: "x", count: 9000),
    ] {
      #expect(user(tokens, wrong) == nil)
    }
  }

  @Test("an empty table refuses every token, the empty one too")
  func empty() throws {
    let tokens = try StaticTokens([])
    #expect(tokens.isEmpty)
    #expect(user(tokens, "") == nil)
    #expect(user(tokens, "test-token") == nil)
  }

  @Test("a table with empty, duplicate or too many entries is refused by name of the user")
  func mistakes() {
    #expect(error([("", "usr_1")]) == .empty(user: "usr_1"))
    #expect(error([("t", "")]) == .empty(user: ""))
    #expect(error([("t", "a"), ("u", "b"), ("t", "c")]) == .duplicate(user: "c"))
    #expect(error((0...StaticTokens.entriesMax).map { ("t\($0)", "u") }) == .tooMany)
    #expect(error((0..<StaticTokens.entriesMax).map { ("t\($0)", "u") }) == nil)
  }
}
