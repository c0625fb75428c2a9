// Finds the client behind trusted proxies in `X-Forwarded-For`. Pure; allocates only where the header came in several
// lines; the reactor's thread.
import Buffers
import EventLoop
import Wire

/// The client of a forwarded request (HOSTILE 12).
enum ForwardedFor {
  /// Most hops that are looked at: a longer chain of proxies of one's own is a loop.
  static let hopsMax = 32

  /// The same for a request: several lines are one list, in their order (RFC 9110 5.3). Some proxies append to the line
  /// that they were given, others add one of their own.
  static func client(
    _ head: HTTPRequestHead, _ bytes: Span<UInt8>, peer: PeerAddress, trusted: AddressRanges
  ) -> PeerAddress {
    guard let last = head.xForwardedFor else { return peer }
    if !head.repeatsXForwardedFor { return client(bytes.extracting(last), peer: peer, trusted: trusted) }
    var list = ByteBuffer(capacity: 256)
    head.appendLines(named: "x-forwarded-for", separator: ",", in: bytes, to: &list)
    return client(list.bytes, peer: peer, trusted: trusted)
  }

  /// The address of the client: the right-most hop that is no trusted proxy.
  ///
  /// `value` is the header's value, all of its lines joined. From a peer that is not trusted
  /// it is ignored. A hop that is no address ends the search with the hop to its right, the last one that a trusted
  /// proxy vouched for; so does the beginning of the list. Empty elements are skipped. The client's port is known from
  /// the peer alone, else it is 0.
  static func client(_ value: Span<UInt8>, peer: PeerAddress, trusted: AddressRanges) -> PeerAddress {
    if trusted.isEmpty || !trusted.contains(high: peer.high, low: peer.low) { return peer }
    var client = peer
    var end = value.count
    var hops = 0
    while end > 0 && hops < hopsMax {
      var start = end
      while start > 0 && value[start - 1] != 0x2C { start -= 1 }
      let hop = trimmed(value, start..<end)
      end = start - 1
      if hop.isEmpty { continue }
      hops += 1
      // The unspecified address is nobody's, and as a peer it would pass for a Unix-domain one.
      guard let address = AddressText.parseForwarded(value.extracting(hop)), address != (0, 0) else { break }
      client = PeerAddress(high: address.high, low: address.low)
      if !trusted.contains(high: address.high, low: address.low) { break }
    }
    return client
  }

  private static func trimmed(_ value: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper, value[lower] == 0x20 || value[lower] == 0x09 { lower += 1 }
    while upper > lower, value[upper - 1] == 0x20 || value[upper - 1] == 0x09 { upper -= 1 }
    return lower..<upper
  }
}
