// What a JSON scan hands out: kinds, raw slices and errors; plain values without a reference to the scanned bytes.

/// What a JSON value is (RFC 8259 3).
public enum JSONKind: UInt8, Sendable, BitwiseCopyable {
  case object, array, string, number, `true`, `false`, null

  /// The kind of the value whose first byte is `byte`. Only meaningful where a valid value begins.
  @inline(__always)
  init(firstByte byte: UInt8) {
    switch byte {
    case JSONByte.braceOpen: self = .object
    case JSONByte.bracketOpen: self = .array
    case JSONByte.quote: self = .string
    case UInt8(ascii: "t"): self = .true
    case UInt8(ascii: "f"): self = .false
    case UInt8(ascii: "n"): self = .null
    default: self = .number
    }
  }
}

/// One value inside a scanned document: its kind and its raw bytes as offsets, a string with its quotes.
public struct JSONValue: Sendable, Equatable, BitwiseCopyable {
  public var kind: JSONKind
  /// Offset of the first byte of the value.
  public var start: Int
  /// Offset behind the last byte of the value.
  public var end: Int

  @inlinable
  public init(kind: JSONKind, start: Int, end: Int) {
    self.kind = kind
    self.start = start
    self.end = end
  }

  /// The raw slice, `start..<end`.
  @inlinable public var range: Range<Int> { start..<end }

  /// What is between a string's quotes, escapes as written.
  var contents: Range<Int> { start + 1..<max(start + 1, end - 1) }
}

/// Why a document was refused. Offsets count bytes from the start of what was scanned.
public enum JSONError: Error, Equatable, Sendable {
  /// Not JSON by RFC 8259: the first byte that fits nowhere, or the length when the document ends too soon.
  case syntax(at: Int)
  /// A raw control character (below 0x20) inside a string.
  case controlCharacter(at: Int)
  /// A `\u` escape that is half of a surrogate pair, at its backslash.
  case loneSurrogate(at: Int)
  /// A number that no finite double is near enough to (`1e999`), at its first byte.
  case numberRange(at: Int)
  /// More than `JSONScanner.depthMax` containers inside each other.
  case depth
  /// A member that the caller looks for occurs twice at the top level; which one is meant would be guesswork.
  case duplicateMember
}

/// A scanned document: its own slice and those top-level members that the key set names.
public struct JSONTopLevel: Sendable {
  /// The document's value, without the white space around it.
  public internal(set) var value: JSONValue
  @usableFromInline var members: InlineArray<8, JSONValue>
  /// Bit i: member i was found.
  @usableFromInline var found: UInt8

  init() {
    value = JSONValue(kind: .null, start: 0, end: 0)
    members = InlineArray(repeating: JSONValue(kind: .null, start: 0, end: 0))
    found = 0
  }

  /// What the document is.
  @inlinable public var kind: JSONKind { value.kind }

  /// The member with the `index`-th name of the key set; nil when it is absent or the document is not an object.
  @inlinable
  public subscript(index: Int) -> JSONValue? {
    guard index >= 0 && index < 8 && found & (1 << UInt8(truncatingIfNeeded: index)) != 0 else { return nil }
    return members[index]
  }
}

/// The bytes that JSON's grammar is made of.
enum JSONByte {
  static let quote: UInt8 = 0x22
  static let backslash: UInt8 = 0x5C
  static let braceOpen: UInt8 = 0x7B
  static let braceClose: UInt8 = 0x7D
  static let bracketOpen: UInt8 = 0x5B
  static let bracketClose: UInt8 = 0x5D
  static let comma: UInt8 = 0x2C
  static let colon: UInt8 = 0x3A
  static let point: UInt8 = 0x2E
  static let minus: UInt8 = 0x2D
  static let plus: UInt8 = 0x2B
  static let zero: UInt8 = 0x30
}
