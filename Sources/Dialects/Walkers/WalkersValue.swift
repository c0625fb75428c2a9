// The walkers dialect: which JSON values count as a boolean, an integer or a number, as pydantic rules it. Pure; any
// thread; off the data path.
import Buffers
import Wire

/// Reads single values leniently: `"7"` is an integer, `"yes"` is true (PROTOCOLS 5.3).
enum WalkersValue {
  /// The fault of a value, as an error.
  struct Unfit: Error, Equatable {
    let fault: WalkersFault

    init(_ fault: WalkersFault) { self.fault = fault }
  }

  /// Digits that an integer in a string may have: as many as a JSON number that fits a double.
  static let digitsMax = 308

  /// `true`, `false`, their usual spellings without regard to case, and the numbers 1 and 0.
  static func boolean(_ bytes: Span<UInt8>, _ value: JSONValue) -> Result<Bool, Unfit> {
    switch value.kind {
    case .true: return .success(true)
    case .false: return .success(false)
    case .number:
      let text = bytes.extracting(value.range)
      switch Double(text.string) {
      case 1: return .success(true)
      case 0: return .success(false)
      default: return .failure(Unfit(isInteger(text) ? .unreadableBoolean : .notABoolean))
      }
    case .string:
      // The longest spelling has five letters, each six bytes as an escape.
      guard value.end - value.start <= 32 else { return .failure(Unfit(.unreadableBoolean)) }
      var word = ByteBuffer(capacity: 32)
      JSONString.decode(bytes, value, into: &word)
      if isOne(word.bytes, of: ["true", "t", "yes", "y", "on", "1"]) { return .success(true) }
      if isOne(word.bytes, of: ["false", "f", "no", "n", "off", "0"]) { return .success(false) }
      return .failure(Unfit(.unreadableBoolean))
    case .object, .array, .null: return .failure(Unfit(.notABoolean))
    }
  }

  /// Whole numbers however they are written, in strings too; true and false are 1 and 0. Returns nil for an integer
  /// that may stand as it was sent, else its JSON.
  static func integer(_ bytes: Span<UInt8>, _ value: JSONValue) -> Result<String?, Unfit> {
    switch value.kind {
    case .true: return .success("1")
    case .false: return .success("0")
    case .number:
      let text = bytes.extracting(value.range)
      if isInteger(text) { return .success(nil) }
      guard let number = Double(text.string), number == number.rounded(.towardZero) else {
        return .failure(Unfit(.fractionalInteger))
      }
      guard let whole = Int64(exactly: number) else { return .failure(Unfit(.hugeInteger)) }
      return .success(String(whole))
    case .string: return integer(text: decoded(bytes, value)).map { $0 }
    case .object, .array, .null: return .failure(Unfit(.notAnInteger))
    }
  }

  /// Numbers, in strings too; true and false are 1 and 0. Returns nil for one that may stand as it was sent.
  static func number(_ bytes: Span<UInt8>, _ value: JSONValue) -> Result<String?, Unfit> {
    switch value.kind {
    case .true: return .success("1.0")
    case .false: return .success("0.0")
    case .number: return .success(nil)
    case .string: return number(text: decoded(bytes, value)).map { $0 }
    case .object, .array, .null: return .failure(Unfit(.notANumber))
    }
  }

  /// A sign, digits with single underscores between them, and perhaps a point with zeros.
  private static func integer(text: [UInt8]) -> Result<String, Unfit> {
    var rest = trimmed(text)
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    if let point = rest.firstIndex(of: UInt8(ascii: ".")) {
      let zeros = rest[(point + 1)...]
      guard !zeros.isEmpty, zeros.allSatisfy({ $0 == UInt8(ascii: "0") }) else {
        return .failure(Unfit(.unreadableInteger))
      }
      rest = rest[..<point]
    }
    guard let digits = withoutUnderscores(rest), !digits.isEmpty, digits.allSatisfy({ $0 &- 0x30 < 10 }) else {
      return .failure(Unfit(.unreadableInteger))
    }
    let significant = digits.drop { $0 == UInt8(ascii: "0") }
    if significant.count > digitsMax { return .failure(Unfit(.hugeInteger)) }
    if significant.isEmpty { return .success("0") }
    return .success((isNegative ? "-" : "") + String(decoding: significant, as: UTF8.self))
  }

  /// What is a decimal number; the names of infinity and of no number at all have no JSON.
  private static func number(text: [UInt8]) -> Result<String, Unfit> {
    guard let rest = withoutUnderscores(trimmed(text)) else { return .failure(Unfit(.unreadableNumber)) }
    let word = rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") ? rest.dropFirst() : rest[...]
    if isOne(Array(word).span, of: ["nan", "inf", "infinity"]) { return .failure(Unfit(.infiniteNumber)) }
    let isDecimal = rest.allSatisfy { $0 &- 0x30 < 10 || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains($0) }
    guard isDecimal, let number = Double(String(decoding: rest, as: UTF8.self)) else {
      return .failure(Unfit(.unreadableNumber))
    }
    if !number.isFinite { return .failure(Unfit(.infiniteNumber)) }
    return .success(number.description)
  }

  /// The text of a string.
  private static func decoded(_ bytes: Span<UInt8>, _ value: JSONValue) -> [UInt8] {
    var text = ByteBuffer(capacity: 32)
    JSONString.decode(bytes, value, into: &text)
    var copy: [UInt8] = []
    copy.reserveCapacity(text.count)
    for index in 0..<text.count { copy.append(text.bytes[index]) }
    return copy
  }

  private static func trimmed(_ text: [UInt8]) -> ArraySlice<UInt8> {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }
    guard let last = text.lastIndex(where: { !isSpace($0) }) else { return [] }
    return text[...last].drop(while: isSpace)
  }

  /// The text without its underscores; nil when one of them does not stand between two other characters.
  private static func withoutUnderscores(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    let underscore = UInt8(ascii: "_")
    var previous = underscore
    for byte in text {
      if byte == underscore && previous == underscore { return nil }
      previous = byte
    }
    if text.last == underscore { return nil }
    return text.filter { $0 != underscore }
  }

  /// Whether a JSON number is written without point and exponent.
  private static func isInteger(_ number: Span<UInt8>) -> Bool {
    for index in 0..<number.count where number[index] &- 0x30 >= 10 && number[index] != UInt8(ascii: "-") {
      return false
    }
    return true
  }

  private static func isOne(_ word: Span<UInt8>, of words: [StaticString]) -> Bool {
    for candidate in words where word.equalsIgnoringCase(candidate) { return true }
    return false
  }
}
