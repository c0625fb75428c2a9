// The walkers dialect, receiving side: a message in, an action out. No I/O, no state; any thread.
import Buffers
import Wire

/// Whom an event notifies.
public enum WalkersTarget: Sendable, Equatable {
  case users, channels, clients
}

/// What a client message of the walkers dialect asks for (PROTOCOLS 5.2). Values are slices of the message.
public enum WalkersAction: Sendable, Equatable {
  /// Send the connection message again.
  case connection
  /// Send `data`, an object, as it is to everyone named by the strings of the list `ids`. Root ids have been checked.
  case notify(WalkersTarget, ids: JSONValue, data: JSONValue)
  /// Become the user of a token, a string; the public user where there is none.
  case changeUser(token: JSONValue?)
  /// Run a walker: its name, a string; whether the result is wanted; its context, an object; and the node, a string.
  case walker(name: JSONValue, wantsResponse: Bool, context: JSONValue?, node: JSONValue?)
  /// Answer with the errors that were listed; the connection goes on.
  case refuse(WalkersRefusal)
}

/// Why a message is answered with errors, for the metrics; the errors themselves are in the list.
public enum WalkersRefusal: Sendable, Equatable {
  /// Not JSON, or a binary message.
  case invalidJSON
  /// No object, or one without a type that there is.
  case unknownType
  /// A member that is missing or wrong.
  case invalidMember
  /// More targets than are allowed.
  case tooManyTargets
}

/// How much one event may ask for.
public struct WalkersLimits: Sendable, Equatable, BitwiseCopyable {
  /// Ids that an event may name.
  public var targetsMax: Int
  /// Bytes of data that an event may send, times the ids that it names: one large message to each of a thousand would
  /// be a gigabyte of work. A single id is always allowed.
  public var bytesMax: Int

  public init(targetsMax: Int, bytesMax: Int) {
    self.targetsMax = targetsMax
    self.bytesMax = bytesMax
  }

  /// Ids that an event with so many bytes of data may name.
  func targetsMax(dataBytes: Int) -> Int { min(targetsMax, max(1, bytesMax / max(1, dataBytes))) }
}

/// Reads the messages of the walkers dialect.
public enum WalkersSession {
  static let keys = JSONKeySet("type", "root_ids", "channel_ids", "client_ids", "data", "token")
  static let walkerKeys = JSONKeySet("walker", "node", "response", "context")

  /// Reads one text message, which must be valid UTF-8. What is wrong with it is listed in `errors`, which is emptied
  /// before.
  public static func receive(
    _ bytes: Span<UInt8>, limits: WalkersLimits, errors: inout WalkersErrors
  ) -> WalkersAction {
    errors.removeAll()
    let message: JSONTopLevel
    do { message = try JSONScanner.scan(bytes, keys: keys) } catch { return refuseJSON(&errors) }
    guard message.kind == .object else {
      return refuse(.notAnObject, at: event, bytes, message.value, .unknownType, &errors)
    }
    guard let type = message[0] else {
      return refuse(.noTag, at: event, bytes, message.value, .unknownType, &errors)
    }
    switch tag(bytes, type) {
    case .connection: return .connection
    case .user: return notify(.users, bytes, message, message[1], limits, &errors)
    case .channel: return notify(.channels, bytes, message, message[2], limits, &errors)
    case .client: return notify(.clients, bytes, message, message[3], limits, &errors)
    case .changeUser: return changeUser(bytes, message[5], &errors)
    case .walker: return walker(bytes, &errors)
    case nil:
      errors.add(unknownTag: type, in: bytes, input: message.value)
      return .refuse(.unknownType)
    }
  }

  /// The answer to a message that is no JSON, or a binary one.
  public static func refuseJSON(_ errors: inout WalkersErrors) -> WalkersAction {
    errors.removeAll()
    errors.add("Invalid JSON")
    return .refuse(.invalidJSON)
  }

  enum Tag { case connection, walker, user, channel, client, changeUser }

  private static let event = WalkersLocation(prefix: "\"event\"")

  /// The tag that a `type` spells. One written with escapes is decoded first, which real clients never need.
  static func tag(_ bytes: Span<UInt8>, _ type: JSONValue) -> Tag? {
    guard type.kind == .string else { return nil }
    if JSONString.isPlain(bytes, type) { return tag(bytes.extracting((type.start + 1)..<(type.end - 1))) }
    if type.end - type.start > 128 { return nil }
    var decoded = ByteBuffer(capacity: 128)
    JSONString.decode(bytes, type, into: &decoded)
    return tag(decoded.bytes)
  }

  private static func tag(_ text: Span<UInt8>) -> Tag? {
    switch text.count {
    case 4: return text.equals("user") ? .user : nil
    case 6: return text.equals("walker") ? .walker : text.equals("client") ? .client : nil
    case 7: return text.equals("channel") ? .channel : nil
    case 10: return text.equals("connection") ? .connection : nil
    case 11: return text.equals("change_user") ? .changeUser : nil
    default: return nil
    }
  }

