import Testing

@testable import Gateway

@Suite("Proxies, rates and compression in a configuration")
struct ConfigurationProxyTests {
  @Test("by default nobody is trusted, nothing is limited by address or rate, and compression keeps no windows")
  func defaults() throws {
    let configuration = try load()
    #expect(configuration.trustedProxies.isEmpty && configuration.exemptsLocalAddresses)
    #expect(configuration.listeners.allSatisfy { !$0.proxyProtocol })
    #expect(configuration.limits.connectionsPerAddressMax == 0 && configuration.limits.messagesPerSecondMax == 0)
    #expect(configuration.limits.acceptsPerAddressPerSecondMax == 0 && configuration.limits.bytesPerSecondMax == 0)
    let compression = configuration.compression
    #expect(compression == CompressionConfiguration())
    #expect(compression.enabled && !compression.contextTakeover && compression.thresholdBytes == 256)
    #expect(compression.level == 1 && compression.windowBits == 15)
  }

  @Test("each setting is read from a file, the environment and a flag")
  func sources() throws {
    let configuration = try load(
      file: """
        { compression: { enabled: false, contextTakeover: true, thresholdBytes: 512, level: 6 },
          limits: { messagesPerSecondMax: 50, messagesBurstMax: 100, pingsBacklogMax: 3 },
          trustedProxies: ["10.0.0.0/8"] }
        """,
      environment: ["MARTLET_TRUSTED_PROXIES": "unix, ::1", "MARTLET_COMPRESSION_WINDOW_BITS": "9"],
      flags: [("proxyProtocol", "true"), ("exemptsLocalAddresses", "false"), ("unixPath", "/tmp/a"), ("port", "1")])
    #expect(configuration.trustedProxies == ["unix", "::1"])
    #expect(configuration.listeners.map(\.proxyProtocol) == [true, true])
    #expect(!configuration.exemptsLocalAddresses)
    var compression = CompressionConfiguration()
    compression.enabled = false
    compression.contextTakeover = true
    compression.thresholdBytes = 512
    compression.level = 6
    compression.windowBits = 9
    #expect(configuration.compression == compression)
    #expect(configuration.limits.messagesPerSecondMax == 50 && configuration.limits.messagesBurstMax == 100)
    #expect(configuration.limits.pingsBacklogMax == 3)
    let seedPorts = try load(flags: [("profile", "seed-ports"), ("proxyProtocol", "true")])
    #expect(seedPorts.listeners.map(\.proxyProtocol) == [true, true, true, true, true])
    #expect(Setting.named("proxyProtocol")?.flag?.name == "--proxy-protocol")
  }

  @Test("a written listener and its mounts speak for themselves")
  func listeners() throws {
    let listeners = try load(
      file: """
        { listeners: [
            { port: 1, proxyProtocol: true, mounts: [
                { path: "/a", dialect: "channels", compression: false }, { path: "/b", dialect: "channels" }] },
            { port: 2, mounts: [
                { path: "*", dialect: "handlers", compression: false }, { path: "*", dialect: "channels" }] },
        ] }
        """
    ).listeners
    #expect(listeners.map(\.proxyProtocol) == [true, false])
    #expect(listeners[0].mounts.map(\.compression) == [false, true])
    let first = try MountTable.build(listeners[0].mounts)
    let second = try MountTable.build(listeners[1].mounts)
    let channels = MountTarget.dialect(.channels)
    #expect(findMount(first, "/a") == MountMatch(target: channels, compression: false))
    #expect(findMount(first, "/b") == MountMatch(target: channels, compression: true))
    #expect(findMount(first, "/c") == nil)
    let third = try load(
      file: """
        { listeners: [{ port: 1, mounts: [
            { path: "/a", dialect: "events", compression: { clientContextTakeover: true } },
            { path: "/b", dialect: "channels", compression: {} }] }] }
        """
    ).listeners[0].mounts
    #expect(third.map(\.compression) == [true, true] && third.map(\.keepsClientContext) == [true, false])
    // A pair compresses where both halves do.
    #expect(findMount(second, "/") == MountMatch(target: .handlersAndChannels, compression: false))
  }

  private func findMount(_ table: MountTable, _ path: String) -> MountMatch? {
    let bytes = Array(path.utf8)
    return table.findMount(path: bytes.span)
  }

  @Test(
    "a mistake is named by its key",
    arguments: [
      ("{trustedProxies:'10.0.0.0/8'}", "trustedProxies: expected a list of addresses and ranges, got \"10.0.0.0/8\""),
      ("{trustedProxies:['::1','10.0.0.1/8']}", "trustedProxies[1]: \"10.0.0.1/8\" has address bits set"),
      ("{trustedProxies:[7]}", "trustedProxies[0]: expected a text, got 7"),
      ("{proxyProtocol:1}", "proxyProtocol: expected true or false, got 1"),
      (
        "{proxyProtocol:true,listeners:[{port:1,mounts:[{path:'*',dialect:'echo'}]}]}",
        "proxyProtocol: belongs into each of the listeners"
      ),
      (
        "{listeners:[{port:1,proxyProtocol:'yes',mounts:[{path:'*',dialect:'echo'}]}]}",
        "listeners[0].proxyProtocol: expected true or false, got \"yes\""
      ),
      (
        "{listeners:[{port:1,mounts:[{path:'*',dialect:'echo',compression:0}]}]}",
        "listeners[0].mounts[0].compression: expected true or false, got 0"
      ),
      (
        "{listeners:[{port:1,mounts:[{path:'*',dialect:'echo',compression:{clientContextTakeover:1}}]}]}",
        "listeners[0].mounts[0].compression.clientContextTakeover: expected true or false, got 1"
      ),
      (
        "{listeners:[{port:1,mounts:[{path:'*',dialect:'echo',compression:{level:1}}]}]}",
        "listeners[0].mounts[0].compression.level: unknown key"
      ),
      (
        "{listeners:[{port:1,mounts:[{path:'*',dialect:'echo',compresion:false}]}]}",
        "listeners[0].mounts[0].compresion: unknown key, did you mean \"compression\"?"
      ),
      ("{compression:true}", "compression: expected an object, got true"),
      ("{compression:{windowBits:8}}", "compression.windowBits: expected 9...15, got 8"),
      ("{compression:{level:0}}", "compression.level: expected 1...9, got 0"),
      (
        "{limits:{bytesPerSecondMax:1,bytesBurstMax:1048575}}",
        "limits.bytesBurstMax: expected at least limits.messageBytesMax, which is 1048576"
      ),
      ("{limits:{connectionsPerAddressMax:-1}}", "limits.connectionsPerAddressMax: expected 0...16777216, got -1"),
    ])
  func mistakesAreNamed(_ file: String, _ expected: String) {
    let found = mistakes(file: file)
    #expect(found.count == 1 && found[0].contains(": " + expected), "found \(found)")
  }

  @Test("too many trusted ranges are one mistake, not one each")
  func tooMany() {
    let list = (0...AddressRanges.entriesMax).map { "'10.0.\($0 >> 8).\($0 & 255)'" }.joined(separator: ",")
    #expect(mistakes(file: "{trustedProxies:[\(list)]}").count == 1)
  }
}
