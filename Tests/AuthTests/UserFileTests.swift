import Foundation
import Testing

@testable import Auth

private let hash = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0"
private let otherHash = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

@Suite("The user file")
struct UserFileTests {
  private func read(_ text: String) throws(UserFileError) -> UserFile {
    try UserFile(Array(text.utf8), path: "users")
  }

  private func mistake(_ text: String) -> String? {
    do {
      _ = try read(text)
      return nil
    } catch {
      return error.description
    }
  }

  @Test("names and hashes are read; comments and empty lines are kept where they stand")
  func reading() throws {
    let text = "# staff\nalice:\(hash)\n\nbøb smith:\(otherHash)\n# end\n"
    var users = try read(text)
    #expect(users.names == ["alice", "bøb smith"] && users.count == 2)
    #expect(users.hash(of: "alice") == hash && users.hash(of: "bøb smith") == otherHash)
    #expect(users.hash(of: "Alice") == nil && users.hash(of: "# staff") == nil && users.hash(of: "") == nil)
    #expect(String(decoding: users.bytes, as: UTF8.self) == text)
    users.set("alice", hash: otherHash)
    users.set("carol", hash: hash)
    #expect(users.remove("bøb smith") && !users.remove("bøb smith") && !users.remove("# staff"))
    #expect(String(decoding: users.bytes, as: UTF8.self) == "# staff\nalice:\(otherHash)\n\n# end\ncarol:\(hash)\n")
    #expect(users.hash(of: "alice") == otherHash)
  }

  @Test("a file without a last line end, and an empty one, are read")
  func ends() throws {
    #expect(try read("alice:\(hash)").names == ["alice"])
    #expect(try read("").count == 0)
  }

  @Test(
    "a mistake is named by its line and shows no hash",
    arguments: [
      ("alice\n", "users:1: expected name:hash"), ("# a\n\n:\(hash)\n", "users:3: the name is empty"),
      ("alice:\n", "users:1: expected a $y$ hash, as \"martlet user add\" makes them"),
      ("alice:secret\n", "users:1: expected a $y$ hash"), ("alice:$6$salt$hunter2\n", "users:1: expected a $y$ hash"),
      ("alice:\(hash):x\n", "users:1: expected a $y$ hash"), ("alice:\(hash) \n", "users:1: expected a $y$ hash"),
      ("alice:\(hash)\r\n", "users:1: expected a $y$ hash"),
      ("alice:\(hash)\nalice:\(otherHash)\n", "users:2: a second line for this user"),
      (" alice:\(hash)\n", "users:1: the name begins or ends with a space"),
      ("al\u{1}ice:\(hash)\n", "users:1: the name holds a colon or a control character"),
      (String(repeating: "a", count: 256) + ":\(hash)\n", "users:1: the name is longer than 255 bytes"),
    ])
  func mistakes(_ text: String, _ expected: String) throws {
    let found = try #require(mistake(text))
    #expect(found.hasPrefix(expected) && !found.contains("hunter2") && !found.contains("GmcwIg"), "found \(found)")
  }

  @Test("bytes that are not UTF-8, and a file that is too long, are refused")
  func unreadable() {
    #expect(throws: UserFileError.self) { try UserFile([0x61, 0xFF, 0x3A], path: "users") }
    #expect(throws: UserFileError.self) {
      try UserFile([UInt8](repeating: 0x0A, count: UserFile.fileBytesMax + 1), path: "users")
    }
  }
}

@Suite("The user file on disk")
struct UserFileSystemTests {
  /// A directory for one test, gone after it.
  private func withDirectory(_ body: (String) throws -> Void) throws {
    let path = "/tmp/martlet-users-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    try body(path)
  }

  private func add(_ name: String, to path: String) throws {
    try UserFile.update(path: path) { users throws(UserFileError) in
      users.set(name, hash: hash)
      return true
    }
  }

