// A message of the channels dialect to its action and to the server's answer, against PROTOCOLS 2.2 over a parsed tree.

import Buffers
import Dialects
import Wire

enum ChannelsFuzz {
  /// The whole input is the message.
  static func run(_ bytes: Span<UInt8>, isThorough: Bool) throws(FuzzFailure) {
    let copy = bytes.array
    guard String(validating: copy, as: UTF8.self) != nil else {
      _ = ChannelsSession.receive(bytes)
      return
    }
    let action = ChannelsSession.receive(bytes)
    let (tree, _) = JSONScanFuzz.reference(copy)
    let name = expected(tree)
    try require(label(action) == name, "\(action), reference \(name)")
    try check(action, tree, copy)
    let answers = answer(action, bytes)
    for (output, splices) in answers {
      try check(output, splices, copy, isThorough)
    }
  }

  /// The action's name by the protocol.
  private static func expected(_ tree: ReferenceJSON?) -> String {
    guard let tree, !tree.isNull else { return "invalidJSON" }
    for name in ["action", "channel", "payload", "filters"] {
      if tree.members.count(where: { $0.name == Array(name.utf8) }) > 1 { return "invalidJSON" }
    }
    guard let verb = tree.last("action")?.text.map({ String(decoding: $0, as: UTF8.self) }),
      ["subscribe", "unsubscribe", "publish", "ping"].contains(where: { Array($0.utf8) == Array(verb.utf8) })
    else { return "unknownAction" }
    if verb == "ping" { return "ping" }
    return tree.last("channel")?.text == nil ? "missingChannel" : verb
  }

  private static func label(_ action: ChannelsAction) -> String {
    switch action {
    case .subscribe: "subscribe"
    case .unsubscribe: "unsubscribe"
    case .publish: "publish"
    case .ping: "ping"
    case .refuse(.invalidJSON): "invalidJSON"
    case .refuse(.unknownAction): "unknownAction"
    case .refuse(.missingChannel): "missingChannel"
    case .refuse(let other): "\(other)"
    }
  }

  private static func check(
    _ action: ChannelsAction, _ tree: ReferenceJSON?, _ copy: [UInt8]
  ) throws(FuzzFailure) {
    switch action {
    case .subscribe(let channel, let filters):
      try require(channel.range == tree?.last("channel")?.range, "channel \(channel)")
      try require(filters?.range == tree?.last("filters")?.range, "filters \(String(describing: filters))")
    case .unsubscribe(let channel):
      try require(channel.range == tree?.last("channel")?.range, "channel \(channel)")
    case .publish(let channel, let payload):
      try require(channel.range == tree?.last("channel")?.range, "channel \(channel)")
      try require(payload?.range == tree?.last("payload")?.range, "payload \(String(describing: payload))")
    case .refuse(.unknownAction(let value)):
      try require(value?.range == tree?.last("action")?.range, "action \(String(describing: value))")
    default: break
    }
  }

  /// What the server sends for an action, and which members must stand there as they were sent.
  private static func answer(
    _ action: ChannelsAction, _ bytes: Span<UInt8>
  ) -> [(output: [UInt8], splices: [(name: String, range: Range<Int>)])] {
    var out = ByteBuffer()
    var splices: [(name: String, range: Range<Int>)] = []
    switch action {
    case .subscribe(let channel, let filters):
      ChannelsEncoder.appendSubscribed(in: bytes, channel: channel, filters: filters, to: &out)
      splices = [("channel", channel.range)]
      if let filters { splices.append(("filters", filters.range)) }
    case .unsubscribe(let channel):
      ChannelsEncoder.appendUnsubscribed(in: bytes, channel: channel, to: &out)
      splices = [("channel", channel.range)]
    case .publish(let channel, let payload):
      let from = Array("\"user\"".utf8)
      let time = Array("2026-11-21T00:00:00.000Z".utf8)
      _ = ChannelsEncoder.appendMessage(
        in: bytes, channel: channel, payload: payload, from: from.span, timestamp: time.span, to: &out)
      splices = [("channel", channel.range)]
      if let payload { splices.append(("data", payload.range)) }
    case .ping:
      ChannelsEncoder.appendPong(milliseconds: Int64(truncatingIfNeeded: bytes.fingerprint), to: &out)
    case .refuse(let refusal):
      ChannelsEncoder.appendError(refusal, in: bytes, to: &out)
    }
    var welcome = ByteBuffer()
    let user = Array("\"u\"".utf8)
    ChannelsEncoder.appendWelcome(bytes, userId: user.span, to: &welcome)
    return [(out.bytes.array, splices), (welcome.bytes.array, [])]
  }

  private static func check(
    _ output: [UInt8], _ splices: [(name: String, range: Range<Int>)], _ copy: [UInt8], _ isThorough: Bool
  ) throws(FuzzFailure) {
    // A splice may be nested as deep as a message, one level further in.
    guard let tree = try? ReferenceJSON.parse(output, depthMax: 65) else {
      throw FuzzFailure(description: "not JSON: \(String(decoding: output, as: UTF8.self))")
    }
    for (name, range) in splices {
      guard let value = tree.last(name) else { throw FuzzFailure(description: "no \(name)") }
      try require(output[value.range].elementsEqual(copy[range]), "\(name) differs from what was sent")
    }
    // A control character becomes six bytes; an error repeats 256 bytes at most.
    try require(output.count <= copy.count * 6 + 128, "\(output.count) bytes for \(copy.count)")
    if tree.last("type")?.text == Array("error".utf8) {
      try require(output.count <= (ChannelsEncoder.actionBytesMax + 16) * 6 + 64, "an error of \(output.count) bytes")
    }
    if isThorough && FoundationOracle.isComparable(output) {
      try require(FoundationOracle.parse(output) != nil, "not JSON for Foundation")
    }
  }
}
