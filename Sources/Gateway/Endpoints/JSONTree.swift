// JSON that the endpoints write, as a tree. Cold paths only, any thread.
import Auth
import Buffers
import Wire

/// A JSON value to be written.
enum JSONTree: Sendable {
  case string(String)
  case integer(Int64)
  case boolean(Bool)
  case null
  /// JSON that has been checked, as it was sent.
  case raw([UInt8])
  case array([JSONTree])
  /// Members in order.
  case object([(String, JSONTree)])

  /// The value as compact UTF-8.
  var bytes: [UInt8] {
    var out = ByteBuffer(capacity: 256)
    append(to: &out)
    return out.bytes.array
  }

  private func append(to out: inout ByteBuffer) {
    switch self {
    case .string(let text): JSONString.appendQuoted(text, to: &out)
    case .integer(let number): out.append(decimal: Int(number))
    case .boolean(let flag): out.append(flag ? "true" as StaticString : "false")
    case .null: out.append("null" as StaticString)
    case .raw(let text): out.append(text.span)
    case .array(let items):
      out.append("[" as StaticString)
      for (index, item) in items.enumerated() {
        if index > 0 { out.append("," as StaticString) }
        item.append(to: &out)
      }
      out.append("]" as StaticString)
    case .object(let members):
      out.append("{" as StaticString)
      for (index, member) in members.enumerated() {
        if index > 0 { out.append("," as StaticString) }
        JSONString.appendQuoted(member.0, to: &out)
        out.append(":" as StaticString)
        member.1.append(to: &out)
      }
      out.append("}" as StaticString)
    }
  }

  /// The claims of a token as an object.
  init(_ claims: [(String, JWTClaimValue)]) {
    self = .object(
      claims.map { name, value in
        switch value {
        case .string(let text): (name, .string(text))
        case .integer(let number): (name, .integer(number))
        case .boolean(let flag): (name, .boolean(flag))
        case .null: (name, .null)
        case .object(let members): (name, JSONTree(members))
        }
      })
  }
}

extension JSONTree: ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
  ExpressibleByBooleanLiteral
{
  init(stringLiteral value: String) { self = .string(value) }
  init(booleanLiteral value: Bool) { self = .boolean(value) }
  init(arrayLiteral elements: JSONTree...) { self = .array(elements) }
  init(dictionaryLiteral elements: (String, JSONTree)...) { self = .object(elements) }
}

extension HTTPAnswer {
  /// A JSON answer with status 200.
  static func json(_ tree: JSONTree) -> HTTPAnswer { json(200, tree) }

  /// A JSON answer.
  static func json(_ status: Int, _ tree: JSONTree) -> HTTPAnswer {
    HTTPAnswer(status: status, contentType: "application/json", body: tree.bytes)
  }

  /// A plain text.
  static func text(_ status: Int, _ text: String) -> HTTPAnswer {
    HTTPAnswer(status: status, contentType: "text/plain", body: Array(text.utf8))
  }

  /// The same answer with what the log and the metrics say of it, and the client is not told.
  func because(_ denial: Denial) -> HTTPAnswer {
    var answer = self
    answer.denial = denial
    return answer
  }

  /// The same answer with more headers.
  func adding(_ more: [(String, String)]) -> HTTPAnswer {
    var answer = self
    answer.headers += more
    return answer
  }
}

extension EndpointOutcome {
  /// The same outcome with more headers in its answer.
  func adding(_ headers: [(String, String)]) -> EndpointOutcome {
    switch self {
    case .now(let answer): .now(answer.adding(headers))
    case .later(let work): .later { await work().adding(headers) }
    }
  }
}
