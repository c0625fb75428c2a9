// Subscription filters: does a published JSON object carry the members that a subscriber asked for? Pure; the reactor's
// thread.

import Buffers

/// Member filters of PROTOCOLS 2.3. A filter matches when for every one of its members the data has an equal one, or
/// one equal to an element where the filter gives an array. Equality is JSON's: numbers by value (`1`, `1.0`, `10e-1`;
/// -0 is 0), strings by text, objects in any order, arrays in order. Where the data names a member twice the last one
/// counts; a filter that does so demands both.
public enum JSONFilter {
  /// Nested (object or array) data values longer than this in raw bytes equal nothing: such a value is digested once
  /// for each message.
  public static let nestedValueBytesMax = 65_536

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
  /// limits; long values of the data are looked at once for all filters.
  public static func matches(filter: Span<UInt8>, data: Span<UInt8>, index: inout JSONMemberIndex) -> Bool {
    let start = JSONWalk.skipSpace(filter, 0)
    guard start < filter.count && filter[start] == JSONByte.braceOpen else { return false }
    var children = JSONWalk.Children(filter, start)
    while let wanted = children.next(filter) {
      guard index.objectBytes == data.count, let member = index.member(data, named: filter, wanted.key),
        admits(filter, wanted.value, data, member, &index)
      else { return false }
    }
    return true
  }

  /// Whether the filter's value `wanted` admits the data's member: they are equal, or one of its elements is.
  private static func admits(
    _ filter: Span<UInt8>, _ wanted: JSONValue, _ data: Span<UInt8>, _ member: Int, _ index: inout JSONMemberIndex
  ) -> Bool {
    let value = index.value(member)
    let isNested = value.kind == .object || value.kind == .array
    if isNested && value.range.count > nestedValueBytesMax { return false }
    if isEqual(filter, wanted, data, member, &index) { return true }
    guard wanted.kind == .array else { return false }
    var elements = JSONWalk.Children(filter, wanted.start)
    while let element = elements.next(filter) {
      if isEqual(filter, element.value, data, member, &index) { return true }
    }
    return false
  }

  private static func isEqual(
    _ filter: Span<UInt8>, _ wanted: JSONValue, _ data: Span<UInt8>, _ member: Int, _ index: inout JSONMemberIndex
  ) -> Bool {
    let value = index.value(member)
    if wanted.kind != value.kind { return false }
    switch wanted.kind {
    case .true, .false, .null:
      return true
    case .string:
      return JSONText.equal(filter, wanted.contents, data, value.contents)
    case .number, .array, .object:
      if wanted.range.count == value.range.count
        && filter.extracting(wanted.range).equals(data.extracting(value.range))
      {
        return true
      }
      return index.digest(filter, wanted) == index.digest(data, ofMember: member)
    }
  }
}
