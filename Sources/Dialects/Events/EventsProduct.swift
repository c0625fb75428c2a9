// The texts by which the events dialect introduces itself, which an operator may change. Immutable after start-up.

/// Product texts in the answers of the events dialect; the defaults are those that its clients know (PROTOCOLS 3.3 to
/// 3.5). Plain text, quoted where it is sent.
public struct EventsProduct: Sendable, Equatable {
  /// `server.name` of `status_response`.
  public var serverName = "YektaYar API Server"
  /// `server.name` of `info_response`.
  public var apiName = "YektaYar API"
  /// `server.version` of both.
  public var version = "0.1.0"
  /// `server.description` of `info_response` on a native connection.
  public var nativeDescription = "YektaYar API Server with native WebSocket support"
  /// `server.description` of `info_response` over Socket.IO.
  public var socketIODescription = "YektaYar API Server with Socket.IO support"
  /// How `message` of `connected` begins; a native connection adds ` via native-websocket`.
  public var welcome = "Connected to YektaYar server"

  public init() {}
}
