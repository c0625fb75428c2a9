// The names that the walkers dialect gives to users: root ids. Pure; any thread.
import Buffers
import Wire

/// Root ids, `n:<name>:<24 hex>` (PROTOCOLS 5.2). The name says nothing about whose root it is, and hexadecimal digits
/// may be written in either case: `n::` with lower-case digits is the form to compare.
public enum WalkersRoot {
  /// The root of everyone who is not authenticated (PROTOCOLS 5.1).
  @inlinable public static var publicRoot: StaticString { "n::000000000000000000000001" }
  /// Hexadecimal digits of an id.
  public static var digitCount: Int { 24 }

  /// Whether the JSON string `id` spells a root id.
  static func isValid(_ bytes: Span<UInt8>, _ id: JSONValue) -> Bool {
    if JSONString.isPlain(bytes, id) { return digits(bytes.extracting((id.start + 1)..<(id.end - 1))) != nil }
    var decoded = ByteBuffer(capacity: 64)
    JSONString.decode(bytes, id, into: &decoded)
    return digits(decoded.bytes) != nil
  }

  /// Whether `id` is a root id. For cold paths.
  public static func isValid(_ id: String) -> Bool { digits(id.utf8Span.span) != nil }

  /// Replaces the root id in `text` by its comparable form. False, and `text` as it was, when it is none.
  public static func normalize(_ text: inout ByteBuffer) -> Bool {
    guard let digits = digits(text.bytes) else { return false }
    // At least three bytes stand before the digits.
    text.removeFirst(digits.lowerBound - 3)
    var bytes = text.mutableBytes
    bytes[0] = UInt8(ascii: "n")
    bytes[1] = UInt8(ascii: ":")
    for index in 3..<bytes.count { bytes[index] = lowerCase(bytes[index]) }
    return true
  }

  /// Appends `n::` and the 24 hexadecimal digits `id` in lower case. False, and nothing appended, when it is no id.
  @discardableResult
  public static func append(id: Span<UInt8>, to out: inout ByteBuffer) -> Bool {
    guard id.count == digitCount else { return false }
    for index in 0..<id.count where !isDigit(id[index]) { return false }
    out.append("n::")
    for index in 0..<id.count { out.append(lowerCase(id[index])) }
    return true
  }

  /// A hexadecimal digit in lower case: letters get there by this bit, and decimal digits have it.
  private static func lowerCase(_ digit: UInt8) -> UInt8 { digit | 0x20 }

  /// Where the digits of a root id stand; nil when it is none.
  private static func digits(_ text: Span<UInt8>) -> Range<Int>? {
    guard text.count >= digitCount + 3, text[0] | 0x20 == UInt8(ascii: "n"), text[1] == UInt8(ascii: ":") else {
      return nil
    }
    let start = text.count - digitCount
    guard text[start - 1] == UInt8(ascii: ":") else { return nil }
    for index in 2..<(start - 1) where text[index] == UInt8(ascii: ":") { return nil }
    for index in start..<text.count where !isDigit(text[index]) { return nil }
    return start..<text.count
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 6
  }
}
