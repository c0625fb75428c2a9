import FoundationEssentials
import Glibc
import Testing

@testable import Gateway

@Suite("Log lines")
struct LogLineTests {
  private func line(_ format: LogFormat, _ fields: [(StaticString, LogValue)]) -> String {
    let bytes = LogLine.make(
      format, level: .warning, event: "slow-consumer", fields: fields, milliseconds: 1_795_234_505_602)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test("a text line has the time, the level, the event and its fields")
  func text() {
    #expect(
      line(.text, [("connection", 7), ("closed", true), ("reason", "age"), ("note", "two words"), ("empty", "")])
        == "2026-11-21T04:15:05.602Z warning slow-consumer connection=7 closed=true reason=age "
        + "note=\"two words\" empty=\"\"\n")
  }

  @Test("a JSON line is one object with the same members")
  func json() throws {
    let text = line(.json, [("connection", 7), ("closed", true), ("note", "a \"b\"\\ \u{1F426}")])
    #expect(
      text == "{\"time\":\"2026-11-21T04:15:05.602Z\",\"level\":\"warning\",\"event\":\"slow-consumer\","
        + "\"connection\":7,\"closed\":true,\"note\":\"a \\\"b\\\"\\\\ \u{1F426}\"}\n")
    #expect(try JSON5Parser.parse(Array(text.utf8)) != .null)
  }

  @Test(
    "nothing in a value can end the line, forge a field or move the cursor",
    arguments: [
      ("a\nb", "\"a\\nb\""), ("a\r\tb", "\"a\\r\\tb\""), ("\u{1b}[2J", "\"\\u001b[2J\""), ("\u{0}", "\"\\u0000\""),
      ("\u{7f}\u{9b}", "\"\\u007f\\u009b\""), ("\u{2028}\u{202e}", "\"\\u2028\\u202e\""), ("a=b", "\"a=b\""),
      ("\u{feff}", "\"\\ufeff\""), ("\u{e0041}", "\"\\udb40\\udc41\""), ("é", "\"é\""),
    ])
  func escapes(_ value: String, _ expected: String) {
    #expect(line(.text, [("v", .text(value))]).hasSuffix(" v=\(expected)\n"))
    #expect(line(.json, [("v", .text(value))]).hasSuffix(",\"v\":\(expected)}\n"))
  }

  @Test("a long value is cut")
  func cut() {
    let text = line(.text, [("v", .text(String(repeating: "x", count: 100_000)))])
    #expect(text.utf8.count < Limits.logValueBytesMax + 100)
    #expect(text.hasSuffix("x…\"\n"))
  }

  @Test(
    "timestamps are right at the edges of the calendar",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (-5, "1970-01-01T00:00:00.000Z"), (951_782_399_999, "2000-02-28T23:59:59.999Z"),
      (951_782_400_000, "2000-02-29T00:00:00.000Z"), (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
      (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
      (Int64.max, "9999-12-31T23:59:59.999Z"),
    ] as [(Int64, String)])
  func timestamps(_ milliseconds: Int64, _ expected: String) {
    #expect(LogLine.timestamp(milliseconds) == expected)
  }
}

@Suite("The log queue")
struct LogQueueTests {
  @Test("lines beyond the bound are counted, and the writer is woken by the first line only")
  func bounded() {
    var queue = LogQueue(linesMax: 3)
    let woken = (1...5).map { queue.append(Array("\($0)\n".utf8)) }
    #expect(woken == [true, false, false, false, false])
    let batch = queue.take()
    #expect(batch.map { String(decoding: $0.bytes, as: UTF8.self) } == "1\n2\n3\n")
    #expect(batch?.dropped == 2 && batch?.last == 3)
    #expect(queue.take() == nil)
    #expect(queue.written == 0)
    if let batch { queue.finish(batch) }
    #expect(queue.written == queue.accepted)
    let wokenAgain = queue.append([0x0A])
    #expect(wokenAgain)
  }
}

@Suite("The logger")
struct LoggerTests {
  /// Runs `body` with a logger that writes to a file, and returns the file's lines.
  private func lines(
    level: LogLevel = .info, _ body: (Logger) throws -> Void
  ) throws -> [String] {
    let path = "/tmp/martlet-log-\(UUID().uuidString)"
    // SAFETY: the C string lives for the call.
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    try #require(file >= 0)
    defer {
      close(file)
      try? FileManager.default.removeItem(atPath: path)
    }
    let logger = Logger(format: .text, level: level, fileDescriptor: file)
    try body(logger)
    #expect(logger.flush(timeoutMilliseconds: 10_000))
    let text = String(decoding: try FileBytes.read(path: path), as: UTF8.self)
    return text.split(separator: "\n").map { String($0.drop { $0 != " " }.dropFirst()) }
  }

