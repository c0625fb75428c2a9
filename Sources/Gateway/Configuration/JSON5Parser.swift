// Reads JSON5 and says where it is not (https://spec.json5.org). Foundation's decoder names neither the line nor a key
// that stands twice, which an operator needs. Start-up only.

/// One pass over the bytes of a file.
struct JSON5Parser {
  /// Deepest nesting: settings need four.
  static let depthMax = 16

  private let bytes: [UInt8]
  private var offset = 0
  /// Where keys and items begin, by their paths.
  private var offsets: [String: Int] = [:]

  /// Why and where a text is not JSON5.
  struct SyntaxError: Error, CustomStringConvertible {
    let reason: String
    /// Both from 1; the column counts bytes.
    let line: Int
    let column: Int

    var description: String { "line \(line), column \(column): \(reason)" }
  }

  /// Where in a text its keys and items stand.
  struct Places {
    fileprivate var bytes: [UInt8] = []
    fileprivate var offsets: [String: Int] = [:]

    /// `line 3, column 5` of a path such as `listeners[0].port`, or of the nearest above it that was written; nil where
    /// none was.
    func place(of path: String) -> String? {
      var path = Substring(path)
      while true {
        if let offset = offsets[String(path)] {
          let (line, column) = JSON5Parser.place(offset, in: bytes)
          return "line \(line), column \(column)"
        }
        guard let end = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { return nil }
        path = path[..<end]
      }
      return nil
    }
  }

  /// The one value that `bytes` holds.
  static func parse(_ bytes: [UInt8]) throws(SyntaxError) -> ConfigurationValue {
    var places = Places()
    return try parse(bytes, &places)
  }

