// What the answers of the application's HTTP endpoints mean: events, reports, and what else they ask for. Tasks off the
// reactors.
import Backends
import Buffers
import Wire

/// What the values that an endpoint answers with mean in each dialect.
enum HTTPAnswers {
  private static let eventKeys = JSONKeySet("event", "data", "join", "leave", "emit", "acknowledge")
  private static let emitKeys = JSONKeySet("event", "data", "room", "rooms", "user", "session", "socket")
  private static let narrowingKeys = JSONKeySet("namespace", "exceptSender")
  private static let walkerKeys = JSONKeySet("reports", "notify")
  private static let notifyKeys = JSONKeySet("self", "users", "channels", "clients", "data")

  /// `{"event":E,"data":D}` is the event E with the data D. An object that has `join`, `leave`, `emit` or
  /// `acknowledge`, and nothing else but these and `event` and `data`, does what they say first. Anything else is data
  /// of `<name>_response`.
  static func event(_ json: Span<UInt8>, of call: Call) throws(CourierError) {
    let found = try scan(json, eventKeys)
    let isDone = try carryOut(found, json, of: call)
    if let name = found[0], let data = found[1], name.kind == .string {
      call.reply(event: text(json, name), json.extracting(data.range).array)
    } else if !isDone {
      call.reply(event: call.name + "_response", json.extracting(found.value.range).array)
    }
  }

  /// Does what an answer asks for beside an event; false when it asks for nothing.
  private static func carryOut(
    _ found: JSONTopLevel, _ json: Span<UInt8>, of call: Call
  ) throws(CourierError) -> Bool {
    let asked = (2..<6).count { found[$0] != nil }
    guard found.kind == .object, asked > 0, (0..<6).count(where: { found[$0] != nil }) == members(found.value, json)
    else { return false }
    if let rooms = found[2] { for room in try names(json, rooms) { call.join(room: room) } }
    if let rooms = found[3] { for room in try names(json, rooms) { call.leave(room: room) } }
    if let emits = found[4] {
      if emits.kind == .array {
        var children = JSONChildren(of: emits, in: json)
        while let child = children.next(json) { try emit(json.extracting(child.value.range), of: call) }
      } else {
        try emit(json.extracting(emits.range), of: call)
      }
    }
    if let argument = found[5] { call.acknowledge(json.extracting(argument.range).array) }
    return true
  }

  private static func members(_ object: JSONValue, _ json: Span<UInt8>) -> Int {
    var children = JSONChildren(of: object, in: json)
    var count = 0
    while children.next(json) != nil { count += 1 }
    return count
  }

  /// `{"event":E,"data":D}` goes to everyone; with `room`, `rooms`, `user`, `session` or `socket` to those, with
  /// `namespace` to those of them who joined that one, and with `exceptSender` to all but the client that asked.
  private static func emit(_ json: Span<UInt8>, of call: Call) throws(CourierError) {
    let found = try scan(json, emitKeys)
    guard found.kind == .object, let name = found[0], name.kind == .string else {
      throw .badResponse("an emit without an event that is a string")
    }
    var rooms: [String] = []
    for (index, prefix) in [(2, ""), (4, "user:"), (5, "session:"), (6, "")] {
      guard let target = found[index] else { continue }
      guard target.kind == .string else { throw .badResponse("a target of an emit that is no string") }
      rooms.append(prefix + text(json, target))
    }
    if let list = found[3] { rooms += try names(json, list) }
    // An empty list of rooms has nobody in it, and is not everyone.
    if rooms.isEmpty && found[3] == nil { rooms = [""] }
    let narrowing = try scan(json, narrowingKeys)
    if let namespace = narrowing[0], namespace.kind != .string { throw .badResponse("a namespace that is no string") }
    let namespace = narrowing[0].map { text(json, $0) }
    let data = found[1].map { json.extracting($0.range).array } ?? Array("null".utf8)
    if let except = narrowing[1], except.kind != .true && except.kind != .false {
      throw .badResponse("an exceptSender that is no boolean")
    }
    let event = text(json, name)
    for room in rooms {
      if narrowing[1]?.kind == .true {
        call.emitToOthers(event: event, data: data, room: room, namespace: namespace)
      } else {
        call.outlet.emit(event: event, data: data, room: room, namespace: namespace)
      }
    }
  }

  /// `{"reports":[…]}` gives its elements as reports, `{"notify":{…}}` sends a notification; both may stand in one
  /// object. Anything else is one report.
  static func walker(_ json: Span<UInt8>, of call: Call) throws(CourierError) {
    let found = try scan(json, walkerKeys)
    let notify = found[1].flatMap { $0.kind == .object ? $0 : nil }
    let reports = found[0].flatMap { $0.kind == .array ? $0 : nil }
    if notify == nil && reports == nil {
      call.reply(json.extracting(found.value.range).array)
      return
    }
    if let notify { try self.notify(json.extracting(notify.range), of: call) }
    guard let reports else { return }
    var children = JSONChildren(of: reports, in: json)
    while let report = children.next(json) { call.reply(json.extracting(report.value.range).array) }
  }

  private static func notify(_ json: Span<UInt8>, of call: Call) throws(CourierError) {
    let found = try scan(json, notifyKeys)
    guard let data = found[4], data.kind == .object else {
      throw .badResponse("a notification without data that is an object")
    }
    let bytes = json.extracting(data.range).array
    if let target = found[0], target.kind == .true { call.notifySelf(bytes) }
    if let users = found[1] { call.outlet.notify(users: try names(json, users), data: bytes) }
    if let channels = found[2] { call.outlet.notify(channels: try names(json, channels), data: bytes) }
    if let clients = found[3] { call.outlet.notify(clients: try names(json, clients), data: bytes) }
  }

  private static func names(_ json: Span<UInt8>, _ list: JSONValue) throws(CourierError) -> [String] {
    guard list.kind == .array else { throw .badResponse("names that are no list") }
    var names: [String] = []
    var children = JSONChildren(of: list, in: json)
    while let child = children.next(json) {
      guard child.value.kind == .string else { throw .badResponse("a name that is no string") }
      names.append(text(json, child.value))
    }
    return names
  }

  private static func scan(_ json: Span<UInt8>, _ keys: JSONKeySet) throws(CourierError) -> JSONTopLevel {
    do { return try JSONScanner.scan(json, keys: keys) } catch { throw .badResponse("JSON: \(error)") }
  }

  private static func text(_ json: Span<UInt8>, _ value: JSONValue) -> String {
    var out = ByteBuffer(capacity: value.end - value.start)
    JSONString.decode(json, value, into: &out)
    return out.bytes.string
  }
}
