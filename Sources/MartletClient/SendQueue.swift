// What waits to be sent, in order. Guarded by its client's lock.

/// One text message that waits for the connection.
struct QueuedText: Sendable {
  var text: [UInt8]
  /// A publish outlives a connection; a command (subscribe, ping) belongs to the one for which it was queued.
  var isPublish: Bool
}

/// A first-in, first-out queue that counts what publishers have put into it.
struct SendQueue: Sendable {
  private var entries: [QueuedText] = []
  private var head = 0
  /// Publishes in the queue.
  private(set) var publishCount = 0
  /// Their bytes.
  private(set) var publishBytes = 0

  var isEmpty: Bool { head == entries.count }

  mutating func append(_ entry: QueuedText) {
    entries.append(entry)
    count(entry, 1)
  }

  mutating func popFirst() -> QueuedText? {
    guard head < entries.count else { return nil }
    let entry = entries[head]
    head += 1
    count(entry, -1)
    // Moving the rest to the front costs its length, so it is done once per length.
    if head * 2 > entries.count {
      entries.removeFirst(head)
      head = 0
    }
    return entry
  }

  /// A new connection begins: commands are forgotten, and what an old connection took without sending it comes first.
  mutating func restart(with unsent: [QueuedText]) {
    let kept = unsent.filter(\.isPublish) + entries[head...].filter(\.isPublish)
    entries = kept
    head = 0
    publishCount = 0
    publishBytes = 0
    for entry in kept { count(entry, 1) }
  }

  /// Puts commands before everything else.
  mutating func prepend(_ commands: [QueuedText]) {
    entries = commands + entries[head...]
    head = 0
  }

  private mutating func count(_ entry: QueuedText, _ sign: Int) {
    guard entry.isPublish else { return }
    publishCount += sign
    publishBytes += sign * entry.text.count
  }
}
