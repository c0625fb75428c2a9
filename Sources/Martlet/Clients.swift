// The way to clients other than the one that asked, and what is known of a connection. Any thread.
import FoundationEssentials
import Gateway

/// Reaches connected clients. Nothing here waits; who has gone is passed over.
public struct Clients: Sendable {
  private let outlet: Outlet

  init(_ outlet: Outlet) { self.outlet = outlet }

  /// Sends an event to clients of the events dialect, native and Socket.IO ones alike. It is encoded once, however many
  /// there are.
  public func emit(_ event: String, _ data: some Encodable, to audience: Audience = .everyone) throws {
    outlet.emit(
      event: event, data: try Coding.encode(data), room: audience.room, namespace: audience.namespace)
  }

  /// The same with data that is JSON already.
  public func emit(_ event: String, json: String, to audience: Audience = .everyone) {
    outlet.emit(event: event, data: Array(json.utf8), room: audience.room, namespace: audience.namespace)
  }

  /// The same with up to ten binary attachments, which the JSON names by placeholders, `{"_placeholder":true,"num":0}`
  /// the first. It goes to Socket.IO clients only: a native one cannot be sent any. Throws a `RequestError` where they
  /// do not fit together.
  public func emit(
    _ event: String, json: String, attachments: [[UInt8]], to audience: Audience = .everyone
  ) throws {
    try RequestError.converting {
      try outlet.emit(
        event: event, data: Array(json.utf8), attachments: attachments, room: audience.room,
        namespace: audience.namespace)
    }
  }

  /// Sends one message to one connection, in whatever dialect it speaks: JSON, as it shall arrive. A Socket.IO client
  /// can be sent events only, `{"event":E,"data":D}`, which it gets in its own form; others are logged and left out.
  public func send(json: String, to connection: ConnectionReference) {
    outlet.send(Array(json.utf8), to: connection.id)
  }

  /// Sends one message, encoded as JSON, to one connection; to a Socket.IO client as above.
  public func send(_ value: some Encodable, to connection: ConnectionReference) throws {
    outlet.send(try Coding.encode(value), to: connection.id)
  }

  /// Broadcasts to the subscribers of a channel of the channels dialect; their filters apply.
  public func publish(channel: String, data: some Encodable) throws {
    outlet.broadcast(channel: channel, data: try Coding.encode(data))
  }

  /// Publishes to the subscribers of a topic within a session of the sessions dialect.
  public func publish(topic: String, session: String, payload: String, publisher: String) {
    outlet.publish(topic: topic, session: session, payload: payload, publisher: publisher)
  }

  /// Sends an object to every socket of each user of the walkers dialect, by root id.
  public func notify(users: [String], _ data: some Encodable) throws {
    outlet.notify(users: users, data: try Coding.encode(data))
  }

  /// Sends an object to every socket in each channel of the walkers dialect.
  public func notify(channels: [String], _ data: some Encodable) throws {
    outlet.notify(channels: channels, data: try Coding.encode(data))
  }

  /// Sends an object to each client of the walkers dialect, by client id.
  public func notify(clients: [String], _ data: some Encodable) throws {
    outlet.notify(clients: clients, data: try Coding.encode(data))
  }
}

/// Names one connection for as long as the process lives.
public struct ConnectionReference: Sendable, Hashable, CustomStringConvertible {
  let id: ConnectionID

  /// For logs, and to tell connections apart.
  public var description: String { id.text }
}

/// Something in the life of a connection.
public struct ConnectionEvent: Sendable {
  private let event: LifecycleEvent
  /// Everyone who is connected.
  public let clients: Clients

  init(_ event: LifecycleEvent, _ outlet: Outlet) {
    self.event = event
    clients = Clients(outlet)
  }

  /// Which connection.
  public var connection: ConnectionReference { ConnectionReference(id: event.connection) }
  /// The name of the dialect that it speaks.
  public var dialect: String { event.dialect.name }
  /// Who it is, as the dialect knows it; nil when anonymous.
  public var user: String? { event.user }
  /// The channel or topic, where it has subscribed to one.
  public var topic: String? { event.topic }
}
