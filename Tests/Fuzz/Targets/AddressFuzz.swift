// Textual addresses against inet_pton, and PROXY headers against a plain reading of haproxy's proxy-protocol.txt.

import Buffers
import Glibc
import Wire

enum AddressTextFuzz {
  /// The whole input is the address.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    let copy = bytes.array
    let found = AddressText.parse(bytes).map { [$0.high, $0.low] }
    let expected = reference(copy).map { [$0.high, $0.low] }
    try require(found == expected, "\(String(describing: found)), inet_pton \(String(describing: expected))")

    let forwarded = AddressText.parseForwarded(bytes).map { [$0.high, $0.low] }
    let plain = forwardedReference(copy).map { [$0.high, $0.low] }
    try require(
      forwarded == plain, "forwarded \(String(describing: forwarded)), reference \(String(describing: plain))")
  }

  static func reference(_ text: [UInt8]) -> (high: UInt64, low: UInt64)? {
    if text.contains(0) { return nil }
    var four: UInt32 = 0
    // SAFETY: the text has a NUL behind it; inet_pton writes 4 bytes for AF_INET and 16 for AF_INET6.
    let isFour = unsafe (text + [0]).withUnsafeBytes { source in
      unsafe inet_pton(AF_INET, source.baseAddress?.assumingMemoryBound(to: CChar.self), &four) == 1
    }
    if isFour { return (0, 0xFFFF_0000_0000 | UInt64(UInt32(bigEndian: four))) }
    var six = [16 of UInt8](repeating: 0)
    var room = six.mutableSpan
    // SAFETY: as above.
    let isSix = unsafe (text + [0]).withUnsafeBytes { source in
      unsafe room.withUnsafeMutableBytes { target in
        unsafe inet_pton(AF_INET6, source.baseAddress?.assumingMemoryBound(to: CChar.self), target.baseAddress) == 1
      }
    }
    guard isSix else { return nil }
    var words: [UInt64] = [0, 0]
    for index in 0..<16 { words[index / 8] = words[index / 8] << 8 | UInt64(six[index]) }
    return (words[0], words[1])
  }

  static func isPort(_ text: ArraySlice<UInt8>) -> Bool {
    guard let number = UInt16(String(decoding: text, as: UTF8.self)) else { return false }
    return Array(String(number).utf8) == Array(text)
  }

  private static func forwardedReference(_ text: [UInt8]) -> (high: UInt64, low: UInt64)? {
    func isPortTail(_ tail: ArraySlice<UInt8>) -> Bool {
      tail.isEmpty || tail.first == 0x3A && isPort(tail.dropFirst())
    }
    if text.first == 0x5B {
      guard let end = text.firstIndex(of: 0x5D), text[..<end].contains(0x3A), isPortTail(text[(end + 1)...]) else {
        return nil
      }
      return reference(Array(text[1..<end]))
    }
    let colons = text.count { $0 == 0x3A }
    guard colons == 1, text.contains(0x2E), let colon = text.firstIndex(of: 0x3A) else { return reference(text) }
    return isPortTail(text[colon...]) ? reference(Array(text[..<colon])) : nil
  }
}

enum ProxyHeaderFuzz {
  /// The whole input is what a proxy sends.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    let copy = bytes.array
    var before = ProxyHeader.Outcome.incomplete
    for end in 0...min(bytes.count, 640) {
      let outcome = ProxyHeader.parse(bytes.extracting(0..<end))
      // A decision stands, whatever follows.
      try require(before == .incomplete || outcome == before, "\(before), then \(outcome) with \(end) bytes")
      before = outcome
      if case .complete(let length, _) = outcome { try require(length <= end, "\(length) of \(end) bytes") }
    }
    let whole = ProxyHeader.parse(bytes)
    try require(whole != .incomplete || bytes.count < ProxyHeader.bytesMax, "undecided after \(bytes.count) bytes")
    let expected = copy.first == 0x50 ? text(copy) : binary(copy)
    var found: (length: Int, address: ProxyAddress?)?
    if case .complete(let length, let address) = whole { found = (length, address) }
    try require(found?.length == expected?.length, "\(whole), reference \(String(describing: expected))")
    try require(found?.address == expected?.address, "\(whole), reference \(String(describing: expected))")
  }

  private static func address(_ high: UInt64, _ low: UInt64, _ port: UInt16) -> ProxyAddress? {
    high == 0 && low == 0 ? nil : ProxyAddress(high: high, low: low, port: port)
  }

  /// Version 1: the line split at its spaces; nil unless it is whole and right.
  private static func text(_ bytes: [UInt8]) -> (length: Int, address: ProxyAddress?)? {
    guard let end = bytes.firstIndex(of: 0x0D), end + 1 < bytes.count, bytes[end + 1] == 0x0A,
      end + 2 <= ProxyHeader.textBytesMax
    else { return nil }
    let words = bytes[..<end].split(separator: 0x20, omittingEmptySubsequences: false)
    guard words.count >= 2, words[0].elementsEqual("PROXY".utf8) else { return nil }
    if words[1].elementsEqual("UNKNOWN".utf8) { return (end + 2, nil) }
    let isFour = words[1].elementsEqual("TCP4".utf8)
    guard isFour || words[1].elementsEqual("TCP6".utf8), words.count == 6 else { return nil }
    for word in words[2...3] where word.contains(0x3A) == isFour { return nil }
    guard let source = AddressTextFuzz.reference(Array(words[2])), AddressTextFuzz.reference(Array(words[3])) != nil,
      AddressTextFuzz.isPort(words[4]), AddressTextFuzz.isPort(words[5]),
      let port = UInt16(String(decoding: words[4], as: UTF8.self))
    else { return nil }
    return (end + 2, address(source.high, source.low, port))
  }

  private static func binary(_ bytes: [UInt8]) -> (length: Int, address: ProxyAddress?)? {
    let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    guard bytes.starts(with: signature), bytes.count >= 16, bytes[12] >> 4 == 2, bytes[12] & 15 <= 1 else { return nil }
    let size = Int(bytes[14]) * 256 + Int(bytes[15])
    guard size <= ProxyHeader.binaryBodyBytesMax, bytes.count >= 16 + size else { return nil }
    func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
    guard bytes[12] & 15 == 1 else { return (16 + size, nil) }
    switch bytes[13] {
    case 0x11:
      guard size >= 12 else { return nil }
      return (16 + size, address(0, 0xFFFF_0000_0000 | number(16..<20), UInt16(number(24..<26))))
    case 0x21:
      guard size >= 36 else { return nil }
      return (16 + size, address(number(16..<24), number(24..<32), UInt16(number(48..<50))))
    default: return (16 + size, nil)
    }
  }
}
