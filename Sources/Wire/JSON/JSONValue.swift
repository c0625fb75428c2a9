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

extension JSONError: CustomStringConvertible {
  /// A clause with the place.
  public var description: String {
    switch self {
    case .syntax(let offset): "no JSON at byte \(offset)"
    case .controlCharacter(let offset): "a control character in a string at byte \(offset)"
    case .loneSurrogate(let offset): "half of a surrogate pair at byte \(offset)"
    case .numberRange(let offset): "a number that is too large at byte \(offset)"
    case .depth: "nested deeper than \(JSONScanner.depthMax)"
    case .duplicateMember: "a member stands there twice"
    }
  }
}

/// A scanned document: its own slice and those top-level members that the key set names.
///
/// A slice is kept in one word, because the result is copied out of every scan: with `JSONValue`s inside, copying was
/// half of the time that a short message took.
public struct JSONTopLevel: Sendable, BitwiseCopyable {
  @usableFromInline var whole: UInt64 = 0
  @usableFromInline var members = InlineArray<8, UInt64>(repeating: 0)
  /// Bit i: member i was found.
  @usableFromInline var found: UInt8 = 0

  init() {}

  /// The document's value, without the white space around it.
  @inlinable public var value: JSONValue { Self.unpack(whole) }

  /// What the document is.
  @inlinable public var kind: JSONKind { value.kind }

  /// The member with the `index`-th name of the key set; nil when it is absent or the document is not an object.
  @inlinable
  public subscript(index: Int) -> JSONValue? {
    guard index >= 0 && index < 8 && found & (1 &<< UInt8(truncatingIfNeeded: index)) != 0 else { return nil }
    return Self.unpack(members[index])
  }

  /// Kind in the low 4 bits, then 30 bits for either end; `JSONScanner.documentBytesMax` keeps offsets within them.
  @inline(__always)
  static func pack(_ value: JSONValue) -> UInt64 {
    UInt64(value.kind.rawValue) | UInt64(truncatingIfNeeded: value.start) &<< 4
      | UInt64(truncatingIfNeeded: value.end) &<< 34
  }

  @inlinable
  static func unpack(_ word: UInt64) -> JSONValue {
    JSONValue(
      kind: JSONKind(rawValue: UInt8(truncatingIfNeeded: word & 0xF)) ?? .null,
      start: Int(truncatingIfNeeded: word &>> 4 & 0x3FFF_FFFF), end: Int(truncatingIfNeeded: word &>> 34))
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
