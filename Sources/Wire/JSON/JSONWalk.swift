// Stepping through JSON that a scan has already accepted: no checks, but also no traps and no endless loop on anything
// else.

import Buffers

/// Offsets inside accepted JSON. On other input the answers are arbitrary but inside the span.
enum JSONWalk {
  /// The first offset from `start` that is not white space (RFC 8259 2), or the end.
  @inline(__always)
  static func skipSpace(_ bytes: Span<UInt8>, _ start: Int) -> Int {
    var position = start
    while position < bytes.count {
      let byte = bytes[position]
      if byte > 0x20 { break }
      guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { break }
      position += 1
    }
    return position
  }

  /// The end of the string whose opening quote is at `start`.
  static func stringEnd(_ bytes: Span<UInt8>, _ start: Int) -> Int {
    var position = start + 1
    while true {
      position = JSONLexer.nextSpecial(bytes, position, bytes.count)
      guard position < bytes.count else { return bytes.count }
      switch bytes[position] {
      case JSONByte.quote: return position + 1
      case JSONByte.backslash: position = min(position + 2, bytes.count)
      default: position += 1
      }
    }
  }

  /// The end of the value that begins at `start`.
  static func valueEnd(_ bytes: Span<UInt8>, _ start: Int) -> Int {
    var position = start
    var depth = 0
    while position < bytes.count {
      switch bytes[position] {
      case JSONByte.quote:
        position = stringEnd(bytes, position)
        if depth == 0 { return position }
        continue
      case JSONByte.braceOpen, JSONByte.bracketOpen:
        depth += 1
      case JSONByte.braceClose, JSONByte.bracketClose:
        depth -= 1
        if depth == 0 { return position + 1 }
        if depth < 0 { return position }
      case JSONByte.comma, 0x00...0x20:
        if depth == 0 { return position }
      default:
        break
      }
      position += 1
    }
    return bytes.count
  }

  /// A walk over the members or elements of the container that begins at `start`; none when there is no container.
  struct Children: Sendable, BitwiseCopyable {
    private(set) var position: Int
    private let isObject: Bool

    init(_ bytes: Span<UInt8>, _ start: Int) {
      position = start < bytes.count ? start + 1 : bytes.count
      isObject = start < bytes.count && bytes[start] == JSONByte.braceOpen
    }

    /// The next child: its name between the quotes (empty for an array's element) and its value.
    @inline(__always)
    mutating func next(_ bytes: Span<UInt8>) -> (key: Range<Int>, value: JSONValue)? {
      position = skipSpace(bytes, position)
      if position < bytes.count && bytes[position] == JSONByte.comma { position = skipSpace(bytes, position + 1) }
      var key = position..<position
      if isObject {
        guard position < bytes.count && bytes[position] == JSONByte.quote else { return nil }
        let keyEnd = stringEnd(bytes, position)
        key = JSONValue(kind: .string, start: position, end: keyEnd).contents
        position = skipSpace(bytes, keyEnd)
        position = skipSpace(bytes, min(position + 1, bytes.count))
      }
      guard position < bytes.count else { return nil }
      let start = position
      position = valueEnd(bytes, start)
      // An empty value is the closing bracket: nothing is left.
      guard position > start else { return nil }
      return (key, JSONValue(kind: JSONKind(firstByte: bytes[start]), start: start, end: position))
    }
  }
}
