// Finds and checks one request head in the bytes received so far; owned by the connection that receives them.

import Buffers

/// Parses HTTP/1.1 request heads (RFC 9112), strictly: where two readers could disagree, the request is refused.
///
/// Hand it everything received from the start of the head, again after each receive, until it is complete or fails.
/// The parser remembers how far it has looked, so a head that arrives one byte at a time costs linear time. The
/// outcome depends on the bytes alone, not on how they were split. After `complete` it is ready for the next head;
/// after `failure` the caller answers with that status, closes, and drops the parser.
public struct HTTPHeadParser: Sendable, BitwiseCopyable {
  /// What the bytes so far amount to.
  public enum Outcome: Sendable {
    /// Not decided yet: receive more.
    case incomplete
    /// A valid head; its `length` bytes are consumed.
    case complete(HTTPRequestHead)
    /// Not a request that is served: answer with this status and close.
    case failure(HTTPStatus)
  }

  /// Bytes already searched.
  private var scanned: UInt32 = 0
  /// Where the line that is being searched begins.
  private var lineStart: UInt32 = 0
  /// Where the request line begins, once it is known to be whole.
  private var requestStart: UInt32 = 0
  private var headerCount: UInt32 = 0
  private var emptyLineCount: UInt8 = 0
  private var hasRequestLine = false

  /// A parser at the start of a head.
  public init() {}

  /// Looks at `bytes`, everything received since the head began, and says what it is. Bytes behind the head are left
  /// alone.
  public mutating func parse(_ bytes: Span<UInt8>, limits: HTTPLimits) -> Outcome {
    let headBytesMax = min(max(limits.headBytesMax, 0), Int(UInt32.max))
    var head = HTTPRequestHead()
    var isLineParsed = false
    while true {
      // Never looks behind a limit, so that a fault there cannot win over the limit when more bytes come at once.
      let limit = hasRequestLine ? headBytesMax : min(headBytesMax, requestLineEndMax(limits))
      let bound = min(bytes.count, limit)
      let at = HTTPBytes.firstControl(bytes, from: Int(scanned), to: bound)
      scanned = UInt32(truncatingIfNeeded: min(at, bound))
      if at < bound, bytes[at] == HTTPBytes.tab {
        scanned += 1
        continue
      }
      if at < bound, bytes[at] != HTTPBytes.carriageReturn { return .failure(.badRequest) }
      if at + 1 >= bound {
        if bytes.count < limit { return .incomplete }
        return .failure(hasRequestLine ? .requestHeaderFieldsTooLarge : .uriTooLong)
      }
      if bytes[at + 1] != HTTPBytes.lineFeed { return .failure(.badRequest) }

      let line = Int(lineStart)..<at
      scanned = UInt32(truncatingIfNeeded: at + 2)
      lineStart = scanned
      if !hasRequestLine {
        if line.isEmpty {
          emptyLineCount += 1
          if emptyLineCount > HTTPLimits.leadingEmptyLinesMax { return .failure(.badRequest) }
          continue
        }
        if let status = head.readRequestLine(bytes, line, limits) { return .failure(status) }
        requestStart = UInt32(truncatingIfNeeded: line.lowerBound)
        hasRequestLine = true
        isLineParsed = true
      } else if !line.isEmpty {
        headerCount += 1
        if headerCount > limits.headerCountMax { return .failure(.requestHeaderFieldsTooLarge) }
      } else {
        if !isLineParsed, let status = head.readRequestLine(again: bytes, from: Int(requestStart), limits) {
          return .failure(status)
        }
        if let status = head.readHeaders(bytes, blankLine: at) { return .failure(status) }
        self = HTTPHeadParser()
        return .complete(head)
      }
    }
  }

  /// Where the request line must have ended at the latest.
  private func requestLineEndMax(_ limits: HTTPLimits) -> Int {
    let room = min(max(limits.targetBytesMax, 0), Int(UInt32.max)) + HTTPLimits.requestLineOverheadMax
    return Int(lineStart) + room
  }
}

/// Lines of a header section, scanned again from the start. For the cold paths: repeated lines, and fields that the
/// head does not remember.
public struct HTTPHeaderIterator: Sendable, BitwiseCopyable {
  private var position: Int
  private let end: Int

  /// The header lines of `head`.
  public init(_ head: HTTPRequestHead) {
    position = head.headersStart
    end = head.length
  }

  /// The next line, or nil after the last. `bytes` must be those that the head was parsed from.
  public mutating func next(in bytes: Span<UInt8>) -> (name: Range<Int>, value: Range<Int>)? {
    let end = min(end, bytes.count)
    let lineEnd = HTTPBytes.firstReturn(bytes, from: position, to: end)
    var colon = position
    while colon < lineEnd, bytes[colon] != HTTPBytes.colon { colon += 1 }
    guard colon < lineEnd else { return nil }
    let name = position..<colon
    position = lineEnd + 2
    return (name, HTTPBytes.trimmed(bytes, (colon + 1)..<lineEnd))
  }

  /// The value of the next line named `name`, given in lower case, or nil when there is none left.
  public mutating func next(named name: StaticString, in bytes: Span<UInt8>) -> Range<Int>? {
    while let line = next(in: bytes) {
      if bytes.extracting(line.name).equalsIgnoringCase(name) { return line.value }
    }
    return nil
  }
}
