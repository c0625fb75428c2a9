// The walkers dialect: a walker's context against the fields that the walker declares. Pure; any thread; off the data
// path.
import Buffers
import Wire

/// One field that a walker declares (PROTOCOLS 5.3).
public struct WalkersField: Sendable, Equatable {
  /// What a field holds.
  public enum Kind: Sendable, Equatable {
    case string, integer, number, boolean, object, list, any
  }

  /// The member's name.
  public let name: String
  /// What it holds.
  public let kind: Kind
  /// Whether a context without it is refused.
  public let isRequired: Bool

  public init(_ name: String, _ kind: Kind, isRequired: Bool = true) {
    self.name = name
    self.kind = kind
    self.isRequired = isRequired
  }
}

/// Where a context comes from, which decides where its errors say that they are.
public enum WalkersSource: Sendable {
  /// A message on a socket: `["val"]`.
  case message
  /// The body of a request: `["body","val"]`.
  case body

  var prefix: StaticString {
    switch self {
    case .message: ""
    case .body: "\"body\""
    }
  }
}

/// Checks contexts.
public enum WalkersContext {
  /// Checks the object `context` of `bytes`, nil for an empty one, and appends it to `checked` with every field as the
  /// JSON of its kind: `"7"` becomes `7` for an integer. Members that are no fields stay as they are. Of members with
  /// the same name the last one counts and is the only one kept, if it is a field. What is wrong is added to `errors`;
  /// then nothing is appended.
  public static func check(
    _ context: JSONValue?, in bytes: Span<UInt8>, fields: [WalkersField], from source: WalkersSource,
    errors: inout WalkersErrors, into checked: inout ByteBuffer
  ) {
    var found = [JSONValue?](repeating: nil, count: fields.count)
    var isChanged = false
    if let context {
      var members = JSONChildren(of: context, in: bytes)
      while let member = members.next(bytes) {
        guard let index = field(member.name, bytes, fields) else { continue }
        if found[index] != nil { isChanged = true }
        found[index] = member.value
      }
    }
    var replacements = [String?](repeating: nil, count: fields.count)
    for index in fields.indices {
      let location = WalkersLocation(prefix: source.prefix, name: fields[index].name)
      guard let value = found[index] else {
        if fields[index].isRequired { addMissing(location, bytes, context, &errors) }
        continue
      }
      switch replacement(fields[index].kind, bytes, value) {
      case .success(let text):
        replacements[index] = text
        if text != nil { isChanged = true }
      case .failure(let unfit): errors.add(unfit.fault, at: location, input: bytes.extracting(value.range))
      }
    }
    if !errors.isEmpty { return }
    guard let context else {
      checked.append("{}")
      return
    }
    if isChanged {
      rewrite(context, bytes, fields, found, replacements, to: &checked)
    } else {
      checked.append(bytes.extracting(context.range))
    }
  }

  /// Checks the whole `body` of a request as `check` does a context. An empty one is a context that was left out, which
  /// is an error where a field is required.
  public static func check(
    body: Span<UInt8>, fields: [WalkersField], errors: inout WalkersErrors, into checked: inout ByteBuffer
  ) {
    var location = WalkersLocation(prefix: WalkersSource.body.prefix)
    if body.isEmpty {
      if fields.contains(where: \.isRequired) {
        errors.add(.missing, at: location, input: "null".utf8Span.span)
      } else {
        checked.append("{}")
      }
      return
    }
    let context: JSONValue
    do throws(JSONError) {
      guard UTF8Validator.isValid(body) else { throw JSONError.syntax(at: 0) }
      context = try JSONScanner.validate(body)
    } catch {
      switch error {
      case .syntax(let at), .controlCharacter(let at), .loneSurrogate(let at), .numberRange(let at):
        location.index = at
      case .depth, .duplicateMember: location.index = 0
      }
      errors.add(.notJSON, at: location, input: "{}".utf8Span.span)
      return
    }
    guard context.kind == .object else {
      errors.add(.notAnObject, at: location, input: body.extracting(context.range))
      return
    }
    check(context, in: body, fields: fields, from: .body, errors: &errors, into: &checked)
  }

  /// Appends the text of the string member `name` of a context that has been checked; false when it has none.
  public static func string(_ name: StaticString, in context: Span<UInt8>, into out: inout ByteBuffer) -> Bool {
    guard let object = try? JSONScanner.scan(context, keys: JSONKeySet(name)), let value = object[0],
      value.kind == .string
    else { return false }
    JSONString.decode(context, value, into: &out)
    return true
  }

  private static func field(_ name: JSONValue?, _ bytes: Span<UInt8>, _ fields: [WalkersField]) -> Int? {
    guard let name else { return nil }
    return fields.firstIndex { JSONString.equals(bytes, name, $0.name.utf8Span.span) }
  }

  private static func addMissing(
    _ location: WalkersLocation, _ bytes: Span<UInt8>, _ context: JSONValue?, _ errors: inout WalkersErrors
  ) {
    if let context {
      errors.add(.missing, at: location, input: bytes.extracting(context.range))
    } else {
      errors.add(.missing, at: location, input: "{}".utf8Span.span)
    }
  }

  /// What a value becomes in a field of that kind; nil when it stays as it was sent.
  private static func replacement(
    _ kind: WalkersField.Kind, _ bytes: Span<UInt8>, _ value: JSONValue
  ) -> Result<String?, WalkersValue.Unfit> {
    func require(_ kind: JSONKind, _ fault: WalkersFault) -> Result<String?, WalkersValue.Unfit> {
      value.kind == kind ? .success(nil) : .failure(WalkersValue.Unfit(fault))
    }
    switch kind {
    case .string: return require(.string, .notAString)
    case .object: return require(.object, .notADictionary)
    case .list: return require(.array, .notAList)
    case .any: return .success(nil)
    case .integer: return WalkersValue.integer(bytes, value)
    case .number: return WalkersValue.number(bytes, value)
    case .boolean:
      return WalkersValue.boolean(bytes, value).map { truth in
        value.kind == .true || value.kind == .false ? nil : truth ? "true" : "false"
      }
    }
  }

  private static func rewrite(
    _ context: JSONValue, _ bytes: Span<UInt8>, _ fields: [WalkersField], _ found: [JSONValue?],
    _ replacements: [String?], to out: inout ByteBuffer
  ) {
    out.append("{")
    var separator: StaticString = ""
    var members = JSONChildren(of: context, in: bytes)
    while let member = members.next(bytes) {
      guard let name = member.name else { continue }
      let index = field(name, bytes, fields)
      if let index, found[index] != member.value { continue }
      out.append(separator)
      separator = ","
      out.append(bytes.extracting(name.range))
      out.append(":")
      if let index, let text = replacements[index] {
        out.append(string: text)
      } else {
        out.append(bytes.extracting(member.value.range))
      }
    }
    out.append("}")
  }
}
