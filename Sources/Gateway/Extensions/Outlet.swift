// The way from an application's code to clients: sends, publishes, notifications. A value that any thread may use.
import Buffers
import Dialects

/// Reaches the clients of a gateway from any thread. Nothing here waits; what is sent for a connection that has gone is
/// ignored. What one task sends through one outlet arrives in that order.
public struct Outlet: Sendable {
  private let queues: [CommandQueue]
  /// The reactor that carries out what concerns no single connection.
  private let home: Int
  /// What keeps notifications back; nil where nothing does.
  private var barrier: NotifyBarrier?

  init(_ queues: [CommandQueue], home: Int) {
    self.queues = queues
    self.home = home
  }

  /// The same, but with notifications kept back.
  func behind(_ barrier: NotifyBarrier) -> Outlet {
    var outlet = self
    outlet.barrier = barrier
    return outlet
  }

  /// Sends one text message to one connection, as it is. A client of Socket.IO can only be sent events: the text must
  /// be a native one, `{"event":E,"data":D}`, and becomes the packet `42["E",D]` of the namespace that the client
  /// joined first. Anything else is not sent, which is logged (`send-refused`) and counted.
  public func send(_ text: [UInt8], to connection: ConnectionID) {
    queues[connection.reactor].push(.text(connection, text))
  }

  /// Broadcasts raw JSON to the subscribers of a channel of the `channels` dialect (PROTOCOLS 2.4).
  public func broadcast(channel: String, data: [UInt8]) {
    queues[home].push(.broadcast(channel: [UInt8](channel.utf8), data: data))
  }

  /// Publishes to the subscribers of a topic within a session of the `sessions` dialect (PROTOCOLS 4.3). `timestamp` is
  /// ISO-8601; nil stands for now.
  public func publish(
    topic: String, session: String, payload: String, publisher: String, timestamp: String? = nil
  ) {
    var text = ByteBuffer(capacity: 256)
    SessionsEncoder.appendMessage(
      publisher: publisher.utf8.span, topic: topic.utf8.span, payload: payload.utf8.span,
      timestamp: (timestamp ?? WallClock.iso()).utf8.span, session: session.utf8.span, to: &text)
    var name = ByteBuffer()
    SessionTopic.append(session: session.utf8.span, topic: topic.utf8.span, to: &name)
    queues[home].push(.publish(.sessions, name: name.bytes.array, text: text.bytes.array))
  }

  /// Sends raw JSON to every socket of each user of the `walkers` dialect, by root id (PROTOCOLS 5.3). What is no root
  /// id reaches nobody.
  public func notify(users: [String], data: [UInt8]) {
    let roots = users.compactMap { user in
      var root = ByteBuffer(capacity: 64)
      root.append(string: user)
      return WalkersRoot.normalize(&root) ? root.bytes.string : nil
    }
    notify(.walkerUsers, roots, data)
  }

  /// Sends raw JSON to every socket in each channel of the `walkers` dialect.
  public func notify(channels: [String], data: [UInt8]) { notify(.walkerChannels, channels, data) }

  /// Sends raw JSON to each client of the `walkers` dialect, by client id.
  public func notify(clients: [String], data: [UInt8]) { notify(.walkerClients, clients, data) }

  private func notify(_ space: Space, _ names: [String], _ data: [UInt8]) {
    if let barrier {
      barrier.hit()
      return
    }
    for name in names { queues[home].push(.publish(space, name: [UInt8](name.utf8), text: data)) }
  }

  /// Sends an event with raw JSON to everyone in a room of the `events` dialect, natively and over Socket.IO. Clients
  /// are in the rooms that handlers had them join, and by themselves in those of their socket's id, `session:<token>`,
  /// `user:<id>`, and the empty room, which is everyone. Where one of Socket.IO's namespaces is named, only those who
  /// joined it; a namespace that does not exist has nobody.
  public func emit(event: String, data: [UInt8], room: String = "", namespace: String? = nil) {
    emit(Emission(event: event, data: data, room: room), namespace)
  }

  /// The same with up to ten binary attachments, which `data` names by placeholders: `{"_placeholder":true,"num":0}` is
  /// the first. A native client cannot be sent any: such an event goes to Socket.IO clients only. Throws
  /// `AttachmentError` where data and attachments do not fit together.
  public func emit(
    event: String, data: [UInt8], attachments: [[UInt8]], room: String = "", namespace: String? = nil
  ) throws(AttachmentError) {
    emit(try Emission(event: event, data: data, room: room).carrying(attachments), namespace)
  }

  /// Emits to the room, or to those in it who joined a namespace. One with a sender is carried out by the sender's
  /// reactor, where alone it is known.
  func emit(_ emission: Emission, _ namespace: String?) {
    var emission = emission
    if let namespace {
      emission.namespace = SocketIONamespace(name: namespace)
      if emission.namespace == nil { return }
    }
    queues[emission.sender?.connection.reactor ?? home].push(.emit(emission))
  }

  func changeRoom(_ connection: ConnectionID, _ socket: SocketIOReference?, _ room: String, joins: Bool) {
    queues[connection.reactor].push(.room(connection, socket, [UInt8](room.utf8), joins: joins))
  }

  /// Waits until a connection has room for more output.
  func awaitRoom(_ connection: ConnectionID) async throws {
    try await withCheckedThrowingContinuation { continuation in
      _ = queues[connection.reactor].push(.awaitRoom(connection, RoomWaiter(continuation)))
    }
  }
}
