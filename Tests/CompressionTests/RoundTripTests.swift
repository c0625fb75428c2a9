// What a deflater writes, an inflater reads.
import Buffers
import Testing

@testable import Compression

@Suite("Round trips")
struct RoundTripTests {
  @Test("a message comes back as it was")
  func simple() {
    var deflater = Deflater(windowBits: 12)
    var inflater = Inflater()
    for _ in 0..<3 {
      var packed = ByteBuffer()
      var plain = ByteBuffer()
      deflater.deflate(Array("Hello, hello, hello".utf8).span, into: &packed)
      #expect(inflater.inflate(packed.bytes, isLast: true, into: &plain, limit: 100) == .ok)
      #expect(plain.bytes.string == "Hello, hello, hello")
    }
  }
}
