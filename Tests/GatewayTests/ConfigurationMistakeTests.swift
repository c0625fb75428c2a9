import Testing

@testable import Gateway

@Suite("Mistakes in a configuration")
struct ConfigurationMistakeTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let file: String
    let expected: String
    init(_ file: String, _ expected: String) {
      self.file = file
      self.expected = expected
    }
    var testDescription: String { file }
  }

  @Test(
    "a mistake in a file is named by its key path and says what was expected",
    arguments: [
      Case("{limits:{messageBytesMax:-3}}", "limits.messageBytesMax: expected 1024...268435456, got -3"),
      Case("{limits:{messageBytesMax:1e400}}", "test.json5: line 1, column 26: not a number that can be used"),
      Case("{limits:{messageBytesMax:2048.5}}", "limits.messageBytesMax: expected 1024...268435456, got 2048.5"),
      Case("{limits:{messageBytesMax:'x'}}", "limits.messageBytesMax: expected 1024...268435456, got \"x\""),
      Case(
        "{limits:{messageBytesMax:99999999999999999999}}",
        "limits.messageBytesMax: expected 1024...268435456, got 1e+20"),
      Case("{limits:7}", "limits: expected an object, got 7"),
      Case("{channels:{welcom:''}}", "channels.welcom: unknown key, did you mean \"welcomeMessage\"?"),
      Case("{chanels:{}}", "chanels: unknown key, did you mean \"channels\"?"),
      Case("{messageBytesMax:1}", "messageBytesMax: unknown key, did you mean \"limits.messageBytesMax\"?"),
      Case("{zzz:1}", "zzz: unknown key"),
      Case("{development:1}", "development: expected true or false, got 1"),
      Case("{profile:'two-port'}", "profile: expected \"one-port\" or \"seed-ports\", got \"two-port\""),
      Case("{wsOwner:'handlers+channels'}", "wsOwner: expected \"handlers\" or \"channels\" or "),
      Case(
        "{host:'example.com'}", "host: expected a numeric address such as 127.0.0.1, 0.0.0.0 or ::, got \"example.com\""
      ),
      Case("{port:65536}", "port: expected 0...65535, got 65536"),
      Case(
        "{port:8080,listeners:[{port:1,mounts:[{path:'*',dialect:'channels'}]}]}",
        "port: cannot be combined with listeners"),
      Case("{port:8080,profile:'seed-ports'}", "listeners[1]: 0.0.0.0:8080 is listened on twice"),
      Case("{unixPath:'/a',profile:'seed-ports'}", "unixPath: cannot be combined with the seed-ports profile"),
      Case("{websocketPort:1}", "websocketPort: is for the seed-ports profile only"),
      Case("{unixPath:'relative'}", "unixPath: expected an absolute path of a socket, got \"relative\""),
      Case("{unixMode:'0999'}", "unixMode: expected an octal mode in a string, such as \"0660\", got \"0999\""),
      Case("{unixMode:432}", "unixMode: expected an octal mode in a string, such as \"0660\", got 432"),
      Case("{corsOrigins:['https://a.example','nonsense:/']}", "corsOrigins[1]: \"nonsense:/\" is not an origin"),
      Case("{corsOrigins:'*'}", "corsOrigins: expected a list of origins, got \"*\""),
      Case("{reactorCount:65}", "reactorCount: expected 0...64, got 65"),
      Case("{channels:{staticTokens:{t:''}}}", "channels.staticTokens: a token or a user is empty"),
      Case("{listeners:[]}", "listeners: expected a list of 1...64 listeners, got a list"),
      Case("{listeners:[{mounts:[{path:'*',dialect:'echo'}]}]}", "listeners[0]: expected port (and host) or unix"),
      Case("{listeners:[{port:1}]}", "listeners[0].mounts: expected a list of { path, dialect }, got nothing"),
      Case(
        "{listeners:[{port:1,mounts:[{path:'chat',dialect:'channels'}]}]}",
        "listeners[0].mounts[0].path: expected \"/chat\", \"/chat/*\" or \"*\", got \"chat\""),
      Case(
        "{listeners:[{port:1,mounts:[{path:'*',dialect:'chanels'}]}]}",
        "listeners[0].mounts[0].dialect: expected one of handlers, channels, "),
      Case(
        "{listeners:[{prot:1,port:2,mounts:[{path:'*',dialect:'echo'}]}]}",
        "listeners[0].prot: unknown key, did you mean \"port\"?"),
      Case(
        "{listeners:[{unix:'/a',port:2,mounts:[{path:'*',dialect:'echo'}]}]}",
        "listeners[0].port: cannot be combined with unix"),
      Case(
        "{listeners:[{port:1,mounts:[{path:'/a',dialect:'echo'},{path:'/a',dialect:'channels'}]}]}",
        "listeners[0].mounts: on 0.0.0.0:1, the mounts \"/a\" (echo) and \"/a\" (channels) could match the same request"
      ),
      Case(
        "{listeners:[{port:1,mounts:[{path:'*',dialect:'echo'}]},{host:'::',port:1,mounts:[{path:'*',dialect:'echo'}]}]}",
        "listeners[1]: [::]:1 is listened on twice"),
      Case("{port:9090}", "admin.port: port 9090 is a client listener's"),
      Case("[]", "test.json5: expected an object, got a list"),
      Case("{a:", "test.json5: line 1, column 4: the text ends where a value should be"),
    ])
  func inFile(_ entry: Case) {
    let found = mistakes(file: entry.file)
    #expect(found.contains { $0.hasPrefix(entry.expected) }, "found \(found)")
  }

  @Test("all mistakes of all sources come at once")
  func collected() {
    let found = mistakes(
      file: "{ prot: 1, limits: { fragmentsMax: 0, filterBytesMax: 1 } }",
      environment: ["MARTLET_PRT": "1", "PORT": "http"], flags: [("reactorCount", "many"), ("logLevel", "loud")])
    #expect(
      found == [
        "limits.filterBytesMax: expected 2...65536, got 1",
        "limits.fragmentsMax: expected 1...1048576, got 0",
        "prot: unknown key, did you mean \"port\"?",
        "port: expected 0...65535, got \"http\" (from PORT)",
        "MARTLET_PRT: unknown environment variable, did you mean \"PORT\"?",
        "reactorCount: expected 0...64, got \"many\" (from --set)",
        "logLevel: expected \"debug\" or \"info\" or \"warning\" or \"error\", got \"loud\" (from --set)",
      ])
  }

  @Test(
    "every limit refuses the values next to its range and takes those at its ends", arguments: Limits.table.map(\.name))
  func ranges(_ name: String) throws {
    let rule = try #require(Limits.table.first { $0.name == name })
    #expect(rule.range.contains(Limits()[keyPath: rule.field]))
    for value in [rule.range.lowerBound, rule.range.upperBound] {
      #expect(try load(file: "{limits:{\(name):\(value)}}").limits[keyPath: rule.field] == value)
    }
    for value in [rule.range.lowerBound - 1, rule.range.upperBound + 1] {
      #expect(mistakes(file: "{limits:{\(name):\(value)}}").count == 1)
    }
  }

  @Test("a message about a secret or a token does not show it")
  func secretsStayHidden() {
    for found in [
      mistakes(file: "{channels:{staticTokens:{'hunter2-token':7}}}"),
      mistakes(file: "{channels:{jwtSecret:['hunter2']}}"),
      mistakes(flags: [("channels.staticTokens", "{ 'hunter2'")]),
    ] {
      #expect(found.count == 1)
      #expect(!found.joined().contains("hunter2"))
    }
  }

  @Test("a text in a message cannot break the line")
  func escaped() {
    #expect(mistakes(file: "{profile:'a\\n\\u001b[2J'}").allSatisfy { !$0.contains("\n") && !$0.contains("\u{1b}") })
  }

  @Test("numeric addresses are told from other texts")
  func addresses() {
    for good in ["0.0.0.0", "255.1.2.3", "::", "::1", "fe80::1:2", "1:2:3:4:5:6:7:8", "::ffff:127.0.0.1"] {
      #expect(Check.host(good) == nil, "\(good)")
    }
    for bad in [
      "", "localhost", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", ":", ":::", "1::2::3", "12345::", "g::",
    ] {
      #expect(Check.host(bad) != nil, "\(bad)")
    }
  }
}
