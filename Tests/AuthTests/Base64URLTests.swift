// Base64 against RFC 4648's vectors and Foundation.
import Auth
import Buffers
import Foundation
import TestSeeds
import Testing

@Suite struct Base64URLTests {
  /// The decoded bytes, or nil when refused; a refusal must leave the buffer as it was.
  private func decode(_ text: [UInt8]) -> [UInt8]? {
    var out = ByteBuffer()
    out.append(0xAA)
    let isDecoded = Base64URL.decode(text.span, into: &out)
    let all = array(out)
    #expect(all.first == 0xAA)
    if !isDecoded { #expect(all.count == 1) }
    return isDecoded ? [UInt8](all.dropFirst()) : nil
  }

  @Test(
    "the vectors of RFC 4648 section 10 come out in both directions",
    arguments: [
      ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
      ("foobar", "Zm9vYmFy"),
    ])
  func vectors(plain: String, coded: String) {
    #expect(decode([UInt8](coded.utf8)) == [UInt8](plain.utf8))
    let bytes = [UInt8](plain.utf8)
    var out = ByteBuffer()
    Base64URL.encode(bytes.span, into: &out)
    #expect(out.bytes.string == coded)
    out.removeAll()
    Base64.encode(bytes.span, into: &out)
    #expect(out.bytes.string == Data(bytes).base64EncodedString())
  }

  @Test(
    "padding, white space, other alphabets, impossible lengths and spare bits are refused",
    arguments: [
      "Zg==", "Zm8=", "=", "Zg=", "Z", "Zm9vY", "Zm 9v", "Zm9v\n", " Zm9v", "Zm9v/w", "Zm+v", "Zm9v.Zg", "Zh", "Zm9",
      "Zn",
      "__-", "Zm9\u{0}", "Zm9é",
    ])
  func refused(text: String) {
    #expect(decode([UInt8](text.utf8)) == nil)
  }

  @Test("a range outside the text is refused, and one inside is obeyed")
  func ranges() {
    let text = [UInt8]("xxZm9vxx".utf8)
    for (range, expected) in [(2..<6, "foo"), (4..<9, nil), (-1..<3, nil), (8..<8, "")] {
      var out = ByteBuffer()
      let isDecoded = Base64URL.decode(text.span, in: range, into: &out)
      #expect(isDecoded == (expected != nil))
      #expect(out.bytes.string == expected ?? "")
    }
  }

  @Test("random bytes encode as Foundation encodes them and decode to themselves")
  func roundTrip() {
    var random = SeededRandom("base64url round trip")
    for _ in 0..<500 {
      let bytes = random.bytes(Int.random(in: 0...100, using: &random))
      var out = ByteBuffer()
      Base64URL.encode(bytes.span, into: &out)
      #expect(out.bytes.string == base64URL(bytes))
      #expect(decode(array(out)) == bytes)
      out.removeAll()
      Base64.encode(bytes.span, into: &out)
      #expect(out.bytes.string == Data(bytes).base64EncodedString())
    }
  }

  @Test("random text is accepted exactly when Foundation decodes it and encodes it back to the same text")
  func differential() {
    var random = SeededRandom("base64url differential")
    let alphabet = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var acceptedCount = 0
    for round in 0..<5000 {
      var text: [UInt8] = []
      for _ in 0..<Int.random(in: 0...9, using: &random) { text.append(alphabet.randomElement(using: &random) ?? 0x41) }
      if round % 4 == 0, let index = text.indices.randomElement(using: &random) { text[index] = random.bytes(1)[0] }
      let standard = String(decoding: text, as: UTF8.self)
        .replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
      let isURLSafe = text.allSatisfy { alphabet.contains($0) }
      let padded = standard + String(repeating: "=", count: (4 - text.count % 4) % 4)
      let reference = isURLSafe ? Data(base64Encoded: padded).map { [UInt8]($0) } : nil
      let isCanonical = reference.map { base64URL($0) == String(decoding: text, as: UTF8.self) } ?? false
      let decoded = decode(text)
      #expect(decoded == (isCanonical ? reference : nil), "\(text)")
      if decoded != nil { acceptedCount += 1 }
    }
    #expect(acceptedCount > 500)
  }
}
