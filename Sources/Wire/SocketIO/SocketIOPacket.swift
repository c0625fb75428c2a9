// One packet of Socket.IO protocol 5 in its text form, read: a pure function over the caller's bytes.

import Buffers

/// Why a Socket.IO packet is refused; each ends the Engine.IO session (PROTOCOLS 3.5). What the reference server takes
/// and makes nothing of is no fault: an empty message is a CONNECT, an event may have no payload, and so may an
/// acknowledgement, which may also lack its id.
public enum SocketIOFault: Error, Sendable, Equatable {
  /// No packet type, or one that does not exist.
  case type
  /// A binary packet without a count of attachments, or with one that is no number.
  case attachmentCount
  /// More attachments than `SocketIOPacket.attachmentsMax`.
  case tooManyAttachments
  /// A namespace that is longer than `SocketIOPacket.namespaceBytesMax`.
  case namespace
  /// An acknowledgement id that is too large.
  case acknowledgement
  /// No JSON, or not of the shape that the type of packet has: an event is an array that begins with its name, an
  /// acknowledgement an array, a connect an object or nothing, a disconnect nothing.
  case payload
  /// An event with a name that clients may not use.
  case reservedName
  /// A placeholder for an attachment that does not exist.
  case placeholder
  /// A text packet while attachments of the one before are missing.
  case unexpectedText
  /// A binary message that no packet has announced.
  case unexpectedBinary
  /// A packet and its attachments are together over the limit.
  case tooBig
}

extension SocketIOFault: CustomStringConvertible {
  /// A clause.
  public var description: String {
    switch self {
    case .type: "no packet type that there is"
    case .attachmentCount: "no count of attachments"
    case .tooManyAttachments: "too many attachments"
    case .namespace: "the namespace is too long"
    case .acknowledgement: "no id of an acknowledgement that can be used"
    case .payload: "the payload does not fit the packet's type"
    case .reservedName: "an event with a reserved name"
    case .placeholder: "a placeholder for an attachment that is not there"
    case .unexpectedText: "a text while attachments are missing"
    case .unexpectedBinary: "a binary message that no packet has announced"
    case .tooBig: "a packet with its attachments is too big"
    }
  }
}

