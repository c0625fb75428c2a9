// A configuration file as a tree of plain values, so that keys nobody knows can be found and named. Start-up only.

import FoundationEssentials

/// A JSON5 value.
enum ConfigurationValue: Equatable {
  case null
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case list([ConfigurationValue])
  case object([String: ConfigurationValue])

  /// Reads JSON5: comments, trailing commas, unquoted keys, single quotes, hexadecimal numbers.
  static func parse(json5 bytes: [UInt8]) throws(SyntaxError) -> ConfigurationValue {
    let decoder = JSONDecoder()
    decoder.allowsJSON5 = true
    do {
      return try decoder.decode(ConfigurationValue.self, from: Data(bytes))
    } catch let error as DecodingError {
      throw SyntaxError(text: describe(error))
    } catch {
      throw SyntaxError(text: "not JSON5")
    }
  }

  /// Why a text is not JSON5.
  struct SyntaxError: Error {
    let text: String
  }

  private static func describe(_ error: DecodingError) -> String {
    guard case .dataCorrupted(let context) = error else { return "not JSON5" }
    // The decoder's own sentence ("Unexpected character 'x' around line 3, column 7.") is in the underlying error.
    // SAFETY: the error was made by this call of the decoder; no other thread has it.
    let detail = unsafe (context.underlyingError as? CocoaError)?.userInfo["NSDebugDescription"] as? String
    return "not JSON5: \(detail ?? context.debugDescription)"
  }

  /// How a mistake shows the value: short, on one line.
  var excerpt: String {
    switch self {
    case .null: "null"
    case .boolean(let flag): String(flag)
    case .integer(let number): String(number)
    case .number(let number): String(number)
    case .text(let text): LogLine.quoted(String(text.prefix(64)))
    case .list: "a list"
    case .object: "an object"
    }
  }
}

extension ConfigurationValue: Decodable {
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    if let object = try? decoder.container(keyedBy: Key.self) {
      var members: [String: ConfigurationValue] = [:]
      for key in object.allKeys {
        members[key.stringValue] = try object.decode(ConfigurationValue.self, forKey: key)
      }
      self = .object(members)
      return
    }
    if var list = try? decoder.unkeyedContainer() {
      var items: [ConfigurationValue] = []
      while !list.isAtEnd { items.append(try list.decode(ConfigurationValue.self)) }
      self = .list(items)
      return
    }
    let single = try decoder.singleValueContainer()
    if single.decodeNil() {
      self = .null
    } else if let flag = try? single.decode(Bool.self) {
      self = .boolean(flag)
    } else if let number = try? single.decode(Int.self) {
      self = .integer(number)
    } else if let number = try? single.decode(Double.self) {
      self = .number(number)
    } else {
      self = .text(try single.decode(String.self))
    }
  }
}
