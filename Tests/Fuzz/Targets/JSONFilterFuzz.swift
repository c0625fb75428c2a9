// Subscription filters against the sentence of PROTOCOLS 2.3, spelled out over parsed trees.

import Buffers
import Wire

enum JSONFilterFuzz {
  /// Longer documents may exhaust the work that one match is allowed, where the reference goes on.
  private static let documentBytesMax = 400

  /// Filter and data, with a byte FF between them.
  static func run(_ bytes: Span<UInt8>, isThorough: Bool) throws(FuzzFailure) {
    let copy = bytes.array
    guard let border = copy.firstIndex(of: 0xFF) else { return }
    let filter = Array(copy[..<border])
    let data = Array(copy[(border + 1)...])
    guard String(validating: filter, as: UTF8.self) != nil, String(validating: data, as: UTF8.self) != nil,
      let filterValue = try? JSONScanner.validate(filter.span), let dataValue = try? JSONScanner.validate(data.span)
    else { return }
    let (filterTree, _) = JSONScanFuzz.reference(filter)
    let (dataTree, _) = JSONScanFuzz.reference(data)
    guard let filterTree, let dataTree else { throw FuzzFailure(description: "the reference refuses") }

    let shape = JSONFilter.shape(filter.span, filterValue)
    let isEverything = filterTree.isNull || (filterTree.isObject && filterTree.members.isEmpty)
    let expectedShape: JSONFilter.Shape = isEverything ? .everything : filterTree.isObject ? .members : .invalid
    try require(shape == expectedShape, "shape \(shape), reference \(expectedShape)")

    var index = JSONMemberIndex()
    let slice = data.span.extracting(dataValue.range)
    try require(index.build(slice) == dataTree.isObject, "index of \(dataValue.kind)")
    let isMatch = JSONFilter.matches(filter: filter.span, data: slice, index: &index)
    if copy.count > documentBytesMax || holdsHugeExponent(filterTree) || holdsHugeExponent(dataTree) { return }
    let expected = filterTree.isObject && matches(filterTree, dataTree)
    try require(isMatch == expected, "matches \(isMatch), reference \(expected)")
    if isThorough { try compareNumbers(filterTree, dataTree) }
  }

  /// Whether some exponent is so large that `JSONDecimal` may take different numbers for equal, as it documents.
  private static func holdsHugeExponent(_ tree: ReferenceJSON) -> Bool {
    switch tree.value {
    case .number(let text): ReferenceNumber(text).isClamped
    case .array(let elements): elements.contains { holdsHugeExponent($0) }
    case .object(let members): members.contains { holdsHugeExponent($0.value) }
    default: false
    }
  }

  private static func matches(_ filter: ReferenceJSON, _ data: ReferenceJSON) -> Bool {
    filter.members.allSatisfy { wanted in
      guard let value = data.last(wanted.name) else { return false }
      if isEqual(wanted.value, value) { return true }
      if case .array(let choices) = wanted.value.value { return choices.contains { isEqual($0, value) } }
      return false
    }
  }

  private static func isEqual(_ left: ReferenceJSON, _ right: ReferenceJSON) -> Bool {
    switch (left.value, right.value) {
    case (.null, .null): return true
    case (.boolean(let a), .boolean(let b)): return a == b
    case (.string(let a), .string(let b)): return a == b
    case (.number(let a), .number(let b)): return ReferenceNumber(a) == ReferenceNumber(b)
    case (.array(let a), .array(let b)): return a.count == b.count && zip(a, b).allSatisfy { isEqual($0, $1) }
    case (.object(let a), .object(let b)):
      let names = Set(a.map(\.name))
      guard names == Set(b.map(\.name)) else { return false }
      return names.allSatisfy { name in
        guard let x = left.last(name), let y = right.last(name) else { return false }
        return isEqual(x, y)
      }
    default: return false
    }
  }

  /// The reference's exact numbers against the standard library's: equal ones round to the same double.
  private static func compareNumbers(_ left: ReferenceJSON, _ right: ReferenceJSON) throws(FuzzFailure) {
    for a in left.members {
      for b in right.members {
        guard case .number(let x) = a.value.value, case .number(let y) = b.value.value,
          ReferenceNumber(x) == ReferenceNumber(y)
        else { continue }
        let same = Double(String(decoding: x, as: UTF8.self)) == Double(String(decoding: y, as: UTF8.self))
        try require(same, "the reference takes \(x) for \(y)")
      }
    }
  }
}

/// A JSON number's exact value: an integer without trailing zeros, as digits, times a power of ten.
struct ReferenceNumber: Equatable {
  var isNegative = false
  var digits: [UInt8] = []
  var power = 0
  /// The exponent was beyond 10^12 and counts as that.
  var isClamped = false

  /// Reads a valid number.
  init(_ text: [UInt8]) {
    let parts = text.split(whereSeparator: { $0 | 0x20 == 0x65 })
    let mantissa = parts[0]
    isNegative = mantissa.first == UInt8(ascii: "-")
    let fraction = mantissa.firstIndex(of: UInt8(ascii: ".")).map { mantissa.endIndex - $0 - 1 } ?? 0
    digits = Array(mantissa.filter { $0 >= 0x30 && $0 <= 0x39 }.drop { $0 == 0x30 })
    if parts.count > 1 {
      let digits = parts[1].filter { $0 >= 0x30 && $0 <= 0x39 }
      let magnitude = digits.reduce(0) { min($0 * 10 + Int($1 - 0x30), 1_000_000_000_000) }
      isClamped = magnitude == 1_000_000_000_000
      power = parts[1].first == UInt8(ascii: "-") ? -magnitude : magnitude
    }
    power -= fraction
    while digits.last == 0x30 {
      digits.removeLast()
      power += 1
    }
    if digits.isEmpty { (isNegative, power) = (false, 0) }
  }
}
