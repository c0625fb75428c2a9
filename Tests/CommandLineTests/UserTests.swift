import Auth
import FoundationEssentials
import Gateway
import Testing

@testable import martlet

@Suite("martlet user")
struct UserTests {
  /// Runs `body` with the path of a user file that is not there yet.
  private func withPath(_ body: (String) throws -> Void) throws {
    let directory = "/tmp/martlet-users-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    try body(directory + "/users")
  }

  private func user(
    _ words: [String], password: String = "secret", environment: [String: String] = [:]
  ) -> Report {
    var tool = Tool(environment: environment, nowSeconds: 0)
    tool.readPassword = { () throws(PasswordInputError) in
      if password == "different" { throw .different }
      return Array(password.utf8)
    }
    guard case .finished(let report) = tool.run(["user"] + words) else { return Report(status: -1) }
    return report
  }

  @Test("users are added, listed, given another password and removed")
  func life() throws {
    try withPath { path in
      let file = ["--user-file", path]
      #expect(user(["add", "alice"] + file) == Report(output: "alice: added\n"))
      #expect(user(["add", "bob smith"] + file).status == 0)
      let first = try UserFile.load(path: path).users
      #expect(PasswordHasher.verify(Array("secret".utf8), first.hash(of: "alice")))
      #expect(user(["add", "alice"] + file, password: "other") == Report(output: "alice: password changed\n"))
      let second = try UserFile.load(path: path).users
      #expect(PasswordHasher.verify(Array("other".utf8), second.hash(of: "alice")))
      #expect(!PasswordHasher.verify(Array("secret".utf8), second.hash(of: "alice")))
      #expect(user(["list"], environment: ["MARTLET_ACCOUNTS_FILE": path]) == Report(output: "alice\nbob smith\n"))
      #expect(user(["remove", "alice"] + file) == Report(output: "alice: removed\n"))
      #expect(user(["list"] + file).output == "bob smith\n")
      let gone = user(["remove", "alice"] + file)
      #expect(gone == Report(complaint: "martlet: \(path): no user \"alice\"\n", status: 1))
    }
  }

  @Test("what cannot be is refused, and the file is left as it is")
  func refused() throws {
    try withPath { path in
      let file = ["--user-file", path]
      for (words, password, expected) in [
        (["add", "alice"], "secret", "no user file: name one with --user-file FILE"),
        (["add", "al:ice"] + file, "secret", "the name holds a colon"),
        (["add", ""] + file, "secret", "name is empty"),
        (["add", "alice"] + file, "", "the password is empty"), (["add", "alice"] + file, "a\0b", "a zero byte"),
        (["add", "alice"] + file, "different", "the two passwords differ"),
        (["list"] + file, "", "No such file or directory"), (["remove", "alice"] + file, "", "no user \"alice\""),
        (["list", "--user-file", "/"], "", "accounts.file: expected the path of a file"),
      ] {
        let report = user(words, password: password)
        #expect(report.status == 1 && report.output.isEmpty && report.complaint.contains(expected), "\(report)")
      }
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }

  @Test(
    "wrong usage ends with status 2 and says what was expected",
    arguments: [
      ([], "expected one of add, list, remove"), (["ad", "x"], "unknown action \"ad\", did you mean \"add\"?"),
      (["add"], "add which NAME?"), (["remove"], "remove which NAME?"), (["list", "x"], "unexpected \"x\""),
      (["add", "x", "y"], "unexpected \"y\""), (["add", "x", "--port", "1"], "unknown flag \"--port\""),
    ] as [([String], String)])
  func misuse(_ words: [String], _ expected: String) {
    let report = user(words)
    #expect(report.status == 2 && report.complaint.contains(expected), "\(report)")
  }

  @Test("a gateway does not start with a user file that it cannot use")
  func serve() throws {
    try withPath { path in
      try withRuntimeDirectory { environment in
        let words = ["serve", "--dev", "--user-file", path]
        let missing = report(words, environment: environment)
        #expect(missing.status == 1 && missing.complaint.contains("accounts.file: \(path): No such file"))
        #expect(user(["add", "alice", "--user-file", path]).status == 0)
        guard case .serve(let configuration, _) = invoke(words, environment: environment) else {
          Issue.record("refused")
          return
        }
        #expect(configuration.accounts.file == path)
      }
    }
  }
}

extension PasswordHasher {
  fileprivate static func verify(_ password: [UInt8], _ hash: String?) -> Bool {
    verify(password.span, against: hash)
  }
}
