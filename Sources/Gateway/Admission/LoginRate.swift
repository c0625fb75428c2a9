// How often one client address may try to log in, shared by all reactors and locked. Login endpoints only.
import EventLoop

/// Attempts by client address, as many in a minute as are allowed, which may be saved up.
final class LoginRate: Sendable {
  private let table: AddressTable
  private let attemptsPerMinuteMax: Int

  /// A rate of `attemptsPerMinuteMax`, 0 for none. `exemptsLocal` is as for `AddressTable`.
  init(attemptsPerMinuteMax: Int, exemptsLocal: Bool) {
    self.attemptsPerMinuteMax = attemptsPerMinuteMax
    table = AddressTable(attemptsPerMinuteMax: attemptsPerMinuteMax, exemptsLocal: exemptsLocal)
  }

  /// Counts an attempt; false when the address has had as many as it may. The clock is monotonic.
  func take(_ address: PeerAddress, nowMilliseconds: UInt64) -> Bool {
    guard table.enter(address, nowMilliseconds: nowMilliseconds) == .admitted else { return false }
    // An attempt is over at once; nothing stays behind but what it took from the allowance.
    table.leave(address)
    return true
  }

  /// Seconds until one more attempt is allowed, for `Retry-After`.
  var retryAfterSeconds: Int { attemptsPerMinuteMax > 0 ? (60 + attemptsPerMinuteMax - 1) / attemptsPerMinuteMax : 1 }
}
