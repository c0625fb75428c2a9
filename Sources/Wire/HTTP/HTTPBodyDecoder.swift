// Takes a request body apart as it arrives; owned by the connection while a body is being received.

import Buffers

/// Decodes a request body by `Content-Length` or the chunked transfer coding (RFC 9112 6 and 7), whatever way it is
/// split.
///
/// It keeps no bytes and needs none again: everything up to the position it reports may be thrown away. Chunk
/// extensions and trailers are held to their grammar, bounded and ignored: a sender that writes anything else there may
/// mean another framing than we read. After `end` or `failure` it repeats that answer.
public struct HTTPBodyDecoder: Sendable, BitwiseCopyable {
  /// What the next bytes are. Every position is an offset into the bytes handed to `next`.
  public enum Step: Sendable, Equatable {
    /// All bytes before `consumed`, which is the end of the span, are used up: receive more.
    case needMore(consumed: Int)
    /// Body bytes, never empty. Continue from the range's upper bound.
    case data(Range<Int>)
    /// The body is whole; what begins at `consumed` belongs to the next request.
    case end(consumed: Int)
    /// The body is refused: answer with this status and close.
    case failure(HTTPStatus)
  }

  private enum State: UInt8 {
    case fixed
    case sizeFirst, size, sizeBlank, sizeLineFeed
    case extensionFirst, extensionName, extensionNameBlank
    case extensionValueFirst, extensionValue, extensionQuoted, extensionEscape, extensionQuotedEnd
    case data, dataReturn, dataLineFeed
    case trailerFirst, trailerName, trailer, trailerLineFeed, endLineFeed
    case ended, failed
  }

  private var state: State
  private var status: HTTPStatus = .badRequest
  /// Digits of the chunk size that is being read.
  private var digitCount: UInt8 = 0
  /// Body bytes to come: of the whole body, or of the current chunk.
  private var remaining: UInt64
  /// Body bytes that may still be announced.
  private var allowance: UInt64
  /// Bytes of extensions so far, then of trailers.
  private var overhead = 0

  /// A decoder for the body that follows `head`. Over `limits.bodyBytesMax` the body fails with 413.
  public init(_ head: HTTPRequestHead, limits: HTTPLimits) {
    if head.isChunked {
      self.init(chunkedBytesMax: limits.bodyBytesMax)
    } else {
      self.init(contentLength: head.contentLength ?? 0, bytesMax: limits.bodyBytesMax)
    }
  }

  /// A decoder for a body of exactly `contentLength` bytes, which fails with 413 if that is over `bytesMax`.
  public init(contentLength: Int, bytesMax: Int) {
    state = .fixed
    remaining = UInt64(max(contentLength, 0))
    allowance = UInt64(max(bytesMax, 0))
    if remaining > allowance {
      state = .failed
      status = .contentTooLarge
    }
  }

  /// A decoder for a chunked body of at most `bytesMax` bytes.
  public init(chunkedBytesMax bytesMax: Int) {
    state = .sizeFirst
    remaining = 0
    allowance = UInt64(max(bytesMax, 0))
  }

  /// The status that the body is refused with, as far as that is known; before any byte of it, from its length.
  public var refusal: HTTPStatus? { state == .failed ? status : nil }

  /// Continues at `start` in `bytes`. Call it again from the end of each `data` until it says something else.
  public mutating func next(_ bytes: Span<UInt8>, from start: Int) -> Step {
    var position = max(start, 0)
    while true {
      switch state {
      case .failed:
        return .failure(status)
      case .ended:
        return .end(consumed: position)
      case .fixed where remaining == 0:
        state = .ended
      case .data where remaining == 0:
        state = .dataReturn
      case .fixed, .data:
        if position >= bytes.count { return .needMore(consumed: position) }
        let count = Int(min(remaining, UInt64(bytes.count - position)))
        remaining -= UInt64(count)
        return .data(position..<(position + count))
      default:
        if position >= bytes.count { return .needMore(consumed: position) }
        readFraming(bytes[position])
        position += 1
      }
    }
  }

