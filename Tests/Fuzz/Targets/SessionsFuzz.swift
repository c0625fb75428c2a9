// A command of the sessions dialect to its action, its topic's name and the message for subscribers, against PROTOCOLS
// 4.3 over text taken apart by the standard library.

import Buffers
import Dialects
import Wire

enum SessionsFuzz {
  /// Small, so that inputs of a few hundred bytes go past it.
  private static let nameBytesMax = 32
  /// The connection's own session.
  private static let own = Array("my \"own\"".utf8)

  /// The whole input is the message.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    let copy = bytes.array
    let action = SessionsSession.receive(bytes)
    guard String(validating: copy, as: UTF8.self) != nil else { return }
    switch (action, Command(copy)) {
    case (.ping, .ping), (.ignore(.unknownCommand), .unknown), (.ignore(.invalidJSON), .publish(nil)): break
    case (.registerName(let range), .name(let text)), (.registerSession(let range), .session(let text)):
      try require(copy[range].elementsEqual(text), "\(range)")
    case (.subscribe(let topic, let session), .subscribe(let argument)),
      (.unsubscribe(let topic, let session), .unsubscribe(let argument)):
      try check(bytes, copy, topic, session, argument)
    case (.publish(let publication), .publish(let tree?)): try check(bytes, copy, publication, tree)
    case (let action, let command): throw FuzzFailure(description: "\(action), reference \(command)")
    }
  }

  private static func check(
    _ bytes: Span<UInt8>, _ copy: [UInt8], _ topic: Range<Int>, _ session: Range<Int>?, _ argument: [UInt8]
  ) throws(FuzzFailure) {
    let parts = argument.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false).map { Array($0) }
    try require(copy[topic].elementsEqual(parts[0]), "topic \(topic)")
    let named = parts.count > 1 ? parts[1] : nil
    try require(session.map { Array(copy[$0]) } == named, "session \(String(describing: session))")
    var name = ByteBuffer()
    let isValid = SessionTopic.append(
      in: bytes, topic: topic, session: session, current: own.span, bytesMax: nameBytesMax, to: &name)
    try check(isValid, name.bytes.array, session: named ?? own, topic: parts[0])
  }

  private static func check(
    _ bytes: Span<UInt8>, _ copy: [UInt8], _ publication: SessionsPublication, _ tree: ReferenceJSON
  ) throws(FuzzFailure) {
    var name = ByteBuffer()
    let isValid = SessionTopic.append(in: bytes, publication, current: own.span, bytesMax: nameBytesMax, to: &name)
    try check(
      isValid, name.bytes.array, session: tree.last("session_id")?.text ?? own,
      topic: tree.last("topic")?.text ?? Array("<none>".utf8))
    var out = ByteBuffer()
    SessionsEncoder.appendMessage(in: bytes, publication, session: own.span, to: &out)
    guard let message = try? ReferenceJSON.parse(out.bytes.array) else {
      throw FuzzFailure(description: "not JSON: \(out.bytes.string)")
    }
    try require(message.members.count == 5, "\(message.members.count) members")
    let defaults = [
      ("publisher_name", Array("<unknown>".utf8)), ("topic", Array("<none>".utf8)), ("payload", []),
      ("timestamp", []), ("session_id", own),
    ]
    for (member, missing) in defaults {
      try require(message.last(member)?.text == tree.last(member)?.text ?? missing, member)
    }
  }

  /// The name of a topic by its definition, where session and topic may be used.
  private static func check(
    _ isValid: Bool, _ name: [UInt8], session: [UInt8], topic: [UInt8]
  ) throws(FuzzFailure) {
    let isAllowed =
      !topic.isEmpty && max(topic.count, session.count) <= nameBytesMax
      && !(topic + session).contains { $0 < 0x20 || $0 == 0x7F }
    try require(isValid == isAllowed, "session \(session), topic \(topic)")
    try require(name == (isAllowed ? Array("\(session.count):".utf8) + session + topic : []), "name \(name)")
  }

  /// A message by the protocol.
  private enum Command {
    case name([UInt8])
    case session([UInt8])
    case subscribe([UInt8])
    case unsubscribe([UInt8])
    case publish(ReferenceJSON?)
    case ping
    case unknown

    init(_ message: [UInt8]) {
      self = .unknown
      if message == Array("ping".utf8) { self = .ping }
      for word in ["register-name:", "register-session:", "subscribe:", "unsubscribe:", "publish-json:"]
      where message.starts(with: Array(word.utf8)) {
        let spaces: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D]
        let rest = message.dropFirst(word.utf8.count).drop { spaces.contains($0) }
        let argument = Array(rest.reversed().drop { spaces.contains($0) }.reversed())
        switch word {
        case "register-name:": self = .name(argument)
        case "register-session:": self = .session(argument)
        case "subscribe:": self = .subscribe(argument)
        case "unsubscribe:": self = .unsubscribe(argument)
        default: self = .publish(Self.object(argument))
        }
      }
    }

    /// The object to publish; nil when there is none, or when a member that counts stands twice.
    private static func object(_ argument: [UInt8]) -> ReferenceJSON? {
      guard let tree = try? ReferenceJSON.parse(argument), tree.isObject else { return nil }
      for name in ["publisher_name", "topic", "payload", "timestamp", "session_id"]
      where tree.members.count(where: { $0.name == Array(name.utf8) }) > 1 {
        return nil
      }
      return tree
    }
  }
}
