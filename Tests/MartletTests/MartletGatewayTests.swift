// The gateway as a library: a program's own handlers, over real sockets.
import EventLoop
import Foundation
import Martlet
import TestSupport
import Testing

private struct Score: Codable, Sendable, Equatable {
  var player: String
  var points: Int
}

/// Starts a gateway on a free port, runs `body` with the port on a thread of its own, and stops it.
func serving(
  _ prepare: (MartletGateway) -> Void, _ body: @escaping @Sendable (UInt16) throws -> Void
) async throws {
  let secrets = ["channels.jwtSecret", "handlers.jwtSecret", "sessions.jwtSecret", "walkers.tokenSecret"]
  let settings = try GatewaySettings.development(
    port: 0,
    set: ["reactorCount": "2", "logLevel": "error"].merging(secrets.map { ($0, Tokens.secret) }) { $1 })
  let gateway = MartletGateway(settings, executor: TestThreads.shared)
  prepare(gateway)
  try gateway.start()
  let port = gateway.addresses.first?.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
  #expect(port > 0)
  // Blocking sockets stay off the threads that handlers run on.
  let result = await withCheckedContinuation { continuation in
    Thread.detachNewThread { continuation.resume(returning: Result { try body(port) }) }
  }
  await gateway.stop()
  #expect(gateway.addresses == [])
  try result.get()
}

func connect(_ port: UInt16, _ target: String) throws -> WebSocketClient {
  try WebSocketClient(on: Socket(port: port), target: target, headers: [])
}

/// The token of a new session of the events dialect.
func acquireSession(_ port: UInt16) throws -> String {
  let answer = try HTTPExchange.perform(
    "POST /api/auth/acquire-session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n", on: Socket(port: port))
  return try #require(JSON(answer.text)?["data"]?["token"]?.text)
}

/// A native client of the events dialect, greeted.
func connectEvents(_ port: UInt16) throws -> WebSocketClient {
  let token = try acquireSession(port)
  let client = try connect(port, "/events?token=\(token)")
  #expect(try client.nextText().contains("connected"))
  return client
}

private func connectChannels(_ port: UInt16, user: String) throws -> WebSocketClient {
  let client = try connect(port, "/channels?token=" + Tokens.channels(user: user))
  #expect(try client.nextText().contains("connected"))
  return client
}