  /// Advances over one byte of a chunk's size line, of its end, or of the trailer section.
  private mutating func readFraming(_ byte: UInt8) {
    switch state {
    case .sizeFirst:
      remaining = 0
      digitCount = 0
      state = .size
      HTTPBytes.hexadecimal(byte) == nil ? fail(.badRequest) : readSize(byte)
    case .size, .sizeBlank, .extensionFirst, .extensionName, .extensionNameBlank, .extensionValueFirst, .extensionValue,
      .extensionQuoted, .extensionEscape, .extensionQuotedEnd:
      readSize(byte)
    case .sizeLineFeed:
      expect(byte, HTTPBytes.lineFeed, then: remaining == 0 ? .trailerFirst : .data)
      overheadEnds()
    case .dataReturn:
      expect(byte, HTTPBytes.carriageReturn, then: .dataLineFeed)
    case .dataLineFeed:
      expect(byte, HTTPBytes.lineFeed, then: .sizeFirst)
    case .trailerFirst where byte == HTTPBytes.carriageReturn:
      state = .endLineFeed
    case .trailerFirst, .trailerName, .trailer:
      readTrailer(byte)
    case .trailerLineFeed:
      expect(byte, HTTPBytes.lineFeed, then: .trailerFirst)
    case .endLineFeed:
      expect(byte, HTTPBytes.lineFeed, then: .ended)
    case .fixed, .data, .ended, .failed:
      break
    }
  }

  private mutating func readSize(_ byte: UInt8) {
    if state == .size, let digit = HTTPBytes.hexadecimal(byte) {
      digitCount += 1
      // Sixteen digits fill the 64 bits; more, even zeros in front, are refused.
      if digitCount > 16 { return fail(.badRequest) }
      remaining = remaining << 4 | UInt64(digit)
      return
    }
    if byte == HTTPBytes.carriageReturn && mayEndSizeLine {
      sizeIsKnown()
      return
    }
    overhead += 1
    if overhead > HTTPLimits.chunkExtensionBytesMax { return fail(.badRequest) }
    if let next = stateInExtension(after: byte) { state = next } else { fail(.badRequest) }
  }

  /// Whether the size line may end here: behind the size, or a whole extension. Never behind blanks.
  private var mayEndSizeLine: Bool {
    switch state {
    case .size, .extensionName, .extensionValue, .extensionQuotedEnd: true
    default: false
    }
  }

  /// RFC 9112 7.1.1: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`; nil where `byte` breaks that.
  private func stateInExtension(after byte: UInt8) -> State? {
    let isBlank = HTTPBytes.isBlank(byte)
    let isText = !HTTPBytes.isControl(byte) || byte == HTTPBytes.tab
    switch state {
    case .size, .sizeBlank, .extensionQuotedEnd:
      return byte == 0x3B ? .extensionFirst : isBlank ? .sizeBlank : nil
    case .extensionFirst:
      return isBlank ? .extensionFirst : HTTPBytes.isToken(byte) ? .extensionName : nil
    case .extensionName where HTTPBytes.isToken(byte):
      return .extensionName
    case .extensionName, .extensionNameBlank:
      if byte == 0x3D { return .extensionValueFirst }
      return byte == 0x3B ? .extensionFirst : isBlank ? .extensionNameBlank : nil
    case .extensionValueFirst:
      if byte == 0x22 { return .extensionQuoted }
      return isBlank ? .extensionValueFirst : HTTPBytes.isToken(byte) ? .extensionValue : nil
    case .extensionValue:
      if HTTPBytes.isToken(byte) { return .extensionValue }
      return byte == 0x3B ? .extensionFirst : isBlank ? .sizeBlank : nil
    case .extensionQuoted:
      if byte == 0x22 { return .extensionQuotedEnd }
      return byte == 0x5C ? .extensionEscape : isText ? .extensionQuoted : nil
    case .extensionEscape:
      return isText ? .extensionQuoted : nil
    default:
      return nil
    }
  }

  /// The size line's CR has come: refuses a size that no `Int` holds, or that goes past the limit.
  private mutating func sizeIsKnown() {
    if Int(exactly: remaining) == nil { return fail(.badRequest) }
    if remaining > allowance { return fail(.contentTooLarge) }
    allowance -= remaining
    state = .sizeLineFeed
  }

  /// At the last chunk, counting starts over for the trailers.
  private mutating func overheadEnds() {
    if state == .trailerFirst { overhead = 0 }
  }

  private mutating func readTrailer(_ byte: UInt8) {
    overhead += 1
    if overhead > HTTPLimits.trailerBytesMax { return fail(.requestHeaderFieldsTooLarge) }
    switch state {
    case .trailerName where byte == HTTPBytes.colon:
      state = .trailer
    case .trailerFirst, .trailerName:
      // A line without a name and a colon is no field.
      if HTTPBytes.isToken(byte) { state = .trailerName } else { fail(.badRequest) }
    default:
      if byte == HTTPBytes.carriageReturn {
        state = .trailerLineFeed
      } else if HTTPBytes.isControl(byte) && byte != HTTPBytes.tab {
        fail(.badRequest)
      }
    }
  }

  private mutating func expect(_ byte: UInt8, _ expected: UInt8, then next: State) {
    if byte == expected { state = next } else { fail(.badRequest) }
  }

  private mutating func fail(_ status: HTTPStatus) {
    state = .failed
    self.status = status
  }
}
