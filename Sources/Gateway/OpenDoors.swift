// What a gateway lets anybody do who shows no token and no password, for one line of the log at the start. Pure; the
// main thread.

/// The doors that stand open without a token, each with the setting that opens it or the path where it is.
struct OpenDoors {
  /// Names and what is open there; empty where nothing is.
  private(set) var fields: [(StaticString, LogValue)] = []

  /// The doors of a gateway with this configuration and these walkers, on the listeners that it has.
  init(_ configuration: Configuration, walkers: [String: Walker]) {
    let served = configuration.servedDialects
    func isServed(_ dialect: Dialect) -> Bool { served.contains(dialect) }
    func open(_ name: StaticString, _ what: String) { fields.append((name, .text(what))) }

    if isServed(.handlers) && configuration.handlers.openTokens {
      open("handlers.openTokens", "GET /get-token gives anyone a token")
    }
    if isServed(.sessions) {
      if configuration.sessions.allowsAnonymous { open("sessions.allowsAnonymous", "anyone may publish and subscribe") }
      if configuration.development && configuration.accounts.file == nil {
        open("accounts.file", "POST /auth/token takes any password")
      }
    }
    if isServed(.walkers) {
      switch configuration.walkers.anonymous {
      case .full: open("walkers.anonymous", "full: anyone may connect and send to others")
      case .receive: open("walkers.anonymous", "receive: anyone may connect and receive")
      case .no: break
      }
      let everyones = walkers.values.filter { !$0.requiresAuthentication }.map(\.name).sorted()
      if configuration.walkers.anonymous != .no && !everyones.isEmpty {
        open("walkers.walkers", "anyone may run " + everyones.joined(separator: ", "))
      }
      if configuration.walkers.allowsRegistration {
        open("walkers.allowsRegistration", "POST /user/register makes anyone a user")
      }
    }
    // A session is anonymous, but it is what clients of this dialect connect with.
    if isServed(.events) { open("events", "POST /api/auth/acquire-session gives anyone a session") }
    let echo = configuration.listeners.contains { $0.mounts.contains { $0.target == .dialect(.echo) } }
    if echo { open("echo", "anyone may connect and hear what they say") }
    if let admin = configuration.admin {
      open("admin.host", "metrics on " + ListenerAddress.tcp(host: admin.host, port: admin.port).description)
    }
  }
}
