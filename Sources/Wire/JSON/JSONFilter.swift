// Subscription filters: does a published JSON object carry the members that a subscriber asked for? Pure; the reactor's
// thread.

import Buffers

/// Member filters of PROTOCOLS 2.3. A filter matches when for every one of its members the data has an equal one, or
/// one equal to an element where the filter gives an array. Equality is JSON's: numbers by value (`1`, `1.0`, `10e-1`;
/// -0 is 0), strings by text, objects in any order, arrays in order. Where the data names a member twice the last one
/// counts; a filter that does so demands both.
public enum JSONFilter {
  /// Nested (object or array) data values longer than this in raw bytes equal nothing: comparing them is work per
  /// subscriber.
  public static let nestedValueBytesMax = 65_536

  /// What one match may cost beyond one pass over the filter, in bytes walked over by lookups and comparisons. A match
  /// that would cost more is none. Comparing two objects in any order without memory is quadratic in their members;
  /// this keeps the worst pair at about 1.5 ms, and is four times the longest nested value.
  public static let workBytesMax = 262_144

  /// What a `filters` value asks for.
  public enum Shape: Sendable {
    /// `null` or `{}`: everything on the channel.
    case everything
    /// An object with members, for `matches`.
    case members
    /// Not an object: a string, a number, an array, a boolean.
    case invalid
  }

  /// The shape of the scanned value `filters`.
  public static func shape(_ bytes: Span<UInt8>, _ filters: JSONValue) -> Shape {
    switch filters.kind {
    case .null: return .everything
    case .object:
      let inside = JSONWalk.skipSpace(bytes, filters.start + 1)
      return inside < bytes.count && bytes[inside] == JSONByte.braceClose ? .everything : .members
    default: return .invalid
    }
  }

  /// Whether `data` passes `filter`. Both are whole valid JSON values; `index` was built from exactly this `data`, and
  /// when that build returned false only an empty filter matches. One pass over the filter, whose length the caller
  /// limits, and at most `workBytesMax` beyond that.
  public static func matches(filter: Span<UInt8>, data: Span<UInt8>, index: borrowing JSONMemberIndex) -> Bool {
    let start = JSONWalk.skipSpace(filter, 0)
    guard start < filter.count && filter[start] == JSONByte.braceOpen else { return false }
    var comparison = JSONComparison()
    var children = JSONWalk.Children(filter, start)
    while let wanted = children.next(filter) {
      guard index.objectBytes == data.count,
        let value = index.value(data, named: filter, wanted.key, work: &comparison.work),
        comparison.admits(filter, wanted.value, data, value)
      else { return false }
    }
    return comparison.work >= 0
  }
}

/// One match in progress and the work it may still do.
struct JSONComparison {
  /// Bytes that may still be walked over; below zero every answer is false.
  var work = JSONFilter.workBytesMax

  /// Whether the filter's value `wanted` admits the data's `value`: they are equal, or one of its elements is.
  mutating func admits(_ filter: Span<UInt8>, _ wanted: JSONValue, _ data: Span<UInt8>, _ value: JSONValue) -> Bool {
    let isNested = value.kind == .object || value.kind == .array
    if isNested && value.range.count > JSONFilter.nestedValueBytesMax { return false }
    if isEqual(filter, wanted, data, value) { return true }
    guard wanted.kind == .array else { return false }
    var elements = JSONWalk.Children(filter, wanted.start)
    while work >= 0, let element = elements.next(filter) {
      if isEqual(filter, element.value, data, value) { return true }
    }
    return false
  }

  /// Equality at the top of a value, where equal bytes settle it.
  private mutating func isEqual(_ left: Span<UInt8>, _ a: JSONValue, _ right: Span<UInt8>, _ b: JSONValue) -> Bool {
    if a.kind != b.kind { return false }
    if a.range.count == b.range.count && left.extracting(a.range).equals(right.extracting(b.range)) { return true }
    return isEqual(left, a, right, b, depth: 1)
  }

  /// JSON equality; recursion ends at the scanner's depth limit.
  private mutating func isEqual(
    _ left: Span<UInt8>, _ a: JSONValue, _ right: Span<UInt8>, _ b: JSONValue, depth: Int
  ) -> Bool {
    if a.kind != b.kind || work < 0 || depth > JSONScanner.depthMax { return false }
    switch a.kind {
    case .true, .false, .null:
      return true
    case .string:
      return JSONText.equal(left, a.contents, right, b.contents)
    case .number:
      // The filter's side is paid for by the pass over it; a long number in the data would be read again for each
      // element.
      work -= max(0, b.range.count - a.range.count)
      if work < 0 { return false }
      return JSONDecimal.equal(JSONDecimal(left, a.range), left, JSONDecimal(right, b.range), right)
    case .array:
      return isEqualArray(left, a, right, b, depth: depth)
    case .object:
      return isEqualObject(left, a, right, b, depth: depth)
    }
  }

  private mutating func isEqualArray(
    _ left: Span<UInt8>, _ a: JSONValue, _ right: Span<UInt8>, _ b: JSONValue, depth: Int
  ) -> Bool {
    var lefts = JSONWalk.Children(left, a.start)
    var rights = JSONWalk.Children(right, b.start)
    while true {
      let x = next(&lefts, left)
      let y = next(&rights, right)
      guard let x, let y else { return x == nil && y == nil }
      if !isEqual(left, x.value, right, y.value, depth: depth + 1) { return false }
    }
  }

  /// Every name of either object is in the other, and its last values are equal.
  private mutating func isEqualObject(
    _ left: Span<UInt8>, _ a: JSONValue, _ right: Span<UInt8>, _ b: JSONValue, depth: Int
  ) -> Bool {
    var lefts = JSONWalk.Children(left, a.start)
    while let member = next(&lefts, left) {
      guard let x = last(left, a, named: left, member.key), let y = last(right, b, named: left, member.key),
        isEqual(left, x, right, y, depth: depth + 1)
      else { return false }
    }
    var rights = JSONWalk.Children(right, b.start)
    while let member = next(&rights, right) {
      if last(left, a, named: right, member.key) == nil { return false }
    }
    return true
  }

  /// The next child, and the work of walking there: it may be behind 64 KiB of white space, once for each element of a
  /// filter.
  private mutating func next(
    _ children: inout JSONWalk.Children, _ bytes: Span<UInt8>
  ) -> (key: Range<Int>, value: JSONValue)? {
    let start = children.position
    let child = children.next(bytes)
    work -= children.position - start
    return child
  }

  /// The last member of `object` whose name is spelled by `key` of `text`; nil when there is none or the work is used
  /// up.
  private mutating func last(
    _ bytes: Span<UInt8>, _ object: JSONValue, named text: Span<UInt8>, _ key: Range<Int>
  ) -> JSONValue? {
    work -= object.range.count
    if work < 0 { return nil }
    var found: JSONValue?
    var children = JSONWalk.Children(bytes, object.start)
    while let child = children.next(bytes) {
      if JSONText.equal(bytes, child.key, text, key) { found = child.value }
    }
    return found
  }
}
