// The house rules that can be checked by reading the sources.
import Foundation
import Testing

@Suite("Style of the sources")
struct StyleTests {
  /// What a module may import besides the language's own `Synchronization`; a module not listed here fails.
  static let imports: [String: Set<String>] = [
    "Buffers": [],
    "Wire": ["Buffers"],
    "Topics": ["Buffers"],
    "Dialects": ["Topics", "Wire", "Buffers"],
    "Compression": ["CZlib", "Buffers"],
    "EventLoop": ["CLinux", "Glibc", "Buffers"],
    "Auth": ["CCrypto", "CCrypt", "Buffers", "FoundationEssentials", "Foundation", "Glibc"],
    "Backends": ["CCurl", "Auth", "EventLoop", "Buffers", "Glibc"],
    "Gateway": [
      "EventLoop", "Dialects", "Topics", "Wire", "Auth", "Backends", "Compression", "Buffers", "FoundationEssentials",
      "Foundation",
      "Glibc", "CLinux",
    ],
    "Martlet": ["Gateway", "EventLoop", "FoundationEssentials"],
    "martlet": ["Gateway", "Auth", "FoundationEssentials", "Foundation", "Glibc"],
    "MartletClient": ["Wire", "EventLoop", "Buffers", "Auth", "FoundationEssentials"],
  ]

  /// Where `unsafe` may stand: the owner of raw memory, the files that make system calls or call into a C library.
  static let unsafeAllowed = [
    "Buffers/", "EventLoop/", "Compression/", "Auth/", "Backends/Transfer.swift",
    "Backends/CurlMulti.swift", "Gateway/Logging/LogSystem.swift",
    "Gateway/Logging/RateLimitedLog.swift", "Gateway/Configuration/PrivateDirectory.swift",
  ]

  static let fileLinesMax = 800
  static let columnsMax = 120
  static let functionLinesMax = 100
  /// How far above an `unsafe` its `SAFETY:` line, or the use before it in the same group, may be.
  static let safetyLinesMax = 6

  @Test("the sources are found")
  func found() {
    #expect(SourceTree.sources.count > 50)
    #expect(Set(SourceTree.sources.map(\.module)).isSuperset(of: ["Buffers", "Wire", "Topics", "EventLoop"]))
  }

  @Test("modules import only what the design lets them")
  func importGraph() {
    var wrong: [String] = []
    for file in SourceTree.sources {
      guard let allowed = Self.imports[file.module] else {
        wrong.append("\(file.path): unknown module")
        continue
      }
      for name in importedModules(file) where name != "Synchronization" && !allowed.contains(name) {
        wrong.append("\(file.path) imports \(name)")
      }
    }
    #expect(wrong == [])
  }

  @Test("the sans-I/O modules see no system and no event loop, and the event loop sees no protocol")
  func boundaries() {
    let system: Set = ["Glibc", "CLinux", "Foundation", "FoundationEssentials", "Dispatch", "EventLoop", "Gateway"]
    let protocols: Set = ["Wire", "Topics", "Dialects", "Auth", "Gateway"]
    let forbidden = [
      "Wire": system, "Topics": system, "Dialects": system, "Buffers": system.union(protocols), "EventLoop": protocols,
    ]
    for file in SourceTree.sources {
      let found = Set(importedModules(file)).intersection(forbidden[file.module] ?? [])
      #expect(found.isEmpty, "\(file.path)")
    }
  }

  func importedModules(_ file: SourceFile) -> [String] {
    let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
    return file.code.compactMap { line in
      let words = line.split(separator: " ").map(String.init)
      guard let at = words.firstIndex(of: "import"), at + 1 < words.count else { return nil }
      guard words[..<at].allSatisfy({ $0.hasPrefix("@") || $0 == "public" || $0 == "internal" }) else { return nil }
      let name = kinds.contains(words[at + 1]) && at + 2 < words.count ? words[at + 2] : words[at + 1]
      return name.split(separator: ".").first.map(String.init)
    }
  }

  @Test("unsafe code lives only where raw memory or a C interface is")
  func unsafeFiles() {
    let files = SourceTree.sources.filter { file in file.code.contains(where: isUnsafe) }.map(\.path)
    let wrong = files.filter { path in !Self.unsafeAllowed.contains { path.hasPrefix($0) } }
    #expect(wrong == [])
    #expect(!files.isEmpty)
  }

  @Test("every use of unsafe stands below a line that says why it is sound")
  func safetyComments() {
    var wrong: [String] = []
    for file in SourceTree.sources {
      // The last line that the nearest comment answers for, and the last one of the group that it began: each use
      // carries the group on, an empty line ends it.
      var commentEnd = -1
      var groupEnd = -1
      for (index, code) in file.code.enumerated() {
        if file.lines[index].contains("// SAFETY:") { commentEnd = index + Self.safetyLinesMax }
        if file.lines[index].allSatisfy({ $0 == " " }) { groupEnd = -1 }
        guard isUnsafe(code) else { continue }
        if index > max(commentEnd, groupEnd) { wrong.append("\(file.path):\(index + 1)") }
        groupEnd = index + Self.safetyLinesMax
      }
    }
    #expect(wrong == [])
  }

