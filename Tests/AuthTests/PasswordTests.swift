import Buffers
import Foundation
import Testing

@testable import Auth

@Suite("Passwords")
struct PasswordTests {
  private func verify(_ password: String, _ hash: String?) -> Bool { verify(Array(password.utf8), hash) }

  private func verify(_ password: [UInt8], _ hash: String?) -> Bool {
    PasswordHasher.verify(password.span, against: hash)
  }

  @Test("a password verifies against its hash, another one does not, and a salt makes each hash different")
  func roundTrip() throws {
    let password = Array("correct horse \u{1F426}".utf8)
    let hash = try PasswordHasher.hash(password.span)
    let other = try PasswordHasher.hash(password.span)
    #expect(hash.hasPrefix("$y$j9T$") && PasswordHasher.isHash(hash) && hash != other)
    #expect(verify("correct horse \u{1F426}", hash) && verify("correct horse \u{1F426}", other))
    #expect(!verify("correct horse", hash) && !verify("", hash) && !verify("Correct horse \u{1F426}", hash))
  }

  @Test("a hash that another program made is understood")
  func vector() {
    // Made with: perl -e 'print crypt("secret", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1")'
    #expect(verify("secret", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0"))
    #expect(!verify("secreT", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0"))
  }

  @Test("nobody's password is refused after the same work as somebody's")
  func decoy() {
    #expect(!verify("secret", nil))
  }

  @Test("what no hash can be made of is refused")
  func refused() {
    let long = [UInt8](repeating: 0x61, count: PasswordHasher.passwordBytesMax + 1)
    for (password, expected) in [
      ([], PasswordError.empty), (long, .tooLong), ([0x61, 0, 0x62], .zeroByte),
    ] as [([UInt8], PasswordError)] {
      #expect(throws: expected) { _ = try PasswordHasher.hash(password.span) }
      #expect(!verify(password, nil))
    }
  }

  @Test("the longest password counts to its last byte")
  func longest() throws {
    var password = [UInt8](repeating: 0x61, count: PasswordHasher.passwordBytesMax)
    let hash = try PasswordHasher.hash(password.span)
    #expect(verify(password, hash))
    password[PasswordHasher.passwordBytesMax - 1] = 0x62
    #expect(!verify(password, hash))
  }

  @Test(
    "only a $y$ hash is one",
    arguments: [
      "", "secret", "$y$", "$y$j9T$salt", "$6$salt$hash", "*", "!", "x",
      "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$short", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$" + String(repeating: "a", count: 42) + "é",
      "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$" + String(repeating: "a", count: 42) + ":",
      "$y$j9T$$" + String(repeating: "a", count: 43),
      "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$" + String(repeating: "a", count: 44),
    ])
  func forms(_ text: String) {
    #expect(!PasswordHasher.isHash(text))
    #expect(!verify("secret", text))
  }
}
