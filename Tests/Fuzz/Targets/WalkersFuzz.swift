// A message of the walkers dialect to its action or its errors, and a context to what its walker sees, against PROTOCOLS
// 5.2 and 5.3 over a parsed tree.

import Buffers
import Dialects
import Wire

enum WalkersFuzz {
  private static let targetsMax = 4
  private static let limits = WalkersLimits(targetsMax: targetsMax, bytesMax: 4_194_304)

  /// The whole input is the message; its context, or the message itself, is the context of a walker with all kinds of
  /// fields.
  static func run(_ bytes: Span<UInt8>, isThorough: Bool) throws(FuzzFailure) {
    var errors = WalkersErrors()
    let action = WalkersSession.receive(bytes, limits: limits, errors: &errors)
    let copy = bytes.array
    guard String(validating: copy, as: UTF8.self) != nil else { return }
    let (tree, _) = JSONScanFuzz.reference(copy)
    let expected = expectation(tree)
    switch action {
    case .refuse:
      try require(!errors.isEmpty, "refused without an error")
      try check(answer(errors), faults: expected.faults, copy, isThorough)
    default:
      try require(errors.isEmpty && expected.faults.isEmpty, "\(action), reference \(expected.faults)")
      try check(action, tree)
    }
    try checkContext(bytes, tree, isThorough)
  }

  // MARK: The reference

  private struct Expectation {
    /// `type loc`, or the sentence of an error that is one.
    var faults: [String] = []
  }

  private static func expectation(_ tree: ReferenceJSON?) -> Expectation {
    guard let tree else { return Expectation(faults: ["Invalid JSON"]) }
    func isRepeated(_ names: [String]) -> Bool {
      names.contains { name in tree.members.count(where: { $0.name == Array(name.utf8) }) > 1 }
    }
    if isRepeated(["type", "root_ids", "channel_ids", "client_ids", "data", "token"]) {
      return Expectation(faults: ["Invalid JSON"])
    }
    guard tree.isObject else { return Expectation(faults: ["model_attributes_type event"]) }
    guard let type = tree.last("type") else { return Expectation(faults: ["union_tag_not_found event"]) }
    switch type.text.map({ String(decoding: $0, as: UTF8.self) }) {
    case "connection": return Expectation()
    case "user": return notify(tree, "user", "root_ids")
    case "channel": return notify(tree, "channel", "channel_ids")
    case "client": return notify(tree, "client", "client_ids")
    case "change_user":
      guard let token = tree.last("token"), !token.isNull, token.text == nil else { return Expectation() }
      return Expectation(faults: ["string_type event.change_user.token"])
    case "walker":
      if isRepeated(["walker", "node", "response", "context"]) { return Expectation(faults: ["Invalid JSON"]) }
      return walker(tree)
    default: return Expectation(faults: ["union_tag_invalid event"])
    }
  }

  private static func notify(_ tree: ReferenceJSON, _ tag: String, _ list: String) -> Expectation {
    var faults: [String] = []
    let place = "event.\(tag).\(list)"
    var ids: [[UInt8]] = []
    switch tree.last(list)?.value {
    case nil: faults.append("missing \(place)")
    case .array(let elements) where elements.isEmpty: faults.append("too_short \(place)")
    case .array(let elements) where elements.count > targetsMax: faults.append("too_long \(place)")
    case .array(let elements):
      for (index, element) in elements.enumerated() {
        if let text = element.text { ids.append(text) } else { faults.append("string_type \(place).\(index)") }
      }
    default: faults.append("list_type \(place)")
    }
    if let data = tree.last("data") {
      if !data.isObject { faults.append("dict_type event.\(tag).data") }
    } else {
      faults.append("missing event.\(tag).data")
    }
    if faults.isEmpty && tag == "user", ids.contains(where: { !isRoot($0) }) { faults.append("reference") }
    return Expectation(faults: faults)
  }

  private static func isRoot(_ id: [UInt8]) -> Bool {
    let parts = id.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == [0x6E] || parts[0] == [0x4E], parts[2].count == 24 else { return false }
    return parts[2].allSatisfy { Character(Unicode.Scalar($0)).isHexDigit && $0 < 0x80 }
  }

  private static func walker(_ tree: ReferenceJSON) -> Expectation {
    var faults: [String] = []
    if let name = tree.last("walker") {
      if name.text == nil { faults.append("string_type event.walker.walker") }
    } else {
      faults.append("missing event.walker.walker")
    }
    if let node = tree.last("node"), !node.isNull, node.text == nil { faults.append("string_type event.walker.node") }
    if let response = tree.last("response"), let type = booleanFault(response) {
      faults.append("\(type) event.walker.response")
    }
    if let context = tree.last("context"), !context.isObject { faults.append("dict_type event.walker.context") }
    return Expectation(faults: faults)
  }

