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
        for line in splitter.feed(piece) where !Self.isBlank(line) {
          try Self.value(line, deliver)
          try await Self.drain(call)
        }
      }
      if let line = splitter.finish(), !Self.isBlank(line) { try Self.value(line, deliver) }
    default:
      throw .badResponse("content type \(type.isEmpty ? "missing" : type)")
    }
  }

  /// Whether a line holds nothing: back ends that think for long send such lines to show that they live.
  private static func isBlank(_ line: [UInt8]) -> Bool { line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }

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
    // Other dialects and native clients know no acknowledgements.
    if call.wantsAcknowledgement { out.append(",\"acknowledgement\":true") }
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
