// What is posted to an application's endpoints, and what their answers become in each dialect.
import Backends
import EventLoop
import Foundation
import TestSupport
import Testing

@testable import Gateway

/// Everything that calls answered, one text for each: `name: json` for events with a name of their own.
private final class Replies: Sendable {
  private let texts = Lock<[String]>([])

  func add(_ event: String?, _ json: [UInt8]) {
    texts.withLock { $0.append((event.map { $0 + ": " } ?? "") + String(decoding: json, as: UTF8.self)) }
  }
  var all: [String] { texts.withLock { $0 } }
}

private struct TestFailure: Error {
  let description: String
}

private struct Endpoint {
  let server: BackendServer
  let handlers: HTTPHandlers
  let counters = BackendCounters()
  let queue: CommandQueue
  let courier: Courier
  static let key = Array("a secret of thirty-two bytes, at least".utf8)

  init() throws {
    server = try BackendServer()
    queue = CommandQueue(doorbell: try Doorbell())
    var options = CourierOptions()
    options.timeoutMilliseconds = 20_000
    options.connectTimeoutMilliseconds = 10_000
    courier = Courier(options)
    handlers = HTTPHandlers(
      courier: courier, key: Self.key, counters: counters,
      log: SharedLog(Logger(format: .text, level: .error)))
  }

  /// Calls a handler behind `path`; what it replied, and what it threw.
  func call(
    _ dialect: Dialect, _ path: String, name: String = "order", context: String = "{\"n\": 1}", user: String? = nil
  ) async throws -> (replies: [String], error: (any Error)?) {
    var configuration = Configuration()
    configuration.handlers.requests = [name: server.url(path)]
    configuration.events.handlers = [name: server.url(path)]
    configuration.walkers.walkers = [WalkerConfiguration(name: name, url: server.url(path))]
    var extensions = Extensions()
    handlers.extend(&extensions, configuration)
    let replies = Replies()
    let call = Call(
      dialect: dialect, name: name, connection: nil, user: user, context: Array(context.utf8),
      outlet: Outlet([queue], home: 0)
    ) { replies.add($0, $1) }
    let handler =
      switch dialect {
      case .events: extensions.events[name]
      case .walkers: extensions.walkers[name]?.handler
      default: extensions.requests[name]
      }
    do {
      guard let handler else { throw TestFailure(description: "no handler for \(name)") }
      try await handler(call)
      return (replies.all, nil)
    } catch {
      return (replies.all, error)
    }
  }

  /// The same with an answer given here.
  func answer(_ dialect: Dialect, _ type: String, _ body: String) async throws -> (
    replies: [String], error: (any Error)?
  ) {
    let hex = body.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    return try await call(dialect, "/reply/\(type)/\(hex)")
  }

  /// Publishes that the outlet was asked for.
  func published() -> [String] {
    queue.take().compactMap { command in
      guard case .publish(let space, let name, let text) = command else { return nil }
      return "\(space) \(String(decoding: name, as: UTF8.self)) \(String(decoding: text, as: UTF8.self))"
    }
  }
}

