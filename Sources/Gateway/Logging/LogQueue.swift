// The lines that wait for the writer thread. A plain value; `Logger` holds it behind a mutex.

/// A bounded run of finished lines. What does not fit is counted, never waited for.
struct LogQueue {
  /// What the writer takes in one go.
  struct Batch {
    /// The lines, end to end.
    var bytes: [UInt8]
    /// Lines refused since the last batch.
    var dropped: Int
    /// The number of the last line in `bytes`, counted from 1 since the start.
    var last: UInt64
  }

  private var bytes: [UInt8] = []
  private var lines = 0
  private var dropped = 0
  /// Lines ever accepted.
  private(set) var accepted: UInt64 = 0
  /// Lines ever written, as far as the writer has said.
  private(set) var written: UInt64 = 0
  /// Set once, when no more lines will come.
  private(set) var isClosed = false

  private let linesMax: Int

  init(linesMax: Int = Limits.logLinesQueuedMax) { self.linesMax = linesMax }

  /// Adds a line; true when the queue was empty, so that the writer has to be woken.
  mutating func append(_ line: [UInt8]) -> Bool {
    if lines >= linesMax {
      dropped += 1
      return false
    }
    bytes.append(contentsOf: line)
    lines += 1
    accepted += 1
    return lines == 1
  }

  /// Takes everything, or nil when there is nothing.
  mutating func take() -> Batch? {
    if lines == 0 && dropped == 0 { return nil }
    let batch = Batch(bytes: bytes, dropped: dropped, last: accepted)
    bytes = []
    lines = 0
    dropped = 0
    return batch
  }

  /// The writer is done with a batch.
  mutating func finish(_ batch: Batch) { written = batch.last }

  /// No more lines will come.
  mutating func close() { isClosed = true }
}
