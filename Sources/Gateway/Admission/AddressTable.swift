// Connections and accept rate by client address, shared by all reactors and locked; on the accept path only.
import EventLoop

/// Whether a new connection may stay (HOSTILE 13).
enum Admission: Sendable {
  /// Counted; `leave` takes it back.
  case admitted
  /// Its address has as many connections as it may. Not counted.
  case tooMany
  /// Its address has opened connections faster than it may. Not counted.
  case tooFast
}

/// The connections of each client address and how fast it opens them.
///
/// An IPv6 client is its /64, which is what one subscriber gets from a provider. At most `addressesMax` addresses are
/// tracked, in sets of sixteen chosen by a keyed hash, so that a call looks at sixteen entries at most and nobody can
/// aim at a set. When an address comes to a full set it takes the place of the idle entry (no connections) that has the
/// least of its rate to recover; that one loses nothing but this. Where all sixteen have connections the newcomer is
/// admitted untracked: a gateway with that many clients must not refuse honest ones. So an error is always in the
/// clients' favour, and no count ever goes below zero.
final class AddressTable: Sendable {
  /// Most addresses that are tracked: 2 MB, allocated only where a limit is set.
  static let addressesMax = 65_536
  /// Locks: enough that sixty-four accepting reactors seldom meet at one.
  private static let shardCount = 16
  private static let waysPerSet = 16
  private static let setsPerShard = addressesMax / shardCount / waysPerSet

  private let connectionsMax: UInt32
  private let acceptsPerSecondMax: UInt32
  /// What one costs: a token, or sixty where the rate is one a minute.
  private let cost: UInt32
  private let exemptsLocal: Bool
  private let seed: UInt64
  private let shards: [AddressShard]

  /// A table with these limits, each 0 for none; with both 0 it tracks nothing and costs nothing. `exemptsLocal` leaves
  /// loopback and Unix-domain peers out, which on most machines are a proxy. Values past 32 bits are as good as none
  /// and are cut.
  convenience init(connectionsMax: Int, acceptsPerSecondMax: Int, exemptsLocal: Bool) {
    self.init(connectionsMax: connectionsMax, rate: acceptsPerSecondMax, cost: 1, exemptsLocal: exemptsLocal)
  }

  /// A table for a rate of attempts in a minute, which may be saved up; 0 for none.
  convenience init(attemptsPerMinuteMax: Int, exemptsLocal: Bool) {
    self.init(connectionsMax: 0, rate: attemptsPerMinuteMax, cost: 60, exemptsLocal: exemptsLocal)
  }

  private init(connectionsMax: Int, rate: Int, cost: UInt32, exemptsLocal: Bool) {
    self.connectionsMax = UInt32(clamping: connectionsMax)
    acceptsPerSecondMax = UInt32(clamping: rate)
    self.cost = cost
    self.exemptsLocal = exemptsLocal
    seed = UInt64.random(in: 0...UInt64.max)
    let isOn = self.connectionsMax > 0 || self.acceptsPerSecondMax > 0
    shards = isOn ? (0..<Self.shardCount).map { _ in AddressShard(count: Self.setsPerShard * Self.waysPerSet) } : []
  }

  /// Whether there is a limit at all.
  var isEnabled: Bool { !shards.isEmpty }

  /// Counts a connection, or says why it may not stay. One that `opens` anew takes from the rate. The clock is
  /// monotonic and the same for all reactors.
  func enter(_ address: PeerAddress, nowMilliseconds: UInt64, opens: Bool = true) -> Admission {
    if !isEnabled || isExempt(address) { return .admitted }
    let key = Self.key(address)
    let place = hash(key)
    let now = UInt32(truncatingIfNeeded: nowMilliseconds)
    return shards[place.shard].entries.withLock { entries in
      guard let index = slot(of: key, in: &entries, place.ways, now: now) else { return .admitted }
      if connectionsMax > 0 && entries[index].connections >= connectionsMax { return .tooMany }
      let rate = acceptsPerSecondMax
      let burst = rate.multipliedReportingOverflow(by: cost)
      let isTaken =
        !opens
        || entries[index].bucket.take(
          cost, rate: rate, burst: burst.overflow ? .max : burst.partialValue, nowMilliseconds: now)
      if !isTaken { return .tooFast }
      entries[index].connections &+= 1
      return .admitted
    }
  }

  /// A connection that was admitted has gone.
  func leave(_ address: PeerAddress) {
    if !isEnabled || isExempt(address) { return }
    let key = Self.key(address)
    let place = hash(key)
    shards[place.shard].entries.withLock { entries in
      for index in place.ways where entries[index].isUsed && entries[index].key == key {
        if entries[index].connections > 0 { entries[index].connections &-= 1 }
        return
      }
    }
  }

  /// The tracked connections of an address. For tests and the log.
  func connections(of address: PeerAddress) -> Int {
    if !isEnabled { return 0 }
    let key = Self.key(address)
    let place = hash(key)
    return shards[place.shard].entries.withLock { entries in
      for index in place.ways where entries[index].isUsed && entries[index].key == key {
        return Int(entries[index].connections)
      }
      return 0
    }
  }

  /// The entry of `key`, new if it has none; nil when its set is full of entries with connections.
  private func slot(of key: UInt64, in entries: inout [AddressEntry], _ ways: Range<Int>, now: UInt32) -> Int? {
    var victim: Int?
    var victimMissing = UInt64.max
    for index in ways {
      let entry = entries[index]
      if entry.isUsed && entry.key == key { return index }
      if entry.connections > 0 { continue }
      let missing = entry.isUsed ? 1 + entry.bucket.missing(rate: acceptsPerSecondMax, nowMilliseconds: now) : 0
      if missing < victimMissing {
        victim = index
        victimMissing = missing
      }
    }
    if let victim { entries[victim] = AddressEntry(key: key) }
    return victim
  }

  /// An IPv4 address whole, an IPv6 address by its first half. The IPv6 networks whose keys would be those of IPv4
  /// addresses, 0:ffff::/32, are reserved and nobody's.
  static func key(_ address: PeerAddress) -> UInt64 {
    address.high == 0 && address.low >> 32 == 0xFFFF ? address.low : address.high
  }

  /// Whether an address is left out, as that of a proxy on this machine is.
  func isExempt(_ address: PeerAddress) -> Bool {
    guard exemptsLocal, address.high == 0 else { return false }
    return address.low <= 1 || address.low >> 24 == 0xFFFF_7F
  }

  private func hash(_ key: UInt64) -> (shard: Int, ways: Range<Int>) {
    var hasher = Hasher()
    hasher.combine(seed)
    hasher.combine(key)
    let bits = UInt(bitPattern: hasher.finalize())
    let set = Int(bits / UInt(Self.shardCount) % UInt(Self.setsPerShard))
    return (Int(bits % UInt(Self.shardCount)), set * Self.waysPerSet..<(set + 1) * Self.waysPerSet)
  }
}

/// What is known of one address.
private struct AddressEntry: BitwiseCopyable {
  var key: UInt64 = 0
  var bucket = TokenBucket()
  var connections: UInt32 = 0
  var isUsed = false

  /// An unused entry.
  init() {}

  init(key: UInt64) {
    self.key = key
    isUsed = true
  }
}

/// The entries behind one lock.
private final class AddressShard: Sendable {
  let entries: Lock<[AddressEntry]>

  init(count: Int) { entries = Lock([AddressEntry](repeating: AddressEntry(), count: count)) }
}
