// The body decoder: bodies split everywhere, framing faults, limits.

import TestSeeds
import Testing
import Wire

@Suite("HTTP request bodies")
struct HTTPBodyTests {
  /// What a decoder makes of `bytes` that arrive in pieces ending at `cuts`: the body and how the run ended. The
  /// pieces are handed over without what came before, as a receive buffer would be.
  private func decode(_ bytes: [UInt8], _ decoder: HTTPBodyDecoder, cuts: [Int] = []) -> String {
    var decoder = decoder
    var body: [UInt8] = []
    var base = 0
    for end in cuts + [bytes.count] {
      let piece = Array(bytes[base..<end])
      var position = 0
      piece: while true {
        switch decoder.next(piece.span, from: position) {
        case .needMore(let consumed):
          if consumed != piece.count { return "needMore(\(consumed)) of \(piece.count)" }
          break piece
        case .data(let range):
          if range.isEmpty { return "empty data" }
          body += piece[range]
          position = range.upperBound
        case .end(let consumed):
          return "\(String(decoding: body, as: UTF8.self))|end \(base + consumed)"
        case .failure(let status):
          return "\(status.rawValue)"
        }
      }
      base = end
    }
    return "\(String(decoding: body, as: UTF8.self))|more"
  }

  private func chunked(_ text: String, bytesMax: Int = 100) -> String {
    let bytes = Array(text.utf8)
    let decoder = HTTPBodyDecoder(chunkedBytesMax: bytesMax)
    let whole = decode(bytes, decoder)
    // Data before a fault may or may not have been handed out; all that counts is the same answer.
    for cut in 0...bytes.count where cut < 300 || cut % 13 == 0 {
      let split = decode(bytes, decoder, cuts: [cut])
      if split != whole { return "cut at \(cut): \(split), whole: \(whole)" }
    }
    let single = decode(bytes, decoder, cuts: Array(0...bytes.count))
    return single == whole ? whole : "one by one: \(single), whole: \(whole)"
  }

