// A configuration while its sources are being read: what was said so far, before it is put together. Start-up only.

/// The settings as written, with those kept apart that only mean something together.
struct Draft: Sendable {
  var configuration = Configuration()
  var host: String?
  var port: Int?
  var websocketPort: Int?
  var openTokens: Bool?
  var allowsAnonymous: Bool?
  var allowsRegistration: Bool?
  var walkersAnonymous: WalkersAnonymous?
  var unixPath: String?
  var unixMode = 0o660
  var proxyProtocol = false
  var listeners: [ListenerConfiguration]?
  var adminEnabled = true
  var adminHost: String?
  var adminPort = 9_090
  var connectionsMax: Int?

  /// The host where none was written: every interface, but in development, with its open doors, this machine only.
  var defaultHost: String { configuration.development ? "127.0.0.1" : "0.0.0.0" }

  /// Puts listeners, mounts and the admin listener together. What cannot be is added to `mistakes`.
  func finished(_ mistakes: inout [ConfigurationMistake]) -> Configuration {
    var result = configuration
    result.connectionsMax = connectionsMax
    result.handlers.openTokens = openTokens ?? configuration.development
    result.sessions.allowsAnonymous = allowsAnonymous ?? configuration.development
    result.walkers.allowsRegistration = allowsRegistration ?? configuration.development
    let isAsDescribed = configuration.development || (configuration.profile == .seedPorts && listeners == nil)
    result.walkers.anonymous = walkersAnonymous ?? (isAsDescribed ? .full : .receive)
    result.admin = nil
    if adminEnabled {
      var admin = AdminConfiguration()
      admin.host = adminHost ?? admin.host
      admin.port = UInt16(exactly: adminPort) ?? admin.port
      result.admin = admin
    }
    result.listeners = listenersFromProfile(&mistakes)
    checkAddresses(result, &mistakes)
    checkBursts(result.limits, &mistakes)
    mistakes += Check.ai(result.ai)
    if result.development { addEcho(&result.listeners) }
    for (index, listener) in result.listeners.enumerated() {
      do {
        _ = try MountTable.build(listener.mounts)
      } catch {
        mistakes.append(ConfigurationMistake("listeners[\(index)].mounts", "on \(listener.address), \(error)"))
      }
    }
    return result
  }

  private func listenersFromProfile(_ mistakes: inout [ConfigurationMistake]) -> [ListenerConfiguration] {
    checkPlaces(&mistakes)
    if proxyProtocol && listeners != nil {
      mistakes.append(ConfigurationMistake("proxyProtocol", "belongs into each of the listeners that have it"))
    }
    if let listeners { return listeners }
    switch configuration.profile {
    case .seedPorts:
      let events = (port.flatMap { UInt16(exactly: $0) }, websocketPort.flatMap { UInt16(exactly: $0) })
      return Profile.seedPorts(host: host ?? defaultHost, events: events).map { listener in
        ListenerConfiguration(address: listener.address, mounts: listener.mounts, proxyProtocol: proxyProtocol)
      }
    case .onePort:
      let mounts = Profile.onePort(root: configuration.rootOwner, ws: configuration.wsOwner)
      var result: [ListenerConfiguration] = []
      if let unixPath {
        let address = ListenerAddress.unix(path: unixPath, mode: UInt32(unixMode))
        result.append(ListenerConfiguration(address: address, mounts: mounts, proxyProtocol: proxyProtocol))
      }
      if unixPath == nil || port != nil || host != nil {
        let address = ListenerAddress.tcp(host: host ?? defaultHost, port: UInt16(exactly: port ?? 8_080) ?? 8_080)
        result.append(ListenerConfiguration(address: address, mounts: mounts, proxyProtocol: proxyProtocol))
      }
      return result
    }
  }

  /// Hosts, ports and paths that mean nothing together with the listeners or the profile.
  private func checkPlaces(_ mistakes: inout [ConfigurationMistake]) {
    if listeners != nil {
      let text = "cannot be combined with listeners, which have their own addresses"
      let written = [
        ("port", port != nil), ("websocketPort", websocketPort != nil), ("unixPath", unixPath != nil),
        ("host", host != nil),
      ]
      for (key, isWritten) in written where isWritten { mistakes.append(ConfigurationMistake(key, text)) }
    } else if configuration.profile == .seedPorts {
      if unixPath != nil {
        let text = "cannot be combined with the seed-ports profile, whose clients know ports"
        mistakes.append(ConfigurationMistake("unixPath", text))
      }
    } else if websocketPort != nil {
      mistakes.append(ConfigurationMistake("websocketPort", "is for the seed-ports profile only"))
    }
  }

  /// A burst that the longest message does not fit in would refuse that message for ever.
  private func checkBursts(_ limits: Limits, _ mistakes: inout [ConfigurationMistake]) {
    if limits.bytesPerSecondMax > 0 && limits.bytesBurstMax < limits.messageBytesMax {
      let least = "limits.messageBytesMax, which is \(limits.messageBytesMax)"
      mistakes.append(ConfigurationMistake("limits.bytesBurstMax", "expected at least \(least)"))
    }
  }

  /// Two listeners on one address, or a client listener on the admin port.
  private func checkAddresses(_ result: Configuration, _ mistakes: inout [ConfigurationMistake]) {
    var seen: [ListenerAddress] = []
    for (index, listener) in result.listeners.enumerated() {
      if seen.contains(where: { $0.collides(with: listener.address) }) {
        mistakes.append(ConfigurationMistake("listeners[\(index)]", "\(listener.address) is listened on twice"))
      }
      seen.append(listener.address)
    }
    if let admin = result.admin,
      seen.contains(where: { $0.collides(with: .tcp(host: admin.host, port: admin.port)) })
    {
      mistakes.append(ConfigurationMistake("admin.port", "port \(admin.port) is a client listener's"))
    }
  }

  /// Mounts the echo on every listener where nothing else answers its path.
  private func addEcho(_ listeners: inout [ListenerConfiguration]) {
    for index in listeners.indices
    where !listeners[index].mounts.contains(where: { $0.rule.overlaps(Profile.echo.rule) }) {
      listeners[index].mounts.append(Profile.echo)
    }
  }
}

extension ListenerAddress {
  /// Whether the system would refuse to listen on both, or clients of one would reach the other.
  fileprivate func collides(with other: ListenerAddress) -> Bool {
    switch (self, other) {
    case (.tcp(let host, let port), .tcp(let otherHost, let otherPort)):
      port != 0 && port == otherPort && (host == otherHost || host.isWildcard || otherHost.isWildcard)
    case (.unix(let path, _), .unix(let otherPath, _)): path == otherPath
    default: false
    }
  }
}

extension String {
  /// Whether the address stands for every interface.
  fileprivate var isWildcard: Bool { self == "0.0.0.0" || self == "::" }
}
