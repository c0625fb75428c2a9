// Handlers, events, walkers and hooks that live behind HTTP: a call becomes a signed POST, its answer becomes replies.
// Tasks off the reactors.
import Auth
import Backends
import Buffers
import EventLoop
import Wire

/// Calls the application's HTTP endpoints (docs/HANDLERS.md).
struct HTTPHandlers: Sendable {
  private let courier: Courier
  private let key: [UInt8]
  private let counters: BackendCounters
  private let log: SharedLog

  init(courier: Courier, key: [UInt8], counters: BackendCounters, log: SharedLog) {
    self.courier = courier
    self.key = key
    self.counters = counters
    self.log = log
  }

  /// Adds what the configuration names. What the program has registered itself under the same name stays.
  func extend(_ extensions: inout Extensions, _ configuration: Configuration) {
    for (name, url) in configuration.handlers.requests where extensions.requests[name] == nil {
      extensions.requests[name] = { call in
        try await run(call, url) { json, whole in call.reply(json.extracting(whole.range).array) }
      }
    }
    for (name, url) in configuration.events.handlers where extensions.events[name] == nil {
      extensions.events[name] = { call in
        try await run(call, url) { (json, _) throws(CourierError) in try HTTPAnswers.event(json, of: call) }
      }
    }
    for walker in configuration.walkers.walkers where extensions.walkers[walker.name] == nil {
      let url = walker.url
      extensions.walkers[walker.name] = Walker(walker) { call in
        try await run(call, url) { (json, _) throws(CourierError) in try HTTPAnswers.walker(json, of: call) }
      }
    }
    let hooks = configuration.hooks
    for (kind, url) in [
      (LifecycleEvent.Kind.connected, hooks.connected), (.disconnected, hooks.disconnected),
      (.subscribed, hooks.subscribed),
    ] {
      guard let url else { continue }
      extensions.hooks[kind].append { event, _ in try await tell(event, url) }
    }
  }

  /// Posts a call and hands each JSON value of the answer to `deliver`: the value's text, and where in it the value is.
  private func run(
    _ call: Call, _ url: String, _ deliver: (Span<UInt8>, JSONValue) throws(CourierError) -> Void
  ) async throws {
    do throws(CourierError) {
      let response = try await post(url, Self.body(of: call))
      try await receive(response, call, deliver)
      counters.count(.answered)
    } catch {
      counters.count(BackendCounters.Outcome(error))
      switch error {
      case .cancelled: throw CancellationError()
      case .timedOut:
        call.noteLogged()
        log.write("backend-call-failed", "timed_out", [("name", .text(call.name))])
        throw HandlerError.timedOut
      default:
        call.noteLogged()
        log.write(
          "backend-call-failed", BackendCounters.Outcome(error).label,
          [("name", .text(call.name)), ("error", .text("\(error)"))])
        throw error
      }
    }
  }

  /// Posts a hook. The answer's body is of no interest.
  private func tell(_ event: LifecycleEvent, _ url: String) async throws {
    do throws(CourierError) {
      _ = try await post(url, Self.body(of: event)).body.bytes()
      counters.count(.answered)
    } catch {
      counters.count(BackendCounters.Outcome(error))
      throw error
    }
  }

  private func post(_ url: String, _ body: [UInt8]) async throws(CourierError) -> CourierResponse {
    let seconds = System.wallMilliseconds() / 1_000
    let request = CourierRequest(
      url: url,
      headers: [
        ("Content-Type", "application/json"), ("Accept", "application/json, application/x-ndjson"),
        (Signature.headerName, Signature.value(for: body, key: key, seconds: seconds)),
        ("X-Martlet-Delivery", Self.identifier()),
      ], body: body)
    let response = try await courier.send(request)
    guard (200..<300).contains(response.status) else { throw .status(response.status) }
    return response
  }

