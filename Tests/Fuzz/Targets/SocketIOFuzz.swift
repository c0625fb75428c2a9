// Engine.IO payloads and Socket.IO packets against PROTOCOLS 3.5 spelled out over arrays and parsed trees.

import Buffers
import Wire

enum EngineIOFuzz {
  /// The whole input is the body of a polling request, and also base64 to decode and bytes to encode.
  static func run(_ bytes: Span<UInt8>, isThorough: Bool) throws(FuzzFailure) {
    let copy = bytes.array
    var reader = EngineIOPayloadReader()
    var isOver = false
    for piece in copy.split(separator: 0x1E, omittingEmptySubsequences: false) {
      let item = reader.next(bytes)
      guard let first = piece.first, Array("0123456b".utf8).contains(first) else {
        try require(item == .malformed, "\(item) for \(piece)")
        isOver = true
        break
      }
      guard case .packet(let packet) = item else { throw FuzzFailure(description: "\(item) for \(piece)") }
      try require(packet.body == piece.startIndex + 1..<piece.endIndex, "body \(packet.body)")
      try require(packet.isBase64 == (first == UInt8(ascii: "b")), "\(packet)")
      let kind = packet.isBase64 ? 4 : first - UInt8(ascii: "0")
      try require(packet.kind.rawValue == kind, "\(packet)")
    }
    try require(reader.next(bytes) == .end, "goes on behind the end, malformed: \(isOver)")

    var out = ByteBuffer()
    let isBase64 = Base64Text.decode(bytes, 0..<bytes.count, into: &out)
    let decoded = out.bytes.array
    var again = ByteBuffer()
    Base64Text.encode(out.bytes, to: &again)
    let unpadded = Array(copy.reversed().drop { $0 == UInt8(ascii: "=") }.reversed())
    if isBase64 {
      // One spelling, but for padding that is left out as a whole.
      let text = again.bytes.array
      try require(text == copy || Array(text.prefix(copy.count)) == unpadded && copy == unpadded, "\(text)")
    } else {
      try require(decoded.isEmpty, "leaves \(decoded)")
      if isThorough { try require(!isCanonical(copy), "refuses what Foundation would write") }
    }
    var text = ByteBuffer()
    Base64Text.encode(bytes, to: &text)
    var back = ByteBuffer()
    let isRead = Base64Text.decode(text.bytes, 0..<text.count, into: &back)
    try require(isRead && back.bytes.array == copy, "does not read back")
    if isThorough { try require(FoundationOracle.base64(text.bytes.string) == copy, "Foundation reads something else") }
  }

  /// Whether `text` is exactly how its content is written.
  private static func isCanonical(_ text: [UInt8]) -> Bool {
    guard let content = FoundationOracle.base64(String(decoding: text, as: UTF8.self)) else { return false }
    var out = ByteBuffer()
    Base64Text.encode(content.span, to: &out)
    return out.bytes.array == text
  }
}

enum SocketIOFuzz {
  /// The whole input is a packet; its attachments are made up.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    let copy = bytes.array
    guard String(validating: copy, as: UTF8.self) != nil else {
      _ = try? SocketIOPacket.decode(bytes)
      return
    }
    let expected = ReferenceSocketIO.read(copy)
    let packet: SocketIOPacket
    do {
      packet = try SocketIOPacket.decode(bytes)
    } catch {
      try require(expected == nil, "\(error), reference \(String(describing: expected))")
      try checkFault(bytes, error)
      return
    }
    guard let expected else { throw FuzzFailure(description: "accepts \(packet)") }
    try require(Int(packet.kind.rawValue) == expected.kind, "kind \(packet.kind)")
    try require(packet.attachments == expected.attachments, "attachments \(packet.attachments)")
    try require(Array(copy[packet.namespace]) == expected.namespace, "namespace \(packet.namespace)")
    try require(packet.id == expected.id, "id \(packet.id)")
    try require(packet.isRefused == expected.isRefused, "refused \(packet.isRefused)")
    try require(packet.payload.map { Array(copy[$0.range]) } == expected.payload, "payload")
    try require(packet.name.map { Array(copy[$0.range]) } == expected.name, "name")
    try require(packet.argument.map { Array(copy[$0.range]) } == expected.argument, "argument")
    try checkAssembly(bytes, packet)
    try checkWriting(copy, packet)
  }

  /// An assembler refuses the same packet for the same reason.
  private static func checkFault(_ bytes: Span<UInt8>, _ fault: SocketIOFault) throws(FuzzFailure) {
    var assembler = SocketIOAssembler(bytesMax: 4_000_000)
    do {
      _ = try assembler.receive(text: bytes)
      throw FuzzFailure(description: "assembles")
    } catch let error as SocketIOFault {
      try require(error == fault && !assembler.isAwaiting, "\(error), alone \(fault)")
    } catch { throw FuzzFailure(description: "\(error)") }
  }

  private static func checkAssembly(_ bytes: Span<UInt8>, _ packet: SocketIOPacket) throws(FuzzFailure) {
    var assembler = SocketIOAssembler(bytesMax: 4_000_000)
    let step = try? assembler.receive(text: bytes)
    if packet.attachments == 0 {
      try require(step == .packet(packet), "\(String(describing: step))")
      return
    }
    try require(step == .awaitsAttachments, "\(String(describing: step))")
    for number in 0..<packet.attachments {
      let attachment = [UInt8](repeating: UInt8(number), count: number * 3)
      guard let whole = try? assembler.receive(binary: attachment.span) else {
        try require(number < packet.attachments - 1 && assembler.isAwaiting, "attachment \(number)")
        continue
      }
      try require(number == packet.attachments - 1 && whole.count == packet.attachments, "attachment \(number)")
      try require(whole.packet == packet && whole.text.bytes.equals(bytes), "another packet")
      for index in 0..<whole.count {
        try require(
          whole.attachment(index).array == [UInt8](repeating: UInt8(index), count: index * 3), "attachment \(index)")
      }
    }
    try require(!assembler.isAwaiting, "waits for more")
  }

  /// What was read, written again, reads as the same.
  private static func checkWriting(_ copy: [UInt8], _ packet: SocketIOPacket) throws(FuzzFailure) {
    var out = ByteBuffer()
    let namespace = Array(copy[packet.namespace])
    SocketIOEncoder.begin(
      packet.kind, namespace: namespace.span, attachments: packet.attachments, id: packet.id, to: &out)
    if let payload = packet.payload {
      let raw = Array(copy[payload.range])
      out.append(raw.span)
    }
    guard let again = try? SocketIOPacket.decode(out.bytes) else {
      throw FuzzFailure(description: "does not read back: \(out.bytes.string)")
    }
    let text = out.bytes.array
    try require(
      again.kind == packet.kind && again.id == packet.id && Array(text[again.namespace]) == namespace
        && again.attachments == packet.attachments
        && again.payload.map { Array(text[$0.range]) } == packet.payload.map { Array(copy[$0.range]) },
      "reads back as \(again)")
  }
}

