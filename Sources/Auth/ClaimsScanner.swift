// A strict JSON reader for token headers and claims (RFC 8259), small because tokens are. Stateless over borrowed
// bytes.
import Buffers

/// What sort of JSON value a member has.
enum ClaimKind {
  case string, number, boolean, null, object, array
}

/// A cursor that validates JSON. Every method that returns false or nil leaves the cursor where the fault is.
///
/// Iterative: nesting costs a bit, not a stack frame. Stricter than RFC 8259 where a token has no business: U+0000 is
/// refused in every spelling, and so are escapes that are lone surrogates.
struct ClaimsScanner: ~Escapable {
  /// Nested objects and arrays, the outermost included. Real claims use two or three levels.
  static let depthMax = 32

  let bytes: Span<UInt8>
  private(set) var at = 0

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) {
    self.bytes = bytes
  }

  /// Whether only white space is left.
  mutating func isAtEnd() -> Bool {
    skipSpace()
    return at == bytes.count
  }

  /// Steps over `byte`, after white space, if it is next.
  mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard at < bytes.count, bytes[at] == byte else { return false }
    at += 1
    return true
  }

  /// Steps over a member's name and its colon; the range of the name's bytes between the quotes, escapes not resolved.
  mutating func name() -> Range<Int>? {
    skipSpace()
    let start = at + 1
    guard string() else { return nil }
    let end = at - 1
    guard take(0x3A) else { return nil }
    return start..<end
  }

  /// Steps over one value that is itself nested in `depth` others.
  mutating func value(depth outer: Int) -> ClaimKind? {
    // Bit n says whether the container at depth n below this value is an object.
    var objects: UInt64 = 0
    var depth = 0
    skipSpace()
    guard at < bytes.count, let kind = Self.kind(bytes[at]) else { return nil }
    while true {
      skipSpace()
      guard at < bytes.count, let next = Self.kind(bytes[at]) else { return nil }
      if next == .object || next == .array {
        guard outer + depth < Self.depthMax else { return nil }
        depth += 1
        objects = objects << 1 | (next == .object ? 1 : 0)
        at += 1
        if !take(next == .object ? 0x7D : 0x5D) {
          if next == .object, name() == nil { return nil }
          continue
        }
        depth -= 1
        objects >>= 1
      } else if !scalar(next) {
        return nil
      }
      while depth > 0 {
        let isObject = objects & 1 == 1
        if take(0x2C) {
          if isObject, name() == nil { return nil }
          break
        }
        guard take(isObject ? 0x7D : 0x5D) else { return nil }
        depth -= 1
        objects >>= 1
      }
      if depth == 0 { return kind }
    }
  }

  /// The kind of value that `byte` opens.
  private static func kind(_ byte: UInt8) -> ClaimKind? {
    switch byte {
    case 0x22: .string
    case 0x2D, 0x30...0x39: .number
    case 0x74, 0x66: .boolean
    case 0x6E: .null
    case 0x7B: .object
    case 0x5B: .array
    default: nil
    }
  }

  private mutating func scalar(_ kind: ClaimKind) -> Bool {
    switch kind {
    case .string: string()
    case .number: number()
    case .boolean: literal("true") || literal("false")
    default: literal("null")
    }
  }

  /// Steps over white space.
  mutating func skipSpace() {
    while at < bytes.count {
      switch bytes[at] {
      case 0x20, 0x09, 0x0A, 0x0D: at += 1
      default: return
      }
    }
  }

  private mutating func literal(_ text: StaticString) -> Bool {
    let end = at + text.utf8CodeUnitCount
    guard end <= bytes.count, bytes.extracting(at..<end).equals(text) else { return false }
    at = end
    return true
  }

  private mutating func digits() -> Bool {
    let start = at
    while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 { at += 1 }
    return at > start
  }

  private mutating func number() -> Bool {
    if bytes[at] == 0x2D { at += 1 }
    let first = at
    guard digits() else { return false }
    if bytes[first] == 0x30, at > first + 1 { return false }
    if at < bytes.count, bytes[at] == 0x2E {
      at += 1
      guard digits() else { return false }
    }
    if at < bytes.count, bytes[at] | 0x20 == 0x65 {
      at += 1
      if at < bytes.count, bytes[at] == 0x2B || bytes[at] == 0x2D { at += 1 }
      guard digits() else { return false }
    }
    return true
  }

  /// Steps over a string, quotes included.
  private mutating func string() -> Bool {
    guard at < bytes.count, bytes[at] == 0x22 else { return false }
    at += 1
    while at < bytes.count {
      let byte = bytes[at]
      switch byte {
      case 0x22:
        at += 1
        return true
      case 0x5C:
        guard escape() else { return false }
      case 0x20...0x7F:
        at += 1
      case 0x80...0xFF:
        guard multibyte(byte) else { return false }
      default:
        return false
      }
    }
    return false
  }

  private mutating func escape() -> Bool {
    guard at + 1 < bytes.count else { return false }
    switch bytes[at + 1] {
    case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74:
      at += 2
      return true
    case 0x75:
      guard let unit = Self.codeUnit(bytes, at + 2), unit != 0, !(0xDC00...0xDFFF).contains(unit) else { return false }
      at += 6
      guard (0xD800...0xDBFF).contains(unit) else { return true }
      guard at + 1 < bytes.count, bytes[at] == 0x5C, bytes[at + 1] == 0x75,
        let low = Self.codeUnit(bytes, at + 2), (0xDC00...0xDFFF).contains(low)
      else { return false }
      at += 6
      return true
    default:
      return false
    }
  }

  /// Steps over one UTF-8 sequence (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
  private mutating func multibyte(_ lead: UInt8) -> Bool {
    let length: Int
    switch lead {
    case 0xC2...0xDF: length = 2
    case 0xE0...0xEF: length = 3
    case 0xF0...0xF4: length = 4
    default: return false
    }
    guard at + length <= bytes.count else { return false }
    let second = bytes[at + 1]
    switch lead {
    case 0xE0: if second < 0xA0 { return false }
    case 0xED: if second > 0x9F { return false }
    case 0xF0: if second < 0x90 { return false }
    case 0xF4: if second > 0x8F { return false }
    default: break
    }
    for offset in 1..<length where bytes[at + offset] & 0xC0 != 0x80 { return false }
    at += length
    return true
  }

  /// The four hexadecimal digits of a `\u` escape at `offset`.
  static func codeUnit(_ bytes: Span<UInt8>, _ offset: Int) -> UInt32? {
    guard offset + 4 <= bytes.count else { return nil }
    var unit: UInt32 = 0
    for index in offset..<offset + 4 {
      let byte = bytes[index]
      switch byte {
      case 0x30...0x39: unit = unit << 4 | UInt32(byte - 0x30)
      case 0x41...0x46: unit = unit << 4 | UInt32(byte - 0x41 + 10)
      case 0x61...0x66: unit = unit << 4 | UInt32(byte - 0x61 + 10)
      default: return nil
      }
    }
    return unit
  }
}
