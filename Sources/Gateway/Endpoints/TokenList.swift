// The tokens that logins of the walkers dialect have issued, in memory. One for the gateway, any thread.
import EventLoop

/// Issued tokens by their signatures: one that is not listed is not accepted, though it verifies (PROTOCOLS 5.4).
final class TokenList: Sendable {
  private struct State {
    /// When each ends, in seconds since 1970.
    var ends: [TokenKey: Int64] = [:]
    var queue = TokenQueue()
  }

  private let countMax: Int
  private let state = Lock(State())

  /// An empty list of at most `countMax` tokens.
  init(countMax: Int) { self.countMax = countMax }

  /// Adds a token that ends at `endSeconds`; false when the list is full.
  func insert(_ token: Span<UInt8>, endSeconds: Int64, nowSeconds: Int64) -> Bool {
    guard let key = TokenKey(signatureOf: token) else { return false }
    return state.withLock { state in
      while let oldest = state.queue.first, state.ends[oldest] ?? 0 <= nowSeconds {
        state.queue.removeFirst()
        state.ends[oldest] = nil
      }
      if state.ends.count >= countMax { return false }
      if state.ends.updateValue(endSeconds, forKey: key) == nil { state.queue.append(key) }
      return true
    }
  }

  /// Whether a token that verifies is listed. Short enough for a reactor's thread.
  func contains(_ token: Span<UInt8>, nowSeconds: Int64) -> Bool {
    guard let key = TokenKey(signatureOf: token), let end = state.withLock({ $0.ends[key] }) else { return false }
    return end > nowSeconds
  }

  /// Tokens kept.
  var count: Int { state.withLock { $0.ends.count } }
}
