// A random scenario against a simple model of who must receive what, in which order (PROTOCOLS 2.2, 2.3, G10).

import Foundation
import TestSeeds
import TestSupport
import Testing

extension EndToEndLoad {
  @Suite("Random scenario")
  struct Scenario {
    private static let steps = 1_500

    @Test("whatever is subscribed and published how and where, everyone gets what the model says", arguments: [1, 2])
    func model(reactors: Int) throws {
      var world = World(random: SeededRandom("Random scenario, \(reactors) reactors"))
      try withGateway(reactors: reactors) { gateway throws in
        try world.begin(try clientsOnEveryReactor(gateway, reactors: reactors, atLeast: 8))
        for _ in 0..<Self.steps { try world.step() }
        try world.end()
      }
    }
  }
}

/// The clients, and what the model knows of them.
private struct World {
  private static let channels = ["a", "a:b", "ü 😀", "with \"quotes\" and \\", "a/b"]
  private static let barrier = "barrier"
  private static let kinds = ["x", "y", "z"]

  var random: SeededRandom
  var clients: [WebSocketClient] = []
  /// By client: the answers and messages that it has still to get. Of answers the whole, of messages sender and data.
  var expected: [[Expectation]] = []
  /// By client and channel: the filters of its subscriptions; nil is one without.
  var filters: [[String: Set<String?>]] = []
  private var serial = 0
  /// Who has published since everything was last seen to have arrived.
  private var publishers: Set<Int> = []

  enum Expectation: Equatable {
    case answer(JSON?)
    case message(channel: String, from: String, data: String)
  }

  init(random: SeededRandom) { self.random = random }

  mutating func step() throws {
    let client = random.number(0...clients.count - 1)
    let channel = random.pick(Self.channels)
    switch random.number(0...19) {
    case 0, 1, 2: try subscribe(client, channel)
    case 3: try unsubscribe(client, channel)
    case 4: try readAll(client)
    default: try publish(client, channel)
    }
  }

  /// Subscribes, and reads up to the acknowledgement: from then on, every publish by anyone must arrive.
  private mutating func subscribe(_ client: Int, _ channel: String) throws {
    try settle()
    let kind = random.once(in: 2) ? random.pick(Self.kinds) : nil
    var members = [("action", quoted("subscribe")), ("channel", quoted(channel))]
    var answer: [String: JSON] = ["type": .string("subscribed"), "channel": .string(channel)]
    if let kind {
      members.append(("filters", "{\(space())\(quoted("kind"))\(space()):\(quoted(kind))}"))
      answer["filters"] = .object(["kind": .string(kind)])
    }
    filters[client][channel, default: []].insert(kind)
    expected[client].append(.answer(.object(answer)))
    try send(client, members)
    try readAll(client)
  }

  private mutating func unsubscribe(_ client: Int, _ channel: String) throws {
    try settle()
    filters[client][channel] = nil
    expected[client].append(.answer(.object(["type": .string("unsubscribed"), "channel": .string(channel)])))
    try send(client, [("action", quoted("unsubscribe")), ("channel", quoted(channel))])
    try readAll(client)
  }

  private mutating func publish(_ client: Int, _ channel: String) throws {
    serial += 1
    let kind = random.pick(Self.kinds)
    let data = object([
      ("kind", quoted(kind)), ("n", "\(serial)"), ("more", random.pick(["[ ]", "1.50", quoted("t e"), "null"])),
    ])
    for other in clients.indices {
      guard let wanted = filters[other][channel], wanted.contains(nil) || wanted.contains(kind) else { continue }
      expected[other].append(.message(channel: channel, from: "user-\(client)", data: data))
    }
    try send(client, [("action", quoted("publish")), ("channel", quoted(channel)), ("payload", data)])
    publishers.insert(client)
  }

