// One validating pass over a JSON document: finds the members a dialect asks for, keeps everything else as raw bytes;
// pure.

import Buffers

/// Strict RFC 8259 scanning of whole documents: iterative, without allocation, in linear time.
///
/// The input must be UTF-8 that has been validated (`UTF8Validator`). Refused on top of the grammar: nesting beyond
/// `depthMax`, numbers that overflow a double, escaped lone surrogates, and a second occurrence of a member that is
/// looked for (HOSTILE 26). Escaped names match: `"\u0061ction"` is `action`.
public enum JSONScanner {
  /// Containers inside each other that a document may have: one bit each in a machine word, and far more than clients
  /// use.
  @inlinable public static var depthMax: Int { 64 }
  /// Bytes of the longest document; a longer one is a syntax error at this offset. Offsets then fit into 30 bits of a
  /// packed slice, and messages are limited to far less (PROTOCOLS G4).
  @inlinable public static var documentBytesMax: Int { (1 << 30) - 1 }

  /// Scans a whole document of any kind and finds the top-level members named by `keys` when it is an object.
  public static func scan(_ bytes: Span<UInt8>, keys: JSONKeySet) throws(JSONError) -> JSONTopLevel {
    guard bytes.count <= documentBytesMax else { throw .syntax(at: documentBytesMax) }
    var result = JSONTopLevel()
    var scan = JSONScan(bytes)
    let start = scan.position
    // Where the member in `slot` begins; -1: the current top-level member is not looked for.
    var slot = -1
    var slotStart = 0
    while true {
      var atKey = false
      switch try scan.beginValue(bytes) {
      case .whole: break
      case .inArray: continue
      case .inObject: atKey = true
      }
      if !atKey {
        // A value has ended; so has every container that closes here.
        var next = JSONScan.Next.close
        while next == .close {
          if scan.depth <= 1 {
            if scan.depth == 0 {
              try scan.requireEnd(bytes)
              let kind = JSONKind(firstByte: bytes[start])
              result.whole = JSONTopLevel.pack(JSONValue(kind: kind, start: start, end: scan.valueEnd))
              return result
            }
            if slot >= 0 {
              try result.record(slot, bytes, slotStart, scan.position)
              slot = -1
            }
          }
          next = try scan.afterValue(bytes)
        }
        atKey = next == .member
      }
      if atKey {
        let key = try scan.key(bytes)
        if scan.depth == 1 {
          slot = keys.index(bytes, key.range, hasEscapes: key.hasEscapes)
          slotStart = scan.position
        }
      }
    }
  }

  /// Checks a whole document of any kind and returns its value, without the white space around it.
  public static func validate(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
    try scan(bytes, keys: noKeys).value
  }

  private static let noKeys = JSONKeySet()
}

extension JSONTopLevel {
  /// Notes the member `slot`, refusing a second one.
  @inline(__always)
  mutating func record(_ slot: Int, _ bytes: Span<UInt8>, _ start: Int, _ end: Int) throws(JSONError) {
    let bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: slot)
    if found & bit != 0 { throw .duplicateMember }
    found |= bit
    members[slot] = Self.pack(JSONValue(kind: JSONKind(firstByte: bytes[start]), start: start, end: end))
  }
}

/// The scanner's position and its stack of open containers.
struct JSONScan {
  /// What begins at a value's first byte.
  enum Begin { case whole, inArray, inObject }
  /// What stands behind a value.
  enum Next { case element, member, close }

  private(set) var position = 0
  private(set) var depth = 0
  /// Where the last whole value ended, before any white space.
  private(set) var valueEnd = 0
  /// One bit per open container, the innermost lowest: set for an object.
  private var containers: UInt64 = 0

  /// A scan that stands at the document's first byte.
  @inline(__always)
  init(_ bytes: Span<UInt8>) { skipSpace(bytes) }

  /// Takes a scalar or an empty container whole, or enters a container up to its first element or key.
  @inline(__always)
  mutating func beginValue(_ bytes: Span<UInt8>) throws(JSONError) -> Begin {
    guard position < bytes.count else { throw .syntax(at: position) }
    switch bytes[position] {
    case JSONByte.quote:
      position = try JSONLexer.string(bytes, position).end
    case JSONByte.minus, 0x30...0x39:
      position = try JSONLexer.number(bytes, position)
    case JSONByte.braceOpen:
      if try enter(bytes, object: 1, close: JSONByte.braceClose) { return .inObject }
    case JSONByte.bracketOpen:
      if try enter(bytes, object: 0, close: JSONByte.bracketClose) { return .inArray }
    case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
      position = try JSONLexer.literal(bytes, position)
    default:
      throw .syntax(at: position)
    }
    valueEnd = position
    return .whole
  }

  /// Opens a container; false when it was empty and is closed again.
  @inline(__always)
  private mutating func enter(_ bytes: Span<UInt8>, object: UInt64, close: UInt8) throws(JSONError) -> Bool {
    guard depth < JSONScanner.depthMax else { throw .depth }
    position += 1
    skipSpace(bytes)
    if position < bytes.count && bytes[position] == close {
      position += 1
      return false
    }
    depth += 1
    containers = containers << 1 | object
    return true
  }

  /// Steps over the comma or the closing bracket behind a value. Only inside a container.
  @inline(__always)
  mutating func afterValue(_ bytes: Span<UInt8>) throws(JSONError) -> Next {
    skipSpace(bytes)
    guard position < bytes.count else { throw .syntax(at: position) }
    let byte = bytes[position]
    let inObject = containers & 1 != 0
    if byte == JSONByte.comma {
      position += 1
      skipSpace(bytes)
      return inObject ? .member : .element
    }
    guard byte == (inObject ? JSONByte.braceClose : JSONByte.bracketClose) else { throw .syntax(at: position) }
    position += 1
    valueEnd = position
    depth -= 1
    containers >>= 1
    return .close
  }

  /// Takes a member's name and colon up to its value; the range is the name between its quotes.
  @inline(__always)
  mutating func key(_ bytes: Span<UInt8>) throws(JSONError) -> (range: Range<Int>, hasEscapes: Bool) {
    guard position < bytes.count && bytes[position] == JSONByte.quote else { throw .syntax(at: position) }
    let start = position + 1
    let name = try JSONLexer.string(bytes, position)
    position = name.end
    skipSpace(bytes)
    guard position < bytes.count && bytes[position] == JSONByte.colon else { throw .syntax(at: position) }
    position += 1
    skipSpace(bytes)
    return (start..<name.end - 1, name.hasEscapes)
  }

  /// Refuses anything but white space behind the document.
  @inline(__always)
  mutating func requireEnd(_ bytes: Span<UInt8>) throws(JSONError) {
    skipSpace(bytes)
    if position < bytes.count { throw .syntax(at: position) }
  }

  @inline(__always)
  private mutating func skipSpace(_ bytes: Span<UInt8>) {
    position = JSONWalk.skipSpace(bytes, position)
  }
}