  @Test("lines come out in order, and those below the level do not")
  func order() throws {
    let found = try lines { logger in
      logger.log(.debug, "hidden")
      for number in 0..<1_000 { logger.log(.info, "counted", [("number", .integer(number))]) }
      logger.log(.error, "last")
    }
    #expect(found == (0..<1_000).map { "info counted number=\($0)" } + ["error last"])
  }

  @Test("a reader that does not read costs lines, never time, and the count of lost lines is right")
  func unreadPipe() throws {
    var ends: [Int32] = [0, 0]
    // SAFETY: room for two descriptors.
    try #require(unsafe pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    var total = 0
    let logger = Logger(format: .text, level: .info, fileDescriptor: ends[1], linesMax: 8)
    let padding = String(repeating: "x", count: 1_000)
    // A pipe of 64 KiB that nobody reads, and a queue of eight lines: sooner or later the writer thread hangs, this thread
    // does not. How much that takes depends on how often the writer gets to run.
    repeat {
      for _ in 0..<500 { logger.log(.info, "filler", [("padding", .text(padding))]) }
      total += 500
    } while logger.flush(timeoutMilliseconds: 20) && total < 50_000
    #expect(total < 50_000)

    var text = ""
    var accounted = 0
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while accounted < total {
      var request = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
      // SAFETY: one pollfd, and a read of at most the chunk's length.
      guard unsafe poll(&request, 1, 10_000) == 1 else { break }
      let count = unsafe read(ends[0], &chunk, chunk.count)
      text += String(decoding: chunk[..<max(0, count)], as: UTF8.self)
      let complete = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      accounted = complete.reduce(0) { sum, line in
        guard line.contains("log-lines-dropped") else { return sum + 1 }
        return sum + (Int(line.split(separator: "=").last ?? "") ?? 0)
      }
    }
    #expect(accounted == total)
    #expect(text.contains(" warning log-lines-dropped count="))
  }

  @Test("a flood of one event is held to its share, others are not, and the next line says how many were held back")
  func rateLimit() throws {
    let found = try lines { logger in
      var limited = RateLimitedLog(logger, linesPerSecondMax: 2)
      for _ in 0..<5 { limited.log(.warning, "refused", nowMilliseconds: 1_000) }
      limited.log(.warning, "other", nowMilliseconds: 1_000, [("n", 1)])
      limited.log(.warning, "refused", nowMilliseconds: 1_999)
      limited.log(.warning, "refused", nowMilliseconds: 2_000, [("n", 2)])
      limited.log(.warning, "refused", nowMilliseconds: 2_001)
    }
    #expect(
      found == [
        "warning refused", "warning refused", "warning other n=1", "warning refused n=2 suppressed=4",
        "warning refused",
      ])
  }

  @Test("what was held back is reported when the flood is over")
  func reportSuppressed() throws {
    let found = try lines { logger in
      var limited = RateLimitedLog(logger, linesPerSecondMax: 1)
      for _ in 0..<4 { limited.log(.error, "refused", nowMilliseconds: 0) }
      limited.reportSuppressed(nowMilliseconds: 999)
      limited.reportSuppressed(nowMilliseconds: 1_000)
      limited.reportSuppressed(nowMilliseconds: 2_000)
    }
    #expect(found == ["error refused", "error refused suppressed=3"])
  }

  @Test("a flood of one reason does not hide another of the same event")
  func reasons() throws {
    let found = try lines { logger in
      var limited = RateLimitedLog(logger, linesPerSecondMax: 1)
      for _ in 0..<4 { limited.log(.info, "refused", reason: "http_400", nowMilliseconds: 0) }
      limited.log(.info, "refused", reason: "http_403", nowMilliseconds: 1, [("n", 1)])
      limited.reportSuppressed(nowMilliseconds: 1_001)
    }
    #expect(
      found == [
        "info refused reason=http_400", "info refused reason=http_403 n=1", "info refused reason=http_400 suppressed=3",
      ])
  }

  @Test("fields of a line that is not written are not made")
  func lazyFields() throws {
    var made = 0
    func fields() -> [(StaticString, LogValue)] {
      made += 1
      return []
    }
    _ = try lines { logger in
      var limited = RateLimitedLog(logger, linesPerSecondMax: 1)
      for _ in 0..<3 { limited.log(.info, "event", nowMilliseconds: 0, fields()) }
      limited.log(.debug, "event", nowMilliseconds: 5_000, fields())
    }
    #expect(made == 1)
  }
}
