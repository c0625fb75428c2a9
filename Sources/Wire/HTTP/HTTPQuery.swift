// Finds parameters in a query string; pure functions, usable from any thread.

import Buffers

/// Query parameters as HTML forms encode them (PROTOCOLS G8).
public enum HTTPQuery {
  /// Appends the decoded value of the parameter `name` to `buffer` and returns whether there is one.
  ///
  /// Names and values are percent-decoded and `+` is a space. The first parameter of that name decides; an empty
  /// value counts as absent. Without a value `buffer` is left as it was. Linear in the query. `query` is a range of
  /// `bytes` without the `?`.
  public static func value(
    of name: StaticString, in bytes: Span<UInt8>, query: Range<Int>, into buffer: inout ByteBuffer
  ) -> Bool {
    var pairs = HTTPQueryIterator(query)
    while let (key, value) = pairs.next(in: bytes) {
      let rawName = bytes.extracting(key)
      if rawName.count < name.utf8CodeUnitCount { continue }
      if rawName.equals(name) { return append(bytes, value, to: &buffer) }
      if !PercentCoding.isEncoded(rawName) { continue }
      let start = buffer.count
      PercentCoding.append(rawName, plusIsSpace: true, to: &buffer)
      let isFound = buffer.bytes.extracting(start..<buffer.count).equals(name)
      buffer.truncate(to: start)
      if isFound { return append(bytes, value, to: &buffer) }
    }
    return false
  }

  /// The same for a name known at run time.
  public static func value(
    of name: Span<UInt8>, in bytes: Span<UInt8>, query: Range<Int>, into buffer: inout ByteBuffer
  ) -> Bool {
    var pairs = HTTPQueryIterator(query)
    while let (key, value) = pairs.next(in: bytes) {
      if PercentCoding.equalsDecoded(bytes.extracting(key), name) {
        return append(bytes, value, to: &buffer)
      }
    }
    return false
  }

  private static func append(_ bytes: Span<UInt8>, _ value: Range<Int>, to buffer: inout ByteBuffer) -> Bool {
    PercentCoding.append(bytes.extracting(value), plusIsSpace: true, to: &buffer)
    return !value.isEmpty
  }
}

/// The `name=value` pairs of a query in order, still encoded. A pair without `=` has an empty value.
public struct HTTPQueryIterator: Sendable, BitwiseCopyable {
  private var position: Int
  private let end: Int

  /// The pairs of `query`, a range without the `?`.
  public init(_ query: Range<Int>) {
    position = query.lowerBound
    end = query.upperBound
  }

  /// The next pair, or nil after the last. `bytes` must be those that `query` points into.
  public mutating func next(in bytes: Span<UInt8>) -> (name: Range<Int>, value: Range<Int>)? {
    let end = min(end, bytes.count)
    if position >= end { return nil }
    let start = position
    var equals = -1
    while position < end, bytes[position] != 0x26 {
      if equals < 0, bytes[position] == 0x3D { equals = position }
      position += 1
    }
    let stop = position
    position += 1
    return equals < 0 ? (start..<stop, stop..<stop) : (start..<equals, (equals + 1)..<stop)
  }
}
