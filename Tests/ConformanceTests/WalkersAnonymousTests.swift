// What clients of the walkers dialect may do without a token, by `walkers.anonymous` (PROTOCOLS 9 on 5.2): over sockets,
// by walkers and over plain HTTP.

import Gateway
import TestSupport
import Testing

private let alice = WalkersToken.alice
private let deniedWalker = #"{"type":"walker","error":"Permission denied"}"#
private let denied = #"{"error":["Permission denied"]}"#

/// Walkers that are open to all: one keeps to itself, one speaks to others.
private func application() -> Extensions {
  var extensions = Extensions()
  for walker in [
    Walker("quiet", requiresAuthentication: false, methods: [.websocket, .post]) { call in
      call.notifySelf(Array(#"{"self":true}"#.utf8))
      call.reply(Array("1".utf8))
    },
    Walker("loud", fields: [], requiresAuthentication: false, methods: [.websocket, .post]) { call in
      call.outlet.notify(channels: ["team"], data: Array(#"{"loud":true}"#.utf8))
      call.outlet.notify(users: ["n::" + alice], data: Array(#"{"loud":true}"#.utf8))
      call.reply(Array("2".utf8))
    },
  ] { extensions.walkers[walker.name] = walker }
  return extensions
}

@Suite("Conformance: walkers clients without a token")
struct WalkersAnonymousTests {
  private func gateway(
    _ anonymous: String, reactors: Int = 1, extensions: Extensions? = nil, _ body: (ConformanceGateway) throws -> Void
  ) throws {
    try withGateway(
      reactors: reactors, settings: [("walkers.anonymous", anonymous)], extensions: extensions, body)
  }

  @Test("receive: a public client is told who it is and receives, and sends to nobody", arguments: reactorCounts)
  func receive(reactors: Int) throws {
    try gateway("receive", reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([nil, alice], channel: "team")
      let (nobody, user) = (clients[0], clients[1])
      #expect(nobody.root == WalkersClient.publicRoot)
      for (kind, id) in [("user", user.root), ("channel", "team"), ("client", user.client), ("client", nobody.client)] {
        try nobody.notify(kind, [id], #"{"from":"nobody"}"#)
        try expectText(nobody.socket, denied, "\(kind)")
      }
      // What is no event is told as ever.
      try nobody.socket.send(#"{"type":"channel","channel_ids":[],"data":{}}"#)
      #expect(try nobody.socket.nextText().contains("too_short"))
      try user.expectNothing("what a public client sent")
      try user.notify("channel", ["team"], #"{"from":"alice"}"#)
      for client in clients { try expectText(client.socket, #"{"from":"alice"}"#) }
      try nobody.expectNothing()
      #expect(
        try eventually {
          try gateway.metrics().samples.contains {
            $0.key.hasPrefix("refusals_total{") && $0.key.contains("message_public_sender") && $0.value == 4
          }
        })
    }
  }

  @Test("receive: change_user gives the right to send, and takes it away")
  func changeUser() throws {
    try gateway("receive") { gateway throws in
      let user = try gateway.walkersClient(root: alice, channel: "team")
      let other = try gateway.walkersClient(channel: "team")
      try other.socket.send(
        #"{"type":"change_user","token":"Bearer \#(WalkersToken.make(root: WalkersToken.bob))"}"#)
      #expect(try other.socket.nextText().contains("n::" + WalkersToken.bob))
      try other.notify("client", [user.client], #"{"n":1}"#)
      try expectText(user.socket, #"{"n":1}"#)
      for token in ["", #","token":null"#, #","token":"Bearer x""#] {
        try other.socket.send(#"{"type":"change_user"\#(token)}"#)
        #expect(try other.socket.nextText().contains(WalkersClient.publicRoot))
        try other.notify("client", [user.client], #"{"n":2}"#)
        try expectText(other.socket, denied)
      }
      try user.expectNothing()
    }
  }

  @Test("receive: a walker that everyone may run speaks to its caller, and to nobody else", arguments: [true, false])
  func walkers(isFull: Bool) throws {
    try gateway(isFull ? "full" : "receive", extensions: application()) { gateway throws in
      let user = try gateway.walkersClient(root: alice, channel: "team")
      let nobody = try gateway.walkersClient()
      try nobody.run("quiet")
      try expectText(nobody.socket, #"{"self":true}"#)
      try expectText(nobody.socket, #"{"status":200,"reports":[1]}"#)
      try nobody.run("loud")
      try expectText(nobody.socket, isFull ? #"{"status":200,"reports":[2]}"# : deniedWalker)
      let answer = try gateway.post("/walker/loud", "{}")
      #expect(answer.status == (isFull ? 200 : 403))
      if !isFull { #expect(answer.text.contains(#"{"detail":"Permission denied"}"#)) }
      #expect(try gateway.post("/walker/quiet", "{}").status == 200)
      if isFull { for _ in 0..<4 { try expectText(user.socket, #"{"loud":true}"#) } }
      try user.expectNothing("what a walker for nobody sent")
      // For a user the same walker speaks.
      try user.run("loud")
      for _ in 0..<2 { try expectText(user.socket, #"{"loud":true}"#) }
      try expectText(user.socket, #"{"status":200,"reports":[2]}"#)
    }
  }

  @Test("receive: nobody without a token gets past the built-in walkers either")
  func builtIn() throws {
    try gateway("receive") { gateway throws in
      let user = try gateway.walkersClient(root: alice, channel: "team")
      let nobody = try gateway.walkersClient()
      try nobody.run("send_chat_to_group", #"{"channel_id":"team"}"#)
      #expect(try nobody.socket.nextText().contains("requires to be authenticated"))
      #expect(try gateway.post("/walker/send_chat_to_group", #"{"channel_id":"team"}"#).status == 403)
      try user.expectNothing()
    }
  }

  @Test("no: without a token there is no connection and no walker, and nobody becomes public")
  func no() throws {
    try gateway("no", extensions: application()) { gateway throws in
      let none = try gateway.upgrade("/websocket")
      #expect(none.status == 403 && none.text.contains("Not authenticated"))
      for bad in WalkersToken.bad {
        // Without the scheme or without a token there is no credential at all.
        let expected = bad.credential.hasPrefix("Bearer ") && bad.credential != "Bearer " ? 401 : 403
        #expect(
          try gateway.upgrade("/websocket", headers: ["Authorization: " + bad.credential]).status == expected, "\(bad)")
      }
      #expect(try gateway.post("/walker/quiet", "{}").status == 403)
      #expect(try gateway.post("/walker/quiet", "{}", credential: "Bearer x").status == 401)
      let user = try gateway.walkersClient(root: alice, channel: "team")
      for token in ["", #","token":null"#, #","token":"Bearer x""#] {
        try user.socket.send(#"{"type":"change_user"\#(token)}"#)
        try expectText(user.socket, denied)
      }
      try user.notify("user", ["n::" + alice], #"{"still":"alice"}"#)
      try expectText(user.socket, #"{"still":"alice"}"#)
      try user.socket.send(
        #"{"type":"change_user","token":"Bearer \#(WalkersToken.make(root: WalkersToken.bob))"}"#)
      #expect(try user.socket.nextText().contains("n::" + WalkersToken.bob))
    }
  }

  @Test("the profile seed-ports is as its clients know it: public clients send")
  func seedPorts() throws {
    try withGateway(reactors: 1, settings: [("profile", "seed-ports")]) { gateway throws in
      let port = try #require(gateway.knownPorts[8_000])
      let client = try WalkersClient(WebSocketClient(on: Socket(port: port), target: "/websocket?channel_id=team"))
      try client.notify("channel", ["team"], #"{"n":1}"#)
      try expectText(client.socket, #"{"n":1}"#)
    }
  }
}
