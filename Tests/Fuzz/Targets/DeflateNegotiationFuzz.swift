// The negotiation of permessage-deflate: what is agreed must have been offered, and plain lines are read a second way.

import Buffers
import Compression

enum DeflateNegotiationFuzz {
  /// Byte 0: bit 0 context takeover is allowed, bits 1-3 the policy's window; the rest is the header's value.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    guard bytes.count > 0 else { return }
    let policy = DeflatePolicy(
      allowsContextTakeover: bytes[0] & 1 == 1, windowBitsMax: 9 + min(bytes[0] >> 1 & 7, 6))
    let line = bytes.extracting(1..<bytes.count)
    let chosen = DeflateNegotiation.choose(line, policy)
    let text = line.array
    if !text.contains(0x22) && !text.contains(0x5C) {
      let offer = firstOffer(text)
      try require((chosen == nil) == (offer == nil), "chooses \(String(describing: chosen)), reference \(offer ?? [:])")
      if let chosen, let offer { try check(chosen, offer, policy) }
    }
    guard let chosen else { return }
    try require(chosen.serverMaxWindowBits <= policy.windowBitsMax && chosen.serverMaxWindowBits >= 9, "server window")
    try require(9...15 ~= chosen.clientMaxWindowBits, "client window")
    try require(policy.allowsContextTakeover || chosen.clientNoContextTakeover, "client context")
    try require(policy.allowsContextTakeover || chosen.serverNoContextTakeover, "server context")
    let isKept = !chosen.clientNoContextTakeover
    try require(!isKept || chosen.clientMaxWindowBits <= policy.windowBitsMax, "a window over the policy's is kept")
    try checkResponse(chosen)
  }

  private static func check(
    _ chosen: DeflateParameters, _ offer: [String: Int], _ policy: DeflatePolicy
  ) throws(FuzzFailure) {
    try require(
      chosen.namesServerMaxWindowBits == (offer["server_max_window_bits"] != nil), "names the server's window")
    try require(Int(chosen.serverMaxWindowBits) <= offer["server_max_window_bits"] ?? 15, "the server's window grows")
    try require(!chosen.namesClientMaxWindowBits || offer["client_max_window_bits"] != nil, "names the client's window")
    let limit = offer["client_max_window_bits"].map { $0 == 0 ? 15 : max($0, 9) } ?? 15
    try require(Int(chosen.clientMaxWindowBits) <= limit, "the client's window grows")
    try require(offer["server_no_context_takeover"] == nil || chosen.serverNoContextTakeover, "the server's context")
    try require(offer["client_no_context_takeover"] == nil || chosen.clientNoContextTakeover, "the client's context")
  }

  /// The answer is an offer that says the same.
  private static func checkResponse(_ chosen: DeflateParameters) throws(FuzzFailure) {
    var response = ByteBuffer()
    DeflateNegotiation.appendResponse(chosen, to: &response)
    guard let offer = firstOffer(response.bytes.array) else {
      throw FuzzFailure(description: "answers \(response.bytes.string)")
    }
    let server = chosen.namesServerMaxWindowBits ? Int(chosen.serverMaxWindowBits) : nil
    let client = chosen.namesClientMaxWindowBits ? Int(chosen.clientMaxWindowBits) : nil
    try require(offer["server_max_window_bits"] == server, "answers \(response.bytes.string)")
    try require(offer["client_max_window_bits"] == client, "answers \(response.bytes.string)")
    try require((offer["server_no_context_takeover"] != nil) == chosen.serverNoContextTakeover, "server context")
    try require((offer["client_no_context_takeover"] != nil) == chosen.clientNoContextTakeover, "client context")
  }

  /// The first acceptable offer of a line without quotes, its parameters in lower case; 0 stands for no value.
  private static func firstOffer(_ line: [UInt8]) -> [String: Int]? {
    for offer in line.split(separator: 0x2C, omittingEmptySubsequences: false) {
      if let parameters = parameters(offer), (parameters["server_max_window_bits"] ?? 15) >= 9 { return parameters }
    }
    return nil
  }

  private static func parameters(_ offer: ArraySlice<UInt8>) -> [String: Int]? {
    var pieces = offer.split(separator: 0x3B, omittingEmptySubsequences: false).map { trimmed($0) }
    guard pieces.removeFirst() == "permessage-deflate" else { return nil }
    var found: [String: Int] = [:]
    for piece in pieces {
      let parts = piece.utf8.split(separator: 0x3D, maxSplits: 1, omittingEmptySubsequences: false)
      let name = trimmed(Array(parts[0])[...])
      let value = parts.count > 1 ? trimmed(Array(parts[1])[...]) : nil
      guard found[name] == nil else { return nil }
      let number = value.flatMap { ["8", "9", "10", "11", "12", "13", "14", "15"].firstIndex(of: $0).map { $0 + 8 } }
      switch name {
      case "server_no_context_takeover", "client_no_context_takeover":
        if value != nil { return nil }
        found[name] = 0
      case "server_max_window_bits":
        guard let number else { return nil }
        found[name] = number
      case "client_max_window_bits":
        if value != nil && number == nil { return nil }
        found[name] = number ?? 0
      default: return nil
      }
    }
    return found
  }

  private static func trimmed(_ text: ArraySlice<UInt8>) -> String {
    let start = text.drop { $0 == 0x20 || $0 == 0x09 }
    let end = start.lastIndex { $0 != 0x20 && $0 != 0x09 }.map { $0 + 1 } ?? start.startIndex
    // Latin-1, so that bytes that are no text stay apart.
    return String(String.UnicodeScalarView(start[start.startIndex..<end].map { Unicode.Scalar($0) })).asciiLowercased
  }
}

extension String {
  /// ASCII letters in lower case; others stay, where `lowercased()` maps the Kelvin sign to a k.
  fileprivate var asciiLowercased: String {
    String(
      String.UnicodeScalarView(unicodeScalars.map { 65...90 ~= $0.value ? Unicode.Scalar(UInt8($0.value + 32)) : $0 }))
  }
}
