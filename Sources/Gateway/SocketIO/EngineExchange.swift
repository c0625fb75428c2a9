// What of a polling request is needed for its answer, and what its query says. Values of the reactor's thread.
import Buffers
import Wire

/// One HTTP exchange of Engine.IO.
struct EngineExchange {
  /// Whether the connection goes on.
  var keepsAlive: Bool
  var isUpgrade: Bool
  var omitsBody: Bool
  var isPreflight: Bool
  /// The browser's origin, which was found to be allowed; nil without one.
  var origin: [UInt8]?
  /// The headers that a preflight asks for.
  var requestHeaders: [UInt8]?

  /// The exchange of a poll that has waited.
  init(keepsAlive: Bool, origin: [UInt8]?) {
    self.keepsAlive = keepsAlive
    self.origin = origin
    isUpgrade = false
    omitsBody = false
    isPreflight = false
  }

  /// The exchange of a request; `withOrigin: false` where its origin is not to be told that it is allowed.
  init(_ head: HTTPRequestHead, _ bytes: Span<UInt8>, withOrigin: Bool = true) {
    isUpgrade = head.hasUpgradeWebSocket
    // Only of a POST is the body read before the answer.
    keepsAlive = (head.method == .post ? head.keepsAlive : head.keepsAliveUnread) && !isUpgrade
    omitsBody = head.method == .head
    isPreflight = head.method == .options
    if withOrigin, let range = head.origin { origin = bytes.extracting(range).array }
    if isPreflight, let range = head.accessControlRequestHeaders {
      if head.repeatsAccessControlRequestHeaders {
        var list = ByteBuffer()
        head.appendLines(named: "access-control-request-headers", separator: ", ", in: bytes, to: &list)
        requestHeaders = list.bytes.array
      } else {
        requestHeaders = bytes.extracting(range).array
      }
    }
  }
}

/// The parameters that every Engine.IO request carries.
struct EngineQuery {
  var isVersion4 = false
  /// Nil when it is missing or unknown.
  var transport: EngineTransport?
  /// Nil when it is missing or empty.
  var sid: [UInt8]?
  /// The session token in the handshake's query, of those who do not send it with the connect packet.
  var token: [UInt8]?
  /// The client wants binary messages as base64 on every transport.
  var usesBase64 = false

  init(_ head: HTTPRequestHead, _ bytes: Span<UInt8>) {
    guard let query = head.query else { return }
    var value = ByteBuffer()
    if HTTPQuery.value(of: "EIO", in: bytes, query: query, into: &value) { isVersion4 = value.bytes.equals("4") }
    value.removeAll()
    if HTTPQuery.value(of: "transport", in: bytes, query: query, into: &value) {
      if value.bytes.equals("polling") { transport = .polling }
      if value.bytes.equals("websocket") { transport = .webSocket }
    }
    value.removeAll()
    if HTTPQuery.value(of: "sid", in: bytes, query: query, into: &value) { sid = value.bytes.array }
    value.removeAll()
    if HTTPQuery.value(of: "token", in: bytes, query: query, into: &value) { token = value.bytes.array }
    value.removeAll()
    usesBase64 = HTTPQuery.value(of: "b64", in: bytes, query: query, into: &value) && !value.isEmpty
  }
}

/// The clocks and sizes of Engine.IO.
struct EngineSettings: Sendable {
  /// What the handshake tells clients.
  let wire: EngineIOSettings
  /// Milliseconds in which a session must join a namespace.
  let joinMilliseconds: Int
  /// Milliseconds in which an upgrade must be finished.
  let upgradeMilliseconds: Int

  init(_ events: EventsConfiguration) {
    var wire = EngineIOSettings()
    wire.pingIntervalMilliseconds = events.pingIntervalMilliseconds
    wire.pingTimeoutMilliseconds = events.pingTimeoutMilliseconds
    wire.payloadBytesMax = events.payloadBytesMax
    self.wire = wire
    joinMilliseconds = events.joinTimeoutMilliseconds
    upgradeMilliseconds = events.upgradeTimeoutMilliseconds
  }

  var pingIntervalMilliseconds: Int { wire.pingIntervalMilliseconds }
  var pingTimeoutMilliseconds: Int { wire.pingTimeoutMilliseconds }
  var payloadBytesMax: Int { wire.payloadBytesMax }
}
