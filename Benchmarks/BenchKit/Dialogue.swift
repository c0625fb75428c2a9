// What a client of each dialect says before it counts as connected, and what it must hear. Values only.

/// Where a client shows its token.
public enum TokenPlace: Sendable {
  /// `token=` in the query.
  case query
  /// The WebSocket sub-protocol, which the server must echo.
  case subprotocol
  /// `Authorization: Bearer`.
  case bearer
  /// `{token}` in what the client says.
  case message
}

/// The beginning of a connection: lines in their order. Every line first waits for a message, then says something.
public struct Dialogue: Sendable {
  public struct Line: Sendable {
    /// Texts that the awaited message contains, all of them; empty when nothing is awaited.
    var awaits: [String]
    /// A text that it must not contain; empty for none.
    var refuses: String
    /// What the client then says, with `{channel}` and `{token}`; empty for nothing.
    var says: String

    init(awaits: [String] = [], refuses: String = "", says: String = "") {
      self.awaits = awaits
      self.refuses = refuses
      self.says = says
    }

    func isAnswered(by text: Span<UInt8>, channel: String) -> Bool {
      awaits.allSatisfy { text.contains(Array($0.replacing("{channel}", with: channel).utf8)) }
        && (refuses.isEmpty || !text.contains(Array(refuses.utf8)))
    }
  }

  public var lines: [Line] = []
  /// Whether any other message than the awaited one is an error.
  public var isStrict = false
  /// Channels over which the connections are spread.
  public var channels = 1
  /// Whether the server asks `2` and wants `3` (Engine.IO 4).
  public var hasEngineHeartbeat = false

  public init() {}

  init(strict lines: [Line]) {
    self.lines = lines
    isStrict = true
  }

  /// Without an acknowledgement in the end the server gets this long to take note: 300 ms.
  static let settleNanoseconds: UInt64 = 300_000_000

  /// Whether the last thing that happens is an answer of the server.
  var endsWithAnswer: Bool { lines.last.map { !$0.awaits.isEmpty && $0.says.isEmpty } ?? false }
}

/// The protocols that the load generator speaks.
enum ClientDialect: String, CaseIterable {
  case raw
  case channels
  case handlers
  case sessions
  case walkers
  case events
  case socketIO = "socketio"
  /// Socket.IO over HTTP polls.
  case polling
  /// Subscribers of `channels`; the broadcast comes from a handler of the application.
  case broadcast

  /// Where a URL without a path leads.
  var path: String {
    switch self {
    case .raw, .channels: "/"
    case .broadcast: "/channels"
    case .handlers: "/handlers"
    case .sessions: "/sessions"
    case .walkers: "/websocket"
    case .events: "/events"
    case .socketIO: "/socket.io/?EIO=4&transport=websocket"
    case .polling: "/socket.io/?EIO=4&transport=polling"
    }
  }

  var tokenPlace: TokenPlace {
    switch self {
    case .raw, .channels, .broadcast, .sessions, .events: .query
    case .handlers: .subprotocol
    case .walkers: .bearer
    case .socketIO, .polling: .message
    }
  }

  /// Whether tokens are sessions of the server's, to be asked for at `HTTPClient.sessionPath`.
  var hasSessions: Bool { self == .events || self == .socketIO || self == .polling }

  /// Whether its messages come from `martlet-bench-app`, asked by a publisher of the events dialect.
  var isEmitted: Bool { emission != nil }

  /// The event by which that publisher asks.
  var emission: String? {
    switch self {
    case .events, .socketIO: "bench-emit"
    case .broadcast: "bench-broadcast"
    default: nil
    }
  }

  /// Who asks `martlet-bench-app` for broadcasts, which leave so many at a time.
  static func publisher(batch: Int) -> Dialogue {
    var dialogue = ClientDialect.events.dialogue(joins: false)
    dialogue.lines[0].says = #"{"event":"bench-batch","data":\#(batch)}"#
    dialogue.lines.append(Dialogue.Line(awaits: [#""event":"bench-batched""#, #""data":\#(batch)"#]))
    return dialogue
  }

  /// The beginning of a connection. One that `joins` enters the room of its channel by an event of the application's;
  /// elsewhere subscribing is part of the dialect.
  func dialogue(joins: Bool) -> Dialogue {
    switch self {
    case .raw, .polling: return Dialogue()
    case .channels, .broadcast:
      return Dialogue(strict: [
        .init(awaits: [#""type":"connected""#], says: #"{"action":"subscribe","channel":"{channel}"}"#),
        .init(awaits: [#""type":"subscribed""#, #""channel":"{channel}""#]),
      ])
    case .handlers:
      return Dialogue(strict: [
        .init(says: #"{"type":"ping"}"#), .init(awaits: [#""type":"pong""#]),
      ])
    case .sessions:
      // Nothing acknowledges a subscription; the answer to the ping shows that it has been taken.
      return Dialogue(strict: [
        .init(says: "subscribe:{channel}|bench"), .init(says: "ping"), .init(awaits: ["pong"]),
      ])
    case .walkers:
      // On the public root the token was not taken.
      return Dialogue(strict: [
        .init(awaits: [#""type":"connection""#, #""root_id":"n::"#], refuses: "n::000000000000000000000001")
      ])
    case .events:
      let welcome = [#""event":"connected""#, #""protocol":"native-websocket""#]
      if !joins { return Dialogue(strict: [.init(awaits: welcome)]) }
      return Dialogue(strict: [
        .init(awaits: welcome, says: #"{"event":"bench-join","data":"{channel}"}"#),
        .init(awaits: [#""event":"bench-joined""#, "{channel}"]),
      ])
    case .socketIO:
      var dialogue = Dialogue(strict: [
        .init(awaits: [#"0{"sid":""#, #""pingInterval""#], says: #"40{"token":"{token}"}"#),
        .init(awaits: [#"40{"sid":""#]),
        .init(awaits: [#"42["connected",{"#, #""socketId":""#], says: joins ? #"42["bench-join","{channel}"]"# : ""),
      ])
      if joins { dialogue.lines.append(.init(awaits: [#"42["bench-joined","{channel}"]"#])) }
      dialogue.hasEngineHeartbeat = true
      return dialogue
    }
  }
}
