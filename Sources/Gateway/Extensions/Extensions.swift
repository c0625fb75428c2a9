// What an application adds to the gateway, from Swift or by URLs in the configuration. Put together at start-up, shared
// read-only by every reactor.

/// The handlers of an application.
public struct Extensions: Sendable {
  /// Handlers of the `handlers` dialect by request type. They come before the built-in types.
  public var requests: [String: Handler] = [:]
  /// Handlers of the `events` dialect by event name. They come before the built-in events.
  public var events: [String: Handler] = [:]
  /// Who answers `ai:chat`; nil for the built-in responder, which asks no AI service. A handler of that name in
  /// `events` comes before it.
  public var chatResponder: (any ChatResponder)?
  /// Walkers of the `walkers` dialect by name.
  public var walkers: [String: Walker] = [:]
  /// Where handlers run; nil stands for the threads that Swift gives all tasks. For handlers that block a thread, which
  /// would keep the others waiting, and for processes whose own tasks do.
  public var executor: (any TaskExecutor)?
  /// Told of connections' lives.
  public var hooks = Hooks()
  /// Where there are HTTP endpoints or hooks: what became of their calls.
  var counters: BackendCounters?
  /// Told of every connection's life; called on a reactor's thread, so it must only hand the event on.
  var lifecycle: (@Sendable (LifecycleEvent) -> Void)?
  /// Where somebody wants to be told of connections: returns when that has happened. Calls of a connection wait for it,
  /// so that the application never hears from a client that it does not know yet.
  var awaitConnected: (@Sendable (ConnectionID) async -> Void)?

  /// No handlers.
  public init() {}
}

/// A walker of the `walkers` dialect (PROTOCOLS 5.3): its name, its typed fields and who may run it how.
public struct Walker: Sendable {
  /// A way to run a walker.
  public enum Method: String, Sendable, CaseIterable {
    /// By a message on a socket.
    case websocket
    /// By `POST /walker/<name>`.
    case post
  }

  /// What a field holds.
  public enum FieldType: String, Sendable, CaseIterable {
    case string, integer, number, boolean, object, list, any
  }

  /// One field of the context.
  public struct Field: Sendable, Equatable {
    /// The member's name.
    public var name: String
    /// What it holds.
    public var type: FieldType
    /// Whether a context without it is refused.
    public var isRequired: Bool

    /// A field; required unless told otherwise.
    public init(_ name: String, _ type: FieldType, isRequired: Bool = true) {
      self.name = name
      self.type = type
      self.isRequired = isRequired
    }
  }

  /// What clients call it.
  public var name: String
  /// The fields of its context. Members that are none of them are ignored.
  public var fields: [Field]
  /// Whether a public socket is refused. Default yes.
  public var requiresAuthentication: Bool
  /// How it can be run. Default over sockets only.
  public var methods: Set<Method>
  /// What it does. Its replies are its reports.
  public var handler: Handler

  /// A walker.
  public init(
    _ name: String, fields: [Field] = [], requiresAuthentication: Bool = true, methods: Set<Method> = [.websocket],
    handler: @escaping Handler
  ) {
    self.name = name
    self.fields = fields
    self.requiresAuthentication = requiresAuthentication
    self.methods = methods
    self.handler = handler
  }
}

/// Something in the life of a connection that an application can be told of.
public struct LifecycleEvent: Sendable {
  /// What happened.
  public enum Kind: String, Sendable, CaseIterable {
    /// The WebSocket is open and authenticated.
    case connected
    /// It has ended; whatever it had subscribed to is gone with it.
    case disconnected
    /// It has subscribed to `topic`.
    case subscribed
  }

  /// What happened.
  public let kind: Kind
  /// What the connection speaks.
  public let dialect: Dialect
  /// Which connection.
  public let connection: ConnectionID
  /// Who it is, as the dialect knows it; nil when anonymous.
  public let user: String?
  /// The topic or channel, of a `subscribed` event.
  public let topic: String?
}
