// The configuration reader, JSON5 and all: no input may trap it, and no JSON may be a syntax error.

import Buffers
import Gateway

enum ConfigurationFuzz {
  /// Deepest nesting that a configuration may have.
  private static let depthMax = 16

  /// The whole input is the file.
  static func run(_ bytes: Span<UInt8>, isThorough: Bool) throws(FuzzFailure) {
    let copy = bytes.array
    var sources = ConfigurationSources()
    sources.fileName = "fuzz"
    sources.file = copy
    var mistakes: [String] = []
    var fault: String?
    do {
      _ = try Configuration.load(sources)
    } catch {
      mistakes = error.mistakes.map(\.description)
      // A mistake of the syntax is the file's own; one of the meaning is a key's.
      fault = error.mistakes.first { $0.key == "fuzz" && $0.text.hasPrefix("line ") }?.text
    }
    for mistake in mistakes {
      try require(!mistake.isEmpty && !mistake.contains("\n"), "a mistake of several lines: \(mistake)")
    }
    guard String(validating: copy, as: UTF8.self) != nil else {
      return try require(!mistakes.isEmpty, "accepts what is not UTF-8")
    }
    guard let tree = try? ReferenceJSON.parse(copy, depthMax: depthMax), !isBeyondJSON(tree) else { return }
    try require(fault == nil, "JSON, but: \(fault ?? "")")
    if isThorough && FoundationOracle.isComparable(copy) {
      try require(FoundationOracle.parse(copy) != nil, "the reference accepts what Foundation does not")
    }
  }

  /// What is JSON but refused on purpose: a key that stands twice.
  private static func isBeyondJSON(_ tree: ReferenceJSON) -> Bool {
    switch tree.value {
    case .object(let members):
      let names = members.map { String(decoding: $0.name, as: UTF8.self) }
      return Set(names).count < names.count || members.contains { isBeyondJSON($0.value) }
    case .array(let elements): return elements.contains { isBeyondJSON($0) }
    default: return false
    }
  }
}
