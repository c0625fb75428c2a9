// The walkers dialect over real sockets: every row of PROTOCOLS 5.1 and 5.2, with one reactor and with two.

import Foundation
import Gateway
import TestSupport
import Testing

private let alice = WalkersToken.alice
private let bob = WalkersToken.bob

@Suite("Walkers: handshake")
struct WalkersHandshakeTests {
  private static var id: Regex<Substring> { /[0-9]{10}:[0-9a-f]{32}/ }

  @Test("without a credential a client is the public user, in a channel of its own", arguments: reactorCounts)
  func publicUser(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([nil, nil])
      for client in clients {
        #expect(client.root == WalkersClient.publicRoot)
        #expect(client.client.wholeMatch(of: Self.id) != nil && client.channel.wholeMatch(of: Self.id) != nil)
        let seconds = Int64(client.client.prefix(10)) ?? 0
        #expect(abs(seconds - Tokens.now) < 60)
        let data = #"{"client_id":"\#(client.client)","root_id":"\#(client.root)","channel_id":"\#(client.channel)"}"#
        #expect(client.welcome == #"{"type":"connection","data":\#(data)}"#)
      }
      #expect(Set(clients.flatMap { [$0.client, $0.channel] }).count == 4)
    }
  }

  @Test("a Bearer token makes the connection its user's, whatever the case of the scheme", arguments: reactorCounts)
  func bearer(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        let header = "Authorization: \(scheme) \(WalkersToken.make(root: alice))"
        let client = try WalkersClient(gateway.connect("/websocket", headers: [header]))
        #expect(client.root == "n::\(alice)", "\(scheme)")
      }
      let shout = try gateway.walkersClient(root: alice.uppercased())
      #expect(shout.root == "n::\(alice)")
    }
  }

  @Test("a bad credential is never refused: the client is the public user", arguments: reactorCounts)
  func badCredentials(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      for (why, credential) in WalkersToken.bad {
        let client = try WalkersClient(gateway.connect("/websocket", headers: ["Authorization: \(credential)"]))
        #expect(client.root == WalkersClient.publicRoot, "\(why)")
      }
      let query = try WalkersClient(gateway.connect("/websocket?token=\(WalkersToken.make(root: alice))"))
      #expect(query.root == WalkersClient.publicRoot)
    }
  }

  @Test("channel_id chooses the channel: decoded, the last one counts, an empty one is none")
  func channels() throws {
    try withGateway(reactors: 1) { gateway throws in
      for (query, channel) in [
        ("channel_id=anystring", "anystring"), ("channel_id=a%22%C3%A9+b", "a\"é b"),
        ("channel_id=a&channel_id=b", "b"),
        ("channel%5Fid=x", "x"), ("x=1&channel_id=a&y=2", "a"),
        ("channel_id=" + String(repeating: "c", count: 255), String(repeating: "c", count: 255)),
      ] {
        let client = try WalkersClient(gateway.connect("/websocket?\(query)"))
        #expect(client.channel == channel, "\(query)")
      }
      for query in ["channel_id=", "channel_id", "channel_id=a&channel_id=", "Channel_id=a", "channel_id_=a"] {
        let client = try WalkersClient(gateway.connect("/websocket?\(query)"))
        #expect(client.channel.wholeMatch(of: Self.id) != nil, "\(query)")
      }
    }
  }

  @Test(
    "a channel_id that cannot be a name is refused with 400", arguments: ["%FF", String(repeating: "c", count: 256)])
  func badChannels(channel: String) throws {
    try withGateway(reactors: 1) { gateway throws in
      #expect(try gateway.upgrade("/websocket?channel_id=\(channel)").status == 400)
    }
  }

  @Test("only its own paths are served")
  func paths() throws {
    try withGateway(reactors: 1) { gateway throws in
      for path in ["/websocket", "/walkers", "/walkers/ws"] {
        #expect(try WalkersClient(gateway.connect(path)).root == WalkersClient.publicRoot)
      }
      for path in ["/websocket/", "/websocket/x", "/Websocket"] {
        #expect(try gateway.upgrade(path).status == 404, "\(path)")
      }
    }
  }

  @Test("who has registered and logged in is connected as that user", arguments: reactorCounts)
  func login(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let account = #"{"email":"alice@example.org","password":"correct horse"}"#
      #expect(try gateway.post("/user/register", account).status == 201)
      let answer = try gateway.post("/user/login", account)
      let token = try #require(JSON(answer.text)?["token"]?.text)
      let root = try #require(JSON(answer.text)?["user"]?["root_id"]?.text)
      let client = try WalkersClient(gateway.connect("/websocket", headers: ["Authorization: Bearer \(token)"]))
      #expect(client.root == "n::\(root)")
      try client.run("your_event_name", #"{"val":1}"#)
      try expectText(client.socket, #"{"status":200,"reports":["Do something!"]}"#)
    }
  }
}