/// A packet of Socket.IO protocol 5: what follows the `4` of an Engine.IO message. Ranges and values are offsets into
/// the bytes that were read.
public struct SocketIOPacket: Sendable, Equatable {
  /// The types, in the order of their digits.
  public enum Kind: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    case connect, disconnect, event, acknowledgement, connectError, binaryEvent, binaryAcknowledgement
  }

  /// Attachments of one packet (PROTOCOLS 3.5).
  public static let attachmentsMax = 10
  /// Bytes of the longest namespace. It is repeated in the answer, and ours are at most 11.
  public static let namespaceBytesMax = 128
  /// The largest acknowledgement id: what a JavaScript number holds exactly.
  public static let idMax = 9_007_199_254_740_991

  public var kind: Kind
  /// How many binary messages follow.
  public var attachments = 0
  /// The namespace from its slash, without the comma; empty for the default one.
  public var namespace: Range<Int> = 0..<0
  /// The acknowledgement id, -1 for none.
  public var id = -1
  /// The payload; nil when there is none.
  public var payload: JSONValue?
  /// An event's name, a string or a number.
  public var name: JSONValue?
  /// An event's first argument; nil when it has none.
  public var argument: JSONValue?
  /// The payload is of the right shape so far as it was read, and then breaks a rule that JSON itself does not have:
  /// half a surrogate pair, a number out of range, too many containers inside each other. It counts as none, and the
  /// packet must not be carried out.
  public var isRefused = false

  init(kind: Kind) { self.kind = kind }

  /// Reads a whole packet, valid UTF-8.
  public static func decode(_ bytes: Span<UInt8>) throws(SocketIOFault) -> SocketIOPacket {
    guard bytes.count > 0 else { return SocketIOPacket(kind: .connect) }
    guard let kind = Kind(rawValue: bytes[0] &- UInt8(ascii: "0")) else { throw .type }
    var packet = SocketIOPacket(kind: kind)
    var position = 1
    if kind == .binaryEvent || kind == .binaryAcknowledgement {
      let count = try number(bytes, &position, max: attachmentsMax, .tooManyAttachments)
      guard let count, position < bytes.count, bytes[position] == UInt8(ascii: "-") else { throw .attachmentCount }
      packet.attachments = count
      position += 1
    }
    if position < bytes.count && bytes[position] == UInt8(ascii: "/") {
      let start = position
      while position < bytes.count && bytes[position] != JSONByte.comma {
        position += 1
        if position - start > namespaceBytesMax { throw .namespace }
      }
      // A namespace of one slash is the default one, however it is written.
      if position - start > 1 { packet.namespace = start..<position }
      if position < bytes.count { position += 1 }
    }
    if let id = try number(bytes, &position, max: idMax, .acknowledgement) { packet.id = id }
    if position < bytes.count {
      packet.payload = try json(bytes, from: position)
      if packet.payload == nil {
        try packet.refuse(bytes, from: position)
        return packet
      }
    }
    try packet.checkPayload(bytes)
    return packet
  }

  /// The decimal number at `position`, which moves behind it; nil when no digit stands there.
  private static func number(
    _ bytes: Span<UInt8>, _ position: inout Int, max: Int, _ fault: SocketIOFault
  ) throws(SocketIOFault) -> Int? {
    var value = 0
    let start = position
    while position < bytes.count {
      let digit = bytes[position] &- JSONByte.zero
      guard digit < 10 else { break }
      // `max` is below 2^54, so ten times it fits.
      value = value * 10 + Int(digit)
      if value > max { throw fault }
      position += 1
    }
    return position == start ? nil : value
  }

  /// The JSON that is the rest of `bytes`; nil for one that breaks a rule of ours.
  private static func json(_ bytes: Span<UInt8>, from start: Int) throws(SocketIOFault) -> JSONValue? {
    do {
      return try JSONScanner.validate(bytes.extracting(start..<bytes.count)).moved(by: start)
    } catch {
      switch error {
      case .loneSurrogate, .numberRange, .depth: return nil
      case .syntax, .controlCharacter, .duplicateMember: throw .payload
      }
    }
  }

  /// Notes that the payload breaks a rule of ours, if a packet of this type may have one that begins so.
  private mutating func refuse(_ bytes: Span<UInt8>, from start: Int) throws(SocketIOFault) {
    let first = JSONWalk.skipSpace(bytes, start)
    let kind = first < bytes.count ? JSONKind(firstByte: bytes[first]) : .null
    switch self.kind {
    case .connect: if kind != .object { throw .payload }
    case .event, .binaryEvent, .acknowledgement, .binaryAcknowledgement: if kind != .array { throw .payload }
    case .disconnect, .connectError: throw .payload
    }
    isRefused = true
  }

  private mutating func checkPayload(_ bytes: Span<UInt8>) throws(SocketIOFault) {
    switch kind {
    case .connect:
      if let payload, payload.kind != .object { throw .payload }
    case .disconnect:
      if payload != nil { throw .payload }
    case .connectError:
      if let payload, payload.kind != .object && payload.kind != .string { throw .payload }
    case .event, .binaryEvent:
      guard let payload else { break }
      guard payload.kind == .array else { throw .payload }
      var elements = JSONWalk.Children(bytes, payload.start)
      guard let name = elements.next(bytes)?.value, name.kind == .string || name.kind == .number else {
        throw .payload
      }
      if Self.isReserved(bytes, name) { throw .reservedName }
      self.name = name
      argument = elements.next(bytes)?.value
    case .acknowledgement, .binaryAcknowledgement:
      if let payload, payload.kind != .array { throw .payload }
    }
    if attachments > 0, let payload {
      _ = try SocketIOPlaceholders.scan(bytes.extracting(payload.range), attachments: attachments)
    }
  }

  /// Whether an event's name is one that the libraries emit themselves.
  private static func isReserved(_ bytes: Span<UInt8>, _ name: JSONValue) -> Bool {
    // Six bytes for a character at most, and the longest reserved name has 14.
    guard name.kind == .string && name.end - name.start <= 6 * 14 + 2 else { return false }
    if JSONString.isPlain(bytes, name) { return isReserved(bytes.extracting(name.contents)) }
    var decoded = ByteBuffer(capacity: 96)
    JSONString.decode(bytes, name, into: &decoded)
    return isReserved(decoded.bytes)
  }

  private static func isReserved(_ name: Span<UInt8>) -> Bool {
    switch name.count {
    case 7: name.equals("connect")
    case 10: name.equals("disconnect")
    case 11: name.equals("newListener")
    case 13: name.equals("connect_error") || name.equals("disconnecting")
    case 14: name.equals("removeListener")
    default: false
    }
  }
}

extension JSONValue {
  /// The same value in a span that begins `offset` bytes earlier.
  func moved(by offset: Int) -> JSONValue { JSONValue(kind: kind, start: start + offset, end: end + offset) }
}
