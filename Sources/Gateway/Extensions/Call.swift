// One call of a handler: what was asked, by whom, and how to answer. Made by a reactor, used by the handler's task.
import Dialects
import EventLoop
import Synchronization

/// The code of an application that answers a request type, an event or a walker. It runs as a task off the reactors and
/// is cancelled when its connection goes. What it throws becomes its dialect's error.
public typealias Handler = @Sendable (Call) async throws -> Void

/// Why a call failed, where the caller is told something particular.
public enum HandlerError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The handler took longer than it may.
  case timedOut
  /// The connection that asked has gone.
  case disconnected
  /// The handler says why; the text is sent to the client.
  case rejected(String)

  /// A clause for a log.
  public var description: String {
    switch self {
    case .timedOut: "it took too long"
    case .disconnected: "the client has gone"
    case .rejected(let reason): reason
    }
  }
}

/// One request to a handler. Any thread.
public final class Call: Sendable {
  /// The dialect in which it was asked.
  public let dialect: Dialect
  /// The request's type, the event's or the walker's name.
  public let name: String
  /// Who asked; nil for a request over plain HTTP.
  public let connection: ConnectionID?
  /// The identity of who asked, as the dialect knows it (a user name, a user id, a root id); nil when anonymous.
  public let user: String?
  /// Raw JSON in UTF-8, checked to be valid: the whole message (handlers), its `data` (events, `null` where absent), or
  /// the walker's context.
  public let context: [UInt8]
  /// Reaches everyone else.
  public let outlet: Outlet
  /// Binary attachments of an event over Socket.IO, which `context` names by placeholders.
  public let attachments: [[UInt8]]
  /// The token of the session that asked (`events`); nil elsewhere. Whoever knows it is let in.
  public let session: String?
  /// The id of the socket that asked (`events`), as its client knows it; nil elsewhere.
  public let socketId: String?
  /// The Socket.IO client that asked; nil elsewhere.
  private let socket: SocketIOChannel?
  private let deliver: @Sendable (String?, [UInt8]) -> Void
  /// A failure of which the client has been told by the handler itself.
  private let told = Lock<(any Error)?>(nil)
  /// The name, as JSON, that an answer to `ai:chat` was given when it began.
  private let chat = Lock<[UInt8]?>(nil)
  /// Whether a failure is in the log. Relaxed: set and read by the same task.
  private let logged = Atomic<Bool>(false)

  /// A call whose answers go to `deliver`, with the event's name where one was given.
  init(
    dialect: Dialect, name: String, connection: ConnectionID?, user: String?, context: [UInt8],
    attachments: [[UInt8]] = [], outlet: Outlet, socket: SocketIOChannel? = nil, session: String? = nil,
    socketId: String? = nil, deliver: @escaping @Sendable (String?, [UInt8]) -> Void
  ) {
    self.dialect = dialect
    self.name = name
    self.connection = connection
    self.user = user
    self.context = context
    self.attachments = attachments
    self.outlet = outlet
    self.socket = socket
    self.session = session
    self.socketId = socketId
    self.deliver = deliver
  }

  /// Answers with raw JSON: in `handlers` the message as it is, in `events` the data of an event of the call's own
  /// name, in `walkers` one more report. Can be called again; answers arrive in order.
  public func reply(_ json: [UInt8]) { deliver(nil, json) }

  /// Answers with an event of another name (`events`); elsewhere as `reply(_:)`.
  public func reply(event: String, _ json: [UInt8]) {
    if event == ChatFailure.startEvent && name == ChatHandler.event {
      chat.withLock { $0 = ChatFailure.messageId(json) }
    }
    deliver(event, json)
  }

  /// Answers a Socket.IO client with an event and binary attachments, ten at most, which `json` names by placeholders:
  /// `{"_placeholder":true,"num":0}` for the first. Throws `AttachmentError`.
  public func reply(event: String, _ json: [UInt8], attachments: [[UInt8]]) throws {
    guard let socket else { throw AttachmentError.notSocketIO }
    try socket.emit(event, json, attachments)
  }

  /// Whether a Socket.IO client waits for an acknowledgement.
  public var wantsAcknowledgement: Bool { (socket?.acknowledgement ?? -1) >= 0 }

