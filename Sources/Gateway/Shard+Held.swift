// The bound on what clients have sent and nothing could be done with yet: unfinished messages, requests and bodies. The
// reactor's thread.
import Buffers
import EventLoop
import Wire

extension Inbound {
  /// Bytes of memory that are kept here.
  var byteCount: Int {
    var count = tail.capacity + message.capacity + owedPong.capacity + (request?.body.count ?? 0)
    switch inflating {
    // A window is about as large as what it gives at a time.
    case .some(let work): count += work.compressed.capacity + work.message.capacity + Limits.inflatedAtOnceMax
    case .none: break
    }
    return count
  }
}

extension Shard where Kernel: ~Copyable {
  /// Counts what a connection keeps, anew.
  mutating func countHeld(_ inbound: inout Inbound) {
    let count = inbound.byteCount
    heldBytes += count - inbound.heldBytes
    if inbound.heldBytes == 0 { inbound.heldSince = now }
    inbound.heldBytes = count
  }

  /// Gives a side allocation back.
  mutating func discardInbound(_ index: UInt32) {
    if let inbound = inbounds.take(index) { heldBytes -= inbound.heldBytes }
    inbounds.discard(index)
  }

  /// At the end of a turn: reports what is kept here, and lets go of some where all reactors together keep too much.
  @inline(__always)
  mutating func reviewHeld() {
    if heldBytes != heldReported || shared.heldBytes > shared.heldBytesMax { reportHeld() }
  }

  @inline(never)
  private mutating func reportHeld() {
    let total = shared.changeHeld(heldBytes - heldReported)
    heldReported = heldBytes
    let excess = total - shared.heldBytesMax
    if excess <= 0 { return }
    // Those who keep less than others need not let go; the others may have to be woken.
    if heldBytes * shared.reactorCount < total {
      wakeOthersForHeld()
      return
    }
    letGo(excess + shared.heldBytesMax / 16)
    _ = shared.changeHeld(heldBytes - heldReported)
    heldReported = heldBytes
  }

  private mutating func wakeOthersForHeld() {
    if now == heldWokenAt { return }
    heldWokenAt = now
    var rest = others
    while rest != 0 {
      if network.wake(rest.trailingZeroBitCount) { counters.add(.wakeUps) }
      rest &= rest - 1
    }
  }

  /// Ends connections until they have given up `bytes` bytes: of the client address that keeps the most, the one first
  /// that has kept it longest.
  private mutating func letGo(_ bytes: Int) {
    var kept: [UInt64: [(slot: UInt32, bytes: Int, since: UInt64)]] = [:]
    var sums: [UInt64: Int] = [:]
    for slot in 0..<UInt32(connections.indexEnd) where connections.isLive(slot) {
      let index = connections[slot].inbound
      guard index != Pool<Inbound>.none,
        let held = inbounds.read(index, { (bytes: $0.heldBytes, since: $0.heldSince) }), held.bytes > 0
      else { continue }
      let address = AddressTable.key(connections[slot].client)
      kept[address, default: []].append((slot, held.bytes, held.since))
      sums[address, default: 0] += held.bytes
    }
    // Nobody has to keep less than a fair share of what is left.
    let share = max(0, sums.values.reduce(0, +) - bytes) / max(1, sums.count)
    var rest = bytes
    for (address, sum) in sums.sorted(by: { $0.value > $1.value }) {
      var sum = sum
      for victim in (kept[address] ?? []).sorted(by: { $0.since < $1.since }) {
        if rest <= 0 { return }
        if sum <= share { break }
        sum -= victim.bytes
        rest -= victim.bytes
        endHeld(victim.slot)
      }
    }
  }

  /// Ends a connection for what it keeps.
  private mutating func endHeld(_ slot: UInt32) {
    guard connections.isLive(slot) else { return }
    let token = connections.token(of: slot)
    if connections[slot].phase == .open { close(slot, .overload, "overload") }
    guard connections.isCurrent(token) else { return }
    if connections[slot].phase != .closing && connections[slot].phase != .lingering {
      logClose(slot, .overload)
      drop(slot, .overload, resets: true)
      return
    }
    let index = connections[slot].inbound
    if index == Pool<Inbound>.none { return }
    connections[slot].inbound = Pool<Inbound>.none
    connections[slot].flags.subtract([.long, .resumed])
    discardInbound(index)
  }
}