  private static func booleanFault(_ value: ReferenceJSON) -> String? {
    switch value.value {
    case .boolean: return nil
    case .number(let text):
      let number = Double(String(decoding: text, as: UTF8.self)) ?? -1
      if number == 0 || number == 1 { return nil }
      return text.contains(where: { [0x2E, 0x45, 0x65].contains($0) }) ? "bool_type" : "bool_parsing"
    case .string(let text):
      let words = ["true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0"]
      let isWord = words.contains { Array($0.utf8) == text.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 } }
      return isWord ? nil : "bool_parsing"
    default: return "bool_type"
    }
  }

  // MARK: Comparing

  private static func check(_ action: WalkersAction, _ tree: ReferenceJSON?) throws(FuzzFailure) {
    let type = tree?.last("type")?.text.map { String(decoding: $0, as: UTF8.self) } ?? ""
    switch action {
    case .connection: try require(type == "connection", type)
    case .notify(let target, let ids, let data):
      let names: (String, String) =
        switch target {
        case .users: ("user", "root_ids")
        case .channels: ("channel", "channel_ids")
        case .clients: ("client", "client_ids")
        }
      try require(type == names.0 && ids.range == tree?.last(names.1)?.range, "ids \(ids)")
      try require(data.range == tree?.last("data")?.range, "data \(data)")
    case .changeUser(let token):
      let expected = tree?.last("token").flatMap { $0.isNull ? nil : $0.range }
      try require(type == "change_user" && token?.range == expected, "token \(String(describing: token))")
    case .walker(let name, _, let context, let node):
      try require(type == "walker" && name.range == tree?.last("walker")?.range, "walker \(name)")
      try require(context?.range == tree?.last("context")?.range, "context \(String(describing: context))")
      let expected = tree?.last("node").flatMap { $0.isNull ? nil : $0.range }
      try require(node?.range == expected, "node \(String(describing: node))")
    case .refuse: break
    }
  }

  private static func answer(_ errors: borrowing WalkersErrors) -> [UInt8] {
    var out = ByteBuffer()
    WalkersEncoder.append(errors, to: &out)
    return out.bytes.array
  }

  /// The answer is JSON, lists these faults in this order, and is bounded.
  private static func check(
    _ answer: [UInt8], faults: [String], _ copy: [UInt8], _ isThorough: Bool
  ) throws(FuzzFailure) {
    // A value that is repeated may be nested as deep as a message, three levels further in.
    guard let tree = try? ReferenceJSON.parse(answer, depthMax: 68), case .array(let list)? = tree.last("error")?.value
    else { throw FuzzFailure(description: "not JSON: \(String(decoding: answer, as: UTF8.self))") }
    let found = list.map { error in
      if let sentence = error.text.map({ String(decoding: $0, as: UTF8.self) }) {
        return sentence.hasSuffix("] is not a valid reference!") ? "reference" : sentence
      }
      var places: [String] = []
      if case .array(let location)? = error.last("loc")?.value {
        places = location.map { place in
          String(decoding: place.text ?? Array(answer[place.range]), as: UTF8.self)
        }
      }
      let type = String(decoding: error.last("type")?.text ?? [], as: UTF8.self)
      return "\(type) \(places.joined(separator: "."))"
    }
    try require(found == faults, "\(found), reference \(faults)")
    try require(answer.count <= (copy.count + 512) * max(1, faults.count) + 512, "\(answer.count) bytes")
    if isThorough && FoundationOracle.isComparable(answer) {
      try require(FoundationOracle.parse(answer) != nil, "not JSON for Foundation")
    }
  }

  // MARK: Contexts

  private static let fields: [WalkersField] = [
    WalkersField("i", .integer, isRequired: false), WalkersField("n", .number, isRequired: false),
    WalkersField("b", .boolean, isRequired: false), WalkersField("s", .string, isRequired: false),
    WalkersField("o", .object, isRequired: false), WalkersField("l", .list, isRequired: false),
    WalkersField("any", .any, isRequired: false),
  ]

  /// What a walker sees is valid, holds each field in its kind and once, and is not changed by another check.
  private static func checkContext(
    _ bytes: Span<UInt8>, _ tree: ReferenceJSON?, _ isThorough: Bool
  ) throws(FuzzFailure) {
    guard let tree, let object = tree.last("context") ?? Optional(tree), object.isObject else { return }
    let context = JSONValue(kind: .object, start: object.range.lowerBound, end: object.range.upperBound)
    var errors = WalkersErrors()
    var checked = ByteBuffer()
    WalkersContext.check(context, in: bytes, fields: fields, from: .message, errors: &errors, into: &checked)
    if !errors.isEmpty {
      try require(checked.isEmpty, "a context with errors")
      let list = answer(errors)
      try require((try? ReferenceJSON.parse(list, depthMax: 68)) != nil, "\(String(decoding: list, as: UTF8.self))")
      return
    }
    let seen = checked.bytes.array
    guard let result = try? ReferenceJSON.parse(seen), let value = try? JSONScanner.validate(seen.span) else {
      throw FuzzFailure(description: "not JSON: \(String(decoding: seen, as: UTF8.self))")
    }
    for field in fields {
      let before = object.members.count { $0.name == Array(field.name.utf8) }
      let after = result.members.count { $0.name == Array(field.name.utf8) }
      try require(after == min(before, 1), "\(after) of \(before) \(field.name)")
      guard let member = result.last(field.name) else { continue }
      try require(fits(member, field.kind), "\(field.name) in \(String(decoding: seen, as: UTF8.self))")
    }
    var again = ByteBuffer()
    WalkersContext.check(value, in: seen.span, fields: fields, from: .message, errors: &errors, into: &again)
    try require(errors.isEmpty && again.bytes.array == seen, "changes \(String(decoding: seen, as: UTF8.self))")
  }

  private static func fits(_ value: ReferenceJSON, _ kind: WalkersField.Kind) -> Bool {
    switch (kind, value.value) {
    case (.integer, .number(let text)): text.allSatisfy { $0 == 0x2D || $0 &- 0x30 < 10 }
    case (.number, .number), (.boolean, .boolean), (.string, .string), (.object, .object), (.list, .array): true
    case (.any, _): true
    default: false
    }
  }
}