  func isUnsafe(_ line: String) -> Bool {
    line.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "@") }.contains("unsafe")
  }

  @Test("no file is over 800 lines and no line over 120 columns")
  func lengths() {
    var wrong: [String] = []
    for file in SourceTree.sources {
      if file.lines.count > Self.fileLinesMax + 1 { wrong.append("\(file.path): \(file.lines.count) lines") }
      for (index, line) in file.lines.enumerated() where line.count > Self.columnsMax {
        wrong.append("\(file.path):\(index + 1): \(line.count) columns")
      }
    }
    #expect(wrong == [])
  }

  @Test("no function is over 100 lines")
  func functionLengths() {
    var wrong: [String] = []
    for file in SourceTree.sources {
      for function in FunctionFinder.functions(in: file.code) where function.lineCount > Self.functionLinesMax {
        wrong.append("\(file.path):\(function.line): \(function.lineCount) lines")
      }
    }
    #expect(wrong == [])
  }

  @Test("the function finder measures a function by its braces")
  func functionFinder() {
    let text = [
      "struct S {", "  func one() {", "    if x { y() }", "  }", "  init() { }", "  func two(", "    a: Int",
      "  ) -> Int {", "    3", "  }", "  subscript(i: Int) -> Int { i }", "}",
    ]
    #expect(FunctionFinder.functions(in: text).map(\.lineCount) == [3, 1, 5, 1])
  }

  @Test("nothing is left to be done, and no check is switched off")
  func leftovers() {
    // Written in two halves, so that this file does not hold them.
    let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
    let switches = ["-O" + "unchecked", "unsafe" + "Flags"]
    var wrong: [String] = []
    for file in SourceTree.sources + SourceTree.tests {
      for (index, line) in file.lines.enumerated() {
        let found = words.filter { line.contains($0) } + switches.filter { line.contains($0) }
        if !found.isEmpty { wrong.append("\(file.path):\(index + 1): \(found)") }
      }
    }
    for name in ["Package.swift", "Makefile"] {
      let text = (try? String(contentsOf: SourceTree.root.appendingPathComponent(name), encoding: .utf8)) ?? ""
      #expect(!text.isEmpty, "\(name)")
      for found in switches where text.contains(found) { wrong.append("\(name): \(found)") }
    }
    #expect(wrong == [])
  }

  @Test("every source file opens with a comment that says what it is")
  func openings() {
    let wrong = SourceTree.sources.filter { file in
      guard let first = file.lines.first else { return true }
      return !first.hasPrefix("// ") || first.count < 20
    }
    #expect(wrong.map(\.path) == [])
  }

  @Test("comments and strings are not taken for code")
  func blanking() {
    let text = [
      "let a = \"unsafe // x\" // unsafe", "/* unsafe", "unsafe */ b()", "let c = #\"\\\"# + \"\\\"unsafe\"",
      "let d = \"\"\"", "  unsafe", "  \"\"\" + e",
    ]
    #expect(
      SourceText.blanked(text) == ["let a = \" ", "", " b()", "let c = \" + \"", "let d = \"", "", " + e"])
  }
}

/// Finds functions by their keyword and measures them by their braces.
enum FunctionFinder {
  struct Function {
    /// The line of its keyword, from 1.
    let line: Int
    let lineCount: Int
  }

  static func functions(in code: [String]) -> [Function] {
    code.indices.compactMap { start in
      guard begins(code[start]) else { return nil }
      var depth = 0
      var hasBody = false
      for index in start..<code.count {
        for character in code[index] {
          if character == "{" {
            depth += 1
            hasBody = true
          } else if character == "}" {
            depth -= 1
          }
        }
        if hasBody && depth <= 0 { return Function(line: start + 1, lineCount: index - start + 1) }
        // A requirement of a protocol has no body.
        if depth < 0 { return nil }
      }
      return nil
    }
  }

  private static func begins(_ line: String) -> Bool {
    let words = line.split { !($0.isLetter || $0 == "_") }
    guard let at = words.firstIndex(where: { ["func", "init", "deinit", "subscript"].contains($0) }) else {
      return false
    }
    // `init` and `subscript` are also called and assigned; a declaration has only modifiers before the keyword.
    let trimmed = line.drop { $0 == " " }
    return !trimmed.hasPrefix("self.") && !trimmed.hasPrefix(".") && words[..<at].allSatisfy { modifiers.contains($0) }
  }

  private static let modifiers: Set<Substring> = [
    "public", "private", "fileprivate", "internal", "package", "static", "mutating", "borrowing", "consuming",
    "override",
    "final", "class", "inline", "__always", "never", "inlinable", "usableFromInline", "discardableResult",
    "convenience",
    "nonisolated", "unsafe", "safe", "_lifetime", "required", "indirect",
  ]
}
