import FoundationEssentials
import TestSeeds
import Testing

@testable import Gateway

@Suite("The configuration file")
struct ConfigurationFileTests {
  @Test("comments, trailing commas, bare keys, single quotes, hexadecimal and escaped line ends are read")
  func json5() throws {
    let configuration = try load(
      file: """
        // a comment
        {
          /* another */
          'profile': "one-port", port: 0x1F90,
          limits: { fragmentsMax: +64, },
          channels: { welcomeMessage: 'It\\'s \\
        here', },
          corsOrigins: ["https://a.example",],
          connectionsMax: null,
        }
        """)
    #expect(configuration.listeners[0].address == .tcp(host: "0.0.0.0", port: 8_080))
    #expect(configuration.limits.fragmentsMax == 64)
    #expect(configuration.channels.welcomeMessage == "It's here")
    #expect(configuration.corsOrigins == ["https://a.example"])
    #expect(configuration.connectionsMax == nil)
  }

  private func parse(_ text: String) -> ConfigurationValue? { try? JSON5Parser.parse(Array(text.utf8)) }

  @Test("each kind of value keeps its type")
  func types() {
    #expect(
      parse("{a:null,b:true,c:7,d:0.5,e:'1',f:[1,[]],g:{h:{}},}")
        == .object([
          "a": .null, "b": .boolean(true), "c": .integer(7), "d": .number(0.5), "e": .text("1"),
          "f": .list([.integer(1), .list([])]), "g": .object(["h": .object([:])]),
        ]))
  }

  @Test(
    "numbers are read as JSON5 writes them",
    arguments: [
      ("0", .integer(0)), ("-7", .integer(-7)), ("+7", .integer(7)), ("0x1F", .integer(31)), ("-0Xff", .integer(-255)),
      (".5", .number(0.5)), ("5.", .number(5)), ("5.e1", .number(50)), ("1e3", .number(1_000)), ("1E-1", .number(0.1)),
      ("-.5", .number(-0.5)), ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
      ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("-Infinity", .number(-.infinity)),
      ("0.0", .number(0)),
      ("0x1e", .integer(30)), ("01", nil), ("1e400", nil), (".", nil), ("-", nil), ("0x", nil), ("1.2.3", nil),
      ("0xFFFFFFFFFFFFFFFFFF", nil), ("1e", nil), (".e1", nil), ("--1", nil), ("+-1", nil), ("1_000", nil),
      ("0x1e+1", nil),
    ] as [(String, ConfigurationValue?)])
  func numbers(_ text: String, _ expected: ConfigurationValue?) {
    #expect(parse(text) == expected)
  }

  @Test(
    "texts are read as JSON5 writes them",
    arguments: [
      (#"'a"b'"#, "a\"b"), (#""a'b""#, "a'b"), (#"'\b\f\n\r\t\v\0\q\'\\'"#, "\u{8}\u{C}\n\r\t\u{B}\0q'\\"),
      (#"'\x41\u00e9\uD83D\uDC26'"#, "A\u{e9}\u{1F426}"), ("'a\\\nb'", "ab"), ("'a\\\r\nb'", "ab"), ("'é'", "é"),
      (#"'\uD83D'"#, nil), (#"'\uDC26'"#, nil), (#"'\uD83Dx'"#, nil), (#"'\uZZZZ'"#, nil), (#"'\x4'"#, nil),
      (#"'\1'"#, nil),
      (#"'\01'"#, nil), ("'a\nb'", nil), ("'a", nil), ("'a\\", nil), (#"'\u12"#, nil), (#"'\uD83D\u0041'"#, nil),
    ] as [(String, String?)])
  func texts(_ text: String, _ expected: String?) {
    #expect(parse(text) == expected.map { .text($0) })
  }

  @Test(
    "what is not JSON5 is a mistake with its line and column",
    arguments: [
      ("", "line 1, column 1: the text ends where a value should be"), ("{", "line 1, column 1: this { has no }"),
      ("[1", "line 1, column 3: expected , or ]"), ("{a:1 b:2}", "line 1, column 6: expected , or }"),
      ("{\n  a: 1,\n  a: 2 }", "line 3, column 3: duplicate key \"a\" (first on line 2)"),
      ("{a:yes}", "line 1, column 4: expected a value; a text needs quotes: \"yes\""),
      ("{a 1}", "line 1, column 4: expected : after a key"), ("{,}", "line 1, column 2: expected a key or }"),
      ("{1:1}", "line 1, column 2: expected a key or }"),
      ("{a:'x\n", "line 1, column 4: this text has no closing quote"),
      ("{} {}", "line 1, column 4: nothing may follow"), ("{}\n/* x", "line 2, column 1: this comment has no end"),
      ("[,]", "line 1, column 2: expected a value"), ("{a:1,,}", "line 1, column 6: expected a key or }"),
      ("{a:1}/", "line 1, column 6: nothing may follow"), ("{a:\0}", "line 1, column 4: expected a value"),
    ])
  func syntax(_ text: String, _ expected: String) {
    let found = mistakes(file: text)
    #expect(found.first?.hasPrefix("test.json5: " + expected) == true, "found \(found)")
  }

  @Test("bytes that are not UTF-8 are a mistake")
  func notUTF8() {
    #expect(throws: JSON5Parser.SyntaxError.self) { try JSON5Parser.parse([0x7B, 0xFF, 0x7D]) }
  }

  @Test("a file cut or changed anywhere is read or refused, never a crash")
  func mutated() {
    var random = SeededRandom("configuration mutations")
    let whole = Array((Configuration.defaultFile() + #"{a:'\uD83D\uDC26\x41',b:[0x1F,-.5e+3,],}"#).utf8)
    let alphabet = Array(#"{}[]:,'"\/*ux0.+-eE \#u{A0}\#n"#.utf8)
    var refused = 0
    for _ in 0..<300 {
      var bytes = Array(whole[random.below(whole.count)...].prefix(random.below(600)))
      for _ in 0..<random.below(8) where !bytes.isEmpty { bytes[random.below(bytes.count)] = random.pick(alphabet) }
      if (try? JSON5Parser.parse(bytes)) == nil { refused += 1 }
    }
    #expect(refused > 0)
  }

  @Test("deep nesting and a huge file are mistakes, not crashes")
  func hostile() {
    #expect(mistakes(file: String(repeating: "[", count: 100_000)).count == 1)
    #expect(mistakes(file: String(repeating: " ", count: Limits.configurationFileBytesMax + 1)).count == 1)
  }

  @Test("the default file is accepted and changes nothing")
  func defaultFile() throws {
    let text = Configuration.defaultFile()
    let written = try load(file: text)
    let standard = try load()
    #expect(String(describing: written) == String(describing: standard))
    #expect(written.checkSecrets(of: Dialect.allCases, areRequired: false).isEmpty)
  }

  @Test("the default file is accepted with every setting that it comments out put in")
  func commentedSettings() throws {
    let active = Configuration.defaultFile().split(separator: "\n").map { line in
      let bare = line.drop { $0 == " " }
      let isSetting = Setting.all.contains { setting in
        !setting.exampleIsDefault && bare.hasPrefix("// " + (setting.key.split(separator: ".").last ?? "") + ":")
          && !bare.hasPrefix("// port") && !bare.hasPrefix("// host") && !bare.hasPrefix("// unixPath")
          && !bare.hasPrefix("// websocketPort")
      }
      return isSetting ? String(bare.dropFirst(3)) : String(line)
    }
    let configuration = try load(file: active.joined(separator: "\n"))
    #expect(configuration.connectionsMax == 10_000)
    #expect(configuration.listeners.map(\.address.description) == ["0.0.0.0:8080"])
    #expect(configuration.channels.jwtSecret != nil)
    #expect(
      configuration.checkSecrets(of: [.channels]).map(\.description).first?.contains("everybody knows") == true)
  }

  @Test("the default file names every setting, its variable and its range")
  func complete() {
    let text = Configuration.defaultFile()
    for setting in Setting.all {
      #expect(text.contains(setting.environment) && text.contains(setting.summary))
      if let range = setting.rangeText { #expect(text.contains(range)) }
    }
  }

  @Test("the pages of the documentation name every setting, its variable, and every adjustable limit")
  func documented() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    func page(_ name: String) throws -> String {
      String(decoding: try Data(contentsOf: root.appending(path: "docs").appending(path: name)), as: UTF8.self)
    }
    let settings = try page("CONFIGURATION.md")
    for setting in Setting.all {
      #expect(settings.contains("| `\(setting.key)` | `\(setting.environment)` |"), "\(setting.key)")
      #expect(settings.contains(setting.summary), "\(setting.key)")
    }
    let limits = try page("LIMITS.md")
    for rule in Limits.table { #expect(limits.contains("| `\(rule.name)` |"), "\(rule.name)") }
  }
}