  /// The same, with the places of its keys.
  static func parse(_ bytes: [UInt8], _ places: inout Places) throws(SyntaxError) -> ConfigurationValue {
    var parser = JSON5Parser(bytes: bytes)
    if String(validating: bytes, as: UTF8.self) == nil { throw parser.error("not UTF-8") }
    let value = try parser.value(depth: 0, path: "")
    places = Places(bytes: bytes, offsets: parser.offsets)
    try parser.skipSpace()
    if parser.offset < bytes.count { throw parser.error("nothing may follow the end of the value") }
    return value
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// The byte at hand, or 0 at the end: no byte of the grammar is 0.
  private var byte: UInt8 { offset < bytes.count ? bytes[offset] : 0 }

  private func error(_ reason: String, at place: Int? = nil) -> SyntaxError {
    let (line, column) = Self.place(place ?? offset, in: bytes)
    return SyntaxError(reason: reason, line: line, column: column)
  }

  private static func place(_ offset: Int, in bytes: [UInt8]) -> (line: Int, column: Int) {
    let before = bytes[..<min(offset, bytes.count)]
    let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    return (before.count { $0 == 0x0A } + 1, before.count - start + 1)
  }

  private func starts(with text: StaticString) -> Bool {
    var index = offset
    for unit in text.description.utf8 {
      if index >= bytes.count || bytes[index] != unit { return false }
      index += 1
    }
    return true
  }

  private mutating func take(_ text: StaticString) -> Bool {
    if !starts(with: text) { return false }
    offset += text.description.utf8.count
    return true
  }

  /// Passes white space and comments.
  private mutating func skipSpace() throws(SyntaxError) {
    while offset < bytes.count {
      switch byte {
      case 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20:
        offset += 1
      case 0x2F where starts(with: "//"):
        while offset < bytes.count && byte != 0x0A { offset += 1 }
      case 0x2F where starts(with: "/*"):
        let start = offset
        offset += 2
        while !starts(with: "*/") {
          if offset >= bytes.count { throw error("this comment has no end", at: start) }
          offset += 1
        }
        offset += 2
      default:
        // The no-break space, the byte order mark and the two separators of Unicode.
        if !take("\u{A0}") && !take("\u{FEFF}") && !take("\u{2028}") && !take("\u{2029}") { return }
      }
    }
  }

  private mutating func value(depth: Int, path: String) throws(SyntaxError) -> ConfigurationValue {
    try skipSpace()
    if depth > JSON5Parser.depthMax { throw error("nested deeper than \(JSON5Parser.depthMax)") }
    switch byte {
    case 0x7B: return try object(depth: depth, path: path)
    case 0x5B: return try list(depth: depth, path: path)
    case 0x22, 0x27: return .text(try string())
    case 0x2B, 0x2D, 0x2E, 0x30...0x39: return try number()
    default:
      let start = offset
      switch word() {
      case "true": return .boolean(true)
      case "false": return .boolean(false)
      case "null": return .null
      case "Infinity": return .number(.infinity)
      case "NaN": return .number(.nan)
      case "": throw error(offset < bytes.count ? "expected a value" : "the text ends where a value should be")
      case let other: throw error("expected a value; a text needs quotes: \"\(other.prefix(64))\"", at: start)
      }
    }
  }

  private mutating func object(depth: Int, path: String) throws(SyntaxError) -> ConfigurationValue {
    var members: [String: ConfigurationValue] = [:]
    let opening = offset
    offset += 1
    while true {
      try skipSpace()
      if take("}") { return .object(members) }
      if offset >= bytes.count { throw error("this { has no }", at: opening) }
      let start = offset
      let key = byte == 0x22 || byte == 0x27 ? try string() : word()
      if key.isEmpty && offset == start { throw error("expected a key or }") }
      let keyPath = path.isEmpty ? key : "\(path).\(key)"
      if members[key] != nil {
        let first = Self.place(offsets[keyPath] ?? start, in: bytes).line
        throw error("duplicate key \(LogLine.quoted(key)) (first on line \(first))", at: start)
      }
      offsets[keyPath] = start
      try skipSpace()
      if !take(":") { throw error("expected : after a key") }
      members[key] = try value(depth: depth + 1, path: keyPath)
      try skipSpace()
      if !take(",") && byte != 0x7D { throw error("expected , or }") }
    }
  }

  private mutating func list(depth: Int, path: String) throws(SyntaxError) -> ConfigurationValue {
    var items: [ConfigurationValue] = []
    let opening = offset
    offset += 1
    while true {
      try skipSpace()
      if take("]") { return .list(items) }
      if offset >= bytes.count { throw error("this [ has no ]", at: opening) }
      let itemPath = "\(path)[\(items.count)]"
      offsets[itemPath] = offset
      items.append(try value(depth: depth + 1, path: itemPath))
      try skipSpace()
      if !take(",") && byte != 0x5D { throw error("expected , or ]") }
    }
  }

  /// A key without quotes or a literal: letters, digits, `$` and `_`. Any character beyond ASCII counts as a letter.
  private mutating func word() -> String {
    let start = offset
    while offset < bytes.count {
      switch byte {
      case 0x24, 0x5F, 0x41...0x5A, 0x61...0x7A, 0x80...0xFF: offset += 1
      case 0x30...0x39 where offset > start: offset += 1
      default: return String(decoding: bytes[start..<offset], as: UTF8.self)
      }
    }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }
}

// MARK: Numbers and texts

extension JSON5Parser {
  /// An integer where it fits one, else a double: signs, hexadecimal, a point at either end, exponents.
  private mutating func number() throws(SyntaxError) -> ConfigurationValue {
    let start = offset
    let isNegative = byte == 0x2D
    if isNegative || byte == 0x2B { offset += 1 }
    if take("Infinity") { return .number(isNegative ? -.infinity : .infinity) }
    if take("NaN") { return .number(.nan) }
    let first = offset
    while offset < bytes.count {
      let isSign = (byte == 0x2B || byte == 0x2D) && bytes[offset - 1] | 0x20 == 0x65 && !isHexadecimal(from: first)
      guard isSign || byte == 0x2E || Character(Unicode.Scalar(byte)).isHexDigit || byte | 0x20 == 0x78 else { break }
      offset += 1
    }
    let digits = String(decoding: bytes[first..<offset], as: UTF8.self)
    let sign = isNegative ? "-" : ""
    if isHexadecimal(from: first) {
      if let number = Int(sign + digits.dropFirst(2), radix: 16) { return .integer(number) }
    } else if digits.utf8.count == 1 || digits.utf8.first != 0x30 || !digits.dropFirst().allSatisfy(\.isNumber) {
      if let number = Int(sign + digits) { return .integer(number) }
      let full = (digits.hasPrefix(".") ? "0" : "") + digits
      let isDecimal = full.utf8.contains { $0 >= 0x30 && $0 <= 0x39 } && digits != "." && !digits.hasPrefix(".e")
      if isDecimal, let number = Double(sign + full.replacing(".e", with: ".0e").replacing(".E", with: ".0E")),
        number.isFinite
      {
        return .number(number)
      }
    }
    throw error("not a number that can be used", at: start)
  }

