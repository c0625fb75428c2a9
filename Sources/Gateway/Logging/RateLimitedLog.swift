// Log lines that clients can cause at will, held to a few a second. One for each reactor; its thread only.

/// Passes at most so many lines a second of each event name, or of each name and reason, to a logger and counts the
/// rest.
///
/// The count of what was held back rides on the next line of that name and reason as `suppressed`, or on a line of its
/// own from `reportSuppressed`, which the reactor's one-second timer calls.
public struct RateLimitedLog: ~Copyable {
  private struct Window {
    let event: StaticString
    /// Empty where the event has none.
    let reason: StaticString
    var level: LogLevel
    var startMilliseconds: Int
    var lines: Int
    var suppressed: Int
  }

  private let logger: Logger
  private let linesPerSecondMax: Int
  /// One for each event name and reason in the source that has ever been logged here: tens.
  private var windows: [Window] = []

  /// A log of `logger` that passes `linesPerSecondMax` lines of each name in a second.
  public init(_ logger: Logger, linesPerSecondMax: Int = Limits.logLinesPerSecondMax) {
    self.logger = logger
    self.linesPerSecondMax = linesPerSecondMax
  }

  /// Logs, or counts the line when its name has had its share of this second. `nowMilliseconds` is any clock that never
  /// goes back.
  ///
  /// With a `reason`, which becomes the first field, the share is that of the reason: a flood of one kind of refusal
  /// then does not hide the one line of another. Reasons are few and come from the source, never from a client.
  public mutating func log(
    _ level: LogLevel, _ event: StaticString, reason: StaticString = "", nowMilliseconds: Int,
    _ fields: @autoclosure () -> [(StaticString, LogValue)] = []
  ) {
    guard logger.isEnabled(level) else { return }
    let index = window(of: event, reason, level, nowMilliseconds)
    if nowMilliseconds - windows[index].startMilliseconds >= 1_000 {
      windows[index].startMilliseconds = nowMilliseconds
      windows[index].lines = 0
    }
    guard windows[index].lines < linesPerSecondMax else {
      windows[index].suppressed += 1
      return
    }
    windows[index].lines += 1
    windows[index].level = level
    var all = Self.fields(of: reason) + fields()
    if windows[index].suppressed > 0 {
      all.append(("suppressed", .integer(windows[index].suppressed)))
      windows[index].suppressed = 0
    }
    logger.log(level, event, all)
  }

  /// Writes a line for each name that was held back and has been quiet since its second ended.
  public mutating func reportSuppressed(nowMilliseconds: Int) {
    for index in windows.indices
    where windows[index].suppressed > 0 && nowMilliseconds - windows[index].startMilliseconds >= 1_000 {
      logger.log(
        windows[index].level, windows[index].event,
        Self.fields(of: windows[index].reason) + [("suppressed", .integer(windows[index].suppressed))])
      windows[index].suppressed = 0
    }
  }

  private static func fields(of reason: StaticString) -> [(StaticString, LogValue)] {
    reason.utf8CodeUnitCount == 0 ? [] : [("reason", .text(reason.description))]
  }

  private mutating func window(
    of event: StaticString, _ reason: StaticString, _ level: LogLevel, _ now: Int
  ) -> Int {
    for index in windows.indices
    where RateLimitedLog.same(windows[index].event, event) && RateLimitedLog.same(windows[index].reason, reason) {
      return index
    }
    windows.append(
      Window(event: event, reason: reason, level: level, startMilliseconds: now, lines: 0, suppressed: 0))
    return windows.count - 1
  }

  /// Whether two literals spell the same name, without making strings of them.
  private static func same(_ one: StaticString, _ two: StaticString) -> Bool {
    guard one.hasPointerRepresentation, two.hasPointerRepresentation else { return one.description == two.description }
    guard one.utf8CodeUnitCount == two.utf8CodeUnitCount else { return false }
    // SAFETY: both literals are constant and `utf8CodeUnitCount` bytes long.
    let (left, right) = unsafe (one.utf8Start, two.utf8Start)
    if unsafe left == right { return true }
    for index in 0..<one.utf8CodeUnitCount where unsafe left[index] != right[index] { return false }
    return true
  }
}
