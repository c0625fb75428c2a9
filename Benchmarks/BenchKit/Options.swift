// The command line of `martlet-bench`: one table of flags, from which parsing and help are made. Cold.

/// Parsed flags. An unknown flag, a missing value or a stray word is a usage error.
struct Options {
  struct Flag {
    let name: String
    /// What the value is called in the help; nil for a switch.
    let value: String?
    let help: String
    /// The subcommands that know it.
    let commands: [String]

    init(_ name: String, _ value: String?, _ help: String, _ commands: String) {
      self.name = name
      self.value = value
      self.help = help
      self.commands = commands.split(separator: " ").map(String.init)
    }
  }

  static let commands: [(name: String, help: String)] = [
    ("fanout", "one publisher, many subscribers: every delivery checked, server CPU per delivery"),
    ("echo", "closed-loop round trips on many connections"),
    ("connect", "connection rate and time to the 101"),
    ("idle", "the server's memory per idle connection"),
  ]

  static let flags: [Flag] = [
    Flag("--subscribers", "N", "subscribers (100)", "fanout"),
    Flag("--connections", "N", "connections (echo 100, else 1000)", "echo connect idle"),
    Flag("--burst", "B", "publishes that leave in one write (1)", "fanout"),
    Flag("--apart", nil, "the handler broadcasts each message of a burst by itself, not all at once", "fanout"),
    Flag("--rate", "R", "bursts, or connections, a second (as fast as they come)", "fanout connect"),
    Flag("--closed", nil, "send the next burst when the last is delivered (the default without --rate)", "fanout"),
    Flag("--bursts", "N", "bursts in a round, instead of --seconds; no warm-up", "fanout"),
    Flag("--messages", "N", "messages per connection, instead of --seconds; one round, no warm-up", "echo"),
    Flag("--pipeline", "P", "messages on the way per connection (1)", "echo"),
    Flag("--seconds", "S", "length of a round (5)", "fanout echo"),
    Flag("--warmup", "S", "unmeasured time before the rounds (1)", "fanout echo"),
    Flag("--rounds", "K", "measured rounds (1)", "fanout echo"),
    Flag("--payload", "BYTES", "bytes that {payload} becomes, at least 32 (64)", "fanout echo"),
    Flag("--channels", "M", "channels that subscribers and publishes are spread over (1)", "fanout idle"),
    Flag("--dialect", "NAME", "what the clients are, see below (channels)", "fanout idle"),
    Flag("--sessions", "N", "events, socketio, polling: sessions to use in turn (one each)", "fanout idle"),
    Flag(
      "--subscribe", "TEMPLATE", "what a subscriber says instead of its dialect's words; {channel} {token}",
      "fanout idle"),
    Flag("--publish", "TEMPLATE", "a publish; {channel} {payload} {seq} {time}", "fanout"),
    Flag("--acknowledgement", "TEXT", "a text that the answer to --subscribe contains", "fanout idle"),
    Flag("--publish-url", "URL", "where the publisher connects (URL; raw: /pub there, handlers: /events)", "fanout"),
    Flag("--hold", "S", "hold the connections this long and read the memory again (0)", "idle"),
    Flag("--pid", "PID", "the server's process, for its CPU time and memory", "fanout echo connect idle"),
    Flag("--token", "T", "the clients' token, shown where their dialect shows it", "fanout echo connect idle"),
    Flag("--token-list", "FILE", "one token a line, used in turn", "fanout echo connect idle"),
    Flag("--header", "LINE", "add a header line to the request; may be repeated", "fanout echo connect idle"),
    Flag("--source-addresses", "K", "use 127.0.0.2 and up (one per 20000 connections)", "fanout echo connect idle"),
    Flag("--json", nil, "print one JSON object instead of the table", "fanout echo connect idle"),
  ]

  let command: String
  private(set) var url = ""
  private(set) var wantsHelp = false
  private var values: [String: [String]] = [:]

  /// Parses the words behind the program's name.
  init(_ words: [String]) throws(BenchError) {
    guard let first = words.first else { throw .usage("no subcommand; see martlet-bench --help") }
    if first == "--help" || first == "-h" {
      command = ""
      wantsHelp = true
      return
    }
    guard Options.commands.contains(where: { $0.name == first }) else { throw .usage("\(first): no such subcommand") }
    command = first
    var index = 1
    while index < words.count {
      let word = words[index]
      index += 1
      if word == "--help" || word == "-h" {
        wantsHelp = true
      } else if word.hasPrefix("-") {
        guard let flag = Options.flags.first(where: { $0.name == word && $0.commands.contains(first) }) else {
          throw .usage("\(word): \(first) has no such flag")
        }
        guard flag.value != nil else {
          values[word] = [""]
          continue
        }
        guard index < words.count else { throw .usage("\(word) needs a value") }
        values[word, default: []].append(words[index])
        index += 1
      } else if url.isEmpty {
        url = word
      } else {
        throw .usage("\(word): one URL is enough")
      }
    }
    if url.isEmpty && !wantsHelp { throw .usage("\(first) needs a URL") }
  }

  func has(_ name: String) -> Bool { values[name] != nil }
  func text(_ name: String) -> String? { values[name]?.last }
  func texts(_ name: String) -> [String] { values[name] ?? [] }

  /// A whole number within `range`; `standard` when the flag is not given.
  func integer(_ name: String, _ range: ClosedRange<Int>, standard: Int) throws(BenchError) -> Int {
    guard let text = text(name) else { return standard }
    guard let value = Int(text), range.contains(value) else {
      throw .usage("\(name) \(text): not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// A number within `range`; nil when the flag is not given.
  func number(_ name: String, _ range: ClosedRange<Double>) throws(BenchError) -> Double? {
    guard let text = text(name) else { return nil }
    guard let value = Double(text), range.contains(value) else {
      throw .usage("\(name) \(text): not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// The help of all subcommands, or of one.
  static func help(_ command: String) -> String {
    var text = "usage: martlet-bench \(command.isEmpty ? "SUBCOMMAND" : command) URL [flags]\n"
    text += "URL is ws://host:port/path?query or ws+unix:/socket/path:/target\n\n"
    for entry in commands where command.isEmpty || entry.name == command {
      text += "  \(Report.padded(entry.name, 9))\(entry.help)\n"
    }
    text += "\n"
    for flag in flags where command.isEmpty || flag.commands.contains(command) {
      let name = flag.name + (flag.value.map { " " + $0 } ?? "")
      text += "  \(Report.padded(name, 24))\(flag.help)\n"
      if command.isEmpty { text += "  \(Report.padded("", 24))[\(flag.commands.joined(separator: ", "))]\n" }
    }
    text += """

      Dialects of idle: raw, channels, handlers, sessions, walkers, events, socketio, polling. Dialects of fanout: raw,
      channels, and with the handlers of martlet-bench-app: broadcast (channels), events, socketio.

      """
    text += "\nExit status: 0; 1 when messages were lost, doubled or out of order, or connections refused or closed; "
    return text + "2 for a wrong\ncommand line; 3 when the run could not go on.\n"
  }
}
