// The gateway's log: any thread hands it a line and goes on; one thread of its own writes. One for a process.

import EventLoop

/// Writes one line for each event to standard error.
///
/// `log` formats, appends to a bounded queue and returns; it never waits for the file. When the queue is full, lines
/// are dropped and a line of its own says how many. No value given to it may be a token, a password or a payload.
public final class Logger: Sendable {
  /// How lines look.
  public let format: LogFormat
  /// The least severe level that is written.
  public let level: LogLevel

  /// What the writer thread shares with the logger. It outlives the logger until the last line is written.
  private final class Sink: Sendable {
    let queue: Lock<LogQueue>
    let signal = WakeSignal()
    let format: LogFormat
    let fd: Int32

    init(format: LogFormat, fd: Int32, linesMax: Int) {
      queue = Lock(LogQueue(linesMax: linesMax))
      self.format = format
      self.fd = fd
    }

    /// The life of the writer thread.
    func run() {
      while true {
        while let batch = queue.withLock({ $0.take() }) {
          LogSystem.write(batch.bytes, to: fd)
          if batch.dropped > 0 { LogSystem.write(Logger.dropped(batch.dropped, format), to: fd) }
          queue.withLock { $0.finish(batch) }
        }
        if queue.withLock({ $0.isClosed && $0.written == $0.accepted }) { return }
        signal.wait()
      }
    }
  }

  private let sink: Sink
  /// Whether the writer thread runs. Without it, lines are written where they are logged.
  private let hasThread: Bool

  /// A logger with its writer thread. `fileDescriptor` stays the caller's and must stay open; standard error unless a
  /// test asks.
  public init(
    format: LogFormat, level: LogLevel, fileDescriptor: Int32 = 2, linesMax: Int = Limits.logLinesQueuedMax
  ) {
    self.format = format
    self.level = level
    let sink = Sink(format: format, fd: fileDescriptor, linesMax: linesMax)
    self.sink = sink
    hasThread = LogSystem.startThread { sink.run() }
  }

  deinit {
    sink.queue.withLock { $0.close() }
    sink.signal.post()
  }

  /// Whether a line of this level is written, for a caller with fields that cost something to make.
  public func isEnabled(_ level: LogLevel) -> Bool { level >= self.level }

  /// Writes a line. Any thread; never waits for the file.
  public func log(_ level: LogLevel, _ event: StaticString, _ fields: [(StaticString, LogValue)] = []) {
    guard isEnabled(level) else { return }
    let line = LogLine.make(
      format, level: level, event: event, fields: fields, milliseconds: LogSystem.nowMilliseconds())
    guard hasThread else {
      LogSystem.write(line, to: sink.fd)
      return
    }
    if sink.queue.withLock({ $0.append(line) }) { sink.signal.post() }
  }

  /// Waits until every line logged before is written, at most `timeoutMilliseconds`. For the end of the process.
  ///
  /// - Returns: false when the time was up first, as when standard error is a pipe that nobody reads.
  @discardableResult
  public func flush(timeoutMilliseconds: Int = 2_000) -> Bool {
    guard hasThread else { return true }
    let target = sink.queue.withLock { $0.accepted }
    let deadline = LogSystem.nowMilliseconds() + Int64(timeoutMilliseconds)
    while sink.queue.withLock({ $0.written }) < target {
      if LogSystem.nowMilliseconds() >= deadline { return false }
      LogSystem.pause()
    }
    return true
  }

  /// The line that owns up to lost lines.
  fileprivate static func dropped(_ count: Int, _ format: LogFormat) -> [UInt8] {
    LogLine.make(
      format, level: .warning, event: "log-lines-dropped", fields: [("count", .integer(count))],
      milliseconds: LogSystem.nowMilliseconds())
  }
}