  /// Lets everything arrive that was published: a message on its way to another reactor may meet a subscription there that is younger
  /// than itself, and then either outcome is right. Every client has to see a last message of everyone who published.
  private mutating func settle() throws {
    for publisher in publishers.sorted() {
      serial += 1
      try clients[publisher].publish(Self.barrier, "\(serial)")
      for client in clients.indices {
        expected[client].append(.message(channel: Self.barrier, from: "user-\(publisher)", data: "\(serial)"))
      }
    }
    publishers = []
    for client in clients.indices { try readAll(client) }
  }

  mutating func begin(_ clients: [WebSocketClient]) throws {
    self.clients = clients
    expected = clients.map { _ in [] }
    filters = clients.map { _ in [:] }
    for client in clients { try client.subscribe(Self.barrier) }
  }

  mutating func end() throws {
    try settle()
    #expect(serial > 0)
    // Nothing may come that the model does not know of.
    for client in clients { try expectSilence(client) }
    // The gateway would wait for them to close.
    clients = []
  }

  private mutating func readAll(_ client: Int) throws {
    while !expected[client].isEmpty { check(client, try clients[client].nextText()) }
  }

  /// Compares a message with what the client must get next. Messages of different publishers can overtake each other on their way
  /// through different reactors; those of one publisher cannot.
  private mutating func check(_ client: Int, _ text: String) {
    guard case .object(let members)? = JSON(text), members["type"] == .string("message") else {
      let next = expected[client].firstIndex { if case .answer = $0 { true } else { false } }
      guard let next else {
        Issue.record("client \(client), unexpected: \(text)")
        return
      }
      #expect(.answer(JSON(text)) == expected[client].remove(at: next), "client \(client)")
      return
    }
    let from = members["from"]?.text ?? ""
    let got = Expectation.message(channel: members["channel"]?.text ?? "", from: from, data: rawData(of: text) ?? "")
    let next = expected[client].firstIndex { if case .message(_, from, _) = $0 { true } else { false } }
    guard let next else {
      Issue.record("client \(client), unexpected: \(text)")
      return
    }
    #expect(got == expected[client].remove(at: next), "client \(client)")
  }

  // MARK: Writing one message in many ways

  private mutating func send(_ client: Int, _ members: [(String, String)]) throws {
    var named: [(String, String)] = []
    for (name, value) in members { named.append((quoted(name), value)) }
    let text = [UInt8](object(named, areNamesQuoted: true).utf8)
    var bytes: [UInt8] = []
    var rest = text[...]
    var opcode = random.once(in: 4) ? ClientFrame.binary : ClientFrame.text
    while true {
      let count = random.once(in: 3) ? random.number(0...rest.count) : rest.count
      var frame = ClientFrame(opcode, Array(rest.prefix(count)), isFinal: count == rest.count)
      frame.mask = (0..<4).map { _ in UInt8(random.number(0...255)) }
      bytes += frame.bytes
      rest = rest.dropFirst(count)
      opcode = ClientFrame.continuation
      if frame.isFinal { break }
      if random.once(in: 2) { bytes += ClientFrame(ClientFrame.pong, [1]).bytes }
    }
    var sent = 0
    while sent < bytes.count {
      let count = random.once(in: 3) ? random.number(1...bytes.count - sent) : bytes.count - sent
      try clients[client].socket.send(Array(bytes[sent..<sent + count]))
      sent += count
    }
  }

  /// An object with its members in any order. Names are quoted unless they are already.
  private mutating func object(_ members: [(String, String)], areNamesQuoted: Bool = false) -> String {
    let parts = members.shuffled(using: &random).map { name, value in
      "\(space())\(areNamesQuoted ? name : "\"\(name)\"")\(space()):\(space())\(value)\(space())"
    }
    return "{" + parts.joined(separator: ",") + "}"
  }

  private mutating func space() -> String { random.once(in: 3) ? random.pick([" ", "\n", "\t", "  \r\n"]) : "" }

  /// A JSON string, some characters of which are written as escapes.
  private mutating func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" || scalar == "\\" {
        out += "\\\(scalar)"
      } else if random.once(in: 12) {
        for unit in UTF16.encode(scalar)! {
          let digits = String(unit, radix: 16, uppercase: random.once(in: 2))
          out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      } else {
        out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
