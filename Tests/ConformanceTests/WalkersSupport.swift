// What the conformance tests of the walkers dialect share: clients that know their ids, tokens, requests.

import Foundation
import Gateway
import TestSupport
import Testing

enum WalkersToken {
  static let alice = "672b35cec309e5ef8469c372"
  static let bob = "0123456789abcdef01234567"

  /// A token of a root that counts without being listed.
  static func make(root: String, seconds: Int64 = 3_600) -> String {
    Tokens.make(payload: #"{"root_id":"\#(root)","expiration":\#(Tokens.now + seconds),"standalone":true}"#)
  }

  /// Credentials that make nobody a user, by what is wrong with them.
  static var bad: [(why: String, credential: String)] {
    let claims = #"{"root_id":"\#(alice)","expiration":\#(Tokens.now + 60),"standalone":true}"#
    let good = Tokens.make(payload: claims)
    return [
      ("no scheme", good), ("another scheme", "Basic \(good)"), ("only the scheme", "Bearer"),
      ("an empty token", "Bearer "), ("no space", "Bearer\(good)"), ("no token", "Bearer chat"),
      ("altered", "Bearer \(good.dropLast(2))AA"), ("expired", "Bearer \(make(root: alice, seconds: -1))"),
      ("another secret", "Bearer \(Tokens.make(payload: claims, secret: "9" + Tokens.secret.dropFirst()))"),
      ("no algorithm", "Bearer \(Tokens.make(header: #"{"alg":"none"}"#, payload: claims))"),
      ("no expiry", "Bearer \(Tokens.make(payload: #"{"root_id":"\#(alice)","standalone":true}"#))"),
      ("no root", "Bearer \(Tokens.make(payload: #"{"expiration":\#(Tokens.now + 60),"standalone":true}"#))"),
      ("a root that is none", "Bearer \(make(root: "zzz"))"),
      (
        "not listed",
        "Bearer " + Tokens.make(payload: #"{"root_id":"\#(alice)","expiration":\#(Tokens.now + 60)}"#)
      ),
    ]
  }
}

/// A client of the walkers dialect past its first message.
struct WalkersClient {
  static let publicRoot = "n::000000000000000000000001"

  let socket: WebSocketClient
  /// The message that it was sent first.
  let welcome: String
  let client: String
  let root: String
  let channel: String

  /// Takes the first message of `socket`.
  init(_ socket: WebSocketClient) throws {
    self.socket = socket
    welcome = try socket.nextText()
    let data = JSON(welcome)?["data"]
    guard JSON(welcome)?["type"]?.text == "connection", let client = data?["client_id"]?.text,
      let root = data?["root_id"]?.text, let channel = data?["channel_id"]?.text
    else { throw GatewayFailure(description: "no welcome: \(welcome)") }
    self.client = client
    self.root = root
    self.channel = channel
  }

  /// Sends an event to `ids` of this kind.
  func notify(_ kind: String, _ ids: [String], _ data: String) throws {
    let list = ids.map { "\"\($0)\"" }.joined(separator: ",")
    let name = kind == "user" ? "root_ids" : kind + "_ids"
    try socket.send(#"{"type":"\#(kind)","\#(name)":[\#(list)],"data":\#(data)}"#)
  }

  func run(_ walker: String, _ context: String = "{}", response: String = "true") throws {
    try socket.send(#"{"type":"walker","walker":"\#(walker)","response":\#(response),"context":\#(context)}"#)
  }

  /// Nothing is on its way from the client's own reactor.
  func expectNothing(_ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws {
    try socket.send(#"{"type":"connection"}"#)
    let text = try socket.nextText()
    #expect(JSON(text)?["type"]?.text == "connection", comment ?? "\(text)", sourceLocation: sourceLocation)
  }

  /// The next message is this one, and nothing of `sender`'s came before it: what one sends to another keeps its order.
  func expectNext(
    from sender: WalkersClient, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try sender.notify("client", [client], #"{"fence":true}"#)
    try expectText(socket, #"{"fence":true}"#, comment, sourceLocation: sourceLocation)
  }
}

extension ConformanceGateway {
  /// A connection of the walkers dialect before its first message has been read.
  func walkersSocket(root: String? = nil, channel: String? = nil) throws -> WebSocketClient {
    let headers = root.map { ["Authorization: Bearer \(WalkersToken.make(root: $0))"] } ?? []
    return try connect("/websocket" + (channel.map { "?channel_id=\($0)" } ?? ""), headers: headers)
  }

  func walkersClient(root: String? = nil, channel: String? = nil) throws -> WalkersClient {
    try WalkersClient(walkersSocket(root: root, channel: channel))
  }

  /// One client for each root (nil: public), on reactors in turn.
  func walkersClients(_ roots: [String?], channel: String? = nil) throws -> [WalkersClient] {
    try spread(roots.count) { index throws in try walkersSocket(root: roots[index], channel: channel) }
      .map { socket throws in try WalkersClient(socket) }
  }

  /// The answer to a POST.
  func post(_ path: String, _ body: String, credential: String? = nil) throws -> TestSupport.HTTPAnswer {
    var lines = [
      "POST \(path) HTTP/1.1", "Host: 127.0.0.1", "Connection: close", "Content-Type: application/json",
      "Content-Length: \(body.utf8.count)",
    ]
    if let credential { lines.append("Authorization: \(credential)") }
    return try HTTPExchange.perform(lines.joined(separator: "\r\n") + "\r\n\r\n" + body, on: Socket(port: port))
  }
}
