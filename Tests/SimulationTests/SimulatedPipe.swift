// One direction of a simulated TCP connection: bytes on their way and bytes that arrived. Owned by a SimulatedSocket.

/// Bytes in flight and bytes arrived, in order, together at most `capacity`.
struct SimulatedPipe {
  struct Piece {
    var bytes: [UInt8]
    /// Bytes of it already read.
    var offset = 0
    let sentAt: UInt64
    let arrivesAt: UInt64
    var count: Int { bytes.count - offset }
  }

  var capacity: Int
  /// The receiver takes whatever arrives at once, so that only what is on its way takes room.
  var isGreedy = false
  private(set) var pieces: [Piece] = []
  /// Pieces at the front that have arrived.
  private(set) var arrivedPieces = 0
  private(set) var count = 0
  private(set) var arrivedCount = 0
  /// When the end of the stream arrives, once the sender has ended it.
  private(set) var endArrivesAt: UInt64?
  private(set) var hasEndArrived = false
  /// The longest time that a byte spent in here.
  private(set) var latencyMax: UInt64 = 0

  init(capacity: Int) { self.capacity = capacity }

  var room: Int { isEnded ? 0 : max(0, capacity - (isGreedy ? count - arrivedCount : count)) }
  var isEnded: Bool { endArrivesAt != nil }
  /// When something is next due; nil when nothing is in flight.
  var nextArrival: UInt64? {
    if arrivedPieces < pieces.count { return pieces[arrivedPieces].arrivesAt }
    return hasEndArrived ? nil : endArrivesAt
  }

  private func notBefore(_ time: UInt64) -> UInt64 { max(time, pieces.last?.arrivesAt ?? 0) }

  mutating func send(_ bytes: [UInt8], now: UInt64, delay: UInt64) {
    if bytes.isEmpty { return }
    pieces.append(Piece(bytes: bytes, sentAt: now, arrivesAt: notBefore(now + delay)))
    count += bytes.count
  }

  mutating func end(now: UInt64, delay: UInt64) {
    if endArrivesAt == nil { endArrivesAt = notBefore(now + delay) }
  }

  /// Lets everything arrive that is due; true when anything did.
  mutating func advance(to now: UInt64) -> Bool {
    var isNew = false
    while arrivedPieces < pieces.count && pieces[arrivedPieces].arrivesAt <= now {
      arrivedCount += pieces[arrivedPieces].count
      arrivedPieces += 1
      isNew = true
    }
    if let end = endArrivesAt, !hasEndArrived, arrivedPieces == pieces.count, end <= now {
      hasEndArrived = true
      isNew = true
    }
    return isNew
  }

  /// Takes at most `limit` bytes that have arrived.
  mutating func read(_ limit: Int, now: UInt64) -> [UInt8] {
    var taken: [UInt8] = []
    while taken.count < limit && arrivedPieces > 0 {
      let part = min(limit - taken.count, pieces[0].count)
      let start = pieces[0].offset
      taken.append(contentsOf: pieces[0].bytes[start..<(start + part)])
      latencyMax = max(latencyMax, now - pieces[0].sentAt)
      pieces[0].offset += part
      if pieces[0].count == 0 {
        pieces.removeFirst()
        arrivedPieces -= 1
      }
    }
    count -= taken.count
    arrivedCount -= taken.count
    return taken
  }

  /// How long the oldest byte that is still here has been here.
  func age(now: UInt64) -> UInt64 { pieces.first.map { now - $0.sentAt } ?? 0 }

  /// Loses what has not arrived.
  mutating func dropFlying() {
    for piece in pieces[arrivedPieces...] { count -= piece.count }
    pieces.removeSubrange(arrivedPieces...)
  }

  /// Loses everything.
  mutating func dropAll() {
    pieces = []
    arrivedPieces = 0
    count = 0
    arrivedCount = 0
  }
}