  @Test("a body with Content-Length ends after that many bytes, however it is split")
  func fixed() {
    let bytes = Array("helloGET".utf8)
    let decoder = HTTPBodyDecoder(contentLength: 5, bytesMax: 5)
    for cut in 0...bytes.count { #expect(decode(bytes, decoder, cuts: [cut]) == "hello|end 5") }
    #expect(decode(bytes, decoder, cuts: Array(0...bytes.count)) == "hello|end 5")
    #expect(decode(Array("hell".utf8), decoder) == "hell|more")
    #expect(decode(bytes, HTTPBodyDecoder(contentLength: 0, bytesMax: 0)) == "|end 0")
    #expect(decode(bytes, HTTPBodyDecoder(contentLength: -1, bytesMax: -1)) == "|end 0")
    #expect(decode([], HTTPBodyDecoder(contentLength: 6, bytesMax: 5)) == "413")
    #expect(decode([], HTTPBodyDecoder(contentLength: .max, bytesMax: 5)) == "413")
  }

  @Test("the decoder follows the head")
  func fromHead() throws {
    let bytes = Array("2\r\nhi\r\n0\r\n\r\n".utf8)
    let plain = try #require(HTTPTest.head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"))
    #expect(decode(bytes, HTTPBodyDecoder(plain, limits: HTTPLimits())) == "2\r|end 2")
    let chunked = try #require(HTTPTest.head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"))
    #expect(decode(bytes, HTTPBodyDecoder(chunked, limits: HTTPLimits())) == "hi|end 12")
    let none = try #require(HTTPTest.head("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
    #expect(decode(bytes, HTTPBodyDecoder(none, limits: HTTPLimits())) == "|end 0")
  }

  @Test(
    "a chunked body is put together, however it is split",
    arguments: [
      ("5\r\nhello\r\n0\r\n\r\n", "hello|end 15"),
      ("5\r\nhello\r\nA\r\n, world...\r\n0\r\n\r\nGET", "hello, world...|end 30"),
      ("a\r\n0123456789\r\n000\r\n\r\n", "0123456789|end 22"),
      ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello|end 30"),
      ("5;a=b\r\nhello\r\n0;c=\"d\"\r\n\r\n", "hello|end 25"),
      ("5 ;a\r\nhello\r\n0\r\n\r\n", "hello|end 18"),
      ("5;a;b=c ; d = \"e;\\\"f\"\r\nhello\r\n0\r\n\r\n", "hello|end 35"),
      ("5\r\nhello\r\n0\r\nX:\r\nY: \r\n\r\n", "hello|end 24"),
      ("0\r\nX: a\r\nY: b\r\n\r\n", "|end 17"),
      ("0\r\n\r\n", "|end 5"),
      ("5\r\nhello\r\n0\r\n\r", "hello|more"),
    ])
  func goodChunks(text: String, expected: String) {
    #expect(chunked(text) == expected)
  }

  @Test(
    "faulty chunk framing is refused with 400",
    arguments: [
      "\r\n", ";a\r\n", "x\r\n", " 5\r\nhello\r\n", "-5\r\nhello\r\n", "+5\r\nhello\r\n", "0x5\r\nhello\r\n",
      "5 \r\nhello\r\n", "5 5\r\n", "5\nhello\r\n", "5\rhello\r\n", "5\r\r\nhello\r\n", "5\r\nhelloX0\r\n\r\n",
      "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "5;a\nhello\r\n", "5;a\u{0}\r\nhello\r\n", "0\r\nX: a\n\r\n",
      "0\r\nX: \u{0}\r\n\r\n", "0\r\n\rX", "10000000000000000\r\n", "00000000000000005\r\n", "ffffffffffffffff\r\n",
      "8000000000000000\r\n", "5;\r\nhello\r\n", "1f;\r\n", "5; \r\n", "5;a;\r\n", "5;a=\r\n", "5;=a\r\n",
      "5;a=b c\r\n",
      "5;a \r\n", "5;a=\"b\r\n", "5;a=\"b\"c\r\n", "5;a=\"b\\\r\n", "5;a,b\r\n", "0\r\nX\r\n\r\n", "0\r\n: a\r\n\r\n",
      "0\r\nX Y: a\r\n\r\n", "0\r\nX : a\r\n\r\n", "0\r\nX: a\r\n b\r\n\r\n",
    ])
  func badChunks(text: String) {
    #expect(chunked(text) == "400")
  }

  @Test("a chunked body over the limit is refused with 413 before its data")
  func chunkLimit() {
    #expect(chunked("5\r\nhello\r\n0\r\n\r\n", bytesMax: 5) == "hello|end 15")
    #expect(chunked("6\r\n", bytesMax: 5) == "413")
    #expect(chunked("5\r\nhello\r\n1\r\nx", bytesMax: 5) == "413")
    #expect(chunked("7fffffffffffffff\r\n") == "413")
    #expect(chunked("0\r\n\r\n", bytesMax: -1) == "|end 5")
  }

  @Test("chunk extensions and trailers are bounded over the whole body")
  func overhead() {
    let extension100 = ";" + String(repeating: "a", count: 99)
    let chunk = "1\(extension100)\r\nx\r\n"
    #expect(chunked(String(repeating: chunk, count: 10), bytesMax: 1000) == "xxxxxxxxxx|more")
    #expect(chunked(String(repeating: chunk, count: 11), bytesMax: 1000) == "400")
    let trailer = "X: " + String(repeating: "a", count: 97) + "\r\n"
    #expect(chunked("0\r\n" + String(repeating: trailer, count: 40) + "\r\n") == "|end \(5 + 40 * 102)")
    #expect(chunked("0\r\n" + String(repeating: trailer, count: 41)) == "431")
  }

  @Test("end and failure are repeated")
  func sticky() {
    let bytes = Array("0\r\n\r\nx".utf8)
    var decoder = HTTPBodyDecoder(chunkedBytesMax: 1)
    #expect(decoder.next(bytes.span, from: 0) == .end(consumed: 5))
    #expect(decoder.next(bytes.span, from: 5) == .end(consumed: 5))
    var failed = HTTPBodyDecoder(chunkedBytesMax: 1)
    #expect(failed.next(bytes.span, from: 5) == .failure(.badRequest))
    #expect(failed.next(bytes.span, from: 0) == .failure(.badRequest))
    #expect(failed.next(bytes.span, from: 99) == .failure(.badRequest))
  }

  @Test("random bytes and random splits never trap, and give one answer")
  func mutations() {
    var random = SeededRandom("HTTP body mutations")
    let alphabet = Array("0123aF\r\n;x \t".utf8)
    for round in 0..<5_000 {
      var bytes = Array("3;a\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nT: v\r\n\r\n".utf8)
      for _ in 0..<Int.random(in: 0..<4, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        if Bool.random(using: &random) {
          bytes[at] = alphabet.randomElement(using: &random) ?? 0
        } else {
          bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
        }
      }
      let decoder = HTTPBodyDecoder(chunkedBytesMax: 64)
      let cuts = (0..<3).map { _ in Int.random(in: 0...bytes.count, using: &random) }.sorted()
      let whole = decode(bytes, decoder)
      #expect(decode(bytes, decoder, cuts: cuts) == whole, "round \(round), seed \(random.seed): \(bytes)")
    }
  }
}
