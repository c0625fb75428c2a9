// The hook of a connection comes before its calls: nobody hears from a client that it does not know yet (PROTOCOLS 9).

import EventLoop
import Gateway
import TestSupport
import Testing

private struct Failure: Error {}

/// What an application was told, in order.
private final class Diary: Sendable {
  private let entries = Lock<[String]>([])

  func write(_ entry: String) { entries.withLock { $0.append(entry) } }
  var all: [String] { entries.withLock { $0 } }
}

@Suite("Conformance: the connected hook and calls")
struct HookOrderTests {
  /// An application whose hook takes its time, and ends as `fails` says.
  private func application(_ diary: Diary, fails: Bool) -> Extensions {
    var extensions = Extensions()
    extensions.hooks[.connected].append { event, _ in
      diary.write("hook begins")
      try await Task.sleep(for: .milliseconds(300))
      diary.write("hook ends")
      if fails { throw Failure() }
    }
    for name in ["first", "second"] {
      let handler: Handler = { call in
        diary.write(name)
        call.reply(Array("{}".utf8))
      }
      extensions.requests[name] = handler
      extensions.events[name] = handler
      extensions.walkers[name] = Walker(name, handler: handler)
    }
    return extensions
  }

  private static let dialects = ["handlers", "events", "walkers", "socket.io", "ai:chat"]

  @Test(
    "no call of a connection begins before its hook has been told, or has failed", arguments: dialects, [false, true])
  func order(dialect: String, fails: Bool) throws {
    let diary = Diary()
    var extensions = application(diary, fails: fails)
    if dialect == "ai:chat" { extensions.events["ai:chat"] = extensions.events["first"] }
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      switch dialect {
      case "handlers":
        let client = try gateway.connect("/handlers?token=" + Tokens.make(payload: #"{"username":"a"}"#))
        for name in ["first", "second"] { try client.send(#"{"type":"\#(name)"}"#) }
        for _ in 0..<2 { try expectText(client, "{}") }
      case "walkers":
        let client = try gateway.walkersClient(root: WalkersToken.alice)
        for name in ["first", "second"] { try client.run(name) }
        for _ in 0..<2 { try expectText(client.socket, #"{"status":200,"reports":[{}]}"#) }
      case "socket.io":
        let client = try gateway.connect("/socket.io/?EIO=4&transport=websocket")
        #expect(try client.nextText().hasPrefix("0{"))
        try client.send(#"40{"token":"\#(try gateway.acquireSession())"}"#)
        for name in ["first", "second"] { try client.send(#"42["\#(name)"]"#) }
        #expect(try client.nextText().hasPrefix("40{"))
        #expect(try client.nextText().hasPrefix("42[\"connected\","))
        for name in ["first", "second"] { try expectText(client, #"42["\#(name)",{}]"#) }
      default:
        let client = try gateway.connectEvents()
        let first = dialect == "events" ? "first" : dialect
        for name in [first, "second"] { try client.send(#"{"event":"\#(name)"}"#) }
        for _ in 0..<2 { #expect(try client.nextText().hasSuffix(#""data":{}}"#)) }
      }
    }
    let told = diary.all
    #expect(told.prefix(2) == ["hook begins", "hook ends"] && told.count == 4, "\(told)")
    #expect(Set(told.dropFirst(2)) == ["first", "second"], "\(told)")
    // Chats run beside other calls; all others in the order asked.
    if dialect != "ai:chat" { #expect(told.suffix(2) == ["first", "second"], "\(told)") }
  }

  @Test("what the gateway answers itself does not wait, and a client that goes takes its waiting calls with it")
  func others() throws {
    let diary = Diary()
    var extensions = application(diary, fails: false)
    let isOpen = Lock(false)
    extensions.hooks[.connected] = [
      { _, _ in while !isOpen.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) } }
    ]
    try withGateway(reactors: 1, extensions: extensions) { gateway throws in
      let client = try gateway.connectEvents()
      try client.send(#"{"event":"first"}"#)
      try expectOnlyPong(client)
      client.socket.close()
      #expect(try eventually { try gateway.metrics().sum("websockets") == 0 })
      isOpen.withLock { $0 = true }
      let next = try gateway.connectEvents()
      try next.send(#"{"event":"second"}"#)
      #expect(try next.nextText().hasSuffix(#""data":{}}"#))
    }
    #expect(diary.all == ["second"])
  }
}
