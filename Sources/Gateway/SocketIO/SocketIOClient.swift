// What a Socket.IO client has on one Engine.IO session: its sockets, one a namespace, and a packet under assembly.
// The reactor's thread.
import Auth
import Buffers
import Dialects
import Topics
import Wire

/// The names under which clients join the one application (PROTOCOLS 3.5): a URL's path is a namespace to the client
/// library, and the documented URLs have one.
enum SocketIONamespace: UInt8, CaseIterable, Sendable {
  case root, socketIOSlash, socketIO, ws

  /// As it stands in packets.
  var name: StaticString {
    switch self {
    case .root: "/"
    case .socketIOSlash: "/socket.io/"
    case .socketIO: "/socket.io"
    case .ws: "/ws"
    }
  }

  /// The namespace of a packet, whose text is empty for the default one; nil for what is not served.
  init?(_ text: Span<UInt8>) {
    if text.isEmpty {
      self = .root
      return
    }
    for candidate in [SocketIONamespace.socketIOSlash, .socketIO, .ws] where text.equals(candidate.name) {
      self = candidate
      return
    }
    return nil
  }

  /// The namespace of this name, `/` for the default one; nil for what is not served.
  init?(name: String) {
    guard let found = Self.allCases.first(where: { $0.name.description == name }) else { return nil }
    self = found
  }

  /// Appends what stands between a packet's type and its payload.
  func appendPrefix(to out: inout ByteBuffer) {
    if self == .root { return }
    out.append(name)
    out.append(",")
  }
}

/// One socket: a namespace joined.
struct SocketIOSocket {
  let namespace: SocketIONamespace
  /// Tells it from those that the connection had in this namespace before.
  let serial: UInt32
  /// The id that clients see, 20 characters; not the session's.
  let id: [UInt8]
  let token: [UInt8]
  /// Nil for an anonymous session.
  let userId: [UInt8]?
  let isLoggedIn: Bool
}

/// A request to the client that waits for its acknowledgement.
struct PendingAcknowledgement {
  let namespace: SocketIONamespace
  let waiter: AcknowledgementWaiter
}

/// The Socket.IO side of an Engine.IO session.
struct SocketIOClient: ~Copyable {
  /// The token in the query of the handshake.
  var handshakeToken: [UInt8]?
  /// At most one for each namespace.
  var sockets: [SocketIOSocket] = []
  /// Sockets there have been.
  var lastSerial: UInt32 = 0
  var assembler = SocketIOAssembler(bytesMax: Limits.socketIOPacketBytesMax)
  /// Requests to the client that wait for its acknowledgement, by id.
  var requests: [Int: PendingAcknowledgement] = [:]
  var lastRequest = 0

  init() {}

  func socket(_ namespace: SocketIONamespace) -> SocketIOSocket? { sockets.first { $0.namespace == namespace } }

  /// Whether that very socket is still joined.
  func has(_ reference: SocketIOReference) -> Bool { socket(reference.namespace)?.serial == reference.serial }

  /// A fresh id of a socket: 15 random bytes in base64url.
  static func makeID() -> [UInt8] {
    var text = ByteBuffer(capacity: 20)
    Base64URL.encode(SecureRandom.bytes(15).span, into: &text)
    return text.bytes.array
  }
}

/// The name of a room in the topic table: the form of its frames, then the room. Native connections and each namespace
/// get different bytes, so they are topics of their own; the empty room is everyone.
enum RoomTopic {
  /// The form of native connections.
  static let native: UInt8 = UInt8(ascii: "n")

  /// Appends the topic's name.
  static func append(form: UInt8, room: Span<UInt8>, to out: inout ByteBuffer) {
    out.append(form)
    out.append(room)
  }

  /// The hash of the topic of every native connection.
  static var nativeEveryoneHash: UInt32 {
    var name = ByteBuffer(capacity: 8)
    append(form: native, room: Span(), to: &name)
    return TopicTable.hash(name.bytes, space: Space.eventRooms.rawValue)
  }

  /// The form of a namespace's frames.
  static func form(_ namespace: SocketIONamespace) -> UInt8 { UInt8(ascii: "0") + namespace.rawValue }

  /// The form of those of a namespace who read attachments as base64.
  static func base64(_ form: UInt8) -> UInt8 { form + (UInt8(ascii: "A") - UInt8(ascii: "0")) }
}
