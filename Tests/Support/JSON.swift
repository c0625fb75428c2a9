// JSON values that tests compare: members in any order, numbers by value. With a parser of its own, apart from the code under test,
// because Foundation's throws an error for every type that a value does not have, and each costs a backtrace in a test.

import Foundation

/// A parsed JSON value.
public enum JSON: Equatable {
  case null
  case boolean(Bool)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  /// Parses a text; nil when it is not JSON.
  public init?(_ text: String) {
    var parser = JSONParser(text: [UInt8](text.utf8))
    guard let value = parser.value(), parser.isAtEnd else { return nil }
    self = value
  }

  /// A member of an object.
  public subscript(name: String) -> JSON? {
    if case .object(let members) = self { return members[name] }
    return nil
  }

  /// The text of a string.
  public var text: String? {
    if case .string(let text) = self { return text }
    return nil
  }

  /// The value of a number.
  public var number: Double? {
    if case .number(let value) = self { return value }
    return nil
  }
}

/// A recursive parser, for texts of well-meaning servers.
private struct JSONParser {
  let text: [UInt8]
  var offset = 0

  init(text: [UInt8]) { self.text = text }

  var isAtEnd: Bool { offset == text.count }

  /// The next value and the white space around it.
  mutating func value() -> JSON? {
    skipSpace()
    defer { skipSpace() }
    guard offset < text.count else { return nil }
    switch text[offset] {
    case UInt8(ascii: "{"): return object()
    case UInt8(ascii: "["): return array()
    case UInt8(ascii: "\""): return string().map { .string($0) }
    case UInt8(ascii: "t"): return take("true") ? .boolean(true) : nil
    case UInt8(ascii: "f"): return take("false") ? .boolean(false) : nil
    case UInt8(ascii: "n"): return take("null") ? .null : nil
    default: return number()
    }
  }

  private mutating func object() -> JSON? {
    var members: [String: JSON] = [:]
    guard take("{") else { return nil }
    skipSpace()
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard let name = string() else { return nil }
      skipSpace()
      // No message may hold a name twice.
      guard take(":"), let member = value(), members.updateValue(member, forKey: name) == nil else { return nil }
    } while take(",")
    return take("}") ? .object(members) : nil
  }

  private mutating func array() -> JSON? {
    var elements: [JSON] = []
    guard take("[") else { return nil }
    skipSpace()
    if take("]") { return .array(elements) }
    repeat {
      guard let element = value() else { return nil }
      elements.append(element)
    } while take(",")
    return take("]") ? .array(elements) : nil
  }

  private mutating func number() -> JSON? {
    let start = offset
    while offset < text.count, "+-.eE0123456789".utf8.contains(text[offset]) { offset += 1 }
    return Double(String(decoding: text[start..<offset], as: UTF8.self)).map { .number($0) }
  }

  private mutating func string() -> String? {
    guard take("\"") else { return nil }
    var units: [UInt16] = []
    var start = offset
    while offset < text.count {
      let byte = text[offset]
      if byte < 0x20 { return nil }
      if byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
        offset += 1
        continue
      }
      units += String(decoding: text[start..<offset], as: UTF8.self).utf16
      offset += 1
      if byte == UInt8(ascii: "\"") { return String(decoding: units, as: UTF16.self) }
      guard let unit = escape() else { return nil }
      units.append(unit)
      start = offset
    }
    return nil
  }

  /// What follows a backslash.
  private mutating func escape() -> UInt16? {
    guard offset < text.count else { return nil }
    let byte = text[offset]
    offset += 1
    switch byte {
    case UInt8(ascii: "b"): return 8
    case UInt8(ascii: "t"): return 9
    case UInt8(ascii: "n"): return 10
    case UInt8(ascii: "f"): return 12
    case UInt8(ascii: "r"): return 13
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UInt16(byte)
    case UInt8(ascii: "u"):
      guard text.count - offset >= 4 else { return nil }
      offset += 4
      return UInt16(String(decoding: text[offset - 4..<offset], as: UTF8.self), radix: 16)
    default: return nil
    }
  }

  private mutating func take(_ literal: StaticString) -> Bool {
    let bytes = Array(literal.description.utf8)
    guard text[offset...].starts(with: bytes) else { return false }
    offset += bytes.count
    return true
  }

  private mutating func skipSpace() {
    while offset < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[offset]) { offset += 1 }
  }
}

/// The bytes of `data` in a message of the channels dialect, as they were sent; nil when there are none.
public func rawData(of message: String) -> String? {
  guard let start = message.range(of: #","data":"#),
    let end = message.range(of: #","timestamp":""#, options: .backwards), start.upperBound <= end.lowerBound
  else { return nil }
  return String(message[start.upperBound..<end.lowerBound])
}