private func subscribe(_ client: WebSocketClient, _ channel: String) throws {
  try client.send(#"{"action":"subscribe","channel":"\#(channel)"}"#)
  #expect(try client.nextText().contains("subscribed"))
}

@Suite("The Martlet library", OwnThreads())
struct MartletGatewayTests {
  @Test("an event is decoded, answered and broadcast; what cannot be decoded and what is rejected says why")
  func events() async throws {
    try await serving { gateway in
      gateway.onEvent("score", as: Score.self) { event, score in
        if score.points < 0 { throw Rejection("Points cannot be negative") }
        try event.reply(score)
        try event.reply(event: "thanks", ["to": score.player])
        try event.broadcast(channel: "scores", score)
      }
      gateway.onEvent("raw") { event in event.reply(json: "[" + String(decoding: event.json, as: UTF8.self) + "]") }
    } _: { port in
      let listener = try connectChannels(port, user: "l")
      try subscribe(listener, "scores")
      let client = try connectEvents(port)
      try client.send(#"{"event":"score","data":{"player":"ann/bo","points":3}}"#)
      #expect(
        JSON(try client.nextText()) == JSON(#"{"event":"score_response","data":{"player":"ann/bo","points":3}}"#))
      #expect(JSON(try client.nextText()) == JSON(#"{"event":"thanks","data":{"to":"ann/bo"}}"#))
      let broadcast = try listener.nextText()
      #expect(broadcast.contains(#""channel":"scores""#) && broadcast.contains("ann/bo"))
      for (data, reason) in [
        (#"{"player":"a","points":-1}"#, "Points cannot be negative"), (#"{"player":"a"}"#, "points is missing"),
        (#"{"player":1,"points":1}"#, "player has the wrong type"),
      ] {
        try client.send(#"{"event":"score","data":\#(data)}"#)
        let text = try client.nextText()
        #expect(text.contains(#""event":"error""#) && text.contains(reason), "\(text)")
      }
      try client.send(#"{"event":"raw","data":{"a": 1.0}}"#)
      #expect(try client.nextText().contains(#""data":[{"a": 1.0}]"#))
    }
  }

  @Test("a walker reports and notifies, over a socket and over plain HTTP")
  func walkers() async throws {
    try await serving { gateway in
      gateway.walker("greet", fields: [.string("name")], requiresAuthentication: false, methods: [.websocket, .post]) {
        walker in
        let name = try walker.decode([String: String].self)["name"] ?? ""
        try walker.notifySelf(["self": name])
        try walker.notifyChannels(["lobby"], ["lobby": name])
        try walker.report("Hello, \(name)!")
        walker.report(json: "{\"done\": true}")
      }
    } _: { port in
      let lobby = try connect(port, "/walkers?channel_id=lobby")
      let client = try connect(port, "/walkers")
      for socket in [lobby, client] { #expect(try socket.nextText().contains("client_id")) }
      try client.send(#"{"type":"walker","walker":"greet","response":true,"context":{"name":"Ann"}}"#)
      #expect(JSON(try client.nextText()) == JSON(#"{"self":"Ann"}"#))
      #expect(JSON(try client.nextText()) == JSON(#"{"status":200,"reports":["Hello, Ann!",{"done":true}]}"#))
      #expect(JSON(try lobby.nextText()) == JSON(#"{"lobby":"Ann"}"#))
    }
  }

  @Test("hooks are told of a connection's life in order, and can reach everyone")
  func hooks() async throws {
    let told = Lock<[String]>([])
    try await serving { gateway in
      for (kind, add) in [
        ("connected", gateway.onConnected), ("subscribed", gateway.onSubscribed),
        ("disconnected", gateway.onDisconnected),
      ] {
        add { event in
          guard event.user == "watched" else { return }
          told.withLock { $0.append(kind + " " + event.dialect + " " + (event.topic ?? "-")) }
          try event.clients.publish(channel: "presence", data: [kind: event.user])
        }
      }
    } _: { port in
      let watcher = try connectChannels(port, user: "watcher")
      try subscribe(watcher, "presence")
      let client = try connectChannels(port, user: "watched")
      try subscribe(client, "a")
      try subscribe(client, "b")
      client.socket.close()
      for kind in ["connected", "subscribed", "subscribed", "disconnected"] {
        #expect(try watcher.nextText().contains("\"\(kind)\":\"watched\""))
      }
    }
    #expect(
      told.withLock { $0 } == [
        "connected channels -", "subscribed channels a", "subscribed channels b", "disconnected channels -",
      ])
  }

  @Test("publish reaches subscribers from anywhere, and nobody while the gateway is not running")
  func publish() async throws {
    let holder = Lock<MartletGateway?>(nil)
    try await serving { gateway in
      holder.withLock { $0 = gateway }
      #expect(throws: Never.self) { try gateway.publish(channel: "news", data: 1) }
      #expect(gateway.clients == nil)
    } _: { port in
      let client = try connectChannels(port, user: "a")
      try subscribe(client, "news")
      try holder.withLock { $0 }?.publish(channel: "news", data: ["n": 1])
      #expect(try client.nextText().contains(#""data":{"n":1}"#))
    }
  }

  @Test("whoever waits for a client that outstays the end of the gateway is told, and the client's socket is closed")
  func outstayed() async throws {
    let settings = try GatewaySettings.development(
      port: 0,
      set: [
        "reactorCount": "2", "logLevel": "error", "limits.drainTimeoutMilliseconds": "100",
        "limits.closeTimeoutMilliseconds": "600000",
      ])
    let gateway = MartletGateway(settings, executor: TestThreads.shared)
    let (asked, told) = (AsyncStream<Void>.makeStream(), AsyncStream<String>.makeStream())
    gateway.onEvent("ask") { event in
      asked.continuation.yield()
      do {
        _ = try await event.request("sure?", 1, timeout: .seconds(600))
        told.continuation.yield("answered")
      } catch {
        told.continuation.yield("\(error)")
      }
    }
    try gateway.start()
    let port = gateway.addresses.first?.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
    let client = try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(
          with: Result {
            let client = try connectSocketIO(port, try acquireSession(port))
            try client.send(#"42["ask"]"#)
            _ = try client.nextText()
            return Unchecked(client)
          })
      }
    }
    for await _ in asked.stream { break }
    await gateway.stop()
    var answers = told.stream.makeAsyncIterator()
    #expect(await answers.next() == "the client has gone, or cannot be asked")
    let rest = await withCheckedContinuation { continuation in
      Thread.detachNewThread { continuation.resume(returning: client.value.readToEnd()) }
    }
    #expect(rest.last == .end)
  }

  /// A client that one thread at a time uses.
  private struct Unchecked: @unchecked Sendable {
    let value: WebSocketClient
    init(_ value: WebSocketClient) { self.value = value }
  }

  @Test(
    "settings that cannot be used say why",
    arguments: [
      (["--nonsense", "1"], "--nonsense"), (["--port"], "--port needs a value"), (["--dev=1"], "--dev takes no value"),
      (["word"], "unexpected \"word\""), (["--prot", "1"], "did you mean \"--port\"?"), (["--set", "x"], "KEY=VALUE"),
      (["--set", "limits.nonsense=1"], "limits.nonsense"), (["--config", "/nowhere/at/all"], "/nowhere/at/all"),
      (["--port", "99999"], "port"),
    ])
  func settings(arguments: [String], part: String) {
    #expect {
      _ = try GatewaySettings.load(arguments: arguments)
    } throws: { error in
      "\(error)".contains(part)
    }
  }
}