@Suite("Walkers: events")
struct WalkersEventTests {
  @Test("connection sends the connection message again", arguments: reactorCounts)
  func connection(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let client = try gateway.walkersClient(root: alice, channel: "c")
      for _ in 0..<2 {
        try client.socket.send(#"{"type":"connection"}"#)
        try expectText(client.socket, client.welcome)
      }
    }
  }

  @Test("user reaches every socket of the root, and nobody else", arguments: reactorCounts)
  func user(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([alice, alice, bob, nil])
      let sender = clients[3]
      try sender.notify("user", ["n::\(alice)"], #"{ "val" : 1.0, "x":"\u00e9" }"#)
      for client in clients[0...1] { try expectText(client.socket, #"{ "val" : 1.0, "x":"\u00e9" }"#) }
      try clients[2].expectNext(from: sender)
      try sender.expectNothing("no acknowledgement")
    }
  }

  @Test("root ids count by their digits, in either case and with any name", arguments: reactorCounts)
  func rootSpellings(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([alice, nil])
      for id in ["n:root:\(alice)", "N::\(alice.uppercased())", "n\\u003a:\(alice)"] {
        try clients[1].notify("user", [id], #"{"id":1}"#)
        try expectText(clients[0].socket, #"{"id":1}"#, "\(id)")
      }
    }
  }

  @Test("all public sockets share the public root, the sender among them", arguments: reactorCounts)
  func publicRoot(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([nil, nil, alice])
      try clients[0].notify("user", [WalkersClient.publicRoot], #"{"a":[]}"#)
      for client in clients[0...1] { try expectText(client.socket, #"{"a":[]}"#) }
      try clients[2].expectNext(from: clients[0])
    }
  }

  @Test("channel reaches every member, public or not, the sender too if it is one", arguments: reactorCounts)
  func channel(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let members = try gateway.walkersClients([nil, alice, bob], channel: "team%20a")
      let other = try gateway.walkersClient()
      try members[0].notify("channel", ["team a"], #"{"type":"chat"}"#)
      for member in members { try expectText(member.socket, #"{"type":"chat"}"#) }
      try other.expectNext(from: members[0])
      try other.notify("channel", ["team a"], "{}")
      for member in members { try expectText(member.socket, "{}") }
      try other.expectNothing()
    }
  }

  @Test("client reaches exactly the clients named", arguments: reactorCounts)
  func client(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([nil, nil, nil])
      try clients[0].notify("client", [clients[1].client, clients[0].client], #"{"a":1}"#)
      try expectText(clients[0].socket, #"{"a":1}"#)
      try expectText(clients[1].socket, #"{"a":1}"#)
      try clients[2].expectNext(from: clients[0])
    }
  }

  @Test("an id listed twice is reached twice, and unknown ids are passed over", arguments: reactorCounts)
  func twice(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([nil, alice], channel: "c")
      let sender = clients[0]
      let target = clients[1]
      try sender.notify("client", ["", "nobody", target.client, "nobody", target.client], #"{"n":1}"#)
      try sender.notify("user", ["n::\(bob)", target.root, target.root], #"{"n":2}"#)
      try sender.notify("channel", ["d", "c", "c", "C"], #"{"n":3}"#)
      for number in [1, 1, 2, 2, 3, 3] { try expectText(target.socket, #"{"n":\#(number)}"#) }
      for _ in 0..<2 { try expectText(sender.socket, #"{"n":3}"#) }
      try target.expectNext(from: sender)
    }
  }

  @Test("a large event and one that compresses arrive as they were sent", arguments: reactorCounts)
  func large(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([nil, alice])
      let data = #"{"text":"\#(String(repeating: "é", count: 250_000))"}"#
      try clients[0].notify("client", [clients[1].client, clients[1].client], data)
      for _ in 0..<2 { try expectText(clients[1].socket, data) }
    }
  }

  @Test("the events of one sender arrive in the order sent", arguments: reactorCounts)
  func order(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([nil, alice], channel: "c")
      for number in 0..<300 {
        switch number % 3 {
        case 0: try clients[0].notify("user", [clients[1].root], #"{"n":\#(number)}"#)
        case 1: try clients[0].notify("client", [clients[1].client], #"{"n":\#(number)}"#)
        default: try clients[0].notify("channel", ["c"], #"{"n":\#(number)}"#)
        }
      }
      for number in 0..<300 { try expectText(clients[1].socket, #"{"n":\#(number)}"#) }
    }
  }

  @Test("a client that has gone is reached no more, and its ids are free of it", arguments: reactorCounts)
  func gone(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([nil, alice, alice])
      try clients[1].socket.send(ClientFrame(ClientFrame.close, [0x03, 0xE8]))
      _ = clients[1].socket.readToEnd()
      try clients[0].notify("client", [clients[1].client], "{}")
      try clients[0].notify("user", ["n::\(alice)"], #"{"still":1}"#)
      try expectText(clients[2].socket, #"{"still":1}"#)
      try clients[0].expectNothing()
    }
  }
}

@Suite("Walkers: change_user")
struct WalkersChangeUserTests {
  private func change(_ client: WalkersClient, _ token: String?) throws -> WalkersClient {
    try client.socket.send(#"{"type":"change_user"\#(token.map { #","token":\#($0)"# } ?? "")}"#)
    return try WalkersClient(client.socket)
  }

  @Test("a token makes the connection another user's; client and channel stay", arguments: reactorCounts)
  func change(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      for scheme in ["Bearer", "bearer", "BeArEr"] {
        let before = try gateway.walkersClient(channel: "c")
        let after = try change(before, #""\#(scheme) \#(WalkersToken.make(root: alice))""#)
        #expect(after.root == "n::\(alice)" && after.client == before.client && after.channel == "c", "\(scheme)")
      }
    }
  }

  @Test("then the events of the new root arrive, and no longer those of the old one", arguments: reactorCounts)
  func events(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([alice, nil, alice])
      let moved = try change(clients[0], #""bearer \#(WalkersToken.make(root: bob))""#)
      try clients[1].notify("user", ["n::\(alice)"], #"{"for":"alice"}"#)
      try clients[1].notify("user", ["n::\(bob)"], #"{"for":"bob"}"#)
      try expectText(moved.socket, #"{"for":"bob"}"#)
      try expectText(clients[2].socket, #"{"for":"alice"}"#)
      try clients[2].expectNext(from: clients[1])
      try clients[1].notify("client", [moved.client], #"{"for":"client"}"#)
      try expectText(moved.socket, #"{"for":"client"}"#)
    }
  }

  @Test("without a good token the connection becomes public, whatever it was before", arguments: reactorCounts)
  func toPublic(reactors: Int) throws {
    try withGateway(reactors: reactors) { gateway throws in
      let clients = try gateway.walkersClients([alice, nil])
      let good = #""Bearer \#(WalkersToken.make(root: alice))""#
      let bad = WalkersToken.bad.map { "\"\($0.credential)\"" }
      for token in [nil, "null", #""""#] + bad {
        #expect(try change(clients[0], token).root == WalkersClient.publicRoot, "\(token ?? "-")")
        try clients[1].notify("user", ["n::\(alice)"], "{}")
        try clients[0].expectNext(from: clients[1])
        #expect(try change(clients[0], good).root == "n::\(alice)")
      }
    }
  }
}
