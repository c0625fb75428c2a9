// A message of the handlers dialect to the gateway's own answer, against PROTOCOLS 1.3 over a parsed tree.

import Buffers
import Dialects
import Wire

enum HandlersFuzz {
  /// The whole input is the message.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    let copy = bytes.array
    let action = HandlersSession.receive(bytes)
    guard String(validating: copy, as: UTF8.self) != nil else { return }
    let (tree, _) = JSONScanFuzz.reference(copy)
    let reply: HandlersReply
    switch action {
    case .request(let type):
      try require(type.kind == .string && type.range == tree?.last("type")?.range, "type \(type)")
      reply = HandlersSession.builtInReply(bytes, type: type)
    case .reply(let own):
      try require(tree?.last("type")?.text == nil || isAmbiguous(tree), "no request of \(own)")
      reply = own
    }
    let name = expected(tree)
    try require("\(reply)" == name, "\(reply), reference \(name)")
    var out = ByteBuffer()
    HandlersEncoder.append(reply, to: &out)
    let isJSON = (try? ReferenceJSON.parse(out.bytes.array))?.isObject ?? false
    try require(isJSON == (reply != .unknownType), "\(out.bytes.string)")
  }

  /// Whether a message has more than one `type`.
  private static func isAmbiguous(_ tree: ReferenceJSON?) -> Bool {
    guard let tree else { return false }
    return tree.members.count { $0.name == Array("type".utf8) } > 1
  }

  /// The answer by the protocol.
  private static func expected(_ tree: ReferenceJSON?) -> String {
    guard let tree, !tree.isNull, !isAmbiguous(tree) else { return "invalidJSON" }
    guard let type = tree.last("type")?.text else { return "unknownType" }
    for (name, reply) in [("user_message", "userMessage"), ("system_message", "systemMessage"), ("ping", "pong")]
    where type == Array(name.utf8) {
      return reply
    }
    return "unknownType"
  }
}
