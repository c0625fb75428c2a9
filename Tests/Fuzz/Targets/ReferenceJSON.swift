// RFC 8259 by recursive descent into a tree, to compare the scanners with. Written for plainness, over arrays.

/// A parsed value with the place that it came from.
struct ReferenceJSON {
  enum Value {
    case null
    case boolean(Bool)
    /// A number as written.
    case number([UInt8])
    /// The text in UTF-8.
    case string([UInt8])
    case array([ReferenceJSON])
    case object([(name: [UInt8], value: ReferenceJSON)])
  }

  enum Fault: Error { case syntax, controlCharacter, loneSurrogate, numberRange, depth }

  var value: Value
  var range: Range<Int>

  /// The members of an object; none for anything else.
  var members: [(name: [UInt8], value: ReferenceJSON)] {
    if case .object(let members) = value { return members }
    return []
  }

  var isObject: Bool { if case .object = value { true } else { false } }
  var isNull: Bool { if case .null = value { true } else { false } }

  /// The text of a string; nil for anything else.
  var text: [UInt8]? { if case .string(let text) = value { text } else { nil } }

  /// The last member named `name`.
  func last(_ name: String) -> ReferenceJSON? { members.last { $0.name == Array(name.utf8) }?.value }
  func last(_ name: [UInt8]) -> ReferenceJSON? { members.last { $0.name == name }?.value }

  /// Parses the whole of `bytes`, valid UTF-8.
  static func parse(
    _ bytes: [UInt8], depthMax: Int = 64, refusesOverflow: Bool = true
  ) throws(Fault) -> ReferenceJSON {
    var parser = ReferenceJSONParser(bytes: bytes, depthMax: depthMax, refusesOverflow: refusesOverflow)
    parser.space()
    let value = try parser.value(depth: 0)
    parser.space()
    if parser.at != bytes.count { throw .syntax }
    return value
  }
}

private struct ReferenceJSONParser {
  let bytes: [UInt8]
  let depthMax: Int
  let refusesOverflow: Bool
  var at = 0

  private var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

  mutating func space() {
    while let byte, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { at += 1 }
  }

  private mutating func take(_ character: Character) -> Bool {
    guard byte == character.asciiValue else { return false }
    at += 1
    return true
  }

  mutating func value(depth: Int) throws(ReferenceJSON.Fault) -> ReferenceJSON {
    let start = at
    let value: ReferenceJSON.Value
    switch byte {
    case UInt8(ascii: "{"): value = .object(try object(depth: depth))
    case UInt8(ascii: "["): value = .array(try array(depth: depth))
    case UInt8(ascii: "\""): value = .string(try string())
    case UInt8(ascii: "t"): value = try literal("true", .boolean(true))
    case UInt8(ascii: "f"): value = try literal("false", .boolean(false))
    case UInt8(ascii: "n"): value = try literal("null", .null)
    default: value = .number(try number())
    }
    return ReferenceJSON(value: value, range: start..<at)
  }

  private mutating func literal(
    _ text: String, _ value: ReferenceJSON.Value
  ) throws(ReferenceJSON.Fault) -> ReferenceJSON.Value {
    guard bytes[at...].starts(with: text.utf8) else { throw .syntax }
    at += text.utf8.count
    return value
  }

  private mutating func array(depth: Int) throws(ReferenceJSON.Fault) -> [ReferenceJSON] {
    var elements: [ReferenceJSON] = []
    if depth == depthMax { throw .depth }
    at += 1
    space()
    if take("]") { return [] }
    repeat {
      space()
      elements.append(try value(depth: depth + 1))
      space()
    } while take(",")
    if !take("]") { throw .syntax }
    return elements
  }

  private mutating func object(
    depth: Int
  ) throws(ReferenceJSON.Fault) -> [(name: [UInt8], value: ReferenceJSON)] {
    var members: [(name: [UInt8], value: ReferenceJSON)] = []
    if depth == depthMax { throw .depth }
    at += 1
    space()
    if take("}") { return [] }
    repeat {
      space()
      guard byte == UInt8(ascii: "\"") else { throw .syntax }
      let name = try string()
      space()
      if !take(":") { throw .syntax }
      space()
      members.append((name, try value(depth: depth + 1)))
      space()
    } while take(",")
    if !take("}") { throw .syntax }
    return members
  }

  private mutating func digits() throws(ReferenceJSON.Fault) {
    let start = at
    while let byte, byte >= 0x30 && byte <= 0x39 { at += 1 }
    if at == start { throw .syntax }
  }

  private mutating func number() throws(ReferenceJSON.Fault) -> [UInt8] {
    let start = at
    _ = take("-")
    if !take("0") { try digits() }
    if take(".") { try digits() }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      try digits()
    }
    let text = Array(bytes[start..<at])
    if refusesOverflow, let value = Double(String(decoding: text, as: UTF8.self)), !value.isFinite {
      throw .numberRange
    }
    return text
  }

  private mutating func string() throws(ReferenceJSON.Fault) -> [UInt8] {
    var text: [UInt8] = []
    at += 1
    while let byte {
      if byte < 0x20 { throw .controlCharacter }
      at += 1
      switch byte {
      case UInt8(ascii: "\""): return text
      case UInt8(ascii: "\\"): text += try escape()
      default: text.append(byte)
      }
    }
    throw .syntax
  }

  private static let escapes: [UInt8: UInt8] = [
    0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 0x08, 0x66: 0x0C, 0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09,
  ]

  /// What follows a backslash.
  private mutating func escape() throws(ReferenceJSON.Fault) -> [UInt8] {
    guard let letter = byte else { throw .syntax }
    at += 1
    if let plain = Self.escapes[letter] { return [plain] }
    if letter != UInt8(ascii: "u") { throw .syntax }
    var units = [try unit()]
    if units[0] >= 0xDC00 && units[0] <= 0xDFFF { throw .loneSurrogate }
    if units[0] >= 0xD800 && units[0] <= 0xDBFF {
      if !(take("\\") && take("u")) { throw .loneSurrogate }
      units.append(try unit())
      if units[1] < 0xDC00 || units[1] > 0xDFFF { throw .loneSurrogate }
    }
    return Array(String(decoding: units, as: UTF16.self).utf8)
  }

  private mutating func unit() throws(ReferenceJSON.Fault) -> UInt16 {
    guard at + 4 <= bytes.count, bytes[at..<at + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let unit = UInt16(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
    else { throw .syntax }
    at += 4
    return unit
  }
}
