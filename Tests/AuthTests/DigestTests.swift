// Digests, comparison, random bytes and the handshake key against published and independently computed values.
import Auth
import Buffers
import Testing

@Suite struct DigestTests {
  @Test("the accept key of RFC 6455 section 1.3 comes out, appended to what was there")
  func acceptKey() {
    let key = [UInt8]("dGhlIHNhbXBsZSBub25jZQ==".utf8)
    var out = ByteBuffer()
    out.append("Sec-WebSocket-Accept: ")
    WebSocketAcceptKey.append(key: key.span, to: &out)
    #expect(out.bytes.string == "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }

  @Test(
    "SHA-1 gives the values of FIPS 180-4",
    arguments: [
      ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
      ),
    ])
  func sha1(text: String, digest: String) {
    let bytes = [UInt8](text.utf8)
    let result = SHA1.digest(of: bytes.span)
    #expect(hex(result.span) == digest)
  }

  @Test(
    "HMAC-SHA-256 agrees with Python's hmac for keys below, at and above the block size",
    arguments: [
      (1, "2a810bb7cc522edfcc681cbd859d4bd912e54a8305a7c218caf6e7c9a644dd36"),
      (55, "a7dc52f961d8da1836c2d603a4be518068ed0b4c218123c6b28ae786384ed172"),
      (64, "055a8ee8aa1f556a3f707ee9ea2304dd4b63f0fe8240bab2fedc2ac907e646ab"),
      (65, "e3c0a9116f58030b4b9b3e8b4bfeb26744d23c129c8d03fce45a11d0245147f5"),
      (200, "178cb70d12a55837ebdf60ab70c83dad65e6e155d22c5353d80a465bda251566"),
    ])
  func hmac(keyCount: Int, expected: String) {
    let key = (0..<keyCount).map { UInt8($0) }
    let message = [UInt8]("martlet".utf8)
    let tag = HMACSHA256.tag(of: message.span, key: key.span)
    #expect(hex(tag.span) == expected)
  }

  @Test("HMAC-SHA-256 of nothing under an empty key is not taken for the previous key")
  func hmacEmpty() {
    let nothing: [UInt8] = []
    let key: [UInt8] = [1, 2, 3]
    let other = HMACSHA256.tag(of: nothing.span, key: key.span)
    let tag = HMACSHA256.tag(of: nothing.span, key: nothing.span)
    #expect(hex(tag.span) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    #expect(array(tag.span) != array(other.span))
  }

  private func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    constantTimeEquals(left.span, right.span)
  }

  @Test("constant-time comparison tells apart every single bit and every length")
  func comparison() {
    let left = [UInt8](0..<40)
    #expect(isEqual(left, left))
    for bit in 0..<left.count * 8 {
      var right = left
      right[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(!isEqual(left, right))
    }
    #expect(!isEqual(left, [UInt8](left.dropLast())))
    #expect(!isEqual(left, []))
    #expect(isEqual([], []))
  }

  @Test("random bytes have the length asked for and do not repeat")
  func random() {
    #expect(SecureRandom.bytes(0).isEmpty)
    #expect(SecureRandom.bytes(32).count == 32)
    #expect(SecureRandom.bytes(32) != SecureRandom.bytes(32))
    var buffer = ByteBuffer()
    buffer.append("id:")
    SecureRandom.append(16, to: &buffer)
    #expect(buffer.count == 19)
    #expect(array(buffer).starts(with: [UInt8]("id:".utf8)))
    var bytes = [UInt8](repeating: 0, count: 64)
    var span = bytes.mutableSpan
    SecureRandom.fill(&span)
    #expect(bytes.contains { $0 != 0 })
  }
}
