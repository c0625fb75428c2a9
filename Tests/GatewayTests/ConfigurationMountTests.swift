import Testing

@testable import Gateway

@Suite("Mounts")
struct ConfigurationMountTests {
  @Test(
    "a rule is exact, a prefix or everything; anything else is refused",
    arguments: [
      ("/chat", PathRule.exact("/chat")), ("/", .exact("/")), ("/chat/", .exact("/chat/")),
      ("/chat/*", .prefix("/chat/")), ("/*", .any), ("*", .any),
      ("", nil), ("chat", nil), ("/a*", nil), ("/*/a", nil), ("/a b", nil), ("/a?b", nil), ("/a#b", nil),
      ("/\u{e9}", nil),
    ] as [(String, PathRule?)])
  func rules(_ text: String, _ expected: PathRule?) {
    #expect(PathRule(text) == expected)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let one: String
    let two: String
    let overlaps: Bool
    init(_ one: String, _ two: String, _ overlaps: Bool) {
      self.one = one
      self.two = two
      self.overlaps = overlaps
    }
    var testDescription: String { "\(one) and \(two)" }
  }

  @Test(
    "two mounts that could match the same request are refused, and both are named",
    arguments: [
      Case("/a", "/a", true), Case("/a", "/b", false), Case("/a", "/a/", false), Case("/a", "/a/*", false),
      Case("/a/", "/a/*", true), Case("/a/b", "/a/*", true), Case("/ab", "/a/*", false), Case("/a/*", "/a/*", true),
      Case("/a/*", "/a/b/*", true), Case("/a/*", "/b/*", false), Case("/a", "*", true), Case("/a/*", "*", true),
      Case("*", "*", true), Case("/", "/a", false), Case("/", "*", true),
    ])
  func ambiguity(_ entry: Case) throws {
    let one = MountConfiguration(try #require(PathRule(entry.one)), .dialect(.channels))
    let two = MountConfiguration(try #require(PathRule(entry.two)), .dialect(.sessions))
    for (first, second) in [(one, two), (two, one)] {
      if entry.overlaps {
        #expect(throws: MountError.ambiguous(first, second)) { try MountTable.build([first, second]) }
      } else {
        #expect(try MountTable.build([first, second]).mounts == [first, second])
      }
    }
  }

  @Test("handlers and channels share everything or the root, and nothing else")
  func pair() throws {
    let handlers = MountTarget.dialect(.handlers)
    let channels = MountTarget.dialect(.channels)
    for rule in [PathRule.any, .exact("/")] {
      for targets in [[handlers, channels], [channels, handlers], [.handlersAndChannels]] {
        let table = try MountTable.build(targets.map { MountConfiguration(rule, $0) })
        #expect(table.mounts == [MountConfiguration(rule, .handlersAndChannels)])
        #expect(find(table, "/") == .handlersAndChannels)
      }
    }
    let chat = PathRule.exact("/chat")
    #expect(throws: MountError.self) {
      try MountTable.build([MountConfiguration(chat, handlers), MountConfiguration(chat, channels)])
    }
    #expect(throws: MountError.pairOffRoot(chat)) {
      try MountTable.build([MountConfiguration(chat, .handlersAndChannels)])
    }
    #expect(throws: MountError.self) {
      try MountTable.build([MountConfiguration(.any, handlers), MountConfiguration(.exact("/"), channels)])
    }
    #expect(throws: MountError.self) {
      try MountTable.build([
        MountConfiguration(.any, handlers), MountConfiguration(.any, channels), MountConfiguration(.any, channels),
      ])
    }
  }

  @Test("more mounts than a linear scan should see are refused")
  func tooMany() {
    let mounts = (0...Limits.mountsPerListenerMax).map { MountConfiguration(.exact("/\($0)"), .dialect(.channels)) }
    #expect(throws: MountError.tooMany(mounts.count)) { try MountTable.build(mounts) }
  }

  @Test("the one-port profile answers the canonical paths and nothing else")
  func onePort() throws {
    let table = try MountTable.build(try load().listeners[0].mounts)
    let expected: [(String, MountTarget?)] = [
      ("/websocket", .dialect(.walkers)), ("/websocket/", nil), ("/socket.io", .dialect(.events)),
      ("/socket.io/", .dialect(.events)), ("/socket.io/x", .dialect(.events)), ("/socket.iox", nil),
      ("/handlers", .dialect(.handlers)), ("/handlers/ws", .dialect(.handlers)),
      ("/channels", .dialect(.channels)), ("/channels/ws", .dialect(.channels)), ("/channels/x", nil),
      ("/events", .dialect(.events)), ("/events/ws", .dialect(.events)),
      ("/sessions", .dialect(.sessions)), ("/sessions/ws", .dialect(.sessions)),
      ("/walkers", .dialect(.walkers)), ("/walkers/ws", .dialect(.walkers)),
      ("/", .handlersAndChannels), ("/ws", .dialect(.sessions)), ("", nil), ("/w", nil), ("/echo", nil),
    ]
    for (path, target) in expected { #expect(find(table, path) == target, "\(path)") }
  }

  @Test("the owners of the contested paths can be changed")
  func owners() throws {
    let configuration = try load(flags: [("rootOwner", "events"), ("wsOwner", "channels")])
    let table = try MountTable.build(configuration.listeners[0].mounts)
    #expect(find(table, "/") == .dialect(.events))
    #expect(find(table, "/ws") == .dialect(.channels))
  }

  @Test("the seed-ports profile gives each dialect its own port")
  func seedPorts() throws {
    let listeners = try load(flags: [("profile", "seed-ports"), ("host", "127.0.0.1")]).listeners
    let expected: [(UInt16, String, MountTarget)] = [
      (8_080, "/any/path", .handlersAndChannels), (3_000, "/any", .dialect(.events)), (3_500, "/", .dialect(.events)),
      (8_081, "/ws", .dialect(.sessions)), (8_000, "/websocket", .dialect(.walkers)),
    ]
    #expect(listeners.count == expected.count)
    for (listener, (port, path, target)) in zip(listeners, expected) {
      #expect(listener.address == .tcp(host: "127.0.0.1", port: port))
      #expect(find(try MountTable.build(listener.mounts), path) == target)
    }
    #expect(find(try MountTable.build(listeners[3].mounts), "/") == nil)
    #expect(find(try MountTable.build(listeners[4].mounts), "/websocket/") == nil)
  }

  @Test("development mounts the echo wherever nothing else answers its path")
  func echo() throws {
    let onePort = try load(flags: [("development", "true")])
    #expect(find(try MountTable.build(onePort.listeners[0].mounts), "/echo") == .dialect(.echo))
    let seedPorts = try load(flags: [("development", "true"), ("profile", "seed-ports")])
    let targets = try seedPorts.listeners.map { find(try MountTable.build($0.mounts), "/echo") }
    #expect(
      targets == [
        .handlersAndChannels, .dialect(.events), .dialect(.events), .dialect(.echo), .dialect(.echo),
      ])
  }

  @Test("listeners can be written out, TCP and Unix, with mounts of their own")
  func explicit() throws {
    let listeners = try load(
      file: """
        { listeners: [
            { host: "::1", port: 7000, mounts: [{ path: "/chat/*", dialect: "channels" }] },
            { unix: "/run/x.sock", mode: "0666", mounts: [
                { path: "*", dialect: "handlers" }, { path: "*", dialect: "channels" }] },
        ] }
        """
    ).listeners
    #expect(listeners.map(\.address.description) == ["[::1]:7000", "unix:/run/x.sock"])
    #expect(listeners[1].address == .unix(path: "/run/x.sock", mode: 0o666))
    #expect(find(try MountTable.build(listeners[0].mounts), "/chat/room") == .dialect(.channels))
    #expect(find(try MountTable.build(listeners[0].mounts), "/chat") == nil)
    #expect(find(try MountTable.build(listeners[1].mounts), "/x") == .handlersAndChannels)
  }
}
