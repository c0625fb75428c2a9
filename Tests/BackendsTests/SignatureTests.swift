// The signature of what goes to a back end, and the cutting of what comes back into lines.
import Testing

@testable import Backends

@Suite("Signature and lines")
struct SignatureTests {
  let key = Array("a secret of thirty-two bytes, at least".utf8)
  let body = Array("{\"name\":\"weather\"}".utf8)

  @Test("the value is what any HMAC implementation computes")
  func value() {
    // printf '1700000000.{"name":"weather"}' | openssl dgst -sha256 -hmac 'a secret of thirty-two bytes, at least'
    let expected = "4c45d165e27a0e7c388c1dbd743f2d00e2901e67f7a9fde5c66aaafd7e7e87c7"
    #expect(Signature.value(for: body, key: key, seconds: 1_700_000_000) == "t=1700000000,v1=" + expected)
  }

  @Test("only the right key, body and time verify")
  func verification() {
    let value = Signature.value(for: body, key: key, seconds: 1_000)
    #expect(Signature.verifies(value, body: body, key: key, now: 1_000))
    #expect(Signature.verifies(value, body: body, key: key, now: 1_300))
    #expect(Signature.verifies(value, body: body, key: key, now: 700))
    #expect(!Signature.verifies(value, body: body, key: key, now: 1_301))
    #expect(!Signature.verifies(value, body: body, key: key, now: 699))
    #expect(!Signature.verifies(value, body: body + [0x20], key: key, now: 1_000))
    #expect(!Signature.verifies(value, body: body, key: key + [1], now: 1_000))
    for bad in ["", "t=1000", "v1=00", "t=x,v1=00", "t=1000,v1=", "t=-9223372036854775808,v1=00", value + "0"] {
      #expect(!Signature.verifies(bad, body: body, key: key, now: 1_000), "\(bad)")
    }
  }

  @Test("lines come out whole however the stream is cut")
  func lines() {
    let text = Array("one\r\n\ntwo\nthree".utf8)
    for size in 1...text.count {
      var splitter = LineSplitter()
      var lines: [String] = []
      for start in stride(from: 0, to: text.count, by: size) {
        let piece = Array(text[start..<min(start + size, text.count)])
        lines += splitter.feed(piece).map { String(decoding: $0, as: UTF8.self) }
      }
      #expect(lines == ["one", "", "two"])
      #expect(splitter.finish() == Array("three".utf8))
      #expect(splitter.finish() == nil)
    }
  }
}
