// What the admission tests share: addresses from text, and a seeded random source.
import EventLoop
import FoundationEssentials
import Wire

/// The address of a text; `unix` is a Unix-domain peer.
func peer(_ text: String, port: UInt16 = 0) -> PeerAddress {
  if text == "unix" { return PeerAddress() }
  let bytes = Array(text.utf8)
  guard let address = AddressText.parse(bytes.span) else { fatalError("\(text) is no address") }
  return PeerAddress(high: address.high, low: address.low, port: port)
}

/// SplitMix64, seeded from MARTLET_SEED or at random; the seed is printed so that a failure can be repeated.
struct AdmissionRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ test: String) {
    let given = ProcessInfo.processInfo.environment["MARTLET_SEED"].flatMap { UInt64($0) }
    state = given ?? UInt64.random(in: 0...UInt64.max)
    print("\(test): MARTLET_SEED=\(state)")
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
