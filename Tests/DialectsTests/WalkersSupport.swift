// What the tests of the walkers dialect share: messages in and answers out as text.
import Buffers
import Foundation
import Wire

@testable import Dialects

enum Walkers {
  static let limits = WalkersLimits(targetsMax: 1_000, bytesMax: 4_194_304)

  /// What a message asks for, with its slices as text, or the answer that refuses it.
  static func outcome(_ message: String, limits: WalkersLimits = limits) -> String {
    let bytes = Array(message.utf8)
    func text(_ value: JSONValue?) -> String {
      value.map { String(decoding: bytes[$0.range], as: UTF8.self) } ?? "-"
    }
    var errors = WalkersErrors()
    switch WalkersSession.receive(bytes.span, limits: limits, errors: &errors) {
    case .connection: return "connection"
    case .notify(let target, let ids, let data): return "\(target) \(text(ids)) \(text(data))"
    case .changeUser(let token): return "change_user \(text(token))"
    case .walker(let name, let wantsResponse, let context, let node):
      return "walker \(text(name)) \(wantsResponse) \(text(context)) \(text(node))"
    case .refuse: return answer(errors)
    }
  }

  /// The category under which a message is refused; nil for one that is not.
  static func refusal(_ message: String, limits: WalkersLimits = limits) -> WalkersRefusal? {
    let bytes = Array(message.utf8)
    var errors = WalkersErrors()
    guard case .refuse(let refusal) = WalkersSession.receive(bytes.span, limits: limits, errors: &errors)
    else { return nil }
    return refusal
  }

  static func answer(_ errors: borrowing WalkersErrors) -> String {
    var out = ByteBuffer()
    WalkersEncoder.append(errors, to: &out)
    return out.bytes.string
  }

  /// A request's body as it reaches a walker with `fields`, or the answer that refuses it.
  static func body(_ text: String, _ fields: [WalkersField]) -> String {
    var errors = WalkersErrors()
    var checked = ByteBuffer()
    WalkersContext.check(body: Array(text.utf8).span, fields: fields, errors: &errors, into: &checked)
    if errors.isEmpty { return checked.bytes.string }
    var out = ByteBuffer()
    WalkersEncoder.appendDetail(errors, to: &out)
    return out.bytes.string
  }

  /// A context as it reaches a walker with `fields`, or the answer that refuses it.
  static func context(_ text: String?, _ fields: [WalkersField]) -> String {
    let bytes = Array((text ?? "").utf8)
    let value = text == nil ? nil : try? JSONScanner.validate(bytes.span)
    var errors = WalkersErrors()
    var checked = ByteBuffer()
    WalkersContext.check(value, in: bytes.span, fields: fields, from: .message, errors: &errors, into: &checked)
    return errors.isEmpty ? checked.bytes.string : answer(errors)
  }

  /// One error object, as the encoder writes it.
  static func error(_ type: String, _ location: String, _ message: String, _ input: String) -> String {
    #"{"type":"\#(type)","loc":\#(location),"msg":"\#(message)","input":\#(input)}"#
  }

  /// The types and places of the errors in an answer.
  static func faults(_ answer: String) -> [String] {
    guard let list = Channels.parsed(answer)?["error"] as? [[String: Any]] else { return [] }
    return list.map { error in
      let places = (error["loc"] as? [Any] ?? []).map { "\($0)" }.joined(separator: ".")
      return "\(error["type"] as? String ?? "-") \(places)"
    }
  }
}
