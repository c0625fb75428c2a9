// What handlers of events are given: the event, ways to answer, rooms, acknowledgements. Any thread, until the handler
// returns and after.
import FoundationEssentials
import Gateway

/// One event of the events dialect, from a native client or over Socket.IO.
public struct Event: Sendable {
  private let call: Call

  init(_ call: Call) { self.call = call }

  /// Its name.
  public var name: String { call.name }
  /// The user id; nil when anonymous.
  public var user: String? { call.user }
  /// The token of the client's session. Whoever knows it is let in: do not pass it on.
  public var session: String { call.session ?? "" }
  /// The id of the socket that sent it, as the client knows it. A Socket.IO client has one for each namespace.
  public var socketID: String { call.socketId ?? "" }
  /// The connection that sent it.
  public var connection: ConnectionReference? { call.connection.map { ConnectionReference(id: $0) } }
  /// Its data as it was sent: valid JSON, `null` where absent.
  public var json: [UInt8] { call.context }
  /// Binary attachments, over Socket.IO; the data names them by placeholders: `{"_placeholder":true,"num":0}` is the
  /// first.
  public var attachments: [[UInt8]] { call.attachments }
  /// Everyone else.
  public var clients: Clients { Clients(call.outlet) }

  /// The data, decoded. Throws a `Rejection` that says what is missing or has the wrong type.
  public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try Coding.decode(type, call) }

  // MARK: Answering

  /// Sends an event back: `<name>_response`, or another one. Can be called again.
  public func reply(event: String? = nil, _ value: some Encodable) throws {
    call.reply(event: event ?? name + "_response", try Coding.encode(value))
  }

  /// Sends an event back whose data is JSON already.
  public func reply(event: String? = nil, json: String) {
    call.reply(event: event ?? name + "_response", Array(json.utf8))
  }

  /// Sends an event back with up to ten binary attachments, which the JSON names by placeholders. Throws a
  /// `RequestError` where they do not fit together, or for a native client.
  public func reply(event: String? = nil, json: String, attachments: [[UInt8]]) throws {
    try RequestError.converting {
      try call.reply(event: event ?? name + "_response", Array(json.utf8), attachments: attachments)
    }
  }

  /// Waits until what was replied so far has left: for long series of replies.
  public func drain() async throws { try await call.drain() }

  // MARK: Acknowledgements (Socket.IO)

  /// Whether the client waits for an acknowledgement: it passed a callback. Never for a native client.
  public var wantsAcknowledgement: Bool { call.wantsAcknowledgement }

  /// Calls the client's callback with a value; nothing happens where it passed none.
  public func acknowledge(_ value: some Encodable) throws { call.acknowledge(try Coding.encode(value)) }

  /// The same with a value that is JSON already.
  public func acknowledge(json: String) { call.acknowledge(Array(json.utf8)) }

  /// The same with up to ten binary attachments, which the JSON names by placeholders. Throws a `RequestError` where
  /// they do not fit together.
  public func acknowledge(json: String, attachments: [[UInt8]]) throws {
    try RequestError.converting { try call.acknowledge(Array(json.utf8), attachments: attachments) }
  }

  /// Sends the client an event and waits until it acknowledges it: what its listener passes to the callback. Throws a
  /// `RequestError`; a native client cannot be asked.
  public func request(
    _ event: String, _ data: some Encodable, timeout: Duration = .seconds(10)
  ) async throws -> ClientAnswer {
    let json = try Coding.encode(data)
    return try await RequestError.awaiting {
      ClientAnswer(try await call.ask(event: event, json, timeout: timeout))
    }
  }

  /// The same with data that is JSON already, and up to ten binary attachments, which it names by placeholders.
  public func request(
    _ event: String, json: String, attachments: [[UInt8]] = [], timeout: Duration = .seconds(10)
  ) async throws -> ClientAnswer {
    try await RequestError.awaiting {
      ClientAnswer(
        try await call.ask(event: event, Array(json.utf8), attachments: attachments, timeout: timeout))
    }
  }

  // MARK: Rooms

  /// Puts the client into a room; again is once. It leaves when its connection ends, and over Socket.IO when it leaves
  /// the namespace. A client is in as many rooms as `limits.subscriptionsPerConnectionMax` allows.
  public func join(_ room: String) { call.join(room: room) }

  /// Takes the client out of a room.
  public func leave(_ room: String) { call.leave(room: room) }

  /// Sends an event to others, who sent this one included if it is among them: everyone, a room, a user, …
  public func emit(_ event: String, _ data: some Encodable, to audience: Audience = .everyone) throws {
    try clients.emit(event, data, to: audience)
  }

  /// Sends an event to all of them but the client that sent this one. Over Socket.IO that is one socket: the same
  /// client in another namespace gets it.
  public func emitToOthers(_ event: String, _ data: some Encodable, in audience: Audience = .everyone) throws {
    call.emitToOthers(
      event: event, data: try Coding.encode(data), room: audience.room, namespace: audience.namespace)
  }

  /// The same with data that is JSON already, and up to ten binary attachments, which it names by placeholders. With
  /// any, it goes to Socket.IO clients only. Throws a `RequestError` where they do not fit together.
  public func emitToOthers(
    _ event: String, json: String, attachments: [[UInt8]] = [], in audience: Audience = .everyone
  ) throws {
    try RequestError.converting {
      try call.emitToOthers(
        event: event, data: Array(json.utf8), attachments: attachments, room: audience.room,
        namespace: audience.namespace)
    }
  }

  /// Broadcasts to the subscribers of a channel of the channels dialect.
  public func broadcast(channel: String, _ data: some Encodable) throws {
    try clients.publish(channel: channel, data: data)
  }
}

