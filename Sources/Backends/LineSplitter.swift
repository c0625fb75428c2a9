// Cuts a stream of bytes into lines, for answers that come line by line, as NDJSON does. A value.

/// Collects pieces and gives complete lines, without their LF or CRLF.
public struct LineSplitter: Sendable {
  private var pending: [UInt8] = []

  public init() {}

  /// The lines that `piece` completes, in order. What it leaves incomplete is as long as the stream at most, and that
  /// is bounded by the courier.
  public mutating func feed(_ piece: [UInt8]) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    var start = 0
    while let end = piece[start...].firstIndex(of: 0x0A) {
      pending += piece[start..<end]
      lines.append(takeLine())
      start = end + 1
    }
    pending += piece[start...]
    return lines
  }

  /// The last line, when the stream ended without a line break; nil when nothing is left.
  public mutating func finish() -> [UInt8]? { pending.isEmpty ? nil : takeLine() }

  private mutating func takeLine() -> [UInt8] {
    if pending.last == 0x0D { pending.removeLast() }
    defer { pending = [] }
    return pending
  }
}
