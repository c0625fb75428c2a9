// Members of the small JSON objects that endpoints are sent. Any thread.
import Buffers
import Wire

/// A body read as a JSON object.
struct EndpointBody {
  /// Why a body could not be read.
  enum Problem: Error, Equatable {
    /// Not JSON, or not UTF-8: the offset of the first byte that is wrong.
    case malformed(Int)
    /// JSON, but no object.
    case notObject
    /// A member that counts stands there twice.
    case duplicate
  }

  /// What a member is.
  enum Member: Equatable {
    case absent
    case null
    case text(String)
    /// Neither a string nor null.
    case other
  }

  private let bytes: [UInt8]
  private let top: JSONTopLevel

  /// Reads `bytes`, of which the members in `keys` count.
  init(_ bytes: [UInt8], _ keys: JSONKeySet) throws(Problem) {
    guard UTF8Validator.isValid(bytes.span) else { throw .malformed(0) }
    self.bytes = bytes
    do {
      top = try JSONScanner.scan(bytes.span, keys: keys)
    } catch {
      switch error {
      case .syntax(let at), .controlCharacter(let at), .loneSurrogate(let at), .numberRange(let at):
        throw .malformed(at)
      case .depth: throw .malformed(0)
      case .duplicateMember: throw .duplicate
      }
    }
    if top.kind != .object { throw .notObject }
  }

  /// The member with the `index`-th name of the keys.
  func member(_ index: Int) -> Member {
    guard let value = top[index] else { return .absent }
    switch value.kind {
    case .null: return .null
    case .string:
      var text = ByteBuffer(capacity: value.end - value.start)
      JSONString.decode(bytes.span, value, into: &text)
      return .text(text.bytes.string)
    default: return .other
    }
  }

  /// The same member as it was sent; nil when it is absent.
  func raw(_ index: Int) -> [UInt8]? { top[index].map { Array(bytes[$0.start..<$0.end]) } }

  /// Whether a `Content-Type` header says JSON: `application/json` or `application/…+json`, with any parameters.
  static func isJSON(_ contentType: String?) -> Bool {
    guard let type = contentType?.split(separator: ";", omittingEmptySubsequences: false).first else { return false }
    let name = type.trimmed.lowercased()
    return name == "application/json" || (name.hasPrefix("application/") && name.hasSuffix("+json"))
  }
}

extension EndpointRequest {
  /// A parameter of the query, decoded (PROTOCOLS G8); nil when absent, empty or not UTF-8.
  func parameter(_ name: StaticString) -> String? {
    var value = ByteBuffer()
    guard HTTPQuery.value(of: name, in: query.span, query: 0..<query.count, into: &value) else { return nil }
    return UTF8Validator.isValid(value.bytes) ? value.bytes.string : nil
  }

  /// The token of an `Authorization` header: what follows `Bearer`, in any case, or, if `takesBare`, the whole header.
  func bearer(takesBare: Bool = false) -> String? {
    guard let header = authorization.map({ Substring($0).trimmed }) else { return nil }
    let parts = header.split(separator: " ", maxSplits: 1)
    if parts.count == 2, parts[0].lowercased() == "bearer" {
      let token = parts[1].trimmed
      return token.isEmpty ? nil : token
    }
    return takesBare && parts.count == 1 && parts[0].lowercased() != "bearer" ? header : nil
  }

  /// A cookie's value; nil when absent or empty.
  func cookie(_ name: String) -> String? {
    for pair in (cookie ?? "").split(separator: ";") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[0].trimmed == name else { continue }
      let value = parts[1].trimmed
      return value.isEmpty ? nil : value
    }
    return nil
  }

  /// Seconds since 1970.
  var nowSeconds: Int64 { nowMilliseconds / 1_000 }
}