  private func mode(_ path: String) throws -> Int {
    let value = try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions])
    return try #require(Int("\(value)"))
  }

  @Test("a new file has mode 0600, and a changed one keeps its own and leaves nothing beside it")
  func writing() throws {
    try withDirectory { directory in
      let path = directory + "/users"
      try add("alice", to: path)
      #expect(try mode(path) == 0o600)
      try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
      try add("bob", to: path)
      #expect(try mode(path) == 0o640)
      #expect(try UserFile.load(path: path).users.names == ["alice", "bob"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["users"])
    }
  }

  @Test("a change is seen by the file's state; no change writes nothing")
  func stamps() throws {
    try withDirectory { directory in
      let path = directory + "/users"
      #expect(UserFile.stamp(path: path) == nil)
      try add("alice", to: path)
      let first = try UserFile.load(path: path).stamp
      #expect(UserFile.stamp(path: path) == first)
      let isChanged = try UserFile.update(path: path) { _ throws(UserFileError) in false }
      #expect(!isChanged)
      #expect(UserFile.stamp(path: path) == first)
      try add("alice", to: path)
      #expect(UserFile.stamp(path: path) != first)
    }
  }

  @Test("another mode, owner or time of change is another state, though the contents are the same")
  func permissions() throws {
    try withDirectory { directory in
      let files = FileManager.default
      let path = directory + "/users"
      try add("alice", to: path)
      let first = try UserFile.load(path: path).stamp
      try files.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
      #expect(UserFile.stamp(path: path) != first)
      let status = stat()
      let changes: [(inout stat) -> Void] = [
        { $0.st_mode ^= 0o004 }, { $0.st_uid += 1 }, { $0.st_gid += 1 }, { $0.st_ctim.tv_nsec ^= 1 },
        { $0.st_ctim.tv_sec += 1 }, { $0.st_mtim.tv_sec += 1 }, { $0.st_size += 1 }, { $0.st_ino += 1 },
      ]
      let before = UserFile.Stamp(status)
      for change in changes {
        var other = status
        change(&other)
        #expect(UserFile.Stamp(other) != before)
      }
    }
  }

  @Test("a draft that a crash left behind is in nobody's way")
  func leftDraft() throws {
    try withDirectory { directory in
      let path = directory + "/users"
      try Data("half".utf8).write(to: URL(filePath: directory + "/.users.new"))
      try add("alice", to: path)
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["users"])
    }
  }

  @Test("writers at the same time lose nothing")
  func concurrent() throws {
    try withDirectory { directory in
      let path = directory + "/users"
      DispatchQueue.concurrentPerform(iterations: 8) { number in try? add("user\(number)", to: path) }
      let names = try UserFile.load(path: path).users.names
      #expect(Set(names) == Set((0..<8).map { "user\($0)" }))
    }
  }

  @Test("a file that others may read, one that is none, a link to write through and a spoilt one are refused")
  func refused() throws {
    try withDirectory { directory in
      let files = FileManager.default
      let path = directory + "/users"
      #expect(throws: UserFileError.self) { try UserFile.load(path: path) }
      #expect(throws: UserFileError.self) { try UserFile.load(path: directory) }
      #expect(throws: UserFileError.self) { try add("alice", to: directory + "/no/users") }
      try add("alice", to: path)
      for mode in [0o644, 0o604, 0o660, 0o620] {
        try files.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        #expect(throws: UserFileError.self) { try UserFile.load(path: path) }
      }
      try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
      try files.createSymbolicLink(atPath: directory + "/link", withDestinationPath: path)
      #expect(try UserFile.load(path: directory + "/link").users.names == ["alice"])
      #expect(throws: UserFileError.self) { try add("bob", to: directory + "/link") }
      try Data("spoilt\n".utf8).write(to: URL(filePath: path))
      #expect(throws: UserFileError.self) { try add("bob", to: path) }
      #expect(try String(contentsOf: URL(filePath: path), encoding: .utf8) == "spoilt\n")
    }
  }
}
