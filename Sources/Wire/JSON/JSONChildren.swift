// A walk over what is inside one scanned array or object, for dialects whose messages hold lists. Pure; any thread.

import Buffers

/// The children of one container of a scanned document, in order, without allocation. Linear in the container.
public struct JSONChildren: Sendable, BitwiseCopyable {
  private var walk: JSONWalk.Children
  private let isObject: Bool

  /// The children of `container`, a value that a scan of `bytes` has handed out. A value that is neither array nor
  /// object has none.
  public init(of container: JSONValue, in bytes: Span<UInt8>) {
    isObject = container.kind == .object
    let isContainer = isObject || container.kind == .array
    walk = JSONWalk.Children(bytes, isContainer ? container.start : bytes.count)
  }

  /// The next child: its value, and its name as a JSON string where the container is an object. Nil behind the last.
  public mutating func next(_ bytes: Span<UInt8>) -> (name: JSONValue?, value: JSONValue)? {
    guard let child = walk.next(bytes) else { return nil }
    if !isObject { return (nil, child.value) }
    return (JSONValue(kind: .string, start: child.key.lowerBound - 1, end: child.key.upperBound + 1), child.value)
  }
}

extension JSONString {
  /// Whether the string `raw` spells `text`, plain UTF-8. Stops at the first difference.
  public static func equals(_ bytes: Span<UInt8>, _ raw: JSONValue, _ text: Span<UInt8>) -> Bool {
    // An escape is never shorter than what it stands for.
    guard raw.kind == .string && raw.end - raw.start >= text.count + 2 else { return false }
    var reader = JSONTextReader(raw.contents)
    for index in 0..<text.count {
      guard let byte = reader.next(bytes), byte == text[index] else { return false }
    }
    return reader.next(bytes) == nil
  }
}
