// The JSON scanner and the string functions against the reference parser, and a sample against Foundation.

import Buffers
import Wire

enum JSONScanFuzz {
  static let names = ["action", "channel", "a", "b", ""]
  private static let keys = JSONKeySet("action", "channel", "a", "b", "")

  /// The whole input is the document.
  static func run(_ bytes: Span<UInt8>, isThorough: Bool) throws(FuzzFailure) {
    let copy = bytes.array
    guard String(validating: copy, as: UTF8.self) != nil else {
      // Outside the contract, but it must not trap.
      _ = try? JSONScanner.scan(bytes, keys: keys)
      return
    }
    let (expected, fault) = reference(copy)
    let verdict = fault.map(label)
    let isRepeated = expected.map(repeatsName) ?? false
    switch outcome(bytes) {
    case .success(let found):
      guard let expected else { throw FuzzFailure(description: "accepts, reference: \(verdict ?? "")") }
      try require(!isRepeated, "accepts a member that stands there twice")
      try compare(bytes, copy, found, expected)
    case .failure(.duplicateMember):
      // It is noticed before what is wrong behind it.
      try require(isRepeated || expected == nil, "refuses a member that stands there once")
    case .failure(let error):
      try require(label(error) == verdict, "\(error), reference: \(verdict ?? "accepts")")
    }
    if isThorough && FoundationOracle.isComparable(copy) && fault != .depth && fault != .numberRange
      && fault != .loneSurrogate
    {
      let other = FoundationOracle.parse(copy)
      try require((other == nil) == (expected == nil), "Foundation accepts: \(other != nil)")
      if let expected, let other {
        try require(FoundationOracle.agrees(expected, other), "Foundation reads \(other)")
      }
    }
  }

  private static func outcome(_ bytes: Span<UInt8>) -> Result<JSONTopLevel, JSONError> {
    do { return .success(try JSONScanner.scan(bytes, keys: keys)) } catch { return .failure(error) }
  }

  static func reference(_ bytes: [UInt8]) -> (ReferenceJSON?, ReferenceJSON.Fault?) {
    do { return (try ReferenceJSON.parse(bytes), nil) } catch { return (nil, error) }
  }

  private static func label(_ fault: ReferenceJSON.Fault) -> String { "\(fault)" }

  private static func label(_ error: JSONError) -> String {
    switch error {
    case .syntax: "syntax"
    case .controlCharacter: "controlCharacter"
    case .loneSurrogate: "loneSurrogate"
    case .numberRange: "numberRange"
    case .depth: "depth"
    case .duplicateMember: "duplicateMember"
    }
  }

  private static func repeatsName(_ value: ReferenceJSON) -> Bool {
    names.contains { name in value.members.count { $0.name == Array(name.utf8) } > 1 }
  }

  private static func compare(
    _ bytes: Span<UInt8>, _ copy: [UInt8], _ found: JSONTopLevel, _ expected: ReferenceJSON
  ) throws(FuzzFailure) {
    try require(found.value.range == expected.range, "value \(found.value.range), reference \(expected.range)")
    try compare(bytes, copy, found.value, expected)
    for (index, name) in names.enumerated() {
      guard let value = expected.last(name) else {
        try require(found[index] == nil, "finds \(name)")
        continue
      }
      guard let member = found[index] else { throw FuzzFailure(description: "does not find \(name)") }
      try require(member.range == value.range, "\(name): \(member.range), reference \(value.range)")
      try compare(bytes, copy, member, value)
      let slice = Array(copy[member.range])
      let again = try? JSONScanner.validate(slice.span)
      try require(again == JSONValue(kind: member.kind, start: 0, end: slice.count), "\(name): the slice alone differs")
    }
  }

  private static func compare(
    _ bytes: Span<UInt8>, _ copy: [UInt8], _ found: JSONValue, _ expected: ReferenceJSON
  ) throws(FuzzFailure) {
    try require(found.kind == kind(expected), "kind \(found.kind)")
    guard let text = expected.text else { return }
    var decoded = ByteBuffer()
    JSONString.decode(bytes, found, into: &decoded)
    try require(decoded.bytes.array == text, "decoded \(decoded.bytes.array)")
    let hasEscapes = copy[found.range].contains(UInt8(ascii: "\\"))
    try require(JSONString.isPlain(bytes, found) == !hasEscapes, "plain \(!hasEscapes)")
    var quoted = ByteBuffer()
    JSONString.appendQuoted(decoded.bytes, to: &quoted)
    let again = reference(quoted.bytes.array).0
    try require(again?.text == text, "quoted again: \(quoted.bytes.string)")
  }

  static func kind(_ value: ReferenceJSON) -> JSONKind {
    switch value.value {
    case .null: .null
    case .boolean(let flag): flag ? .true : .false
    case .number: .number
    case .string: .string
    case .array: .array
    case .object: .object
    }
  }
}
