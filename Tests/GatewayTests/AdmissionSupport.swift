// What the admission tests share: addresses from text.
import EventLoop
import Wire

/// The address of a text; `unix` is a Unix-domain peer.
func peer(_ text: String, port: UInt16 = 0) -> PeerAddress {
  if text == "unix" { return PeerAddress() }
  let bytes = Array(text.utf8)
  guard let address = AddressText.parse(bytes.span) else { fatalError("\(text) is no address") }
  return PeerAddress(high: address.high, low: address.low, port: port)
}