  private func isHexadecimal(from first: Int) -> Bool {
    first + 1 < bytes.count && bytes[first] == 0x30 && bytes[first + 1] | 0x20 == 0x78
  }

  /// A text in either kind of quotes.
  private mutating func string() throws(SyntaxError) -> String {
    let opening = offset
    let quote = byte
    var out: [UInt8] = []
    offset += 1
    while offset < bytes.count {
      switch byte {
      case quote:
        offset += 1
        return String(decoding: out, as: UTF8.self)
      case 0x0A, 0x0D:
        throw error("this text has no closing quote on its line", at: opening)
      case 0x5C:
        offset += 1
        try escape(into: &out)
      default:
        out.append(byte)
        offset += 1
      }
    }
    throw error("this text has no closing quote", at: opening)
  }

  /// What follows a backslash. A line end after it continues the text on the next line.
  private mutating func escape(into out: inout [UInt8]) throws(SyntaxError) {
    let start = offset - 1
    let letter = byte
    if offset >= bytes.count { throw error("the text ends inside an escape") }
    offset += 1
    switch letter {
    case 0x62: out.append(0x08)
    case 0x66: out.append(0x0C)
    case 0x6E: out.append(0x0A)
    case 0x72: out.append(0x0D)
    case 0x74: out.append(0x09)
    case 0x76: out.append(0x0B)
    case 0x30 where !(0x30...0x39).contains(byte): out.append(0)
    case 0x0D:
      _ = take("\n")
    case 0x0A: break
    case 0x78: try append(UInt32(hexadecimal(2, from: start)), to: &out, from: start)
    case 0x75:
      var scalar = UInt32(try hexadecimal(4, from: start))
      if (0xD800...0xDBFF).contains(scalar), take("\\u") {
        let low = UInt32(try hexadecimal(4, from: start))
        guard (0xDC00...0xDFFF).contains(low) else { throw error("half of a surrogate pair", at: start) }
        scalar = 0x1_0000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
      }
      try append(scalar, to: &out, from: start)
    case 0x30...0x39: throw error("not an escape", at: start)
    default: out.append(letter)
    }
  }

  private func append(_ scalar: UInt32, to out: inout [UInt8], from start: Int) throws(SyntaxError) {
    guard let scalar = Unicode.Scalar(scalar) else { throw error("half of a surrogate pair", at: start) }
    out.append(contentsOf: String(scalar).utf8)
  }

  private mutating func hexadecimal(_ count: Int, from start: Int) throws(SyntaxError) -> UInt16 {
    let end = offset + count
    guard end <= bytes.count, bytes[offset..<end].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let value = UInt16(String(decoding: bytes[offset..<end], as: UTF8.self), radix: 16)
    else { throw error("expected \(count) hexadecimal digits", at: start) }
    offset = end
    return value
  }
}
