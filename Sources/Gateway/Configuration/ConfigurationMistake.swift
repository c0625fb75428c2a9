// What is wrong with a configuration, named by key. Made at start-up, shown to the operator, never sent to a client.

/// One mistake, named by its key path, environment variable or flag.
public struct ConfigurationMistake: Sendable, Equatable, CustomStringConvertible {
  /// What is wrong: `limits.messageBytesMax`, `MARTLET_PRT`, `--prot`.
  public let key: String
  /// Why, and what to do.
  public let text: String
  /// Where it stands in a file, `martlet.json5: line 3, column 5`; nil for what came another way.
  public internal(set) var place: String?

  init(_ key: String, _ text: String, place: String? = nil) {
    self.key = key
    self.text = text
    self.place = place
  }

  /// `martlet.json5: line 3, column 5: limits.messageBytesMax: expected 1024...268435456, got -3`
  ///
  /// One line, even where a file's own key holds control characters.
  public var description: String {
    let isPlain = key.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    // A name that is empty is shown as one.
    let isEmpty = key.isEmpty || (key.hasSuffix(".") && !key.hasSuffix(".."))
    let shown = isPlain ? key + (isEmpty ? "\"\"" : "") : LogLine.quoted(key)
    return "\(place.map { $0 + ": " } ?? "")\(shown): \(text)"
  }
}

/// Everything that is wrong with a configuration: at least one mistake.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
  /// In the order found: file, environment, flags, then what does not fit together.
  public let mistakes: [ConfigurationMistake]

  public var description: String { mistakes.map(\.description).joined(separator: "\n") }
}

/// Finds what a misspelled name was meant to be.
public enum Suggestion {
  /// The candidate nearest to `name`, or nil when none is near.
  ///
  /// Near is: one is the beginning of the other (three letters or more), or at most a third of the letters differ.
  public static func nearest(to name: String, among candidates: [String]) -> String? {
    var best: (distance: Int, name: String)?
    let wanted = name.lowercased()
    for candidate in candidates {
      let other = candidate.lowercased()
      var distance = editDistance(Array(wanted.utf8.prefix(128)), Array(other.utf8.prefix(128)))
      if wanted.utf8.count >= 3 && (other.hasPrefix(wanted) || wanted.hasPrefix(other)) { distance = min(distance, 1) }
      if distance <= max(1, wanted.utf8.count / 3) && distance < (best?.distance ?? .max) {
        best = (distance, candidate)
      }
    }
    return best?.name
  }

  /// `, did you mean "X"?`, or nothing.
  public static func clause(for name: String, among candidates: [String]) -> String {
    nearest(to: name, among: candidates).map { ", did you mean \"\($0)\"?" } ?? ""
  }

  /// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
  private static func editDistance(_ one: [UInt8], _ two: [UInt8]) -> Int {
    var before: [Int] = []
    var last = Array(0...two.count)
    for (row, letter) in one.enumerated() {
      var next = [row + 1]
      for (column, other) in two.enumerated() {
        var cost = min(last[column] + (letter == other ? 0 : 1), last[column + 1] + 1, next[column] + 1)
        if row > 0 && column > 0 && letter == two[column - 1] && one[row - 1] == other {
          cost = min(cost, before[column - 1] + 1)
        }
        next.append(cost)
      }
      before = last
      last = next
    }
    return last[two.count]
  }
}
