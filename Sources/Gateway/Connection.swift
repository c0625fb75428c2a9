// One client connection: a plain struct in its reactor's slab. That reactor's thread only.
import Buffers
import Compression
import EventLoop
import Topics
import Wire

/// What a connection is in the middle of.
enum Phase: UInt8, BitwiseCopyable {
  /// Waiting for a PROXY protocol header, on a listener that asks for one.
  case proxy
  /// Waiting for a request head, or for the rest of one.
  case head
  /// The answer is queued; the rest of the request's body is being read past.
  case body
  /// A WebSocket.
  case open
  /// The last bytes are queued. What still arrives is thrown away.
  case closing
  /// Everything is sent, and so is the end of the stream; waiting for the peer's end.
  case lingering

  /// Whether the connection is not yet what it wants to be.
  @inline(__always) var isBeforeOpen: Bool { rawValue < Phase.open.rawValue }
}

/// What a WebSocket connection speaks.
enum Role: UInt8, BitwiseCopyable {
  case none, channels, echo
}

/// Small facts about a connection.
struct ConnectionFlags: OptionSet, BitwiseCopyable {
  let rawValue: UInt16
  /// In the list of connections to flush at the end of the turn.
  static let dirty = ConnectionFlags(rawValue: 1)
  /// Accepted over the limit: whatever it asks for, the answer is 503.
  static let refused = ConnectionFlags(rawValue: 2)
  /// A ping is out and no pong has come.
  static let awaitsPong = ConnectionFlags(rawValue: 4)
  /// In the list of connections that have more to read than one turn allows.
  static let ready = ConnectionFlags(rawValue: 8)
  /// The peer has finished sending.
  static let peerEnded = ConnectionFlags(rawValue: 16)
  /// Counted as a WebSocket.
  static let counted = ConnectionFlags(rawValue: 32)
  /// Its address has too many connections, or opens them too fast: the answer is 429.
  static let limited = ConnectionFlags(rawValue: 64)
  /// Counted among the connections of its address.
  static let admitted = ConnectionFlags(rawValue: 128)
  /// A pong was queued since the socket was full.
  static let pongWaits = ConnectionFlags(rawValue: 256)
  /// Another ping came since, and its body is kept in `Inbound.owedPong` until the socket has room.
  static let pongOwed = ConnectionFlags(rawValue: 512)
}

/// A connection. It owns no buffer while it is idle: received bytes live in the reactor's buffer, outgoing ones in
/// shared chunks, and what must outlive a turn (an incomplete frame, a message under assembly) in an `Inbound` that
/// exists only while needed.
struct Connection: BitwiseCopyable {
  let fd: Int32
  /// The listener it came from, which decides its mounts.
  let listener: UInt16
  var phase = Phase.head
  var role = Role.none
  var flags: ConnectionFlags = []
  /// Why it is ending, once it is.
  var reason = CloseReason.disconnected
  /// The user's id as a JSON string, interned; `InternTable.none` when there is none.
  var user = InternTable.none
  /// The side allocation for received bytes, in the reactor's pool; `none` while there is none.
  var inbound = UInt32.max
  /// What permessage-deflate agreed on: 0 nothing, else one more than `DeflateParameters.index`.
  var deflate: UInt8 = 0
  /// Pings that came while a pong waited.
  var pingsBacklog: UInt16 = 0
  /// Windows of its own, where context takeover was agreed; `none` otherwise.
  var deflateContext = UInt32.max
  var subscriptions = SubscriptionList()
  var outbound = OutboundQueue()
  /// When the timer must look at it, in milliseconds of the monotonic clock: the end of the handshake, the next
  /// heartbeat, or the end of patience.
  var deadlineMilliseconds: UInt64 = 0
  /// Where it comes from: the socket's peer, or the client that a trusted proxy names.
  var client: PeerAddress

  init(fd: Int32, listener: UInt16, client: PeerAddress) {
    self.fd = fd
    self.listener = listener
    self.client = client
  }
}

/// What a connection keeps between two reads.
struct Inbound: ~Copyable {
  /// Bytes received and not yet used: part of a request head, of a frame header or of a control frame.
  var tail = ByteBuffer()
  /// The message under assembly.
  var message = ByteBuffer()
  var decoder = FrameDecoder()
  var head = HTTPHeadParser()
  /// The body of the latest ping that is still to be answered, while the flag `pongOwed` is set.
  var owedPong = ByteBuffer()
  /// The rest of a request's body to be read past, in phase `body`.
  var body: HTTPBodyDecoder?
  /// A compressed message that takes more than a turn. What came behind it waits in `tail`.
  var inflating: Inflating?

  /// Whether nothing here is needed any more.
  var isIdle: Bool {
    tail.isEmpty && message.isEmpty && owedPong.isEmpty && !decoder.isMidMessage && body == nil && inflating == nil
  }
}

/// A compressed message that is being decompressed, a piece in each turn.
struct Inflating: ~Copyable {
  let opcode: Opcode
  /// What is still to be decompressed.
  var compressed = ByteBuffer()
  /// How much of that has been.
  var offset = 0
  /// What it has given so far.
  var message = ByteBuffer()
  /// The window, once begun, where the connection has none of its own.
  var inflater: Inflater?

  init(_ opcode: Opcode) { self.opcode = opcode }
}
