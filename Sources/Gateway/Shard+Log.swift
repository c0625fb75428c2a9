// What a reactor logs of its connections: refusals and ends. Off the way of a message. The reactor's thread.
import Buffers
import EventLoop

/// A request's path as it may stand in the log.
enum LoggedPath {
  /// The text of a path, without what a client may have put there that belongs into a query: a `?` that was escaped
  /// leads to a 404, and what follows it may be a token. Bounded here; the line escapes it.
  static func text(_ path: Span<UInt8>) -> String {
    var end = 0
    let limit = min(path.count, Limits.logPathBytesMax)
    while end < limit && !beginsQuery(path, end) { end += 1 }
    let text = String(decoding: path.extracting(0..<end).array, as: UTF8.self)
    return end < path.count ? text + "…" : text
  }

  /// The same of a text.
  static func text(_ path: String) -> String { text(path.utf8Span.span) }

  private static func beginsQuery(_ path: Span<UInt8>, _ index: Int) -> Bool {
    switch path[index] {
    // = & ; ?
    case 0x3D, 0x26, 0x3B, 0x3F: true
    // %3F, %3D, %26 and %3B: the same escaped. A % that is escaped itself hides any of them.
    case 0x25:
      index + 2 < path.count
        && [0x3366, 0x3364, 0x3362, 0x3236, 0x3235].contains(Int(path[index + 1]) << 8 | Int(path[index + 2] | 0x20))
    default: false
    }
  }
}

extension Shard where Kernel: ~Copyable {
  /// Counts a refusal, and logs it if it is among the first of its kind in the second. The client is told neither why
  /// nor at which path.
  @inline(never)
  mutating func countRefusal(_ slot: UInt32, _ refusal: Refusal, _ denial: Denial? = nil, path: String? = nil) {
    counters.countRefusal(refusal)
    if let denial { counters.countDenial(denial) }
    let client = connections[slot].client
    log.log(
      .info, "refused", reason: refusal.label, nowMilliseconds: Int(now),
      Self.fields(denial, path) + [("client", .text(client.description))])
  }

  /// A walkers client is let in as nobody in particular, because its credential was not accepted.
  @inline(never)
  mutating func noteIgnoredCredential(_ slot: UInt32, _ denial: Denial) {
    counters.countDenial(denial)
    let client = connections[slot].client
    log.log(
      .info, "credential-ignored", reason: denial.label, nowMilliseconds: Int(now),
      [("client", .text(client.description))])
  }

  /// Logs why a connection ends; of a WebSocket also what it was.
  @inline(never)
  mutating func logClose(_ slot: UInt32, _ reason: CloseReason, _ denial: Denial? = nil) {
    let level = reason.rule.level
    guard shared.logger.isEnabled(level) else { return }
    let connection = connections[slot]
    let user = connection.role == .none ? nil : userText(slot)
    let path = connection.role == .none ? nil : mountText(connection)
    let milliseconds = Int(UInt32(truncatingIfNeeded: now / 10) &- connection.openedCentiseconds) * 10
    log.log(
      level, "connection-closed", reason: reason.label, nowMilliseconds: Int(now),
      Self.fields(denial, path) + Self.fields(connection, user, milliseconds)
        + [("client", .text(connection.client.description))])
  }

  private static func fields(_ denial: Denial?, _ path: String?) -> [(StaticString, LogValue)] {
    var fields: [(StaticString, LogValue)] = []
    if let denial { fields.append(("cause", .text(denial.label.description))) }
    if let path { fields.append(("path", .text(path))) }
    return fields
  }

  private static func fields(
    _ connection: Connection, _ user: String?, _ milliseconds: Int
  ) -> [(StaticString, LogValue)] {
    if connection.role == .none { return [] }
    var fields: [(StaticString, LogValue)] = [("dialect", .text((connection.role.dialect ?? .events).name))]
    if let user { fields.append(("user", .text(user))) }
    fields.append(("durationMilliseconds", .integer(milliseconds)))
    return fields
  }

  /// The mount by which a connection came, as the configuration writes it.
  private func mountText(_ connection: Connection) -> String? {
    if connection.mount == Connection.engineMount { return "/socket.io/" }
    let mounts = shared.listeners[Int(connection.listener)].mounts.mounts
    return Int(connection.mount) < mounts.count ? mounts[Int(connection.mount)].rule.text : nil
  }
}
