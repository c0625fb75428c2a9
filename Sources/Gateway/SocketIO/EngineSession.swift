// An Engine.IO session: what a Socket.IO client keeps from one transport to the next. Its reactor's thread only.
import Auth
import Buffers
import Wire

/// The id of a session as clients send it: 20 characters of base64url for 15 bytes (PROTOCOLS 3.5).
///
/// The first byte is the reactor that owns the session, the next three its slot there; the other eleven are random and
/// make the id a secret. A request that comes to another reactor is handed to that one.
struct EngineSessionID: Equatable {
  private var high: UInt64 = 0
  private var low: UInt64 = 0

  /// Characters of an id.
  static let textCount = 20

  /// A fresh id for a session in `slot` of `reactor`.
  init(reactor: Int, slot: UInt32) {
    high = UInt64(UInt8(truncatingIfNeeded: reactor)) << 56 | UInt64(slot & 0xFF_FFFF) << 32
    for byte in SecureRandom.bytes(4) { high = high & ~0xFFFF_FFFF | (high << 8 | UInt64(byte)) & 0xFFFF_FFFF }
    for byte in SecureRandom.bytes(7) { low = low << 8 | UInt64(byte) }
  }

  /// The id that a client sent, or nil for what no session was ever called.
  init?(_ text: Span<UInt8>) {
    guard text.count == Self.textCount else { return nil }
    var bytes = ByteBuffer(capacity: 16)
    guard Base64URL.decode(text, into: &bytes), bytes.count == 15 else { return nil }
    let span = bytes.bytes
    for index in 0..<8 { high = high << 8 | UInt64(span[index]) }
    for index in 8..<15 { low = low << 8 | UInt64(span[index]) }
  }

  /// The reactor that owns the session, if there is one.
  var reactor: Int { Int(high >> 56) }
  /// The session's slot there.
  var slot: UInt32 { UInt32(truncatingIfNeeded: high >> 32) & 0xFF_FFFF }

  /// Appends the text.
  func append(to out: inout ByteBuffer) {
    var bytes = ByteBuffer(capacity: 16)
    for index in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: high >> UInt64(56 - index * 8))) }
    for index in 0..<7 { bytes.append(UInt8(truncatingIfNeeded: low >> UInt64(48 - index * 8))) }
    Base64URL.encode(bytes.bytes, into: &out)
  }
}

/// How a session's bytes travel.
enum EngineTransport: UInt8, BitwiseCopyable {
  case polling, webSocket
}

/// A POST on its way through a session, packet by packet.
struct EnginePost {
  /// The connection that waits for the answer.
  let connection: SlabToken
  let exchange: EngineExchange
  /// Valid UTF-8.
  let body: [UInt8]
  /// Where the next packet is.
  var reader = EngineIOPayloadReader()
}

/// One Engine.IO session. It belongs to a slot of the reactor's connections: the WebSocket itself, or one without a
/// socket while the client polls.
struct EngineSession: ~Copyable {
  let id: EngineSessionID
  var transport: EngineTransport
  /// The connection that waits for the answer of a poll.
  var poll: SlabToken?
  /// The connection that carries the answer of the last poll.
  var answered: SlabToken?
  /// The origin of the browser that polls, for the answer.
  var pollOrigin: [UInt8]?
  /// A POST of it is being received or answered.
  var isPosting = false
  /// What is left of a POST that takes more than a turn; nil also while a turn works on it.
  var post: EnginePost?
  /// The WebSocket that probes for an upgrade.
  var probe: SlabToken?
  /// It has sent `2probe`: polls are released until it has taken over.
  var isProbed = false
  /// A WebSocket took over, or was the transport from the start.
  var isUpgraded: Bool
  /// A namespace was joined at least once; else the session ends at its join deadline.
  var hasJoined = false
  var joinDeadlineMilliseconds: UInt64
  /// Its number among those in no namespace.
  var unjoined = UnjoinedSessions.none
  /// Binary messages go to the client as base64 whatever the transport: it asked with `b64=1`.
  var usesBase64 = false
  /// Its poll is answered in a later turn.
  var isPollLate = false
  /// It has ended but for the client, who is told by the poll that comes next.
  var isClosing = false
  /// Packets with attachments under assembly, and the sockets of the namespaces.
  var client = SocketIOClient()

  init(id: EngineSessionID, transport: EngineTransport, joinDeadlineMilliseconds: UInt64) {
    self.id = id
    self.transport = transport
    self.joinDeadlineMilliseconds = joinDeadlineMilliseconds
    isUpgraded = transport == .webSocket
  }
}
