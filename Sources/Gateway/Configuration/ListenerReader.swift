// Reads the `listeners` of a configuration file. Start-up only.

/// Turns the list of listeners into values and collects every mistake in it.
struct ListenerReader: ConfigurationReader {
  var refusals: [Setting.Refusal] = []

  private static let listenerKeys = ["host", "port", "unix", "mode", "proxyProtocol", "mounts"]

  /// The listeners that could be read.
  mutating func read(_ value: ConfigurationValue) -> [ListenerConfiguration] {
    guard case .list(let items) = value, (1...Limits.listenersMax).contains(items.count) else {
      refuse("", "expected a list of 1...\(Limits.listenersMax) listeners, got \(value.excerpt)")
      return []
    }
    var listeners: [ListenerConfiguration] = []
    for (index, item) in items.enumerated() {
      let place = "[\(index)]"
      guard let members = object(item, place, keys: Self.listenerKeys) else { continue }
      let address = address(members, place)
      let mounts = mounts(members["mounts"], place + ".mounts")
      let proxyProtocol = flag(members["proxyProtocol"], place + ".proxyProtocol", otherwise: false)
      if let address {
        listeners.append(ListenerConfiguration(address: address, mounts: mounts, proxyProtocol: proxyProtocol))
      }
    }
    return listeners
  }

  private mutating func address(_ members: [String: ConfigurationValue], _ place: String) -> ListenerAddress? {
    if let path = members["unix"] {
      for key in ["host", "port"] where members[key] != nil {
        refuse("\(place).\(key)", "cannot be combined with unix")
      }
      guard case .text(let text) = path else {
        refuse("\(place).unix", "expected a text, got \(path.excerpt)")
        return nil
      }
      if let problem = Check.unixPath(text) { refuse("\(place).unix", "\(problem), got \(path.excerpt)") }
      var mode = 0o660
      if let value = members["mode"] {
        if case .text(let text) = value, let read = Check.fileMode(text) {
          mode = read
        } else {
          refuse("\(place).mode", "expected an octal mode in a string, such as \"0660\", got \(value.excerpt)")
        }
      }
      return .unix(path: text, mode: UInt32(mode))
    }
    if members["mode"] != nil { refuse("\(place).mode", "is for a listener with unix only") }
    var host = "0.0.0.0"
    if let value = members["host"] {
      if case .text(let text) = value, Check.host(text) == nil {
        host = text
      } else {
        refuse("\(place).host", "expected a numeric address, got \(value.excerpt)")
      }
    }
    guard let value = members["port"] else {
      refuse(place, "expected port (and host) or unix")
      return nil
    }
    guard case .integer(let number) = value, let port = UInt16(exactly: number) else {
      refuse("\(place).port", "expected 0...65535, got \(value.excerpt)")
      return nil
    }
    return .tcp(host: host, port: port)
  }

  private mutating func mounts(_ value: ConfigurationValue?, _ place: String) -> [MountConfiguration] {
    guard case .list(let items)? = value, !items.isEmpty else {
      refuse(place, "expected a list of { path, dialect }, got \(value?.excerpt ?? "nothing")")
      return []
    }
    var mounts: [MountConfiguration] = []
    for (index, item) in items.enumerated() {
      let place = "\(place)[\(index)]"
      guard let members = object(item, place, keys: ["path", "dialect", "compression"]) else { continue }
      var rule: PathRule?
      if case .text(let text)? = members["path"] { rule = PathRule(text) }
      if rule == nil {
        let got = members["path"]?.excerpt ?? "nothing"
        refuse("\(place).path", "expected \"/chat\", \"/chat/*\" or \"*\", got \(got)")
      }
      var target: MountTarget?
      if case .text(let text)? = members["dialect"] { target = MountTarget(name: text) }
      if target == nil {
        let names = (Dialect.allCases.map(\.name) + [MountTarget.handlersAndChannels.name]).joined(separator: ", ")
        refuse("\(place).dialect", "expected one of \(names), got \(members["dialect"]?.excerpt ?? "nothing")")
      }
      var compression = true
      var keepsClientContext = false
      if case .object? = members["compression"] {
        keepsClientContext = clientContextTakeover(members["compression"], place + ".compression")
      } else {
        compression = flag(members["compression"], place + ".compression", otherwise: true)
      }
      if let rule, let target {
        mounts.append(
          MountConfiguration(rule, target, compression: compression, keepsClientContext: keepsClientContext))
      }
    }
    return mounts
  }

  /// Reads a mount's `compression: { clientContextTakeover: true }`.
  private mutating func clientContextTakeover(_ value: ConfigurationValue?, _ place: String) -> Bool {
    guard let value, let members = object(value, place, keys: ["clientContextTakeover"]) else { return false }
    return flag(members["clientContextTakeover"], place + ".clientContextTakeover", otherwise: false)
  }
}
