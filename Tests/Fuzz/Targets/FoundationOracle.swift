// Foundation's JSON as a second opinion, slow and forgiving in places; asked for a sample of the inputs only.

import Foundation

enum FoundationOracle {
  /// Whether Foundation's verdict says something about RFC 8259. It guesses the encoding from a byte order mark and from
  /// NULs near the start, forgives a comma before a closing bracket, and gives up at its own depth of 512.
  static func isComparable(_ bytes: [UInt8]) -> Bool {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) || bytes.prefix(4).contains(0) { return false }
    var last: UInt8 = 0
    for byte in bytes where byte > 0x20 {
      if last == 0x2C && (byte == 0x5D || byte == 0x7D) { return false }
      last = byte
    }
    return true
  }

  /// The value of `bytes`; nil when it is refused.
  static func parse(_ bytes: [UInt8]) -> Any? {
    try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
  }

  /// The bytes of a standard base64 text with padding.
  static func base64(_ text: String) -> [UInt8]? { Data(base64Encoded: text).map { Array($0) } }

  /// Whether a tree is what Foundation made of the same document. Of members with one name Foundation keeps any.
  static func agrees(_ value: ReferenceJSON, _ other: Any) -> Bool {
    switch value.value {
    case .null: return other is NSNull
    case .boolean(let flag): return (other as? Bool) == flag
    case .number(let text):
      // Integers beyond 64 bits and doubles may be rounded in the last place.
      guard let number = other as? NSNumber, let mine = Double(String(decoding: text, as: UTF8.self)) else {
        return false
      }
      return abs(number.doubleValue - mine) <= abs(mine) * 1e-14
    case .string(let text): return (other as? String).map { Array($0.utf8) == text } ?? false
    case .array(let elements):
      guard let others = other as? [Any], others.count == elements.count else { return false }
      return zip(elements, others).allSatisfy { agrees($0, $1) }
    case .object(let members):
      guard let others = other as? [String: Any] else { return false }
      for (name, _) in members {
        // Swift's strings, Foundation's keys among them, are equal when they are canonically equivalent.
        let key = String(decoding: name, as: UTF8.self)
        let mine = members.filter { String(decoding: $0.name, as: UTF8.self) == key }
        guard let found = others[key], mine.contains(where: { agrees($0.value, found) }) else { return false }
      }
      return true
    }
  }
}