  private static func refuse(
    _ fault: WalkersFault, at location: WalkersLocation, _ bytes: Span<UInt8>, _ value: JSONValue,
    _ refusal: WalkersRefusal, _ errors: inout WalkersErrors
  ) -> WalkersAction {
    errors.add(fault, at: location, input: bytes.extracting(value.range))
    return .refuse(refusal)
  }

  // MARK: Events

  private static func notify(
    _ target: WalkersTarget, _ bytes: Span<UInt8>, _ message: JSONTopLevel, _ ids: JSONValue?,
    _ limits: WalkersLimits, _ errors: inout WalkersErrors
  ) -> WalkersAction {
    var location: WalkersLocation
    switch target {
    case .users: location = WalkersLocation(prefix: "\"event\",\"user\"", name: "root_ids")
    case .channels: location = WalkersLocation(prefix: "\"event\",\"channel\"", name: "channel_ids")
    case .clients: location = WalkersLocation(prefix: "\"event\",\"client\"", name: "client_ids")
    }
    var refusal = WalkersRefusal.invalidMember
    if let ids {
      let dataBytes = message[4].map { $0.end - $0.start } ?? 0
      let targetsMax = limits.targetsMax(dataBytes: dataBytes)
      if !checkIds(bytes, ids, targetsMax, location, &errors) { refusal = .tooManyTargets }
    } else {
      errors.add(.missing, at: location, input: bytes.extracting(message.value.range))
    }
    location.name = "data"
    if let data = message[4] {
      if data.kind != .object { errors.add(.notADictionary, at: location, input: bytes.extracting(data.range)) }
    } else {
      errors.add(.missing, at: location, input: bytes.extracting(message.value.range))
    }
    guard errors.isEmpty, let ids, let data = message[4] else { return .refuse(refusal) }
    if target == .users {
      var list = JSONChildren(of: ids, in: bytes)
      while let id = list.next(bytes)?.value {
        if !WalkersRoot.isValid(bytes, id) {
          errors.add(invalidReference: id, in: bytes)
          return .refuse(.invalidMember)
        }
      }
    }
    return .notify(target, ids: ids, data: data)
  }

  /// Checks a list of ids; false when it is too long.
  private static func checkIds(
    _ bytes: Span<UInt8>, _ ids: JSONValue, _ targetsMax: Int, _ location: WalkersLocation,
    _ errors: inout WalkersErrors
  ) -> Bool {
    guard ids.kind == .array else {
      errors.add(.notAList, at: location, input: bytes.extracting(ids.range))
      return true
    }
    var count = 0
    var list = JSONChildren(of: ids, in: bytes)
    while list.next(bytes) != nil { count += 1 }
    if count == 0 { errors.add(.emptyList, at: location, input: bytes.extracting(ids.range)) }
    if count > targetsMax {
      let fault = WalkersFault.longList(limit: targetsMax, count: count)
      errors.add(fault, at: location, input: bytes.extracting(ids.range))
      return false
    }
    list = JSONChildren(of: ids, in: bytes)
    var place = location
    var index = 0
    while let id = list.next(bytes)?.value {
      if id.kind != .string {
        place.index = index
        errors.add(.notAString, at: place, input: bytes.extracting(id.range))
      }
      index += 1
    }
    return true
  }

  private static func changeUser(
    _ bytes: Span<UInt8>, _ token: JSONValue?, _ errors: inout WalkersErrors
  ) -> WalkersAction {
    guard let token, token.kind != .null else { return .changeUser(token: nil) }
    if token.kind == .string { return .changeUser(token: token) }
    let location = WalkersLocation(prefix: "\"event\",\"change_user\"", name: "token")
    return refuse(.notAString, at: location, bytes, token, .invalidMember, &errors)
  }

  private static func walker(_ bytes: Span<UInt8>, _ errors: inout WalkersErrors) -> WalkersAction {
    let message: JSONTopLevel
    do { message = try JSONScanner.scan(bytes, keys: walkerKeys) } catch { return refuseJSON(&errors) }
    var location = WalkersLocation(prefix: "\"event\",\"walker\"", name: "walker")
    let name = message[0]
    if let name {
      if name.kind != .string { errors.add(.notAString, at: location, input: bytes.extracting(name.range)) }
    } else {
      errors.add(.missing, at: location, input: bytes.extracting(message.value.range))
    }
    let node = message[1].flatMap { $0.kind == .null ? nil : $0 }
    if let node, node.kind != .string {
      location.name = "node"
      errors.add(.notAString, at: location, input: bytes.extracting(node.range))
    }
    var wantsResponse = false
    if let response = message[2] {
      switch WalkersValue.boolean(bytes, response) {
      case .success(let value): wantsResponse = value
      case .failure(let fault):
        location.name = "response"
        errors.add(fault.fault, at: location, input: bytes.extracting(response.range))
      }
    }
    if let context = message[3], context.kind != .object {
      location.name = "context"
      errors.add(.notADictionary, at: location, input: bytes.extracting(context.range))
    }
    guard errors.isEmpty, let name else { return .refuse(.invalidMember) }
    return .walker(name: name, wantsResponse: wantsResponse, context: message[3], node: node)
  }
}
