// JSON values that tests compare: members in any order, numbers by value. Parsed by Foundation, not by the code under test.

import Foundation

/// A parsed JSON value.
public enum JSON: Equatable, Decodable {
  case null
  case boolean(Bool)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  /// Parses a text; nil when it is not JSON.
  public init?(_ text: String) {
    guard let value = try? JSONDecoder().decode(JSON.self, from: Data(text.utf8)) else { return nil }
    self = value
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .boolean(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSON].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSON].self))
    }
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

/// The bytes of `data` in a message of the channels dialect, as they were sent; nil when there are none.
public func rawData(of message: String) -> String? {
  guard let start = message.range(of: #","data":"#),
    let end = message.range(of: #","timestamp":""#, options: .backwards), start.upperBound <= end.lowerBound
  else { return nil }
  return String(message[start.upperBound..<end.lowerBound])
}