  /// Acknowledges the event of a Socket.IO client with one argument, raw JSON; nothing where it wants none.
  public func acknowledge(_ json: [UInt8]) { socket?.acknowledge(json) }

  /// The same with binary attachments, ten at most, which `json` names by placeholders. Throws `AttachmentError`.
  public func acknowledge(_ json: [UInt8], attachments: [[UInt8]]) throws {
    try socket?.acknowledge(json, attachments)
  }

  /// Sends an event to the asking Socket.IO client and waits for its acknowledgement, whose arguments are a JSON array.
  /// Throws `HandlerError.timedOut`, or `.disconnected` when the client has gone or speaks no Socket.IO.
  public func request(
    event: String, _ json: [UInt8], timeout: Duration = .seconds(10)
  ) async throws -> [UInt8] {
    try await ask(event: event, json, timeout: timeout).arguments
  }

  /// The same with binary attachments, which may go either way. Throws `AttachmentError` too.
  public func ask(
    event: String, _ json: [UInt8], attachments: [[UInt8]] = [], timeout: Duration = .seconds(10)
  ) async throws -> Acknowledgement {
    guard let socket else { throw HandlerError.disconnected }
    return try await socket.request(event, json, attachments, timeout: timeout)
  }

  /// Sends an event as `Outlet.emit` does, to everyone in the room but the client that asked: a native connection, or
  /// the one socket of Socket.IO.
  public func emitToOthers(event: String, data: [UInt8], room: String = "", namespace: String? = nil) {
    outlet.emit(Emission(event: event, data: data, room: room, sender: sender), namespace)
  }

  /// The same with attachments. Throws `AttachmentError`.
  public func emitToOthers(
    event: String, data: [UInt8], attachments: [[UInt8]], room: String = "", namespace: String? = nil
  ) throws(AttachmentError) {
    outlet.emit(
      try Emission(event: event, data: data, room: room, sender: sender).carrying(attachments), namespace)
  }

  /// The client that asked, where events go; nil where nobody has to be passed over.
  private var sender: EventSender? {
    dialect == .events ? connection.map { EventSender(connection: $0, socket: socket?.socket) } : nil
  }

  /// Joins the asking connection to a room of the `events` dialect; a Socket.IO client with the socket that asked. Past
  /// `limits.subscriptionsPerConnectionMax` rooms, or with a name of over `limits.channelNameBytesMax` bytes, nothing
  /// is joined, and that is counted and logged.
  public func join(room: String) { changeRoom(room, joins: true) }

  /// Takes the asking connection out of a room.
  public func leave(room: String) { changeRoom(room, joins: false) }

  private func changeRoom(_ room: String, joins: Bool) {
    guard dialect == .events, let connection else { return }
    outlet.changeRoom(connection, socket?.socket, room, joins: joins)
  }

  /// Sends raw JSON to the asking connection as it is, beside the answer (`walkers`: `notify_self`). A Socket.IO client
  /// is sent the event that it asks for by the native form, `{"event":E,"data":D}`, as `Outlet.send` does. Nothing
  /// happens for a request over plain HTTP.
  public func notifySelf(_ json: [UInt8]) {
    if let socket {
      socket.sendNative(json)
    } else if let connection {
      outlet.send(json, to: connection)
    }
  }

  // MARK: Failures

  /// A failure that the client was told of other than by throwing it.
  var toldFailure: (any Error)? { told.withLock { $0 } }
  /// The name of the answer that a chat has begun, as JSON; nil before, and for any other call.
  var messageId: [UInt8]? { chat.withLock { $0 } }
  /// Whether the log says already why the call fails.
  var isFailureLogged: Bool { logged.load(ordering: .relaxed) }
  func noteTold(_ failure: any Error) { told.withLock { $0 = failure } }
  func noteLogged() { logged.store(true, ordering: .relaxed) }

  /// Waits until what was answered so far has left for a client that reads slowly, so that a long stream holds little
  /// memory. Throws `HandlerError.disconnected` when the connection has gone; returns at once over plain HTTP.
  public func drain() async throws {
    try Task.checkCancellation()
    guard let connection else { return }
    try await outlet.awaitRoom(connection)
  }
}
