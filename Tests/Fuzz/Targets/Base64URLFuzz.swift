// Both base64 alphabets against arithmetic on a string of bits, and a sample against Foundation.

import Auth
import Buffers

enum Base64URLFuzz {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  private static let values: [UInt8?] = (0...255).map { byte in
    alphabet.firstIndex(of: UInt8(byte)).map { UInt8($0) }
  }

  /// The whole input is both a text to decode and bytes to encode.
  static func run(_ bytes: Span<UInt8>, isThorough: Bool) throws(FuzzFailure) {
    let copy = bytes.array
    var out = ByteBuffer()
    out.append(0x2A)
    let isAccepted = Base64URL.decode(bytes, into: &out)
    let expected = decoded(copy)
    try require(isAccepted == (expected != nil), "decodes: \(isAccepted)")
    try require(out.bytes.array == [0x2A] + (expected ?? []), "decoded \(out.bytes.array)")

    var text = ByteBuffer()
    Base64URL.encode(bytes, into: &text)
    try require(text.count == (bytes.count * 4 + 2) / 3, "\(text.count) characters for \(bytes.count) bytes")
    try require(decoded(text.bytes.array) == copy, "encoded \(text.bytes.string)")
    if isAccepted {
      var again = ByteBuffer()
      Base64URL.encode(out.bytes.extracting(1..<out.count), into: &again)
      try require(again.bytes.array == copy, "a second spelling of \(again.bytes.string)")
    }
    if isThorough {
      var standard = ByteBuffer()
      Base64.encode(bytes, into: &standard)
      try require(FoundationOracle.base64(standard.bytes.string) == copy, "Foundation on \(standard.bytes.string)")
    }
  }

  /// Six bits a character, eight bits a byte; what is left over must be under six bits and zero.
  static func decoded(_ text: [UInt8]) -> [UInt8]? {
    var out: [UInt8] = []
    var byte: UInt8 = 0
    var bits = 0
    for character in text {
      guard let value = values[Int(character)] else { return nil }
      for bit in stride(from: 5, through: 0, by: -1) {
        byte = byte << 1 | (value >> UInt8(bit) & 1)
        bits += 1
        if bits % 8 == 0 {
          out.append(byte)
          byte = 0
        }
      }
    }
    return bits % 8 < 6 && byte == 0 ? out : nil
  }
}