  private func receive(
    _ response: CourierResponse, _ call: Call, _ deliver: (Span<UInt8>, JSONValue) throws(CourierError) -> Void
  ) async throws(CourierError) {
    if response.status == 204 { return }
    let type = (response.contentType ?? "").prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
    switch type {
    case "application/json":
      try Self.value(try await response.body.bytes(), deliver)
    case "application/x-ndjson":
      var splitter = LineSplitter()
      for try await piece in response.body {
        for line in splitter.feed(piece) where !line.isEmpty {
          try Self.value(line, deliver)
          try await Self.drain(call)
        }
      }
      if let line = splitter.finish() { try Self.value(line, deliver) }
    default:
      throw .badResponse("content type \(type.isEmpty ? "missing" : type)")
    }
  }

  /// Waits until the client has taken what it was sent, so that a long answer stays with the back end.
  private static func drain(_ call: Call) async throws(CourierError) {
    do { try await call.drain() } catch { throw .cancelled }
  }

  private static func value(
    _ text: [UInt8], _ deliver: (Span<UInt8>, JSONValue) throws(CourierError) -> Void
  ) throws(CourierError) {
    let bytes = text.span
    guard UTF8Validator.isValid(bytes), let value = try? JSONScanner.validate(bytes) else {
      throw .badResponse("not JSON")
    }
    try deliver(bytes, value)
  }

  // MARK: What is posted

  static func body(of call: Call) -> [UInt8] {
    let context = call.context
    var out = ByteBuffer(capacity: context.count + 256)
    out.append("{\"dialect\":\"")
    out.append(string: call.dialect.name)
    out.append("\",\"name\":")
    appendText(call.name, to: &out)
    out.append(",\"connection\":")
    appendText(call.connection?.text, to: &out)
    out.append(",\"user\":")
    appendText(call.user, to: &out)
    out.append(",\"context\":")
    out.append(context.span)
    out.append("}")
    return out.bytes.array
  }

  static func body(of event: LifecycleEvent) -> [UInt8] {
    var out = ByteBuffer(capacity: 256)
    out.append("{\"dialect\":\"")
    out.append(string: event.dialect.name)
    out.append("\",\"name\":")
    appendText(event.kind.rawValue, to: &out)
    out.append(",\"connection\":")
    appendText(event.connection.text, to: &out)
    out.append(",\"user\":")
    appendText(event.user, to: &out)
    out.append(",\"topic\":")
    appendText(event.topic, to: &out)
    out.append("}")
    return out.bytes.array
  }

  private static func appendText(_ text: String?, to out: inout ByteBuffer) {
    if let text { JSONString.appendQuoted(text.utf8.span, to: &out) } else { out.append("null") }
  }

  /// Sixteen random bytes in hexadecimal: what a back end tells repeated deliveries by.
  private static func identifier() -> String {
    SecureRandom.bytes(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

extension Walker {
  /// A walker as the configuration describes it.
  fileprivate init(_ walker: WalkerConfiguration, handler: @escaping Handler) {
    self.init(
      walker.name,
      fields: walker.fields.map {
        Field($0.name, FieldType(rawValue: $0.type.rawValue) ?? .any, isRequired: $0.isRequired)
      },
      requiresAuthentication: walker.requiresAuthentication,
      methods: Set(walker.methods.compactMap { Method(rawValue: $0.rawValue) }), handler: handler)
  }
}

/// What the values that an endpoint answers with mean in each dialect.
enum HTTPAnswers {
  private static let eventKeys = JSONKeySet("event", "data")
  private static let walkerKeys = JSONKeySet("reports", "notify")
  private static let notifyKeys = JSONKeySet("self", "users", "channels", "clients", "data")

  /// `{"event":E,"data":D}` is the event E with the data D; anything else is data of `<name>_response`.
  static func event(_ json: Span<UInt8>, of call: Call) throws(CourierError) {
    let found = try scan(json, eventKeys)
    if let name = found[0], let data = found[1], name.kind == .string {
      call.reply(event: text(json, name), json.extracting(data.range).array)
    } else {
      call.reply(event: call.name + "_response", json.extracting(found.value.range).array)
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
    guard list.kind == .array else { throw .badResponse("targets of a notification that are no list") }
    var names: [String] = []
    var children = JSONChildren(of: list, in: json)
    while let child = children.next(json) {
      guard child.value.kind == .string else { throw .badResponse("a target of a notification that is no string") }
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
