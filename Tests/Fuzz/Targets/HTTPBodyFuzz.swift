// The HTTP body decoder, whole and in pieces, against a plain reading of RFC 9112 7.1.

import Buffers
import TestSeeds
import Wire

enum HTTPBodyFuzz {
  private struct Outcome: Equatable {
    var body: [UInt8] = []
    /// Where the body ended in the stream; nil while it has not.
    var end: Int?
    var status: HTTPStatus?
  }

  /// Byte 0: bit 0 fixed length, else chunked; bits 1-2 the limit; byte 1 the length; the rest is the stream.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    guard bytes.count > 2 else { return }
    let isFixed = bytes[0] & 1 == 1
    let bytesMax = [65_536, 100, 10, Int.max][Int(bytes[0] >> 1 & 3)]
    let length = Int(bytes[1])
    let decoder =
      isFixed
      ? HTTPBodyDecoder(contentLength: length, bytesMax: bytesMax) : HTTPBodyDecoder(chunkedBytesMax: bytesMax)
    let stream = bytes.extracting(2..<bytes.count)
    let whole = try decode(decoder, stream, [])
    try require(whole.body.count <= bytesMax, "\(whole.body.count) body bytes")

    let copy = stream.array
    let expected = isFixed ? fixed(copy, length, bytesMax) : chunked(copy, bytesMax)
    if let expected {
      try require(whole == expected, "\(whole), reference \(expected)")
    } else {
      try require(whole.end == nil, "ends at \(whole.end ?? 0), the reference does not")
    }

    var random = SeededRandom(seed: bytes.fingerprint)
    let bytewise = try decode(decoder, stream, Array(0..<stream.count))
    try require(bytewise == whole, "byte by byte: \(bytewise), whole: \(whole)")
    for _ in 0..<4 {
      let first = random.below(stream.count)
      let cuts = [first, first + random.below(stream.count - first)]
      let split = try decode(decoder, stream, cuts)
      try require(split == whole, "cut at \(cuts): \(split), whole: \(whole)")
    }
  }

  private static func decode(
    _ start: HTTPBodyDecoder, _ stream: Span<UInt8>, _ cuts: [Int]
  ) throws(FuzzFailure) -> Outcome {
    var decoder = start
    var outcome = Outcome()
    var base = 0
    for end in cuts + [stream.count] {
      let piece = stream.extracting(base..<end)
      var position = 0
      feeding: while true {
        switch decoder.next(piece, from: position) {
        case .needMore(let consumed):
          try require(consumed == piece.count, "needs more at \(consumed) of \(piece.count)")
          break feeding
        case .data(let range):
          try require(
            range.lowerBound >= position && !range.isEmpty && range.upperBound <= piece.count, "data \(range)")
          outcome.body += piece.extracting(range).array
          position = range.upperBound
        case .end(let consumed):
          try require(consumed >= position && consumed <= piece.count, "end at \(consumed)")
          outcome.end = base + consumed
          return outcome
        case .failure(let status):
          outcome.status = status
          return outcome
        }
      }
      base = end
    }
    return outcome
  }

  private static func fixed(_ stream: [UInt8], _ length: Int, _ bytesMax: Int) -> Outcome {
    if length > bytesMax { return Outcome(status: .contentTooLarge) }
    return Outcome(body: Array(stream.prefix(length)), end: stream.count >= length ? length : nil)
  }

  /// A chunked body read line by line; nil where it is broken or not whole.
  private static func chunked(_ stream: [UInt8], _ bytesMax: Int) -> Outcome? {
    var rest = stream[...]
    var body: [UInt8] = []
    func line() -> ArraySlice<UInt8>? {
      guard let end = rest.firstIndex(of: 0x0D), end + 1 < rest.endIndex, rest[end + 1] == 0x0A else { return nil }
      defer { rest = rest[(end + 2)...] }
      return rest[..<end]
    }
    var overhead = 0
    while true {
      guard let size = line() else { return nil }
      let digits = size.prefix { Character(Unicode.Scalar($0)).isHexDigit }
      let tail = size[digits.endIndex...]
      guard isExtensions(tail), digits.count <= 16, let count = Int(String(decoding: digits, as: UTF8.self), radix: 16)
      else { return nil }
      overhead += tail.count
      if overhead > 1024 || count > bytesMax - body.count { return nil }
      if count == 0 { break }
      guard rest.count - 2 >= count else { return nil }
      body += rest.prefix(count)
      rest = rest.dropFirst(count)
      guard let end = line(), end.isEmpty else { return nil }
    }
    var trailerBytes = 0
    while true {
      guard let trailer = line() else { return nil }
      if trailer.isEmpty { return Outcome(body: body, end: rest.startIndex) }
      if trailer.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }) { return nil }
      guard let colon = trailer.firstIndex(of: 0x3A), colon > trailer.startIndex,
        trailer[..<colon].allSatisfy(isTokenByte)
      else { return nil }
      trailerBytes += trailer.count + 1
      if trailerBytes > 4096 { return nil }
    }
  }

  private static func isTokenByte(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7F && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
  }

  /// Whether `tail` is any number of chunk extensions: `BWS ; BWS name [BWS = BWS value]`.
  private static func isExtensions(_ tail: ArraySlice<UInt8>) -> Bool {
    var rest = tail
    func blanks() { rest = rest.drop { $0 == 0x20 || $0 == 0x09 } }
    func token() -> Bool {
      let name = rest.prefix(while: isTokenByte)
      rest = rest.dropFirst(name.count)
      return !name.isEmpty
    }
    while !rest.isEmpty {
      blanks()
      guard rest.popFirst() == 0x3B else { return false }
      blanks()
      guard token() else { return false }
      let afterName = rest
      blanks()
      guard rest.first == 0x3D else {
        rest = afterName
        continue
      }
      rest = rest.dropFirst()
      blanks()
      if rest.first != 0x22 {
        guard token() else { return false }
        continue
      }
      rest = rest.dropFirst()
      while let byte = rest.popFirst(), byte != 0x22 {
        let text = byte == 0x5C ? rest.popFirst() : byte
        guard let text, text >= 0x20 || text == 0x09, text != 0x7F, !rest.isEmpty else { return false }
      }
    }
    return true
  }
}
