import Testing

@testable import Gateway

@Suite("The configuration file")
struct ConfigurationFileTests {
  @Test("comments, trailing commas, bare keys, single quotes and hexadecimal numbers are read")
  func json5() throws {
    let configuration = try load(
      file: """
        // a comment
        {
          /* another */
          'profile': "one-port", port: 0x1F90,
          limits: { fragmentsMax: +64, },
          channels: { welcomeMessage: 'It\\'s here', },
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

  @Test("each kind of value keeps its type")
  func types() throws {
    let tree = try ConfigurationValue.parse(
      json5: Array("{a:null,b:true,c:7,d:0.5,e:'1',f:[1,[]],g:{h:{}}}".utf8))
    #expect(
      tree
        == .object([
          "a": .null, "b": .boolean(true), "c": .integer(7), "d": .number(0.5), "e": .text("1"),
          "f": .list([.integer(1), .list([])]), "g": .object(["h": .object([:])]),
        ]))
  }

  @Test(
    "what is not JSON5 is a mistake, however deep",
    arguments: ["", "{", "{a:1 b:2}", "nonsense", "{a:'\u{0}", "\u{fe}"])
  func syntax(_ text: String) {
    #expect(mistakes(file: text).first?.hasPrefix("test.json5: ") == true)
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
}
