// Walkers over real sockets and over plain HTTP: every row of PROTOCOLS 5.3, with one reactor and with two.

import EventLoop
import Gateway
import TestSupport
import Testing

private let alice = WalkersToken.alice
private let bob = WalkersToken.bob
private let chat = #"{"type":"chat","data":{"message":"string"}}"#
private let done = #"{"status":200,"reports":["Do something!"]}"#
private let nothing = #"{"status":200,"reports":[]}"#

private struct Broken: Error {}

/// Lets walkers wait until the test says so. No actor: tests block the threads that one would need.
private final class Gate: Sendable {
  private struct State {
    var isOpen = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Lock(State())

  func wait() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiters.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }

  func open() {
    let waiters = state.withLock { state in
      state.isOpen = true
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}

/// An application with walkers of all sorts.
private func application(_ gate: Gate = Gate()) -> Extensions {
  var extensions = Extensions()
  for walker in [
    Walker("show", fields: [Walker.Field("a", .integer, isRequired: false)], methods: [.websocket, .post]) { call in
      call.reply(call.context)
      call.reply(Array(#""\#(call.user ?? "nobody") \#(call.name)""#.utf8))
    },
    Walker("open_to_all", requiresAuthentication: false, methods: [.websocket, .post]) { call in
      call.reply(Array(#""\#(call.user ?? "nobody")""#.utf8))
    },
    Walker("progress", methods: [.websocket, .post]) { call in
      for step in 1...3 { call.notifySelf(Array(#"{"progress":\#(step)}"#.utf8)) }
      call.reply(Array("true".utf8))
    },
    Walker("broken", methods: [.websocket, .post]) { _ in throw Broken() },
    Walker("picky", methods: [.websocket, .post]) { _ in throw HandlerError.rejected("not \"today\"") },
    Walker("late", methods: [.websocket, .post]) { _ in throw HandlerError.timedOut },
    Walker("by_post_only", methods: [.post]) { _ in },
    Walker("slow") { call in
      await gate.wait()
      call.notifySelf(Array(#"{"slow":true}"#.utf8))
    },
  ] { extensions.walkers[walker.name] = walker }
  return extensions
}

@Suite("Walkers: running them over a socket")
struct WalkersRunTests {
  @Test("the result comes if it is asked for, in any spelling, and has no type", arguments: reactorCounts)
  func response(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.walkersClient(root: alice)
      for yes in ["true", "1", #""yes""#, #""On""#, "1.0"] {
        try client.run("your_event_name", #"{"val":1}"#, response: yes)
        try expectText(client.socket, done, "\(yes)")
      }
      for no in ["false", "0", #""off""#] {
        try client.run("your_event_name", #"{"val":1}"#, response: no)
        try client.expectNothing("\(no)")
      }
      try client.socket.send(#"{"type":"walker","walker":"your_event_name","context":{"val":1}}"#)
      try client.expectNothing("not asked for")
    }
  }

  @Test("the context is checked, leniently, and all its mistakes are told", arguments: reactorCounts)
  func contexts(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: application()) { gateway throws in
      let client = try gateway.walkersClient(root: alice)
      for context in [#"{"val":"7"}"#, #"{"val":7.0,"extra":[1]}"#] {
        try client.run("your_event_name", context)
        try expectText(client.socket, done, "\(context)")
      }
      let unreadable = "Input should be a valid integer, unable to parse string as an integer"
      for (context, error) in [
        ("{}", #"{"type":"missing","loc":["val"],"msg":"Field required","input":{}}"#),
        (#"{"val":"x"}"#, #"{"type":"int_parsing","loc":["val"],"msg":"\#(unreadable)","input":"x"}"#),
      ] {
        try client.run("your_event_name", context, response: "false")
        try expectText(client.socket, #"{"error":[\#(error)]}"#)
      }
      try client.run("show", #"{"a":" 7 ","b":[ 1 ]}"#)
      let seen = #"{"status":200,"reports":[{"a":7,"b":[ 1 ]},"n::\#(alice) show"]}"#
      try expectText(client.socket, seen)
      try client.socket.send(#"{"type":"walker","walker":"show","response":true,"node":"n::0"}"#)
      try expectText(client.socket, #"{"status":200,"reports":[{},"n::\#(alice) show"]}"#)
    }
  }

  @Test("who may not run a walker is told so", arguments: reactorCounts)
  func denials(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: application()) { gateway throws in
      let user = try gateway.walkersClient(root: alice)
      let anyone = try gateway.walkersClient()
      let unknown = #"{"type":"walker","error":"Invalid request! Please use valid walker event!"}"#
      for name in ["nobody", "", "by_post_only", "Your_event_name", String(repeating: "x", count: 5_000)] {
        try user.run(name, response: "false")
        try expectText(user.socket, unknown, "\(name.prefix(20))")
      }
      for name in ["your_event_name", "show"] {
        try anyone.run(name, "{}", response: "false")
        let denial = #"{"type":"walker","error":"Event \#(name) requires to be authenticated!"}"#
        try expectText(anyone.socket, denial)
      }
      try anyone.run("open_to_all")
      try expectText(anyone.socket, #"{"status":200,"reports":["nobody"]}"#)
      try user.run("open_to_all")
      try expectText(user.socket, #"{"status":200,"reports":["n::\#(alice)"]}"#)
    }
  }

  @Test("change_user decides who runs the next walker", arguments: reactorCounts)
  func changedUser(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: application()) { gateway throws in
      let client = try gateway.walkersClient()
      try client.socket.send(#"{"type":"change_user","token":"bearer \#(WalkersToken.make(root: bob))"}"#)
      _ = try WalkersClient(client.socket)
      try client.run("open_to_all")
      try expectText(client.socket, #"{"status":200,"reports":["n::\#(bob)"]}"#)
      try client.socket.send(#"{"type":"change_user"}"#)
      _ = try WalkersClient(client.socket)
      try client.run("your_event_name", #"{"val":1}"#)
      let denial = #"{"type":"walker","error":"Event your_event_name requires to be authenticated!"}"#
      try expectText(client.socket, denial)
    }
  }

  @Test("the chat walkers reach users, groups and clients wherever they are", arguments: reactorCounts)
  func chats(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([alice, bob, nil], channel: "room")
      let sender = clients[0]
      try sender.run("send_chat_to_user", #"{"root_id":"n::\#(bob)"}"#)
      try expectText(clients[1].socket, chat)
      try expectText(sender.socket, nothing)
      try sender.run("send_chat_to_client", #"{"client_id":"\#(clients[2].client)"}"#)
      try expectText(clients[2].socket, chat)
      try expectText(sender.socket, nothing)
      try sender.run("send_chat_to_group", #"{"channel_id":"room"}"#)
      for client in clients { try expectText(client.socket, chat) }
      try expectText(sender.socket, nothing, "the notification precedes the response")
      try sender.run("send_chat_to_user", #"{"root_id":"zzz"}"#, response: "false")
      try expectText(sender.socket, #"{"error":["[zzz] is not a valid reference!"]}"#)
    }
  }

  @Test("what a walker notifies itself of comes before its result", arguments: reactorCounts)
  func progress(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: application()) { gateway throws in
      let clients = try gateway.walkersClients([alice, alice])
      for _ in 0..<20 { try clients[0].run("progress") }
      for _ in 0..<20 {
        for step in 1...3 { try expectText(clients[0].socket, #"{"progress":\#(step)}"#) }
        try expectText(clients[0].socket, #"{"status":200,"reports":[true]}"#)
      }
      try clients[1].expectNothing("only the own socket")
    }
  }

  @Test("a walker that fails tells no more than it means to", arguments: reactorCounts)
  func failures(reactors: Int) throws {
    try withGateway(reactors: reactors, extensions: application()) { gateway throws in
      let client = try gateway.walkersClient(root: alice)
      for (name, text) in [
        ("broken", "Walker failed"), ("picky", #"not \"today\""#), ("late", "Walker timed out"),
      ] {
        for response in ["true", "false"] {
          try client.run(name, response: response)
          try expectText(client.socket, #"{"error":["\#(text)"]}"#, "\(name)")
        }
      }
      try client.expectNothing()
    }
  }

  @Test("what a client sends while its walker runs takes effect after it, in order", arguments: reactorCounts)
  func waiting(reactors: Int) throws {
    let gate = Gate()
    let gateway = try ConformanceGateway(reactors: reactors, extensions: application(gate))
    defer { gateway.stop() }
    let clients = try gateway.walkersClients([alice, alice])
    let client = clients[0]
    try client.run("slow")
    try client.notify("client", [clients[1].client], #"{"n":1}"#)
    try client.run("open_to_all")
    try client.socket.send(#"{"type":"change_user"}"#)
    try client.socket.send("junk")
    try client.run("open_to_all")
    // Others are not kept waiting, and still reach the one that waits.
    try clients[1].run("open_to_all")
    try expectText(clients[1].socket, #"{"status":200,"reports":["n::\#(alice)"]}"#)
    try clients[1].notify("client", [client.client], #"{"n":0}"#)
    try expectText(client.socket, #"{"n":0}"#)
    gate.open()
    try expectText(client.socket, #"{"slow":true}"#)
    try expectText(client.socket, nothing)
    try expectText(clients[1].socket, #"{"n":1}"#)
    try expectText(client.socket, #"{"status":200,"reports":["n::\#(alice)"]}"#)
    #expect(try WalkersClient(client.socket).root == WalkersClient.publicRoot)
    try expectText(client.socket, #"{"error":["Invalid JSON"]}"#)
    try expectText(client.socket, #"{"status":200,"reports":["nobody"]}"#)
  }

  @Test("only so many messages wait for a walker", arguments: reactorCounts)
  func backlog(reactors: Int) throws {
    let gate = Gate()
    let settings = [("limits.callsPerConnectionMax", "2")]
    let gateway = try ConformanceGateway(reactors: reactors, settings: settings, extensions: application(gate))
    defer { gateway.stop() }
    let client = try gateway.walkersClient(root: alice)
    try client.run("slow", response: "false")
    for _ in 0..<3 { try client.socket.send(#"{"type":"connection"}"#) }
    try expectText(client.socket, #"{"error":["Too many calls"]}"#)
    gate.open()
    try expectText(client.socket, #"{"slow":true}"#)
    for _ in 0..<2 { try expectText(client.socket, client.welcome) }
    try client.expectNothing()
  }

  @Test("a client that goes while its walker runs leaves nothing behind", arguments: reactorCounts)
  func gone(reactors: Int) throws {
    let gate = Gate()
    let gateway = try ConformanceGateway(reactors: reactors, extensions: application(gate))
    defer { gateway.stop() }
    let clients = try gateway.walkersClients([alice, bob])
    try clients[0].run("slow")
    try clients[0].socket.send(#"{"type":"connection"}"#)
    try clients[0].socket.send(ClientFrame(ClientFrame.close, [0x03, 0xE8]))
    let last = clients[0].socket.readToEnd()
    #expect(last.first == Incoming.close(1_000, ""))
    gate.open()
    try clients[1].run("your_event_name", #"{"val":1}"#)
    try expectText(clients[1].socket, done)
  }
}

@Suite("Walkers: running them by a request")
struct WalkersRequestTests {
  private static var credential: String { "Bearer \(WalkersToken.make(root: alice))" }

  @Test("each request gets the answer of the table", arguments: reactorCounts)
  func table(reactors: Int) throws {
    let missing = #"{"detail":[{"type":"missing","loc":["body","root_id"],"msg":"Field required","input":{}}]}"#
    let wrong =
      #"{"detail":[{"type":"string_type","loc":["body","root_id"],"msg":"Input should be a valid string","input":7}]}"#
    let junk = #"{"detail":[{"type":"json_invalid","loc":["body",0],"msg":"JSON decode error","input":{}}]}"#
    let empty = #"{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}"#
    let context = #"{"root_id":"n::\#(bob)"}"#
    let rows: [(name: String, body: String, credential: String?, status: Int, text: String)] = [
      ("send_chat_to_user", context, Self.credential, 200, nothing),
      ("send_chat_to_user", context, Self.credential.lowercasedScheme, 200, nothing),
      ("send_chat_to_user", context, nil, 403, #"{"detail":"Not authenticated"}"#),
      ("send_chat_to_user", context, "Bearer x", 401, #"{"detail":"Unauthorized"}"#),
      ("send_chat_to_user", "{}", Self.credential, 422, missing),
      ("send_chat_to_user", #"{"root_id":7}"#, Self.credential, 422, wrong),
      ("send_chat_to_user", "junk", Self.credential, 422, junk),
      ("send_chat_to_user", "", Self.credential, 422, empty),
      ("send_chat_to_user", "junk", nil, 403, #"{"detail":"Not authenticated"}"#),
      ("your_event_name", #"{"val":1}"#, Self.credential, 404, #"{"detail":"Not Found"}"#),
      ("nobody", "{}", Self.credential, 404, #"{"detail":"Not Found"}"#),
      ("nobody", "{}", nil, 404, #"{"detail":"Not Found"}"#),
      ("by_post_only", "", Self.credential, 200, nothing),
      ("by%5Fpost_only", "{}", Self.credential, 200, nothing),
      ("open_to_all", "", nil, 200, #"{"status":200,"reports":["nobody"]}"#),
      ("open_to_all", "", Self.credential, 200, #"{"status":200,"reports":["n::\#(alice)"]}"#),
      ("open_to_all", "", "Bearer x", 401, #"{"detail":"Unauthorized"}"#),
      ("show", #"{"a":"7"}"#, Self.credential, 200, #"{"status":200,"reports":[{"a":7},"n::\#(alice) show"]}"#),
      ("progress", "{}", Self.credential, 200, #"{"status":200,"reports":[true]}"#),
      ("broken", "{}", Self.credential, 500, #"{"detail":"Walker failed"}"#),
      ("picky", "{}", Self.credential, 500, #"{"detail":"not \"today\""}"#),
      ("late", "{}", Self.credential, 504, #"{"detail":"Walker timed out"}"#),
    ]
    try withGateway(reactors: reactors, extensions: application()) { gateway throws in
      for row in rows {
        let answer = try gateway.post("/walker/\(row.name)", row.body, credential: row.credential)
        #expect(answer.status == row.status && answer.text == row.text, "\(row)")
        #expect(answer.headers["content-type"] == "application/json", "\(row)")
      }
    }
  }

  @Test("its notifications reach sockets wherever they are", arguments: reactorCounts)
  func notifications(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([alice, bob, nil], channel: "room")
      for (name, context, targets) in [
        ("send_chat_to_user", #"{"root_id":"n::\#(bob)"}"#, [1]),
        ("send_chat_to_group", #"{"channel_id":"room"}"#, [0, 1, 2]),
        ("send_chat_to_client", #"{"client_id":"\#(clients[2].client)"}"#, [2]),
      ] {
        #expect(try gateway.post("/walker/\(name)", context, credential: Self.credential).text == nothing)
        for target in targets { try expectText(clients[target].socket, chat, "\(name)") }
      }
      for client in clients { try client.expectNothing() }
    }
  }
}

extension String {
  /// A credential with its scheme in lower case.
  fileprivate var lowercasedScheme: String { "bearer" + dropFirst(6) }
}
