// The ready-made mounts of the profiles, as PROTOCOLS 6.3 lists them. Constants.

extension Profile {
  /// The development echo.
  static let echo = MountConfiguration(.exact("/echo"), .dialect(.echo))

  /// The canonical paths of every dialect, and the two contested ones with their owners.
  static func onePort(root: MountTarget, ws: MountTarget) -> [MountConfiguration] {
    var mounts = [
      MountConfiguration(.exact("/websocket"), .dialect(.walkers)),
      MountConfiguration(.exact("/socket.io"), .dialect(.events)),
      MountConfiguration(.prefix("/socket.io/"), .dialect(.events)),
    ]
    for dialect in [Dialect.handlers, .channels, .events, .sessions, .walkers] {
      mounts.append(MountConfiguration(.exact("/" + dialect.name), .dialect(dialect)))
      mounts.append(MountConfiguration(.exact("/" + dialect.name + "/ws"), .dialect(dialect)))
    }
    mounts.append(MountConfiguration(.exact("/"), root))
    mounts.append(MountConfiguration(.exact("/ws"), ws))
    return mounts
  }

  /// The ports that the clients of each dialect know. `events` are other ports for those of events, which its seed lets
  /// `PORT` and `WEBSOCKET_PORT` choose.
  static func seedPorts(host: String, events: (UInt16?, UInt16?) = (nil, nil)) -> [ListenerConfiguration] {
    let table: [(UInt16, MountConfiguration)] = [
      (8_080, MountConfiguration(.any, .handlersAndChannels)),
      (events.0 ?? 3_000, MountConfiguration(.any, .dialect(.events))),
      (events.1 ?? 3_500, MountConfiguration(.any, .dialect(.events))),
      (8_081, MountConfiguration(.exact("/ws"), .dialect(.sessions))),
      (8_000, MountConfiguration(.exact("/websocket"), .dialect(.walkers))),
    ]
    return table.map { ListenerConfiguration(address: .tcp(host: host, port: $0.0), mounts: [$0.1]) }
  }
}
