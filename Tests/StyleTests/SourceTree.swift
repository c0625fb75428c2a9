// The package's own sources as text, found from this file's path.
import Foundation

/// One Swift file under `Sources`.
struct SourceFile: Sendable {
  /// The path below `Sources`.
  let path: String
  let lines: [String]
  /// The lines with what is in comments and string literals blanked out, so that only code is left.
  let code: [String]

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    code = SourceText.blanked(lines)
  }

  /// The target it belongs to.
  var module: String { String(path.prefix { $0 != "/" }) }
}

enum SourceTree {
  /// The package's folder: two above this file's.
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Every Swift file below a folder of the package, in order of path.
  static func swiftFiles(in folder: String) -> [SourceFile] {
    let base = root.appendingPathComponent(folder).path
    let paths = FileManager.default.enumerator(atPath: base)?.compactMap { $0 as? String } ?? []
    return paths.filter { $0.hasSuffix(".swift") }.sorted().compactMap { path in
      guard let text = try? String(contentsOfFile: base + "/" + path, encoding: .utf8) else { return nil }
      return SourceFile(path: path, text: text)
    }
  }

  static let sources = swiftFiles(in: "Sources")
  static let tests = swiftFiles(in: "Tests")
}

enum SourceText {
  /// Blanks comments and the contents of string literals. Knows line and block comments, plain, raw and multi-line
  /// strings; code inside an interpolation counts as text.
  static func blanked(_ lines: [String]) -> [String] {
    var scanner = CodeScanner()
    return lines.map { scanner.blank(Array($0.utf8)) }
  }
}

/// Follows Swift source line by line.
private struct CodeScanner {
  private static let quote = UInt8(ascii: "\"")
  private static let hash = UInt8(ascii: "#")
  private static let slash = UInt8(ascii: "/")
  private static let star = UInt8(ascii: "*")

  private var blockDepth = 0
  private var isMultiline = false
  private var hashes = 0

  mutating func blank(_ line: [UInt8]) -> String {
    var out: [UInt8] = []
    var index = 0
    while index < line.count {
      let byte = line[index]
      let next = index + 1 < line.count ? line[index + 1] : 0
      if blockDepth > 0 {
        let isEdge = (byte == Self.star && next == Self.slash) || (byte == Self.slash && next == Self.star)
        if isEdge { blockDepth += byte == Self.star ? -1 : 1 }
        index += isEdge ? 2 : 1
      } else if isMultiline {
        let isEnd = closes(line, index, quotes: 3)
        if isEnd { isMultiline = false }
        index += isEnd ? 3 + hashes : 1
      } else if byte == Self.slash && next == Self.slash {
        break
      } else if byte == Self.slash && next == Self.star {
        blockDepth = 1
        index += 2
      } else if byte == Self.quote || (byte == Self.hash && line[index...].first { $0 != Self.hash } == Self.quote) {
        index = skipString(line, index)
        out.append(Self.quote)
      } else {
        out.append(byte)
        index += 1
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// Whether `quotes` quotes and the literal's number of `#` stand at `start`.
  private func closes(_ line: [UInt8], _ start: Int, quotes: Int) -> Bool {
    guard start + quotes + hashes <= line.count else { return false }
    return line[start..<start + quotes].allSatisfy { $0 == Self.quote }
      && line[(start + quotes)..<(start + quotes + hashes)].allSatisfy { $0 == Self.hash }
  }

  /// Skips a literal that begins at `start`; a multi-line one leaves the scanner inside it.
  private mutating func skipString(_ line: [UInt8], _ start: Int) -> Int {
    var index = start
    while line[index] == Self.hash { index += 1 }
    hashes = index - start
    if line[index...].starts(with: [Self.quote, Self.quote, Self.quote]) {
      isMultiline = true
      return index + 3
    }
    index += 1
    while index < line.count {
      if closes(line, index, quotes: 1) { return index + 1 + hashes }
      index += line[index] == UInt8(ascii: "\\") && hashes == 0 ? 2 : 1
    }
    return line.count
  }
}