/// A Socket.IO packet taken apart from the front, over arrays.
struct ReferenceSocketIO {
  var kind = 0
  var attachments = 0
  var namespace: [UInt8] = []
  var id = -1
  var payload: [UInt8]?
  var name: [UInt8]?
  var argument: [UInt8]?
  /// The payload breaks a rule that JSON itself does not have.
  var isRefused = false

  static let reserved = [
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
  ].map { Array($0.utf8) }

  /// The packet; nil when it is malformed.
  static func read(_ bytes: [UInt8]) -> ReferenceSocketIO? {
    var packet = ReferenceSocketIO()
    var rest = bytes[...]
    if bytes.isEmpty { return packet }
    guard let first = rest.popFirst(), (0x30...0x36).contains(first) else { return nil }
    packet.kind = Int(first - 0x30)
    if packet.kind >= 5 {
      guard let count = number(&rest), count <= 10, rest.popFirst() == UInt8(ascii: "-") else { return nil }
      packet.attachments = count
    }
    if rest.first == UInt8(ascii: "/") {
      packet.namespace = Array(rest.prefix { $0 != 0x2C })
      if packet.namespace.count > 128 { return nil }
      rest = rest.dropFirst(packet.namespace.count + 1)
      if packet.namespace.count == 1 { packet.namespace = [] }
    }
    if let digit = rest.first, (0x30...0x39).contains(digit) {
      guard let id = number(&rest), id <= 1 << 53 - 1 else { return nil }
      packet.id = id
    }
    if rest.isEmpty { return packet }
    let text = Array(rest)
    let tree: ReferenceJSON
    do {
      tree = try ReferenceJSON.parse(text)
    } catch .loneSurrogate, .numberRange, .depth {
      let begin = text.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
      packet.isRefused = begin == (packet.kind == 0 ? UInt8(ascii: "{") : UInt8(ascii: "["))
      return packet.isRefused && packet.kind != 1 && packet.kind != 4 ? packet : nil
    } catch {
      return nil
    }
    packet.payload = Array(text[tree.range])
    guard packet.takes(tree, text) else { return nil }
    return packet.kind >= 5 && !arePlaceholdersRight(tree, packet.attachments) ? nil : packet
  }

  /// The number of all the digits in front; nil without any, or past 64 bits.
  private static func number(_ rest: inout ArraySlice<UInt8>) -> Int? {
    let digits = rest.prefix { (0x30...0x39).contains($0) }
    rest = rest.dropFirst(digits.count)
    return Int(String(decoding: digits, as: UTF8.self))
  }

  /// Whether the payload is of the shape that the kind has.
  private mutating func takes(_ tree: ReferenceJSON, _ text: [UInt8]) -> Bool {
    switch (kind, tree.value) {
    case (0, .object), (4, .object), (4, .string), (3, .array), (6, .array): return true
    case (2, .array(let elements)), (5, .array(let elements)):
      guard let first = elements.first else { return false }
      switch first.value {
      case .string(let name): if Self.reserved.contains(name) { return false }
      case .number: break
      default: return false
      }
      name = Array(text[first.range])
      if elements.count > 1 { argument = Array(text[elements[1].range]) }
      return true
    default: return false
    }
  }

  /// Whether every placeholder is for one of the attachments.
  private static func arePlaceholdersRight(_ tree: ReferenceJSON, _ attachments: Int) -> Bool {
    if attachments == 0 { return true }
    switch tree.value {
    case .array(let elements): return elements.allSatisfy { arePlaceholdersRight($0, attachments) }
    case .object(let members):
      if case .boolean(true)? = tree.last("_placeholder")?.value {
        guard case .number(let text)? = tree.last("num")?.value,
          text.count <= 2, let number = Int(String(decoding: text, as: UTF8.self)), number >= 0, text.first != 0x2D,
          number < attachments
        else { return false }
      }
      return members.allSatisfy { arePlaceholdersRight($0.value, attachments) }
    default: return true
    }
  }
}
