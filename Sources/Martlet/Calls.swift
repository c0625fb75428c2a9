// What handlers are given: the request, event or walker run, and ways to answer. Any thread, until the handler returns
// and after.
import FoundationEssentials
import Gateway

/// Thrown by a handler: the text is sent to the client as its error. Any other error becomes a general one.
public struct Rejection: Error, Sendable, CustomStringConvertible {
  /// What the client is told.
  public let reason: String
  public var description: String { reason }

  /// A refusal with a reason.
  public init(_ reason: String) { self.reason = reason }
}

/// One request of the handlers dialect.
public struct Request: Sendable {
  private let call: Call

  init(_ call: Call) { self.call = call }

  /// Its type.
  public var type: String { call.name }
  /// Who asks; nil when anonymous.
  public var user: String? { call.user }
  /// The whole message, as it was sent: valid JSON.
  public var json: [UInt8] { call.context }
  /// Everyone else.
  public var clients: Clients { Clients(call.outlet) }

  /// The message, decoded. Throws a `Rejection` that says what is missing or has the wrong type.
  public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try Coding.decode(type, call) }

  /// Sends a message to who asked. Can be called again.
  public func reply(_ value: some Encodable) throws { call.reply(try Coding.encode(value)) }

  /// Sends a message that is JSON already.
  public func reply(json: String) { call.reply(Array(json.utf8)) }

  /// Waits until what was replied so far has left: for long series of replies.
  public func drain() async throws { try await call.drain() }
}

/// One run of a walker.
public struct WalkerRun: Sendable {
  private let call: Call

  init(_ call: Call) { self.call = call }

  /// The walker's name.
  public var name: String { call.name }
  /// The user's root id; nil on the public root.
  public var user: String? { call.user }
  /// The context as it was sent: valid JSON, its declared fields checked.
  public var json: [UInt8] { call.context }
  /// Everyone else.
  public var clients: Clients { Clients(call.outlet) }

  /// The context, decoded. Throws a `Rejection` that says what is missing or has the wrong type.
  public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try Coding.decode(type, call) }

  /// Adds to the reports.
  public func report(_ value: some Encodable) throws { call.reply(try Coding.encode(value)) }

  /// Adds to the reports what is JSON already.
  public func report(json: String) { call.reply(Array(json.utf8)) }

  /// Sends an object to the own socket; nothing happens for a run over plain HTTP.
  public func notifySelf(_ data: some Encodable) throws { call.notifySelf(try Coding.encode(data)) }

  /// Sends an object to every socket of each user, by root id.
  public func notifyUsers(_ roots: [String], _ data: some Encodable) throws {
    call.outlet.notify(users: roots, data: try Coding.encode(data))
  }

  /// Sends an object to every socket in each channel.
  public func notifyChannels(_ channels: [String], _ data: some Encodable) throws {
    call.outlet.notify(channels: channels, data: try Coding.encode(data))
  }

  /// Sends an object to each client, by client id.
  public func notifyClients(_ clients: [String], _ data: some Encodable) throws {
    call.outlet.notify(clients: clients, data: try Coding.encode(data))
  }
}

/// A way to run a walker.
public enum WalkerMethod: Sendable, Hashable {
  /// By a message on a socket.
  case websocket
  /// By `POST /walker/<name>`.
  case post
}

/// A member of a walker's context that is checked before it runs.
public struct WalkerField: Sendable {
  let field: Walker.Field

  /// A string.
  public static func string(_ name: String, required: Bool = true) -> Self { Self(name, .string, required) }
  /// A whole number; a string that spells one is taken too.
  public static func integer(_ name: String, required: Bool = true) -> Self { Self(name, .integer, required) }
  /// Any number.
  public static func number(_ name: String, required: Bool = true) -> Self { Self(name, .number, required) }
  /// True or false.
  public static func boolean(_ name: String, required: Bool = true) -> Self { Self(name, .boolean, required) }
  /// An object.
  public static func object(_ name: String, required: Bool = true) -> Self { Self(name, .object, required) }
  /// A list.
  public static func list(_ name: String, required: Bool = true) -> Self { Self(name, .list, required) }
  /// Anything.
  public static func any(_ name: String, required: Bool = true) -> Self { Self(name, .any, required) }

  private init(_ name: String, _ type: Walker.FieldType, _ isRequired: Bool) {
    field = Walker.Field(name, type, isRequired: isRequired)
  }
}

/// JSON in and out of handlers.
enum Coding {
  static func encode(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return Array(try encoder.encode(value))
  }

  static func decode<Value: Decodable>(_ type: Value.Type, _ call: Call) throws -> Value {
    try decode(type, call.context, of: call.name)
  }

  /// `name` says in the error what could not be decoded.
  static func decode<Value: Decodable>(_ type: Value.Type, _ json: [UInt8], of name: String) throws -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(json))
    } catch let error as DecodingError {
      throw HandlerError.rejected("Invalid \(name): \(reason(error))")
    }
  }

  /// Runs a handler; its rejection becomes the gateway's, and so does a request of its own that failed.
  static func rejecting(_ handler: () async throws -> Void) async throws {
    do {
      try await handler()
    } catch let error as Rejection {
      throw HandlerError.rejected(error.reason)
    } catch RequestError.timedOut {
      throw HandlerError.timedOut
    } catch RequestError.disconnected {
      throw HandlerError.disconnected
    }
  }

  private static func reason(_ error: DecodingError) -> String {
    func path(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
      let keys = context.codingPath + (last.map { [$0] } ?? [])
      return keys.isEmpty ? "the value" : keys.map(\.stringValue).joined(separator: ".")
    }
    return switch error {
    case .keyNotFound(let key, let context): "\(path(context, key)) is missing"
    case .valueNotFound(_, let context): "\(path(context)) is missing"
    case .typeMismatch(_, let context): "\(path(context)) has the wrong type"
    case .dataCorrupted(let context): "\(path(context)) is not valid"
    @unknown default: "not valid"
    }
  }
}
