// A native message of the events dialect to its action and to the server's answers, against PROTOCOLS 3.4 over a parsed
// tree.

import Buffers
import Dialects
import Wire

enum EventsFuzz {
  /// The whole input is the message.
  static func run(_ bytes: Span<UInt8>, isThorough: Bool) throws(FuzzFailure) {
    let copy = bytes.array
    guard String(validating: copy, as: UTF8.self) != nil else {
      _ = EventsSession.receive(bytes)
      return
    }
    let (tree, _) = JSONScanFuzz.reference(copy)
    let isRepeated = ["event", "data"].contains { name in
      (tree?.members ?? []).count { $0.name == Array(name.utf8) } > 1
    }
    switch EventsSession.receive(bytes) {
    case .event(let name, let data):
      try require(!isRepeated && tree?.last("event")?.text != nil, "takes an event")
      try require(name.range == tree?.last("event")?.range, "event \(name)")
      try require(data?.range == tree?.last("data")?.range, "data \(String(describing: data))")
      try checkName(bytes, name, tree?.last("event")?.text ?? [])
      try checkAnswers(bytes, copy, data?.range, isThorough)
      try checkError(bytes, .unknownEvent(name), tree?.last("event"))
    case .refuse(.unknownEvent(let name)):
      try require(!isRepeated && tree?.isNull == false, "unknown event")
      try require(name?.range == tree?.last("event")?.range, "event \(String(describing: name))")
      try require(tree?.last("event")?.text == nil, "refuses a name")
      try checkError(bytes, .unknownEvent(name), tree?.last("event"))
    case .refuse(let refusal):
      try require(tree == nil || tree?.isNull == true || isRepeated, "refuses with \(refusal)")
      try require(refusal == .notProcessed, "\(refusal)")
    }
    try checkChat(bytes, tree)
  }

  private static func checkName(_ bytes: Span<UInt8>, _ name: JSONValue, _ text: [UInt8]) throws(FuzzFailure) {
    let names: [(String, EventsBuiltIn)] = [
      ("ping", .ping), ("status", .status), ("echo", .echo), ("info", .info), ("message", .message), ("ai:chat", .chat),
    ]
    let expected = names.first { Array($0.0.utf8) == text }?.1
    try require(EventsSession.builtIn(bytes, name) == expected, "built-in \(String(describing: expected))")
  }

  /// The data stands in the answers as it was sent.
  private static func checkAnswers(
    _ bytes: Span<UInt8>, _ copy: [UInt8], _ data: Range<Int>?, _ isThorough: Bool
  ) throws(FuzzFailure) {
    let sent = copy[data ?? 0..<0]
    let raw = Array(sent)
    let id = Array("ws-1-abc".utf8)
    var out = ByteBuffer()
    EventsEncoder.open("echo_response", .native, to: &out)
    EventsEncoder.appendEcho(raw.span, socketId: id.span, timestamp: id.span, to: &out)
    EventsEncoder.close(.native, to: &out)
    let echo = out.bytes.array
    // The data may be nested as deep as a message, one level further in.
    guard let tree = try? ReferenceJSON.parse(echo, depthMax: 66), let body = tree.last("data") else {
      throw FuzzFailure(description: "not JSON: \(out.bytes.string)")
    }
    let received = body.last("received").map { Array(echo[$0.range]) }
    try require(received == data.map { Array(copy[$0]) }, "received \(String(describing: received))")
    out.removeAll()
    EventsEncoder.open("message_received", .socketIO, to: &out)
    EventsEncoder.appendReceived(raw.span, timestamp: id.span, to: &out)
    EventsEncoder.close(.socketIO, to: &out)
    guard let packet = try? ReferenceJSON.parse(out.bytes.array, depthMax: 66), case .array(let parts) = packet.value
    else { throw FuzzFailure(description: "not JSON: \(out.bytes.string)") }
    try require(parts.count == 2 && (parts[1].last("data") != nil) == (data != nil), "\(out.bytes.string)")
    if isThorough && FoundationOracle.isComparable(echo) {
      try require(FoundationOracle.parse(echo) != nil, "not JSON for Foundation")
    }
  }

  /// The error repeats the name as JavaScript prints it.
  private static func checkError(
    _ bytes: Span<UInt8>, _ refusal: EventsRefusal, _ name: ReferenceJSON?
  ) throws(FuzzFailure) {
    var out = ByteBuffer()
    EventsEncoder.appendError(refusal, in: bytes, to: &out)
    guard let found = (try? ReferenceJSON.parse(out.bytes.array))?.last("error")?.text else {
      throw FuzzFailure(description: "not JSON: \(out.bytes.string)")
    }
    let prefix = Array("Unknown event type: ".utf8)
    let limit = prefix.count + EventsEncoder.nameBytesMax
    try require(found.starts(with: prefix) && found.count <= limit, "\(out.bytes.string)")
    guard let expected = name.map({ javaScript($0, isElement: false) }) ?? Array("undefined".utf8) else { return }
    let whole = prefix + expected
    let isCut = whole.count > limit
    let isRight = isCut ? whole.starts(with: found) && found.count > limit - 4 : found == whole
    try require(isRight, "\(out.bytes.string), reference \(String(decoding: expected, as: UTF8.self))")
  }

  /// ECMAScript's String(value); nil where a number is in it that is not a short whole one, which this cannot print.
  private static func javaScript(_ value: ReferenceJSON, isElement: Bool) -> [UInt8]? {
    switch value.value {
    case .null: return isElement ? [] : Array("null".utf8)
    case .boolean(let flag): return Array(flag ? "true".utf8 : "false".utf8)
    case .string(let text): return text
    case .object: return Array("[object Object]".utf8)
    case .number(let text):
      guard let number = Int(String(decoding: text, as: UTF8.self)), number.magnitude < 1 << 53 else { return nil }
      return Array(String(number).utf8)
    case .array(let elements):
      var parts: [[UInt8]] = []
      for element in elements {
        guard let part = javaScript(element, isElement: true) else { return nil }
        parts.append(part)
      }
      return Array(parts.joined(separator: [0x2C]))
    }
  }

  /// The input as the data of an ai:chat.
  private static func checkChat(_ bytes: Span<UInt8>, _ tree: ReferenceJSON?) throws(FuzzFailure) {
    let chat = EventsChat(bytes)
    let isRepeated = ["message", "locale"].contains { name in
      (tree?.members ?? []).count { $0.name == Array(name.utf8) } > 1
    }
    let message = isRepeated ? nil : tree?.last("message")
    let isChat = message?.text?.isEmpty == false
    try require((chat != nil) == isChat, "a chat: \(isChat)")
    guard let chat else { return }
    try require(chat.message.range == message?.range, "message \(chat.message)")
    let history = tree?.last("conversationHistory")
    var isArray = false
    if case .array = history?.value { isArray = true }
    try require(chat.history?.range == (isArray ? history?.range : nil), "history \(String(describing: chat.history))")
  }
}