/// What a client passed to the callback of an event that it was sent.
public struct ClientAnswer: Sendable {
  private let acknowledgement: Acknowledgement

  init(_ acknowledgement: Acknowledgement) { self.acknowledgement = acknowledgement }

  /// All arguments: a JSON array, as it was sent.
  public var json: [UInt8] { acknowledgement.arguments }
  /// Its binary attachments, which `json` names by placeholders.
  public var attachments: [[UInt8]] { acknowledgement.attachments }

  /// The first argument, decoded; further ones are ignored. Throws a `Rejection` that says what is missing or has the
  /// wrong type.
  public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try Coding.decode(First<Value>.self, acknowledgement.arguments, of: "answer").value
  }

  private struct First<Value: Decodable>: Decodable {
    let value: Value

    init(from decoder: any Decoder) throws {
      var container = try decoder.unkeyedContainer()
      value = try container.decode(Value.self)
    }
  }
}

/// Why a client was not asked, did not answer, or was not sent attachments. A handler that lets it through answers with
/// the error that a handler's time-out or failure has.
public enum RequestError: Error, Sendable, Equatable, CustomStringConvertible {
  /// There was no acknowledgement in time.
  case timedOut
  /// The client has gone or left the namespace, or is a native one; or as many requests wait for it as are allowed
  /// (`limits.callsPerConnectionMax`).
  case disconnected
  /// There are more than ten attachments, a placeholder names one that is not there, the value is no JSON, or the
  /// client is a native one.
  case attachments

  /// A sentence for a log.
  public var description: String {
    switch self {
    case .timedOut: "the client did not acknowledge in time"
    case .disconnected: "the client has gone, or cannot be asked"
    case .attachments: "the attachments cannot be sent"
    }
  }

  static func converting<Value>(_ body: () throws -> Value) throws -> Value {
    do { return try body() } catch { throw converted(error) }
  }

  static func awaiting<Value>(_ body: () async throws -> Value) async throws -> Value {
    do { return try await body() } catch { throw converted(error) }
  }

  private static func converted(_ error: any Error) -> any Error {
    switch error {
    case HandlerError.timedOut: Self.timedOut
    case HandlerError.disconnected: Self.disconnected
    case is AttachmentError: Self.attachments
    default: error
    }
  }
}

/// Who an event is sent to: native and Socket.IO clients alike.
public struct Audience: Sendable, Hashable {
  let room: String
  var namespace: String?

  /// Every client of the events dialect.
  public static let everyone = Audience(room: "")
  /// Those that handlers had join a room.
  public static func room(_ name: String) -> Audience { Audience(room: name) }
  /// Every connection of a logged-in user.
  public static func user(_ id: String) -> Audience { Audience(room: "user:" + id) }
  /// Every connection of a session, by its token.
  public static func session(_ token: String) -> Audience { Audience(room: "session:" + token) }
  /// One socket, by its id.
  public static func socket(_ id: String) -> Audience { Audience(room: id) }
  /// Everyone who joined a namespace of Socket.IO: `/`, `/socket.io`, `/socket.io/` or `/ws`. Native clients join none.
  public static func namespace(_ name: String) -> Audience { everyone.within(namespace: name) }

  /// Only those of them who joined a namespace of Socket.IO. One that does not exist has nobody.
  public func within(namespace: String) -> Audience { Audience(room: room, namespace: namespace) }
}
