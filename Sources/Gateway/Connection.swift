// One client connection: a plain struct in its reactor's slab. That reactor's thread only.
import Buffers
import Compression
import Dialects
import EventLoop
import Topics
import Wire

/// What a connection is in the middle of.
enum Phase: UInt8, BitwiseCopyable {
  /// Waiting for a PROXY protocol header, on a listener that asks for one.
  case proxy
  /// Waiting for a request head, or for the rest of one.
  case head
  /// The request's body is being read: past it where the answer is queued already, else for an endpoint.
  case body
  /// An endpoint works on the answer. Nothing is read meanwhile; when the peer ends the connection, the call is over.
  case answering
  /// It waits for the answer of an Engine.IO poll. Nothing is read meanwhile; the peer's end ends the session.
  case polling
  /// A WebSocket, or an Engine.IO session that polls.
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
  case none, channels, echo, handlers, sessions, walkers, events
  /// An Engine.IO session, and so Socket.IO.
  case socketIO
  /// A WebSocket that may become the transport of an Engine.IO session.
  case engineProbe

  /// The dialect, for an open WebSocket.
  var dialect: Dialect? {
    switch self {
    case .none, .engineProbe: nil
    case .channels: .channels
    case .echo: .echo
    case .handlers: .handlers
    case .sessions: .sessions
    case .walkers: .walkers
    case .events, .socketIO: .events
    }
  }
}

/// Small facts about a connection.
struct ConnectionFlags: OptionSet, BitwiseCopyable {
  let rawValue: UInt32
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
  /// It was not read from while an endpoint worked, or had its share of a turn; what was kept is to be looked at before
  /// more is read.
  static let resumed = ConnectionFlags(rawValue: 1024)
  /// Handlers of the application are at work for it.
  static let hasCalls = ConnectionFlags(rawValue: 2048)
  /// It proved who it is, where a dialect also serves those who do not.
  static let authenticated = ConnectionFlags(rawValue: 4096)
  /// Its place was fixed by its token (sessions: the claim `sid`).
  static let placeFixed = ConnectionFlags(rawValue: 8192)
  /// The request that is being answered leaves the connection open.
  static let keepsAlive = ConnectionFlags(rawValue: 16384)
  /// The application was told of it.
  static let announced = ConnectionFlags(rawValue: 65536)
  /// In the middle of a long message: read from only for its share of a turn, behind all others.
  static let long = ConnectionFlags(rawValue: 131_072)
  /// The request that is being answered was a HEAD.
  static let omitsBody = ConnectionFlags(rawValue: 32768)
  /// The system has said that the peer will send no more; what it sent before may still wait to be read.
  static let readEnded = ConnectionFlags(rawValue: 1 << 28)
  /// It carries requests of a trusted proxy's clients, and `Shard.proxied` says more.
  static let proxied = ConnectionFlags(rawValue: 1 << 27)
  /// The client is one that a trusted proxy names, for the request at hand alone.
  static let forwarded = ConnectionFlags(rawValue: 1 << 29)
  /// A request has been answered, and the next has not begun.
  static let idle = ConnectionFlags(rawValue: 1 << 30)
}

/// A connection. It owns no buffer while it is idle: received bytes live in the reactor's buffer, outgoing ones in
/// shared chunks, and what must outlive a turn (an incomplete frame, a message under assembly) in an `Inbound` that
/// exists only while needed.
struct Connection: BitwiseCopyable {
  /// Its socket; -1 for the slot of a session whose client polls.
  var fd: Int32
  /// The listener it came from, which decides its mounts.
  let listener: UInt16
  var phase = Phase.head
  var role = Role.none
  var flags: ConnectionFlags = []
  /// Why it is ending, once it is.
  var reason = CloseReason.disconnected
  /// Who it is, interned; `InternTable.none` when there is nothing to say. channels: the user id, handlers: the user
  /// name, both as JSON strings; sessions: the client's name; walkers: the root id; events: the user id.
  var user = InternTable.none
  /// Where it is, interned. sessions: the session's name; walkers: the channel id; events: the session token.
  var place = InternTable.none
  /// What it is itself called, interned. walkers: the client id; events: the socket id.
  var alias = InternTable.none
  /// Of an Engine.IO session: its number in the reactor's pool; `none` otherwise. Of a waiting poll or a probing
  /// WebSocket: the session's slot.
  var engine = UInt32.max
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
  /// Whose the request at hand is, or the WebSocket: the client's that a trusted proxy names, else the peer's. That is
  /// the other end of the socket, or whom a PROXY protocol header names.
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
  /// The rest of a request's body, in phase `body`.
  var body: HTTPBodyDecoder?
  /// When that body began, and how much of it has come: by both its pace is judged.
  var bodyStartMilliseconds: UInt64 = 0
  var bodyBytes = 0
  /// The request that an endpoint will answer, while its body is being read.
  var request: PendingRequest?
  /// A compressed message that takes more than a turn. What came behind it waits in `tail`.
  var inflating: Inflating?

  /// Whether nothing here is needed any more.
  var isIdle: Bool {
    tail.isEmpty && message.isEmpty && owedPong.isEmpty && !decoder.isMidMessage && body == nil && request == nil
      && inflating == nil
  }

  /// Whether a long message is under way.
  var isLong: Bool { inflating != nil || message.count >= Limits.longMessageBytes }
}

/// A compressed message that is being decompressed, a piece in each turn.
struct Inflating: ~Copyable {
  let opcode: Opcode
  /// What is still to be decompressed.
  var compressed = ByteBuffer()
  /// How much of that has been.
  var offset = 0
  /// Compressed bytes that zlib is given next: fewer while they give much.
  var sliceBytes = Limits.inflateSliceBytesMin
  /// What it has given so far.
  var message = ByteBuffer()
  /// The window, once begun, where the connection has none of its own.
  var inflater: Inflater?

  init(_ opcode: Opcode) { self.opcode = opcode }
}