@Suite("HTTP handlers", OwnThreads())
struct HTTPHandlersTests {
  @Test("a call is posted as JSON with its context as it was sent, signed, with an id of its own")
  func request() async throws {
    let endpoint = try Endpoint()
    _ = try await endpoint.call(.events, "/status/204", name: "or\"der", context: "[1.0,  {}]", user: "Ä\u{1}")
    _ = try await endpoint.call(.handlers, "/status/204")
    let page = try await endpoint.courier.send(CourierRequest(url: endpoint.server.url("/stats"), method: "GET"))
    let seen =
      try JSONSerialization.jsonObject(with: Data(try await page.body.bytes())) as? [String: Any] ?? [:]
    let bodies = seen["bodies"] as? [String] ?? []
    let headers = seen["headers"] as? [[String: String]] ?? []
    try #require(bodies.count == 2 && headers.count == 2)
    #expect(
      bodies[0]
        == #"{"dialect":"events","name":"or\"der","connection":null,"user":"Ä\u0001","context":[1.0,  {}]}"#)
    #expect(bodies[1] == #"{"dialect":"handlers","name":"order","connection":null,"user":null,"context":{"n": 1}}"#)
    for (body, header) in zip(bodies, headers) {
      #expect(header["content-type"] == "application/json")
      let now = Int64(Date().timeIntervalSince1970)
      #expect(
        Signature.verifies(
          header["x-martlet-signature"] ?? "", body: Array(body.utf8), key: Endpoint.key, now: now))
      #expect(header["x-martlet-delivery"]?.count == 32)
    }
    #expect(headers[0]["x-martlet-delivery"] != headers[1]["x-martlet-delivery"])
  }

  @Test(
    "one JSON value is one reply, each line of NDJSON another",
    arguments: [
      ("json", " {\"a\": [1.0]}\n", ["{\"a\": [1.0]}"]), ("json", "null", ["null"]),
      ("ndjson", "{\"a\":1}\n\n 2\r\n\"x\"", ["{\"a\":1}", "2", "\"x\""]), ("ndjson", "", []),
    ])
  func replies(type: String, body: String, expected: [String]) async throws {
    let endpoint = try Endpoint()
    let (replies, error) = try await endpoint.answer(.handlers, type, body)
    #expect(replies == expected)
    #expect(error == nil)
    #expect(endpoint.counters.value(.answered) == 1)
  }

  @Test(
    "an event is answered under the name that the answer gives, else under its own with a suffix",
    arguments: [
      (#"{"event":"placed","data":{"id": 1}}"#, #"placed: {"id": 1}"#),
      (#"{"data":null,"event":"a\"b"}"#, #"a"b: null"#),
      (#"{"event":"placed"}"#, #"order_response: {"event":"placed"}"#),
      (#"{"event":1,"data":2}"#, #"order_response: {"event":1,"data":2}"#), ("[1]", "order_response: [1]"),
    ])
  func events(body: String, expected: String) async throws {
    let (replies, error) = try await Endpoint().answer(.events, "json", body)
    #expect(replies == [expected])
    #expect(error == nil)
  }

  @Test("a walker's answer holds reports, notifications, or is a report itself")
  func walkers() async throws {
    let endpoint = try Endpoint()
    let lines = [
      #"{"notify":{"users":["n::000000000000000000000001","n::000000000000000000000002"],"channels":["c"],"data":{"a": 1}}}"#,
      #"{"reports":[1, "x",{}]}"#, "7",
      #"{"notify":{"self":true,"clients":["k"],"data":{}},"reports":[]}"#, #"{"reports":1}"#,
    ]
    let (replies, error) = try await endpoint.answer(.walkers, "ndjson", lines.joined(separator: "\n"))
    #expect(replies == ["1", "\"x\"", "{}", "7", #"{"reports":1}"#])
    #expect(error == nil)
    #expect(
      endpoint.published() == [
        #"walkerUsers n::000000000000000000000001 {"a": 1}"#,
        #"walkerUsers n::000000000000000000000002 {"a": 1}"#, #"walkerChannels c {"a": 1}"#,
        "walkerClients k {}",
      ])
  }

  @Test(
    "an answer that is not what it says is an error after what was good",
    arguments: [
      ("json", "{", 0), ("json", "", 0), ("json", "{}{}", 0), ("ndjson", "{}\nx\n{}", 1), ("text", "{}", 0),
      ("none", "{}", 0),
    ])
  func bad(type: String, body: String, replied: Int) async throws {
    let endpoint = try Endpoint()
    let (replies, error) = try await endpoint.answer(.handlers, type, body)
    #expect(replies.count == replied)
    guard case .badResponse = error as? CourierError else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(endpoint.counters.value(.broken) == 1)
  }

  @Test(
    "notifications that name no targets or carry no object are errors",
    arguments: [
      #"{"notify":{"users":["a"]}}"#, #"{"notify":{"users":"a","data":{}}}"#,
      #"{"notify":{"clients":[1],"data":{}}}"#, #"{"notify":{"self":true,"data":1}}"#,
    ])
  func badNotifications(body: String) async throws {
    let endpoint = try Endpoint()
    let (replies, error) = try await endpoint.answer(.walkers, "json", body)
    #expect(replies == [])
    #expect(error is CourierError)
    #expect(endpoint.published() == [])
  }

  @Test("a status that is no success is an error, 204 is no reply", arguments: [204, 302, 404, 500, 503])
  func statuses(status: Int) async throws {
    let (replies, error) = try await Endpoint().call(.handlers, "/status/\(status)")
    #expect(replies == [])
    #expect(error as? CourierError == (status == 204 ? nil : .status(status)))
  }

  @Test("what the program registered itself stays, and the fields of walkers are taken over")
  func extending() throws {
    let endpoint = try Endpoint()
    var configuration = Configuration()
    configuration.handlers.requests = ["a": "http://127.0.0.1:1/", "b": "http://127.0.0.1:1/"]
    configuration.walkers.walkers = [
      WalkerConfiguration(
        name: "w", url: "http://127.0.0.1:1/", fields: [.init(name: "f", type: .list, isRequired: false)],
        requiresAuthentication: false, methods: [.post])
    ]
    configuration.hooks.connected = "http://127.0.0.1:1/"
    var extensions = Extensions()
    let replies = Replies()
    extensions.requests["a"] = { _ in replies.add(nil, []) }
    endpoint.handlers.extend(&extensions, configuration)
    #expect(Set(extensions.requests.keys) == ["a", "b"])
    #expect(extensions.walkers["w"]?.fields == [Walker.Field("f", .list, isRequired: false)])
    #expect(extensions.walkers["w"]?.requiresAuthentication == false)
    #expect(extensions.walkers["w"]?.methods == [.post])
    #expect(extensions.hooks[.connected].count == 1)
    #expect(extensions.hooks[.disconnected].isEmpty)
  }

  @Test("URLs without a secret to sign with do not start")
  func unsigned() throws {
    var configuration = Configuration()
    configuration.hooks.connected = "http://127.0.0.1:1/"
    #expect(throws: GatewayError.self) {
      try Application(configuration, Extensions(), logger: Logger(format: .text, level: .error))
    }
  }
}
